# SPDX-License-Identifier: Apache-2.0
"""deadpath: for each value of broker.probe, what an agent's connection costs while nothing happens, and how soon it notices
that its path is dead. The agents sit behind one home router at the same time (tests/lib/muster_testlib/network.py).

Rest: packets and bytes of each connection, from the IP header on, both ways, counted by nft on the camera for --seconds;
750 are three keepalives of 4 min and what Paho is late. Silence: the router drops all that belongs to the connections. Renumbered: the provider
gives the router another address, so that the next packet of each connection is answered with a reset. Both happen right
after a report, so that all of the silence that an agent bears is ahead of it. `noticed` is when the agent says that it is
disconnected, `answered` when its name answers with the new address. Computed beside it: what follows from the settings for
IPv4 with timestamps.

An agent that does not notice, or whose name does not follow, is `lost`; an untrue address in the zone's journal is `wrong`."""
import time

from muster_testlib import asker, netns
from muster_testlib.clients import Agent
from muster_testlib.detection import World, untrue
from muster_testlib.procs import Workspace

from .agent import KEEPALIVE_S
from .tools import ToolFailed

PROBES = (0, 30, 8, 1)
PATIENCE_S = 20   # TCP_USER_TIMEOUT without probes, agent/lifeline.h
LEAST_S = 4       # the shortest silence that counts, ibid.
SPARE_S = 1       # ticks of the kernel and of the loop
PAHO_S = 5        # it looks at the keepalive so often (MQTTAsyncUtils.c of 1.3.12: every tenth of it, at most 5 s)
SETTLE_S = 0.3    # what follows a report has been acknowledged by then, also where acknowledgements are delayed
STEP_S = 0.02
EMPTY = 52         # bytes of a packet without payload
PING = EMPTY + 24  # two of MQTT in a record of TLS 1.3


