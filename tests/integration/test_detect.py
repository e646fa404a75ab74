# SPDX-License-Identifier: Apache-2.0
"""muster-agent's detection against coturn behind a translating network: what it reports, what it asks when, and `muster-agent ip`.

The test program enters a fresh namespace; what arrives there from a device is translated to a public-looking address, so that
the STUN server sees another one than the device has. Nothing of it leaves the namespace.
"""
import json
import secrets
import signal
import socket
import struct
import subprocess
import sys
import unittest

import test_agent
from muster_testlib import build_dir, ports, procs
from test_agent import Case, enter_namespace

_STUN = "45.83.0.1"
_SEEN, _LATER, _OTHER = "45.83.1.9", "45.83.1.10", "62.1.2.3"
_EVENTS = [{"type": "interface"}, {"type": "observed"}]


def _translate_to(address):
    """What the devices' questions seem to come from; an answer needs a way to set out on before it is translated back."""
    subprocess.run(["ip", "route", "replace", f"{address}/32", "dev", "lo"], check=True)
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input=f"""
        table ip far
        delete table ip far
        table ip far {{
            chain in {{
                type nat hook input priority 100
                ip daddr {_STUN} udp dport >= 1024 snat to {address}
            }}
        }}""")


class Detect(Case):
    def setUp(self):
        super().setUp()
        subprocess.run(["ip", "address", "replace", f"{_STUN}/32", "dev", "lo"], check=True)
        self.port = ports.free_port(_STUN)
        folder = self.work.folder("turn")
        self.stun = procs.Process(
            ["turnserver", "-n", "--stun-only", "-L", _STUN, "-p", self.port, "--no-tls", "--no-dtls", "--no-cli", "--no-tcp",
             "--log-file", "stdout", "--pidfile", folder / "pid", "--userdb", folder / "db"], folder / "log", cwd=folder)
        self.stun.start()
        self.addCleanup(self.stun.stop)
        self.stun.wait_until(self.stun_answers, "the STUN server answers")
        _translate_to(_SEEN)

    def stun_answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.5)
            try:
                udp.sendto(bytes.fromhex("000100002112a442") + secrets.token_bytes(12), (_STUN, self.port))
                return udp.recv(512)[:2] == b"\x01\x01"
            except OSError:
                return False

    def routed(self, sources, **detect):
        device = self.device(detect={"sources": sources, **detect})
        device.ip("route", "add", "default", "via", "10.77.0.1", "dev", "eth0")
        return device

    def source(self, **rows):
        return {"type": "stun", "server": f"{_STUN}:{self.port}", "ip6": False, **rows}

    def ip(self, device, *arguments):
        return device.command("ip", "-c", device.config_file, *arguments)


class Reports(Detect):
    def test_reports_what_the_internet_sees_and_follows_it(self):
        device = self.routed([*_EVENTS, self.source()], confirm="0s").start()
        state = self.wait_state(device, lambda state: state["ip4"] == _SEEN)
        self.assertEqual(state["src"], "stun")
        uplink = state["uplinks"][0]
        self.assertEqual([uplink["name"], uplink["ip4"], uplink["seen4"], uplink["nat"]], ["eth0", test_agent._DEVICE, _SEEN, "nat"])
        _translate_to(_LATER)

        def asked_for():  # 2 s apart at least, as the source wants it
            device.command("report", "--socket", device.socket)
            return [state for state in self.states(device) if state["ip4"] == _LATER]
        procs.wait_until(asked_for, "what a person asked for is reported", step=0.5)
        status = device.status()
        self.assertEqual(status["addresses"]["source"], "stun")
        answers = {answer["source"]: answer for answer in status["detect"]["uplinks"][0]["ip4"]["answers"]}
        self.assertEqual([answers["interface"]["verdict"], answers["interface"]["class"]], ["not public", "private"])
        self.assertEqual([answers["stun"]["ip"], answers["stun"]["verdict"]], [_LATER, "agrees"])
        lines = device.command("status", "--socket", device.socket).stdout
        self.assertIn(f"uplink       eth0: NAT nat, inbound unproven; IPv4 confirmed {_LATER} from stun", lines)

    def test_what_only_the_broker_saw_is_shown_but_not_told_back(self):
        device = self.routed(_EVENTS).start()
        first = self.wait_state(device)
        self.answer(device, first, observed=_SEEN)
        device.wait_status(lambda status: status["detect"]["uplinks"][0]["ip4"].get("value") == _SEEN, "the answer counts")
        self.assertEqual([state["ip4"] for state in self.states(device)], [test_agent._DEVICE])
        self.assertEqual(device.status()["detect"]["uplinks"][0]["nat"], "nat")

    def test_disagreement_keeps_the_value_and_is_shown(self):
        liar = {"type": "static", "name": "liar", "address4": _OTHER, "ip6": False}
        device = self.routed([*_EVENTS, self.source(), liar], quorum=2).start()
        first = self.wait_state(device)
        self.assertEqual(first["ip4"], test_agent._DEVICE)  # nothing has the quorum
        status = device.wait_status(lambda status: status["detect"]["uplinks"][0]["ip4"]["state"] == "disagree", "they disagree")
        said = {answer["source"]: answer.get("ip") for answer in status["detect"]["uplinks"][0]["ip4"]["answers"]}
        self.assertEqual([said["stun"], said["liar"]], [_SEEN, _OTHER])
        self.answer(device, first, observed=_SEEN)
        self.wait_state(device, lambda state: state["ip4"] == _SEEN)  # two of three

    def test_asks_at_once_after_a_suspend(self):
        device = self.routed([*_EVENTS, self.source()])
        clock = device.folder / "clock"
        clock.write_bytes(struct.pack("=qq", 0, 0))
        shim = build_dir() / "tests" / "clock_shim.so"
        device.agent = procs.Process([test_agent.AGENT, "-c", device.config_file], device.folder / "log", prefix=device.prefix,
                                     env={"LD_PRELOAD": str(shim), "CLOCK_SHIM": str(clock),
                                          "ASAN_OPTIONS": "verify_asan_link_order=0"})  # the shim comes before its runtime
        device.start()
        self.wait_state(device, lambda state: state["ip4"] == _SEEN)
        _translate_to(_LATER)
        with open(clock, "r+b") as file:
            file.write(struct.pack("=qq", 3600, 3600))  # an hour of sleep, and nothing else that would wake the agent
        self.wait_state(device, lambda state: state["ip4"] == _LATER)
        self.assertIn("slept_ms=3600", (device.folder / "log").read_text())

    def test_a_reload_takes_other_sources_and_keeps_what_is_known(self):
        device = self.routed([*_EVENTS, self.source()]).start()
        self.wait_state(device, lambda state: state["ip4"] == _SEEN)
        extra = {"type": "static", "name": "by-hand", "address4": _SEEN, "ip6": False}
        device.configure(detect={"sources": [extra, *_EVENTS, self.source()]})
        device.agent.signal(signal.SIGHUP)
        device.wait_status(lambda status: "by-hand" in json.dumps(status["detect"]), "the reload is taken")
        states = [state["ip4"] for state in self.states(device)]
        self.assertNotIn(test_agent._DEVICE, states[states.index(_SEEN):])  # never back to the private one
        self.assertNotIn("reload-needs-restart", (device.folder / "log").read_text())


