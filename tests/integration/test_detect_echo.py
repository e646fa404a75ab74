# SPDX-License-Identifier: Apache-2.0
"""The source `http` of the agent and its program muster-echo against a real HTTPS server, honest and hostile.

What an echo service, or whoever answers in its place, sends: an address comes out of the exact form only.
"""
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from muster_testlib import build_dir, holder, ports, procs
from muster_testlib.certs import Authority
from muster_testlib.echo import EchoServer
from muster_testlib.probe import Probe
from muster_testlib.stack import Stack

ECHO = build_dir() / "agent" / "muster-echo"
PUBLIC = "198.41.0.4"


def say(body):
    return "/say/" + urllib.parse.quote(body, safe="")


class Echo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.authority = Authority(cls.work.folder("pki"), "echo")
        identity = cls.authority.issue("server", "echo.test", ips=("127.0.0.1", "::1"), names=("echo.test",))
        cls.server = cls.enterClassContext(EchoServer("127.0.0.1", identity))
        cls.plain = cls.enterClassContext(EchoServer("127.0.0.1"))
        cls.server6 = cls.enterClassContext(EchoServer("::1", identity))

    def echo(self, url, *options, ca=True):
        """Exit status, what it printed, what it complained."""
        trust = ["--ca-file", self.authority.cert] if ca else []
        done = subprocess.run([str(part) for part in (ECHO, *trust, *options, url)], capture_output=True, text=True,
                              check=False, timeout=procs.DEADLINE)
        return done.returncode, done.stdout, done.stderr

    def gives(self, expected, path, *options, server=None):
        status, out, complaint = self.echo((server or self.server).url(path), *options)
        self.assertEqual((status, out, complaint), (0, f"{expected}\n", ""), path)

    def refuses(self, why, path, *options, server=None, ca=True):
        status, out, complaint = self.echo((server or self.server).url(path), *options, ca=ca)
        self.assertEqual((status, out), (1, ""), f"{path}: {complaint}")
        self.assertRegex(complaint, why, path)
        self.assertEqual(complaint.count("\n"), 1, complaint)

    def test_honest_services(self):
        self.gives("127.0.0.1", "/ip")
        self.gives("127.0.0.1", "/ip", "--format", "text")
        self.gives("127.0.0.1", "/trace", "--format", "trace")
        self.gives("127.0.0.1", "/json", "--format", "json:ip")
        self.gives("127.0.0.1", "/dyndns", "--format", "dyndns")
        self.gives("127.0.0.1", "/dyndns", "--format", "dyndns", server=self.plain)
        self.gives("::1", "/ip", "--family", 6, server=self.server6)
        self.gives("::1", "/trace", "--family", 6, "--format", "trace", server=self.server6)
        self.gives(PUBLIC, f"/chunked/{PUBLIC}%0d%0a")
        headers = self.server.seen[-1][1]
        self.assertRegex(headers["User-Agent"], r"^muster/\d")
        self.assertNotIn("Accept-Encoding", headers)
        self.assertNotIn("Cookie", headers)

    def test_what_other_clients_published(self):
        """Every one of these came out of a client in use as an address."""
        self.refuses("not exactly one address", say("nginx/1.18.0.2"))
        self.refuses("not exactly one address", say("build 4.1.9.77, you are 198.41.0.4"))
        self.refuses("not exactly one address", say("4.1.9.77\n198.41.0.4"))
        self.refuses("not exactly one address", "/portal")
        self.refuses("no trace", "/portal", "--format", "trace")
        self.refuses("no JSON", "/portal", "--format", "json:ip")
        self.refuses("not the page", "/portal", "--format", "dyndns")
        self.refuses("not exactly one address", "/portal", server=self.plain)
        self.refuses("status 511", "/portal-511")

    def test_two_addresses_are_none(self):
        self.refuses("no JSON", say('{"ip":"198.41.0.4","ip":"198.41.0.5"}'), "--format", "json:ip")
        self.refuses("not exactly one", say('{"ip":"198.41.0.4, 198.41.0.5"}'), "--format", "json:ip")
        self.refuses("no text", say('{"ip":["198.41.0.4","198.41.0.5"]}'), "--format", "json:ip")
        self.refuses("not exactly one", say("198.41.0.4\n198.41.0.5\n"))
        self.refuses("no trace", say("h=127.0.0.1\nip=198.41.0.4\nip=198.41.0.5\nwarp=off\n"), "--format", "trace")

    def test_bodies_that_are_no_answer(self):
        self.refuses("empty body", say(""))
        self.refuses("empty body", say(" \r\n"))
        self.refuses("compressed", "/gzip")
        self.refuses("compressed", "/deflate-said")
        self.refuses("not exactly one address", "/gzip-unsaid")
        self.refuses("status 302.*redirect", "/login")
        for status in (201, 203, 206, 301, 307, 401, 403, 404, 429, 500, 503):
            self.refuses(f"status {status}", f"/status/{status}")
        self.refuses("status 204", "/status/204")
        self.refuses("larger than allowed", "/endless")
        self.refuses("larger than allowed", "/endless-blanks")
        self.refuses("larger than allowed", "/padded/4087")
        self.gives(PUBLIC, "/padded/4086")
        self.refuses("larger than allowed", "/endless-headers")
        for mood in ("/half", "/hang-up", "/no-http"):
            self.refuses("127.0.0.1: .", mood)

    def test_addresses_in_wrong_clothes(self):
        for body in ("::ffff:198.41.0.4", "198.41.0.4 ", "2a00::1%eth0", "fe80::1%25eth0", "[2a00::1]"):
            self.refuses("address", say(body), "--family", 6, server=self.server6)
        for body in ("010.1.2.3", "198.41.0.04", "0xc6.41.0.4", "3324575748", "198.41.4", "2a00::1", "::ffff:198.41.0.4",
                     "198.41.0.4:80", "198.41.0.4 (you)", "\ufeff198.41.0.4", "198.41.0.4\0"):
            self.refuses("address", say(body))

    def test_a_deadline_ends_every_question(self):
        for mood in ("/slow", "/stall"):
            began = time.monotonic()
            self.refuses("timed out|Timeout|Operation", mood, "--timeout", "700ms")
            self.assertGreaterEqual(time.monotonic() - began, 0.69)

    def test_tls_is_verified(self):
        self.refuses("certificate|SSL", "/ip", ca=False)
        stranger = Authority(self.work.folder("stranger"), "stranger")
        self.refuses("certificate|SSL", "/ip", "--ca-file", stranger.cert, ca=False)
        wrong = self.authority.issue("server", "other.test", names=("other.test",))
        with EchoServer("127.0.0.1", wrong) as server:
            self.refuses("name|certificate|SSL", "/ip", server=server)
            self.assertEqual(server.seen, [], "no request may leave before the server is known")
        status, out, complaint = self.echo(self.plain.url("/ip").replace("http:", "https:"))
        self.assertEqual((status, out), (1, ""), complaint)

    def test_a_trace_is_of_the_host_and_of_no_tunnel(self):
        self.refuses("another host", "/trace-other", "--format", "trace")
        self.refuses("tunnel", "/trace-warp", "--format", "trace")

    def test_the_family_that_was_asked_for(self):
        self.refuses("127.0.0.1: .", "/ip", "--family", 6)
        self.refuses("::1: .", "/ip", "--family", 4, server=self.server6)
        self.refuses("other family", say("2a00::1"))
        self.refuses("other family", say("198.41.0.4"), "--family", 6, server=self.server6)

    def test_wrong_calls(self):
        for arguments in ([], ["--family", "5", "https://x/"], ["--format", "html", "https://x/"], ["ftp://x/"], ["x"],
                          ["--local", "::1", "https://x/"], ["https://a@x/"], ["https://x/", "https://y/"]):
            done = subprocess.run([str(ECHO), *arguments], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (64, ""), arguments)
            self.assertTrue(done.stderr, arguments)

    def test_the_source_hands_over_what_its_program_found(self):
        trust = f"ca_file={self.authority.cert}"
        answer = Probe("http", f"url={self.server.url('/ip')}", trust)
        self.assertEqual((answer.status, answer.ip, answer.detail), ("address", "127.0.0.1", self.server.url("/ip")))
        answer = Probe("http", f"url={self.server6.url('/json')}", "format=json:ip", "family=6", trust)
        self.assertEqual((answer.status, answer.ip), ("address", "::1"))
        answer = Probe("http", f"url={self.server.url('/ip')}", "local=127.0.0.77", "uplink=lo", trust)
        self.assertEqual((answer.status, answer.ip), ("address", "127.0.0.77"))
        answer = Probe("http", f"url={self.server.url('/portal')}", trust)
        self.assertEqual((answer.status, answer.ip), ("failed", ""))
        self.assertIn("127.0.0.1: not exactly one address", answer.detail)
        answer = Probe("http", f"url={self.server.url('/ip')}")
        self.assertEqual(answer.status, "failed")
        self.assertRegex(answer.detail, "certificate|SSL")
        answer = Probe("http", f"url={self.server.url('/stall')}", "timeout=500", trust)
        self.assertEqual(answer.status, "failed")
        self.assertLess(answer.elapsed_ms, 1000 * procs.DEADLINE)
        self.assertGreaterEqual(answer.elapsed_ms, 400)
        answer = Probe("http", f"url={self.server.url('/ip')}", "uplink=none0", trust)
        self.assertEqual(answer.status, "failed")
        self.assertIn("cannot leave through none0", answer.detail)

    def test_nothing_is_left_running(self):
        Probe("http", f"url={self.server.url('/slow')}", "timeout=300", f"ca_file={self.authority.cert}")
        mine = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if self._is_echo_of_this_server(pid)]
        self.assertEqual(mine, [])

    def _is_echo_of_this_server(self, pid):
        return "muster-echo" in self._read(pid, "cmdline") and f":{self.server.port}/" in self._read(pid, "environ")

    @staticmethod
    def _read(pid, name):
        try:
            return pathlib.Path("/proc", pid, name).read_bytes().decode(errors="replace")
        except OSError:
            return ""

    def test_what_is_secret_in_a_url_nobody_else_reads(self):
        trust = f"ca_file={self.authority.cert}"
        with ThreadPoolExecutor() as threads:
            asked = threads.submit(Probe, "http", f"url={self.server.url('/slow/?token=hush')}", "timeout=60000", trust)
            procs.wait_until(lambda: any("hush" in path for path, *_ in self.server.seen), "the question came")
            mine = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if self._is_echo_of_this_server(pid)]
            self.assertEqual(len(mine), 1)
            self.assertNotIn("hush", self._read(mine[0], "cmdline"))
            os.kill(int(mine[0]), signal.SIGKILL)
            self.assertNotIn("hush", asked.result().detail)
        answer = Probe("http", f"url={self.server.url('/ip/?token=hush')}", trust)
        self.assertEqual((answer.status, answer.detail), ("address", self.server.url("/ip/")))


