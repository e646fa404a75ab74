# SPDX-License-Identifier: Apache-2.0
"""`muster ca`: what it writes is judged by openssl (verify -x509_strict, real TLS handshakes), never by our own reader."""
import os
import re
import socket
import ssl
import stat
import subprocess
import threading
import time
import unittest

from muster_testlib import broker, certs, procs

MUSTER = os.path.join(os.environ["MUSTER_BUILD_DIR"], "cli", "muster")
KEY_FILES = ["root.key", "devices.key", "services.key", "server-ca.key", "claims.key", "factory.key", "config-signer.key",
             "config-root-1.key", "config-root-2.key", "config-root-3.key"]
BUNDLES = ["bundle-clients.pem", "bundle-server.pem", "bundle-claims.pem", "issuers-devices.pem", "issuers-services.pem",
           "issuers-claims.pem"]


def muster(*arguments, text=None, **more):
    return subprocess.run([MUSTER, *map(str, arguments)], input=text, capture_output=True, text=True, check=False,
                          timeout=120, **more)


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)


def text_of(certificate):
    return openssl("x509", "-in", certificate, "-noout", "-text").stdout


class Authority(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        self.dir = self.work / "ca"
        done = muster("ca", "init", "--dir", self.dir, "--name", "test")
        self.assertEqual((done.returncode, done.stdout), (0, "".join(f"{self.dir}/{name}\n" for name in BUNDLES)), done.stderr)

    def issue(self, profile, name, *more, code=0):
        prefix = self.work / name
        done = muster("ca", "issue", "--dir", self.dir, "--profile", profile, "--cn", name, "--out", prefix, *more)
        self.assertEqual(done.returncode, code, done.stderr)
        return f"{prefix}.pem", f"{prefix}.key", done

    def verify(self, certificate, bundle, purpose, *more):
        return openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", self.dir / bundle,
                       "-no-CApath", "-no-CAstore", *more, certificate)

    def assert_verified(self, *arguments):
        done = self.verify(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)

    def assert_not_verified(self, reason, *arguments):
        done = self.verify(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, reason)


