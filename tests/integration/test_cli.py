#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The operator's commands against a live stack: what they print, what they exit with, and what they never show."""
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import unittest

from muster_testlib import build_dir
from muster_testlib.broker import Broker, topic
from muster_testlib.certs import Authority
from muster_testlib.dns import axfr, kdig, update, wait_answer
from muster_testlib.mqttclient import Client
from muster_testlib.procs import DEADLINE, Process, Workspace, wait_until
from muster_testlib.stack import Stack

MUSTER = build_dir() / "cli" / "muster"
V4, V6 = "93.184.216.34", "2a00:1450:4001:81b::200e"
GROUPS = """\
  - name: cameras
    names:
      - name: "{id}.example.net"
  - name: doors
    names:
      - name: "{id}.{site}.example.net"
        types: [A]
"""
REGISTRY = """\
devices:
  - match: "cam-*"
    group: cameras
  - id: door-1
    group: doors
    site: lab
"""
ZONE_KEYS = {"zone", "account", "mode", "state", "epoch", "waiting", "in_flight", "messages", "changes", "failures", "batch_size",
             "depth", "service_ms", "retry_in_ms", "last_error", "swept", "sweep_stopped", "unknown_records", "foreign_records"}
DEVICE_KEYS = {"id", "group", "site", "registered", "presence", "ip4", "ip6", "observed", "problem", "boot", "seq", "durable",
               "records_open", "seen", "changed", "nat", "inbound"}
RECORD_KEYS = {"zone", "name", "type", "device", "ttl", "want", "tombstone", "have", "rev", "pending", "error", "zone_error",
               "attempts", "changed", "applied"}
REPORT = re.compile(r"\Amuster: error: (.+)\n  cause: (.+)\n  hint:  (.+)\n  docs:  muster [a-z ]+ --help\n\Z")


