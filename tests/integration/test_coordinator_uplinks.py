#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What devices say of their paths, and gateways with many hosts, between a real broker and a real authoritative server."""
import ipaddress
import json
import subprocess
import time
import unittest

from muster_testlib import build_dir, procs, source_dir
from muster_testlib.dns import Knot, axfr, kdig, wait_answer
from muster_testlib.procs import Workspace
from muster_testlib.stack import Stack
from muster_testlib.unixhttp import UnixConnection

GROUPS = """\
  - name: cameras
    names: [{name: "{id}.example.net"}]
    damping: false
  - name: routers
    uplinks: all
    names: [{name: "{id}.example.net"}]
    damping: false
  - name: gateways
    gateway: true
    damping: false
    names:
      - {name: "{id}.example.net"}
      - {name: "{host}.{id}.example.net", hosts: true}
"""
HOSTS = 200
FORWARDED = 3  # hosts with a port of the gateway
REGISTRY = """\
devices:
  - {match: "cam-*", group: cameras}
  - {match: "rt-*", group: routers}
""" + "".join(f"  - id: {gateway}\n    group: gateways\n    hosts:\n" + "".join(
    f'      - {{name: h{number}, suffix: "::{number:x}", ip4: {"true" if number <= FORWARDED else "false"}}}\n'
    for number in range(1, HOSTS + 1)) for gateway in ("gw-1", "gw-2"))
HOME, PUBLIC, OTHER = "192.168.1.5", "93.184.216.34", "93.184.216.35"
V6 = "2a00:1450:4001:81b::200e"


