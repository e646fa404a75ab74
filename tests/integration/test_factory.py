# SPDX-License-Identifier: Apache-2.0
"""`muster factory` with the real device end, `muster-agent factory`: from the batch's manifest to tested devices, killed at
every step that changes a disk, and with devices that lie. Labels are read by zbar, signatures judged by openssl."""
import base64
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest
import xml.etree.ElementTree as ET

from muster_testlib import procs

BUILD = os.environ["MUSTER_BUILD_DIR"]
MUSTER, AGENT = os.path.join(BUILD, "cli", "muster"), os.path.join(BUILD, "agent", "muster-agent")
SHIM = os.path.join(BUILD, "tests", "kill_shim.so")
SERIALS = "A7-:00001:00100"
KILLED, STEPS_MAX = -9, 200
OK, FAILED, USAGE, PARTLY, REFUSED, ABSENT, CONFLICT, TIMED_OUT, DIFFERS = 0, 1, 2, 3, 4, 5, 6, 7, 10

# What is killed here is the program and not the machine, and a disk that takes its time would make minutes of it.
if os.access("/dev/shm", os.W_OK):
    tempfile.tempdir = "/dev/shm"


def muster(*arguments, text=None, **more):
    return subprocess.run([MUSTER, *map(str, arguments)], input=text, capture_output=True, text=True, check=False, timeout=120,
                          **more)


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=False)


def killed_at(step, program):
    preload = " ".join(filter(None, [os.environ.get("MUSTER_BROKER_PRELOAD"), SHIM]))
    return {**os.environ, "LD_PRELOAD": preload, "KILL_AT": str(step), "KILL_PROGRAM": program}