class Cli(unittest.TestCase):
    """One stack for the tests of a class: they leave it as they found it."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.work = Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.stack = Stack(cls.work, groups=GROUPS, registry=REGISTRY, **cls.options)
        cls.prepare()
        cls.stack.start()
        cls.addClassCleanup(cls.stack.__exit__)
        cls.socket = cls.stack.folder / "control.sock"
        cls.populate()

    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def populate(cls):
        pass

    @classmethod
    def report(cls, device_id, **addresses):
        device = cls.stack.device(device_id).connect()
        cls.addClassCleanup(device.close)
        device.report(**addresses)
        return device

    def muster(self, *words, code=0, program=MUSTER, **more):
        """Runs a command; checks its exit code and that nothing secret is in what it says."""
        done = subprocess.run([program, *words, "--socket", str(self.socket)], capture_output=True, text=True,
                              timeout=DEADLINE, check=False, stdin=subprocess.DEVNULL, **more)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        secret = self.stack.dns.tsig.split(":", 2)[2]
        for text in (secret, self.stack.broker.stamp_key.hex()):
            self.assertNotIn(text, done.stdout + done.stderr)
        return done

    def json(self, *words, code=0):
        return json.loads(self.muster(*words, "--json", code=code).stdout)

    def lines(self, *words, code=0):
        """Rows of a table in a pipe."""
        return [line.split("\t") for line in self.muster(*words, code=code).stdout.splitlines()]

    def refused(self, *words, code, cause="", error=""):
        done = self.muster(*words, code=code)
        self.assertEqual(done.stdout, "")
        match = REPORT.match(done.stderr)
        self.assertIsNotNone(match, done.stderr)
        self.assertIn(error, match[1])
        self.assertIn(cause, match[2])
        return match


class Commands(Cli):
    @classmethod
    def populate(cls):
        cls.report("cam-1", ip4=V4, ip6=V6).wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        cls.report("cam-2", ip4="93.184.216.35").wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        cls.report("door-1", ip4="93.184.216.36").wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        cls.report("stranger-1", ip4="93.184.216.37").wait_ack(lambda ack: ack["error"] == "unregistered")

    def setUp(self):
        wait_until(lambda: self.json("status")["records"]["open"] == 0, "what an earlier test left is written")

    def test_status_says_how_everything_is(self):
        status = self.json("status")
        self.assertEqual(status["state"], "live")
        self.assertEqual(status["store"], "ok")
        self.assertIs(status["broker_connected"], True)
        self.assertEqual(status["devices"]["online"], 3)
        self.assertEqual(status["records"]["open"], 0)
        self.assertGreater(status["change_p99_ms"], 0)
        self.assertEqual([set(zone) for zone in status["zones"]], [ZONE_KEYS])
        text = self.muster("status").stdout
        for pattern in (r"^coordinator +live +version [\d.]+, up \d+s, term \S+:1$", r"^broker +connected ", r"^store +ok ",
                        r"^devices +4 known +online 3, registered 3$", r"^records +0 open +changes 4, applied \d+$",
                        r"^change +p50 [\d.]+ ms +p99 [\d.]+ ms", r"^example\.net +running +dedicated +\d+ ",
                        r"^unregistered devices: muster device list --problem unregistered$"):
            self.assertRegex(text, re.compile(pattern, re.MULTILINE))
        self.assertLessEqual(len(text.splitlines()), 24)

    def test_status_check_is_one_line(self):
        self.assertEqual(self.muster("status", "--check").stdout, "ok: 3 devices online, 0 records open\n")

    def test_devices(self):
        devices = {device["id"]: device for device in self.json("device", "list")["devices"]}
        self.assertEqual(set(devices), {"cam-1", "cam-2", "door-1", "stranger-1"})
        self.assertEqual(set(devices["cam-1"]), DEVICE_KEYS)
        self.assertEqual((devices["cam-1"]["ip4"], devices["cam-1"]["ip6"], devices["cam-2"]["ip6"]), (V4, V6, None))
        self.assertIs(devices["stranger-1"]["registered"], False)
        row = next(row for row in self.lines("device", "list") if row[0] == "cam-1")
        self.assertEqual(row[:7], ["cam-1", "online", V4, V6, "cameras", "-", "0"])
        self.assertRegex(row[7], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_device_filters(self):
        for words, expected in {
                ("--match", "cam-*"): ["cam-1", "cam-2"], ("--match", "*-1"): ["cam-1", "door-1", "stranger-1"],
                ("--site", "lab"): ["door-1"], ("--group", "cameras"): ["cam-1", "cam-2"],
                ("--presence", "online"): ["cam-1", "cam-2", "door-1"], ("--presence", "lost"): [],
                ("--problem", "unregistered"): ["stranger-1"], ("--problem", "any"): ["stranger-1"],
                ("--problem", "mismatch"): [], ("--group", "cameras", "--match", "*2"): ["cam-2"],
                ("--match", "a&presence=online"): []}.items():
            with self.subTest(words):
                self.assertEqual(sorted(row[0] for row in self.lines("device", "list", *words)), expected)

    def test_a_limit_and_lines_of_json(self):
        self.assertEqual(len(self.lines("device", "list", "--limit", "2")), 2)
        self.assertEqual(len(self.json("device", "list", "--limit", "1")["devices"]), 1)
        self.assertEqual(self.json("device", "list", "--match", "none")["devices"], [])
        rows = [json.loads(line) for line in self.muster("record", "list", "--ndjson").stdout.splitlines()]
        self.assertEqual(len(rows), 4)
        self.assertTrue(all(set(row) == RECORD_KEYS for row in rows))
        self.assertEqual(len(self.lines("zone", "list", "--limit", "1")), 1)

    def test_one_device(self):
        device = self.json("device", "show", "cam-1")
        self.assertEqual(set(device), DEVICE_KEYS | {"names"})
        self.assertEqual({(name["name"], name["type"], name["value"][0], name["state"]) for name in device["names"]},
                         {("cam-1.example.net", "A", V4, "applied"), ("cam-1.example.net", "AAAA", V6, "applied")})
        text = self.muster("device", "show", "cam-1").stdout
        for pattern in (r"^presence +online$", rf"^IPv4 +{V4}$", r"^last report +boot 1, seq 1, durable$",
                        rf"^cam-1\.example\.net +AAAA +60 +applied +{V6} +-$"):
            self.assertRegex(text, re.compile(pattern, re.MULTILINE))
        self.refused("device", "show", "cam-9", code=5, error="cam-9: ", cause="is in the registry, but it never reported")
        self.refused("device", "show", "x-9", code=5, error="x-9: ", cause="is not in the registry")

    def test_records(self):
        records = self.json("record", "list", "--zone", "example.net")["records"]
        self.assertEqual(len(records), 4)
        self.assertTrue(all(set(record) == RECORD_KEYS and not record["pending"] for record in records))
        self.assertEqual([row[:6] for row in self.lines("record", "list", "--device", "door-1")],
                         [["door-1.lab.example.net", "A", "served", "93.184.216.36", "93.184.216.36", "door-1"]])
        self.assertEqual(self.lines("record", "list", "--pending"), [])
        self.refused("record", "list", "--zone", "example.org", code=5, cause="no zone of this name is configured")
        self.refused("device", "list", "--group", "nope", code=5, cause="no group of this name")
        self.muster("zone", "diff", "EXAMPLE.net.")

    def test_the_records_of_a_name(self):
        records = self.json("record", "show", "cam-1.example.net")["records"]
        self.assertEqual([(record["type"], record["want"]) for record in records], [("A", [V4]), ("AAAA", [V6])])
        records = self.json("record", "show", "CAM-1.example.net.", "--type", "AAAA")["records"]
        self.assertEqual([record["type"] for record in records], ["AAAA"])
        self.assertRegex(self.muster("record", "show", "cam-2.example.net").stdout, r"(?m)^wanted +93\.184\.216\.35$")
        self.refused("record", "show", "cam.example.net", code=5)
        self.refused("record", "show", "cam-2.example.net", "--type", "AAAA", code=5)
        self.refused("record", "show", "cam-1.example.org", code=5, cause="none of the zones")
        self.refused("record", "show", "-bad-.example.net", code=2)

    def test_a_record_is_written_again(self):
        self.assertEqual(update(self.stack.dns, "del cam-2.example.net A"), "")
        wait_answer(self.stack.dns, "cam-2.example.net", "A", [])
        self.assertEqual(self.muster("record", "retry", "cam-2.example.net").stdout, "cam-2.example.net: 1 served\n")
        self.assertEqual(kdig(self.stack.dns, "cam-2.example.net"), ["93.184.216.35"])
        self.assertEqual(self.json("record", "retry", "cam-1.example.net"), {"state": "served", "records": 2})
        self.assertEqual(self.json("record", "retry", "cam-1.example.net", "--type", "A", "--wait", "0s"),
                         {"state": "submitted", "records": 1})
        self.refused("record", "retry", "cam-9.example.net", code=5)
        self.assertIn(f"uid={os.geteuid()}",
                      self.stack.coordinator.wait_log(r"audit.* action=record-retry subject=\"?cam-2\.example\.net.*")[0])

    def test_a_device_is_forgotten(self):
        before = self.json("device", "show", "cam-2")
        self.assertGreater(before["boot"], 0)
        self.assertEqual(self.muster("device", "forget", "cam-2").stdout, "cam-2: forgotten; its next report is taken\n")
        after = self.json("device", "show", "cam-2")
        self.assertEqual((after["boot"], after["seq"]), (0, 0))
        self.assertEqual((after["ip4"], after["names"]), (before["ip4"], before["names"]))
        self.assertEqual(self.json("device", "forget", "cam-2"), {"state": "forgotten"})
        self.refused("device", "forget", "cam-99", code=5)
        self.assertIn(f"uid={os.geteuid()}",
                      self.stack.coordinator.wait_log(r"audit.* action=device-forget subject=\"?cam-2.*")[0])

    def test_zones(self):
        zones = self.json("zone", "list")["zones"]
        self.assertEqual([set(zone) for zone in zones], [ZONE_KEYS])
        self.assertEqual(self.lines("zone", "list")[0][:4], ["example.net", "running", "dedicated", str(zones[0]["epoch"])])

    def test_drift_is_found_and_repaired(self):
        self.assertEqual(update(self.stack.dns, "del door-1.lab.example.net A", "del cam-1.example.net A",
                                "add cam-1.example.net 60 A 192.0.2.1", "add www.example.net 60 A 192.0.2.2"), "")
        rows = self.lines("zone", "diff", "example.net", code=10)
        for row in (["missing", "door-1.lab.example.net", "A", "-", "93.184.216.36"],
                    ["wrong", "cam-1.example.net", "A", "192.0.2.1", V4], ["unknown", "www.example.net", "A", "192.0.2.2", "-"]):
            self.assertIn(row, rows)
        answer = self.json("zone", "diff", "example.net", code=10)
        self.assertEqual((answer["missing"], answer["wrong"], answer["deletions"]), (1, 1, 0))
        self.assertIn("missing 1, wrong 1,", self.muster("zone", "sweep", "example.net").stderr)
        wait_answer(self.stack.dns, "door-1.lab.example.net", "A", "93.184.216.36")
        wait_answer(self.stack.dns, "cam-1.example.net", "A", V4)
        wait_until(lambda: self.muster_code("zone", "diff", "example.net") == 0, "no difference is left")
        self.assertEqual(axfr(self.stack.dns)[("www.example.net", "A")], ["192.0.2.2"])
        self.assertEqual(update(self.stack.dns, "del www.example.net A"), "")

    def test_what_was_reviewed_is_what_is_done(self):
        plan = self.work / "plan.json"
        self.assertEqual(update(self.stack.dns, "del cam-2.example.net A", "add cam-2.example.net 60 A 192.0.2.3",
                                "del door-1.lab.example.net A", "del cam-1.example.net A", "add cam-1.example.net 60 A 192.0.2.1",
                                "add www.example.net 60 A 192.0.2.2"), "")
        self.addCleanup(update, self.stack.dns, "del www.example.net A")
        self.assertIn("3 changes", self.muster("zone", "plan", "example.net", "-o", plan).stderr)
        text = json.loads(plan.read_text())
        self.assertEqual((text["muster_plan"], text["zone"], text["valid_s"]), (1, "example.net", 3600))
        self.assertEqual({(change["kind"], change["name"], *change["zone"], "to", *change["want"]) for change in text["changes"]},
                         {("missing", "door-1.lab.example.net", "to", "93.184.216.36"),
                          ("wrong", "cam-1.example.net", "192.0.2.1", "to", V4),
                          ("wrong", "cam-2.example.net", "192.0.2.3", "to", "93.184.216.35")})
        self.assertIn("www.example.net", [change["name"] for change in text["left"]])
        self.assertEqual({row[0] for row in self.lines("zone", "apply", plan, "--dry-run")}, {"would-apply"})
        self.assertEqual(axfr(self.stack.dns)[("cam-1.example.net", "A")], ["192.0.2.1"])
        # cam-2 changes once more after the review, and the reviewer takes the missing one out
        self.assertEqual(update(self.stack.dns, "del cam-2.example.net A", "add cam-2.example.net 60 A 192.0.2.4"), "")
        text["changes"] = [change for change in text["changes"] if change["kind"] != "missing"]
        plan.write_text(json.dumps(text))
        self.assertEqual({tuple(row[:3]) for row in self.lines("zone", "apply", plan, code=3)},
                         {("applied", "wrong", "cam-1.example.net"), ("changed", "wrong", "cam-2.example.net")})
        wait_answer(self.stack.dns, "cam-1.example.net", "A", V4)
        zone = axfr(self.stack.dns)
        self.assertEqual(zone[("cam-2.example.net", "A")], ["192.0.2.4"])
        self.assertNotIn(("door-1.lab.example.net", "A"), zone)
        wait_until(lambda: [row[0] for row in self.lines("zone", "apply", plan, "--dry-run", code=3)] == ["settled", "changed"],
                   "the first change is done")
        self.assertIn("muster zone plan example.net -o FILE", self.muster("zone", "apply", plan, "--dry-run", code=3).stderr)
        plan.write_text(json.dumps({**text, "changes": [change for change in text["changes"] if change["name"] == "cam-1.example.net"]}))
        self.assertEqual([row[0] for row in self.lines("zone", "apply", plan)], ["settled"])  # done is done: no failure
        for member, value, code, cause in (("store", "another", 6, "another store"), ("zone", "example.org", 5, "no zone of this name"),
                                           ("made_ms", text["made_ms"] - 3700000, 6, "seconds old"),
                                           ("made_ms", text["made_ms"] + 3600000, 6, "future"),
                                           ("muster_plan", 2, 2, "version 2"), ("changes", {}, 2, "not a list")):
            plan.write_text(json.dumps({**text, member: value}))
            self.refused("zone", "apply", plan, code=code, error="not applied", cause=cause)
        self.refused("zone", "apply", self.work / "absent.json", code=5, error="not applied")
        self.muster("zone", "sweep", "example.net")
        wait_answer(self.stack.dns, "cam-2.example.net", "A", "93.184.216.35")
        wait_answer(self.stack.dns, "door-1.lab.example.net", "A", "93.184.216.36")

    def muster_code(self, *words):
        return subprocess.run([MUSTER, *words, "--socket", self.socket], capture_output=True, timeout=DEADLINE,
                              check=False).returncode

    def test_a_zone_is_resumed(self):
        epoch = self.json("zone", "list")["zones"][0]["epoch"]
        self.assertIn("claiming", self.muster("zone", "resume", "example.net").stdout)
        wait_until(lambda: self.muster_code("status", "--check") == 0, "the zone's writer runs again")
        self.assertGreaterEqual(self.json("zone", "list")["zones"][0]["epoch"], epoch)

    def test_zones_that_are_not_there(self):
        for verb in ("diff", "sweep", "resume"):
            self.refused("zone", verb, "example.org", code=5, error="example.org: ", cause="no zone of this name")
        answer = json.loads(self.muster("zone", "diff", "../status", "--json", code=5).stderr)
        self.assertEqual(set(answer["error"]), {"id", "message", "cause", "hint", "docs"})

    def test_misuse(self):
        self.refused("device", "show", code=2)
        self.refused("device", "list", "--presence", "awake", code=2)
        self.refused("device", "list", "--json", "--ndjson", code=2, cause="--json or --ndjson")
        self.refused("record", "list", "--limit", "0", code=2)
        self.refused("zone", "plan", "example.net", "--valid", "30d", code=2, cause="allowed are 1s to 7d")
        self.refused("zone", "swep", "example.net", code=2, cause="sweep")

    def test_accounts_and_what_they_may(self):
        self.assertEqual(self.lines("provider", "accounts"), [["dns", "rfc2136", "running", "0", "example.net", "-", "-"]])
        account, = self.json("provider", "accounts")["accounts"]
        self.assertEqual((account["name"], account["zones"]), ("dns", ["example.net"]))
        row, = self.lines("provider", "limits", "dns")
        self.assertEqual(row[:2], ["dns", "rfc2136"])
        self.assertGreater(int(row[2]), 1)
        self.refused("provider", "limits", "other", code=5, error="other: ", cause="no account of that name")
        match = self.refused("provider", "test", "other", code=5, cause="no account of that name")
        self.assertIn("muster provider accounts", match[3])
        text = self.muster("provider", "test", "dns").stdout
        self.assertRegex(text, r"asked:   the first page of the records of example\.net\nanswer:  ok after \d+ ms\nrecords: [1-9]")
        self.refused("provider", "test", "dns", "--zone", "example.org", code=5, cause="no such zone")
        self.refused("provider", "test", "dns", "--dry-run", code=2)
        self.refused("provider", "test", "dns", "--dry-run", "--host", "a.example.org", code=2, cause="inside example.net")
        self.assertRegex(self.muster("provider", "test", "dns", "--dry-run", "--host", "a.example.net").stdout,
                         r"UPDATE 127\..*\n.*; delete a\.example\.net A; add a\.example\.net 60 A 192\.0\.2\.1\n")
        self.assertEqual(kdig(self.stack.dns, "a.example.net"), [])
        self.assertEqual(self.lines("provider", "stops"), [])
        self.assertEqual(self.json("provider", "resume", "dns")["lifted"], 0)
        self.assertEqual(self.muster("provider", "resume", "dns", "cam-1.example.net").stdout, "dns: 0 stops lifted\n")
        self.refused("provider", "resume", "other", code=5, error="other: nothing was resumed")
        self.refused("provider", "resume", "dns", "no name", code=2, error="dns: nothing was resumed")

    def test_a_long_filter_is_refused_whole(self):
        self.refused("device", "list", "--match", "x" * 5000, code=2)

    def test_what_a_terminal_shows(self):
        text = self.on_terminal("device", "list", columns=200)
        self.assertRegex(text, r"DEVICE +PRESENCE +IPV4 +IPV6 +GROUP +SITE +OPEN +SEEN +PROBLEM\r\n")
        self.assertRegex(text, r"cam-1 +\x1b\[32monline\x1b\[0m +93.184.216.34 ")
        self.assertRegex(text, r" (now|\d+[sm] ago) ")
        self.assertNotIn("\x1b", self.on_terminal("device", "list", columns=200, NO_COLOR="1"))
        self.assertNotIn("\x1b", self.on_terminal("status", columns=200, TERM="dumb"))
        for line in self.on_terminal("device", "list", columns=100, NO_COLOR="1").splitlines():
            self.assertLessEqual(len(line), 100)
        self.assertIn("No device fits.", self.on_terminal("device", "list", "--match", "none", columns=80))

    def on_terminal(self, *words, columns, **environment):
        """stdout and stderr of a command on a terminal that is so wide."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CLICOLOR_FORCE")}
        program = subprocess.Popen([MUSTER, *words, "--socket", self.socket], stdin=subprocess.DEVNULL, stdout=theirs,
                                   stderr=theirs, env={**clean, "TERM": "xterm", **environment})
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:  # EIO: the program has closed its end
            pass
        self.assertEqual(program.wait(DEADLINE), 0)
        return text.decode()


