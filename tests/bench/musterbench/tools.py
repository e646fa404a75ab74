# SPDX-License-Identifier: Apache-2.0
"""Programs that take one command a line and answer each with one JSON object, and what /proc says about a process."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

from muster_testlib import build_dir
from muster_testlib.procs import DEADLINE, die_with_parent


GOAL_BYTES, GOAL_BYTES_DEVICES = 250, 1000000

# What the baselines do alone on a quiet machine of two cores, Debian 12. One that takes twice as long is an error.
RAW_MS = {"knot": 26.0, "bind": 2.0}  # one raw update after a pause, until UDP answers it: p50; BIND back to back: 1.0
PAHO_US = 37.0                        # CPU a state of a subscriber with mutual TLS and an empty callback
PAHO_FIGURE = 22000                   # states/s of the same


class ToolFailed(AssertionError):
    """A load generator or a baseline did not do its work. `lost`, `wrong`: what is known of them all the same."""

    lost = wrong = None


class Tool:
    """muster-swarm, raw-feed or paho-empty, spoken to over pipes; stderr goes to `log`."""

    def __init__(self, name, arguments, log):
        self.name, self.log = name, pathlib.Path(log)
        with open(self.log, "ab") as errors:
            self.popen = subprocess.Popen([build_dir() / "tests" / "bench" / name, *map(str, arguments)], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=1,
                                          preexec_fn=die_with_parent)

    @property
    def pid(self):
        return self.popen.pid

    def tell(self, command):
        """Starts a command; `result` waits for its answer."""
        self.popen.stdin.write(command + "\n")
        self.popen.stdin.flush()

    def result(self, whole=True):
        """The answer to what was told. whole=False: an answer that says "not complete" is one, too."""
        line = self.popen.stdout.readline()
        if not line:
            raise ToolFailed(f"{self.name} ended: {self.log.read_text()[-2000:]}")
        answer = json.loads(line)
        if answer.get("ok") is False or (whole and answer.get("complete") is False):
            raise ToolFailed(f"{self.name}: {line.strip()} {self.log.read_text()[-2000:]}")
        return answer

    def ask(self, command):
        self.tell(command)
        return self.check(command, self.result())

    def check(self, _command, answer):
        """What `ask` answers, once it is found good."""
        return answer

    def stop(self):
        self.popen.stdin.close()
        try:
            self.popen.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()


class Swarm(Tool):
    """muster-swarm, which only a fleet that misbehaves may find refused."""

    def check(self, command, answer):
        for key in ("refused", "bad_codec", "unexpected"):
            if answer.get(key) and not (key == "refused" and command.startswith("misbehave")):
                raise ToolFailed(f"{self.name}: {command}: {key}={answer[key]} {self.log.read_text()[-2000:]}")
        return answer


def cpu_seconds(pid):
    """CPU of all threads, by the scheduler's own nanoseconds (the ticks of /proc/PID/stat are too coarse)."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            continue  # a thread that has just ended
    return total / 1e9


def machine_seconds():
    """CPU that the whole machine has spent; what is more than our own processes' was taken from us by others."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def profiled(path, processes):
    """Samples the processes with `perf` into path.<name> (linux-perf); nothing when path is None."""
    recorders = []
    for name, pid in (processes if path else {}).items():
        recorders.append(subprocess.Popen(["perf", "record", "-q", "-F", "999", "-g", "-o", f"{path}.{name}", "-p", str(pid)],
                                          stderr=subprocess.DEVNULL))
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()


def memory_kib(pid):
    """RSS, RssAnon and PSS in KiB."""
    found = {}
    for name in ("status", "smaps_rollup"):
        for line in pathlib.Path(f"/proc/{pid}/{name}").read_text().splitlines():
            key, _, value = line.partition(":")
            if key in ("VmRSS", "RssAnon", "Pss"):
                found[key] = int(value.split()[0])
    return found["VmRSS"], found["RssAnon"], found["Pss"]


def wakeups(pid):
    """How often the process's threads have begun to run after a wait."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def metrics(port, address="127.0.0.1"):
    """The samples of /metrics: {'name{labels}': value}."""
    with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=DEADLINE) as reply:
        text = reply.read().decode()
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[name] = float(value)
    return samples


def metric(samples, name):
    """The sum of a metric over its labels."""
    values = [value for key, value in samples.items() if key == name or key.startswith(name + "{")]
    if not values:
        raise ToolFailed(f"the coordinator has no metric {name}")
    return sum(values)


def states(deployment):
    """State messages that the coordinator has taken in since its start."""
    return int(metric(metrics(deployment.metrics_port), "muster_states_total"))


def await_states(deployment, wanted, patience_s=60.0):
    """The coordinator's count of states, once it has reached `wanted` or has not moved for `patience_s`: being slow is
    not losing."""
    last, moved = -1, time.monotonic()
    while True:
        count = states(deployment)
        if count >= wanted or (count == last and time.monotonic() - moved > patience_s):
            return count
        if count != last:
            last, moved = count, time.monotonic()
        time.sleep(0.05)  # each question costs the coordinator some CPU


def bytes_per_device(anon_kib, few_kib, devices):
    """What a device adds to the coordinator's private memory; `few_kib`: what it needed with hardly any."""
    return round((anon_kib - few_kib) * 1024 / devices, 1)


def bytes_goal(result):
    """The goal is for a million devices: with fewer, what does not depend on their number weighs too much."""
    figure = result["bytes_per_device"]
    met = figure <= GOAL_BYTES
    return ("bytes a device", f"<= {GOAL_BYTES} at 1 M", figure, met if met or result["devices"] >= GOAL_BYTES_DEVICES else None)


def too_slow(what, took, known, unit):
    """What to say of a baseline that took more than twice what is known of it, as a list of at most one."""
    return [f"{what} {took:.1f} {unit}, twice the known figure is {2 * known:.1f} {unit}"] if took > 2 * known else []


def below_half(what, per_s, known):
    """The same of a rate."""
    return [f"{what} {per_s:.0f}/s, half of the known figure is {known / 2:.0f}/s"] if per_s < known / 2 else []


def baseline_goal(errors):
    return ("baseline", "valid", "; ".join(errors) or "valid", not errors)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values, share):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))]
