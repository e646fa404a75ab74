# SPDX-License-Identifier: Apache-2.0
"""A device that gets its identity over the air: muster-agent against two real mosquittos (core and provisioning) with real
certificates. The provisioner is tests/lib's, written against the schemas."""
import json
import os
import pathlib
import signal
import struct
import subprocess
import time
import unittest

from muster_testlib import broker as brokers
from muster_testlib import build_dir, certs, procs
from muster_testlib.mqttclient import Client
from muster_testlib.provisioner import Provisioner

AGENT = build_dir() / "agent" / "muster-agent"
SHIM = build_dir() / "tests" / "clock_shim.so"


class Device:
    """A flashed device: claim, serial number, the key that the factory's ledger knows; nothing else."""

    def __init__(self, case, number, clock_s=None, **settings):
        self.case, self.id, self.serial = case, f"cam-{number}", f"SN-{number}"
        self.folder = case.work.folder(self.id)
        self.state = case.work.folder(f"{self.id}/state")
        self.identity = self.state / "identity"
        self.socket = self.folder / "control.sock"
        claim = case.work.folder(f"{self.id}/claim")
        for name, source in (("claim.pem", case.claim.cert), ("claim.key", case.claim.key),
                             ("root.pem", case.pki.folder / "root.pem")):
            (claim / name).write_bytes(source.read_bytes())
            (claim / name).chmod(0o600)
        self.key = self.state / "device.key"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key],
                       check=True, capture_output=True)
        self.key.chmod(0o600)
        public = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout"], check=True, capture_output=True, text=True)
        case.provisioner.devices[self.serial] = {"id": self.id, "key": public.stdout}
        config = {"state_dir": str(self.state), "control_socket": str(self.socket),
                  "broker": {"backoff_max": "1s"}, "report": {"window": "50ms"},
                  "provisioning": {"endpoints": [case.prov.endpoint], "claim_dir": str(claim), "serial": self.serial}}
        for key, value in settings.items():
            config[key] = {**config.get(key, {}), **value}
        self.config_file = self.folder / "agent.yaml"
        self.config_file.write_text(json.dumps(config))  # JSON is YAML
        environment = {}
        if clock_s is not None:
            clock = case.work.write(f"{self.id}/clock", struct.pack("=qq", clock_s - int(time.time()), 0))
            environment = {"LD_PRELOAD": str(SHIM), "CLOCK_SHIM": str(clock)}
        self.agent = procs.Process([AGENT, "-c", self.config_file], self.folder / "log", env=environment)

    def status(self):
        done = subprocess.run([str(AGENT), "status", "--json", "-s", str(self.socket)], capture_output=True, text=True,
                              timeout=procs.DEADLINE, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_status(self, fits, what):
        def check():
            status = self.status()
            return status is not None and fits(status)
        self.agent.wait_until(check, what)

    def wait_proven(self, version):
        self.agent.wait_until(lambda: self.current() == f"v{version}", f"version {version} is the current one")

    def current(self):
        link = self.identity / "current"
        return os.readlink(link) if link.is_symlink() else None

    def versions(self):
        return sorted(path.name for path in self.identity.iterdir() if path.name.startswith("v"))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.pki = certs.pki(cls.work / "pki")
        cls.claim = cls.pki.claim("claim-b1")
        cls.prov = brokers.ProvBroker(cls.work, cls.pki).start()
        cls.addClassCleanup(cls.prov.stop)
        Case.number = 0

    def setUp(self):
        Case.number += 1
        self.core = self.make_core()
        self.addCleanup(self.core.stop)
        self.provisioner = Provisioner(self.work, self.pki, self.prov, self.core)
        self.addCleanup(self.provisioner.close)
        self.coordinator = Client(self.core.address, self.core.port, self.core.ca_file, self.pki.service("svc-coord"))
        self.addCleanup(self.coordinator.abort)
        self.coordinator.subscribe("muster/v1/up/+/+/state")

    def make_core(self):
        return brokers.Broker(self.work, self.pki, name=f"core{Case.number}").start()

    def device(self, **settings):
        device = Device(self, Case.number, **settings)
        self.addCleanup(device.agent.kill)
        return device

    def wait_birth(self, device, count=1):
        def fits(message):
            return message.topic == brokers.topic("up", device.id, "state") and json.loads(message.payload)["why"] == "birth"
        return json.loads(self.coordinator.wait_messages(count, fits)[-1].payload)


class Enrolment(Case):
    def test_a_flashed_device_ends_up_reporting(self):
        device = self.device()
        device.agent.start()
        birth = self.wait_birth(device)
        self.assertEqual(birth["s"], "on")
        device.wait_proven(1)
        self.provisioner.wait_heard("stored")
        self.assertEqual([row["id"] for row in self.provisioner.issued], [device.id])
        self.assertEqual(device.identity.stat().st_mode & 0o777, 0o700)
        self.assertNotIn(device.key.read_text(), (device.identity / "v1" / "key.pem").read_text())  # the TLS key is another
        device.wait_status(lambda status: status["identity"]["version"] == 1 and not status["identity"]["trial"], "proven")


if __name__ == "__main__":
    unittest.main()