class Paging(Cli):
    """More devices than one answer holds, through the load generator's right of the bench plugin."""

    count = 2300

    @classmethod
    def prepare(cls):
        swarm = Authority(cls.work / "pki", "swarm")
        pki = cls.stack.pki
        pki.clients_bundle.write_text(pki.clients_bundle.read_text() + swarm.cert.read_text())
        cls.identity = swarm.issue("device", "swarm-1")
        cls.stack.broker = Broker(cls.work, pki, name="bench", plugin_options=f"plugin_opt_swarm_ca {swarm.cert}",
                                  plugin=build_dir() / "mqtt" / "broker" / "libmuster_observed_bench.so")
        cls.stack.write_config(broker=cls.stack.broker.endpoint, stamp=cls.stack.broker.stamp_key_file)

    @classmethod
    def populate(cls):
        """Retained, as devices publish: what the coordinator drops while it starts it reads back."""
        broker = cls.stack.broker
        client = Client(broker.address, broker.port, ca_file=broker.ca_file, identity=cls.identity)
        cls.addClassCleanup(client.disconnect)
        for number in range(cls.count):
            body = {"v": 1, "s": "on", "boot": 1, "conn": 1, "seq": 1, "ip4": f"93.184.{number // 200}.{number % 200 + 1}"}
            client.publish(topic("up", f"cam-{number}", "state"), json.dumps(body).encode(), retain=True)

    def all_is_written(self):
        status = self.json("status")
        return (status["devices"]["known"], status["records"]["open"]) == (self.count, 0)

    def test_every_page_is_fetched(self):
        wait_until(self.all_is_written, "all devices are known", step=0.1)  # a cheap question; the next one is none
        wait_until(lambda: len([row for row in self.lines("record", "list") if row[2] == "served"]) == self.count,
                   "all records are served")
        names = {f"cam-{number}" for number in range(self.count)}
        self.assertEqual({device["id"] for device in self.json("device", "list")["devices"]}, names)
        rows = self.lines("device", "list")
        self.assertEqual((len(rows), {row[0] for row in rows}), (self.count, names))
        rows = self.lines("record", "list")
        self.assertEqual((len(rows), {row[5] for row in rows}), (self.count, names))
        self.assertEqual(len(self.muster("record", "list", "--ndjson").stdout.splitlines()), self.count)
        self.assertEqual(len(self.lines("device", "list", "--limit", "1001")), 1001)
        self.assertEqual([row[0] for row in self.lines("device", "list", "--match", "cam-2299")], ["cam-2299"])
        self.guard_stops_a_sweep()

    def guard_stops_a_sweep(self):
        """A third of the zone goes wrong by another hand: nothing of it is touched without --force."""
        wrong = range(0, self.count, 2)
        for start in range(0, len(wrong), 200):
            lines = [line for number in wrong[start:start + 200] for line in (
                f"del cam-{number}.example.net A", f"add cam-{number}.example.net 60 A 192.0.2.9")]
            self.assertEqual(update(self.stack.dns, *lines), "")
        done = self.muster("zone", "sweep", "example.net", code=6)
        self.assertIn("more than 30 %", done.stderr)
        self.assertIn("muster zone sweep example.net --force", done.stderr)
        self.assertEqual(axfr(self.stack.dns)[("cam-0.example.net", "A")], ["192.0.2.9"])
        done = self.muster("status", "--check", code=1)
        self.assertEqual(done.stdout, "FAIL: zone example.net: sweep stopped by its guard\n")
        self.assertEqual(len(self.lines("zone", "diff", "example.net", code=10)), 1000)
        plan = self.work / "plan.json"
        self.assertRegex(self.muster("zone", "plan", "example.net", "-o", plan).stderr, r"\b15\d more differences")
        self.assertEqual(json.loads(plan.read_text())["guard"], "share")
        done = self.muster("zone", "apply", plan, code=6)
        self.assertIn("more than 30 %", done.stderr)
        self.assertEqual(axfr(self.stack.dns)[("cam-0.example.net", "A")], ["192.0.2.9"])
        self.muster("zone", "apply", plan, "--force")
        self.muster("zone", "sweep", "example.net", "--force")
        zone = wait_until(lambda: self.settled(), "the zone is repaired")
        for number in range(self.count):
            self.assertEqual(zone[(f"cam-{number}.example.net", "A")], [f"93.184.{number // 200}.{number % 200 + 1}"])

    def settled(self):
        zone = axfr(self.stack.dns)
        return zone if not any(value == ["192.0.2.9"] for value in zone.values()) else None