class Strictness(Authority):
    def test_every_profile_passes_strict_verification_for_its_own_purpose_only(self):
        device, _, _ = self.issue("device", "cam-1")
        service, _, _ = self.issue("service", "svc-coordinator")
        server, _, _ = self.issue("server", "broker.example.net", "--dns", "broker.example.net", "--ip", "127.0.0.1",
                                  "--ip", "::1")
        claim, _, _ = self.issue("claim", "claim-b1")
        self.assert_verified(claim, "bundle-claims.pem", "sslclient")
        self.assert_not_verified("unable to get local issuer", claim, "bundle-clients.pem", "sslclient")
        self.assert_not_verified("unable to get local issuer", device, "bundle-claims.pem", "sslclient")
        self.assert_verified(service, "bundle-claims.pem", "sslclient")
        for certificate in (device, service):
            self.assert_verified(certificate, "bundle-clients.pem", "sslclient")
            self.assert_not_verified("unsuitable certificate purpose", certificate, "bundle-clients.pem", "sslserver")
            self.assert_not_verified("unable to get local issuer", certificate, "bundle-server.pem", "sslclient")
        self.assert_verified(server, "bundle-server.pem", "sslserver", "-verify_hostname", "broker.example.net")
        self.assert_verified(server, "bundle-server.pem", "sslserver", "-verify_ip", "::1")
        self.assert_not_verified("hostname mismatch", server, "bundle-server.pem", "sslserver", "-verify_hostname",
                                 "other.example.net")
        self.assert_not_verified("unsuitable certificate purpose", server, "bundle-server.pem", "sslclient")

    def test_an_issuing_ca_cannot_leave_its_purpose(self):
        """A server certificate signed with the stolen key of the device CA fails, though its signature is right."""
        _, key, _ = self.issue("device", "cam-1")
        extensions = self.work / "ext"
        extensions.write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                              "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:broker.example.net\n"
                              "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        request, forged = self.work / "csr", self.work / "forged.pem"
        self.assertEqual(openssl("req", "-new", "-key", key, "-subj", "/CN=broker.example.net", "-out", request).returncode, 0)
        done = openssl("x509", "-req", "-in", request, "-CA", self.dir / "devices.pem", "-CAkey", self.dir / "devices.key",
                       "-out", forged, "-extfile", extensions)
        self.assertEqual(done.returncode, 0, done.stderr)
        chain = self.work / "chain.pem"
        chain.write_text((self.dir / "devices.pem").read_text())
        self.assert_not_verified("purpose", forged, "root.pem", "sslserver", "-untrusted", chain)

    def test_no_name_and_no_address_of_a_server_is_a_clients(self):
        """Signed with the stolen key of a CA for clients, and with the purposes of one: the constraint refuses it."""
        _, key, _ = self.issue("device", "cam-1")
        request, forged, extensions = self.work / "csr", self.work / "forged.pem", self.work / "ext"
        self.assertEqual(openssl("req", "-new", "-key", key, "-subj", "/CN=cam-1", "-out", request).returncode, 0)
        for file in ("devices", "services", "claims"):
            text = text_of(self.dir / f"{file}.pem")
            self.assertIn("X509v3 Name Constraints: critical\n                Permitted:\n                  DNS:invalid\n", text)
            for name in ("DNS:broker.example.net", "DNS:a", "IP:192.0.2.1", "IP:2001:db8::1", None):
                with self.subTest(file=file, name=name):
                    extensions.write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                                          "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\n"
                                          "authorityKeyIdentifier=keyid\n" + (f"subjectAltName={name}\n" if name else ""))
                    done = openssl("x509", "-req", "-in", request, "-CA", self.dir / f"{file}.pem", "-CAkey",
                                   self.dir / f"{file}.key", "-out", forged, "-extfile", extensions)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    more = (forged, "root.pem", "sslclient", "-untrusted", self.dir / f"{file}.pem")
                    if name:
                        self.assert_not_verified("(excluded|permitted) subtree violation", *more)
                    else:
                        self.assert_verified(*more)

    def test_contents_follow_the_profile(self):
        device, key, _ = self.issue("device", "cam-1")
        text = text_of(device)
        for part in ("Subject: CN = cam-1\n", "Issuer: CN = test device CA\n", "URI:urn:muster:device:cam-1\n",
                     "TLS Web Client Authentication\n", "Basic Constraints: critical\n                CA:FALSE\n",
                     "Key Usage: critical\n                Digital Signature\n", "ecdsa-with-SHA256", "NIST CURVE: P-256"):
            self.assertIn(part, text)
        serial = re.search(r"Serial Number:\s+([0-9a-f:]+)", text)[1].split(":")
        self.assertEqual(len(serial), 16)
        self.assertLess(int(serial[0], 16), 0x80)
        with open(device, encoding="ascii") as chain:
            self.assertEqual(chain.read().count("BEGIN CERTIFICATE"), 2)
        self.assertEqual(openssl("pkey", "-in", key, "-pubout").stdout, openssl("x509", "-in", device, "-noout", "-pubkey").stdout)
        for file, name, length in (("root", "root", 1), ("devices", "device", 0), ("services", "service", 0), ("server-ca", "server", 0), ("claims", "claim", 0)):
            text = text_of(self.dir / f"{file}.pem")
            self.assertIn(f"Subject: CN = test {name} CA\n", text)
            self.assertIn(f"Basic Constraints: critical\n                CA:TRUE, pathlen:{length}\n", text)
            self.assertIn("Key Usage: critical\n                Certificate Sign, CRL Sign\n", text)

    def test_keys_are_private_and_the_rest_is_readable(self):
        _, key, _ = self.issue("device", "cam-1")
        for path in [key] + [self.dir / name for name in KEY_FILES]:
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        for path in self.dir.glob("*.pem"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o644)

    def test_days_shorten_the_life(self):
        device, _, _ = self.issue("device", "cam-1", "--days", "2")
        self.assertEqual(openssl("x509", "-in", device, "-noout", "-checkend", 86400).returncode, 0)
        self.assertNotEqual(openssl("x509", "-in", device, "-noout", "-checkend", 2 * 86400).returncode, 0)


