# SPDX-License-Identifier: Apache-2.0
"""The zone against the fleet's log, by the separate program compare-zone; and when the zone became what it is."""
import json
import pathlib
import subprocess
import time

_PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "compare-zone"
PATIENCE_S = 60.0  # a zone that has not changed for so long stays as it is


def compare(dns, zone, log, ignore=None, more=()):
    """One comparison: the object that compare-zone prints. `ignore`: names of another fleet begin so. `more`: further
    arguments of the program."""
    arguments = ["--server", dns.address, "--port", str(dns.port), "--zone", zone, "--key", dns.tsig, "--log", log,
                 *(["--ignore", ignore] if ignore else []), *more]
    done = subprocess.run(["/usr/bin/python3", _PROGRAM, *arguments], capture_output=True, text=True, check=False)
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


def settle(swarm, deployment, zone, label="swarm", ignore=None, patience_s=PATIENCE_S):
    """Compares until nothing differs, or until neither what differs nor the serial has moved for `patience_s`: a slow
    machine is not a wrong zone. Returns the last comparison, and when the zone got the serial that it was compared at:
    what is served later than that was served since then."""
    log, serials = deployment.work / f"{label}.oracle", deployment.work / f"{label}.serials"
    last, moved = None, time.monotonic()
    while True:
        found = compare(deployment.dns, zone, log, ignore)
        at = serial_seconds(serials, found["serial"])
        if found["devices"] != deployment.devices:
            raise AssertionError(f"the fleet's log has {found['devices']} of {deployment.devices} devices")
        if found["lost"] == found["wrong"] == 0 and at is not None:
            return found, at
        state = (found["lost"], found["wrong"], found["serial"], at)
        if state != last:
            last, moved = state, time.monotonic()
        if time.monotonic() - moved > patience_s:
            return found, at
        swarm.ask("watch 300")
