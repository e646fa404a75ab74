# SPDX-License-Identifier: Apache-2.0
"""restart: N devices in the store and N retained states at the broker. The coordinator starts; how long until a change
reaches the DNS: one published in the moment of the start, and further ones while the replay still runs."""
import time

from . import oracle
from .deployment import ZONE, Deployment
from .tools import memory_kib, metric, metrics

GOAL_S = 1.0
CHANGES_MAX = 200


def _replayed(deployment):
    return int(metric(metrics(deployment.metrics_port), "muster_states_total"))


def run(options, out):
    with Deployment(options.devices, options.server, options.connections) as deployment:
        deployment.start()
        swarm = deployment.swarm(dns=deployment.dns, seed=options.seed)
        swarm.ask("connect")
        first = swarm.ask("storm")
        out(f"{options.devices} devices in the store after {first['ack_s']:.1f} s")
        if options.crash:
            deployment.coordinator.kill()
        else:
            deployment.coordinator.stop()
        began = time.monotonic()
        deployment.coordinator.start()
        swarm.tell("change 0")
        deployment.coordinator.wait_log("broker-connected")
        connected = time.monotonic() - began
        at_start = swarm.result()["ms"] / 1e3
        during = []
        for number in range(1, CHANGES_MAX):
            seconds = swarm.ask(f"change {number * 7919 % options.devices}")["ms"] / 1e3
            if _replayed(deployment) >= options.devices:
                break
            during.append(seconds)
        deployment.coordinator.wait_until(lambda: _replayed(deployment) >= options.devices, "the replay ends", 600)
        replay = time.monotonic() - began
        found, _ = oracle.settle(swarm, deployment.dns, ZONE, deployment.work / "swarm.oracle",
                                 deployment.work / "swarm.serials")
        rss, anon, _ = memory_kib(deployment.coordinator.pid)
    worst = max(during) if during else None
    result = {"bench": "restart", "server": options.server, "devices": options.devices, "crash": options.crash,
              "seconds": round(worst if worst is not None else at_start, 3), "at_start_seconds": round(at_start, 3),
              "all_seconds": [round(seconds, 3) for seconds in during],
              "connected_seconds": round(connected, 3), "replay_seconds": round(replay, 1), "changes_during_replay": len(during),
              "rss_kib": rss, "anon_kib": anon, "lost": found["lost"], "wrong": found["wrong"]}
    return result, [
        ("change in the replay, s", f"< {GOAL_S}", "no replay left" if worst is None else f"{worst:.3f}",
         worst is None or worst < GOAL_S),
        ("change at start, s", f"< {GOAL_S}", f"{at_start:.3f}", at_start < GOAL_S),
        ("replay ends after, s", "-", result["replay_seconds"], True),
        ("lost", 0, found["lost"], found["lost"] == 0), ("wrong", 0, found["wrong"], found["wrong"] == 0)]
