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
                  "provisioning": {"endpoints": [case.prov.endpoint], "claim_dir": str(claim)}}
        (self.state / "serial").write_text(self.serial + "\n")
        for key, value in settings.items():
            config[key] = {**config.get(key, {}), **value}
        self.config_file = self.folder / "agent.yaml"
        self.config_file.write_text(json.dumps(config))  # JSON is YAML
        environment = {}
        if clock_s is not None:
            clock = self.folder / "clock"
            clock.write_bytes(struct.pack("=qq", clock_s - int(time.time()), 0))
            environment = {"LD_PRELOAD": str(SHIM), "CLOCK_SHIM": str(clock)}
        self.agent = procs.Process([AGENT, "-c", self.config_file], self.folder / "log", env=environment)

    def status(self):
        done = subprocess.run([str(AGENT), "status", "--json", "-s", str(self.socket)], capture_output=True, text=True,
                              timeout=procs.DEADLINE, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def doctor(self):
        done = subprocess.run([str(AGENT), "doctor", "--json", "-c", str(self.config_file)], capture_output=True, text=True,
                              timeout=procs.DEADLINE, check=False)
        return {line["check"]: line for line in json.loads(done.stdout)["checks"]}

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
        device.agent.stop()  # then the doctor connects by itself, and nobody waits for a coordinator
        lines = device.doctor()
        self.assertEqual([lines[name]["verdict"] for name in ("enrolment", "identity", "device-cert", "connack")], ["ok"] * 4)

    def test_copies_and_a_forged_answer(self):
        """Every answer comes twice. First another service signs, and nothing comes of it; then the request is repeated."""
        self.provisioner.twice = True
        self.provisioner.forge = self.pki.service("svc-coord")
        device = self.device()
        device.agent.start()
        device.agent.wait_log(r"enrolment-answer-ignored")
        self.assertEqual(self.provisioner.issued, [])
        self.provisioner.forge = None
        device.wait_proven(1)
        self.assertEqual(len(self.provisioner.issued), 1)

    def test_who_is_refused_says_so_and_asks_again_later(self):
        self.provisioner.refuse = "busy"
        device = self.device()
        device.agent.start()
        device.wait_status(lambda status: status.get("enrolment", {}).get("error") == "busy", "it says why")
        done = subprocess.run([str(AGENT), "status", "-s", str(device.socket)], capture_output=True, text=True, check=True)
        self.assertIn("not enrolled yet", done.stdout)
        lines = device.doctor()
        self.assertEqual([lines[name]["verdict"] for name in ("enrolment", "device-cert", "tls")], ["warn", "ok", "ok"])
        self.assertIsNone(device.current())
        self.assertEqual(device.agent.stop(), 0)
        self.provisioner.refuse = None
        device.agent.start()
        device.wait_proven(1)

    def test_a_cloned_image_without_the_device_s_key_gets_nothing(self):
        device = self.device()
        device.key.unlink()
        device.agent.start()
        device.wait_status(lambda status: status.get("enrolment", {}).get("error") == "refused", "refused")
        self.assertEqual((self.provisioner.issued, device.current()), ([], None))

    def test_killed_on_the_way_it_goes_on_with_the_same_key(self):
        device = self.device()
        self.provisioner.mute = 2
        device.agent.start()
        for op in ("hello", "csr"):  # one request of each kind was heard; the agent dies with it
            self.provisioner.wait_heard(op)
            device.agent.kill()
            device.agent.start()
        device.wait_proven(1)
        device.agent.kill()
        device.agent.start()
        self.wait_birth(device, 2)
        self.assertEqual(len(self.provisioner.issued), 1)


class Clock(Case):
    def test_1970(self):
        """Enrols and connects, and the wall clock of the reports is the signed one."""
        device = self.device(clock_s=30)
        device.agent.start()
        birth = self.wait_birth(device)
        self.assertEqual(birth["tsq"], "signed")
        self.assertLess(abs(birth["ts"] / 1000 - time.time()), 7200)
        device.wait_proven(1)
        device.agent.stop()
        device.agent.start()  # what is saved is enough now
        self.assertEqual(self.wait_birth(device, 2)["boot"], 2)

    def test_1970_skips_no_check(self):
        """Neither another root's server nor another name's is taken, whatever time it is."""
        foreign = certs.pki(self.work / f"foreign{Case.number}")
        device = self.device(clock_s=30)
        (device.folder / "claim" / "root.pem").write_bytes((foreign.folder / "root.pem").read_bytes())
        device.agent.start()
        device.agent.wait_log(r"clock-tried")
        mark = device.agent.mark()
        device.agent.wait_log(r"enrolment-disconnected.*certificate verify failed", since=mark)
        self.assertEqual(self.provisioner.heard, [])
        self.assertFalse((device.state / "clock").exists())


class Renewal(Case):
    def test_renews_and_goes_on_with_the_new_one(self):
        self.provisioner.renew_ms = 1000
        device = self.device()
        device.agent.start()
        device.wait_proven(1)
        self.provisioner.wait_heard("renew")
        self.provisioner.renew_ms = None
        device.agent.wait_until(lambda: device.current() not in (None, "v1"), "a later version is the current one")
        self.assertGreaterEqual(len({row["spki"] for row in self.provisioner.issued}), 2)
        birth = self.wait_birth(device, 2)
        self.assertEqual(birth["boot"], 1)  # the same run, another connection
        status = device.status()
        self.assertEqual((status["identity"]["trial"], status["identity"]["error"]), (False, ""))

    def test_a_new_one_that_the_broker_does_not_take_is_given_back(self):
        self.provisioner.renew_ms = 1000
        device = self.device()
        device.agent.start()
        self.provisioner.wait_heard("stored")
        self.provisioner.authority = certs.Authority(self.work / f"foreign{Case.number}", "foreign")
        device.agent.wait_log(r"identity-refused")
        mark = device.agent.mark()
        device.agent.wait_log(r"connected endpoint", since=mark)
        refused = [row for row in self.provisioner.issued if row["foreign"]]
        self.assertEqual(len(refused), 1)
        kept = device.status()["identity"]
        self.assertFalse(kept["trial"])
        self.assertEqual(device.current(), f"v{kept['version']}")


class Refused(Case):
    def test_goes_back_to_be_enrolled(self):
        """Its certificate is denied and its session ended: three refusals, and the device's own key gets it another."""
        device = self.device()
        device.agent.start()
        device.wait_proven(1)
        self.wait_birth(device)
        self.provisioner.deny(self.provisioner.issued[0])
        device.agent.wait_log(r"refused .*next=enrolment")
        self.provisioner.wait_heard("trouble")
        device.wait_proven(2)
        self.assertEqual(self.wait_birth(device, 2)["boot"], 2)
        self.assertEqual(len(self.provisioner.issued), 2)

    def test_a_broker_that_is_gone_sends_nobody_to_enrol(self):
        device = self.device()
        device.agent.start()
        device.wait_proven(1)
        self.core.stop()
        mark = device.agent.mark()
        device.agent.wait_log(r"(disconnected .*\n[^$]*){5}", since=mark)
        self.core.start()
        mark = device.agent.mark()
        device.agent.wait_log(r"connected endpoint", since=mark)
        self.assertEqual([op for op, _ in self.provisioner.heard], ["hello", "csr", "stored"])

    def test_two_with_one_identity_do_not_throw_each_other_out_for_ever(self):
        device = self.device()
        device.agent.start()
        device.wait_proven(1)
        own = certs.Identity(device.id, device.identity / "v1" / "cert.pem", device.identity / "v1" / "key.pem")
        mark = device.agent.mark()
        for _ in range(6):
            device.wait_status(lambda status: status["connection"]["state"] == "connected", "it is back")
            twin = Client(self.core.address, self.core.port, self.core.ca_file, own)
            self.addCleanup(twin.abort)
        device.agent.wait_log(r"taken-over", since=mark)


if __name__ == "__main__":
    unittest.main()