class Handshake(Authority):
    """OpenSSL's own mutual TLS with the files as they are, as broker and agent load them."""

    def connect(self, client_pair):
        server, server_key, _ = self.issue("server", "broker", "--ip", "127.0.0.1", "--force")
        accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        accepting.load_cert_chain(server, server_key)
        accepting.load_verify_locations(self.dir / "bundle-clients.pem")
        accepting.verify_mode = ssl.CERT_REQUIRED
        calling = ssl.create_default_context(cafile=self.dir / "bundle-server.pem")
        calling.load_cert_chain(*client_pair)
        seen = {}

        def serve(listener):
            try:
                plain, _ = listener.accept()
                with accepting.wrap_socket(plain, server_side=True) as stream:
                    seen["subject"] = dict(pair[0] for pair in stream.getpeercert()["subject"])
                    stream.sendall(b"welcome")
            except ssl.SSLError as error:
                seen["error"] = error.reason

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            try:
                with socket.create_connection(listener.getsockname(), timeout=procs.DEADLINE) as plain, \
                        calling.wrap_socket(plain, server_hostname="127.0.0.1") as stream:
                    seen["greeting"] = stream.recv(100)
            except (ssl.SSLError, ConnectionError) as error:
                seen["client"] = error
            thread.join()
        return seen

    def test_device_and_service_are_let_in_by_name(self):
        for profile, name in (("device", "cam-1"), ("service", "svc-a")):
            seen = self.connect(self.issue(profile, name)[:2])
            self.assertEqual(seen.get("subject"), {"commonName": name}, seen)
            self.assertEqual(seen.get("greeting"), b"welcome")

    def test_a_server_certificate_is_no_client(self):
        seen = self.connect(self.issue("server", "other", "--ip", "127.0.0.1")[:2])
        self.assertIn("error", seen)
        self.assertNotIn("greeting", seen)