def made(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def ledger_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def owner_digest(code, serial):
    """What the ledger holds of an owner code: Crockford's digits, four a group, the check character left out."""
    number = 0
    for digit in code.replace("-", "")[:16]:
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(digit)
    return hashlib.sha256(b"muster-owner-1\0" + number.to_bytes(10, "big") + serial.encode()).hexdigest()


class Factory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A CA, whose keys take their time, and the keys of a station."""
        cls.shared = procs.Workspace()
        cls.addClassCleanup(cls.shared.close)
        cls.ca, cls.line = cls.shared / "ca", cls.shared / "line-1"
        for words in (["ca", "init", "--dir", cls.ca], ["factory", "station-key", "--out", cls.line]):
            subprocess.run([MUSTER, *map(str, words)], check=True, capture_output=True)
        if not (cls.ca / "factory.key").exists():
            subprocess.run([MUSTER, "factory", "station-key", "--out", cls.ca / "factory"], check=True, capture_output=True)

    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        self.batches = self.work / "batches"
        self.batch = self.batches / "b1"

    def succeeds(self, *arguments, **more):
        done = muster(*arguments, **more)
        self.assertEqual(done.returncode, OK, done.stderr)
        return done

    def fails(self, code, cause, *arguments, **more):
        done = muster(*arguments, **more)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        self.assertIn(cause, done.stderr + done.stdout)
        return done

    def create(self, *more, batch="b1", count=100, serials=SERIALS):
        return ["factory", "batch", "create", "--dir", self.batches, "--batch", batch, "--model", "Cam 2", "--count", count,
                "--serials", serials, "--station", f"{self.line}.pub", "--ca", self.ca, *more]

    def device(self, name="{serial}"):
        return f"{AGENT} factory --state-dir {self.work.path}/devices/{name} --claim-dir {self.work.path}/devices/{name}/claim"

    def station(self, *more, agent=None, key=None):
        return ["factory", "station", "--dir", self.batch, "--key", key or f"{self.line}.key", "--agent", agent or self.device(),
                *more]

    @property
    def ledger(self):
        return self.batch / "b1.line-1.ledger"


class Batches(Factory):
    def test_a_batch_is_signed_once(self):
        first = self.succeeds(*self.create("--json"))
        again = self.succeeds(*self.create("--json"))
        self.assertEqual([json.loads(done.stdout)["state"] for done in (first, again)], ["made", "exists"])
        manifest = json.loads((self.batch / "manifest.json").read_text())
        self.assertEqual((manifest["batch"], manifest["count"], manifest["claim"]["cn"]), ("b1", 100, "claim-b1"))
        self.fails(CONFLICT, "was signed with other members", *self.create(count=99))
        self.fails(CONFLICT, "was signed with other members", *self.create("--quota", 7))
        self.fails(USAGE, "count: more devices than serial numbers", *self.create(batch="b2", count=101))
        self.fails(USAGE, "--serials: not PREFIX:FIRST:LAST", *self.create(batch="b2", serials="A7-1-5"))
        self.fails(USAGE, "id: ", *self.create("--id", "svc-{serial}", batch="b2"))
        self.succeeds(*self.create("--dry-run", batch="b2"))
        self.assertFalse((self.batches / "b2").exists())

    def test_others_can_check_it(self):
        self.succeeds(*self.create())
        text = (self.batch / "manifest.json").read_text().rstrip("\n")
        body, _, rest = text.rpartition(',"sig":"')
        (self.work / "body").write_text(body)
        (self.work / "sig").write_bytes(base64.b64decode(rest.removesuffix('"}')))
        check = ["dgst", "-sha256", "-verify", self.ca / "factory.pub", "-signature", self.work / "sig", self.work / "body"]
        self.assertEqual(openssl(*check).returncode, 0)
        claim = self.batch / "claim"
        done = openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", self.ca / "bundle-claims.pem",
                       claim / "claim.pem")
        self.assertEqual(done.returncode, 0, done.stderr)
        der = openssl("x509", "-in", claim / "claim.pem", "-outform", "DER").stdout
        self.assertEqual(hashlib.sha256(der).hexdigest(), json.loads(text)["claim"]["sha256"])
        self.assertEqual((claim / "root.pem").read_bytes(), (self.ca / "root.pem").read_bytes())
        self.assertEqual(stat.S_IMODE((claim / "claim.key").stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.batch.stat().st_mode), 0o700)

    def test_killed_at_every_step(self):
        for step in range(1, STEPS_MAX):
            name = f"b{step}"
            done = muster(*self.create(batch=name), env=killed_at(step, "muster"))
            if done.returncode == OK:
                break
            self.assertEqual(done.returncode, KILLED, done.stderr)
            self.succeeds(*self.create(batch=name))
            claim = self.batches / name / "claim"
            public = openssl("x509", "-in", claim / "claim.pem", "-noout", "-pubkey").stdout
            self.assertEqual(openssl("pkey", "-in", claim / "claim.key", "-pubout").stdout, public, step)
            der = openssl("x509", "-in", claim / "claim.pem", "-outform", "DER").stdout
            manifest = json.loads((self.batches / name / "manifest.json").read_text())
            self.assertEqual(hashlib.sha256(der).hexdigest(), manifest["claim"]["sha256"])
        self.assertGreater(step, 8)
        self.assertEqual(done.returncode, OK)

    def test_what_changes_the_provisioner_asks_it(self):
        self.succeeds(*self.create())
        nobody = ["--socket", self.work / "none.sock"]
        for words in (["import", self.batch], ["close", "b1"], ["quota", "b1", "7"], ["disable", "b1"], ["enable", "b1"]):
            self.succeeds("factory", "batch", *words, "--dry-run", *nobody)
            self.fails(FAILED, "none.sock", "factory", "batch", *words, *nobody)
        self.fails(USAGE, "N is not a number", "factory", "batch", "quota", "b1", "many", "--dry-run")
        self.fails(FAILED, "none.sock", "factory", "batch", "list", *nobody)


class Shift(Factory):
    """A batch is there."""

    def setUp(self):
        super().setUp()
        self.succeeds(*self.create())


class Line(Shift):
    def run_line(self, serials, *more, code=OK):
        done = muster(*self.station("--stdin", *more), text="".join(f"{serial}\n" for serial in serials))
        self.assertEqual(done.returncode, code, done.stderr)
        return made(done), done.stderr

    def test_a_scanner_drives_it(self):
        answers, progress = self.run_line(["A7-00001", "A7-00002", "", "A7-00101", "A7-00001", "x" * 200], code=PARTLY)
        self.assertEqual([answer["state"] for answer in answers], ["made", "made", "failed", "already", "failed"])
        self.assertEqual(answers[0]["id"], "cam-a7-00001")
        self.assertEqual(answers[2]["error"], "INVALID")
        self.assertIn("A7-00101 is not a serial number of batch b1", answers[2]["cause"])
        self.assertRegex(progress, r"5/100  [\d.]+/s  left .*  2 failed  1 done before\n$")
        self.succeeds("factory", "ledger", "verify", self.ledger, "--manifest", self.batch / "manifest.json", "--factory-pub",
                      self.ca / "factory.pub")
        self.assertEqual([line["t"] for line in ledger_lines(self.ledger)], ["head", "made", "tested", "made", "tested"])
        self.assertEqual(list((self.batch / "pending.line-1").iterdir()), [])
        listed = json.loads(self.succeeds("factory", "batch", "list", "--dir", self.batches, "--json").stdout)
        self.assertEqual([(row["batch"], row["made"], row["tested"]) for row in listed["batches"]], [("b1", 2, 2)])
        device = self.work / "devices" / "A7-00001"
        self.assertEqual((device / "serial").read_text(), "A7-00001\n")
        for name in ("claim.pem", "claim.key", "root.pem"):
            self.assertEqual((device / "claim" / name).read_bytes(), (self.batch / "claim" / name).read_bytes())
        self.assertEqual(stat.S_IMODE((device / "device.key").stat().st_mode), 0o600)

    def test_the_ledger_holds_the_devices_key_by_its_word_and_openssls(self):
        self.run_line(["A7-00001"])
        line = self.ledger.read_text().splitlines()[1]
        key = openssl("pkey", "-in", self.work / "devices" / "A7-00001" / "device.key", "-pubout", "-outform", "DER").stdout
        self.assertEqual(base64.b64decode(json.loads(line)["key"]), key[-65:])
        body, _, rest = line.rpartition(',"sig":"')
        (self.work / "body").write_text(body)
        (self.work / "sig").write_bytes(base64.b64decode(rest.removesuffix('"}')))
        self.assertEqual(openssl("dgst", "-sha256", "-verify", f"{self.line}.pub", "-signature", self.work / "sig",
                                 self.work / "body").returncode, 0)
        head = self.ledger.read_text().splitlines()[0]
        self.assertEqual(json.loads(line)["prev"], hashlib.sha256(head.encode()).hexdigest())

    def test_labels_are_read_by_others(self):
        printer = self.work.write("printer", "")
        self.run_line(["A7-00001"], "--label", "png", "--label", "svg", "--label", "zpl", "--print", printer)
        folder = self.batch / "labels"
        zpl = (folder / "A7-00001.zpl").read_text()
        self.assertEqual(printer.read_text(), zpl)
        secret = re.search(r"\^FDMA,(muster:1:A7-00001:[-0-9A-Z]{21})\^FS", zpl).group(1)
        self.rasterise(folder / "A7-00001.svg", self.work / "svg.pgm")
        for picture in (folder / "A7-00001.png", self.work / "svg.pgm"):
            done = subprocess.run(["zbarimg", "--quiet", picture], capture_output=True, text=True, check=False)
            self.assertEqual(sorted(done.stdout.split()), ["CODE-128:A7-00001", f"QR-Code:{secret}"], picture)
        for path in folder.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertNotIn(secret[-21:], self.ledger.read_text())
        label = ["factory", "label", "A7-00001", "--ledger", self.ledger, "--model", "Cam 2", "--format", "zpl"]
        self.assertEqual(self.succeeds(*label, text=secret[-21:] + "\n").stdout, zpl)
        self.fails(USAGE, "mistyped", *label, text="0000-0000-0000-0000-1\n")
        self.fails(CONFLICT, "not that of A7-00001", *label, text="0000-0000-0000-0000-0\n")

    @staticmethod
    def rasterise(svg, target):
        """Only the rectangles: whatever draws them must come to the same codes."""
        root = ET.parse(svg).getroot()
        space = {"s": "http://www.w3.org/2000/svg"}
        _, _, width, height = map(int, root.get("viewBox").split())
        rows = [bytearray(b"\xff" * width) for _ in range(height)]
        for item in root.findall("s:g/s:rect", space):
            x, y, wide, high = (int(item.get(name)) for name in ("x", "y", "width", "height"))
            for row in rows[y:y + high]:
                row[x:x + wide] = b"\0" * wide
        target.write_bytes(f"P5 {width} {height} 255\n".encode() + b"".join(rows))

    def test_nothing_is_mixed_up(self):
        self.run_line(["A7-00001"])
        self.fails(CONFLICT, "this device is A7-00001 already", *self.station("A7-00002", agent=self.device("A7-00001")))
        self.succeeds("factory", "station-key", "--out", self.work / "line-2")
        self.fails(REFUSED, "names no station with this key", *self.station("A7-00002", key=f"{self.work.path}/line-2.key"))
        self.fails(REFUSED, "another factory key", *self.station("A7-00002", "--factory-pub", f"{self.line}.pub"))
        self.fails(CONFLICT, "another manifest or name", *self.station("A7-00002", "--name", "line-1", "--dry-run"),
                   env=self.other_manifest())

    def other_manifest(self):
        """The batch made anew under the same name, as if from a backup that lost it."""
        (self.batch / "manifest.json").unlink()
        self.succeeds(*self.create(count=50))
        return os.environ

    def test_a_void_device_is_none(self):
        self.run_line(["A7-00001"])
        self.succeeds(*self.station("--void", "A7-00001", "--why", "no picture"))
        self.fails(FAILED, "A7-00001 is void", *self.station("A7-00001"))
        self.fails(ABSENT, "was not made", *self.station("--void", "A7-00002", "--why", "no picture"))
        before = self.work / "before"
        before.write_text("".join(line + "\n" for line in self.ledger.read_text().splitlines()[:3]))
        done = muster("factory", "ledger", "diff", before, self.ledger)
        self.assertEqual((done.returncode, done.stdout), (DIFFERS, "state\tA7-00001\ttested\tvoid\n"))
        self.assertEqual(muster("factory", "ledger", "diff", before, before).returncode, OK)

    def test_a_changed_ledger_is_noticed(self):
        self.run_line(["A7-00001", "A7-00002"])
        lines = self.ledger.read_text().splitlines()
        other = self.work / "other.ledger"
        cases = {":4: n: ": lines[:3] + lines[4:], ":2: sig: ": [lines[0], lines[1].replace("A7-00001", "A7-00003"), *lines[2:]],
                 ":3: prev: ": [lines[0], lines[3].replace('"n":3', '"n":1'), *lines[2:]], "holds no line": []}
        for cause, text in cases.items():
            other.write_text("".join(line + "\n" for line in text))
            done = muster("factory", "ledger", "verify", other)
            self.assertNotEqual(done.returncode, OK)
            if cause != ":3: prev: ":  # the forged second line is named itself
                self.assertIn(cause, done.stderr)
        other.write_text(self.ledger.read_text())
        self.fails(CONFLICT, "is in ", "factory", "ledger", "verify", self.ledger, other)
        torn = self.ledger.read_text()[:-10]
        other.write_text(torn)
        self.assertEqual(json.loads(self.succeeds("factory", "ledger", "verify", other, "--json").stdout)["torn"],
                         len(lines[-1]) - 9)


class Devices(Shift):
    """Devices that are not what they say."""

    LIAR = textwrap.dedent("""
        import json, subprocess, sys
        agent = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        print("Welcome to BusyBox", flush=True)
        for line in sys.stdin:
            op = json.loads(line)["op"]
            if op == sys.argv[1] == "test":
                sys.exit(0)
            agent.stdin.write(line)
            agent.stdin.flush()
            answer = json.loads(agent.stdout.readline())
            if op == sys.argv[1] == "prove":
                answer["sig"] = answer["sig"][:-8] + "AAAAAAA="
            if op == sys.argv[1] == "label-tail":
                answer["tail"] = "0000-0000"
            if op == sys.argv[1] == "key":
                answer = {"v": 1, "op": "no", "why": "flash is worn"}
            if op == sys.argv[1] == "serial":
                sys.stdin.read()
            print(json.dumps(answer), flush=True)
        """)

    def liar(self, op):
        script = self.work.write("liar.py", self.LIAR)
        return f"{sys.executable} -B {script} {op} {self.device()}"

    def test_they_are_refused_and_may_come_again(self):
        cases = [("key", REFUSED, "the device says no to key: flash is worn"), ("prove", REFUSED, "does not prove the key"),
                 ("label-tail", CONFLICT, "the label A7-00003"), ("test", FAILED, "the command to the device ended"),
                 ("serial", TIMED_OUT, "the device does not answer")]
        for number, (op, code, cause) in enumerate(cases, 1):
            serial = f"A7-{number:05}"
            more = ["--timeout", "500ms"] if op == "serial" else []
            self.fails(code, cause, *self.station(serial, *more, agent=self.liar(op)))
            answer, = made(self.succeeds(*self.station(serial, "--json", agent=self.liar("none"))))
            self.assertEqual(answer["state"], "made" if op in ("key", "prove") else "resumed")
        self.fails(FAILED, "ended, or is not there", *self.station("A7-00009", agent="/no/such/program"))
        self.succeeds("factory", "ledger", "verify", self.ledger, "--manifest", self.batch / "manifest.json")
        self.assertEqual(len(ledger_lines(self.ledger)), 1 + 2 * len(cases))

    def test_another_device_does_not_take_over_what_was_begun(self):
        self.fails(FAILED, "ended", *self.station("A7-00001", agent=self.liar("test")))
        self.fails(CONFLICT, "A7-00001 was begun with another device", *self.station("A7-00001", agent=self.device("other")))
        (self.batch / "pending.line-1" / "A7-00001.code").unlink()
        self.fails(FAILED, "its owner code is lost", *self.station("A7-00001"))


class Cuts(Shift):
    """A station, or a device, killed at each of its steps; then the same serial number again."""

    def owner_code(self, serial):
        path = self.batch / "labels" / f"{serial}.zpl"
        return re.search(rf":{serial}:([-0-9A-Z]{{21}})\^", path.read_text()).group(1) if path.exists() else None

    def cut(self, program):
        ledgers = []
        for step in range(1, STEPS_MAX):
            serial, name = f"A7-{step:05}", f"s{step}"
            ledgers.append(self.batch / f"b1.{name}.ledger")
            words = self.station(serial, "--name", name, "--label", "zpl", "--json")
            first = muster(*words, env=killed_at(step, program))
            label = self.owner_code(serial)
            again = self.succeeds(*words)
            if first.returncode == OK:
                self.assertEqual(made(again)[0]["state"], "already")
                break
            self.assertEqual(first.returncode, KILLED if program == "muster" else FAILED, (step, first.stderr))
            self.assertIn(made(again)[0]["state"], ("made", "resumed", "already"), step)
            self.assertIn(label, (None, self.owner_code(serial)), "a second owner code for one device")
            lines = ledger_lines(ledgers[-1])
            self.assertEqual([line["t"] for line in lines], ["head", "made", "tested"], step)
            self.assertEqual(lines[1]["oc"], owner_digest(self.owner_code(serial), serial))
        self.assertEqual(first.returncode, OK)
        self.succeeds("factory", "ledger", "verify", *ledgers, "--manifest", self.batch / "manifest.json")
        self.assertEqual([path for folder in self.batch.glob("pending.*") for path in folder.iterdir()], [])
        self.assertEqual(len(list((self.batch / "labels").iterdir())), step)  # no halves
        return step

    def test_the_station_is_cut(self):
        self.assertGreater(self.cut("muster"), 12)

    def test_the_device_is_cut(self):
        self.assertGreater(self.cut("muster-agent"), 15)


if __name__ == "__main__":
    unittest.main()
