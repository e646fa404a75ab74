# SPDX-License-Identifier: Apache-2.0
"""The sources stun and dns against the real turnserver and the real named, through NAT routers, in namespaces.

This program's own namespace is the internet: servers under the addresses that they have there. Behind it stand two home
routers that masquerade, and a camera with an uplink to each:

    internet ─┬─ 93.184.216.34  home1  192.168.1.1 ─── eth0 ┐
              │                 IPv6 routed                  camera
              └─ 94.142.241.50  home2  192.168.2.1 ─── eth1 ┘

named tells each asker its own address by a view for each address, so that an answer proves the way that a question took.
"""
import ctypes
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

from muster_testlib import build_dir, procs
from muster_testlib.internet import SERVER2 as WHOAMI
from muster_testlib.internet import Whoami
from muster_testlib.probe import Probe, ask_often
from muster_testlib.procs import Process, Workspace, unconfined

_CLONE_NEWNET = 0x40000000
WAN1, WAN2, OTHER_WAN2 = "93.184.216.34", "94.142.241.50", "94.142.241.51"
CAMERA6 = "2a00:1450:1::10"
STUN1, STUN2, STUN6 = "198.41.0.4", "199.9.14.201", "2a00:1450:ff::4"
GOOGLE, OPENDNS, CLOUDFLARE, AKAMAI = "216.239.32.10", "208.67.222.222", "1.1.1.1", "193.108.88.1"
GOOGLE6, OPENDNS6, CLOUDFLARE6 = "2001:4860:4802:32::a", "2620:119:35::35", "2606:4700:4700::1111"
RESOLVER, PORTAL, PUBLIC_PORTAL, LIAR = "8.20.247.20", "5.9.164.112", "5.9.164.113", "5.9.164.114"
SERVERS = [STUN1, STUN2, STUN6, GOOGLE, OPENDNS, CLOUDFLARE, AKAMAI, GOOGLE6, OPENDNS6, CLOUDFLARE6, RESOLVER, PORTAL,
           PUBLIC_PORTAL, LIAR, WHOAMI]

SHIM = build_dir() / "tests" / "integration" / "session_shim.so"

_ZONE = """$TTL 0
@ SOA ns. hostmaster. 1 3600 600 604800 0
@ NS ns.
"""
_OPTIONS = """options {{
  directory "{folder}";
  pid-file "{folder}/named.pid";
  session-keyfile "{folder}/session.key";
  lock-file none;
  listen-on {{ {addresses4} }};
  listen-on-v6 {{ {addresses6} }};
  notify no;
  dnssec-validation no;
  empty-zones-enable no;
  {more}
}};
controls {{ }};
"""


