#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The coordinator between a real broker and a real authoritative server."""
import contextlib
import json
import signal
import sqlite3
import subprocess
import unittest

from muster_testlib import procs
from muster_testlib.dns import Bind, Knot, kdig, wait_answer
from muster_testlib.mqttclient import Client
from muster_testlib.procs import Workspace
from muster_testlib.stack import Stack


class Spine(unittest.TestCase):
    server = Knot

    def setUp(self):
        self.work = Workspace()
        self.addCleanup(self.work.close)
        self.stack = Stack(self.work, server=self.server).start()
        self.addCleanup(self.stack.__exit__)

    def test_a_change_becomes_an_answer_and_an_ack(self):
        device = self.stack.device("cam-1").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.34", ip6="2a00:1450:4001:81b::200e")
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.34"])
        wait_answer(self.stack.dns, "cam-1.example.net", "AAAA", ["2a00:1450:4001:81b::200e"])
        ack = device.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        self.assertEqual({name["type"] for name in ack["names"]}, {"A", "AAAA"})
        device.report(ip4="93.184.216.35", ip6=None)
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.35"])
        wait_answer(self.stack.dns, "cam-1.example.net", "AAAA", [])

    def test_a_restart_resumes_and_loses_nothing(self):
        device = self.stack.device("cam-2").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.1")
        device.wait_ack()
        self.stack.coordinator.kill()
        device.report(ip4="93.184.216.2")
        self.stack.start_coordinator()
        wait_answer(self.stack.dns, "cam-2.example.net", "A", ["93.184.216.2"])


    def reload(self):
        mark = self.stack.coordinator.mark()
        self.stack.coordinator.signal(signal.SIGHUP)
        return mark

    def test_the_stamp_key_is_changed_without_a_restart(self):
        device = self.stack.device("cam-9").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.9")
        device.wait_ack()
        self.stack.broker.stamp_key_file.write_text("5a" * 32 + "\n")
        self.stack.broker.reload()
        self.stack.coordinator.wait_log("reloaded", since=self.reload())
        device.report(ip4="93.184.216.10")
        wait_answer(self.stack.dns, "cam-9.example.net", "A", ["93.184.216.10"])
        self.stack.broker.stamp_key_file.write_text("short\n")
        self.stack.coordinator.wait_log("reload-refused.*64 hex digits", since=self.reload())
        device.report(ip4="93.184.216.11")
        wait_answer(self.stack.dns, "cam-9.example.net", "A", ["93.184.216.11"])

    def test_a_reload_registers_what_reported_before(self):
        device = self.stack.device("door-1").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.9")
        self.assertEqual(device.wait_ack()["error"], "unregistered")
        self.work.write("coordinator/registry.yaml", 'devices:\n  - {match: "cam-*", group: cameras}\n  - {id: door-1, group: cameras}\n')
        self.stack.coordinator.wait_log("reloaded", since=self.reload())
        wait_answer(self.stack.dns, "door-1.example.net", "A", ["93.184.216.9"])

    def test_a_broken_config_changes_nothing(self):
        self.stack.write_config(groups="  - name: cameras\n    names: [{name: \"{idd}.example.net\"}]\n")
        self.stack.coordinator.wait_log("reload-refused.*unknown variable", since=self.reload())
        device = self.stack.device("cam-3").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.10")
        wait_answer(self.stack.dns, "cam-3.example.net", "A", ["93.184.216.10"])

    def test_names_that_could_collide_are_warned_about(self):
        self.stack.write_config(groups='  - name: cameras\n    names: [{name: "{id}.example.net"}]\n'
                                       '  - name: doors\n    names: [{name: "cam-{id}.example.net"}]\n')
        registry = 'devices:\n  - {match: "cam-*", group: cameras}\n'
        self.work.write("coordinator/registry.yaml", registry + '  - {match: "d*", group: doors}\n')
        self.stack.coordinator.wait_log("name-collision .*registry.yaml:2:5: .* cam-d1.example.net.*registry.yaml:3:5",
                                        since=self.reload())
        def check():
            return subprocess.run([self.stack.coordinator.argv[0], "--check-config", "-c", self.stack.config_file],
                                  capture_output=True, text=True, timeout=procs.DEADLINE, check=False)
        warned = check()
        self.assertEqual(warned.returncode, 0)
        self.assertIn("a device cam-d1 would have the name cam-d1.example.net, as d1 of d* would", warned.stderr)
        # both, in either order: the first one has the name, the other is told
        first, second = self.stack.device("d1").connect(), self.stack.device("cam-d1").connect()
        for device, state in ((first, "applied"), (second, "refused")):
            self.addCleanup(device.close)
            device.report(ip4=f"93.184.216.{2 if device is first else 3}")
            device.wait_ack(lambda ack, state=state: all(name["state"] == state for name in ack["names"] if name["type"] == "A"))
        self.assertEqual(kdig(self.stack.dns, "cam-d1.example.net"), ["93.184.216.2"])
        self.work.write("coordinator/registry.yaml", registry + "  - {id: d1, group: doors}\n  - {id: cam-d1, group: cameras}\n")
        self.stack.coordinator.wait_log("reload-refused.*cam-d1.example.net belongs to d1 already", since=self.reload())
        self.assertEqual(check().returncode, 78)

    def test_the_check_says_what_the_start_would(self):
        program = self.stack.coordinator.argv[0]
        def run(*arguments):
            return subprocess.run([program, *arguments, "-c", self.stack.config_file], capture_output=True, text=True,
                                  timeout=procs.DEADLINE, check=False)
        good = run("--check-config")
        self.assertEqual(good.returncode, 0, good.stderr)
        missing = self.work / "missing"
        self.stack.coordinator.stop()
        values = {key: self.stack.values[key] for key in ("ca", "cert", "key", "stamp", "address", "account")}
        account = values["account"].replace(str(self.stack.values["tsig"]), str(missing))
        told = {"ca": f"broker.ca_file: {missing}", "cert": f"broker.cert_file: {missing}",
                "key": f"broker.key_file: {missing}", "stamp": "broker.stamp_key_file", "address": "metrics.listen: 0.0.0.0",
                "account": f"TSIG key file {missing}"}
        bad = {"ca": missing, "cert": missing, "key": missing, "stamp": missing, "address": "0.0.0.0", "account": account}
        for keys in [[key] for key in told] + [list(told)]:
            self.stack.write_config(**{**values, **{key: bad[key] for key in keys}})
            for arguments in (["--check-config"], []):
                with self.subTest(keys=keys, arguments=arguments):
                    refused = run(*arguments)
                    self.assertEqual(refused.returncode, 78, refused.stderr)
                    for key in keys:
                        self.assertIn(told[key], refused.stderr)
            self.assertEqual(run("--dump-config").returncode, 0)
        self.stack.write_config(**values)
        other, server = self.stack.pki.service("svc-coord2"), self.stack.pki.servers.issue("server", "svc-coord1", file="wrong")
        device = self.stack.pki.device("cam-9")
        key = self.work.write("coordinator/open.key", values["key"].read_text(), 0o644)
        good = self.stack.config_file.read_text()
        for more, line in (
                ({"key": other.key}, f"broker.key_file: {other.key}: is not the key of {values['cert']}; name the two"),
                ({"key": key}, f"broker.key_file: {key}: anyone may read it; chmod o-rwx it"),
                ({"key": values["ca"]}, f"broker.key_file: {values['ca']}: no key for {values['cert']}: "),
                ({"key": other.key, "cert": other.cert}, "is of 'svc-coord2', but client_id is 'svc-coord1'; make them equal"),
                ({"key": device.key, "cert": device.cert}, "is of 'cam-9', but client_id is 'svc-coord1'; make them equal"),
                ({"key": server.key, "cert": server.cert}, f"broker.cert_file: {server.cert}: is a server's; issue one with"),
                ({"broker": "localhost"}, "coordinator.yaml:2:15: broker.endpoints[0]: `localhost`: the port is missing: write host:port"),
                ({"broker": "localhost:0"}, "coordinator.yaml:2:15: broker.endpoints[0]: `localhost:0`: the port is not a number from 1 to 65535"),
                ({"broker": "mqtts://foo bar"}, "coordinator.yaml:2:15: broker.endpoints[0]: `mqtts://foo bar`: the port is not a number"),
                ({"store": missing}, f"store.path: {missing}/coordinator.db: its folder is missing; make it"),
                ({"address_line": "  socket: /run/" + "x" * 110}, "x...`: a socket's path has at most 107 bytes"),
                ({"address_line": '  mode: "0888"'}, "coordinator.yaml:12:9: control.mode: `0888`: not octal; write permission bits such as"),
                ({"address_line": '  mode: "7660"'}, "control.mode: `7660`: more than permission bits"),
                ({"account": values["account"] + "    retry_min: 2m\n    retry_max: 1m\n"},
                 "accounts: dns: retry_min is longer than retry_max; swap them")):
            line_of_control = more.pop("address_line", None)
            self.stack.write_config(**{**values, "broker": self.stack.broker.endpoint, "store": self.stack.folder, **more})
            if line_of_control is not None:
                text = good.replace(f"  socket: {self.stack.folder}/control.sock", line_of_control)
                self.assertNotEqual(text, good)
                self.work.write("coordinator/coordinator.yaml", text)
            for arguments in (["--check-config"], []):
                with self.subTest(line=line, arguments=arguments):
                    refused = run(*arguments)
                    self.assertEqual(refused.returncode, 78, refused.stderr)
                    self.assertIn(line, refused.stderr)
        self.stack.write_config(**{**values, "broker": self.stack.broker.endpoint, "store": self.stack.folder})
        self.assertEqual(run("--check-config").returncode, 0)

    def test_a_reload_with_a_corrected_account_sends_what_was_refused(self):
        good = self.stack.values["account"]
        self.stack.write_config(account=good.replace("tsig.key", "wrong.key"))
        self.work.write("coordinator/wrong.key", 'key "nobody" { algorithm hmac-sha256; secret "bm9ib2R5IG5vYm9keSBub2JvZHk="; };\n', 0o600)
        self.stack.coordinator.wait_log("reloaded", since=self.reload())
        device = self.stack.device("cam-4").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.11")
        device.wait_ack()
        self.assertEqual(kdig(self.stack.dns, "cam-4.example.net"), [])
        self.stack.write_config(account=good)
        self.stack.coordinator.wait_log("reloaded", since=self.reload())
        wait_answer(self.stack.dns, "cam-4.example.net", "A", ["93.184.216.11"])

    def test_a_clean_stop_says_off_and_ends_well(self):
        broker = self.stack.broker
        watcher = Client(broker.address, broker.viewers_port, client_id="Watcher.1")
        self.addCleanup(watcher.abort)
        watcher.subscribe("muster/v1/coord/svc-coord1/state")
        device = self.stack.device("cam-3").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.3")
        device.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        self.assertEqual(self.stack.coordinator.stop(), 0)
        said = [json.loads(message.payload)["s"] for message in watcher.wait_messages(2)]
        self.assertEqual(said, ["on", "off"])  # a clean end publishes no will


