#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""whoami with clients that are not ours: coturn's turnutils_stunclient, curl; and with those that nobody wants."""
import json
import pathlib
import re
import select
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import time
import unittest
import urllib.request
import zlib

from muster_testlib import build_dir, ports, source_dir
from muster_testlib.procs import DEADLINE, Workspace, wait_until
from muster_testlib.stack import Stack

COOKIE = 0x2112A442
WHOAMI = """\
whoami:
  stun_listen: ["0.0.0.0:{stun}", "[::1]:{stun6}"]
  listen: ["[::]:{https}"]
  cert_file: {cert}
  key_file: {key}
  {limits}
"""


def stun(kind=0x0001, attributes=b"", cookie=COOKIE, transaction=b"0123456789ab"):
    return struct.pack(">HHI", kind, len(attributes), cookie) + transaction + attributes


def mapped(answer):
    """Address and port of an XOR-MAPPED-ADDRESS that stands alone."""
    kind, length, cookie = struct.unpack_from(">HHI", answer)
    attribute, size, family, port = struct.unpack_from(">HHHH", answer, 20)
    assert (kind, length, cookie, attribute) == (0x0101, len(answer) - 20, COOKIE, 0x0020), answer.hex()
    mask = struct.pack(">I", COOKIE) + answer[8:20]
    raw = bytes(one ^ other for one, other in zip(answer[28:20 + 4 + size], mask))
    return socket.inet_ntop(socket.AF_INET if family == 1 else socket.AF_INET6, raw), port ^ COOKIE >> 16


class Asker:
    """A UDP socket that hears only who it asks."""

    def __init__(self, port, server="127.0.0.1", source=None):
        self.socket = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.connect((server, port))
        self.socket.settimeout(DEADLINE)
        self.own = self.socket.getsockname()[:2]

    def ask(self, data):
        """The next answer; where none is expected, ask something else behind it that is answered."""
        self.socket.send(data)
        return self.socket.recv(2048)

    def send(self, data):
        self.socket.send(data)


