#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The least time that documented rates allow, by hand; and that every rate of the table can be seen to be broken."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from musterbench.limits import RATES, Rate, least_s  # noqa: E402 (its folder is not a package of the system)

WRITE, LOOKUP = (False, 1), (True, 0)


class Rates(unittest.TestCase):
    def test_a_window_lets_so_many_go_at_once(self):
        rate = Rate("writes", 200, 60, "")
        self.assertEqual([rate.least_s([WRITE] * count) for count in (0, 1, 200, 201, 400, 401)], [0, 0, 0, 60, 60, 120])
        self.assertEqual(rate.least_s([LOOKUP] * 500), 0)
        self.assertEqual(Rate("calls", 2, 1, "").least_s([WRITE, LOOKUP, LOOKUP]), 1)

    def test_a_bucket_is_filled_evenly(self):
        rate = Rate("changes", 100, 1, "", burst=1000, weight=2)
        self.assertEqual([rate.least_s([(False, 500)] * count) for count in (1, 2, 20)], [0, 10, 190])
        self.assertEqual(Rate("lookups", 25, 1, "", burst=250).least_s([LOOKUP] * 300 + [WRITE] * 9), 2)

    def test_the_slowest_rate_counts(self):
        self.assertEqual(least_s("desec", [WRITE] * 10), 4)
        self.assertEqual(least_s("desec", [WRITE] * 16), 60)
        self.assertEqual(least_s("azure", [WRITE] * 10000), 2940)
        self.assertEqual(least_s("google", [WRITE] * 10000), 0)

    def test_each_rate_holds_up_its_series(self):
        for name, rates in RATES.items():
            for rate in rates:
                with self.subTest(name, rate=rate.text):
                    self.assertEqual(rate.least_s(rate.series()), 1 if rate.burst else rate.seconds)
                    self.assertEqual(rate.least_s(rate.series()[1:]) < rate.seconds, True)
                    self.assertRegex(rate.source, "^https://")


if __name__ == "__main__":
    unittest.main()