class Uplinks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.stack = Stack(cls.work, groups=GROUPS, registry=REGISTRY).start()
        cls.addClassCleanup(cls.stack.__exit__)

    def device(self, name):
        device = self.stack.device(name).connect()
        self.addCleanup(device.close)
        return device

    def ask(self, path):
        connection = UnixConnection(self.stack.folder / "control.sock")
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def zone(self):
        return self.ask("/v1/zones")["zones"][0]

    def test_no_a_where_nobody_can_come_in(self):
        camera = self.device("cam-1")
        uplink = {"name": "eth0", "up": True, "metric": 100, "ip4": HOME}
        camera.report(ip4=PUBLIC, ip6=V6, uplinks=[{**uplink, "ip4": PUBLIC, "nat": "public"}])
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [PUBLIC])
        self.assertIsNone(camera.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"])).get("error"))
        camera.report(ip4=HOME, ip6=V6, uplinks=[{**uplink, "nat": "cgnat"}])
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [])
        self.assertEqual(camera.wait_ack()["error"], "no-inbound-path")
        self.assertEqual(kdig(self.stack.dns, "cam-1.example.net", "AAAA"), [V6])
        shown = self.ask("/v1/devices/cam-1")
        self.assertEqual((shown["problem"], shown["nat"], shown["inbound"]), ("no-inbound-path", "cgnat", "none"))
        self.assertIn("no-inbound-path", {device["problem"] for device in self.ask("/v1/devices?problem=no-inbound-path")["devices"]})
        told = subprocess.run([build_dir() / "cli" / "muster", "device", "show", "cam-1", "--socket", self.stack.folder / "control.sock"],
                              capture_output=True, text=True, timeout=procs.DEADLINE, check=True)
        self.assertRegex(told.stdout, r"NAT +cgnat, no inbound path")
        camera.report(ip4=PUBLIC, ip6=V6, uplinks=[{**uplink, "nat": "nat", "seen4": PUBLIC}])
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [PUBLIC])
        self.assertEqual(self.ask("/v1/devices/cam-1")["inbound"], "unproven")

    def test_all_uplinks_stand_in_one_set(self):
        router = self.device("rt-1")
        dsl = {"name": "dsl", "up": True, "metric": 100, "ip4": PUBLIC, "nat": "public"}
        lte = {"name": "lte", "up": True, "metric": 200, "ip4": "10.1.2.3", "seen4": OTHER, "nat": "nat"}
        router.report(ip4=PUBLIC, uplinks=[dsl, lte])
        wait_answer(self.stack.dns, "rt-1.example.net", "A", [PUBLIC, OTHER])
        router.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        before = self.zone()
        router.report(ip4=OTHER, uplinks=[{**dsl, "up": False}, lte])
        wait_answer(self.stack.dns, "rt-1.example.net", "A", [OTHER])
        router.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        after = self.zone()
        self.assertEqual((after["messages"] - before["messages"], after["changes"] - before["changes"]), (1, 1))
        self.stack.coordinator.kill()
        self.stack.start_coordinator()
        router.report(ip4=PUBLIC, uplinks=[dsl, lte])
        wait_answer(self.stack.dns, "rt-1.example.net", "A", [PUBLIC, OTHER])

    def hosts_served(self, gateway, *prefixes):
        """Of all hosts, whose AAAA are those that Python makes of the prefixes."""
        bases = [ipaddress.IPv6Network(prefix).network_address for prefix in prefixes]
        listed = axfr(self.stack.dns)
        return [number for number in range(1, HOSTS + 1)
                if listed.get((f"h{number}.{gateway}.example.net", "AAAA")) == sorted(str(base + number) for base in bases)]

    def test_one_report_renumbers_all_hosts_in_one_message(self):
        gateway = self.device("gw-1")
        gateway.report(ip4=PUBLIC, ip6=V6, prefix6="2a00:1450:4001:900::/64")
        procs.wait_until(lambda: len(self.hosts_served("gw-1", "2a00:1450:4001:900::/64")) == HOSTS, "the hosts' first addresses")
        procs.wait_until(lambda: self.ask("/v1/devices/gw-1")["records_open"] == 0, "all records at rest")
        for number in (1, FORWARDED):
            self.assertEqual(kdig(self.stack.dns, f"h{number}.gw-1.example.net"), [PUBLIC])
        self.assertEqual(kdig(self.stack.dns, f"h{FORWARDED + 1}.gw-1.example.net"), [])
        before = self.zone()
        gateway.report(ip4=PUBLIC, ip6=V6, prefix6="2a00:1450:4001:a00::/64")
        procs.wait_until(lambda: len(self.hosts_served("gw-1", "2a00:1450:4001:a00::/64")) == HOSTS, "the hosts' new addresses")
        procs.wait_until(lambda: self.ask("/v1/devices/gw-1")["records_open"] == 0, "all records at rest")
        after = self.zone()
        self.assertEqual(after["changes"] - before["changes"], HOSTS)
        self.assertEqual(after["messages"] - before["messages"], 1)
        # the gateway's own IPv4 address changes: its A and those of the hosts behind a port of it, nothing else
        gateway.report(ip4=OTHER, ip6=V6, prefix6="2a00:1450:4001:a00::/64")
        for name in ["gw-1"] + [f"h{number}.gw-1" for number in range(1, FORWARDED + 1)]:
            wait_answer(self.stack.dns, f"{name}.example.net", "A", [OTHER])
        procs.wait_until(lambda: self.ask("/v1/devices/gw-1")["records_open"] == 0, "all records at rest")
        self.assertEqual(self.zone()["changes"] - after["changes"], FORWARDED + 1)

    def test_old_addresses_stay_as_long_as_they_are_preferred(self):
        old, new = "2a00:1450:4001:b00::/64", "2a00:1450:4001:c00::/64"
        gateway = self.device("gw-2")
        gateway.report(ip4=PUBLIC, ip6=V6, prefix6=old)
        procs.wait_until(lambda: len(self.hosts_served("gw-2", old)) == HOSTS, "the hosts' first addresses")
        procs.wait_until(lambda: self.ask("/v1/devices/gw-2")["records_open"] == 0, "all records at rest")
        before = self.zone()
        told = {"ip4": PUBLIC, "ip6": V6, "prefix6": new, "prefix6_preferred": 1800, "prefix6_valid": 7200}
        gateway.report(**told, prefix6_also=[{"prefix": old, "preferred": 600, "valid": 3600}])
        procs.wait_until(lambda: len(self.hosts_served("gw-2", old, new)) == HOSTS, "addresses of both prefixes")
        procs.wait_until(lambda: self.ask("/v1/devices/gw-2")["records_open"] == 0, "all records at rest")
        after = self.zone()
        self.assertEqual((after["messages"] - before["messages"], after["changes"] - before["changes"]), (1, HOSTS))
        gateway.report(**told)
        procs.wait_until(lambda: len(self.hosts_served("gw-2", new)) == HOSTS, "addresses of the new prefix")
        procs.wait_until(lambda: self.ask("/v1/devices/gw-2")["records_open"] == 0, "all records at rest")
        last = self.zone()
        self.assertEqual((last["messages"] - after["messages"], last["changes"] - after["changes"]), (1, HOSTS))
        # a device that falls silent, and a coordinator that has to remember
        began = time.monotonic()
        gateway.report(**told, prefix6_also=[{"prefix": old, "preferred": 15}])
        procs.wait_until(lambda: len(self.hosts_served("gw-2", old, new)) == HOSTS, "addresses of both prefixes")
        gateway.wait_ack()
        self.stack.coordinator.kill()
        self.stack.start_coordinator()
        shown = self.ask("/v1/devices/gw-2")
        self.assertEqual((shown["prefix6"], [also["prefix"] for also in shown["prefix6_also"]]), (new, [old]))
        told = subprocess.run([build_dir() / "cli" / "muster", "device", "show", "gw-2", "--socket", self.stack.folder / "control.sock"],
                              capture_output=True, text=True, timeout=procs.DEADLINE, check=True)
        self.assertRegex(told.stdout, rf"prefix +{new}(?s:.)*also +{old} until {shown['prefix6_also'][0]['until']}")
        procs.wait_until(lambda: len(self.hosts_served("gw-2", new)) == HOSTS, "the end of the old prefix")
        self.assertGreaterEqual(time.monotonic() - began, 15)
        self.assertEqual(self.ask("/v1/devices/gw-2")["prefix6_also"], [])