class Whoami(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.stack = Stack(cls.work)
        cls.stun, cls.stun6, cls.https = (ports.free_port("127.0.0.1") for _ in range(3))
        cls.identity = cls.stack.pki.server("whoami", ips=("127.0.0.1", "::1"))
        cls.ca = cls.stack.pki.server_bundle
        cls.configure()
        cls.stack.start()
        cls.addClassCleanup(cls.stack.__exit__)

    @classmethod
    def configure(cls, limits="rate: 1000", **changes):
        values = {"stun": cls.stun, "stun6": cls.stun6, "https": cls.https, "cert": cls.identity.cert, "key": cls.identity.key}
        cls.stack.write_config(more=WHOAMI.format(**{**values, **changes}, limits=limits))

    def reload(self, event="reloaded", **how):
        self.configure(**how)
        mark = self.stack.coordinator.mark()
        self.stack.coordinator.signal(signal.SIGHUP)
        return self.stack.coordinator.wait_log(event, since=mark)

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.stack.metrics_port}/metrics", timeout=DEADLINE) as reply:
            text = reply.read().decode()
        return int(re.search(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE).group(1))

    def refused(self, via, reason):
        return self.metric(f'muster_whoami_refused_total{{via="{via}",reason="{reason}"}}')

    def curl(self, *arguments, path="/whoami", host="127.0.0.1", code=0):
        done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(int(DEADLINE)), "--cacert", self.ca, *arguments,
                               f"https://{host}:{self.https}{path}"], capture_output=True, text=True, check=False, timeout=2 * DEADLINE)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def asker(self, port, server="127.0.0.1", source=None):
        made = Asker(port, server, source)
        self.addCleanup(made.socket.close)
        return made

    # ---- STUN

    def test_stun_as_coturns_client_asks(self):
        for arguments, server in ((["-p", self.stun], "127.0.0.1"), (["-p", self.stun6], "::1")):
            done = subprocess.run(["turnutils_stunclient", *map(str, arguments), server], capture_output=True, text=True, check=False,
                                  timeout=DEADLINE)
            self.assertRegex(done.stdout, rf"UDP reflexive addr: \[?{re.escape(server)}\]?:\d+", done.stdout + done.stderr)

    def test_stun_says_address_and_port_of_the_asker_and_answers_from_where_it_was_asked(self):
        for server, source in (("127.0.0.1", "127.0.0.1"), (ports.loopback(1), ports.loopback(2))):
            asker = self.asker(self.stun, server, source)
            self.assertEqual(mapped(asker.ask(stun())), asker.own)
        asker = self.asker(self.stun6, "::1")
        answer = asker.ask(stun())
        self.assertEqual(mapped(answer), asker.own)
        self.assertEqual(len(answer), 44)  # of 20: the most that there is

    def test_what_is_no_binding_request_is_not_answered(self):
        address = struct.pack(">HHBBHI", 1, 8, 0, 1, 1000, 0x7F000001)
        unwanted = {
            "method": [stun(0x0003), stun(0x0011), stun(0x0101, address), stun(0x0111, struct.pack(">HHI", 9, 4, 0x0400)), stun(0x3EEF)],
            "malformed": [b"", b"\0", b"GET / HTTP/1.0\r\n\r\n", stun()[:19], stun() + b"\0", stun(cookie=COOKIE + 1), b"\x80" + stun()[1:],
                          stun(attributes=b"\0\x33\0\x08\0\0\0\0"), bytes(1400), bytes(4000)],
        }
        asker = self.asker(self.stun)
        for reason, datagrams in unwanted.items():
            before = self.refused("stun", reason)
            for datagram in datagrams:
                asker.send(datagram)
            last = asker.ask(stun(transaction=b"the last one"))
            self.assertEqual(last[8:20], b"the last one", "something before it was answered")
            self.assertEqual(self.refused("stun", reason) - before, len(datagrams), reason)

    def test_no_answer_is_longer_than_2_2_times_the_question(self):
        head = struct.pack(">HHI", 1, 8, COOKIE) + b"0123456789ab"
        fingerprint = bytes.fromhex("80280004") + struct.pack(">I", zlib.crc32(head) ^ 0x5354554E)
        asker = self.asker(self.stun6, "::1")
        for attributes, answer in ((b"", 44), (fingerprint, 52), (b"\0\x33\0\0", 36), (b"\0\x33\0\0\0\x34\0\0\0\x35\0\0", 40),
                                   (b"".join(struct.pack(">HH", 0x31 + i, 0) for i in range(100)), 48), (b"\x80\x22\0\x04soft", 44)):
            question = stun(attributes=attributes)
            got = asker.ask(question)
            self.assertEqual(len(got), answer)
            self.assertLessEqual(len(got), 2.2 * len(question))

    def test_a_network_that_asks_too_much_is_limited_and_no_other(self):
        self.reload(limits="rate: 1\n  burst: 10")
        self.addCleanup(self.reload)
        loud, neighbour = self.asker(self.stun, source=ports.loopback(1)), self.asker(self.stun, source=ports.loopback(2))
        asked, limited = 'muster_whoami_questions_total{via="stun"}', self.refused("stun", "limited")
        before, began = self.metric(asked), time.monotonic()
        for _ in range(100):  # fewer than the socket's buffer holds
            loud.send(stun())
        wait_until(lambda: self.metric(asked) - before == 100, "all are counted")
        most = 10 + (time.monotonic() - began) + 1
        answers = 100 - (self.refused("stun", "limited") - limited)
        self.assertGreaterEqual(answers, 10)
        self.assertLessEqual(answers, most)
        for _ in range(answers):
            self.assertEqual(mapped(loud.socket.recv(2048)), loud.own)
        loud.socket.settimeout(0)
        with self.assertRaises(BlockingIOError):
            loud.socket.recv(2048)
        self.assertEqual(mapped(neighbour.ask(stun())), neighbour.own)
        self.assertEqual(self.curl(), "127.0.0.1\n")  # datagrams lock nobody out of HTTPS

    # ---- HTTPS

    def test_https_as_curl_asks(self):
        self.assertEqual(self.curl(), "127.0.0.1\n")
        self.assertEqual(self.curl(host="[::1]"), "::1\n")
        self.assertEqual(json.loads(self.curl(path="/whoami?format=json")), {"ip": "127.0.0.1"})
        self.assertEqual(json.loads(self.curl("-H", "Accept: text/html, application/json;q=0.9")), {"ip": "127.0.0.1"})
        self.assertEqual(self.curl("-H", "Accept: application/json", path="/whoami?format=text"), "127.0.0.1\n")
        self.assertEqual(self.curl("--interface", ports.loopback(1)), f"{ports.loopback(1)}\n")
        self.assertEqual(self.curl("-H", "X-Forwarded-For: 192.0.2.1", "-H", "Forwarded: for=192.0.2.1"), "127.0.0.1\n")
        head = self.curl("--head")
        self.assertIn("HTTP/1.1 200", head)
        self.assertRegex(head, "(?i)content-type: text/plain\n")
        self.assertRegex(head, "(?i)connection: close\n")
        self.assertRegex(head, "(?i)cache-control: no-store\n")

    def test_an_answer_to_curl_is_not_longer_than_2_2_times_its_question(self):
        sizes = ["--output", "/dev/null", "--write-out", "%{size_request} %{size_header} %{size_download}"]
        for host, path, *more in (("127.0.0.1", "/whoami"), ("[::1]", "/whoami"), ("127.0.0.1", "/whoami?format=json"),
                                  ("127.0.0.1", "/"), ("127.0.0.1", "/metrics"), ("127.0.0.1", "/whoami?format=xml"),
                                  ("127.0.0.1", "/whoami?x=1"), ("127.0.0.1", "/whoami", "--request", "DELETE")):
            question, header, body = map(int, self.curl(*sizes, *more, host=host, path=path).split())
            self.assertLessEqual(header + body, 2.2 * question, path)

    def test_an_address_cannot_hold_all_connections(self):
        loud, began = [], time.monotonic()
        for _ in range(20):  # silent: not even a handshake; 16 of them stand, for 10 s
            one = socket.create_connection(("127.0.0.1", self.https), timeout=DEADLINE, source_address=(ports.loopback(2), 0))
            self.addCleanup(one.close)
            loud.append(one.fileno())
        poll, ended = select.poll(), set()
        for fd in loud:
            poll.register(fd, select.POLLIN)

        def wait_end_of(some):
            while not ended.issuperset(some):
                found = poll.poll(DEADLINE * 1000)
                self.assertTrue(found, "silent connections are not ended")
                for fd, _ in found:
                    ended.add(fd)
                    poll.unregister(fd)
            return time.monotonic() - began

        if wait_end_of(loud[16:]) < 9:  # else the time of the others may be over, too
            self.assertEqual(ended, set(loud[16:]))
        self.assertEqual(self.curl("--interface", ports.loopback(1)), f"{ports.loopback(1)}\n")
        self.assertGreater(wait_end_of(loud), 9)  # by their time-out, not because others came
        self.assertEqual(self.curl("--interface", ports.loopback(2)), f"{ports.loopback(2)}\n")

    def test_a_byte_now_and_then_keeps_no_connection(self):
        context, began = ssl.create_default_context(cafile=str(self.ca)), time.monotonic()
        with (socket.create_connection(("127.0.0.1", self.https), timeout=DEADLINE) as plain,
              context.wrap_socket(plain, server_hostname="127.0.0.1") as tls):
            tls.sendall(b"GET /whoami HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            tls.settimeout(1)
            ended = False
            while not ended:
                self.assertLess(time.monotonic() - began, DEADLINE, "it still stands")
                try:
                    tls.sendall(b"x")
                    ended = tls.recv(1) == b""
                except TimeoutError:  # a second without an end: the next byte
                    continue
                except OSError:  # cut off while we spoke
                    ended = True
        self.assertGreater(time.monotonic() - began, 9)

    def test_nothing_else_is_served_there(self):
        status = ["--output", "/dev/null", "--write-out", "%{http_code}"]
        for path, code in (("/", "404"), ("/metrics", "404"), ("/healthz", "404"), ("/v1/status", "404"), ("/v1/devices", "404"),
                           ("/whoami/", "404"), ("/whoami?format=xml", "400"), ("/whoami?x=1", "400")):
            self.assertEqual(self.curl(*status, path=path), code, path)
        self.assertEqual(self.curl(*status, "--data", "x=1"), "405")
        self.assertEqual(self.curl(*status, "--request", "DELETE"), "405")
        self.curl("--tls-max", "1.1", "--tlsv1.0", "--ciphers", "ALL:@SECLEVEL=0", code=35)

    def test_plain_http_and_garbage_get_no_address(self):
        for data in (b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 500, bytes(64)):
            with socket.create_connection(("127.0.0.1", self.https), timeout=DEADLINE) as plain:
                got = b""
                try:
                    plain.sendall(data)
                    plain.shutdown(socket.SHUT_WR)
                    while part := plain.recv(4096):
                        got += part
                except OSError:  # cut off while we spoke
                    pass
                self.assertNotIn(b"127.0.0.1", got)
                self.assertNotIn(b"HTTP/", got)
        self.assertEqual(self.curl(), "127.0.0.1\n")

    def test_a_connection_is_for_one_question(self):
        context = ssl.create_default_context(cafile=str(self.ca))
        with socket.create_connection(("127.0.0.1", self.https), timeout=DEADLINE) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
                tls.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /whoami HTTP/1.1\r\nHost: x\r\n\r\n")
                got = b""
                while part := tls.recv(4096):
                    got += part
        self.assertEqual(got.count(b"HTTP/1.1 "), 1)
        self.assertIn(b"404", got)

    def test_https_is_limited_before_the_handshake(self):
        self.reload(limits="rate: 1\n  burst: 20")
        self.addCleanup(self.reload)
        source = ports.loopback(3)
        before, began, answers = self.refused("https", "limited"), time.monotonic(), 0
        while True:
            done = subprocess.run(["curl", "--silent", "--cacert", self.ca, "--interface", source, f"https://127.0.0.1:{self.https}/whoami"],
                                  capture_output=True, text=True, check=False, timeout=DEADLINE)
            if done.returncode != 0:
                break
            self.assertEqual(done.stdout, f"{source}\n")
            answers += 1
            self.assertLessEqual(answers, 2 + (time.monotonic() - began) / 10)  # one is paid in ten seconds
        self.assertGreaterEqual(answers, 2)
        self.assertIn(done.returncode, (35, 56))  # TLS could not begin
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.refused("https", "limited") - before, 1)
        self.assertEqual(self.curl("--interface", ports.loopback(1)), f"{ports.loopback(1)}\n")

    # ---- reload and check

    def served_certificate(self):
        return ssl.get_server_certificate(("127.0.0.1", self.https)).strip()

    def test_a_reload_takes_a_new_certificate_and_refuses_nobody(self):
        self.assertEqual(self.served_certificate(), _first_certificate(self.identity.cert))
        first, fresh = self.identity, self.stack.pki.servers.issue("server", "whoami", ips=("127.0.0.1", "::1"), file="whoami-next")
        for identity in (fresh, first, fresh):
            type(self).identity = identity
            self.reload(event="whoami-certificate")
            self.stack.coordinator.wait_log("reloaded")
            self.assertEqual(self.served_certificate(), _first_certificate(identity.cert))
            self.assertEqual(self.curl(), "127.0.0.1\n")

    def test_a_bad_pair_is_refused_and_the_old_one_stays(self):
        served = self.served_certificate()
        other = self.stack.pki.servers.issue("server", "other", ips=("127.0.0.1",), file="whoami-other")
        (rsa, rsa_key), (_, strange_key) = self.rsa_pair("one"), self.rsa_pair("two")  # nothing but the TLS library knows these
        self.addCleanup(self.reload)
        for wrong in ({"key": other.key}, {"cert": self.work / "missing.pem"}, {"key": self.identity.cert}, {"cert": rsa},
                      {"cert": rsa, "key": strange_key}):
            self.reload(event="reload-refused", **wrong)
            self.assertEqual(self.served_certificate(), served, wrong)
            self.assertEqual(self.curl(), "127.0.0.1\n")

        self.reload(event="whoami-certificate", cert=rsa, key=rsa_key)
        self.assertEqual(self.served_certificate(), _first_certificate(rsa))

    def rsa_pair(self, name):
        cert, key = self.work / f"rsa-{name}.pem", self.work / f"rsa-{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                        "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=DEADLINE)
        key.chmod(0o600)
        return cert, key

    def check(self, text):
        self.work.write("coordinator/bad.yaml", self.stack.config_file.read_text().split("whoami:")[0] + text)
        done = subprocess.run([build_dir() / "coordinator" / "muster-coordinator", "--check-config", "-c",
                               self.stack.folder / "bad.yaml"], capture_output=True, text=True, check=False, timeout=DEADLINE)
        return done.returncode, done.stderr

    def test_a_config_that_cannot_work_is_refused(self):
        device = self.stack.pki.device("cam-1")
        for text, want in (
                ("whoami: {stun_listen: [\"whoami.example.net:3478\"]}\n", "not an address and port"),
                ("whoami: {stun_listen: [\"192.0.2.1\"]}\n", "port"),
                ("whoami: {listen: [\"[::]:8443\"]}\n", "listen needs cert_file and key_file"),
                (f"whoami: {{listen: [\"[::]:8443\"], cert_file: {self.identity.cert}, key_file: {device.key}}}\n", "whoami.key_file"),
                (f"whoami: {{listen: [\"[::]:8443\"], cert_file: /nowhere.pem, key_file: {device.key}}}\n", "whoami.cert_file"),
                ("whoami: {rate: 0}\n", "rate")):
            code, said = self.check(text)
            self.assertEqual(code, 78, text + said)
            self.assertIn(want, said)
        self.assertEqual(self.check("")[0], 0)


