#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Storms of address changes with faults at random moments: after each seed the zone holds what the devices reported last, and nothing
else changed.

Real mosquitto, Knot or BIND (by seed) behind a fault proxy, the real coordinator with its store on a small file system of
its own, a fleet played by muster-swarm, and two real agents, whose interface gets another address in the middle of each fault.
In the odd seeds the zone is swept once a week, that is never: there the outbox and the repeats alone must converge. In the
even ones a sweep every ten seconds runs into the faults. The devices repeat their newest state until it is acknowledged, as
the protocol demands. The oracle is the fleet's own log against AXFR, compared by tests/bench/compare-zone; at the end of
each seed one wrong record is planted, and the comparison has to find exactly that one.

Each fault has to show: a full disk in commits that failed, a refusal in changes refused, a slow or silent server in what its
proxy held back, a clock set back in the times of the log. A fault that does nothing is a failure.

Prints a line a fault and a line a seed; the last line holds lost=N wrong=N of all, and left_out=N: faults, or proofs of their
effect, that this kernel or these rights do not allow. Exits with 0 when lost and wrong are 0 and nothing was left out, with 77
when something was left out and the rest went well, else with 1; a package that is missing is a failure.
"""
import argparse
import ctypes
import datetime
import errno
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

from muster_testlib import build_dir
from muster_testlib.coordinator import Coordinator
from muster_testlib.dns import Bind, Knot, axfr, update
from muster_testlib.faultproxy import FaultProxy
from muster_testlib.procs import Process, Timeout, wait_until

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))
from musterbench import deployment  # noqa: E402 (its folder is not a package of the system)
from musterbench.tools import metric, metrics  # noqa: E402

ZONE, FLEET, POISON = "example.net", "fleet.example.net", "cam-000007"
STRANGER, STRANGER_ADDRESS = "stranger.fleet.example.net", "203.0.113.9"
AGENTS = 2
STORE_MIB = 160
SKIPPED = 77  # to CTest
SETTLE_S = 180
SWEEPS = ("10s", "7d")  # by the seed's parity
_CLONE_NEWNS, _CLONE_NEWNET = 0x20000, 0x40000000

_GROUPS = """\
  - name: cameras
    publish: reported
    damping: false
    names: [{{name: "{{id}}.{fleet}", types: [A]}}]
  - name: poison
    publish: reported
    damping: false
    names: [{{name: "{{id}}.forbidden.{zone}", types: [A]}}]
  - name: agents
    publish: {agents}
    gateway: true  # exempt from the limit: the whole fleet comes from one address
    damping: false
    names: [{{name: "{{id}}.{fleet}", types: [A]}}]
"""
_REGISTRY = f"""\
devices:
  - {{id: {POISON}, group: poison}}
  - {{match: "cam-*", group: cameras}}
  - {{match: "agent-*", group: agents}}
