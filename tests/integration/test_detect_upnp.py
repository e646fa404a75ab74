# SPDX-License-Identifier: Apache-2.0
"""The source `upnp` of the agent and its program muster-igd against miniupnpd in network namespaces."""
import subprocess
import sys
import unittest

from muster_testlib import build_dir, holder, procs
from muster_testlib.probe import Probe

IGD = build_dir() / "agent" / "muster-igd"
WAN, PRIVATE_WAN, ROGUE = "198.41.7.7", "10.20.30.40", "198.41.9.9"
_TABLE = """table inet filter {
  chain forward { type filter hook forward priority 10; jump miniupnpd; }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting { type nat hook postrouting priority 110; jump postrouting_miniupnpd; }
  chain postrouting_miniupnpd { }
}
"""
_CONFIG = """ext_ifname=wan
listening_ip={lan}
http_port=0
enable_natpmp=no
enable_upnp=yes
secure_mode=yes
lease_file={folder}/leases
uuid=00000000-0000-4000-8000-00000000000{number}
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class Upnp(unittest.TestCase):
    """device 192.168.1.2 and another host 192.168.1.66 on the bridge of a router 192.168.1.1 with a WAN of its own."""

    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        if not holder.possible(self.work):
            self.skipTest("no network namespaces here")
        self.device, self.router, self.other = (self.net(name) for name in ("device", "router", "other"))
        self.router.run("ip", "link", "add", "lan", "type", "bridge")
        self.router.run("ip", "link", "set", "lan", "up")
        self.router.address("lan", "192.168.1.1/24")
        for net, port, address in ((self.device, "port0", "192.168.1.2/24"), (self.other, "port1", "192.168.1.66/24")):
            net.link("eth0", self.router, port)
            net.address("eth0", address)
            net.run("ip", "route", "add", "default", "via", "192.168.1.1")
            self.router.run("ip", "link", "set", port, "master", "lan")

    def net(self, name):
        net = holder.Net(self.work / f"{name}.ns")
        self.addCleanup(net.close)
        return net

    def miniupnpd(self, net, lan, wan, number):
        """A router's daemon; `lan` is the device it listens on."""
        folder = self.work.folder(f"igd{number}")
        net.run("ip", "link", "add", "wan", "type", "veth", "peer", "name", "isp")
        for end in ("isp", "wan"):
            net.run("ip", "link", "set", end, "up")
        net.address("wan", f"{wan}/24")
        net.run("nft", "-f", "-", text=_TABLE)
        config = self.work.write(f"igd{number}/conf", _CONFIG.format(lan=lan, folder=folder, number=number))
        server = procs.Process(["miniupnpd", "-d", "-f", config, "-P", folder / "pid"], folder / "log", prefix=net.prefix).start()
        self.addCleanup(server.stop)
        server.wait_log("HTTP listening on port")
        return server

    def ask(self, *arguments):
        return Probe("upnp", "uplink=eth0", "timeout=9000", *arguments, prefix=self.device.prefix)

    def assert_address(self, answer, expected):
        self.assertEqual((answer.status, answer.ip, answer.port_control), ("address", expected, True), answer.detail)
        self.assertEqual(answer.detail, "the router, over UPnP")

    def test_the_router_tells_its_wan_address(self):
        self.miniupnpd(self.router, "lan", WAN, 1)
        self.assert_address(self.ask("gateway=192.168.1.1"), WAN)
        self.router.run("ip", "address", "flush", "dev", "wan")
        self.assert_none(self.ask("gateway=192.168.1.1"))
        self.router.address("wan", "198.41.8.8/24")
        self.assert_address(self.ask("gateway=192.168.1.1"), "198.41.8.8")

    def scripted(self, *mood, net=None, address="192.168.1.1"):
        """A router that says what miniupnpd never does."""
        server = procs.Process([sys.executable, "-B", "-m", "muster_testlib.igd", address, *mood], self.work / "igd.log",
                               prefix=(net or self.router).prefix).start()
        server.wait_log("^ready$")
        return server

    def assert_none(self, answer):
        """The router says that it has no outside: another NAT stands behind it, if it is the way out all the same."""
        self.assertEqual((answer.status, answer.ip, answer.no_outside), ("failed", "", True), answer.detail)
        self.assertRegex(answer.detail, "^upnp: .* no address on its far side, or a private one")

    def assert_fails(self, why, *mood):
        with self.scripted(*mood):
            answer = self.ask("gateway=192.168.1.1")
        self.assertEqual((answer.status, answer.ip, answer.port_control, answer.no_outside), ("failed", "", False, False),
                         answer.detail)
        self.assertRegex(answer.detail, why)

    def test_a_private_wan_is_told_as_it_is(self):
        """That is how a second NAT shows."""
        for wan in (PRIVATE_WAN, "100.64.1.2", "198.41.7.8"):
            with self.scripted("tell", wan):
                self.assert_address(self.ask("gateway=192.168.1.1"), wan)

    def test_nonsense_of_a_router_is_no_address(self):
        for value in ("198.41.0.4, 198.41.0.5", "010.1.2.3", "2a00::1", "x" * 2000):
            self.assert_fails("^upnp: ", "tell", value)
        self.assert_fails("^upnp: ", "page")
        self.assert_fails("points to another host", "elsewhere", "192.168.1.66")
        self.assert_fails("^(upnp: |.*killed)", "endless")

    def test_a_private_wan_that_a_router_hides(self):
        """As miniupnpd does."""
        self.miniupnpd(self.router, "lan", PRIVATE_WAN, 1)
        self.assert_none(self.ask("gateway=192.168.1.1"))

    def test_a_router_without_an_address(self):
        for value in ("", "0.0.0.0"):
            with self.scripted("tell", value):
                self.assert_none(self.ask("gateway=192.168.1.1"))

    def test_only_the_gateway_is_believed(self):
        self.miniupnpd(self.other, "eth0", ROGUE, 2)
        answer = self.ask("gateway=192.168.1.1")
        self.assertEqual((answer.status, answer.ip), ("failed", ""), answer.detail)
        self.assertIn("no answer from the router", answer.detail)
        self.miniupnpd(self.router, "lan", WAN, 1)
        self.assert_address(self.ask("gateway=192.168.1.1"), WAN)

    def test_without_a_gateway_nobody_is_believed(self):
        self.miniupnpd(self.other, "eth0", ROGUE, 2)
        with self.assertRaisesRegex(AssertionError, "cannot ask"):
            self.ask()

    def test_where_no_router_answers_it_is_said_in_time(self):
        answer = self.ask("gateway=192.168.1.1")
        self.assertEqual((answer.status, answer.ip), ("failed", ""))
        self.assertEqual(answer.detail, "upnp: no answer from the router: UPnP may be off there")

    def test_ipv6_is_not_asked(self):
        with self.assertRaisesRegex(AssertionError, "cannot ask"):
            self.ask("family=6")

    def test_wrong_calls(self):
        for arguments in (["--gateway", "router"], ["--timeout", "soon"], ["x"]):
            done = subprocess.run([str(IGD), *arguments], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (64, ""), arguments)


if __name__ == "__main__":
    unittest.main()
