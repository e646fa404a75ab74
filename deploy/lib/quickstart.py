#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The part of deploy/quickstart behind the build: starts real programs, changes addresses, shows what the DNS says.

usage: quickstart.py --mode netns|loopback [--check]
"""
import argparse
import shutil
import signal
import sys
import threading
import time

import cameras
from muster_testlib import build_dir, certs, ports
from muster_testlib.broker import Broker
from muster_testlib.dns import Bind, Knot, kdig
from muster_testlib.procs import Process, Timeout, Workspace, wait_until
from witness import Witness

ZONE = "cams.example.net"
CAMERAS = 3
PAUSE_S = 10.0     # between two changes, for somebody to watch
DEADLINE_S = 60.0  # for one change

_COORDINATOR = """\
broker:
  endpoints: ["{broker.endpoint}"]
  client_id: svc-coord1
  ca_file: {broker.ca_file}
  cert_file: {identity.cert}
  key_file: {identity.key}
  stamp_key_file: {broker.stamp_key_file}
store:
  path: {folder}/coordinator.db
registry: {folder}/registry.yaml
control:
  socket: {folder}/control.sock
metrics:
  listen: "127.0.0.1:{metrics}"
policy:
  treat_as_public: ["{public}"]  # this demonstration's addresses are none of the Internet's
accounts:
  - name: dns
    provider: rfc2136
    server: "{dns.address}:{dns.port}"
    key_file: {tsig}
zones:
  - name: {zone}
    account: dns
groups:
  - name: cameras
    damping: false               # a demonstration changes addresses more often than any provider would
    names:
      - name: "{{id}}.{zone}"
"""

_REGISTRY = """\
devices:
  - match: "cam-*"
    group: cameras
"""

# probe: a camera behind a router whose far side changed is told nothing; its kernel's next question to the broker is
# answered with a reset. Without it the keepalive, 4 minutes, would find out.
_AGENT = """\
state_dir: {folder}
control_socket: {folder}/agent.sock
broker:
  endpoints: ["{endpoint}"]
  probe: 1s
  backoff_max: 1s
tls:
  ca_file: {ca}
  cert_file: {identity.cert}
  key_file: {identity.key}
addresses:
  include: ["{interface}"]