class Refusals(Authority):
    def assert_report(self, done, cause):
        lines = done.stderr.splitlines()
        self.assertEqual([line[:9] for line in lines], ["muster: e", "  cause: ", "  hint:  ", "  docs:  "], done.stderr)
        self.assertRegex(lines[1], cause)

    def test_names_and_profiles(self):
        for profile, name, more, cause in (
                ("device", "svc-a", (), "for services"), ("service", "cam-1", (), 'starts with "svc-"'),
                ("service", "svc-", (), 'starts with "svc-"'), ("device", "Cam", (), "a-z"), ("device", "a" * 41, (), "1 to 40"),
                ("device", "a/../b", (), "a-z"), ("device", "cam-1", ("--dns", "x.example.net"), "only a server"),
                ("server", "b", (), "needs a DNS name"), ("server", "b", ("--dns", "-x"), "hyphen"),
                ("server", "b", ("--ip", "010.0.0.1"), "not an address")):
            with self.subTest(profile=profile, name=name):
                done = muster("ca", "issue", "--dir", self.dir, "--profile", profile, "--cn", name, "--out", self.work / "x", *more)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assert_report(done, cause)
                self.assertEqual([done.stdout, list(self.work.path.glob("x*"))], ["", []])

    def test_exit_codes_of_the_rest(self):
        issue = ("ca", "issue", "--profile", "device", "--cn", "cam-1", "--out", self.work / "x")
        for arguments, code, cause in (
                (("ca", "init", "--dir", self.dir), 6, "already"),
                ((*issue, "--dir", self.work / "nowhere"), 5, "devices.pem"),
                (issue, 2, "--dir is missing"),
                (("ca", "issue", "--dir", self.dir, "--profile", "camera", "--cn", "a", "--out", "x"), 2, "unknown value camera"),
                (("ca", "isue"), 2, "did you mean issue"),
                (("ca", "bundle", "--dir", self.dir, "--out", self.work / "nowhere"), 5, "bundle-clients.pem")):
            done = muster(*arguments)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assert_report(done, cause)

    def test_files_are_replaced_by_force_only(self):
        first = self.issue("device", "cam-1")[0]
        with open(first, encoding="ascii") as file:
            before = file.read()
        self.assert_report(self.issue("device", "cam-1", code=6)[2], "already exists")
        with open(first, encoding="ascii") as file:
            self.assertEqual(file.read(), before)
        self.issue("device", "cam-1", "--force")
        self.assert_verified(first, "bundle-clients.pem", "sslclient")
        with open(first, encoding="ascii") as file:
            self.assertNotEqual(file.read(), before)

    def test_the_hint_is_about_the_file_that_is_missing(self):
        def hint(done):
            return next(line for line in done.stderr.splitlines() if line.startswith("  hint:"))

        done = muster("ca", "issue", "--dir", self.work / "none", "--profile", "device", "--cn", "cam-1", "--out", self.work / "cam-1")
        self.assertIn("muster ca init --dir DIR", hint(done))
        done = muster("ca", "revoke", "--dir", self.dir, "--cert", self.work / "none.pem")
        self.assertIn("none.pem", done.stderr)
        self.assertIn("correct the path", hint(done))
        os.unlink(self.dir / "devices.key")
        self.assertIn("from its backup", hint(self.issue("device", "cam-2", code=5)[2]))

    def test_a_readable_key_and_a_foreign_key_are_refused(self):
        os.chmod(self.dir / "devices.key", 0o644)
        self.assert_report(self.issue("device", "cam-1", code=4)[2], "group or others")
        os.replace(self.dir / "services.key", self.dir / "devices.key")
        self.assert_report(self.issue("device", "cam-1", code=6)[2], "does not belong")

    def test_an_unset_clock_signs_nothing(self):
        done = muster("ca", "init", "--dir", self.work / "old", env={**os.environ, "LD_PRELOAD": "libfaketime.so.1",
                      "ASAN_OPTIONS": "verify_asan_link_order=0",
                      "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu/faketime:/usr/lib/aarch64-linux-gnu/faketime",
                      "FAKETIME": "@1970-01-02 00:00:00", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assert_report(done, "clock of this machine is not set")
        self.assertFalse((self.work / "old").exists())


class Many(Authority):
    def many(self, text, *more):
        return muster("ca", "issue", "--dir", self.dir, "--profile", "device", "--stdin", "--out", self.work / "d", *more, text=text)

    def test_one_line_one_pair(self):
        names = [f"cam-{number:03}" for number in range(200)]
        done = self.many("".join(f"{name}\n" for name in names))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(), [f"{self.work.path}/d/{name}.pem" for name in names])
        self.assertEqual(len(os.listdir(self.work / "d")), 400)
        done = openssl("verify", "-x509_strict", "-CAfile", self.dir / "bundle-clients.pem",
                       *[self.work / "d" / f"{name}.pem" for name in names])
        self.assertEqual(done.returncode, 0, done.stderr)
        serials = {re.search(r"Serial Number:\s+(\S+)", text_of(self.work / "d" / f"{name}.pem"))[1] for name in names[:20]}
        self.assertEqual(len(serials), 20)

    def test_bad_lines_cost_only_themselves(self):
        done = self.many("cam-1\n\nsvc-1\n../../etc/x\n" + "a" * 5000 + "\n  cam-2\r\ncam-1\nx\x00y\ncam-3")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(sorted(os.listdir(self.work / "d")),
                         sorted(f"cam-{number}.{ending}" for number in (1, 2, 3) for ending in ("key", "pem")))
        self.assertIn("Issued 3 certificates, 5 refused.", done.stderr)
        self.assertRegex(done.stderr, r"muster: svc-1: .*for services")
        self.assertRegex(done.stderr, r"muster: cam-1: .*already exists")
        self.assertEqual(self.many("svc-1\n").returncode, 2)

    def test_servers_are_not_mass_issued(self):
        done = muster("ca", "issue", "--dir", self.dir, "--profile", "server", "--stdin", "--out", self.work / "d", text="a\n")
        self.assertEqual(done.returncode, 2)


class Revocation(Authority):
    def lists(self, *more):
        done = muster("ca", "crl", "--dir", self.dir, "--out", self.work / "crl.pem", *more)
        self.assertEqual((done.returncode, done.stdout), (0, f"{self.work.path}/crl.pem\n"), done.stderr)
        return self.work / "crl.pem"

    def check(self, certificate, lists, *more):
        return self.verify(certificate, "bundle-clients.pem", "sslclient", "-crl_check", "-CRLfile", lists, *more)

    def test_a_revoked_certificate_is_refused_and_no_other(self):
        stolen, other, service = (self.issue(*what)[0] for what in (("device", "cam-1"), ("device", "cam-2"), ("service", "svc-a")))
        lists = self.lists()
        for certificate in (stolen, other, service):
            self.assertEqual(self.check(certificate, lists).returncode, 0)
        self.assertEqual(muster("ca", "revoke", "--dir", self.dir, "--cert", stolen).returncode, 0)
        self.assertEqual(muster("ca", "revoke", "--dir", self.dir, "--cert", stolen).returncode, 6)
        lists = self.lists()
        done = self.check(stolen, lists)
        self.assertIn("certificate revoked", done.stderr)
        for certificate in (other, service):
            self.assertEqual(self.check(certificate, lists).returncode, 0)
        self.assertEqual(muster("ca", "revoke", "--dir", self.dir, "--cert", service).returncode, 0)
        self.assertIn("certificate revoked", self.check(service, self.lists()).stderr)

    def test_lists_are_signed_by_their_ca_and_expire(self):
        lists = self.lists("--days", "3")
        with open(lists, encoding="ascii") as file:
            blocks = file.read().split("-----END X509 CRL-----\n")[:-1]
        self.assertEqual(len(blocks), 2)
        for block, name in zip(blocks, ("devices", "services")):
            one = self.work / f"{name}.crl"
            one.write_text(block + "-----END X509 CRL-----\n")
            self.assertIn("verify OK", openssl("crl", "-in", one, "-noout", "-CAfile", self.dir / f"{name}.pem").stderr)
            text = openssl("crl", "-in", one, "-noout", "-text").stdout
            for part in ("Version 2 (0x1)", "X509v3 CRL Number", "X509v3 Authority Key Identifier", "No Revoked Certificates"):
                self.assertIn(part, text)
        device = self.issue("device", "cam-1")[0]
        self.assertEqual(self.check(device, lists, "-attime", int(time.time()) + 2 * 86400).returncode, 0)
        self.assertIn("CRL has expired", self.check(device, lists, "-attime", int(time.time()) + 4 * 86400).stderr)

    def test_a_foreign_certificate_and_a_damaged_file(self):
        other = self.work / "other"
        self.assertEqual(muster("ca", "init", "--dir", other, "--name", "test").returncode, 0)
        prefix = self.work / "foreign"
        self.assertEqual(muster("ca", "issue", "--dir", other, "--profile", "device", "--cn", "cam-1", "--out", prefix).returncode, 0)
        done = muster("ca", "revoke", "--dir", self.dir, "--cert", f"{prefix}.pem")
        self.assertEqual(done.returncode, 4)
        self.assertIn("not issued by a CA", done.stderr)
        (self.dir / "devices.revoked").write_text("0a0b 1\n0c")
        done = muster("ca", "crl", "--dir", self.dir, "--out", self.work / "crl.pem")
        self.assertEqual(done.returncode, 1)
        self.assertIn("devices.revoked:2: damaged line", done.stderr)
        self.assertFalse((self.work / "crl.pem").exists())


class RevocationAtTheBroker(unittest.TestCase):
    """mosquitto with crlfile: a new list counts from its SIGHUP on."""

    def connack(self, server, identity):
        """First byte of the answer to a CONNECT (0x20 for CONNACK), or the reason of the TLS alert."""
        context = ssl.create_default_context(cafile=server.pki.server_bundle)
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

    def test_a_reload_shuts_the_revoked_device_out(self):
        work = procs.Workspace()
        self.addCleanup(work.close)
        pki = certs.ProductPki(work.folder("ca", 0o755), MUSTER)
        lists = work / "crl.pem"

        def write_lists():
            done = muster("ca", "crl", "--dir", pki.folder, "--out", lists)
            self.assertEqual(done.returncode, 0, done.stderr)

        write_lists()
        stolen, other = pki.device("cam-1"), pki.device("cam-2")
        with broker.Broker(work, pki, extra=f"crlfile {lists}") as server:
            self.assertEqual([self.connack(server, one) for one in (stolen, other)], [b"\x20", b"\x20"])
            self.assertEqual(muster("ca", "revoke", "--dir", pki.folder, "--cert", stolen.cert).returncode, 0)
            write_lists()
            server.reload()
            procs.wait_until(lambda: self.connack(server, stolen) == "SSLV3_ALERT_CERTIFICATE_REVOKED", "the list counts")
            self.assertEqual(self.connack(server, other), b"\x20")


class Bundles(Authority):
    def test_bundles_are_made_again_elsewhere(self):
        out = self.work / "etc"
        out.mkdir()
        done = muster("ca", "bundle", "--dir", self.dir, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("bundle-clients.pem", "bundle-server.pem"):
            self.assertEqual((out / name).read_bytes(), (self.dir / name).read_bytes())
        self.assertEqual(sorted(path.name for path in out.iterdir()), sorted(BUNDLES))


if __name__ == "__main__":
    unittest.main()
