# SPDX-License-Identifier: Apache-2.0
"""ingest: unchanged states as fast as the broker delivers them. CPU a state of the coordinator above that of a Paho
subscriber with an empty callback, in interleaved pairs on two brokers of the same kind; memory a device; nothing lost."""
import time

from . import oracle
from .deployment import POPULATE, PREFIX, ZONE, Deployment
from .tools import (PAHO_US, ToolFailed, await_states, baseline_goal, bytes_goal, bytes_per_device, cpu_seconds, median,
                    memory_kib, metric, metrics, profiled, states, too_slow)

GOAL_US = 3.0
PAIRS = 7
STATES = 100000          # of one measurement, at least
WARM_DEVICES = 100       # fill every queue and buffer before memory is looked at
WARM_STATES = 150000


def _play(deployment, swarm, command):
    """(states that the fleet published, repeats and all; how many of them the coordinator took in)"""
    before = states(deployment)
    sent = swarm.ask(command)["published"]
    return sent, await_states(deployment, before + sent) - before


def _coordinator(deployment, swarm, rounds):
    """(CPU µs a state, states/s, states sent, states taken in)"""
    pid = deployment.coordinator.pid
    cpu, began = cpu_seconds(pid), time.monotonic()
    sent, counted = _play(deployment, swarm, f"heartbeat {rounds}")
    seconds = time.monotonic() - began
    return (cpu_seconds(pid) - cpu) / sent * 1e6, counted / seconds, sent, counted


def _paho(swarm, paho, rounds):
    """(CPU µs a state, states/s) of a subscriber that has counted them all, and no more."""
    paho.ask("mark")
    cpu = cpu_seconds(paho.pid)
    paho.tell(f"await {rounds * swarm.devices}")
    sent, answer = swarm.ask(f"heartbeat {rounds}")["published"], paho.result()
    if answer["received"] != sent:
        raise ToolFailed(f"the empty Paho subscriber got {answer['received']} of {sent} states")
    return (cpu_seconds(paho.pid) - cpu) / sent * 1e6, answer["per_s"]


def _warm_up(deployment):
    """RssAnon in KiB of a coordinator whose queues have been through a lot, but knows few devices."""
    few = deployment.swarm("warm", prefix=PREFIX + "w", devices=WARM_DEVICES)
    few.ask("connect")
    _play(deployment, few, "storm")
    _play(deployment, few, f"heartbeat {WARM_STATES // WARM_DEVICES}")
    few.ask("leave")
    few.stop()
    return memory_kib(deployment.coordinator.pid)[1]


def run(options, out):
    rounds = -(-STATES // options.devices)
    with Deployment(options.devices, connections=options.connections) as deployment:
        deployment.start()
        anon_few = _warm_up(deployment)
        out(f"{WARM_DEVICES} devices have sent {WARM_STATES} states; now {options.devices} devices become known, twice")
        swarm = deployment.swarm(dns=deployment.dns, seed=options.seed)
        swarm.ask("connect")
        _play(deployment, swarm, POPULATE)
        other = deployment.new_broker("broker-baseline").start()
        paho = deployment.paho_empty(other)
        other_swarm = deployment.swarm("swarm-baseline", broker=other, seed=options.seed)
        other_swarm.ask("connect")
        paho.tell(f"await {options.devices}")  # all of it, or the rest would count for the first measurement
        other_swarm.ask("publish")
        paho.result()
        out(f"{options.devices} devices, {rounds * options.devices} unchanged states a measurement, {PAIRS} pairs")
        began, pairs = time.monotonic(), []
        for number in range(PAIRS):
            raw = _paho(other_swarm, paho, rounds) if number % 2 else None
            with profiled(options.profile if number == PAIRS - 1 else None, {"coordinator": deployment.coordinator.pid}):
                us, per_s, sent, counted = _coordinator(deployment, swarm, rounds)
            raw = _paho(other_swarm, paho, rounds) if raw is None else raw
            pairs.append((us, raw[0], per_s, sent, counted, raw[1]))
            out(f"pair {number + 1}: coordinator {us:.2f} µs, {per_s:.0f} states/s, missing {sent - counted}; "
                f"Paho {raw[0]:.2f} µs, {raw[1]:.0f} states/s")
        seconds = time.monotonic() - began
        sent, counted = (sum(pair[i] for pair in pairs) for i in (3, 4))
        rss, anon, _ = memory_kib(deployment.coordinator.pid)
        table = metric(metrics(deployment.metrics_port), "muster_device_table_bytes")
        found, _ = oracle.settle(swarm, deployment, ZONE, ignore=PREFIX + "w")
    if counted > sent:
        raise ToolFailed(f"the coordinator counted {counted - sent} states more than were sent")
    lost = sent - counted + found["lost"]
    result = {"bench": "ingest", "devices": options.devices, "states": sent,
              "states_per_s": round(median([pair[2] for pair in pairs]), 1),
              "overhead_us": round(median([pair[0] - pair[1] for pair in pairs]), 3),
              "coordinator_us": round(median([pair[0] for pair in pairs]), 3),
              "baseline_us": round(median([pair[1] for pair in pairs]), 3),
              "baseline_states_per_s": round(median([pair[5] for pair in pairs]), 1),
              "all_overhead_us": [round(pair[0] - pair[1], 2) for pair in pairs],
              "rss_kib": rss, "anon_kib": anon, "bytes_per_device": bytes_per_device(anon, anon_few, options.devices),
              "table_bytes_per_device": round(table / options.devices, 1),
              "lost": lost, "wrong": found["wrong"], "seconds": round(seconds, 1)}
    errors = too_slow("empty Paho subscriber", result["baseline_us"], PAHO_US, "µs a state")  # its rate is the fleet's
    if errors:
        result["baseline_errors"] = errors
    return result, [
        ("overhead, µs a state", f"<= {GOAL_US}", result["overhead_us"], result["overhead_us"] <= GOAL_US),
        bytes_goal(result),
        ("states/s", "-", result["states_per_s"], None),
        ("lost", 0, lost, lost == 0), ("wrong", 0, result["wrong"], result["wrong"] == 0),
        baseline_goal(errors)]
