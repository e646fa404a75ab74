#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every bench, in its smallest size through muster-bench's own main: they end, nothing is lost or
wrong, and the JSON object has every key that a reader relies on. Figures gate nothing here."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import unittest
from unittest import mock

from muster_testlib.dns import update, wait_answer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from musterbench import agent, ingest, latency, storm  # noqa: E402 (its folder is not a package of the system)

LOADER = importlib.machinery.SourceFileLoader("muster_bench", str(HERE / "muster-bench"))
MAIN = importlib.util.module_from_spec(importlib.util.spec_from_loader("muster_bench", LOADER))
LOADER.exec_module(MAIN)


class Smoke(unittest.TestCase):
    def run_bench(self, *words):
        """The object on the last line of a run that ended with 0."""
        out = io.StringIO()
        with mock.patch.object(sys, "argv", ["muster-bench", *words, "--json"]), contextlib.redirect_stdout(out):
            status = MAIN.main()
        text = out.getvalue()
        self.assertEqual(status, 0, text)
        result = json.loads(text.splitlines()[-1])
        self.assertEqual((result["bench"], result["lost"], result["wrong"]), (words[0], 0, 0), text)
        self.assertEqual((result["seed"], result["filesystem"] != "unknown"), (1, True))
        return result

    def numbers(self, result, *keys):
        for key in keys:
            self.assertIsInstance(result[key], (int, float), key)
            self.assertGreater(result[key], 0, key)

    def test_storm(self):
        with mock.patch.multiple(storm, JUDGED=400, PAHO_FIGURE=1, RAW_FIGURE={"knot": 1}):
            result = self.run_bench("storm", "--devices", "200", "--connections", "10", "--rounds", "2")
        self.assertEqual((result["devices"], result["connections"], result["rounds"]), (200, 10, 2))
        self.numbers(result, "seconds", "ack_seconds", "changes_per_s", "baseline_per_s", "ratio", "messages", "rss_kib",
                     "anon_kib")
        self.assertEqual(result["baseline_per_s"], min(result["baseline_raw_per_s"], result["baseline_paho_per_s"]))

    def baseline_errors(self, *words):
        out = io.StringIO()
        with mock.patch.object(sys, "argv", ["muster-bench", *words, "--json"]), contextlib.redirect_stdout(out):
            status = MAIN.main()
        self.assertEqual(status, 3, out.getvalue())
        return json.loads(out.getvalue().splitlines()[-1])["baseline_errors"]

    def test_a_baseline_that_is_too_slow_is_said(self):
        with mock.patch.multiple(storm, JUDGED=50, PAHO_FIGURE=1, RAW_FIGURE={"knot": 1e9}):
            found = self.baseline_errors("storm", "--devices", "50", "--connections", "5", "--rounds", "1")
        self.assertEqual([error.split()[:2] for error in found], [["raw", "feed"]])
        with mock.patch.multiple(latency, RAW_MS={"knot": 1e-3}):
            found = self.baseline_errors("latency", "--changes", "10")
        self.assertEqual([error.split()[:2] for error in found], [["raw", "update"]])
        with mock.patch.multiple(ingest, STATES=500, WARM_STATES=500, PAIRS=1, PAHO_US=1e-3):
            found = self.baseline_errors("ingest", "--devices", "50", "--connections", "5")
        self.assertEqual([error.split()[:2] for error in found], [["empty", "Paho"]])

    def test_latency(self):
        with mock.patch.multiple(latency, RAW_MS={"knot": 1e6}):
            result = self.run_bench("latency", "--changes", "20")
        self.assertEqual((result["changes"], result["server"]), (20, "knot"))
        self.numbers(result, "seconds", "p50_ms", "p95_ms", "p99_ms", "max_ms", "baseline_p50_ms", "baseline_p95_ms",
                     "baseline_p99_ms")
        self.assertLessEqual(result["p50_ms"], result["max_ms"])

    def test_ingest(self):
        with mock.patch.multiple(ingest, STATES=2000, WARM_STATES=2000, PAIRS=1, PAHO_US=1e6):
            result = self.run_bench("ingest", "--devices", "200", "--connections", "10")
        self.assertEqual((result["devices"], result["states"]), (200, 2000))
        self.numbers(result, "seconds", "states_per_s", "coordinator_us", "baseline_us", "baseline_states_per_s", "rss_kib",
                     "anon_kib")
        self.assertAlmostEqual(result["overhead_us"], result["coordinator_us"] - result["baseline_us"], places=2)
        self.assertIn("bytes_per_device", result)

    def test_agent(self):
        result = self.run_bench("agent", "--seconds", "2", "--settle", "1")
        self.numbers(result, "seconds", "rss_kib", "anon_kib", "pss_kib", "baseline_rss_kib")
        self.assertGreaterEqual(result["wakeups_per_min"], 0)
        self.assertGreaterEqual(result["baseline_wakeups_per_min"], 0)
        self.assertEqual(set(result["peers"]), {"inadyn", "ddclient"})

    def test_an_agent_without_its_record_is_no_agent(self):
        with agent.Deployment(1, more=agent.POLICY) as deployment:
            deployment.start()
            process = agent.start_agent(deployment)
            try:
                name = f"{agent.NAME}.{agent.ZONE}."
                wait_answer(deployment.dns, name, "A", "127.0.0.1")
                self.assertEqual(agent.verdict(deployment, process), (0, 0))
                self.assertEqual(update(deployment.dns, f"del {name} A", f"add {name} 60 A 9.9.9.9"), "")
                self.assertEqual(agent.verdict(deployment, process), (0, 1))
                self.assertEqual(update(deployment.dns, f"del {name} A"), "")
                self.assertEqual(agent.verdict(deployment, process), (1, 0))
            finally:
                process.stop()

    def test_a_bench_that_is_not_over_in_time_claims_nothing(self):
        out = io.StringIO()
        with (mock.patch.object(sys, "argv", ["muster-bench", "agent", "--seconds", "60", "--time-limit", "2", "--json"]),
              contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO())):
            status = MAIN.main()
        result = json.loads(out.getvalue().splitlines()[-1])
        self.assertEqual((status, result["bench"], result["lost"], result["wrong"]), (1, "agent", None, None))
        self.assertIn("time limit", result["error"])

    def test_restart(self):
        for more in ((), ("--crash",)):
            result = self.run_bench("restart", "--devices", "200", "--connections", "10", *more)
            self.assertEqual((result["devices"], result["crash"]), (200, bool(more)))
            self.numbers(result, "seconds", "at_start_seconds", "connected_seconds", "replay_seconds", "rss_kib", "anon_kib",
                         "p50_ms", "p99_ms", "baseline_p50_ms", "baseline_p99_ms")
            self.assertEqual(set(result["all_rss_kib"]), {"broker", "coordinator", "knot"})
            self.assertIn("bytes_per_device", result)

    def test_calls(self):
        """Two requests where one is not enough; the engine's minimum is what the documented limits say."""
        result = self.run_bench("calls", "--changes", "250", *(word for name in ("cloudflare", "desec", "powerdns", "knot", "azure")
                                                               for word in ("--provider", name)))
        rows = {row["name"]: row for row in result["providers"]}
        self.assertEqual({name: (row["calls"], row["calls_aaaa"], row["minimum"], row["minimum_aaaa"]) for name, row in rows.items()
                          if name != "knot"},
                         {"cloudflare": (2, 2, 2, 2), "desec": (1, 1, 1, 1), "powerdns": (1, 1, 1, 1), "azure": (250,) * 4})
        self.assertGreaterEqual(rows["knot"]["calls"], rows["knot"]["minimum"])
        self.assertEqual((rows["azure"]["least_seconds"], rows["desec"]["least_seconds"]), (60, 0))
        self.assertGreaterEqual(rows["azure"]["seconds_at_limits"], 60)
        self.assertEqual([row["too_fast"] for row in rows.values()], [[]] * 5)
        for row in rows.values():
            self.assertEqual(row["violations"], [])
            self.numbers(row, "bytes", "bytes_aaaa", "seconds", "seconds_aaaa")

    def test_providers(self):
        """Ours breaks no rule; that the service sees who does is shown by ddclient, which asks again after nohost."""
        result = self.run_bench("providers", "--hosts", "2", "--minutes", "14", "--speed", "240")
        runs = {(row["client"], row["scenario"], row["step"]): row for row in result["runs"]}
        self.assertEqual(result["violations"]["muster"], 0)
        self.assertIn("sent-after-nohost", runs["ddclient", "nohost", "14 min"]["violations"])
        self.assertGreater(runs["inadyn", "steady", "14 min"]["lookups"], 1)
        ours = {key[1:]: (row["requests"], row["set"]) for key, row in runs.items() if key[0] == "muster"}
        self.assertEqual(ours, {("update", "first"): (1, 2), ("update", "unchanged"): (0, 2), ("update", "changed"): (1, 2),
                                ("steady", "14 min"): (2, 2), ("nohost", "14 min"): (1, 1), ("badauth", "14 min"): (1, 0),
                                ("911", "14 min"): (1, 0)})


if __name__ == "__main__":
    unittest.main()