"""
_AGENT = """\
device_id: {id}
state_dir: {folder}/state
control_socket: {folder}/control.sock
broker: {{endpoints: ["{broker}"], backoff_max: 1s}}
tls: {{ca_file: {ca}, cert_file: {cert}, key_file: {key}}}
addresses: {{include: ["{id}"], hold: 0s}}
"""


class _Picky:
    """A server whose policy lets the key update names below FLEET and the owner's record only: a message with one other
    name is refused whole. `refusing` takes even that right away; both take effect at a reload."""

    refusing = False

    def reload(self, refusing):
        self.refusing = refusing
        self.work.write(f"{self.name}/server.conf", self._config(), 0o600)
        if self.process.running():
            self.process.signal(signal.SIGHUP)


class PickyKnot(_Picky, Knot):
    def _config(self):
        names = f"none.{ZONE}." if self.refusing else f"{FLEET}., _muster-owner.{ZONE}."
        rights = (f"  - id: muster\n    key: {self.key_name}\n    action: transfer\n"
                  f"  - id: writer\n    key: {self.key_name}\n    action: update\n    update-owner: name\n"
                  f"    update-owner-match: sub-or-equal\n    update-owner-name: [{names}]\n"
                  f"  - id: hand\n    key: hand-key\n    action: [update, transfer]\n")
        hand = f"  - id: hand-key\n    algorithm: {self.algorithm}\n    secret: {self.secret}\n"
        text = super()._config()
        own = f"  - id: muster\n    key: {self.key_name}\n    action: [update, transfer]\n"
        assert own in text
        return text.replace(own, rights).replace("acl:\n", f"{hand}acl:\n", 1).replace(
            "    acl: muster\n", "    acl: [muster, writer, hand]\n")


class PickyBind(_Picky, Bind):
    def _config(self):
        rights = (f'grant "{self.key_name}" subdomain {FLEET} ANY; grant "{self.key_name}" name _muster-owner.{ZONE} ANY; '
                  if not self.refusing else "")
        text = super()._config()
        own = f'allow-update {{ key "{self.key_name}"; }};'
        assert own in text
        hand = f'key "hand-key" {{ algorithm {self.algorithm}; secret "{self.secret}"; }};\n'
        return hand + text.replace(own, f'update-policy {{ {rights}grant "hand-key" zonesub ANY; }};')


class _Hand:
    """Another hand that may write everything: plants what Muster must not touch, and the wrong record."""

    def __init__(self, server):
        self.address, self.port, self.zones, self.name = server.address, server.port, server.zones, server.name
        self.tsig = f"{server.algorithm}:hand-key:{server.secret}"


class World(deployment.Deployment):
    """The deployment with its weak points in reach."""

    def __init__(self, devices, kind, sweep, faketime):
        self.sweep, self.faketime = sweep, faketime
        super().__init__(devices, kind, connections=20, prefix="muster-faults-")
        self.timeout_s = 600  # a storm waits out the fault, and its devices repeat at an agent's pauses, each twice the last
        self.left_out = 0
        self.addresses = {f"agent-{i}": "127.0.0.1" for i in range(AGENTS)}
        for link in self.addresses if NETWORK else ():
            add_link(link)
            self._closers.append(lambda link=link: ip("link", "del", link))
            self.move(link)
        self.agents = {name: self._new_agent(name) for name in self.addresses}

    def new_dns(self, name):
        server = {"knot": PickyKnot, "bind": PickyBind}[self.kind](self.work, zones=ZONE, name=name)
        self._closers.append(server.stop)
        self.proxy = FaultProxy(server.address, server.port)
        self._closers.append(self.proxy.close)
        return server

    def _configure(self):
        self.store = self.work.folder("store")
        self.small_disk = mount_small(self.store)
        if self.small_disk:
            self._closers.append(lambda: subprocess.run(["umount", "-l", self.store], check=False))
        self.clock = self.work.write("clock", "+0\n")
        env = {"LD_PRELOAD": self.faketime, "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_CACHE_DURATION": "1",
               "DONT_FAKE_MONOTONIC": "1"} if self.faketime else {}
        groups = _GROUPS.format(fleet=FLEET, zone=ZONE, agents="reported" if NETWORK else "observed")
        self.coordinator = Coordinator(
            self.work, self.pki, self.broker, self.dns, groups, _REGISTRY, env=env, sweep=self.sweep, store=self.store,
            server=f"{self.proxy.address}:{self.proxy.port}", more="policy: {treat_as_public: [127.0.0.0/8, 198.18.0.0/15]}")
        self.metrics_port = self.coordinator.metrics_port

    def _new_agent(self, name):
        folder = self.work.folder(name)
        self.work.folder(f"{name}/state")
        identity = self.pki.device(name)
        config = self.work.write(f"{name}/agent.yaml", _AGENT.format(
            id=name, folder=folder, broker=self.broker.endpoint, ca=self.broker.ca_file, cert=identity.cert, key=identity.key))
        agent = Process([build_dir() / "agent" / "muster-agent", "-c", config], folder / "log")
        self._closers.append(agent.stop)
        return agent

    def start(self):
        super().start()
        failure = update(_Hand(self.dns), f"add {STRANGER}. 60 A {STRANGER_ADDRESS}")
        assert failure == "", failure
        for agent in self.agents.values():
            agent.start()
        return self

    def move(self, name):
        """Another address on the interface of this agent."""
        number = random.randrange(1 << 16)
        self.addresses[name] = f"198.{18 + int(name[-1])}.{number >> 8}.{number & 255}"
        ip("addr", "flush", "dev", name)
        ip("addr", "add", f"{self.addresses[name]}/32", "dev", name)

    def leave_out(self, what, why):
        print(f"  {what}: left out: {why}", flush=True)
        self.left_out += 1

    def show(self, what, effect):
        """Waits until the fault shows, and brings about a change on which it can: the storm may be over by now."""
        if not NETWORK:
            self.leave_out(f"whether {what}", "no agent that moves")
            return
        for name in self.addresses:
            self.move(name)
        wait_until(effect, what)
        print(f"    {what}", flush=True)

    def counter(self, name):
        """metric() of a coordinator that is up."""
        return wait_until(lambda: [value for value in [self.metric(name)] if value is not None], f"/metrics tells {name}")[0]

    def allowed(self):
        """Whether the server lets the coordinator's key write; this changes nothing."""
        return update(self.dns, f"del nobody.{FLEET}. A") == ""

    def metric(self, name):
        try:
            return metric(metrics(self.metrics_port), name)
        except OSError:
            return None  # down, or busy

    # ---- the faults: each leaves everything running and in order ----

    def pause(self, shortest=0.2, longest=2.0):
        time.sleep(random.uniform(shortest, longest))  # the fault's length, not a synchronisation

    def kill_coordinator(self):
        self.coordinator.kill()
        self.pause()
        self.coordinator.start()

    def restart_coordinator(self):
        self.coordinator.stop()
        self.coordinator.start()

    def kill_broker(self):
        self.broker.kill()
        self.pause()
        self.broker.start()

    def restart_broker(self):
        self.broker.restart()

    def kill_dns(self):
        self.dns.kill()
        self.pause()
        self.dns.start()

    def restart_dns(self):
        self.dns.restart()

    def kill_agent(self):
        name, agent = random.choice(list(self.agents.items()))
        agent.kill()
        self.pause()
        if NETWORK:
            self.move(name)  # it finds another address than the one it had saved
        agent.start()

    def refuse(self):
        def frozen():
            return len(re.findall("zone-failing .*error=frozen", self.coordinator.log_text()))

        refused, before = self.counter("muster_changes_refused_total"), frozen()
        self.dns.reload(refusing=True)
        wait_until(lambda: not self.allowed(), "the server refuses")
        # Changes wait where the whole zone is refused, its owner's record too; else they are refused one by one.
        self.show("changes are refused, or wait for a frozen zone",
                  lambda: self.counter("muster_changes_refused_total") > refused
                  or frozen() > before)
        self.pause(1, 4)
        self.dns.reload(refusing=False)
        wait_until(self.allowed, "the server refuses no more")

    def slow(self):
        self.proxy.delay = random.uniform(0.05, 0.5)
        delayed, self.proxy.mode = self.proxy.delayed, "delay"
        self.show("answers are late", lambda: self.proxy.delayed > delayed)
        self.pause(1, 4)
        self.proxy.mode = "pass"

    def stall(self):
        stalled, self.proxy.mode = self.proxy.stalled, "stall"
        self.show("changes wait for a silent server", lambda: self.proxy.stalled > stalled and self.counter("muster_records_open") > 0)
        self.pause(1, 6)
        self.proxy.mode = random.choice(("pass", "reset"))
        self.pause(0, 0.5)
        self.proxy.mode = "pass"

    def reset(self):
        cut = self.proxy.cut
        for _ in range(5):
            self.proxy.reset()
            self.pause(0, 0.4)
        self.show("connections are cut", lambda: self.proxy.reset() or self.proxy.cut > cut)

    def disk_full(self):
        # A log of the store that has grown before is written over and needs no room: it begins anew.
        self.coordinator.stop()
        self.coordinator.start()
        self.coordinator.wait_log(" started ")
        filler = self.store / "filler"
        with open(filler, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(1 << 20))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
        self.show("commits fail", lambda: self.counter("muster_store_failures_total") > 0)
        self.pause(2, 5)
        print(f"    failed commits: {self.counter('muster_store_failures_total'):.0f}", flush=True)
        filler.unlink()
        wait_until(lambda: self.counter("muster_store_ok") == 1, "commits work again")

    def clock_back(self):
        self.clock.write_text("-3600\n")
        self.pause(3, 6)  # the library looks at the file once a second
        mark = self.coordinator.mark()
        self.coordinator.signal(signal.SIGHUP)
        said = self.coordinator.wait_log(r"^(\S+) .* reloaded ", since=mark)[1]
        behind = time.time() - datetime.datetime.fromisoformat(said).timestamp()
        assert 3000 < behind < 4200, f"the coordinator's clock is {behind:.0f} s behind, not an hour"
        print(f"    the coordinator's clock is {behind:.0f} s behind", flush=True)
        self.clock.write_text("+0\n")

    def power_of_all(self):
        """Everything at once."""
        for process in (self.coordinator, self.broker, self.dns):
            process.kill()
        self.dns.start()
        self.broker.start()
        self.coordinator.start()