def run(*argv, text=None):
    done = subprocess.run([str(part) for part in argv], input=text, capture_output=True, text=True, timeout=procs.DEADLINE,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{argv}: {done.stderr}")
    return done.stdout


def enter_namespace():
    """A network namespace of this process's own. False where the kernel or the sandbox does not allow it."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        return False
    try:
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        run("ip", "link", "del", "probe0")
        run("nft", "add", "table", "inet", "probe")
    except RuntimeError:
        return False
    return True


class Namespace:
    """One more namespace; it goes with its holder process."""

    def __init__(self, work, name):
        self.holder = Process(["unshare", "--net", "sleep", "infinity"], work / f"{name}.ns").start()
        own = os.readlink("/proc/self/ns/net")
        procs.wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, f"the namespace {name} is there")
        self.prefix = ("nsenter", "-t", str(self.holder.pid), "-n")
        self.ip("link", "set", "lo", "up")
        # Answers come in by another interface than the kernel's best route leaves by.
        self.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1, ipv4__conf__all__rp_filter=0,
                    ipv4__conf__default__rp_filter=0)

    @property
    def pid(self):
        return str(self.holder.pid)

    def ip(self, *arguments):
        return run(*self.prefix, "ip", *arguments)

    def nft(self, rules):
        return run(*self.prefix, "nft", "-f", "-", text=rules)

    def sysctl(self, **settings):
        for key, value in settings.items():
            run(*self.prefix, "sh", "-c", f"echo {value} >/proc/sys/net/{key.replace('__', '/')}")


def stun_answers(address, port):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.3)
        try:
            probe.sendto(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + os.urandom(12), (address, port))
            return probe.recv(1500)[:2] == b"\x01\x01"
        except OSError:
            return False


def dns_answers(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.3)
        try:
            probe.sendto(b"\0\7\0\0\0\1\0\0\0\0\0\0\4test\0\0\1\0\1", (address, 53))
            return probe.recv(1500)[:2] == b"\0\7"
        except OSError:
            return False


def link(one, one_name, other, other_name, *addresses):
    """A veth pair; `one` is None for this program's own namespace. Addresses: (of one, of the other), with lengths."""
    inside = ["netns", one.pid] if one else []
    run("ip", "link", "add", one_name, *inside, "type", "veth", "peer", "name", other_name, "netns", other.pid)
    for end, name, which in ((one, one_name, 0), (other, other_name, 1)):
        ip = end.ip if end else lambda *arguments: run("ip", *arguments)
        for pair in addresses:
            ip("address", "add", pair[which], "dev", name, *(["nodad"] if ":" in pair[which] else []))
        ip("link", "set", name, "up")


class Internet:
    """Servers and routers, once for all tests."""

    def __init__(self):
        self.work = Workspace()
        self.home1, self.home2, self.camera = (Namespace(self.work, name) for name in ("home1", "home2", "camera"))
        run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        for address in SERVERS:
            run("ip", "address", "add", f"{address}/{128 if ':' in address else 32}", "dev", "lo",
                *(["nodad"] if ":" in address else []))
        link(None, "to1", self.home1, "wan", ("93.184.216.1/24", f"{WAN1}/24"), ("2a00:1450:0::1/64", "2a00:1450:0::2/64"))
        link(None, "to2", self.home2, "wan", ("94.142.241.1/24", f"{WAN2}/24"), ("94.142.241.2/32", f"{OTHER_WAN2}/32"))
        link(self.home1, "lan", self.camera, "eth0", ("192.168.1.1/24", "192.168.1.10/24"),
             ("2a00:1450:1::1/64", f"{CAMERA6}/64"))
        link(self.home2, "lan", self.camera, "eth1", ("192.168.2.1/24", "192.168.2.10/24"))
        run("ip", "-6", "route", "add", "2a00:1450:1::/64", "via", "2a00:1450:0::2")
        self.home1.ip("route", "add", "default", "via", "93.184.216.1")
        self.home1.ip("-6", "route", "add", "default", "via", "2a00:1450:0::1")
        self.home2.ip("route", "add", "default", "via", "94.142.241.1")
        self.camera.ip("route", "add", "default", "via", "192.168.1.1", "dev", "eth0", "metric", "100")
        self.camera.ip("route", "add", "default", "via", "192.168.2.1", "dev", "eth1", "metric", "200")
        self.camera.ip("-6", "route", "add", "default", "via", "2a00:1450:1::1", "dev", "eth0")
        self.waits, self.resets = [], 0
        self.turn = [self._turnserver(address) for address in (STUN1, STUN2, STUN6)]
        self.named = [self._echo(), self._resolver(), self._portal()]
        self.liar = self._liar()
        self.whoami = Whoami(self.work).start()
        for server, predicate, what in self.waits:
            server.wait_until(predicate, what)
        self.reset()

    def _turnserver(self, address):
        folder = self.work.folder(f"turn-{address.replace(':', '-')}")
        server = Process(["turnserver", "-n", "--stun-only", "-L", address, "-p", "3478", "--no-tls", "--no-dtls", "--no-cli",
                          "--no-rfc5780", "--log-file", "stdout", "--simple-log", "--pidfile", folder / "pid",
                          "-b", folder / "db"], folder / "log").start()
        self.waits.append((server, lambda: stun_answers(address, 3478), f"the STUN server {address} answers"))
        return server

    def _named(self, name, addresses, views, more=""):
        folder = self.work.folder(name)
        lists = ["".join(f"{address}; " for address in addresses if (":" in address) == six) or "none;" for six in (False, True)]
        config = self.work.write(f"{name}/named.conf", _OPTIONS.format(folder=folder, addresses4=lists[0], addresses6=lists[1],
                                                                       more=more) + views)
        server = Process([unconfined("named", folder), "-g", "-c", config], folder / "log").start()
        self.waits.append((server, lambda: dns_answers(addresses[0]), f"{name} answers"))
        return server

    def _zone(self, folder, view, zone, rrclass, *records):
        path = self.work.write(f"{folder}/{view}-{zone}.zone", _ZONE + "".join(f"{record}\n" for record in records))
        return f'  zone "{zone}" {rrclass} {{ type primary; file "{path}"; }};\n'

    def _echo(self):
        """The services, each address in a view of its own."""
        views = ""
        for view, address in (("one", WAN1), ("two", WAN2), ("six", CAMERA6), ("resolver", RESOLVER)):
            rrtype = "AAAA" if ":" in address else "A"
            zones = self._zone("echo", view, "o-o.myaddr.l.google.com", "IN",
                               '@ TXT "edns0-client-subnet 198.51.100.0/24"', f'@ TXT "{address}"')
            if view != "resolver":  # OpenDNS knows its own askers only
                zones += self._zone("echo", view, "myip.opendns.com", "IN", f"@ {rrtype} {address}")
            if rrtype == "A":
                zones += self._zone("echo", view, "whoami.akamai.net", "IN", f"@ A {address}")
            many = [f'@ TXT "edns0-client-subnet 10.{n}.0.0/16"' for n in range(40)]  # more than a datagram holds
            zones += self._zone("echo", view, "big.example.net", "IN", *many, f'@ TXT "{address}"')
            zones += self._zone("echo", view, "me.example.net", "IN", f"@ {rrtype} {address}")
            zones += self._zone("echo", view, "wrong.example.net", "IN", '@ TXT "2a00:1450:1::99"', "page A 192.168.1.5",
                                '*.text TXT "see https://example.net/ 4.1.9.77"', 'two TXT "198.41.0.4"', 'two TXT "198.41.0.5"')
            views += f'view "{view}" IN {{\n  match-clients {{ {address}; }};\n{zones}}};\n'
            chaos = self._zone("echo", f"ch-{view}", "whoami.cloudflare", "CH", f'@ TXT "{address}"')
            views += f'view "ch-{view}" CH {{\n  match-clients {{ {address}; }};\n{chaos}}};\n'
        views += 'view "rest" IN { match-clients { any; }; };\n'
        return self._named("echo", [GOOGLE, OPENDNS, CLOUDFLARE, AKAMAI, GOOGLE6, OPENDNS6, CLOUDFLARE6], views, "recursion no;")

    def _resolver(self):
        """A provider's resolver, which asks the services for itself."""
        return self._named("resolver", [RESOLVER], "", f"recursion yes; allow-recursion {{ any; }}; forward only; "
                           f"forwarders {{ {GOOGLE}; }}; query-source address {RESOLVER};")

    def _portal(self):
        """A captive portal: every name is itself, by a private address or by a public one."""
        views = ""
        for view, listens, says in (("private", PORTAL, "192.168.1.1"), ("public", PUBLIC_PORTAL, "5.9.164.113")):
            zone = self._zone("portal", view, ".", "IN", f"* A {says}", f'* TXT "{says}"')
            views += f'view "{view}" IN {{\n  match-destinations {{ {listens}; }};\n{zone}}};\n'
        return self._named("portal", [PORTAL, PUBLIC_PORTAL], views, "recursion no;")

    def _liar(self):
        """dnsmasq as routers use it against DNS of one's own choice: with authority, and with a public address."""
        config = self.work.write("liar/dnsmasq.conf", f"port=53\nno-resolv\nno-hosts\nlisten-address={LIAR}\nbind-interfaces\n"
                                 "address=/#/198.51.45.9\nuser=root\n")
        server = Process(["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}",
                          f"--pid-file={self.work / 'liar' / 'pid'}"], self.work / "liar" / "log").start()
        self.waits.append((server, lambda: dns_answers(LIAR), "the liar answers"))
        return server

    def reset(self):
        """Routers that masquerade and do nothing else; what a test added is gone. Also what they remember of it: a flow that
        was sent elsewhere would be for minutes, and a port is used again now and then. So each time has a zone of its own."""
        self.resets += 1
        for home in (self.home1, self.home2):
            home.nft(f"""flush ruleset
                table inet memory {{
                  chain pre {{ type filter hook prerouting priority raw; ct zone set {self.resets}; }}
                }}
                table ip nat {{
                  chain pre {{ type nat hook prerouting priority dstnat; }}
                  chain post {{ type nat hook postrouting priority srcnat; oifname "wan" masquerade; }}
                }}
                table inet filter {{
                  counter requests {{ packets 0 bytes 0; }}
                  chain forward {{ type filter hook forward priority 0; }}
                }}""")

    def ask(self, kind, *rows):
        return Probe(kind, *rows, prefix=self.camera.prefix)

    def ask_often(self, times, kind, *rows):
        return ask_often(times, kind, *rows, prefix=self.camera.prefix)

    def close(self):
        for server in [*self.turn, *self.named, self.liar, self.whoami, self.home1.holder, self.home2.holder, self.camera.holder]:
            server.stop()
        self.work.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.net = NET
        self.addCleanup(NET.reset)

    def address(self, expected, kind, *rows):
        answer = self.net.ask(kind, *rows)
        self.assertEqual((answer.status, answer.ip), ("address", expected), answer)
        return answer

    def failed(self, pattern, kind, *rows):
        answer = self.net.ask(kind, *rows)
        self.assertEqual((answer.status, answer.ip), ("failed", ""), answer)
        self.assertRegex(answer.detail, pattern)
        return answer

    def requests(self):
        """How often the rule of the test at home1 has counted."""
        text = run(*self.net.home1.prefix, "nft", "list", "counter", "inet", "filter", "requests")
        return int(re.search(r"packets (\d+)", text)[1])


class Stun(Case):
    def test_the_nat_s_address_is_told_for_each_family(self):
        answer = self.address(WAN1, "stun", f"server={STUN1}:3478")
        self.assertRegex(answer.detail, rf"{STUN1} says {WAN1} port \d+")
        self.address(CAMERA6, "stun", f"server=[{STUN6}]:3478", "family=6")
        with self.assertRaisesRegex(AssertionError, "cannot ask: not supported"):
            self.net.ask("stun", f"server={STUN1}:3478", "family=6")

    def test_what_we_see_is_what_coturn_s_own_client_sees(self):
        theirs = run(*self.net.camera.prefix, "turnutils_stunclient", "-p", "3478", STUN1)  # sends once: nothing is lost here
        self.assertIn(f"{WAN1}:", re.search(r"reflexive addr: (\S+)", theirs)[1])

    def test_each_uplink_is_asked_by_itself(self):
        self.address(WAN1, "stun", f"server={STUN1}:3478", "uplink=eth0", "local=192.168.1.10")
        self.address(WAN2, "stun", f"server={STUN1}:3478", "uplink=eth1", "local=192.168.2.10")
        self.address(WAN2, "stun", f"server={STUN1}:3478", f"server2={STUN2}:3478", "uplink=eth1")
        self.failed("cannot send from here", "stun", f"server={STUN1}:3478", "uplink=eth7")

    def test_two_servers_see_the_same_mapping_of_one_socket(self):
        answer = self.address(WAN1, "stun", f"server={STUN1}:3478", f"server2={STUN2}:3478")
        self.assertFalse(answer.mapping_varies, answer)
        self.assertIn("port the same", answer.detail)

    def test_a_nat_that_maps_each_destination_anew_is_seen(self):
        self.net.home1.nft("""flush chain ip nat post
            add rule ip nat post oifname "wan" masquerade fully-random""")
        answer = self.address(WAN1, "stun", f"server={STUN1}:3478", f"server2={STUN2}:3478")
        self.assertTrue(answer.mapping_varies, answer)

    def test_a_nat_with_several_addresses_is_seen(self):
        self.net.home2.nft(f"""flush chain ip nat post
            add rule ip nat post oifname "wan" ip daddr {STUN2} snat to {OTHER_WAN2}
            add rule ip nat post oifname "wan" masquerade""")
        answer = self.address(WAN2, "stun", f"server={STUN1}:3478", f"server2={STUN2}:3478", "uplink=eth1")
        self.assertTrue(answer.mapping_varies, answer)
        self.assertIn(OTHER_WAN2, answer.detail)

    def test_the_second_server_stands_in_for_a_dead_first(self):
        self.net.home1.nft(f"add rule inet filter forward ip daddr {STUN1} drop")
        answer = self.address(WAN1, "stun", f"server={STUN1}:3478", f"server2={STUN2}:3478", "timeout=4000")
        self.assertLess(answer.elapsed_ms, 3500, answer)
        self.assertFalse(answer.mapping_varies)

    def test_lost_requests_are_sent_again_at_500_and_1500_ms(self):
        self.net.home1.nft("add rule inet filter forward udp dport 3478 counter name requests numgen inc mod 3 < 2 drop")
        answer = self.address(WAN1, "stun", f"server={STUN1}:3478")
        self.assertGreaterEqual(answer.elapsed_ms, 1500)
        self.assertEqual(self.requests(), 3)

    def test_silence_ends_at_the_question_s_own_deadline(self):
        self.net.home1.nft("add rule inet filter forward udp dport 3478 counter name requests drop")
        answer = self.failed("no answer in 4000 ms", "stun", f"server={STUN1}:3478", "timeout=4000")
        self.assertEqual(self.requests(), 4)  # at 0, 500, 1500 and 3500 ms
        self.assertGreaterEqual(answer.elapsed_ms, 4000)

    def test_a_third_of_the_packets_lost_loses_no_question(self):
        self.net.home1.nft("add rule inet filter forward ip protocol udp numgen inc mod 3 < 1 drop")
        answers = self.net.ask_often(12, "stun", f"server={STUN1}:3478", "timeout=10000")
        self.assertEqual([answer.ip for answer in answers], [WAN1] * 12, answers)

    def test_a_name_is_where_it_was_when_the_resolver_has_died(self):
        for dead, least, most in (("1,0", 0, 900), ("1,3000", 1000, 2500)):
            with self.subTest(dead=dead):
                prefix = (*self.net.camera.prefix, "env", f"LD_PRELOAD={SHIM}", f"SHIM_RESOLVER_MAP=stun.test={STUN1}",
                          f"SHIM_RESOLVER_DEAD={dead}", "ASAN_OPTIONS=verify_asan_link_order=0")
                answers = ask_often(2, "stun", "server=stun.test:3478", prefix=prefix)
                self.assertEqual([answer.ip for answer in answers], [WAN1] * 2, answers)
                self.assertTrue(least <= answers[1].elapsed_ms <= most, answers)

    def test_a_closed_port_says_so(self):
        self.failed("Connection refused", "stun", f"server={STUN1}:3479", "timeout=600")

    def test_forgeries_are_passed_over(self):
        """A hostile server: another id, another family, another port; then the truth. Only that is taken."""
        liar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(liar.close)
        self.addCleanup(other.close)
        liar.bind((STUN1, 4000))
        other.bind((STUN1, 4001))

        def lie():
            request, asker = liar.recvfrom(1500)
            head = b"\x01\x01\x00\x0c" + request[4:8]
            address = b"\x00\x20\x00\x08\x00\x01" + b"\x21\x12" + b"\x21\x12\xa4\x42"
            liar.sendto(b"garbage", asker)
            liar.sendto(head + bytes(12) + address, asker)  # another id
            other.sendto(head + request[8:20] + address, asker)  # from another port
            liar.sendto(b"\x00\x01" + head[2:] + request[8:20] + address, asker)  # a request
            truth = bytes(a ^ b for a, b in zip(socket.inet_aton("198.51.45.9"), b"\x21\x12\xa4\x42"))
            liar.sendto(head + request[8:20] + b"\x00\x20\x00\x08\x00\x01\x21\x12" + truth, asker)

        for more in ([], [f"server2={STUN2}:3478"]):
            thread = threading.Thread(target=lie)
            thread.start()
            self.address("198.51.45.9", "stun", f"server={STUN1}:4000", *more)
            thread.join()

    def test_a_bad_config_is_refused_with_the_row(self):
        for rows, why in (([], "server: missing"), (["server=198.41.0.4"], "server: "),
                          (["server=198.41.0.4:1", "server2=x:y"], "server2: "),
                          (["server=198.41.0.4:1", "query=a.b"], "query: ")):
            with self.assertRaisesRegex(AssertionError, why):
                self.net.ask("stun", *rows)


class Dns(Case):
    def test_every_service_tells_the_address_of_each_family(self):
        for service in ("google", "opendns", "cloudflare"):
            with self.subTest(service):
                answer = self.address(WAN1, "dns", f"service={service}")
                self.assertIn(f"says {WAN1}", answer.detail)
                self.address(CAMERA6, "dns", f"service={service}", "family=6")

    def test_each_uplink_is_asked_by_itself(self):
        for service in ("google", "cloudflare"):
            self.address(WAN1, "dns", f"service={service}", "uplink=eth0", "local=192.168.1.10")
            self.address(WAN2, "dns", f"service={service}", "uplink=eth1", "local=192.168.2.10")
        self.failed("cannot bind to eth7", "dns", "service=google", "uplink=eth7")

    def test_one_s_own_server_and_name(self):
        self.address(WAN1, "dns", f"server={GOOGLE}:53", "query=me.example.net")
        self.address(CAMERA6, "dns", f"server=[{GOOGLE6}]:53", "query=me.example.net", "family=6")
        self.address(WAN1, "dns", f"server={CLOUDFLARE}:53", "query=whoami.cloudflare", "rrtype=CH TXT")

    def test_a_cut_answer_is_asked_for_by_tcp_on_the_same_uplink(self):
        self.net.home2.nft("add rule inet filter forward tcp dport 53 tcp flags syn counter name requests")
        rows = (f"server={GOOGLE}:53", "query=big.example.net", "rrtype=TXT")
        self.address(WAN2, "dns", *rows, "uplink=eth1", "local=192.168.2.10")
        text = run(*self.net.home2.prefix, "nft", "list", "counter", "inet", "filter", "requests")
        self.assertIn("packets 1 ", text)
        self.net.home1.nft("add rule inet filter forward tcp dport 53 drop")
        self.failed("216.239.32.10.*is TCP port 53 let out|connecting to 216.239.32.10", "dns", *rows, "timeout=1500")

    def test_wrong_answers_are_refused(self):
        for name, rrtype, why in (("wrong.example.net", "TXT", "2a00:1450:1::99, which is not of the family"),
                                  ("page.wrong.example.net", "A", r"192.168.1.5 \(private\): .*intercepted"),
                                  ("x.text.wrong.example.net", "TXT", 'says "see https.*", which is no address'),
                                  ("two.wrong.example.net", "TXT", "more than one address"),
                                  ("none.wrong.example.net", "TXT", "NXDOMAIN: it does not know"),
                                  ("elsewhere.example.org", "A", "REFUSED: it does not know")):
            with self.subTest(name):
                self.failed(why, "dns", f"server={GOOGLE}:53", f"query={name}", f"rrtype={rrtype}")

    def test_a_resolver_in_the_way_is_recognised(self):
        self.net.home1.nft(f"add rule ip nat pre iifname lan meta l4proto {{ tcp, udp }} th dport 53 dnat to {RESOLVER}")
        self.failed("without authority: port 53 is intercepted", "dns", "service=google")
        self.failed("without authority: port 53 is intercepted", "dns", "service=akamai", f"server={AKAMAI}:53")
        self.failed("SERVFAIL|knows no address of ours|does not know", "dns", "service=opendns")
        self.failed("SERVFAIL|NOTIMP|REFUSED|does not know", "dns", "service=cloudflare")
        self.address(CAMERA6, "dns", "service=google", "family=6")  # the other family's path is free

    def test_a_portal_that_answers_everything_is_recognised(self):
        for portal, why in ((PORTAL, "intercepted"), (PUBLIC_PORTAL, "a name that cannot exist has an address")):
            self.net.reset()
            self.net.home1.nft(f"add rule ip nat pre iifname lan udp dport 53 dnat to {portal}")
            for service in ("google", "opendns"):
                with self.subTest(portal=portal, service=service):
                    self.failed(why, "dns", f"service={service}")
            self.failed("intercepted|does not know", "dns", "service=cloudflare")

    def test_a_router_that_lies_with_authority_is_recognised(self):
        self.net.home1.nft(f"add rule ip nat pre iifname lan udp dport 53 dnat to {LIAR}")
        self.failed("a name that cannot exist has an address", "dns", "service=opendns")
        self.failed("a name that cannot exist has an address", "dns", f"server={WHOAMI}:53", "query=whoami.example.com")
        self.failed("REFUSED", "dns", "service=google")
        self.address(WAN2, "dns", f"server={WHOAMI}:53", "query=whoami.example.com", "uplink=eth1")

    def test_knot_s_whoami_tells_the_address(self):
        for rrtype in ("", "A"):
            self.address(WAN1, "dns", f"server={WHOAMI}:53", "query=whoami.example.com", f"rrtype={rrtype}")

    def test_lost_datagrams_are_sent_again_to_the_other_server(self):
        self.net.home1.nft(f"add rule inet filter forward ip daddr {OPENDNS} counter name requests drop")
        self.failed("no answer from 208.67.22", "dns", "service=opendns", "timeout=3000")
        self.assertEqual(self.requests(), 2)  # of sends at 0, 500 and 1500 ms the first and the third
        self.net.reset()
        self.net.home1.nft("add rule inet filter forward udp dport 53 counter name requests numgen inc mod 3 < 2 drop")
        answer = self.address(WAN1, "dns", f"server={GOOGLE}:53", "query=me.example.net")
        self.assertGreaterEqual(answer.elapsed_ms, 1500)

    def test_a_third_of_the_packets_lost_loses_no_question(self):
        self.net.home1.nft("add rule inet filter forward ip protocol udp numgen inc mod 3 < 1 drop")
        answers = self.net.ask_often(8, "dns", f"server={GOOGLE}:53", "query=me.example.net", "timeout=10000")
        self.assertEqual([answer.ip for answer in answers], [WAN1] * 8, answers)

    def test_no_question_is_like_another(self):
        """What an attacker off the path would have to guess differs from question to question."""
        seen = []
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind((STUN1, 5353))
        server.settimeout(procs.DEADLINE)

        def listen():
            for _ in range(12):
                message, asker = server.recvfrom(1500)
                seen.append((message[:2], asker[1], message[12:]))

        thread = threading.Thread(target=listen)
        thread.start()
        answers = self.net.ask_often(6, "dns", "service=google", f"server={STUN1}:5353", "timeout=800")
        thread.join()
        self.assertEqual({answer.status for answer in answers}, {"failed"})
        for part in range(3):
            self.assertGreater(len({question[part] for question in seen}), 8, seen)
        self.assertEqual(len({question[2].lower() for question in seen}), 1)

    def test_a_service_whose_server_has_a_name_is_found_by_it(self):
        """As no other service is: the system's resolver says where it is, here by a hosts file of the question's own."""
        hosts = self.net.work.write("hosts", f"{AKAMAI} ns1-1.akamaitech.net\n")
        prefix = (*self.net.camera.prefix, "unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /etc/hosts; exec "$@"', hosts)
        answer = Probe("dns", "service=akamai", prefix=prefix)
        self.assertEqual((answer.status, answer.ip), ("address", WAN1), answer)
        self.assertIn(f"ns1-1.akamaitech.net says {WAN1}", answer.detail)
        answer = Probe("dns", "service=akamai", "uplink=eth1", "local=192.168.2.10", prefix=prefix)
        self.assertEqual((answer.status, answer.ip), ("address", WAN2), answer)

    def test_a_service_does_not_tell_every_family(self):
        with self.assertRaisesRegex(AssertionError, "not supported"):
            self.net.ask("dns", "service=akamai", "family=6")


if __name__ == "__main__":
    if not enter_namespace():
        print("network namespaces, veth or nftables are not available: skipped")
        sys.exit(77)
    NET = Internet()
    try:
        unittest.main(exit=False).result.wasSuccessful() or sys.exit(1)
    finally:
        NET.close()
