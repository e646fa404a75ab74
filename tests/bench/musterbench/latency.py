# SPDX-License-Identifier: Apache-2.0
"""latency: an idle system, one change at a time; from the device's publish to the authoritative answer. In turn with it
the server's own time for one raw update: sent over TCP, until UDP answers the new address."""
import random
import time

from . import oracle
from .deployment import ZONE, Deployment
from .tools import RAW_MS, baseline_goal, percentile, too_slow

GOAL_P50_MS, GOAL_P99_MS = 10, 20  # above the server's own
GAP_S = 0.020          # most of the pause before a change; each is drawn, so that nothing falls into step
LONG_GAP_S = 1.2       # one in LONG_GAP_EACH: long enough for threads and libraries that doze off after a second
LONG_GAP_EACH = 20


def run(options, out):
    chance = random.Random(options.seed)
    with Deployment(options.changes, options.server, connections=10) as deployment:
        deployment.start()
        swarm = deployment.swarm(dns=deployment.dns, seed=options.seed)
        swarm.ask("connect")
        swarm.ask("storm")
        feed = deployment.raw_feed(deployment.new_dns("dns-baseline").start())
        feed.ask(f"feed {options.changes} 1 100 1")
        out(f"{options.changes} changes, one at a time, {options.server}; the same number of raw updates in turn with them")
        ours, raw = [], []
        began = time.monotonic()
        for device in range(options.changes):
            time.sleep(LONG_GAP_S if device % LONG_GAP_EACH == 0 else chance.random() * GAP_S)
            ours.append(swarm.ask(f"change {device}")["ms"])
            time.sleep(chance.random() * GAP_S)
            raw.append(feed.ask(f"one {device} 2")["ms"])
        seconds = time.monotonic() - began
        found, _ = oracle.settle(swarm, deployment, ZONE)
    result = {"bench": "latency", "server": options.server, "devices": options.changes, "changes": options.changes,
              "seconds": round(seconds, 1), "lost": found["lost"], "wrong": found["wrong"]}
    for share in (50, 95, 99):
        result[f"p{share}_ms"] = round(percentile(ours, share), 3)
        result[f"baseline_p{share}_ms"] = round(percentile(raw, share), 3)
    result["max_ms"] = round(max(ours), 3)
    errors = too_slow("raw update p50", result["baseline_p50_ms"], RAW_MS[options.server], "ms")
    if errors:
        result["baseline_errors"] = errors
    over50 = result["p50_ms"] - result["baseline_p50_ms"]
    over99 = result["p99_ms"] - result["baseline_p99_ms"]
    return result, [
        ("p50 above raw, ms", f"<= {GOAL_P50_MS}", f"{over50:.2f}", over50 <= GOAL_P50_MS),
        ("p99 above raw, ms", f"<= {GOAL_P99_MS}", f"{over99:.2f}", over99 <= GOAL_P99_MS),
        ("p50, ms", f"raw {result['baseline_p50_ms']}", result["p50_ms"], over50 <= GOAL_P50_MS),
        ("p95, ms", f"raw {result['baseline_p95_ms']}", result["p95_ms"], None),
        ("p99, ms", f"raw {result['baseline_p99_ms']}", result["p99_ms"], over99 <= GOAL_P99_MS),
        ("lost", 0, found["lost"], found["lost"] == 0), ("wrong", 0, found["wrong"], found["wrong"] == 0),
        baseline_goal(errors)]
