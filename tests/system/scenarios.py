#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real agents on a network of namespaces while that network changes: everything true is published within its limit, and
nothing untrue ever. Prints a line for each event.

usage: scenarios.py [--list] [--jobs N] [NAME ...]   (needs root; exit status 77 where the kernel gives no namespaces)
"""
import argparse
import signal
import subprocess
import sys
import time

from muster_testlib import netns
from muster_testlib.detection import World, run
from muster_testlib.procs import Timeout, Workspace
from muster_testlib.scenarios import ALL

PATIENCE_S = 60.0  # a late answer is worth a figure, too


def judge(scenario, result):
    """Complaints; prints what was measured."""
    faults = []
    for what, seconds in result.times.items():
        limit = result.limits[what]
        shown = "never" if seconds is None else f"{seconds:.3f} s"
        print(f"{scenario.name:20} {what:16} {shown:>10}" + (f"  (limit {limit:g} s)" if limit else ""), flush=True)
        if seconds is None:
            faults.append(f"{scenario.name}: {what}: the truth was not published within {PATIENCE_S:g} s")
        elif limit is not None and seconds > limit:
            faults.append(f"{scenario.name}: {what}: {seconds:.3f} s, more than {limit:g} s")
    if result.wrong:
        faults.append(f"{scenario.name}: published, and not true: {result.wrong}")
    return faults


def play_side_by_side(names, jobs):
    """Each job has a network and servers of its own; most of a scenario is waiting. The worst exit status."""
    parts = [part for part in (names[number::jobs] for number in range(jobs)) if part]
    processes = [subprocess.Popen([sys.executable, "-B", __file__, *part]) for part in parts]
    try:
        return max(abs(process.wait()) for process in processes)
    finally:
        for process in processes:
            process.terminate()  # one that has ended stays as it is
        for process in processes:
            process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="names and what happens")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many networks side by side")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if options.list:
        for scenario in ALL:
            print(f"{scenario.name:20} {scenario.tells}")
        return 0
    unknown = set(options.names) - {scenario.name for scenario in ALL}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if not netns.possible():
        print("no network namespaces here (kernel, or not root)", file=sys.stderr)
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an orderly end: everything started is stopped
    if options.jobs > 1:
        return play_side_by_side(options.names or [scenario.name for scenario in ALL], options.jobs)
    began, faults = time.monotonic(), []
    with Workspace("muster-system-") as work:
        world = World(work)
        try:
            world.start()
            for scenario in ALL:
                if options.names and scenario.name not in options.names:
                    continue
                if not scenario.playable():
                    print(f"{scenario.name:20} not played: {scenario.needs} is not in this build", flush=True)
                    continue
                try:
                    faults += judge(scenario, run(world, scenario, patience=PATIENCE_S)["muster"])
                except (Timeout, AssertionError) as error:
                    faults.append(f"{scenario.name}: {error}\n{world.agent.process.log_text()[-3000:]}")
                    print(f"{scenario.name:20} {error}", flush=True)
        finally:
            world.close()
    print(f"{time.monotonic() - began:.0f} s")
    for fault in faults:
        print(f"FAILED {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