class SpineOnBind(Spine):
    server = Bind


class ReloadInTheMiddle(unittest.TestCase):
    """A reload while the store works on a zone's claim, which then ends in another configuration."""

    OTHER = "example.org"

    def setUp(self):
        self.work = Workspace()
        self.addCleanup(self.work.close)
        self.stack = Stack(self.work, server=lambda work, **options: Knot(work, zones=["example.net", self.OTHER], **options),
                           zones=f"  - {{name: {self.OTHER}, account: dns}}\n").start()
        self.addCleanup(self.stack.__exit__)
        self.coordinator = self.stack.coordinator
        self.coordinator.wait_log(f"zone-claimed.*zone={self.OTHER}")

    def reload(self):
        mark = self.coordinator.mark()
        self.coordinator.signal(signal.SIGHUP)
        self.coordinator.wait_log("reloaded", since=mark)
        return mark

    def check(self, **changes):
        """Every zone is claimed anew at a reload. The store is locked, so the claims wait while the next one comes."""
        database = sqlite3.connect(self.stack.folder / "coordinator.db", timeout=procs.DEADLINE, isolation_level=None)
        with contextlib.closing(database) as store:
            store.execute("BEGIN IMMEDIATE")
            mark = self.reload()
            for zone in ("example.net", self.OTHER):
                self.coordinator.wait_log(f"zone-claiming.*zone={zone}", since=mark)
            self.stack.write_config(**changes)
            mark = self.reload()
            store.execute("ROLLBACK")
        self.coordinator.wait_log(f"zone-claim(ed|-failed).*zone={self.OTHER}", since=mark)  # the old one's, whatever became of it
        device = self.stack.device("cam-1").connect()
        self.addCleanup(device.close)
        device.report(ip4="93.184.216.34")
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.34"])
        device.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))
        self.assertEqual(self.coordinator.stop(), 0)

    def test_with_the_zone_still_there(self):
        self.check()

    def test_with_the_zone_gone(self):
        self.check(zones="")


if __name__ == "__main__":
    unittest.main()