FAULTS = ("kill_coordinator", "restart_coordinator", "kill_broker", "restart_broker", "kill_dns", "restart_dns", "kill_agent",
          "refuse", "slow", "stall", "reset", "disk_full", "clock_back", "power_of_all")


def enter_mounts():
    """Mounts of this process's own. False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False).returncode == 0


def mount_small(folder):
    return MOUNTS and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STORE_MIB}m,mode=0700", "tmpfs", folder],
                                     capture_output=True, check=False).returncode == 0


def enter_network():
    """A network of this process's own, with plain congestion control (see muster-bench). False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        return False
    ip("link", "set", "lo", "up")
    pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").write_text("reno", encoding="ascii")
    try:
        add_link("agent-0")
    except subprocess.CalledProcessError:
        return False  # a kernel without veth; its loopback serves all the same
    ip("link", "del", "agent-0")
    return True


def ip(*words):
    subprocess.run(["ip", *words], capture_output=True, check=True)


def add_link(name):
    """An interface to give addresses to. Nothing goes through it."""
    ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
    ip("link", "set", name, "up")
    ip("link", "set", f"{name}-peer", "up")


def find_faketime():
    """The library, wherever this architecture has it. A failure when its package is missing."""
    done = subprocess.run(["dpkg", "-L", "libfaketime"], capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if line.endswith("/libfaketimeMT.so.1") and os.path.exists(line)]
    assert found, "libfaketime is not installed (deploy/packages/test)"
    return found[0]


