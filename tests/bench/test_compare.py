#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The oracle must be able to fail: each kind of wrong zone is planted and has to be reported."""
import json
import pathlib
import subprocess
import sys
import unittest

from muster_testlib.dns import Knot
from muster_testlib.procs import Workspace

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from musterbench.tools import Tool  # noqa: E402 (its folder is not a package of the system)

DEVICES = 50


def address(device, generation):
    """As raw-feed counts."""
    number = (device + 1 + generation * 1048583) & 0xFFFFFF
    return f"45.{number >> 16}.{number >> 8 & 255}.{number & 255}"


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Workspace()
        cls.dns = Knot(cls.work).start()
        cls.addClassCleanup(cls.work.close)
        cls.addClassCleanup(cls.dns.stop)
        cls.feed = Tool("raw-feed", ["--server", f"{cls.dns.address}:{cls.dns.port}", "--zone", "example.net", "--key",
                                     f"{cls.dns.key_name}:{cls.dns.secret}"], cls.work / "feed.log")
        cls.addClassCleanup(cls.feed.stop)

    def setUp(self):
        self.feed.ask(f"feed {DEVICES} 2 20 2")
        for name in ("nobody", "cam-000007", "_muster-owner"):
            self.update(*(f"del {name}.example.net. {kind}" for kind in ("AAAA", "TXT")))
        lines = [f"0.1 cam-{i:06d} 1 1 {address(i, 1)}\n0.2 cam-{i:06d} 1 2 {address(i, 2)}\n" for i in range(DEVICES)]
        self.log = self.work.write("oracle", "".join(lines))

    def compare(self):
        done = subprocess.run(["/usr/bin/python3", HERE / "compare-zone", "--server", self.dns.address, "--port",
                               str(self.dns.port), "--zone", "example.net", "--key", self.dns.tsig, "--log", self.log],
                              capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if found["lost"] == found["wrong"] == 0 else 1)
        return found["lost"], found["wrong"]

    def update(self, *lines):
        text = "\n".join([f"server {self.dns.address} {self.dns.port}", "zone example.net.", *lines, "send", ""])
        subprocess.run(["knsupdate", "-y", self.dns.tsig], input=text, text=True, check=True)

    def test_a_right_zone(self):
        self.assertEqual(self.compare(), (0, 0))

    def test_one_wrong_record(self):
        self.feed.ask("one 7 3")
        self.assertEqual(self.compare(), (0, 1))

    def test_an_older_report_is_wrong(self):
        self.feed.ask("one 7 1")
        self.assertEqual(self.compare(), (0, 1))

    def test_a_lost_record(self):
        self.update("del cam-000007.example.net. A")
        self.assertEqual(self.compare(), (1, 0))

    def test_two_addresses(self):
        self.update("add cam-000007.example.net. 60 A 9.9.9.9")
        self.assertEqual(self.compare(), (0, 1))

    def test_a_record_of_nobody(self):
        self.update("add nobody.example.net. 60 A 9.9.9.9")
        self.addCleanup(self.update, "del nobody.example.net. A")
        self.assertEqual(self.compare(), (0, 1))

    def test_a_second_family_that_nobody_reported(self):
        self.update("add cam-000007.example.net. 60 AAAA 2001:db8::7")
        self.assertEqual(self.compare(), (0, 1))

    def test_another_type_of_nobody(self):
        self.update("add nobody.example.net. 60 TXT stray")
        self.assertEqual(self.compare(), (0, 1))

    def test_another_type_at_a_device(self):
        self.update("add cam-000007.example.net. 60 TXT stray")
        self.assertEqual(self.compare(), (0, 1))

    def test_the_mark_of_the_owner_belongs_there(self):
        self.update("add _muster-owner.example.net. 60 TXT epoch=1")
        self.assertEqual(self.compare(), (0, 0))

    def test_all_kinds_at_once_are_counted(self):
        self.feed.ask("one 1 1")
        self.feed.ask("one 2 1")
        self.update("del cam-000003.example.net. A", "add nobody.example.net. 60 AAAA 2001:db8::1")
        self.assertEqual(self.compare(), (1, 3))

    def test_an_earlier_line_of_the_log_with_a_higher_pair_is_the_truth(self):
        self.log.write_text("".join(sorted(self.log.read_text().splitlines(keepends=True), reverse=True)))
        self.assertEqual(self.compare(), (0, 0))

    def test_an_empty_log_makes_every_record_one_of_nobody(self):
        self.log.write_text("")
        self.assertEqual(self.compare(), (0, DEVICES))

    def test_a_transfer_that_fails_is_no_comparison(self):
        done = subprocess.run(["/usr/bin/python3", HERE / "compare-zone", "--server", self.dns.address, "--port",
                               str(self.dns.port), "--zone", "nowhere.example", "--key", self.dns.tsig, "--log", self.log],
                              capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