"""


class Camera:
    """One device: its place in the world, its agent, its name and what was measured."""

    def __init__(self, number, place):
        self.id = f"cam-{number}"
        self.name = f"{self.id}.{ZONE}"
        self.place = place
        self.agent = None
        self.times = None  # ms: change to answer, and its parts: change to report, report to answer
        self.answer = []


class Quickstart:
    def __init__(self, world):
        self.world = world
        self.work = Workspace("muster-quickstart-")
        self.started = []
        self.cameras = []

    def start(self):
        world = self.world
        world.enter()
        pki = certs.pki(self.work / "ca")
        self.broker = Broker(self.work, pki, viewers="all", address=world.address, viewers_address="127.0.0.1")
        self.run(self.broker)
        self.dns = (Knot if shutil.which("knotd") else Bind)(self.work, zones=ZONE, address=self.server_address())
        self.run(self.dns)
        self.witness = Witness(self.broker, self.dns)
        self.start_coordinator(pki)
        for number in range(1, CAMERAS + 1):
            self.cameras.append(self.start_camera(number, pki))

    def server_address(self):
        return self.world.address if shutil.which("knotd") or self.world.prefix else None

    def run(self, server):
        server.start()
        self.started.append(server)

    def start_coordinator(self, pki):
        folder = self.work.folder("coordinator")
        self.metrics = ports.free_port("127.0.0.1")
        algorithm, name, secret = self.dns.tsig.split(":", 2)
        tsig = self.work.write("coordinator/tsig.key",
                               f'key "{name}" {{ algorithm {algorithm}; secret "{secret}"; }};\n', 0o600)
        self.work.write("coordinator/registry.yaml", _REGISTRY)
        self.config = self.work.write("coordinator/coordinator.yaml", _COORDINATOR.format(
            broker=self.broker, dns=self.dns, identity=pki.service("svc-coord1"), folder=folder, tsig=tsig, zone=ZONE,
            metrics=self.metrics, public=self.world.public))
        coordinator = Process([build_dir() / "coordinator" / "muster-coordinator", "-c", self.config], folder / "log")
        self.run(coordinator)
        coordinator.wait_log("broker-connected")
        coordinator.wait_log("zone-claimed")

    def start_camera(self, number, pki):
        camera = Camera(number, self.world.camera(number, self.broker.port))
        folder = self.work.folder(camera.id)
        camera.config = self.work.write(f"{camera.id}/agent.yaml", _AGENT.format(
            folder=folder, endpoint=camera.place.endpoint, interface=camera.place.interface, ca=self.broker.ca_file,
            identity=pki.device(camera.id)))
        camera.agent = Process([build_dir() / "agent" / "muster-agent", "-c", camera.config], folder / "log",
                               prefix=camera.place.prefix)
        self.run(camera.agent)
        return camera

    def first_answers(self):
        """Every name leads to its camera's first address."""
        for camera in self.cameras:
            self.await_answer(camera)

    def await_answer(self, camera):
        camera.agent.wait_until(lambda: self.witness.asks(camera.name) == [camera.place.public],
                                f"{camera.name} answers {camera.place.public}", DEADLINE_S)
        camera.answer = [camera.place.public]

    def change(self, camera):
        """One camera's public address changes; returns once the authoritative server answers with it."""
        camera.times = None
        changed = time.time()  # before the command that changes it: its own time counts too
        camera.place.move()
        answered = self.witness.wait_answer(camera.name, camera.place.public, camera.agent, DEADLINE_S)
        reported = wait_until(lambda: self.witness.first_report(camera.id, changed), f"{camera.id} reports", DEADLINE_S)
        reported = min(reported, answered)  # a busy machine may let the broker's witness look later than the DNS's
        camera.times = [1000 * seconds for seconds in (answered - changed, reported - changed, answered - reported)]

    def verify(self):
        """By kdig: the names that do not answer with exactly their camera's present address."""
        wrong = []
        for camera in self.cameras:
            camera.answer = kdig(self.dns, camera.name, "A")
            if camera.answer != [camera.place.public]:
                wrong.append(camera.name)
        return wrong

    def table(self):
        rows = [("DEVICE", "ADDRESS", "NAME", "DNS ANSWERS", "CHANGE TO ANSWER", "CHANGE TO REPORT", "REPORT TO ANSWER")]
        for camera in self.cameras:
            times = [f"{ms:.1f} ms" for ms in camera.times] if camera.times else ["-"] * 3
            rows.append((camera.id, camera.place.public, camera.name, ",".join(camera.answer) or "-", *times))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)

    def hints(self):
        prefix = self.world.prefix
        camera = self.cameras[0]
        return f"""\
CHANGE TO ANSWER: from the command that changes the address until the authoritative server answers with the new one.
CHANGE TO REPORT: its first part, until the device's new report reaches the broker. {self.world.notice}
REPORT TO ANSWER: its second part, Muster's own: broker, coordinator, DNS UPDATE.
Look around from another terminal:
  {prefix}mosquitto_sub -h 127.0.0.1 -p {self.broker.viewers_port} -i Me.1 -v -t 'muster/v1/fleet/#' -t 'muster/v1/up/#'
  {prefix}kdig @{self.dns.address} -p {self.dns.port} {camera.name} A +short
  {prefix}curl -s http://127.0.0.1:{self.metrics}/metrics
  {build_dir()}/cli/muster device list -s {self.work.path}/coordinator/control.sock
  {build_dir()}/agent/muster-agent status -c {camera.config}
  logs and configuration: {self.work.path}"""

    def close(self):
        if hasattr(self, "witness"):
            self.witness.close()
        for one in reversed(self.started):
            one.stop()
        self.world.close()
        self.work.close()


def check(demo):
    """One pass: all cameras at once, each from its own change."""
    demo.first_answers()
    failures = []

    def follow(camera):
        try:
            demo.change(camera)
        except (Timeout, AssertionError, RuntimeError) as error:
            failures.append(f"{camera.id}: {error}")

    threads = [threading.Thread(target=follow, args=(camera,)) for camera in demo.cameras]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = demo.verify()
    print(demo.table())
    for text in failures + [f"{name} does not answer with its new address" for name in wrong]:
        print(text)
    return 1 if failures or wrong else 0


def watch(demo):
    """Until Ctrl-C: one camera after the other gets a new public address."""
    demo.first_answers()
    demo.verify()
    print(demo.hints())
    print("Ctrl-C ends it and cleans up.\n")
    drawn = 0
    for turn in range(sys.maxsize):
        text = demo.table()
        if drawn and sys.stdout.isatty():
            print(f"\x1b[{drawn}A\x1b[J", end="")
        print(text, flush=True)
        drawn = text.count("\n") + 1
        time.sleep(PAUSE_S)  # a pause for the reader, not for a condition
        demo.change(demo.cameras[turn % CAMERAS])
        demo.verify()


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop(number, _frame):
    """The first signal ends the demonstration; cleaning up is not to be cut short by a second one."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(0 if number == signal.SIGINT else 128 + number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("netns", "loopback"), required=True)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, stop)
    world = cameras.NetnsWorld() if arguments.mode == "netns" else cameras.LoopbackWorld()
    print(f"mode={arguments.mode}: {world.tells}", flush=True)
    demo = Quickstart(world)
    try:
        demo.start()
        return check(demo) if arguments.check else watch(demo)
    except (AssertionError, RuntimeError, OSError) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        demo.close()


if __name__ == "__main__":
    sys.exit(main())
