# SPDX-License-Identifier: Apache-2.0
"""Questions to one address source of the agent, through tests/integration/detect_probe.c."""
import subprocess

from . import build_dir, procs

PROBE = build_dir() / "agent" / "detect_probe"


def _lines(arguments, prefix):
    done = subprocess.run([*prefix, str(PROBE), *map(str, arguments)], capture_output=True, text=True, check=False,
                          timeout=procs.DEADLINE)
    if done.returncode != 0:
        raise AssertionError(f"detect_probe {arguments}: {done.returncode}: {done.stderr}")
    return done.stdout.splitlines()


class Answer:
    """What the source made of it: status ("address", "absent", "failed"), ip, port_control, mapping_varies,
    no_outside, elapsed_ms, detail."""

    def __init__(self, line):
        answer, found, elapsed, self.detail = line.split("\t")
        self.status, _, self.ip = answer.partition(" ")
        self.port_control, self.mapping_varies = found == "port-control", found == "mapping-varies"
        self.no_outside = found == "no-outside"
        self.elapsed_ms = int(elapsed)

    def __repr__(self):
        return f"{self.status} {self.ip} after {self.elapsed_ms} ms: {self.detail}"


class Probe(Answer):
    """The answer to one question."""

    def __init__(self, *arguments, prefix=()):
        line, = _lines(arguments, prefix)
        super().__init__(line)


def ask_often(times, *arguments, prefix=()):
    """The answers to several, each asked after the one before was answered."""
    return [Answer(line) for line in _lines((*arguments, f"times={times}"), prefix)]