class Documented(unittest.TestCase):
    """An operator who has nothing but docs/operations.md, and an authority by `muster ca init`."""

    def test_the_lines_of_the_page(self):
        page = (source_dir() / "docs" / "operations.md").read_text()
        section = page[page.index("\n## Telling devices their address"):].split("\n## ")[1]
        config, issue = section.split("```yaml\n")[1].split("```")[0], re.search(r"^muster (ca issue .*)$", section, re.MULTILINE)[1]
        work = Workspace()
        self.addCleanup(work.close)
        folder, program = work.folder("ca"), build_dir() / "cli" / "muster"
        for words in (["ca", "init", "--dir", ".", "--name", "example"], shlex.split(issue)):
            subprocess.run([program, *words], cwd=folder, check=True, capture_output=True, timeout=DEADLINE)
        stack, stun, https = Stack(work), ports.free_port("127.0.0.1"), ports.free_port("127.0.0.1")
        for port, free in ((":3478", stun), (":8443", https)):
            config = config.replace(port, f":{free}")
        stack.write_config(more=config.replace("/etc/muster/coordinator", str(folder)))
        stack.start()
        self.addCleanup(stack.__exit__)
        said = subprocess.run(["curl", "--silent", "--show-error", "--cacert", folder / "bundle-server.pem", "--resolve",
                               f"whoami.example.net:{https}:127.0.0.1", f"https://whoami.example.net:{https}/whoami"],
                              capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual((said.stdout, said.stderr), ("127.0.0.1\n", ""))
        said = subprocess.run(["turnutils_stunclient", "-p", str(stun), "127.0.0.1"], capture_output=True, text=True, check=False,
                              timeout=DEADLINE)
        self.assertIn("UDP reflexive addr: 127.0.0.1:", said.stdout)


def _first_certificate(path):
    text = pathlib.Path(path).read_text()
    return text[text.index("-----BEGIN"):text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")].strip()


if __name__ == "__main__":
    unittest.main()
