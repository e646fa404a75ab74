# SPDX-License-Identifier: Apache-2.0
"""muster-agent against the real mosquitto, in network namespaces of this test's own; the test plays the coordinator.

The test program enters a fresh namespace (broker's side); each device lives in another one behind a veth pair.
"""
import ctypes
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

from muster_testlib import build_dir, procs
from muster_testlib.broker import Broker, topic
from muster_testlib.certs import Pki
from muster_testlib.mqttclient import Client

AGENT = build_dir() / "agent" / "muster-agent"
_CLONE_NEWNET = 0x40000000
_SERVER, _DEVICE = "10.77.0.1", "10.77.0.2"


def _run(*argv):
    subprocess.run([str(part) for part in argv], check=True, capture_output=True)


def enter_namespace():
    """A network namespace of this process's own. False where the kernel or the sandbox does not allow it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        return False
    try:
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        _run("ip", "link", "del", "probe0")
    except subprocess.CalledProcessError:
        return False
    return True


class Device:
    """A namespace with eth0, connected to the test's own by a veth pair, and one agent in it."""

    def __init__(self, case, device_id="cam-1", **settings):
        self.case, self.id = case, device_id
        self.identity = case.pki.device(device_id)
        self.holder = procs.Process(["unshare", "--net", "sleep", "infinity"], case.work / f"{device_id}.ns").start()
        own = os.readlink("/proc/self/ns/net")
        procs.wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, "the namespace is there")
        self.prefix = ("nsenter", "-t", str(self.holder.pid), "-n")
        _run("ip", "link", "add", "far0", "type", "veth", "peer", "name", "eth0", "netns", self.holder.pid)
        _run("ip", "address", "add", f"{_SERVER}/24", "dev", "far0")
        _run("ip", "link", "set", "far0", "up")
        self.ip("link", "set", "lo", "up")
        self.ip("address", "add", f"{_DEVICE}/24", "dev", "eth0")
        self.ip("link", "set", "eth0", "up")
        self.folder = case.work.folder(device_id)
        self.config_file = self.folder / "agent.yaml"
        self.socket = self.folder / "control.sock"
        self.configure(**settings)
        self.agent = procs.Process([AGENT, "-c", self.config_file], self.folder / "log", prefix=self.prefix)

    def ip(self, *arguments):
        _run(*self.prefix, "ip", *arguments)

    def configure(self, **settings):
        """Sections as keyword arguments over what every test needs."""
        config = {
            "device_id": self.id, "state_dir": str(self.folder / "state"), "control_socket": str(self.socket),
            "broker": {"endpoints": [f"{_SERVER}:{self.case.broker.port}"], "keepalive": "10s", "backoff_max": "1s"},
            "tls": {"ca_file": str(self.case.broker.ca_file), "cert_file": str(self.identity.cert),
                    "key_file": str(self.identity.key)},
            "addresses": {"hold": "1h"}, "report": {"window": "50ms"},
        }
        (self.folder / "state").mkdir(exist_ok=True)
        for key, value in settings.items():
            config[key] = {**config[key], **value} if isinstance(value, dict) and key in config else value
        self.config_file.write_text(json.dumps(config))  # JSON is YAML

    def start(self):
        self.agent.start()
        return self

    def command(self, *arguments):
        return subprocess.run([*self.prefix, str(AGENT), *map(str, arguments)], capture_output=True, text=True,
                              timeout=procs.DEADLINE, check=False)

    def status(self):
        done = self.command("status", "--json", "--socket", self.socket)
        self.case.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def wait_status(self, predicate, what):
        """The first status that fits; an agent that does not answer yet has none."""
        def fits():
            done = self.command("status", "--json", "--socket", self.socket)
            status = json.loads(done.stdout) if done.returncode == 0 else None
            return status if status is not None and predicate(status) else None
        return self.agent.wait_until(fits, what)

    def close(self):
        try:
            self.agent.stop()
        finally:
            subprocess.run(["ip", "link", "del", "far0"], capture_output=True, check=False)
            self.holder.kill()


