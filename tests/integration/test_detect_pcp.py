# SPDX-License-Identifier: Apache-2.0
"""The source `pcp` against the real miniupnpd, in network namespaces of this test's own.

    stranger ──┐
               ├── lan (bridge) router wan ── nobody     miniupnpd runs in `router`
    device ────┘
           └────── lan        other  wan               the device's second uplink, whose router has the same addresses
"""
import contextlib
import ctypes
import pathlib
import re
import socket
import struct
import subprocess
import sys
import time
import unittest

from muster_testlib import build_dir, procs
from muster_testlib.netns import Namespaces, possible

ROUTER, DEVICE, STRANGER, DEVICE_2 = "192.168.1.1", "192.168.1.2", "192.168.1.3", "192.168.1.4"
ROUTER6, DEVICE6, PREFIX6 = "fe80::1", "2a0e:c0de:1::2", "2a0e:c0de:1::"
WAN, WAN2, LIE = "84.10.3.7", "84.10.4.8", "93.184.216.34"
ASK = f"ask 4 eth0 {DEVICE} {ROUTER}"

_CONFIG = """ext_ifname=wan
listening_ip=lan
http_port=0
enable_upnp=no
enable_natpmp=yes
secure_mode=yes
lease_file={folder}/leases
uuid=00000000-0000-4000-8000-000000000001
{more}allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
_NFT = """flush ruleset
table inet filter {
  chain forward { type filter hook forward priority 10; jump miniupnpd; }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting { type nat hook postrouting priority 110; jump postrouting_miniupnpd; }
  chain postrouting_miniupnpd { }
}
table ip port_control {
  chain input { type filter hook input priority -10; }
}
"""


class Probe:
    """source_probe in the device's namespace: asks and keeps the lines that it prints."""

    def __init__(self, case, *arguments):
        self.log = case.work / f"probe-{case.id().rsplit('.', 1)[-1]}"
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(
                [*case.spaces.prefix("device"), build_dir() / "tests" / "integration" / "source_probe", "pcp", *arguments],
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, preexec_fn=procs.die_with_parent)
        case.addCleanup(self.close)
        self.wait("ready")

    def lines(self, pattern):
        return re.findall(f"^{pattern}$", self.log.read_text(), re.MULTILINE)

    def wait(self, pattern, count=1):
        def seen():
            if len(self.lines(pattern)) >= count:
                return self.lines(pattern)[-1]
            if self.popen.poll() is not None:
                raise AssertionError(f"the probe ended before {pattern!r}:\n{self.log.read_text()}")
            return None
        return procs.wait_until(seen, f"{pattern!r} {count} times in:\n{self.log.read_text()}")

    def send(self, line):
        self.popen.stdin.write(f"{line}\n".encode())
        self.popen.stdin.flush()

    def ask(self, line=ASK, timeout_ms=10000):
        count = len(self.lines("answer .*"))
        self.send(f"{line} {timeout_ms}")
        return self.wait("answer .*", count + 1)

    def close(self):
        if self.popen.poll() is None:
            self.popen.stdin.close()
            self.popen.wait(procs.DEADLINE)
        text = self.log.read_text()
        if self.popen.returncode != 0 or "Sanitizer" in text or "runtime error" in text:
            raise AssertionError(f"the probe ended with {self.popen.returncode}:\n{text}")


def announcement(epoch):
    return b"\x02\x80\0\0" + struct.pack("!II", 0, epoch) + bytes(12)


class PcpTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.spaces = Namespaces("muster-pcp")
        cls.addClassCleanup(cls.work.close)
        cls.addClassCleanup(cls.spaces.close)
        for name in ("router", "device", "stranger", "other"):
            cls.spaces.add(name)
        cls.spaces.sysctl("router", ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        cls.spaces.ip("router", f"""link add lan type bridge
link add wan type veth peer name far
link add to-device type veth peer name eth0 netns {cls.spaces.full("device")}
link add to-stranger type veth peer name eth0 netns {cls.spaces.full("stranger")}
link set to-device master lan up
link set to-stranger master lan up
link set lan up
link set wan up
link set far up
address add {ROUTER}/24 dev lan
address add {ROUTER6}/64 dev lan nodad
address add {PREFIX6}1/64 dev lan nodad
address add {WAN}/24 dev wan""")
        for name, address, address6 in (("device", DEVICE, DEVICE6), ("stranger", STRANGER, f"{PREFIX6}3")):
            cls.spaces.ip(name, f"""address add {address}/24 dev eth0
address add {address6}/64 dev eth0 nodad
link set eth0 up
route add default via {ROUTER}""")
        cls.spaces.ip("other", f"""link add lan type veth peer name eth1 netns {cls.spaces.full("device")}
link add wan type veth peer name far
link set lan up
link set wan up
link set far up
address add {ROUTER}/24 dev lan
address add {WAN2}/24 dev wan""")
        cls.spaces.ip("device", f"""address add {DEVICE_2}/24 dev eth1
link set eth1 up
route add default via {ROUTER} dev eth1 metric 200""")
        cls.spaces.nft("other", _NFT)

    def setUp(self):
        self.server = None
        self.spaces.nft("router", _NFT)
        self.number(WAN)

    def number(self, address):
        """The WAN's address. The kernel takes a second one before the first goes: the link never stands without."""
        self.spaces.ip("router", f"address flush dev wan\naddress add {address}/24 dev wan")

    def daemon(self, space, more=""):
        folder = self.work.folder(f"{self.id().rsplit('.', 1)[-1]}-{space}")
        config = folder / "miniupnpd.conf"
        config.write_text(_CONFIG.format(folder=folder, more=more))
        server = procs.Process([procs.unconfined("miniupnpd", self.work.path), "-d", "-f", config, "-P", folder / "pid"],
                               folder / "log", prefix=self.spaces.prefix(space)).start()
        self.addCleanup(server.stop)
        server.wait_log("Listening for NAT-PMP/PCP")
        return server

    def start(self, more=""):
        self.server = self.daemon("router", more)

    def filter(self, rule):
        """A rule on what reaches the router's port."""
        self.spaces.nft("router", f"add rule ip port_control input udp dport 5351 {rule}\n")

    def mappings(self):
        return self.spaces.execute("router", "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd").count("dnat")

    def requests(self, protocol):
        """How many the router has had of it."""
        return self.server.log_text().count(f"{protocol} request received")

    @contextlib.contextmanager
    def inside(self, space):
        """Sockets that are made in here belong to the namespace, also afterwards."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", "rb") as own, open(f"/run/netns/{self.spaces.full(space)}", "rb") as other:
            self.assertEqual(libc.setns(other.fileno(), 0), 0)
            try:
                yield
            finally:
                self.assertEqual(libc.setns(own.fileno(), 0), 0)

    def index(self, space, link):
        with self.inside(space):
            return socket.if_nametoindex(link)

    def udp(self, space, address, options=(), family=socket.AF_INET):
        with self.inside(space):
            udp = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(udp.close)
        for option in options:
            udp.setsockopt(*option)
        udp.bind(address)
        udp.settimeout(procs.DEADLINE)
        return udp

    def heard_all(self, probe):
        """Nothing waits any more in the socket for announcements."""
        def drained():
            rows = pathlib.Path(f"/proc/{probe.popen.pid}/net/udp").read_text().splitlines()[1:]
            queues = [row.split()[4] for row in rows if row.split()[1].endswith(":14E6")]
            self.assertTrue(queues)
            return all(queue.endswith(":00000000") for queue in queues)
        procs.wait_until(drained, "all announcements are read")

    def test_the_address_by_pcp_and_no_mapping_stays(self):
        self.start()
        probe = Probe(self)
        self.assertEqual(probe.ask(), f"answer 4 address {WAN} port_control,: {ROUTER} by PCP")
        self.server.wait_log("mapping removed")
        self.assertEqual(self.mappings(), 0)
        self.assertEqual(self.requests("NAT-PMP"), 0)

    def test_each_uplink_has_its_own_router(self):
        self.start()
        other = self.daemon("other")
        probe = Probe(self)
        second = f"ask 4 eth1 {DEVICE_2} {ROUTER}"
        for line, address in ((ASK, WAN), (second, WAN2), (ASK, WAN), (second, WAN2)):
            self.assertEqual(probe.ask(line), f"answer 4 address {address} port_control,: {ROUTER} by PCP")
        other.wait_log("mapping removed")
        other.signal(10)
        probe.wait("announced")

    def test_a_private_wan(self):
        self.start()
        self.number("100.64.7.7")
        probe = Probe(self)
        self.assertEqual(probe.ask(), f"answer 4 address 100.64.7.7 port_control,: {ROUTER} by PCP")
        self.server.stop()
        self.start()  # it looks at its WAN at the start, and then opens no ports
        self.assertEqual(probe.ask(), f"answer 4 failed - no_outside,: {ROUTER}: NAT-PMP network failure: the router has no outer address "
                         "yet, or a private one; look at its WAN")

    def test_a_restart_is_announced_and_in_the_next_answer(self):
        self.start("system_uptime=yes\n")
        probe = Probe(self)
        self.assertRegex(probe.ask(), f"{WAN} port_control,: ")
        self.assertRegex(probe.ask(), f"{WAN} port_control,: ")
        self.server.stop()
        self.start()  # counts from now on
        probe.wait("announced")
        self.assertEqual(probe.ask(), f"answer 4 address {WAN} port_control,restarted,: {ROUTER} by PCP; it restarted")
        self.assertEqual(probe.ask(), f"answer 4 address {WAN} port_control,: {ROUTER} by PCP")

    def test_another_outer_address_is_announced(self):
        self.start()
        probe = Probe(self)
        self.assertRegex(probe.ask(), WAN)
        self.number(WAN2)
        began = time.monotonic()
        self.server.signal(10)  # SIGUSR1: what a router's scripts send when their DHCP client has another address
        probe.wait("announced")
        print(f"announced after {1000 * (time.monotonic() - began):.0f} ms", file=sys.stderr)
        self.assertRegex(probe.ask(), f"address {WAN2} ")

    def test_natpmp_where_the_version_is_refused(self):
        self.start()
        self.filter("@th,64,8 0x02 @th,64,8 set 0x03")  # the router is asked in a version that it does not know
        self.assertEqual(Probe(self).ask(), f"answer 4 address {WAN} port_control,: {ROUTER} by NAT-PMP")
        self.assertEqual((self.requests("PCP"), self.requests("NAT-PMP")), (1, 1))

    def test_natpmp_where_pcp_is_not_answered(self):
        self.start()
        self.filter("@th,64,8 0x02 counter drop")
        probe = Probe(self)
        # PCP gets half of it, less than the pause before its first repeat; NAT-PMP the rest.
        self.assertEqual(probe.ask(timeout_ms=5000), f"answer 4 address {WAN} port_control,: {ROUTER} by NAT-PMP")
        table = ("nft", "list", "table", "ip", "port_control")
        before = self.spaces.execute("router", *table)
        self.assertRegex(before, "packets [12] ")  # the request and the deletion that follows
        self.assertEqual(probe.ask(), f"answer 4 address {WAN} port_control,: {ROUTER} by NAT-PMP")  # remembered
        self.assertEqual(self.spaces.execute("router", *table), before)

    def test_a_router_that_opens_no_ports_still_tells_the_address(self):
        self.start()
        # Its client address is another than the sender's, as behind one more NAT. (A configured denial will not do:
        # miniupnpd 2.3.1 then tries one port after the other and never answers.)
        self.filter("@th,64,8 0x02 @th,248,8 set 0x63")
        self.assertEqual(Probe(self).ask(), f"answer 4 address {WAN} -: {ROUTER} by NAT-PMP; PCP ADDRESS_MISMATCH: "
                         "another NAT stands between this device and the router")

    def test_a_router_without_an_outer_address(self):
        self.start()
        self.spaces.ip("router", "address flush dev wan")
        self.assertRegex(Probe(self).ask(), rf"answer 4 failed - no_outside,: {ROUTER}: .* look at its WAN$")

    def test_a_lost_request_is_repeated(self):
        self.start()
        self.filter("quota until 100 bytes drop")  # the first
        began = time.monotonic()
        self.assertRegex(Probe(self).ask(timeout_ms=20000), f"address {WAN} port_control,: {ROUTER} by PCP")
        self.assertGreater(time.monotonic() - began, 2.7)  # RFC 6887 8.1.1

    def test_routers_without_port_control(self):
        probe = Probe(self)
        self.assertEqual(probe.ask(), f"answer 4 failed - -: {ROUTER}: port closed; switch PCP, NAT-PMP or UPnP on in the router")
        self.filter("drop")
        self.assertEqual(probe.ask(timeout_ms=300), f"answer 4 failed - -: {ROUTER}: no answer in 300 ms; it has no PCP or "
                         "NAT-PMP, or it is switched off there")

    def test_nobody_to_ask(self):
        self.start()
        probe = Probe(self)
        self.assertRegex(probe.ask(f"ask 4 eth0 {DEVICE} -"), "failed - -: no default gateway with an address")
        self.assertRegex(probe.ask(f"ask 4 eth9 {DEVICE} {ROUTER}"), f"failed - -: {ROUTER}: not found")
        self.assertRegex(probe.ask(f"ask 4 eth0 192.168.1.99 {ROUTER}"), f"failed - -: {ROUTER}: ")
        self.assertEqual(self.requests("PCP"), 0)

    def test_the_server_of_the_config(self):
        self.start()
        probe = Probe(self, f"{ROUTER}:5351")
        self.assertRegex(probe.ask(f"ask 4 eth0 {DEVICE} -"), f"address {WAN} port_control,: {ROUTER} by PCP")
        probe.send(f"ask 6 eth0 {DEVICE6} {ROUTER6} 10000")
        probe.wait("refused UNSUPPORTED")

    def test_one_question_at_a_time_and_path(self):
        self.start()
        probe = Probe(self)
        probe.send(f"{ASK} 9000\n{ASK} 9000\nask 6 eth0 {DEVICE6} {ROUTER6} 9000")
        probe.wait("answer .*", 2)
        self.assertEqual(probe.lines("refused .*"), ["refused AGAIN"])

    def test_ip6_tells_that_the_router_opens_ports(self):
        self.start("ipv6_disable=no\n")
        probe = Probe(self)
        self.assertEqual(probe.ask(f"ask 6 eth0 {DEVICE6} {ROUTER6}"), f"answer 6 address {DEVICE6} port_control,: {ROUTER6} by PCP")
        index = self.index("router", "lan")
        router = self.udp("router", (ROUTER6, 0, 0, index), [(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)], socket.AF_INET6)
        router.sendto(announcement(0), ("ff02::1", 5350))
        probe.wait("announced")

    def test_forged_answers_are_not_believed(self):
        router = self.udp("router", (ROUTER, 5351))
        stranger = self.udp("stranger", (STRANGER, 5351))
        probe = Probe(self)
        probe.send(f"{ASK} 4000")
        request, device = router.recvfrom(2048)
        self.assertEqual((device[0], len(request)), (DEVICE, 60))
        head = b"\x02\x81\0\0" + struct.pack("!II", 120, 77) + bytes(12)
        told = b"\x11\0\0\0" + request[40:42] + b"\xc0\x01" + bytes(10) + b"\xff\xff" + socket.inet_aton(LIE)
        right = head + request[24:36] + told
        stranger.sendto(right, device)
        stranger.sendto(b"\0\x80\0\0\0\0\0\x4d" + socket.inet_aton(LIE), device)
        router.sendto(b"\0\x80\0\0\0\0\0\x4d" + socket.inet_aton(LIE), device)  # was not asked in NAT-PMP
        router.sendto(head + bytes(12) + told, device)
        for cut in range(0, len(right), 7):
            router.sendto(right[:cut], device)
        self.assertRegex(probe.wait("answer .*"), f"failed - -: {ROUTER}: no answer in 4000 ms")
        # the same bytes from the right one, with the right nonce, are an answer: it is these checks that refused
        router.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                router.recv(2048)
        router.settimeout(procs.DEADLINE)
        count = len(probe.lines("answer .*"))
        probe.send(f"{ASK} 4000")
        request, device = router.recvfrom(2048)
        router.sendto(head + request[24:40] + request[40:42] + told[6:], device)
        self.assertRegex(probe.wait("answer .*", count + 1), f"address {LIE} port_control,: {ROUTER} by PCP")

    def test_announcements_of_others_and_floods(self):
        self.start()
        began = time.monotonic()
        probe = Probe(self)
        options = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
        neighbour = self.udp("device", ("0.0.0.0", 5350), options)  # another program of the device listens too
        self.assertRegex(probe.ask(), WAN)
        stranger = self.udp("stranger", (STRANGER, 5351))
        for epoch in range(200):
            stranger.sendto(announcement(epoch * 37), ("224.0.0.1", 5350))
        self.assertEqual(neighbour.recv(2048), announcement(0))
        neighbour.close()
        self.heard_all(probe)
        # What is told is told within 100 ms: this question, which nobody answers, takes longer.
        self.assertRegex(probe.ask(f"ask 4 eth0 {DEVICE} 192.168.1.66", 300), "no answer in 300 ms")
        self.assertEqual(probe.lines("announced"), [])
        router = self.udp("router", (ROUTER, 0))
        for round_ in range(20):  # as long as a few of the pauses between two that are told
            for epoch in range(50):
                router.sendto(announcement(1000000 + round_ * 12345 + epoch * 100), ("224.0.0.1", 5350))
            time.sleep(0.15)
        self.heard_all(probe)
        probe.wait("announced", 4)
        told = len(probe.lines("announced"))
        self.assertLessEqual(told, 4 + (time.monotonic() - began) // 10)
        self.assertRegex(probe.ask(), f"address {WAN} port_control,: {ROUTER} by PCP$")  # and did not restart
        probe.wait("announced", told + 1)  # the last word of the flood, when there is a place again

    def test_a_port_that_another_program_keeps(self):
        self.start()
        self.udp("device", ("0.0.0.0", 5350))
        self.assertRegex(Probe(self).ask(), f"{WAN} port_control,: {ROUTER} by PCP; announcements: another program has taken port 5350")


if __name__ == "__main__":
    if not possible():
        print("skipped: no network namespaces here", file=sys.stderr)
        sys.exit(77)
    unittest.main()