class Documented(unittest.TestCase):
    def test_the_gateway_of_the_operations_page(self):
        page = (source_dir() / "docs" / "operations.md").read_text()
        section = page[page.index("\n## Hosts behind a gateway\n"):].split("\n## ")[1]
        groups, registry, _ = (block.split("\n```")[0] for block in section.split("```yaml\n")[1:])
        work = Workspace()
        self.addCleanup(work.close)
        stack = Stack(work, server=lambda work, **more: Knot(work, zones="cams.example.net", **more),
                      groups=groups.removeprefix("groups:\n"), registry=registry + "\n").start()
        self.addCleanup(stack.__exit__)
        gateway = stack.device("gw-berlin").connect()
        self.addCleanup(gateway.close)
        gateway.report(ip4=PUBLIC, ip6=V6, prefix6="2a00:1450:4001:900::/56")
        base = "2a00:1450:4001"
        for name, rtype, address in (("", "A", PUBLIC), ("", "AAAA", V6), ("nvr.", "AAAA", f"{base}:900::10"),
                                     ("door.", "AAAA", f"{base}:900:3656:78ff:fe9a:bcde"),
                                     ("yard.", "AAAA", f"{base}:902:3656:78ff:fe9a:bcdf"),
                                     ("cam-7.", "AAAA", f"{base}:900::17"), ("cam-7.", "A", PUBLIC)):
            wait_answer(stack.dns, f"{name}gw-berlin.cams.example.net", rtype, [address])
        self.assertEqual(kdig(stack.dns, "nvr.gw-berlin.cams.example.net"), [])


if __name__ == "__main__":
    unittest.main()
