# SPDX-License-Identifier: Apache-2.0
"""`muster ca` over the years: rotation at a real broker, keys under a password and in tokens, the log; judged by openssl,
certtool and mosquitto."""
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import unittest

from muster_testlib import broker, certs, procs

MUSTER = os.path.join(os.environ["MUSTER_BUILD_DIR"], "cli", "muster")
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def run(*arguments, **more):
    return subprocess.run([*map(str, arguments)], capture_output=True, text=True, check=False, timeout=120, **more)


def ca(verb, folder, *arguments, code=0, **more):
    done = run(MUSTER, "ca", verb, "--dir", folder, *arguments, **more)
    if done.returncode != code:
        raise AssertionError(f"muster ca {verb}: {done.returncode}\n{done.stderr}")
    return done


def connack(server, identity, trust):
    """b"\\x20" for a CONNACK, else the reason of the TLS alert."""
    context = ssl.create_default_context(cafile=trust)
    context.load_cert_chain(identity.cert, identity.key)
    name = identity.cn.encode()
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(name).to_bytes(2, "big") + name
    try:
        with socket.create_connection((server.address, server.port), timeout=procs.DEADLINE) as plain, \
                context.wrap_socket(plain, server_hostname=server.address) as stream:
            stream.sendall(b"\x10" + bytes([len(body)]) + body)
            return stream.recv(1)
    except ssl.SSLError as error:
        return error.reason


class RotationAtTheBroker(unittest.TestCase):
    def test_old_and_new_devices_and_servers_until_the_old_are_dropped(self):
        work = procs.Workspace()
        self.addCleanup(work.close)
        pki = certs.ProductPki(work.folder("ca", 0o755), MUSTER)
        lists = work / "core.crl"
        ca("crl", pki.folder, "--out", lists)
        old = pki.device("cam-old")
        old_trust = work / "old-trust.pem"  # an agent that was installed before
        old_trust.write_text(pki.server_bundle.read_text())
        with broker.Broker(work, pki, extra=f"crlfile {lists}") as server:
            self.assertEqual(connack(server, old, old_trust), b"\x20")
            ca("rotate", pki.folder, "devices")
            ca("rotate", pki.folder, "server-ca")
            ca("crl", pki.folder, "--out", lists)
            server.reload()
            new = pki.device("cam-new")
            procs.wait_until(lambda: connack(server, new, old_trust) == b"\x20", "the new CA counts")
            self.assertEqual(connack(server, old, pki.server_bundle), b"\x20")
            ca("revoke", pki.folder, "--cert", old.cert)
            ca("crl", pki.folder, "--out", lists)
            server.reload()
            procs.wait_until(lambda: connack(server, old, old_trust) == "SSLV3_ALERT_CERTIFICATE_REVOKED", "the old list counts")
            other = certs.Identity("cam-old", old.cert, old.key)
            ca("rotate", pki.folder, "devices", "--drop")
            ca("crl", pki.folder, "--out", lists)
            server.reload()
            procs.wait_until(lambda: connack(server, other, old_trust) not in (b"\x20", "SSLV3_ALERT_CERTIFICATE_REVOKED"),
                             "the old CA is dropped")
            self.assertEqual(connack(server, new, old_trust), b"\x20")
        with broker.Broker(work, pki, extra=f"crlfile {lists}") as server:  # its certificate is of the new server CA now
            for trust in (old_trust, pki.server_bundle):
                self.assertEqual(connack(server, new, trust), b"\x20")


