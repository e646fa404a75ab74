#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The coordinator between a real broker and a real authoritative server."""
import unittest

from muster_testlib.dns import Bind, Knot, wait_answer
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


class SpineOnBind(Spine):
    server = Bind


if __name__ == "__main__":
    unittest.main()
