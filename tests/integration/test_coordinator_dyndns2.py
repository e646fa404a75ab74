#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same path to a dyndns2 service over HTTPS: broker, coordinator, a strict service that feeds a real zone."""
import pathlib
import sys
import unittest

from muster_testlib import source_dir
from muster_testlib.dns import wait_answer
from muster_testlib.procs import Workspace, wait_until
from muster_testlib.stack import Stack

sys.path.insert(0, str(pathlib.Path(source_dir()) / "tests" / "contract"))
from dyndns2_server import Service  # noqa: E402

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
    timeout: 3s
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
        self.stack.coordinator.kill()
        self.stack.start_coordinator()
        wait_answer(self.stack.dns, "cam-1.example.net", "A", ["93.184.216.37"])


if __name__ == "__main__":
    unittest.main()