class ThirdParties(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        self.dir = self.work / "ca"

    def issue(self, profile, name, *more):
        ca("issue", self.dir, "--profile", profile, "--cn", name, "--out", self.work / name, *more)
        return self.work / f"{name}.pem"

    def verify(self, certificate, bundle):
        strict = run("openssl", "verify", "-x509_strict", "-CAfile", self.dir / bundle, "-untrusted", certificate, certificate)
        chain = self.work / "chain.pem"
        chain.write_text(pathlib.Path(certificate).read_text() + (self.dir / "root.pem").read_text())
        gnutls = run("certtool", "--verify-chain", "--infile", chain)
        return strict.returncode == 0 and gnutls.returncode == 0, strict.stderr + gnutls.stdout + gnutls.stderr

    def test_every_profile_of_both_generations(self):
        ca("init", self.dir, "--permit-dns", "example.net", "--permit-ip", "127.0.0.0/8")
        for generation in (1, 2):
            for profile, name, more, bundle in (
                    ("device", f"cam-{generation}", (), "bundle-clients.pem"),
                    ("service", f"svc-{generation}", (), "bundle-clients.pem"),
                    ("claim", f"claim-{generation}", (), "bundle-claims.pem"),
                    ("server", f"b{generation}", ("--dns", "b.example.net", "--ip", "127.0.0.1"), "bundle-server.pem")):
                good, said = self.verify(self.issue(profile, name, *more), bundle)
                self.assertTrue(good, (name, said))
            for what in ("devices", "services", "claims", "server-ca"):
                ca("rotate", self.dir, what)
        text = run("openssl", "x509", "-in", self.dir / "server-ca.pem", "-noout", "-text").stdout
        self.assertRegex(text, r"Name Constraints: critical\s+Permitted:\s+DNS:example.net\s+IP:127.0.0.0/255.0.0.0")
        done = ca("issue", self.dir, "--profile", "server", "--cn", "b", "--dns", "b.example.org", "--out", self.work / "b", code=4)
        self.assertIn("may not certify b.example.org", done.stderr)

    def test_signing_keys_are_openssls_kind(self):
        ca("init", self.dir)
        for name, kind in (("factory", "NIST CURVE: P-256"), ("config-root-1", "ED25519"), ("config-signer", "ED25519")):
            shown = run("openssl", "pkey", "-in", self.dir / f"{name}.key", "-text", "-noout").stdout
            self.assertIn(kind, shown)
            self.assertEqual(run("openssl", "pkey", "-in", self.dir / f"{name}.key", "-pubout").stdout,
                             (self.dir / f"{name}.pub").read_text())


class Keys(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        self.dir = self.work / "ca"

    def secret(self, name, text):
        path = self.work / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def test_under_a_password_and_the_root_elsewhere(self):
        password, wrong = self.secret("password", "correct horse\n"), self.secret("wrong", "correct hors3\n")
        root = self.work / "stick" / "root.key"
        root.parent.mkdir()
        ca("init", self.dir, "--root-key", root, "--password-file", password)
        self.assertFalse((self.dir / "root.key").exists())
        for key in (root, self.dir / "devices.key", self.dir / "config-signer.key"):
            self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", key.read_text())
            self.assertEqual(run("openssl", "pkey", "-in", key, "-passin", f"file:{password}", "-noout").returncode, 0)
        issue = ("--profile", "device", "--cn", "cam-1", "--out", self.work / "cam-1")
        ca("issue", self.dir, *issue, "--password-file", password)
        done = ca("issue", self.dir, *issue, "--password-file", wrong, code=4)
        self.assertIn("the password is wrong", done.stderr)
        self.assertNotIn("hors3", done.stderr)
        done = ca("issue", self.dir, *issue, code=4, start_new_session=True, stdin=subprocess.DEVNULL)  # no terminal to ask
        self.assertIn("was not given", done.stderr)
        self.assertIn("root.key", ca("rotate", self.dir, "devices", "--password-file", password, code=5).stderr)
        ca("rotate", self.dir, "devices", "--password-file", password, "--root-key", root)

    def test_of_a_token(self):
        tokens, pin = self.work / "tokens", self.secret("pin", "24681357\n")
        tokens.mkdir()
        config = self.work / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {tokens}\n")
        env = {**os.environ, "SOFTHSM2_CONF": str(config), "ASAN_OPTIONS": "detect_leaks=0"}
        self.assertEqual(run("softhsm2-util", "--init-token", "--free", "--label", "fleet", "--so-pin", "24681357", "--pin",
                             "24681357", env=env).returncode, 0)
        for label in ("root", "device-ca"):
            made = run("pkcs11-tool", "--module", MODULE, "--token-label", "fleet", "--login", "--pin", "24681357", "--keypairgen",
                       "--key-type", "EC:prime256v1", "--label", label, "--id", f"{len(label):02x}", env=env)
            self.assertEqual(made.returncode, 0, made.stderr)
        uri = f"pkcs11:token=fleet;object=%s?module-path={MODULE}&pin-source={pin}"
        ca("init", self.dir, "--root-key", uri % "root", "--key", "devices=" + uri % "device-ca", env=env)
        ca("issue", self.dir, "--profile", "device", "--cn", "cam-1", "--out", self.work / "cam-1", env=env)
        chain = run("openssl", "verify", "-x509_strict", "-CAfile", self.dir / "bundle-clients.pem", self.work / "cam-1.pem")
        self.assertEqual(chain.returncode, 0, chain.stderr)
        ca("crl", self.dir, "--out", self.work / "crl.pem", env=env)
        shown = json.loads(ca("show", self.dir, "--json", env=env).stdout)
        self.assertEqual({item["what"]: item["key"] for item in shown["items"]}["devices"], "token")
        empty = self.work.folder("empty", 0o700)
        config.write_text(f"directories.tokendir = {empty}\n")  # the token is pulled out
        done = ca("issue", self.dir, "--profile", "device", "--cn", "cam-2", "--out", self.work / "cam-2", env=env, code=5)
        self.assertIn("no token", done.stderr)
        self.assertFalse((self.work / "cam-2.pem").exists())


class Show(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        self.dir = self.work / "ca"
        ca("init", self.dir, "--by", "ann")

    def states(self, code=0, **more):
        return {item["what"]: item["state"] for item in json.loads(ca("show", self.dir, "--json", code=code, **more).stdout)["items"]}

    def at(self, days):
        return {"env": {**os.environ, "LD_PRELOAD": "libfaketime.so.1", "ASAN_OPTIONS": "verify_asan_link_order=0",
                        "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu/faketime:/usr/lib/aarch64-linux-gnu/faketime",
                        "FAKETIME": f"+{days}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}}

    def test_expiry_and_age_of_lists(self):
        self.assertEqual(set(self.states().values()), {"ok"})
        ca("crl", self.dir, "--out", self.work / "crl.pem")
        self.assertEqual(self.states(code=10, **self.at(5))["devices"], "list-old")
        self.assertEqual(self.states(code=10, **self.at(8))["services"], "list-expired")
        self.assertEqual(self.states(code=10, **self.at(7200))["server-ca"], "expires-soon")
        self.assertEqual(self.states(code=10, **self.at(7400))["claims"], "expired")

    def test_the_log_is_a_chain(self):
        log = self.dir / "ceremony.log"
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual([line["what"] for line in lines], ["root", "devices", "services", "server-ca", "claims", "factory",
                                                            "config-root-1", "config-root-2", "config-root-3", "config-signer"])
        self.assertEqual({line["by"] for line in lines}, {"ann"})
        printed = run("openssl", "x509", "-in", self.dir / "devices.pem", "-noout", "-fingerprint", "-sha256").stdout
        self.assertEqual(lines[1]["sha256"], re.sub(r".*=|:|\s", "", printed).lower())
        log.write_text(log.read_text().replace('"what":"claims"', '"what":"cla1ms"'))
        done = ca("show", self.dir, code=1)
        self.assertIn("ceremony.log:6", done.stderr)

    def test_dry_runs_write_nothing(self):
        def content():
            return {path: path.read_bytes() for path in self.work.path.rglob("*") if path.is_file() and path.name != "lock"}

        ca("issue", self.dir, "--profile", "device", "--cn", "cam-1", "--out", self.work / "cam-1")
        before = content()
        for verb, more in (("issue", ("--profile", "device", "--cn", "cam-2", "--out", self.work / "cam-2")), ("bundle", ()),
                           ("revoke", ("--cert", self.work / "cam-1.pem")), ("crl", ("--out", self.work / "crl.pem")),
                           ("rotate", ("devices",)), ("rotate", ("devices", "--drop"))):
            done = ca(verb, self.dir, *more, "--dry-run", "--json")
            self.assertTrue(json.loads(done.stdout)["dry_run"], verb)
        ca("init", self.work / "other", "--dry-run")
        self.assertEqual(content(), before)
        self.assertEqual(ca("rotate", self.dir, "root", "--dry-run", code=2).stdout, "")


if __name__ == "__main__":
    unittest.main()
