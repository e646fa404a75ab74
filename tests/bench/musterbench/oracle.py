# SPDX-License-Identifier: Apache-2.0
"""The zone against the fleet's log, by the separate program compare-zone; and when the zone became what it is."""
import json
import pathlib
import subprocess
import time

_PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "compare-zone"


def compare(dns, zone, log, ignore=None):
    """One comparison: the object that compare-zone prints. `ignore`: names of another fleet begin so."""
    done = subprocess.run(["/usr/bin/python3", _PROGRAM, "--server", dns.address, "--port", str(dns.port), "--zone", zone,
                           "--key", dns.tsig, "--log", log, *(["--ignore", ignore] if ignore else [])], capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise AssertionError(f"compare-zone: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def serial_seconds(path, serial):
    """When the swarm first saw the serial, in seconds of its log; None when it never did."""
    with open(path, encoding="ascii") as lines:
        for line in lines:
            at, seen = line.split()
            if int(seen) == serial:
                return float(at)
    return None


def settle(swarm, dns, zone, log, serials, deadline=300.0, ignore=None):
    """Compares until nothing differs or `deadline` seconds are over. Returns the last comparison, and when the zone got
    the serial that it was compared at: what is served later than that was served since then."""
    end = time.monotonic() + deadline
    while True:
        found = compare(dns, zone, log, ignore)
        at = serial_seconds(serials, found["serial"])
        if (found["lost"] == found["wrong"] == 0 and at is not None) or time.monotonic() > end:
            return found, at
        swarm.ask("watch 300")
