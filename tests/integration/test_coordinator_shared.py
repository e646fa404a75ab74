#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A shared zone: what is ours stays ours when answers get lost, and what somebody deletes comes back."""
import json
import signal
import unittest

from muster_testlib.coordinator import RFC2136
from muster_testlib.dns import kdig, update, wait_answer
from muster_testlib.faultproxy import FaultProxy
from muster_testlib.procs import Workspace, wait_until
from muster_testlib.stack import Stack
from muster_testlib.unixhttp import UnixConnection

ZONE = "example.net"
NAME = f"cam-1.{ZONE}"


class Shared(unittest.TestCase):
    def setUp(self):
        work = Workspace()
        self.addCleanup(work.close)
        self.stack = Stack(work, mode="shared")
        self.proxy = FaultProxy(self.stack.dns.address, self.stack.dns.port)
        self.addCleanup(self.proxy.close)
        values = {**self.stack.values, "server": f"{self.proxy.address}:{self.proxy.port}"}
        self.stack.write_config(account=RFC2136.format(**values))
        self.stack.start()
        self.addCleanup(self.stack.__exit__)
        self.device = self.stack.device("cam-1").connect()
        self.addCleanup(self.device.close)

    def applied(self, address):
        self.device.report(ip4=address)
        self.device.wait_ack(lambda ack: ack["names"] and ack["names"][0]["value"] == address and ack["names"][0]["state"] == "applied")

    def written_without_an_answer(self, address):
        """The server has it, the coordinator does not know."""
        self.proxy.mode = "mute"
        self.device.report(ip4=address)
        wait_answer(self.stack.dns, NAME, "A", [address])
        self.device.wait_ack()

    def lose(self):
        self.proxy.reset()
        self.proxy.mode = "pass"

    def ask(self, path, method="GET"):
        connection = UnixConnection(self.stack.folder / "control.sock")
        connection.request(method, path)
        body = connection.getresponse().read()
        connection.close()
        return json.loads(body)

    def test_a_kill_between_update_and_answer(self):
        for address in ("93.184.216.1", "93.184.216.2"):  # the first write, and a later one
            self.written_without_an_answer(address)
            self.stack.coordinator.kill()
            self.lose()
            self.stack.start_coordinator()
            wait_until(lambda: self.ask("/v1/records")["records"][0]["have"] == [address], "what was written is known")
        self.applied("93.184.216.3")

    def test_a_reload_between_update_and_answer(self):
        for address in ("93.184.216.1", "93.184.216.2"):
            self.written_without_an_answer(address)
            mark = self.stack.coordinator.mark()
            self.stack.coordinator.signal(signal.SIGHUP)
            self.stack.coordinator.wait_log("reloaded", since=mark)
            self.lose()
            wait_until(lambda: self.ask("/v1/records")["records"][0]["have"] == [address], "what was written is known")
        self.applied("93.184.216.3")

    def test_a_record_that_somebody_deletes_is_made_again(self):
        self.applied("93.184.216.1")
        self.assertEqual(update(self.stack.dns, f"del {NAME}. A"), "")
        wait_until(lambda: self.ask(f"/v1/zones/{ZONE}/diff")["missing"] == 1, "the record rests")
        self.assertFalse(self.ask(f"/v1/zones/{ZONE}/sweep", "POST")["stopped"])
        wait_answer(self.stack.dns, NAME, "A", ["93.184.216.1"])


if __name__ == "__main__":
    unittest.main()
