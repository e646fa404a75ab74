#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same path to a dyndns2 service over HTTPS: broker, coordinator, a strict service that feeds a real zone."""
import json
import pathlib
import signal
import subprocess
import sys
import unittest

from muster_testlib import build_dir, source_dir
from muster_testlib.dns import kdig, update, wait_answer
from muster_testlib.procs import DEADLINE, Workspace, wait_until
from muster_testlib.stack import Stack

sys.path.insert(0, str(pathlib.Path(source_dir()) / "tests" / "contract"))
from dyndns2_server import Held, Service  # noqa: E402

ACCOUNT = """\
  - name: dns
    provider: dyndns2
    url: "{url}"
    username: fleet
    password_file: {password}
    ca_file: {ca}
    verify_server: "{server}"
    retry_min: 50ms
    retry_max: 500ms
    timeout: 60s
"""


class Dyndns2(unittest.TestCase):
    def setUp(self):
        self.work = Workspace()
        self.addCleanup(self.work.close)
        password = self.work.write("password", "pass word\n", 0o600)
        text = ACCOUNT.replace("{url}", "@URL@").replace("{password}", str(password))
        self.stack = Stack(self.work, account=text)
        self.service = Service(self.stack.pki, self.stack.dns)
        self.addCleanup(self.service.close)
        self.stack.write_config(account=self.stack.values["account"].replace("@URL@", self.service.url))
        self.stack.start()
        self.addCleanup(self.stack.__exit__)
        self.device = self.stack.device("cam-1").connect()
        self.addCleanup(self.device.close)

    def applied(self, device, address):
        device.report(ip4=address)
        device.wait_ack(lambda ack: ack["names"][0]["state"] == "applied")

    def zone(self, verb):
        """What `muster zone VERB` finds."""
        done = subprocess.run([build_dir() / "cli" / "muster", "zone", verb, "example.net", "--json", "--socket",
                               self.stack.folder / "control.sock"], capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def refresh_every(self, period):
        self.stack.write_config(refresh=period)
        mark = self.stack.coordinator.mark()
        self.stack.coordinator.signal(signal.SIGHUP)
        self.stack.coordinator.wait_log("reloaded", since=mark)

    def test_a_change_reaches_the_service_and_the_ack_says_so(self):
        self.device.report(ip4="93.184.216.34")
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.34"])
        ack = self.device.wait_ack(lambda ack: ack["names"][0]["state"] == "applied")
        self.assertEqual(ack["names"][0]["value"], "93.184.216.34")
        self.assertEqual(self.service.faults, [])

    def test_a_refusal_is_told_to_the_device_and_not_repeated(self):
        self.service.script[:] = ["nohost\n"]
        self.device.report(ip4="93.184.216.34")
        ack = self.device.wait_ack(lambda ack: ack["names"][0]["state"] == "refused")
        self.assertEqual(ack["names"][0]["error"], "nohost")
        sent = len(self.service.requests)
        self.device.report(ip4="93.184.216.35")
        self.device.wait_ack(lambda ack: ack["names"][0]["state"] == "refused")
        self.assertEqual(len(self.service.requests), sent)
        done = self.run_muster("record", "retry", "cam-1.example.net")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"cause: nohost\n +hint: .*muster provider stops")
        self.assertEqual(len(self.muster("stops")["stops"]), 1)
        self.assertEqual(self.muster("resume", "dns", "cam-1.example.net"), {"lifted": 1})  # as it was listed, whatever its types

    def test_a_stopped_account_is_an_alarm_and_told_to_every_device(self):
        self.service.script[:] = ["badauth\n"]
        mark = self.stack.coordinator.mark()
        self.device.report(ip4="93.184.216.34")
        self.stack.coordinator.wait_log("provider-alarm", since=mark)
        self.device.wait_ack(lambda ack: ack["names"][0]["error"] == "badauth")
        other = self.stack.device("cam-2").connect()
        self.addCleanup(other.close)
        other.report(ip4="93.184.216.35")
        other.wait_ack(lambda ack: ack["names"][0]["error"] == "badauth")
        self.assertEqual(len(self.service.requests), 1)
        wait_until(lambda: len(self.pending()) == 2, "both are in the store")
        self.assertEqual([row[2::5] for row in self.pending()], [["pending", "badauth"]] * 2)
        done = self.run_muster("record", "retry", "cam-1.example.net")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertRegex(done.stderr, r"cause: account dns is stopped: badauth: .*\n +hint: .*muster provider resume")

    def test_an_unknown_outcome_is_settled_by_asking_the_authoritative_server(self):
        self.service.script[:] = ["apply-html"]
        self.device.report(ip4="93.184.216.36")
        self.device.wait_ack(lambda ack: ack["names"][0]["state"] == "applied")
        self.assertEqual(len([r for r in self.service.requests]), 1)

    def test_a_restart_sends_what_was_not_served(self):
        self.service.script[:] = [(503, "busy", [("Retry-After", "3600")])]
        self.device.report(ip4="93.184.216.37")
        self.device.wait_ack()
        wait_until(lambda: len(self.service.requests) == 1, "the service was asked")
        wait_until(lambda: self.muster("accounts")["accounts"][0]["error"] == "servererror", "the account says what is wrong")
        self.stack.coordinator.kill()
        self.stack.start_coordinator()
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.37"])

    def run_muster(self, *words):
        return subprocess.run([build_dir() / "cli" / "muster", *words, "--socket", self.stack.folder / "control.sock"],
                              capture_output=True, text=True, check=False, timeout=DEADLINE)

    def pending(self):
        return [line.split("\t") for line in self.run_muster("record", "list", "--pending").stdout.splitlines()]

    def muster(self, *words):
        """What a person asks and says about the service's complaint."""
        done = subprocess.run([build_dir() / "cli" / "muster", "provider", *words, "--json", "--socket", self.stack.folder / "control.sock"],
                              capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_an_account_is_tested(self):
        """The service cannot list; its password is "pass word"."""
        self.applied(self.device, "93.184.216.44")
        asked = len(self.service.requests)
        dry = self.muster("test", "dns", "--dry-run", "--host", "cam-9.example.net")
        self.assertEqual(len(self.service.requests), asked)
        first = dry["requests"][0]
        self.assertEqual((first["stage"], first["method"], first["want"]), ("change", "GET", ["192.0.2.1"]))
        self.assertIn("hostname=cam-9.example.net", first["url"])
        self.assertIn("Authorization: Basic <redacted>", first["headers"])
        self.assertNotIn("pass", json.dumps(dry).replace("password", ""))
        command = [build_dir() / "cli" / "muster", "provider", "test", "dns", "--socket", self.stack.folder / "control.sock"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("cannot list", done.stderr)
        self.assertIn("--host", done.stderr)
        done = subprocess.run([*command, "--host", "cam-1.example.net"], capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("cam-1.example.net: written again", done.stderr)
        self.assertGreater(len(self.service.requests), asked)
        self.assertEqual(kdig(self.stack.dns, "cam-1.example.net"), ["93.184.216.44"])

    def test_a_dry_run_sends_no_lookup_and_says_so(self):
        key = self.work.write("key", "sk1_secret\n", 0o600)
        account = f"  - {{name: other, provider: porkbun, username: pk1_key, password_file: {key}, connect_to: '127.0.0.1:1'}}\n"
        self.stack.write_config(account=self.stack.values["account"] + account,
                                zones="  - {name: example.com, account: other}\n")
        mark = self.stack.coordinator.mark()
        self.stack.coordinator.signal(signal.SIGHUP)
        self.stack.coordinator.wait_log("reloaded", since=mark)
        done = self.run_muster("provider", "test", "other", "--dry-run", "--host", "a.example.com")
        self.assertRegex(done.stdout, r"A: lookup of the zone\n  POST https://api\.porkbun\.com/.*\n(.*\n)+  Nothing was sent\.")
        self.assertNotRegex(done.stdout, "pk1|sk1")

    def test_what_was_sent_before_a_crash_is_asked_for_and_not_repeated(self):
        held = Held()
        self.service.script[:] = [held]
        self.device.report(ip4="93.184.216.41")
        self.assertTrue(held.arrived.wait(DEADLINE))
        self.stack.coordinator.kill()
        held.released.set()
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.41"])
        self.stack.start_coordinator()
        self.device.wait_ack(lambda ack: ack["names"][0]["state"] == "applied")
        self.assertEqual(len(self.service.requests), 1)

    def test_a_stop_outlives_a_restart_and_ends_when_a_person_says_so(self):
        self.service.script[:] = ["badauth\n"]
        mark = self.stack.coordinator.mark()
        self.device.report(ip4="93.184.216.42")
        self.stack.coordinator.wait_log("provider-stopped", since=mark)
        wait_until(lambda: self.muster("stops")["stops"], "the stop is known")
        self.stack.coordinator.signal(signal.SIGHUP)
        self.stack.coordinator.wait_log("reloaded", since=mark)
        self.stack.coordinator.kill()
        self.stack.start_coordinator()
        self.stack.coordinator.wait_log("provider-alarm name=cam-1.example.net type=A alarm=badauth")
        stops = self.muster("stops")["stops"]
        self.assertEqual([(stop["account"], stop["name"], stop["error"]) for stop in stops], [("dns", "", "badauth")])
        account = self.muster("accounts")["accounts"][0]
        self.assertEqual((account["state"], account["error"], account["zones"]), ("broken", "badauth", ["example.net"]))
        self.assertEqual(len(self.service.requests), 1)
        self.assertEqual(self.muster("resume", "dns"), {"lifted": 1})
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.42"])
        self.assertEqual(self.muster("stops")["stops"], [])
        self.stack.coordinator.stop()
        self.stack.start_coordinator()
        self.assertEqual(self.muster("stops")["stops"], [])
        self.assertEqual(self.muster("accounts")["accounts"][0]["state"], "running")

    def test_a_stop_ends_when_the_accounts_password_changes(self):
        self.service.script[:] = ["badauth\n"]
        self.device.report(ip4="93.184.216.43")
        self.device.wait_ack(lambda ack: ack["names"][0]["error"] == "badauth")
        self.work.write("password", "new word\n", 0o600)
        self.service.password = "new word"
        mark = self.stack.coordinator.mark()
        self.stack.coordinator.signal(signal.SIGHUP)
        self.stack.coordinator.wait_log(r"stop-lifted account=dns name=\* error=badauth", since=mark)
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.43"])
        self.assertEqual(self.service.faults, [])

    def test_a_sweep_of_a_zone_that_cannot_be_listed_touches_nothing(self):
        self.refresh_every("25d")
        self.applied(self.device, "93.184.216.38")
        self.assertEqual(update(self.stack.dns, "del cam-1.example.net. A", "add cam-1.example.net. 60 A 203.0.113.66",
                                "add stranger.example.net. 60 A 203.0.113.9"), "")

        def found(verb):
            when = ("name", "store", "time", "time_ms")
            return {key: value for key, value in self.zone(verb).items() if value and key not in when}

        as_written = {"existing": 1}  # once the outcome is in the store; the ack does not wait for that
        wait_until(lambda: found("diff") == as_written, "the zone is as was written")
        self.assertEqual(found("sweep"), as_written)
        other = self.stack.device("cam-2").connect()
        self.addCleanup(other.close)
        self.applied(other, "93.184.216.39")  # behind whatever the sweep may have queued
        self.assertEqual(self.service.requests, [(["cam-1.example.net"], "93.184.216.38"), (["cam-2.example.net"], "93.184.216.39")])
        self.assertEqual(kdig(self.stack.dns, "cam-1.example.net"), ["203.0.113.66"])
        self.assertEqual(kdig(self.stack.dns, "stranger.example.net"), ["203.0.113.9"])

    def test_an_unchanged_name_is_written_again_after_refresh_every_and_not_before(self):
        self.applied(self.device, "93.184.216.40")
        self.refresh_every("1s")
        for requests in (2, 3):
            wait_until(lambda: self.zone("sweep")["refreshed"] == 1, "the name is due", step=0.05)
            wait_until(lambda: len(self.service.requests) == requests, "the service sees it again")
        self.assertEqual(self.service.requests, [(["cam-1.example.net"], "93.184.216.40")] * 3)
        first, second, third = self.service.times
        self.assertGreater(second - first, 0.99)
        self.assertGreater(third - second, 0.99)  # counted from the write before, not from the first
        self.refresh_every("0s")
        self.assertEqual(self.zone("sweep")["refreshed"], 0)
        self.assertEqual(self.service.faults, [])


if __name__ == "__main__":
    unittest.main()