class Case(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        self.pki = Pki(self.work / "pki")
        self.broker = Broker(self.work, self.pki, address="0.0.0.0")
        server = self.pki.server("device-side", ips=[_SERVER, "127.0.0.1"])
        config = self.broker.config_file.read_text()
        self.broker.config_file.write_text(config.replace(str(self.pki.servers.folder / "servers-broker-server."),
                                                          str(server.cert)[:-len("pem")]))
        self.broker.start()
        self.addCleanup(self.broker.stop)
        self.services = {}
        self.coordinator = self.connect()

    def connect(self, name="svc-coord-test"):
        """The test's own connection, as a coordinator has it; sees every state and gone from now on."""
        if name not in self.services:
            self.services[name] = self.pki.service(name)
        client = Client("127.0.0.1", self.broker.port, self.broker.ca_file, self.services[name])
        self.addCleanup(client.abort)
        client.subscribe("muster/v1/up/#")
        return client

    def device(self, *arguments, **settings):
        device = Device(self, *arguments, **settings)
        self.addCleanup(device.close)
        return device

    def wait_state(self, device, predicate=lambda state: True, client=None):
        """The first state of the device that fits."""
        def fits(message):
            return message.topic == topic("up", device.id, "state") and predicate(json.loads(message.payload))
        return json.loads((client or self.coordinator).wait_messages(1, fits)[0].payload)

    def states(self, device):
        self.coordinator.ping()
        return [json.loads(message.payload) for message in self.coordinator.messages
                if message.topic == topic("up", device.id, "state")]

    def gones(self, device):
        self.coordinator.ping()
        return [json.loads(message.payload) for message in self.coordinator.messages
                if message.topic == topic("up", device.id, "gone") and message.payload]

    def answer(self, device, state=None, **fields):
        body = {"v": 1, "term": "test:1", "names": [], **fields}
        if state is not None:
            body["ack"] = {"boot": state["boot"], "seq": state["seq"]}
        self.coordinator.publish(topic("dn", device.id, "dns"), json.dumps(body).encode(), qos=0, retain=True)

    def acknowledged(self, device):
        state = self.wait_state(device)
        self.answer(device, state)
        device.wait_status(lambda status: status["report"]["state"] == "acknowledged", "the ack arrived")
        return state


class Reports(Case):
    def test_follows_the_addresses_of_its_interfaces(self):
        device = self.device().start()
        birth = self.wait_state(device)
        self.assertEqual((birth["v"], birth["s"], birth["boot"], birth["seq"]), (1, "on", 1, 1))
        self.assertEqual((birth["why"], birth["src"], birth["ip4"]), ("birth", "interface", _DEVICE))
        self.assertEqual(birth["uplinks"][0]["name"], "eth0")
        device.ip("address", "add", "10.1.0.9/24", "dev", "eth0")  # the lower number wins on one link
        changed = self.wait_state(device, lambda state: state.get("ip4") == "10.1.0.9")
        self.assertEqual((changed["boot"], changed["seq"], changed["why"]), (1, 2, "change"))
        device.ip("address", "del", "10.1.0.9/24", "dev", "eth0")
        back = self.wait_state(device, lambda state: state["seq"] == 3)
        self.assertEqual(back["ip4"], _DEVICE)

    def test_a_connection_whose_own_address_went_away_is_made_anew_at_once(self):
        device = self.device(broker={"keepalive": "20m"}).start()
        birth = self.acknowledged(device)
        device.ip("address", "flush", "dev", "eth0", "scope", "global")
        device.ip("address", "add", "10.77.0.3/24", "dev", "eth0")
        anew = self.wait_state(device, lambda state: state["conn"] > birth["conn"])  # long before the keepalive
        self.assertEqual(anew["why"], "birth")
        moved = self.wait_state(device, lambda state: state.get("ip4") == "10.77.0.3")
        self.assertGreaterEqual(moved["conn"], anew["conn"])

    def test_a_quiet_connection_is_asked_about_less_often(self):
        device = self.device(broker={"keepalive": "20m", "probe": "1s", "probe_max": "2s"}).start()
        self.acknowledged(device)
        device.wait_status(lambda status: status["connection"]["probe_s"] == 2, "the period has doubled")
        device.ip("address", "add", "10.1.0.9/24", "dev", "eth0")
        device.wait_status(lambda status: status["connection"]["probe_s"] == 1, "an event has brought it back")
        device.wait_status(lambda status: status["connection"]["probe_s"] == 2, "the period has doubled again")

    def test_an_attempt_whose_own_address_went_away_is_given_up(self):
        device = self.device(broker={"connect_timeout": "5m"})  # longer than this test's deadline
        mac = (device.prefix + ("cat", "/sys/class/net/eth0/address"))
        own = subprocess.run(mac, check=True, capture_output=True, text=True).stdout.strip()
        device.ip("neighbour", "add", _SERVER, "lladdr", "02" + own[2:-2] + "ff", "dev", "eth0", "nud", "permanent")
        device.start()
        device.wait_status(lambda status: status["report"]["conn"] >= 1, "an attempt is under way")
        device.ip("neighbour", "del", _SERVER, "dev", "eth0")
        device.ip("address", "flush", "dev", "eth0", "scope", "global")
        device.ip("address", "add", "10.77.0.3/24", "dev", "eth0")
        self.assertEqual(self.wait_state(device)["ip4"], "10.77.0.3")

    def test_a_network_that_comes_back_is_used_at_once(self):
        device = self.device(broker={"backoff_max": "1h"})
        device.ip("address", "flush", "dev", "eth0", "scope", "global")
        device.start()
        # with 1 h as the bound, the waits grow beyond this test's deadline after a dozen failures
        device.wait_status(lambda status: status["report"]["conn"] >= 3, "some attempts failed")
        device.ip("address", "add", f"{_DEVICE}/24", "dev", "eth0")
        self.assertEqual(self.wait_state(device)["ip4"], _DEVICE)

    def test_does_not_report_an_address_before_its_duplicate_detection_ended(self):
        device = self.device().start()
        self.wait_state(device)
        device.ip("-6", "address", "add", "2001:db8:77::2/64", "dev", "eth0")
        self.wait_state(device, lambda state: state.get("ip6") == "2001:db8:77::2")
        flags = subprocess.run([*device.prefix, "ip", "-6", "-j", "address", "show", "dev", "eth0"], capture_output=True,
                               text=True, check=True).stdout
        self.assertFalse(json.loads(flags)[0]["addr_info"][0].get("tentative", False), flags)
        for state in self.states(device):
            self.assertNotIn(state.get("ip6"), ["fe80::1", "fd00::1"])

    def test_says_gone_only_after_the_hold(self):
        device = self.device(addresses={"hold": "500ms"})
        device.ip("-6", "address", "add", "2001:db8:77::2/64", "dev", "eth0", "nodad")
        device.start()
        self.wait_state(device, lambda state: state.get("ip6") == "2001:db8:77::2")
        device.ip("-6", "address", "del", "2001:db8:77::2/64", "dev", "eth0")
        gone = self.wait_state(device, lambda state: "ip6" in state and state["ip6"] is None)
        self.assertEqual(gone["why"], "change")
        self.assertNotIn(False, ["ip6" in state for state in self.states(device)])  # never unknown in between

    def test_follows_default_routes_that_go_without_a_word(self):
        device = self.device(addresses={"hold": "200ms"})
        device.ip("link", "add", "wwan0", "type", "veth", "peer", "name", "far1")
        for link in ("wwan0", "far1"):
            device.ip("link", "set", link, "up")
        device.ip("address", "add", "10.78.0.2/24", "dev", "wwan0")
        device.ip("route", "add", "default", "via", "10.77.0.1", "dev", "eth0")
        device.start()
        self.assertEqual(self.wait_state(device)["ip4"], _DEVICE)
        device.ip("route", "replace", "default", "via", "10.78.0.1", "dev", "wwan0")  # no RTM_DELROUTE for the old one
        self.wait_state(device, lambda state: state.get("ip4") == "10.78.0.2")
        device.ip("route", "add", "default", "via", "10.77.0.1", "dev", "eth0", "metric", "9")
        device.ip("address", "del", "10.78.0.2/24", "dev", "wwan0")  # takes its route along, as silently
        device.ip("address", "add", "10.78.0.3/24", "dev", "wwan0")
        self.wait_state(device, lambda state: state.get("ip4") == _DEVICE and state["seq"] > 2 and
                        [uplink["name"] for uplink in state["uplinks"]] == ["eth0"])

    def test_a_link_with_two_routers_keeps_its_route_when_one_goes(self):
        device = self.device(addresses={"hold": "200ms"})
        device.ip("link", "add", "wwan0", "type", "veth", "peer", "name", "far1")
        for link in ("wwan0", "far1"):
            device.ip("link", "set", link, "up")
        for net, link, metric in ((77, "eth0", 100), (78, "wwan0", 200)):
            device.ip("-6", "address", "add", f"2001:db8:{net}::2/64", "dev", link, "nodad")
            device.ip("-6", "route", "add", "default", "via", f"2001:db8:{net}::1", "dev", link, "metric", metric)
        second = ("default", "via", "2001:db8:77::9", "dev", "eth0", "metric", "100")
        device.ip("-6", "route", "append", *second)
        device.start()
        birth = self.wait_state(device)
        self.assertEqual((birth["ip6"], birth["uplinks"][0]["name"]), ("2001:db8:77::2", "eth0"))
        device.ip("-6", "route", "del", *second)
        time.sleep(1)  # longer than the hold: what would be concluded is concluded
        self.assertEqual([state["ip6"] for state in self.states(device)], ["2001:db8:77::2"])

    def test_a_gateway_says_when_its_prefix_is_gone(self):
        device = self.device(addresses={"hold": "500ms", "prefix6_from": "br-lan"})
        device.ip("link", "add", "br-lan", "type", "veth", "peer", "name", "host0")
        for link in ("br-lan", "host0"):
            device.ip("link", "set", link, "up")
        device.ip("-6", "address", "add", "2001:db8:5::1/64", "dev", "br-lan", "nodad")
        device.start()
        self.wait_state(device, lambda state: state.get("prefix6") == "2001:db8:5::/64")
        device.ip("-6", "address", "del", "2001:db8:5::1/64", "dev", "br-lan")
        gone = self.wait_state(device, lambda state: state.get("prefix6", "") is None)
        self.assertEqual(gone["why"], "change")
        self.assertNotIn(False, ["prefix6" in state for state in self.states(device)])  # never unknown in between

    def test_a_gateway_tells_each_prefix_that_is_preferred_and_for_how_long(self):
        device = self.device(addresses={"hold": "500ms", "prefix6_from": "br-lan"})
        device.ip("link", "add", "br-lan", "type", "veth", "peer", "name", "host0")
        for link in ("br-lan", "host0"):
            device.ip("link", "set", link, "up")
        old = ("2001:db8:4::1/64", "dev", "br-lan", "nodad")
        device.ip("-6", "address", "add", *old, "valid_lft", "7200", "preferred_lft", "600")
        device.start()
        first = self.wait_state(device, lambda state: "prefix6" in state)
        self.assertEqual(first["prefix6"], "2001:db8:4::/64")
        self.assertTrue(590 < first["prefix6_preferred"] <= 600 and 7190 < first["prefix6_valid"] <= 7200, first)
        self.assertNotIn("prefix6_also", first)
        device.ip("-6", "address", "add", "2001:db8:5::1/64", "dev", "br-lan", "nodad")
        both = self.wait_state(device, lambda state: "prefix6_also" in state)
        self.assertEqual((both["prefix6"], both["why"]), ("2001:db8:5::/64", "change"))
        self.assertNotIn("prefix6_preferred", both)  # without end
        also, = both["prefix6_also"]
        self.assertEqual(also["prefix"], "2001:db8:4::/64")
        self.assertTrue(590 < also["preferred"] <= 600 and 7190 < also["valid"] <= 7200, also)
        device.ip("-6", "address", "change", *old, "valid_lft", "7200", "preferred_lft", "599")  # refreshed: no change
        time.sleep(1.5)  # longer than the window in which changes are joined
        said = len(self.states(device))
        device.ip("-6", "address", "change", *old, "valid_lft", "7200", "preferred_lft", "0")
        alone = self.wait_state(device, lambda state: state["seq"] > both["seq"])
        self.assertNotIn("prefix6_also", alone)
        self.assertEqual((alone["prefix6"], alone["seq"]), ("2001:db8:5::/64", both["seq"] + 1))
        self.assertEqual(len(self.states(device)), said + 1)
        device.ip("-6", "address", "change", *old, "valid_lft", "7200", "preferred_lft", "2")  # and ends by itself
        self.wait_state(device, lambda state: state["seq"] > alone["seq"] and "prefix6_also" in state)
        last = self.wait_state(device, lambda state: state["seq"] > alone["seq"] + 1)
        self.assertNotIn("prefix6_also", last)

    def test_reports_whatever_its_interfaces_are_called(self):
        device = self.device()
        device.ip("link", "add", "b\u00fcro0", "type", "veth", "peer", "name", "other0")
        for link in ("b\u00fcro0", "other0"):
            device.ip("link", "set", link, "up")
        device.ip("address", "add", "10.70.0.9/24", "dev", "b\u00fcro0")
        device.start()
        birth = self.wait_state(device)
        self.assertEqual({uplink["name"] for uplink in birth["uplinks"]}, {"b??ro0", "eth0"})
        self.assertEqual(birth["ip4"], "10.70.0.9")  # "b" is before "e"

    def test_repeats_until_acknowledged(self):
        device = self.device(report={"repeat_first": "1s", "repeat_max": "1s"}).start()
        birth = self.wait_state(device)
        repeat = self.wait_state(device, lambda state: state["why"] == "repeat")
        self.assertEqual((repeat["boot"], repeat["seq"]), (birth["boot"], birth["seq"]))
        self.answer(device, birth, observed="198.51.100.9",
                    names=[{"name": "cam-1.example.net", "type": "A", "value": _DEVICE, "ttl": 60, "state": "applied",
                            "since": 1700000000000, "error": "", "next": 0}])
        status = device.wait_status(lambda status: status["report"]["state"] == "acknowledged", "the ack arrived")
        self.assertEqual(status["dns"]["observed"], "198.51.100.9")
        self.assertEqual(status["dns"]["names"][0]["value"], _DEVICE)
        self.assertGreater(status["report"]["next_s"], 3000)  # the next heartbeat, no repeat
        text = device.command("status", "-c", device.config_file).stdout
        self.assertIn("cam-1.example.net A 10.77.0.2 (applied)", text)
        self.assertIn("the broker sees 198.51.100.9", text)

    def test_an_unregistered_device_slows_down(self):
        device = self.device(report={"repeat_first": "1s", "repeat_max": "1s"}).start()
        self.wait_state(device)
        self.answer(device, error="unregistered")
        status = device.wait_status(lambda status: status["report"]["state"] == "unregistered", "it is told")
        self.assertGreater(status["report"]["next_s"], 3000)
        self.assertEqual(status["dns"]["error"], "unregistered")

    def test_answers_a_sync_and_a_request(self):
        device = self.device().start()
        birth = self.acknowledged(device)
        self.coordinator.publish("muster/v1/bc/sync", b'{"v":1,"window_s":1}')
        sync = self.wait_state(device, lambda state: state["why"] == "sync")
        self.assertEqual(device.command("report", "--socket", device.socket).returncode, 0)
        request = self.wait_state(device, lambda state: state["why"] == "request")
        self.assertEqual((sync["boot"], sync["seq"]), (birth["boot"], birth["seq"]))
        self.assertEqual((request["boot"], request["seq"]), (birth["boot"], birth["seq"] + 1))  # it is to be answered

    def test_survives_answers_that_are_none(self):
        device = self.device().start()
        birth = self.wait_state(device)
        for body in (b"", b"{", b"\xff" * 100, b"[]", b'{"v":1,"term":"t","ack":{"boot":-1,"seq":1},"names":[]}',
                     b'{"v":2}', b"x" * 20000):
            self.coordinator.publish(topic("dn", device.id, "dns"), body, qos=0)
            self.coordinator.publish("muster/v1/bc/sync", body, qos=0)
        self.answer(device, birth)
        device.wait_status(lambda status: status["report"]["state"] == "acknowledged", "a good answer still counts")


class Lives(Case):
    def test_a_killed_agent_is_gone_and_comes_back_with_a_higher_boot(self):
        device = self.device().start()
        first = self.acknowledged(device)
        device.agent.kill()
        procs.wait_until(lambda: self.gones(device), "the will is published")
        self.assertEqual(self.gones(device), [{"v": 1, "boot": first["boot"], "conn": first["conn"]}])
        device.start()
        second = self.wait_state(device, lambda state: state["boot"] > first["boot"])
        self.assertEqual((second["boot"], second["why"]), (2, "birth"))

    def test_reconnects_to_a_restarted_broker(self):
        # A repeat would be what a late subscriber sees in place of the birth.
        device = self.device(report={"repeat_first": "1h", "repeat_max": "1h"}).start()
        first = self.acknowledged(device)
        self.broker.kill()
        device.wait_status(lambda status: status["connection"]["state"] == "disconnected"
                           and status["connection"]["error"] != "", "the loss is noticed, and why")
        self.assertNotEqual(device.command("report", "--socket", device.socket).returncode, 0)
        device.ip("address", "add", "10.1.0.20/24", "dev", "eth0")
        device.wait_status(lambda status: status["addresses"]["ip4"] == "10.1.0.20", "the new address is known")
        self.broker.start()
        self.coordinator = self.connect()
        second = self.wait_state(device, lambda state: state["conn"] > first["conn"])
        self.assertEqual((second["boot"], second["why"], second["ip4"]), (first["boot"], "birth", "10.1.0.20"))
        self.assertGreater(second["seq"], first["seq"])

    def test_goes_past_a_pair_that_the_coordinator_knows(self):
        device = self.device().start()
        self.wait_state(device)
        self.answer(device, {"boot": 40, "seq": 7})
        later = self.wait_state(device, lambda state: state["boot"] > 1)
        self.assertEqual((later["boot"], later["seq"], later["why"]), (41, 1, "birth"))
        device.agent.kill()
        procs.wait_until(lambda: {"v": 1, "boot": 41, "conn": later["conn"]} in self.gones(device),
                         "the will is of the new life")
        device.start()
        self.assertEqual(self.wait_state(device, lambda state: state["boot"] > 41)["boot"], 42)

    def test_leaves_with_off_and_without_a_will(self):
        device = self.device()
        before = time.monotonic()
        device.start()
        birth = self.acknowledged(device)
        self.assertEqual(device.agent.stop(), 0)
        uptime_ms = int(device.agent.wait_log(r"notice stopping uptime_ms=(\d+)")[1])
        self.assertLessEqual(uptime_ms, 1000 * (time.monotonic() - before))
        off = self.wait_state(device, lambda state: state["s"] == "off")
        self.assertGreater(off["seq"], birth["seq"])
        with self.connect("svc-coord-late") as late:
            self.assertEqual(self.wait_state(device, client=late)["s"], "off")  # retained
        self.assertEqual(self.gones(device), [])
        self.assertFalse(device.socket.exists())

    def test_starts_over_from_a_damaged_counter_and_says_so(self):
        device = self.device()
        (device.folder / "state" / "boot").write_bytes(b"\0" * 33)
        device.start()
        self.assertEqual(self.wait_state(device)["boot"], 1)
        device.agent.wait_log(r"error boot .*counter=damaged")

    def test_reports_without_a_folder_to_write_to(self):
        device = self.device(state_dir="/proc/nowhere").start()
        self.assertEqual(self.wait_state(device)["boot"], 1)
        self.assertFalse(device.status()["report"]["boot_stored"])

    def test_waits_for_a_broker_that_is_not_there_yet(self):
        self.broker.stop()
        device = self.device().start()
        device.wait_status(lambda status: status["connection"]["error"] != "", "a first attempt failed")
        self.broker.start()
        self.coordinator = self.connect()
        self.assertGreater(self.wait_state(device)["conn"], 1)

    def test_a_broker_of_another_authority_is_refused(self):
        other = self.pki.devices.cert  # not the authority of the servers
        device = self.device(tls={"ca_file": str(other)}).start()
        device.wait_status(lambda status: status["connection"]["error"] != "", "the attempt failed")
        self.assertEqual(self.states(device), [])


class Service(Case):
    def test_reload_applies_what_it_can_and_keeps_the_old_on_error(self):
        device = self.device().start()
        self.wait_state(device)
        device.ip("link", "add", "wan9", "type", "veth", "peer", "name", "other9")
        device.ip("link", "set", "other9", "up")
        device.ip("address", "add", "10.99.0.9/24", "dev", "wan9")
        device.ip("link", "set", "wan9", "up")
        device.configure(addresses={"include": ["wan*"]}, broker={"keepalive": "11s"})
        device.agent.signal(signal.SIGHUP)
        self.wait_state(device, lambda state: state.get("ip4") == "10.99.0.9")
        self.assertIn("broker.keepalive", device.agent.wait_log(r"reload-needs-restart rows=(.*)")[1])
        device.config_file.write_text("devise_id: x\n")
        device.agent.signal(signal.SIGHUP)
        device.agent.wait_log(r"reload-refused")
        device.agent.wait_log(r"agent\.yaml:1:1: .*device_id")
        self.assertEqual(device.status()["addresses"]["ip4"], "10.99.0.9")

    def test_a_reload_shortens_what_is_armed(self):
        device = self.device().start()
        self.acknowledged(device)
        device.configure(report={"heartbeat": "30s"})
        device.agent.signal(signal.SIGHUP)
        device.wait_status(lambda status: status["report"]["next_s"] <= 33, "the next heartbeat is near")

    def test_who_stops_does_not_begin_anew(self):
        device = self.device().start()
        self.acknowledged(device)
        self.broker.process.signal(signal.SIGSTOP)  # the last state is not acknowledged: the end waits for it
        self.addCleanup(self.broker.process.signal, signal.SIGCONT)
        device.agent.signal(signal.SIGTERM)
        device.agent.wait_log(r"stopping")
        device.agent.signal(signal.SIGHUP)
        device.agent.wait_log(r"stopped status=0")
        self.assertNotRegex((device.folder / "log").read_text(), r"reload")

    def test_tells_the_service_manager(self):
        path = str(self.work / "notify.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(procs.DEADLINE)
            device = self.device()
            # A ping a second: the socket holds ten messages, which is how long this test may be kept from reading.
            device.agent.env.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="2000000")
            device.start()
            self._receive(manager, "READY=1", "WATCHDOG=1")
            self._receive(manager, "WATCHDOG=1")
            device.agent.signal(signal.SIGHUP)
            self._receive(manager, "RELOADING=1")
            self._receive(manager, "READY=1")
            device.agent.signal(signal.SIGTERM)
            self._receive(manager, "STOPPING=1")

    @staticmethod
    def _receive(manager, *wanted):
        """Messages until each of `wanted` came as a line; the socket's timeout ends the wait."""
        missing = set(wanted)
        while missing:
            missing -= set(manager.recv(200).decode().split("\n"))

    def test_control_socket_is_bounded_and_local(self):
        device = self.device().start()
        self.wait_state(device)
        self.assertEqual(stat.S_IMODE(device.socket.stat().st_mode), 0o660)
        idle = [socket.socket(socket.AF_UNIX) for _ in range(10)]
        for one in idle:
            self.addCleanup(one.close)
            one.connect(str(device.socket))
        self.assertEqual(device.status()["device"], "cam-1")
        for request, expected in ((b"GET /nowhere HTTP/1.1\r\n\r\n", b"HTTP/1.1 404"),
                                  (b"PUT /status HTTP/1.1\r\n\r\n", b"HTTP/1.1 405"),
                                  (b"nonsense\r\n\r\n", b"HTTP/1.1 400"),
                                  (b"\0" * 5000, b"HTTP/1.1 400")):
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(procs.DEADLINE)
                one.connect(str(device.socket))
                one.sendall(request)
                self.assertTrue(one.recv(4096).startswith(expected), request[:20])
        second = procs.Process([AGENT, "-c", device.config_file], device.folder / "second", prefix=device.prefix)
        with second:
            second.wait_log(r"control-failed .*another agent answers")
        self.assertEqual(device.status()["device"], "cam-1")  # the first one's socket stayed

    def test_exit_statuses(self):
        device = self.device()
        self.assertEqual(device.command("--check-config", "-c", device.config_file).returncode, 0)
        dump = device.command("--dump-config", "-c", device.config_file)
        self.assertEqual(dump.returncode, 0, dump.stderr)
        self.assertIn("heartbeat: 1h", dump.stdout)
        reference = device.command("--config-reference")
        self.assertEqual(reference.returncode, 0, reference.stderr)
        self.assertIn("prefix6_from", reference.stdout)
        self.assertEqual(device.command("--version").returncode, 0)
        self.assertEqual(device.command("--nonsense").returncode, 64)
        self.assertEqual(device.command("status", "--socket", device.socket).returncode, 69)
        self.assertEqual(device.command("-c", "/nonexistent.yaml").returncode, 78)
        missing = device.folder / "missing.pem"
        device.configure(tls={"ca_file": str(missing), "key_file": str(missing), "cert_file": str(missing)})
        for arguments in (["--check-config"], []):  # the check and the start say the same
            refused = device.command(*arguments, "-c", device.config_file)
            self.assertEqual(refused.returncode, 78, refused.stderr)
            for key in ("ca_file", "cert_file", "key_file"):
                self.assertIn(f"tls.{key}: {missing}: ", refused.stderr)
        self.assertEqual(device.command("--dump-config", "-c", device.config_file).returncode, 0)
        device.configure(device_id="cam-2")
        refused = device.command("-c", device.config_file)
        self.assertEqual(refused.returncode, 78)
        self.assertIn("is of 'cam-1', but device_id is 'cam-2'", refused.stderr)
        other = self.pki.device("cam-2")
        device.configure(tls={"ca_file": str(self.broker.ca_file), "cert_file": str(device.identity.cert), "key_file": str(other.key)})
        refused = device.command("--check-config", "-c", device.config_file)
        self.assertEqual(refused.returncode, 78, refused.stderr)
        self.assertIn(f"tls.key_file: {other.key}: is not the key of ", refused.stderr)


if __name__ == "__main__":
    if not enter_namespace():
        print("network namespaces or veth are not available: skipped")
        sys.exit(77)
    unittest.main()