class Whoami(unittest.TestCase):
    """The coordinator's own echo service and STUN server."""

    def test_the_sources_understand_the_coordinator(self):
        work = procs.Workspace()
        self.addCleanup(work.close)
        stack = Stack(work)
        identity = stack.pki.server("whoami", ips=("127.0.0.1",))
        port, stun = ports.free_port("127.0.0.1"), ports.free_port("127.0.0.1")
        stack.write_config(more=f"""whoami:
  stun_listen: ["127.0.0.1:{stun}"]
  listen: ["127.0.0.1:{port}"]
  cert_file: {identity.cert}
  key_file: {identity.key}
""")
        stack.start()
        self.addCleanup(stack.__exit__)
        url, trust = f"https://127.0.0.1:{port}/whoami", f"ca_file={stack.pki.server_bundle}"
        for arguments in ([f"url={url}"], [f"url={url}?format=json", "format=json:ip"]):
            answer = Probe("http", *arguments, trust, "local=127.0.0.9")
            self.assertEqual((answer.status, answer.ip), ("address", "127.0.0.9"), answer.detail)
        answer = Probe("stun", f"server=127.0.0.1:{stun}", "local=127.0.0.9")
        self.assertEqual((answer.status, answer.ip), ("address", "127.0.0.9"), answer.detail)


