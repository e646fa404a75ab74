# SPDX-License-Identifier: Apache-2.0
"""storm: every device changes at once; how long until the authoritative server answers all of them."""
from . import oracle
from .deployment import ZONE, Deployment
from .tools import (PAHO_FIGURE, ToolFailed, baseline_goal, below_half, cpu_seconds, machine_seconds, median, memory_kib, metric,
                    metrics, profiled)

# Best of three: (changes a message, messages in flight), and what such a feed reaches alone on a quiet machine of two
# cores. A baseline below half of it is an error of the baseline.
RAW_SETTINGS = {"knot": [(500, 16), (1000, 16), (1000, 4)], "bind": [(100, 1), (100, 4), (500, 4)]}
RAW_FIGURE = {"knot": 50100, "bind": 18100}
GOAL = 0.60
JUDGED = 10000  # changes by which a baseline alone is judged, at least: fewer say more about its start


class Baselines:
    """A raw feed into a server of the same kind, and an empty Paho subscriber at a broker of the same kind."""

    def __init__(self, deployment):
        self.devices = deployment.devices
        self.dns, self.broker = deployment.new_dns("dns-baseline").start(), deployment.new_broker("broker-baseline").start()
        self.feed = deployment.raw_feed(self.dns)
        self.paho = deployment.paho_empty(self.broker)
        self.swarm = deployment.swarm("swarm-baseline", broker=self.broker)
        self.swarm.ask("connect")
        self.generation = 0
        self.alone = {}
        self._choose(RAW_SETTINGS[deployment.kind])
        self.paho_alone = self._paho()

    def _feed(self, setting, changes=None):
        self.generation += 1
        return f"feed {changes or self.devices} {self.generation} {setting[0]} {setting[1]}"

    def _choose(self, settings):
        changes = max(self.devices, JUDGED)
        self.feed.ask(self._feed(settings[0], changes))  # the first creates the records
        self.alone = {setting: self.feed.ask(self._feed(setting, changes))["per_s"] for setting in settings}
        self.setting = max(self.alone, key=self.alone.get)

    def _paho(self):
        rounds = -(-JUDGED // self.devices)
        self.paho.ask("mark")
        self.paho.tell(f"await {self.devices * rounds}")
        self.swarm.ask(f"heartbeat {rounds}")
        return self._received(rounds)["per_s"]

    def _received(self, rounds=1):
        """What the subscriber has to say, once it got every state and no other."""
        answer = self.paho.result()
        if answer["received"] != rounds * self.devices:
            raise ToolFailed(f"the empty Paho subscriber got {answer['received']} of {rounds * self.devices} states")
        return answer

    def run(self):
        """Both at the same time; changes/s of each."""
        self.paho.ask("mark")
        self.paho.tell(f"await {self.devices}")
        self.swarm.tell("publish")
        self.feed.tell(self._feed(self.setting))
        fed, published, received = self.feed.result(), self.swarm.result(), self._received()
        self.swarm.check("publish", published)
        return fed["per_s"], received["per_s"]

    def errors(self, kind):
        return (below_half("raw feed alone", max(self.alone.values()), RAW_FIGURE[kind]) +
                below_half("empty Paho subscriber alone", self.paho_alone, PAHO_FIGURE))


def _cpu(processes):
    return {name: cpu_seconds(pid) for name, pid in processes.items()}


def _muster_round(deployment, swarm, processes):
    before, cpu, machine = metrics(deployment.metrics_port), _cpu(processes), machine_seconds()
    swarm.tell("storm")
    done = swarm.result(whole=False)
    spent, others = _cpu(processes), machine_seconds() - machine
    after = metrics(deployment.metrics_port)
    found, at = oracle.settle(swarm, deployment, ZONE)
    if not done["complete"] or at is None:
        failure = ToolFailed(f"the storm did not end: {done}, {found}")
        failure.lost, failure.wrong = max(found["lost"], deployment.devices - done["acked"]), found["wrong"]
        raise failure
    swarm.check("storm", done)
    seconds = at - done["first_s"]
    return {
        "seconds": seconds, "changes_per_s": deployment.devices / seconds, "ack_seconds": done["ack_s"],
        "published_seconds": done["published_s"], "repeats": done["repeats"], "lost": found["lost"],
        "wrong": found["wrong"], "examples": found["examples"],
        "messages": int(metric(after, "muster_zone_messages_total") - metric(before, "muster_zone_messages_total")),
        "changes": int(metric(after, "muster_zone_changes_total") - metric(before, "muster_zone_changes_total")),
        "batch_size": int(metric(after, "muster_zone_batch_size")), "depth": int(metric(after, "muster_zone_depth")),
        "cpu_seconds": {name: round(spent[name] - cpu[name], 3) for name in processes},
        "cpu_seconds_of_others": max(0, round(others - sum(spent.values()) + sum(cpu.values()), 2)),
    }


def run(options, out):
    """Returns the object to print, and whether every goal is met."""
    with Deployment(options.devices, options.server, options.connections, options.own_connections) as deployment:
        deployment.start()
        swarm = deployment.swarm(dns=deployment.dns, seed=options.seed)
        connected = swarm.ask("connect")
        out(f"{options.devices} devices over {connected['connections']} connections, {options.server}, seed {options.seed}")
        processes = {**deployment.processes(), "swarm": swarm.pid}
        first = _muster_round(deployment, swarm, processes)
        out(f"first reports: {first['seconds']:.2f} s, {first['changes_per_s']:.0f}/s, lost={first['lost']} wrong={first['wrong']}")
        baselines = Baselines(deployment) if options.baseline else None
        rounds, pairs = [], []
        for number in range(options.rounds):
            if baselines is not None:
                pairs.append(baselines.run())
            with profiled(options.profile if number == options.rounds - 1 else None, processes):
                rounds.append(_muster_round(deployment, swarm, processes))
            _say(out, number, rounds[-1], pairs[-1] if pairs else None)
        log = deployment.coordinator.log_text()
        rss, anon, _ = memory_kib(deployment.coordinator.pid)
    result = _summary(options, connected, [first] + rounds, rounds, pairs)
    result["rss_kib"], result["anon_kib"] = rss, anon
    result["coordinator_errors"] = sum(1 for line in log.splitlines() if line.startswith("<3>"))
    errors = baselines.errors(options.server) if baselines else []
    if errors:
        result["baseline_errors"] = errors
    return result, _goals(result, errors, baselines is not None)


def _say(out, number, this, pair):
    text = f"round {number + 1}: {this['seconds']:.2f} s, {this['changes_per_s']:.0f}/s, acks {this['ack_seconds']:.2f} s, published {this['published_seconds']:.2f} s, " \
           f"{this['messages']} messages (now {this['batch_size']} x {this['depth']}), cpu " + " ".join(f"{k}={v:.2f}" for k, v in this["cpu_seconds"].items())
    text += f" others={this['cpu_seconds_of_others']:.2f}"
    if pair:
        text += f"; raw feed {pair[0]:.0f}/s, Paho {pair[1]:.0f}/s, ratio {this['changes_per_s'] / min(pair):.2f}"
    out(text)


def _summary(options, connected, every, rounds, pairs):
    ratios = [this["changes_per_s"] / min(pair) for this, pair in zip(rounds, pairs)]
    if ratios:
        middle = sorted(range(len(ratios)), key=ratios.__getitem__)[len(ratios) // 2]
    else:
        middle = sorted(range(len(rounds)), key=lambda i: rounds[i]["seconds"])[len(rounds) // 2]
    this = rounds[middle]
    result = {
        "bench": "storm", "server": options.server, "devices": options.devices, "connections": connected["connections"],
        "own_connections": options.own_connections, "seed": options.seed, "rounds": len(rounds),
        "seconds": round(this["seconds"], 3), "ack_seconds": round(this["ack_seconds"], 3),
        "changes_per_s": round(this["changes_per_s"], 1), "messages": this["messages"], "repeats": this["repeats"],
        "batch_size": this["batch_size"], "depth": this["depth"], "lost": max(one["lost"] for one in every), "wrong": max(one["wrong"] for one in every),
        "cpu_seconds": this["cpu_seconds"],
        "cpu_seconds_of_others": this["cpu_seconds_of_others"], "first_seconds": round(every[0]["seconds"], 3),
        "all_changes_per_s": [round(one["changes_per_s"], 1) for one in rounds],
    }
    if ratios:
        result.update(ratio=round(ratios[middle], 3), baseline_per_s=round(min(pairs[middle]), 1),
                      baseline_raw_per_s=round(pairs[middle][0], 1), baseline_paho_per_s=round(pairs[middle][1], 1),
                      ratio_median=round(median(ratios), 3), all_ratios=[round(ratio, 3) for ratio in ratios])
    return result


def _goals(result, errors, with_baseline):
    rows = [("lost", 0, result["lost"], result["lost"] == 0), ("wrong", 0, result["wrong"], result["wrong"] == 0)]
    if with_baseline:
        rows.insert(0, ("ratio", f">= {GOAL:.2f}", result["ratio"], result["ratio"] >= GOAL))
        rows.append(baseline_goal(errors))
    return rows
