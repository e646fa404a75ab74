# SPDX-License-Identifier: Apache-2.0
"""ingest: unchanged states as fast as the broker delivers them. CPU a state of the coordinator above that of a Paho
subscriber with an empty callback, in interleaved pairs on two brokers of the same kind; memory a device; nothing lost."""
import time

from . import oracle
from .deployment import PREFIX, ZONE, Deployment
from .tools import ToolFailed, cpu_seconds, median, memory_kib, metric, metrics, profiled

GOAL_US = 3.0
GOAL_BYTES = 250
PAIRS = 7
STATES = 100000          # of one measurement, at least
WARM_DEVICES = 100       # fill every queue and buffer before memory is looked at
WARM_STATES = 150000
DEADLINE_S = 300
STILL_S = 20             # a counter that stands so long has lost the rest; a busy machine may hold it for a while


def _states(deployment):
    return int(metric(metrics(deployment.metrics_port), "muster_states_total"))


def _await_states(deployment, wanted):
    """The coordinator's counter, once it has reached `wanted` or has not moved for STILL_S."""
    end, last, moved = time.monotonic() + DEADLINE_S, -1, time.monotonic()
    while time.monotonic() < end:
        count = _states(deployment)
        if count >= wanted or (count == last and time.monotonic() - moved > STILL_S):
            return count
        if count != last:
            last, moved = count, time.monotonic()
        time.sleep(0.05)  # each question costs the coordinator some CPU
    return last


def _coordinator(deployment, swarm, rounds):
    """(CPU µs a state, states/s, lost)"""
    expected = rounds * deployment.devices
    before = _states(deployment)
    cpu, began = cpu_seconds(deployment.coordinator.pid), time.monotonic()
    swarm.ask(f"heartbeat {rounds}")
    counted = _await_states(deployment, before + expected) - before
    seconds = time.monotonic() - began
    return (cpu_seconds(deployment.coordinator.pid) - cpu) / expected * 1e6, expected / seconds, expected - counted


def _paho(deployment, swarm, paho, rounds):
    expected = rounds * deployment.devices
    paho.ask("mark")
    cpu = cpu_seconds(paho.pid)
    paho.tell(f"await {expected}")
    swarm.ask(f"heartbeat {rounds}")
    return (cpu_seconds(paho.pid) - cpu if paho.result() else 0) / expected * 1e6


def _warm_up(deployment):
    """RssAnon in KiB of a coordinator whose queues have been through a lot, but knows few devices."""
    few = deployment.swarm("warm", prefix=PREFIX + "w", devices=WARM_DEVICES)
    few.ask("connect")
    few.ask("storm")
    before = _states(deployment)
    few.ask(f"heartbeat {WARM_STATES // WARM_DEVICES}")
    _await_states(deployment, before + WARM_STATES)
    few.ask("leave")
    few.stop()
    return memory_kib(deployment.coordinator.pid)[1]


def run(options, out):
    rounds = -(-STATES // options.devices)
    with Deployment(options.devices, connections=options.connections) as deployment:
        deployment.start()
        anon_few = _warm_up(deployment)
        swarm = deployment.swarm(dns=deployment.dns, seed=options.seed)
        swarm.ask("connect")
        swarm.ask("storm")
        other = deployment.new_broker("broker-baseline").start()
        paho = deployment.paho_empty(other)
        other_swarm = deployment.swarm("swarm-baseline", broker=other)
        other_swarm.ask("connect")
        other_swarm.ask("publish")
        out(f"{options.devices} devices, {rounds * options.devices} unchanged states a measurement, {PAIRS} pairs")
        began, pairs = time.monotonic(), []
        for number in range(PAIRS):
            raw = _paho(deployment, other_swarm, paho, rounds) if number % 2 else None
            with profiled(options.profile if number == PAIRS - 1 else None, {"coordinator": deployment.coordinator.pid}):
                us, per_s, lost = _coordinator(deployment, swarm, rounds)
            raw = _paho(deployment, other_swarm, paho, rounds) if raw is None else raw
            pairs.append((us, raw, per_s, lost))
            out(f"pair {number + 1}: coordinator {us:.2f} µs, Paho {raw:.2f} µs, {per_s:.0f} states/s, lost {lost}")
        seconds = time.monotonic() - began
        rss, anon, _ = memory_kib(deployment.coordinator.pid)
        found, _ = oracle.settle(swarm, deployment.dns, ZONE, deployment.work / "swarm.oracle",
                                 deployment.work / "swarm.serials", ignore=PREFIX + "w")
    lost = sum(max(pair[3], 0) for pair in pairs)
    if any(pair[3] < 0 for pair in pairs):
        raise ToolFailed("the coordinator counted more states than were sent")
    result = {"bench": "ingest", "devices": options.devices, "states": PAIRS * rounds * options.devices,
              "states_per_s": round(median([pair[2] for pair in pairs]), 1),
              "overhead_us": round(median([pair[0] - pair[1] for pair in pairs]), 3),
              "coordinator_us": round(median([pair[0] for pair in pairs]), 3),
              "baseline_us": round(median([pair[1] for pair in pairs]), 3),
              "rss_kib": rss, "anon_kib": anon, "bytes_per_device": round((anon - anon_few) * 1024 / options.devices, 1),
              "lost": lost + found["lost"], "wrong": found["wrong"], "seconds": round(seconds, 1)}
    return result, [
        ("overhead, µs a state", f"<= {GOAL_US}", result["overhead_us"], result["overhead_us"] <= GOAL_US),
        ("bytes a device", f"<= {GOAL_BYTES}", result["bytes_per_device"], result["bytes_per_device"] <= GOAL_BYTES),
        ("states/s", "-", result["states_per_s"], True),
        ("lost", 0, result["lost"], result["lost"] == 0), ("wrong", 0, result["wrong"], result["wrong"] == 0)]