class Command(Detect):
    def test_says_who_said_what_without_an_agent_and_without_its_key(self):
        device = self.routed([*_EVENTS, self.source()])
        device.identity.key.unlink()
        done = self.ip(device)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"eth0 +stun +\d+ ms +{_SEEN} +agrees ")
        self.assertRegex(done.stdout, rf"eth0 +interface +0 ms +{test_agent._DEVICE} +not public ")
        self.assertIn(f"eth0 IPv4: {_SEEN}, confirmed from stun\n", done.stdout)
        self.assertIn("eth0 NAT: nat, inbound unproven\n", done.stdout)
        found = json.loads(self.ip(device, "--json").stdout)
        self.assertEqual(found["uplinks"][0]["ip4"]["value"], _SEEN)

    def test_binds_to_an_interface_whose_name_is_not_ascii(self):
        device = self.routed([{"type": "interface"}, self.source()])
        device.ip("link", "set", "eth0", "down")
        device.ip("link", "set", "eth0", "name", "wl\u00e4n0")
        device.ip("link", "set", "wl\u00e4n0", "up")
        device.ip("route", "add", "default", "via", "10.77.0.1", "dev", "wl\u00e4n0")
        done = self.ip(device)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"wl\?\?n0 +stun +\d+ ms +{_SEEN} +agrees ")

    def test_its_exit_status_tells(self):
        device = self.routed([*_EVENTS, self.source(), {"type": "static", "address4": _OTHER, "ip6": False}], quorum=2)
        disagree = self.ip(device)
        self.assertEqual(disagree.returncode, 1, disagree.stdout)
        self.assertRegex(disagree.stdout, rf"static .* {_OTHER} ")
        device.configure(detect={"quorum": 1, "sources": [{"type": "interface"}, self.source(server=f"{_STUN}:9")]})
        nobody = self.ip(device)
        self.assertEqual(nobody.returncode, 69, nobody.stdout)
        self.assertRegex(nobody.stdout, r"stun .* failed ")
        self.assertEqual(device.command("ip", "-c", "/nonexistent.yaml").returncode, 78)
        self.assertEqual(device.command("ip", "--nonsense").returncode, 64)

    def test_all_asks_the_router_too(self):
        device = self.routed([{"type": "interface"}], timeout="2s")
        done = self.ip(device, "--all")
        self.assertEqual(done.returncode, 69, done.stdout)  # nobody of them is there
        self.assertIn("opendns", done.stdout)

    def test_takes_what_the_broker_sees_from_a_running_agent(self):
        device = self.routed(_EVENTS).start()
        self.answer(device, self.wait_state(device), observed=_SEEN)
        device.wait_status(lambda status: status.get("dns", {}).get("observed") == _SEEN, "the answer came")
        done = self.ip(device)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, rf"eth0 +observed .* {_SEEN} +agrees ")


if __name__ == "__main__":
    if not enter_namespace():
        print("network namespaces or veth are not available: skipped")
        sys.exit(77)
    unittest.main()
