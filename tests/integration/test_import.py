#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`muster import`: files of other clients become a configuration that the coordinator takes, and secrets stay secret."""
import re
import stat
import subprocess
import unittest

from muster_testlib import build_dir, source_dir
from muster_testlib.certs import Pki
from muster_testlib.procs import DEADLINE, Workspace

MUSTER = build_dir() / "cli" / "muster"
COORDINATOR = build_dir() / "coordinator" / "muster-coordinator"
EXAMPLES = source_dir() / "tests" / "integration" / "import"
ONE = """\
provider cloudflare.com {
    username = example.com
    password = "s3cret-cloud"
    hostname = { "door.lab.example.com", "gate.example.com" }
}
"""


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Workspace()
        cls.addClassCleanup(cls.work.close)
        pki = Pki(cls.work.folder("pki"))
        service = pki.service("svc-coord1")
        cls.certs = cls.work.folder("certs")
        for name, source, mode in (("bundle-server.pem", pki.server_bundle, 0o644), ("svc-coord1.pem", service.cert, 0o644),
                                   ("svc-coord1.key", service.key, 0o600)):
            cls.work.write(f"certs/{name}", source.read_text(), mode)
        cls.work.write("certs/stamp.key", "5" * 64 + "\n", 0o600)
        cls.key = cls.work.write("tsig.key", 'key "k" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="; };\n', 0o600)

    def muster(self, *words, code=0):
        done = subprocess.run([MUSTER, "import", *map(str, words)], capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        return done

    def run_import(self, client, source, name, *words, code=0):
        folder = self.work / name
        done = self.muster(client, source, "-o", folder, "--certs", self.certs, "--verify", "192.0.2.53:53", "--verify",
                           "noip=ns.example.net:53", *words, code=code)
        return folder, done

    def check_config(self, folder):
        config = folder / "coordinator.yaml"
        config.write_text(f"{config.read_text()}store: {{path: {folder}/coordinator.db}}\n")
        done = subprocess.run([COORDINATOR, "--check-config", "-c", config], capture_output=True, text=True, timeout=DEADLINE,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + config.read_text())

    def test_the_coordinator_takes_what_comes_out(self):
        for client in ("inadyn", "ddclient"):
            text = (EXAMPLES / f"{client}.conf").read_text().replace("/etc/ddclient/key", str(self.key))
            source = self.work.write(f"{client}.conf", text)
            self.work.write("more.conf", (EXAMPLES / "more.conf").read_text())
            for words in ((), ("--each",)):
                with self.subTest(client=client, words=words):
                    folder, _ = self.run_import(client, source, f"taken-{client}-{len(words)}", *words, code=3)
                    self.check_config(folder)
                    text = (folder / "coordinator.yaml").read_text()
                    self.assertEqual(text.count('verify_server: "ns.example.net:53"'), 1)
                    self.assertGreater(text.count('verify_server: "192.0.2.53:53"'), 1)
                    shared = re.findall(r'account: "([\w-]+)"\n    mode: shared', text)  # who can look before writing
                    self.assertEqual(set(shared), {"cloudflare"} if client == "inadyn" else {"cloudflare", "rfc2136"})

    def test_secrets_stand_in_files_of_their_own(self):
        for client in ("inadyn", "ddclient"):
            with self.subTest(client=client):
                folder, _ = self.run_import(client, EXAMPLES / f"{client}.conf", f"modes-{client}", code=3)
                self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
                for file in folder.iterdir():
                    secret = file.suffix != ".yaml"
                    self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600 if secret else 0o644, file)
                    self.assertEqual("s3cret" in file.read_text(), secret, file)
        self.assertEqual((self.work / "modes-inadyn" / "freemyip.hosts").read_text(), 'lift.freemyip.com s3cret#free"my\n')
        self.assertEqual((self.work / "modes-ddclient" / "noip.password").read_text(), "s3cret noip\n")
        self.assertEqual((self.work / "modes-ddclient" / "dyndns2.password").read_text(), "s3cret,own\n")

    def test_every_setting_without_an_equivalent_is_told_by_line(self):
        wanted = {
            "inadyn": {2: "period", 3: "iface", 6: "secure-ssl", 7: "user-agent", 13: "checkip-server", 14: "checkip-path",
                       21: "left out: depot.hopto.org", 43: "left out: domains.google.com",
                       49: "left out: tunnelbroker.net", 60: "append-myip", 61: "wildcard", 64: "some-knob",
                       68: "left out: cut"},
            "ddclient": {2: "daemon", 3: "syslog", 4: "pid", 6: "web-skip", 25: "left out: example.com",
                         32: "left out: yandex", 38: "ifv6", 39: "usev4", 40: "wildcard"}}
        for client, lines in wanted.items():
            with self.subTest(client=client):
                source = EXAMPLES / f"{client}.conf"
                _, done = self.run_import(client, source, f"notes-{client}", code=3)
                told = {}
                for line, text in re.findall(rf"^{re.escape(str(source))}:(\d+): (.*)$", done.stderr, re.MULTILINE):
                    told[int(line)] = text
                self.assertEqual(set(told), set(lines), done.stderr)
                for line, text in lines.items():
                    self.assertTrue(told[line].startswith(text + ":"), told[line])
                included = f"{EXAMPLES / 'more.conf'}:2: checkip-path: "
                self.assertEqual(included in done.stderr, client == "inadyn")
                self.assertEqual(f"#   {included}" in (self.work / f"notes-{client}" / "coordinator.yaml").read_text(),
                                 client == "inadyn")

    def test_nothing_is_overwritten_unasked_and_a_dry_run_writes_nothing(self):
        source = self.work.write("again.conf", ONE)
        folder, _ = self.run_import("inadyn", source, "again")
        before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
        _, done = self.run_import("inadyn", source, "again", code=6)
        self.assertIn("--force", done.stderr)
        self.assertEqual({file.name: file.stat().st_mtime_ns for file in folder.iterdir()}, before)
        self.run_import("inadyn", source, "again", "--force")
        dry, done = self.run_import("inadyn", source, "dry", "--dry-run")
        self.assertFalse(dry.exists())
        self.assertIn("provider: \"cloudflare\"", done.stdout)

    def test_a_server_to_verify_by_is_a_choice(self):
        done = self.muster("ddclient", EXAMPLES / "ddclient.conf", "--dry-run", code=3)
        self.assertNotIn("verify_server", done.stdout + done.stderr)

    def test_a_broken_file_is_refused_with_its_line(self):
        for client, text, line in (("inadyn", "period = 3\nprovider noip.com {\n username = \"x\n", 3),
                                   ("inadyn", "provider {\n", 1), ("inadyn", "a = 1\n}\n", 2),
                                   ("ddclient", "ssl=yes\n\nlogin='open\n", 3), ("ddclient", "=x\n", 1)):
            with self.subTest(text=text):
                source = self.work.write("broken.conf", text)
                done = self.muster(client, source, "-o", self.work / "broken", code=2)
                self.assertIn(f"line {line}: ", done.stderr)
                self.assertFalse((self.work / "broken").exists())
        source = self.work.write("broken.conf", "period = 3\ninclude(\"absent.conf\")\n")
        done = self.muster("inadyn", source, "-o", self.work / "broken", code=2)
        self.assertIn(f"line 2: include: {self.work / 'absent.conf'}: not found", done.stderr)
        self.muster("inadyn", self.work / "absent.conf", "-o", self.work / "broken", code=5)


if __name__ == "__main__":
    unittest.main()
