# SPDX-License-Identifier: Apache-2.0
"""Brokers as `muster broker` runs them: a description, what it renders, and mosquitto on that."""
import json
import os
import pwd
import secrets
import subprocess

from . import build_dir, ports
from .procs import Process, unconfined


def muster(*arguments):
    """Runs the command; returns (exit status, stdout, stderr)."""
    done = subprocess.run([build_dir() / "cli" / "muster", *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          check=False)
    return done.returncode, done.stdout, done.stderr


class Brokers:
    """core, prov and dash below one folder; `pki` is a ProductPki. Nothing runs before start()."""

    kinds = ("core", "prov", "dash")

    def __init__(self, work, pki):
        self.work, self.pki = work, pki
        self.folder = work.folder("brokers", 0o755)
        self.directory = self.folder / "rendered"
        self.config = self.folder / "brokers.yaml"
        self.crls = {broker: self.folder / f"crls-{broker}.pem" for broker in ("core", "prov")}
        self.address = ports.loopback()
        self.port = {kind: ports.free_port(self.address) for kind in (*self.kinds, "viewers", "websockets")}
        self.good = {"core": pki.device("probe"), "prov": pki.claim("claim-probe")}
        self.bad = {"core": pki.device("probe-revoked"), "prov": pki.claim("claim-probe-revoked")}
        self.server = pki.server("brokers", ips=[self.address])
        self.bridge = pki.service("svc-bridge-dash")
        for identity in self.bad.values():
            self.revoke(identity)
        work.write("brokers/stamp.key", secrets.token_hex(32), 0o600)
        self.process = {kind: self._process(kind) for kind in self.kinds}
        self.sections = {"core": self._core(), "prov": self._prov(), "dash": self._dash()}
        self.make_lists()

    def revoke(self, identity):
        self.pki._run("revoke", "--cert", identity.cert)

    def make_lists(self, days=7):
        """Lists of devices and services, and of claims and services."""
        for broker, path in self.crls.items():
            self.pki._run("crl", "--out", path, "--broker", broker, "--days", days)

    def describe(self, kinds=kinds):
        lists = "\n".join(f"  {name}: [{path}]" for name, path in (
            ("roots", self.pki.folder / "root.pem"), ("devices", self.pki.devices.cert), ("services", self.pki.services.cert),
            ("claims", self.pki.claims.cert), ("lists", ", ".join(map(str, self.crls.values())))))
        text = (f"directory: {self.directory}\nplugin: {build_dir() / 'mqtt' / 'broker' / 'libmuster_observed.so'}\n"
                f"authorities:\n{lists}\nservices: [svc-coord-a, svc-prov, svc-bridge-dash]\n")
        self.config.write_text(text + "".join(self.sections[kind] for kind in kinds))
        return self

    def _common(self, kind):
        run_dir = self.work.folder(f"brokers/{kind}")
        return (f"{kind}:\n  listen: {self.address}:{self.port[kind]}\n  user: {pwd.getpwuid(os.geteuid()).pw_name}\n"
                f"  run_dir: {run_dir}\n  log_file: {run_dir / 'mosquitto.log'}\n")

    def _tls(self, kind):
        good, bad = self.good[kind], self.bad[kind]
        return (f"  cert_file: {self.server.cert}\n  key_file: {self.server.key}\n  deny_file: {self.folder / kind / 'denied'}\n"
                f"  probe:\n    endpoint: {self.address}:{self.port[kind]}\n    server_ca_file: {self.pki.server_bundle}\n"
                f"    cert_file: {good.cert}\n    key_file: {good.key}\n"
                f"    revoked_cert_file: {bad.cert}\n    revoked_key_file: {bad.key}\n")

    def _core(self):
        return (self._common("core") + f"  stamp_key_file: {self.folder / 'stamp.key'}\n"
                f"  state_dir: {self.work.folder('brokers/core/state')}\n"
                f"  viewers: {self.address}:{self.port['viewers']}\n" + self._tls("core"))

    def _prov(self):
        return self._common("prov") + self._tls("prov")

    def _dash(self):
        return (self._common("dash") + f"  websockets: {self.address}:{self.port['websockets']}\n"
                f"  uplink: {self.address}:{self.port['core']}\n  uplink_ca_file: {self.pki.server_bundle}\n"
                f"  uplink_cert_file: {self.bridge.cert}\n  uplink_key_file: {self.bridge.key}\n")

    def _process(self, kind):
        folder = self.work.folder(f"brokers/{kind}")
        preload = os.environ.get("MUSTER_BROKER_PRELOAD")
        environment = {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0"} if preload else {}
        return Process([unconfined("mosquitto", folder), "-c", self.directory / kind / "current" / "mosquitto.conf"],
                       folder / "stderr", env=environment)

    def log(self, kind):
        return (self.folder / kind / "mosquitto.log").read_text()

    def start(self, *kinds):
        for kind in kinds:
            self.process[kind].start()
            self.process[kind].wait_until(lambda kind=kind: (self.folder / kind / "mosquitto.log").exists()
                                          and " running" in self.log(kind), f"{kind} runs")
        return self

    def stop(self):
        for process in self.process.values():
            process.stop()

    def run(self, verb, *arguments):
        """(exit status, the JSON document's brokers by name, stderr)"""
        code, out, err = muster("broker", verb, "--config", self.config, "--json", *arguments)
        return code, {one["broker"]: one for one in json.loads(out)["brokers"]} if out else {}, err

    def file(self, kind, name, version="current"):
        return self.directory / kind / version / name
