# SPDX-License-Identifier: Apache-2.0
"""One question to one address source of the agent, through tests/integration/detect_probe.c."""
import subprocess

from . import build_dir, procs

PROBE = build_dir() / "agent" / "detect_probe"


class Probe:
    """What the source made of it: status ("address", "absent", "failed"), ip, port_control, elapsed_ms, detail."""

    def __init__(self, *arguments, prefix=()):
        done = subprocess.run([*prefix, str(PROBE), *map(str, arguments)], capture_output=True, text=True, check=False,
                              timeout=procs.DEADLINE)
        if done.returncode != 0:
            raise AssertionError(f"detect_probe {arguments}: {done.returncode}: {done.stderr}")
        answer, control, elapsed, self.detail = done.stdout.rstrip("\n").split("\t")
        self.status, _, self.ip = answer.partition(" ")
        self.port_control, self.elapsed_ms = control == "port-control", int(elapsed)
