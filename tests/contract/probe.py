# SPDX-License-Identifier: Apache-2.0
"""Drives muster-probe, the batch engine under a command line."""
import json
import os
import queue
import subprocess
import threading
import time

from muster_testlib import build_dir
from muster_testlib.procs import DEADLINE


class Probe:
    """One engine with one account and one zone. Events are kept in order; wait() takes what it returns out."""

    def __init__(self, work, config, zone, mode="dedicated", epoch=0, name="probe", env=None):
        lines = [f"{key}: {json.dumps(str(value)) if not isinstance(value, (int, dict)) else json.dumps(value)}"
                 for key, value in {"name": name, **config}.items()]
        path = work.write(f"{name}.yaml", "\n".join(lines) + "\n")
        self.child = subprocess.Popen([build_dir() / "tests" / "contract" / "muster-probe", path, zone, mode, str(epoch)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                      env={**os.environ, **(env or {})})
        self.arrived, self.events = queue.Queue(), []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.arrived.put(json.loads(line))
        self.arrived.put(None)

    def send(self, *words):
        self.child.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.child.stdin.flush()

    def submit(self, name, address, rev, have="?", ttl=60, rtype="A", adopt=False):
        self.send("submit", name, rtype, ttl, rev, address, have, *(["adopt"] if adopt else []))

    def wait(self, match, deadline=DEADLINE):
        """The first event, kept or to come, that `match` accepts; fails after `deadline` seconds."""
        end = time.monotonic() + deadline
        for index, event in enumerate(self.events):
            if match(event):
                return self.events.pop(index)
        while True:
            try:
                event = self.arrived.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such event; kept: {self.events[-5:]}, {self.status_or_none()}") from None
            if event is None:
                raise AssertionError(f"probe ended, kept: {self.events[-5:]}")
            if match(event):
                return event
            self.events.append(event)

    def status_or_none(self):
        try:
            return self.status(2)
        except AssertionError:
            return None

    def event(self, kind, deadline=DEADLINE):
        return self.wait(lambda event: event["event"] == kind, deadline)

    def status(self, deadline=DEADLINE):
        self.send("status")
        return self.event("status", deadline)

    def settled(self, rev, outcome=("applied", "refused"), deadline=DEADLINE):
        """What became of change `rev`."""
        return self.wait(lambda event: event["event"] == "settled" and event["rev"] == rev and event["outcome"] in outcome,
                         deadline)

    def wait_state(self, state, deadline=DEADLINE):
        end = time.monotonic() + deadline
        while (status := self.status())["state"] != state:
            assert time.monotonic() < end, f"not {state}: {status}"
            time.sleep(0.02)  # between two looks at the condition
        return status

    def close(self):
        if self.child.poll() is None:
            self.send("quit")
            assert self.child.wait(DEADLINE) == 0, "probe failed at its end"
        self.child.stdin.close()
        self.reader.join(DEADLINE)
        self.child.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
