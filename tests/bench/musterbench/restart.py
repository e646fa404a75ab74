# SPDX-License-Identifier: Apache-2.0
"""restart: N devices in the store and N retained states at the broker. The coordinator starts; how long until a change
reaches the DNS: one published in the moment of the start, and further ones, one at a time, as long as the replay runs."""
import os
import random
import time

from . import oracle
from .deployment import ZONE, Deployment
from .tools import await_states, bytes_goal, bytes_per_device, memory_kib, metric, metrics, percentile

GOAL_S = 1.0
GAP_S = 0.2          # at most, between an answer and the next change: each pause is drawn
RAW_UPDATES = 50     # the server's own time, which grows with the zone
STARTED_S = 300      # a coordinator that has not connected by then never will


def _forget_cached(folder):
    """The store is read from the disk again, as after a restart of the machine."""
    for path in folder.glob("coordinator.db*"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _changes_in_replay(options, deployment, swarm):
    """Seconds of each change that was answered while retained states were still to come."""
    chance, found = random.Random(options.seed), []
    while True:
        seconds = swarm.ask(f"change {chance.randrange(options.devices)}")["ms"] / 1e3
        if deployment.status()["state"] == "live":
            return found
        found.append(seconds)
        time.sleep(chance.random() * GAP_S)


def run(options, out):
    steps, began = {}, time.monotonic()

    def step(name, text):
        nonlocal began
        steps[name] = round(time.monotonic() - began, 2)
        began = time.monotonic()
        out(f"{steps[name]:8.2f} s  {text}")

    with Deployment(options.devices, options.server, options.connections) as deployment:
        deployment.prefill()
        deployment.start()
        few = memory_kib(deployment.coordinator.pid)[1]
        swarm = deployment.swarm(dns=deployment.dns, seed=options.seed)
        swarm.ask("connect")
        step("setup", "broker, server, coordinator and certificates")
        populated = deployment.populate(swarm)
        step("populate", f"{options.devices} devices in store, zone and broker, {populated['repeats']} repeats")
        before = memory_kib(deployment.coordinator.pid)
        if options.crash:
            deployment.coordinator.kill()
        else:
            deployment.coordinator.stop(STARTED_S)
        step("stop", "coordinator killed" if options.crash else "coordinator stopped in good order")
        _forget_cached(deployment.coordinator.folder)
        start = time.monotonic()
        deployment.coordinator.start()
        swarm.tell("change 0")
        deployment.coordinator.wait_log("broker-connected", STARTED_S)
        connected = time.monotonic() - start
        at_start = swarm.result()["ms"] / 1e3
        during = _changes_in_replay(options, deployment, swarm)
        counted = await_states(deployment, options.devices)  # a change may come in twice, by itself and retained
        replay = time.monotonic() - start
        step("replay", f"replay: {counted} states taken in, {len(during)} changes meanwhile")
        table = metric(metrics(deployment.metrics_port), "muster_device_table_bytes")
        rss, anon, _ = memory_kib(deployment.coordinator.pid)
        processes = deployment.rss_kib()
        found, _ = oracle.settle(swarm, deployment, ZONE)
        step("compare", f"zone compared, lost {found['lost']} wrong {found['wrong']}")
        feed = deployment.raw_feed(deployment.dns)
        raw = [feed.ask(f"one {device} 2")["ms"] for device in range(min(RAW_UPDATES, options.devices))]
        step("baseline", f"{len(raw)} raw updates of the same zone, one at a time, with nothing else to do")
    lost = found["lost"] + max(0, options.devices - counted)
    worst = max(during, default=at_start)
    result = {"bench": "restart", "server": options.server, "devices": options.devices, "crash": options.crash,
              "seconds": round(worst, 3), "at_start_seconds": round(at_start, 3),
              "changes": len(during) + 2, "changes_during_replay": len(during),
              "p50_ms": round(percentile(during or [at_start], 50) * 1e3, 1),
              "p99_ms": round(percentile(during or [at_start], 99) * 1e3, 1),
              "baseline_p50_ms": round(percentile(raw, 50), 1), "baseline_p99_ms": round(percentile(raw, 99), 1),
              "connected_seconds": round(connected, 3), "replay_seconds": round(replay, 1), "step_seconds": steps,
              "rss_kib": rss, "anon_kib": anon, "all_rss_kib": processes, "anon_kib_before": before[1],
              "bytes_per_device": bytes_per_device(anon, few, options.devices),
              "table_bytes_per_device": round(table / options.devices, 1), "lost": lost, "wrong": found["wrong"]}
    return result, [
        ("slowest change in it, s", f"< {GOAL_S}", f"{worst:.3f}" if during else "no replay left", worst < GOAL_S),
        ("change at start, s", f"< {GOAL_S}", f"{at_start:.3f}", at_start < GOAL_S),
        ("p50 in it, ms", f"raw {result['baseline_p50_ms']}", result["p50_ms"], None),
        ("p99 in it, ms", f"raw {result['baseline_p99_ms']}", result["p99_ms"], None),
        ("changes in the replay", "-", len(during), None),
        ("replay ends after, s", "-", result["replay_seconds"], None),
        bytes_goal(result),
        ("lost", 0, lost, lost == 0), ("wrong", 0, found["wrong"], found["wrong"] == 0)]