class Uplinks(unittest.TestCase):
    """A device with two ways out, each with an address of its own: every question shows the way that it was asked on."""

    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        if not holder.possible(self.work):
            self.skipTest("no network namespaces here")
        self.device, self.internet = (holder.Net(self.work / f"{name}.ns") for name in ("device", "internet"))
        self.addCleanup(self.internet.close)
        self.addCleanup(self.device.close)
        for n in (0, 1):
            self.device.link(f"wan{n}", self.internet, f"net{n}")
            self.device.address(f"wan{n}", f"198.41.{n + 1}.2/24", f"2a00:{n + 1}::2/64")
            self.internet.address(f"net{n}", f"198.41.{n + 1}.1/24", f"2a00:{n + 1}::1/64")
            for router in (f"198.41.{n + 1}.1", f"2a00:{n + 1}::1"):
                self.device.run("ip", "route", "add", "default", "via", router, "dev", f"wan{n}", "metric", 100 + n)
        self.internet.address("lo", "198.41.0.1/32", "2a00::1/128")
        authority = Authority(self.work.folder("pki"), "echo")
        self.identity = authority.issue("server", "echo.test", ips=("198.41.0.1", "2a00::1"))
        self.trust = f"ca_file={authority.cert}"
        self.url, self.url6 = (self.serve(address) for address in ("198.41.0.1", "2a00::1"))

    def serve(self, address):
        server = procs.Process([sys.executable, "-B", "-m", "muster_testlib.echo", address, self.identity.cert, self.identity.key],
                               self.work / f"echo-{address}.log", prefix=self.internet.prefix).start()
        self.addCleanup(server.stop)
        return server.wait_log(r"^(https://\S+)$")[1]

    def ask(self, url, *arguments):
        return Probe("http", f"url={url}/ip", self.trust, *arguments, prefix=self.device.prefix)

    def test_each_uplink_is_asked_by_itself(self):
        for uplink, address in (("wan0", "198.41.1.2"), ("wan1", "198.41.2.2")):
            answer = self.ask(self.url, f"uplink={uplink}")
            self.assertEqual((answer.status, answer.ip), ("address", address), answer.detail)
            answer = self.ask(self.url, f"uplink={uplink}", f"local={address}")
            self.assertEqual((answer.status, answer.ip), ("address", address), answer.detail)
        for uplink, address in (("wan0", "2a00:1::2"), ("wan1", "2a00:2::2")):
            answer = self.ask(self.url6, "family=6", f"uplink={uplink}", f"local={address}")
            self.assertEqual((answer.status, answer.ip), ("address", address), answer.detail)

    def test_the_address_to_leave_from_counts(self):
        self.device.run("ip", "address", "add", "2a00:1::77/64", "dev", "wan0", "nodad")
        for address in ("2a00:1::77", "2a00:1::2"):
            answer = self.ask(self.url6, "family=6", "uplink=wan0", f"local={address}")
            self.assertEqual((answer.status, answer.ip), ("address", address), answer.detail)

    def test_a_dead_uplink_is_not_answered_by_the_other(self):
        self.device.run("ip", "link", "set", "wan1", "down")
        answer = self.ask(self.url, "uplink=wan1", "timeout=2000")
        self.assertEqual((answer.status, answer.ip), ("failed", ""))
        answer = self.ask(self.url, "uplink=wan0")
        self.assertEqual(answer.ip, "198.41.1.2")


if __name__ == "__main__":
    unittest.main()
