# SPDX-License-Identifier: Apache-2.0
"""factory: a station makes N devices, the real `muster-agent factory` at the end of each: key, proof, ledger line, label,
claim, end test. Then the whole ledger is verified, and each device's key is certified as the provisioner does it.

The station's folder is on the work folder's disk, and syncs; the devices' flash is in memory where the machine has
/dev/shm, since a factory's devices have each their own. Certificates a second stand beside the floor, wolfCrypt that signs as
many bodies of the same size and does nothing else, in turns, by CPU time.

`lost`: a serial number without its lines, label or certificate. `wrong`: a second one, a key that the device does not have,
a label whose owner code is not the ledger's, a certificate that openssl does not verify."""
import base64
import hashlib
import json
import os
import re
import statistics
import subprocess
import time

from muster_testlib import build_dir
from muster_testlib.procs import Workspace

from .tools import Tool, ToolFailed

ROUNDS = 3          # of certificates and of the floor, in turns; the median counts
WARM_UP = 100
SAMPLE = 20         # devices that are looked at by openssl, besides counting all
STATION, BATCH = "line-1", "bench"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _muster(*words, **more):
    done = subprocess.run([build_dir() / "cli" / "muster", *map(str, words)], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise ToolFailed(f"muster {words[0]} {words[1]}: exit {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def _openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, check=False)


class _Factory:
    """A CA, a batch, a station."""

    def __init__(self, work, devices, count):
        self.work, self.devices, self.count = work, devices, count
        self.ca, self.line, self.folder = work / "ca", work / STATION, work / "batches" / BATCH
        self.ledger = self.folder / f"{BATCH}.{STATION}.ledger"
        _muster("ca", "init", "--dir", self.ca)
        _muster("factory", "station-key", "--out", self.line)
        if not (self.ca / "factory.key").exists():
            _muster("factory", "station-key", "--out", self.ca / "factory")
        width = len(str(count))
        _muster("factory", "batch", "create", "--dir", work / "batches", "--batch", BATCH, "--model", "bench", "--count", count,
                "--serials", f"S-:{1:0{width}}:{count}", "--station", f"{self.line}.pub", "--ca", self.ca)
        self.serials = [f"S-{number:0{width}}" for number in range(1, count + 1)]

    def make(self):
        """(answers, seconds) of a shift."""
        place = self.devices.path
        agent = f"{build_dir() / 'agent' / 'muster-agent'} factory --state-dir {place}/{{serial}} --claim-dir {place}/{{serial}}/claim"
        began = time.monotonic()
        out = _muster("factory", "station", "--dir", self.folder, "--key", f"{self.line}.key", "--agent", agent, "--stdin", "--label",
                      "zpl", input="".join(f"{serial}\n" for serial in self.serials))
        return [json.loads(line) for line in out.splitlines()], time.monotonic() - began

    def verify(self):
        """Seconds that `ledger verify` takes, manifest and all."""
        began = time.monotonic()
        _muster("factory", "ledger", "verify", self.ledger, "--manifest", self.folder / "manifest.json")
        return time.monotonic() - began


def owner_digest(code, serial):
    number = 0
    for digit in code.replace("-", "")[:16]:
        number = number * 32 + _CROCKFORD.index(digit)
    return hashlib.sha256(b"muster-owner-1\0" + number.to_bytes(10, "big") + serial.encode()).hexdigest()


def judge_ledger(factory):
    """(lost, wrong, made lines by serial) of ledger and labels."""
    lost, wrong, made, tested = [], [], {}, set()
    for line in map(json.loads, factory.ledger.read_text().splitlines()):
        if line["t"] == "made":
            wrong += [f"{line['serial']}: twice"] if line["serial"] in made else []
            made[line["serial"]] = line
        elif line["t"] == "tested":
            tested.add(line["serial"])
    wrong += ["one key for several devices"] if len({line["key"] for line in made.values()}) != len(made) else []
    for serial in factory.serials:
        label = factory.folder / "labels" / f"{serial}.zpl"
        if serial not in made or serial not in tested or not label.exists():
            lost.append(serial)
            continue
        code = re.search(rf":{re.escape(serial)}:([-0-9A-Z]{{21}})\^", label.read_text())
        if not code or owner_digest(code.group(1), serial) != made[serial]["oc"]:
            wrong.append(f"{serial}: the label's owner code")
    return lost, wrong, made


def judge_certificates(factory, made, pems):
    """(lost, wrong): one certificate a device in the ledger's order, and a sample of them by openssl."""
    lost = ["certificates"] if len(pems) != len(made) else []
    wrong = []
    step = max(1, len(pems) // SAMPLE)
    for (serial, line), pem in list(zip(made.items(), pems))[::step]:
        path = factory.work.write("one.pem", pem)
        done = _openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", factory.ca / "bundle-clients.pem", path)
        key = factory.devices / serial / "device.key"
        held = _openssl("pkey", "-in", key, "-pubout", "-outform", "DER").stdout[-65:]
        public = _openssl("x509", "-in", path, "-noout", "-pubkey").stdout
        if done.returncode != 0 or public != _openssl("pkey", "-in", key, "-pubout").stdout or \
                held != base64.b64decode(line["key"]) or f"CN = {line['id']}".encode() not in _openssl(
                    "x509", "-in", path, "-noout", "-subject").stdout:
            wrong.append(f"{serial}: its certificate or key")
    return lost, wrong


def _certify(factory, work, out):
    """Figures of certificates and floor, and the certificates."""
    certs = Tool("factory-certs", [factory.ca, factory.ledger], work / "factory-certs.log")
    raw = Tool("raw-sign", [], work / "raw-sign.log")
    try:
        read = certs.ask("read")
        pairs = []
        raw.ask(f"sign {WARM_UP}")  # the first ones fill wolfCrypt's tables of the curve
        certs.ask("certify")
        for _ in range(ROUNDS):
            floor = raw.ask(f"sign {factory.count}")
            ours = certs.ask("certify")
            pairs.append((ours["count"] / ours["cpu_seconds"], floor["count"] / floor["cpu_seconds"]))
            out(f"certificates {pairs[-1][0]:,.0f}/s, raw wolfCrypt signing {pairs[-1][1]:,.0f}/s")
        certs.ask(f"write {work / 'all.pem'}")
    finally:
        certs.stop()
        raw.stop()
    pems = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", (work / "all.pem").read_text(), re.DOTALL)
    ours, floor = sorted(pairs, key=lambda pair: pair[0] / pair[1])[len(pairs) // 2]
    return {"certificates_per_s": round(ours, 1), "raw_signatures_per_s": round(floor, 1), "ratio": round(ours / floor, 3),
            "ledger_lines_per_s": round(read["count"] / read["cpu_seconds"], 1)}, pems


def _memory_folder():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run(options, out):
    with Workspace("muster-bench-") as work, Workspace("muster-bench-devices-", _memory_folder()) as devices:
        factory = _Factory(work, devices, options.devices)
        out(f"{options.devices} devices, each reached through a muster-agent factory of its own ...")
        answers, seconds = factory.make()
        verify_s = factory.verify()
        lost, wrong, made = judge_ledger(factory)
        lost += [answer["serial"] for answer in answers if answer["state"] != "made"]
        figures, pems = _certify(factory, work, out)
        more_lost, more_wrong = judge_certificates(factory, made, pems)
        times = sorted(answer["ms"] for answer in answers if "ms" in answer)
    lost, wrong = lost + more_lost, wrong + more_wrong
    result = {"bench": "factory", "devices": options.devices, "lost": len(lost), "wrong": len(wrong), "missing": lost[:20],
              "faults": wrong[:20], "seconds": round(seconds, 3), "devices_per_s": round(options.devices / seconds, 1),
              "p50_ms": statistics.median(times), "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)],
              "verify_seconds": round(verify_s, 3), "devices_in_memory": _memory_folder() is not None, **figures}
    return result, [
        ("devices made", options.devices, options.devices - len(set(lost)), not lost and not wrong),
        ("devices a second", "", result["devices_per_s"], None),
        ("one device, p50 ms", "", result["p50_ms"], None),
        ("one device, p99 ms", "", result["p99_ms"], None),
        ("certificates a CPU s", "", result["certificates_per_s"], None),
        ("of raw signatures", "", result["ratio"], None)]
