#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tests/system and `muster-bench detect` take their verdict from finds each kind of fault, and nothing else."""
import unittest

from muster_testlib.detection import Step, _allowed, untrue

NAME, HOST = "gw-1.example.net", "h16.gw-1.example.net"
FIRST, SECOND, WRONG = "84.10.3.233", "84.10.3.234", "93.184.216.34"


class Client:
    name, families = NAME, ("A", "AAAA")


class Untrue(unittest.TestCase):
    def judge(self, *addresses, name=NAME, removed=()):
        """Of what was added to a name while the gateway had first one address and prefix, then another."""
        steps = [Step("start", {"A": [FIRST]}, 0.0, hosts=("2a0e:a:1000::",)),
                 Step("moved", {"A": [SECOND]}, 1.0, hosts=("2a0e:a:1001::",))]
        changes = [(name, "AAAA" if ":" in address else "A", address, address not in removed) for address in addresses]
        return untrue(changes, name, [_allowed(Client, step) for step in steps])

    def test_what_was_true_in_its_order_is_no_fault(self):
        self.assertEqual(self.judge(FIRST, SECOND), [])
        self.assertEqual(self.judge(FIRST, FIRST, SECOND, SECOND), [])  # taken back and given again
        self.assertEqual(self.judge(SECOND), [])
        self.assertEqual(self.judge("2a0e:a:1000::10", "2a0e:a:1001::10", name=HOST), [])

    def test_what_was_never_true_is(self):
        self.assertEqual(self.judge(FIRST, WRONG, SECOND), [WRONG])
        self.assertEqual(self.judge("192.168.1.2"), ["192.168.1.2"])

    def test_the_old_one_after_the_new_one_is(self):
        self.assertEqual(self.judge(FIRST, SECOND, FIRST), [FIRST])

    def test_another_one_s_address_is(self):
        self.assertEqual(self.judge("2a0e:a:1000::11", name=HOST), ["2a0e:a:1000::11"])
        self.assertEqual(self.judge(FIRST, name=HOST), [FIRST])
        self.assertEqual(self.judge("2a0e:a:1000::10"), ["2a0e:a:1000::10"])

    def test_what_was_taken_away_is_no_publication(self):
        self.assertEqual(self.judge(FIRST, WRONG, removed=(WRONG,)), [])


if __name__ == "__main__":
    unittest.main()