class Shared(Cli):
    options = {"mode": "shared"}

    def test_a_foreign_name_is_adopted(self):
        self.assertEqual(update(self.stack.dns, "add cam-7.example.net 60 A 192.0.2.7"), "")
        device = self.report("cam-7", ip4=V4)
        device.wait_ack(lambda ack: any(name["error"] == "foreign" for name in ack["names"]))
        refused = [("cam-7.example.net", "refused", V4, "-", "foreign")]  # once it is in the store; the ack does not wait for that
        wait_until(lambda: [(row[0], row[2], row[3], row[4], row[7]) for row in self.lines("record", "list", "--pending")] == refused,
                   "the record is refused")
        self.assertEqual(axfr(self.stack.dns)[("cam-7.example.net", "A")], ["192.0.2.7"])
        self.assertIn("refused records:      muster record list --pending", self.muster("status").stdout)
        told = self.refused("record", "retry", "cam-7.example.net", code=1, error="not written again", cause="foreign")
        self.assertIn("muster record adopt", told[0])
        self.muster("record", "adopt", "cam-7.example.net", "--type", "A")
        self.assertEqual(kdig(self.stack.dns, "cam-7.example.net"), [V4])
        wait_until(lambda: self.lines("record", "list", "--pending") == [], "nothing is pending")
        self.assertEqual(self.lines("record", "list", "--device", "cam-7")[0][2], "served")