def computed(probe_s):
    """Of a connection at rest, and the longest times: {packets and bytes an hour, silence, renumbered}"""
    ping_s = KEEPALIVE_S + PAHO_S
    pings = 3600 / ping_s
    every = max(1, probe_s // 2)
    questions = 3600 / every if probe_s else 0
    return {"packets": round(2 * questions + 3 * pings), "bytes": round(2 * questions * EMPTY + pings * (2 * PING + EMPTY)),
            "silence": max(LEAST_S, probe_s) + SPARE_S if probe_s else ping_s + PATIENCE_S + SPARE_S,
            "renumbered": every + SPARE_S if probe_s else ping_s + SPARE_S}


class Paths:
    """Agents by their probe."""

    def __init__(self, world, probes):
        self.world, self.spaces = world, world.network.spaces
        world.network.build(ip6=False)
        self.agents = {probe: Agent(world, "camera", f"cam-{number}", {
            "addresses": {"include": ["eth0"], "ip6": False},
            "broker": {"probe": f"{probe}s", "keepalive": f"{KEEPALIVE_S}s"}}) for number, probe in enumerate(probes)}
        world.clients = list(self.agents.values())
        for agent in world.clients:
            agent.start()
        self.acknowledged()

    def acknowledged(self):
        for agent in self.agents.values():
            agent.wait_status(lambda status: status["connection"]["state"] == "connected"
                              and status["report"]["state"] == "acknowledged", "the report is acknowledged")

    def exchange(self):
        """Every connection has carried something both ways just now."""
        for agent in self.agents.values():
            agent.report()
        time.sleep(SETTLE_S)

    def rest(self, seconds):
        """{probe: (packets, bytes)} of that time, in which no agent may have connected anew."""
        ports = {probe: agent.source_port() for probe, agent in self.agents.items()}
        rules = "\n".join(f"  counter path{probe} {{ }}\n"
                          f"  chain in{probe} {{ type filter hook input priority filter; tcp dport {port} counter name path{probe}; }}\n"
                          f"  chain out{probe} {{ type filter hook output priority filter; tcp sport {port} counter name path{probe}; }}"
                          for probe, port in ports.items())
        self.spaces.nft("camera", f"table ip paths {{\n{rules}\n}}\n")
        time.sleep(seconds)  # the measured stretch of doing nothing
        found = self.spaces.counters("camera")
        if ports != {probe: agent.source_port() for probe, agent in self.agents.items()}:
            raise ToolFailed("an agent connected anew while nothing happened")
        return {probe: found[f"path{probe}"] for probe in ports}

    def silence(self):
        ports = ", ".join(str(agent.source_port()) for agent in self.agents.values())
        self.spaces.nft("home", f"""table inet forgotten {{
  chain forward {{ type filter hook forward priority -10;
    tcp sport {{ {ports} }} drop; tcp dport {{ {ports} }} drop; }}
}}
""")

    def after(self, event, answer=None):
        """({probe: seconds until the agent said that it is disconnected}, {probe: until its name answered `answer`()}) since
        the event; None for what did not come."""
        marks = {probe: agent.process.mark() for probe, agent in self.agents.items()}
        event()
        began, wanted = time.monotonic(), answer and [answer()]
        end = began + max(computed(probe)["silence"] for probe in self.agents) + PATIENCE_S
        noticed, answered = dict.fromkeys(self.agents), dict.fromkeys(self.agents)
        while time.monotonic() < end and (None in noticed.values() or (wanted and None in answered.values())):
            for probe, agent in self.agents.items():
                if noticed[probe] is None and _said(agent.process, "disconnected", marks[probe]):
                    noticed[probe] = round(time.monotonic() - began, 3)
                if wanted and answered[probe] is None and asker.asks(self.world.dns, agent.name) == wanted:
                    answered[probe] = round(time.monotonic() - began, 3)
            time.sleep(STEP_S)
        return noticed, answered


def _said(process, event, since):
    with open(process.log_path, "rb") as log:
        log.seek(since)
        return f" {event} ".encode() in log.read()


def _measure(paths, seconds):
    """{probe: its part of the JSON object}"""
    network = paths.world.network
    paths.exchange()
    rest = paths.rest(seconds)
    paths.exchange()
    silence, _ = paths.after(paths.silence)
    paths.acknowledged()
    paths.exchange()
    renumbered, answered = paths.after(lambda: network.renumber("home"), lambda: network.home4)
    return {probe: {"packets": packets, "bytes": size, "packets_per_hour": round(packets * 3600 / seconds),
                    "bytes_per_hour": round(size * 3600 / seconds), "silence_noticed": silence[probe],
                    "renumbered_noticed": renumbered[probe], "renumbered_answered": answered[probe],
                    "computed": computed(probe)} for probe, (packets, size) in rest.items()}


def _goals(probe, found):
    limits = found["computed"]
    yield f"{probe} s: packets/h", f"about {limits['packets']}", found["packets_per_hour"], None
    yield f"{probe} s: bytes/h", f"about {limits['bytes']}", found["bytes_per_hour"], None
    for key in ("silence", "renumbered"):
        seconds = found[f"{key}_noticed"]
        yield (f"{probe} s: {key}", f"<= {limits[key]} s", "never" if seconds is None else f"{seconds:.3f} s",
               seconds is not None and seconds <= limits[key])


def run(options, out):
    if not netns.possible():
        raise ToolFailed("no network namespaces here (kernel, or not root)")
    probes = tuple(dict.fromkeys(options.probe or PROBES))
    with Workspace("muster-bench-") as work:
        world = World(work)
        try:
            world.start()
            publications = asker.Publications(world.dns, world.zone)
            paths = Paths(world, probes)
            before = world.network.home4
            out(f"agents with broker.probe {', '.join(f'{probe} s' for probe in probes)} at rest for {options.seconds} s")
            found = _measure(paths, options.seconds)
            changes = publications.changes()
            wrong = [address for agent in world.clients
                     for address in untrue(changes, agent.name, [{agent.name: [truth]} for truth in (before, world.network.home4)])]
        finally:
            world.close()
    goals, lost = [], 0
    for probe, one in found.items():
        out(f"probe {probe} s: " + " ".join(f"{key}={value}" for key, value in one.items() if key != "computed"))
        goals += _goals(probe, one)
        lost += [one[key] for key in ("silence_noticed", "renumbered_noticed", "renumbered_answered")].count(None)
    return {"bench": "deadpath", "lost": lost, "wrong": len(wrong), "seconds": options.seconds, "keepalive": KEEPALIVE_S,
            "probes": {str(probe): one for probe, one in found.items()}}, goals