MOUNTS, NETWORK = enter_mounts(), enter_network()


def compare(world):
    """What compare-zone finds. The poisoned name must be absent, strangers and agents must be there."""
    arguments = ["/usr/bin/python3", BENCH / "compare-zone", "--server", world.dns.address, "--port", world.dns.port, "--zone",
                 ZONE, "--key", world.dns.tsig, "--log", world.work / "swarm.oracle", "--name", f"{{id}}.{FLEET}", "--absent",
                 POISON, "--expect", f"{STRANGER}={STRANGER_ADDRESS}"]
    for name, address in world.addresses.items():
        arguments += ["--expect", f"{name}.{FLEET}={address}"]
    done = subprocess.run([str(part) for part in arguments], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.stdout.startswith("{") else {"lost": -1, "wrong": -1, "examples": [done.stderr[-300:]]}


def settle(world, deadline=SETTLE_S):
    """Compares until nothing differs: what is acknowledged is durable, and the DNS follows."""
    end = time.monotonic() + deadline
    while True:
        found = compare(world)
        if found["lost"] == found["wrong"] == 0 or time.monotonic() > end:
            return found
        time.sleep(1)


def oracle_sees(world):
    """Plants one wrong record. True when the comparison finds that one."""
    victim = f"cam-000003.{FLEET}."
    before = axfr(world.dns, ZONE)[(victim[:-1], "A")]
    world.coordinator.stop()  # it would repair the record
    failure = update(_Hand(world.dns), f"del {victim} A", f"add {victim} 60 A 203.0.113.66")
    found = compare(world)
    again = update(_Hand(world.dns), f"del {victim} A", f"add {victim} 60 A {before[0]}")
    return failure == again == "" and (found["lost"], found["wrong"]) == (0, 1)


def one_seed(options, seed):
    random.seed(seed)
    kind = options.server or random.choice(("knot", "bind"))
    names = options.faults or random.sample(FAULTS, min(options.rounds, len(FAULTS)))
    sweep = SWEEPS[seed % 2]
    if "refuse" in names and sweep == SWEEPS[1]:
        # What was refused is tried again by a sweep or with the next change only: here a later storm brings that.
        names = ["refuse"] + [name for name in names if name != "refuse"]
        if len(names) == 1:
            sweep = SWEEPS[0]
    print(f"seed={seed} server={kind} devices={options.devices} sweep_every={sweep} faults={','.join(names)}", flush=True)
    began = time.monotonic()
    with World(options.devices, kind, sweep, find_faketime() if "clock_back" in names else None) as world:
        if not NETWORK:
            world.leave_out("agents that move", "no rights for a network namespace, or no veth")
        world.start()
        swarm = world.swarm(seed=seed)
        swarm.ask("connect")
        swarm.ask("storm")
        for name in names:
            if name == "disk_full" and not world.small_disk:
                world.leave_out(name, "no rights for mounts")
                continue
            at = time.monotonic()
            swarm.tell("storm")
            world.pause(0, 0.05 + options.devices / 7000)  # while the storm is on
            for agent in world.addresses if NETWORK else ():
                world.move(agent)
            getattr(world, name)()
            done = swarm.result()
            print(f"  {name}: all acknowledged after {time.monotonic() - at:.1f} s, repeats={done['repeats']}", flush=True)
        found = settle(world)
        failures = world.metric("muster_store_failures_total")
        planted = found["lost"] == found["wrong"] == 0 and oracle_sees(world)
        if not planted:
            found["examples"].append("the planted record was not found")
        errors = sum(1 for line in world.coordinator.log_text(whole=True).splitlines() if " error " in line or line[:3] == "<3>")
    print(f"seed={seed} lost={found['lost']} wrong={found['wrong']} oracle={'ok' if planted else 'BLIND'} "
          f"left_out={world.left_out} coordinator_errors={errors} commit_failures={failures} seconds={time.monotonic() - began:.0f} "
          f"{'; '.join(found['examples'])}", flush=True)
    return found["lost"], found["wrong"], planted, world.left_out


def main():
    parser = argparse.ArgumentParser(description="Storms with faults; the zone must end up right.")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--devices", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=6, help="storms, and faults, a seed")
    parser.add_argument("--server", choices=("knot", "bind"), help="default: by seed")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, help="these, in this order, instead of by seed")
    options = parser.parse_args()
    lost = wrong = blind = left_out = 0
    for seed in range(options.first, options.first + options.seeds):
        try:
            result = one_seed(options, seed)
        except (AssertionError, Timeout) as error:
            print(f"seed={seed} FAILED: {error}", flush=True)
            result = (1, 0, False, 0)
        lost, wrong, blind = lost + result[0], wrong + result[1], blind + (not result[2])
        left_out += result[3]
    print(f"faults: seeds={options.seeds} devices={options.devices} left_out={left_out} lost={lost} wrong={wrong}")
    if lost or wrong or blind:
        return 1
    return SKIPPED if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