class Trouble(Cli):
    """Each test breaks something and mends it again."""

    def setUp(self):
        wait_until(lambda: self.checked(0), "all is well")

    def test_no_coordinator(self):
        self.stack.coordinator.stop()
        self.addCleanup(self.stack.start_coordinator)
        for words in (("status",), ("device", "list"), ("record", "show", "a.example.net"), ("zone", "sweep", "example.net")):
            match = self.refused(*words, code=1, cause="control.sock: No such file or directory")
            self.assertIn("systemctl start muster-coordinator", match[3])
        done = self.muster("device", "list", "--json", code=1)
        self.assertEqual((done.stdout, json.loads(done.stderr)["error"]["id"]), ("", "not-running"))
        done = self.muster("status", "--check", code=1)
        self.assertEqual(done.stdout, "FAIL: the coordinator does not answer\n")

    def test_a_socket_that_nobody_serves(self):
        self.stack.coordinator.kill()
        self.addCleanup(self.stack.start_coordinator)
        self.refused("status", code=1, cause="Connection refused")

    def test_a_coordinator_that_does_not_answer(self):
        self.stack.coordinator.signal(signal.SIGSTOP)
        self.addCleanup(self.stack.coordinator.signal, signal.SIGCONT)
        self.refused("status", "--timeout", "200ms", code=7)

    def test_no_dns_server(self):
        device = self.report("cam-3", ip4=V4)
        device.wait_ack(lambda ack: ack["names"] and ack["names"][0]["state"] == "applied")
        wait_until(lambda: self.lines("record", "list", "--pending") == [], "the record rests")
        self.stack.dns.stop()
        self.addCleanup(lambda: self.stack.dns.process.running() or self.stack.dns.start())
        match = self.refused("record", "retry", "cam-3.example.net", "--wait", "300ms", code=8)
        self.assertIn("muster zone list", match[3])
        self.assertIn("zone example.net is ", wait_until(lambda: self.checked(1), "the check fails").stdout)
        self.assertEqual([row[2] for row in self.lines("record", "list", "--pending")], ["pending"])
        self.stack.dns.start()
        wait_until(lambda: self.lines("record", "list", "--pending") == [], "the record is written after all")

    def test_a_reload_ends_a_test_of_an_account(self):
        server, coordinator = self.stack.dns.process, self.stack.coordinator
        mark = coordinator.mark()
        server.signal(signal.SIGSTOP)
        self.addCleanup(server.signal, signal.SIGCONT)
        asking = subprocess.Popen([MUSTER, "provider", "test", "dns", "--socket", self.socket], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        coordinator.wait_log("action=provider-test", since=mark)
        coordinator.signal(signal.SIGHUP)
        coordinator.wait_log("reloaded", since=mark)
        out, err = asking.communicate(timeout=DEADLINE)
        self.assertEqual((asking.returncode, out), (1, ""))
        self.assertIn("a reload", err)

    def test_no_broker(self):
        self.stack.broker.stop()
        self.addCleanup(self.stack.broker.start)
        done = wait_until(lambda: self.checked(1), "the check fails")
        self.assertEqual(done.stdout, "FAIL: broker is not connected\n")
        self.assertRegex(self.muster("status").stdout, r"(?m)^broker +disconnected ")

    def checked(self, code):
        done = subprocess.run([MUSTER, "status", "--check", "--socket", self.socket], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        return done if done.returncode == code else None

    def test_a_user_without_the_right(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to be another user")
        program = self.work / "muster"
        shutil.copy(MUSTER, program)
        self.socket.chmod(0o600)
        done = self.muster("status", code=4, program=program, user=65534, group=65534, extra_groups=[])
        self.assertIn("Permission denied", REPORT.match(done.stderr)[2])

    def test_another_program_behind_the_socket(self):
        path = self.work / "other.sock"
        program = "import socket,sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print('up', flush=True)\n" \
                  "while True: c = s.accept()[0]; c.recv(4096); c.sendall(b'220 mail ready\\r\\n'); c.close()"
        with Process(["/usr/bin/python3", "-c", program, path], self.work / "other.log") as other:
            other.wait_log("up")
            done = subprocess.run([MUSTER, "status", "--socket", path], capture_output=True, text=True, timeout=DEADLINE,
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, REPORT)


if __name__ == "__main__":
    unittest.main()
