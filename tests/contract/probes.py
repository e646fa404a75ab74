# SPDX-License-Identifier: Apache-2.0
"""Drives one muster-probe with many zones, each with an account of its own: the contract suite's several hundred cases share
a process. Events go to the zone that they are about; everything here may be called from any thread."""
import json
import queue
import subprocess
import threading
import time

from muster_testlib import build_dir

DEADLINE = 20  # seconds for an event: what takes longer than a few requests and waits of 400 ms has failed


class Session:
    """One account and its zone. Events are kept in order; wait() takes what it returns out."""

    def __init__(self, probes, name):
        self.probes, self.name = probes, name
        self.arrived, self.events = queue.Queue(), []
        self.told = []  # every event, whatever became of it here

    def send(self, *words):
        self.probes.send(self.name, *words)

    def submit(self, name, address, rev, rtype="A", ttl=60, have="?"):
        self.send("submit", name, rtype, ttl, rev, address, have)

    def wait(self, match, what, deadline=DEADLINE):
        end = time.monotonic() + deadline
        for index, event in enumerate(self.events):
            if match(event):
                return self.events.pop(index)
        while True:
            try:
                event = self.arrived.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {what}; kept: {self.events[-3:]}") from None
            if event is None:
                self.arrived.put(None)  # for whoever asks next
                raise AssertionError(f"the probe ended before {what}; kept: {self.events[-3:]}")
            if event["event"] == "error":
                raise AssertionError(f"{event['err']}: {event['detail']}")
            if match(event):
                return event
            self.events.append(event)

    def event(self, kind, deadline=DEADLINE):
        return self.wait(lambda event: event["event"] == kind, kind, deadline)

    def settled(self, rev, outcomes=("applied", "refused"), deadline=DEADLINE):
        return self.wait(lambda event: event["event"] == "settled" and event["rev"] == rev and event["outcome"] in outcomes,
                         f"outcome of change {rev} in {outcomes}", deadline)

    def status(self):
        self.send("status")
        return self.event("status")

    def listing(self):
        """{(name, type): values} of the service, by the provider's own listing."""
        self.send("list")
        end = self.event("listed")
        records = [event for event in self.events if event["event"] == "record"]
        self.events = [event for event in self.events if event["event"] != "record"]
        assert end["err"] == "OK", end
        return {(record["name"], record["type"]): sorted(record["value"]) for record in records}

    def close(self):
        self.send("close")


class Probes:
    """The process. Use as a context manager; open() makes a zone."""

    def __init__(self, env=None):
        argv = [build_dir() / "tests" / "contract" / "muster-probe", "-"]
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1 << 16, env=env)
        self.sessions, self.lock = {}, threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            event = json.loads(line)
            session = self.sessions.get(event.pop("id", ""))
            if session is not None:
                session.told.append(event)
                session.arrived.put(event)
        for session in list(self.sessions.values()):
            session.arrived.put(None)

    def send(self, *words):
        with self.lock:
            self.child.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.child.stdin.flush()

    def send_all(self, lines):
        """In one go, so that the engine sees them together as far as it can."""
        with self.lock:
            self.child.stdin.write("".join(line + "\n" for line in lines))
            self.child.stdin.flush()

    def open(self, name, config, zone, mode="dedicated"):
        session = self.sessions[name] = Session(self, name)
        self.send(name, "open", config, zone, mode)
        session.event("ready")
        return session

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.send("-", "quit")
            assert self.child.wait(DEADLINE) == 0, "the probe failed at its end"
        self.child.stdin.close()
        self.reader.join(DEADLINE)
        self.child.stdout.close()
