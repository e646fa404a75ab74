#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benches that play networks of namespaces, small: ours is right, what is wrong with others is seen, and the JSON object
has every key that a reader relies on."""
import json
import subprocess
import sys
import unittest

from muster_testlib import netns, source_dir

BENCH = source_dir() / "tests" / "bench" / "muster-bench"


class Network(unittest.TestCase):
    def run_bench(self, *words):
        """The object on the last line of a run that ended with 0, and what stands above it."""
        done = subprocess.run(["/usr/bin/python3", "-B", BENCH, *words, "--json"], stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        *lines, last = done.stdout.splitlines()
        result = json.loads(last)
        self.assertEqual((result["bench"], result["lost"], result["wrong"]), (words[0], 0, 0), done.stdout)
        return result, lines

    def test_who_believes_a_lying_echo_is_seen_to_be_wrong(self):
        result, lines = self.run_bench("detect", "--scenario", "echo-lying", "--patience", "15")
        scenario, = result["scenarios"]
        self.assertEqual(scenario["scenario"], "echo-lying")
        self.assertEqual(set(scenario["peers"]), {"inadyn", "ddclient"})
        for figure in (scenario["ours"], *scenario["peers"].values()):
            self.assertEqual(set(figure["times"]), {"start", "renumbered"})
            self.assertEqual(len(figure["published_wrong"]), figure["wrong"])
            self.assertGreater(figure["requests"], 0)
        self.assertEqual(scenario["ours"]["published_wrong"], [])
        self.assertGreater(scenario["ours"]["seconds"], 0)
        self.assertGreater(sum(peer["wrong"] for peer in scenario["peers"].values()), 0, lines)
        self.assertEqual(len([line for line in lines if line.startswith("| echo-lying |")]), 1, lines)

    def test_200_hosts_and_no_others(self):
        result, _ = self.run_bench("detect", "--scenario", "gateway6-flash", "--no-others")
        self.assertEqual(result["scenarios"][0]["peers"], {"inadyn": None, "ddclient": None})

    def test_a_dead_path_is_noticed_and_probes_are_counted(self):
        result, _ = self.run_bench("deadpath", "--probe", "8", "--probe", "1", "--seconds", "8")
        self.assertEqual(set(result["probes"]), {"1", "8"})
        for probe, found in result["probes"].items():
            with self.subTest(probe):
                for key in ("silence_noticed", "renumbered_noticed", "renumbered_answered"):
                    self.assertGreater(found[key], 0)
                self.assertGreaterEqual(found["packets"], 2)  # a question and its answer at least
                self.assertGreaterEqual(found["bytes"], found["packets"] * 40)
                self.assertEqual(set(found["computed"]), {"packets", "bytes", "silence", "renumbered"})
        self.assertGreater(result["probes"]["1"]["packets"], result["probes"]["8"]["packets"])


if __name__ == "__main__":
    if not netns.possible():
        print("no network namespaces here (kernel, or not root): skipped")
        sys.exit(77)
    unittest.main()
