# SPDX-License-Identifier: Apache-2.0
"""`muster broker render|lint|reload|probe` on the real mosquitto 2.0.11, with each of its faults: an ACL file that breaks, a
revocation list that is damaged and one that has expired. The fleet stays closed, or stays up."""
import os
import signal
import subprocess
import unittest

from muster_testlib import broker as brokers
from muster_testlib import certs, procs
from muster_testlib.brokerset import Brokers, muster
from muster_testlib.mqttclient import NOT_AUTHORIZED, Client, Refused

ACCEPTED = (0x00, 0x10)


class Case(unittest.TestCase):
    kinds = ("core", "prov")

    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.pki = certs.pki(cls.work / "pki")
        cls.set = Brokers(cls.work, cls.pki).describe(cls.kinds)
        cls.addClassCleanup(cls.set.stop)

    def client(self, identity, kind="core", **options):
        client = Client(self.set.address, self.set.port[kind], self.pki.server_bundle, identity, **options)
        self.addCleanup(client.disconnect)
        return client

    def assertRun(self, code, verb, *arguments):
        got, results, err = self.set.run(verb, *arguments)
        self.assertEqual(got, code, err + str(results))
        return results, err


class Rendered(Case):
    """What needs no broker that runs."""

    kinds = ("core", "prov", "dash")

    def test_versions(self):
        results, _ = self.assertRun(0, "render", "--dry-run")
        self.assertEqual([(one["version"], one["written"]) for one in results.values()], [(1, False)] * 3)
        self.assertFalse(self.set.directory.exists())
        results, _ = self.assertRun(0, "render")
        self.assertEqual([(name, one["version"], one["current"]) for name, one in results.items()],
                         [("core", 1, 1), ("prov", 1, 1), ("dash", 1, 1)])
        results, _ = self.assertRun(0, "render")
        self.assertEqual([one["written"] for one in results.values()], [False] * 3)
        self.assertRun(0, "lint")
        self.set.make_lists()
        results, _ = self.assertRun(0, "render")
        self.assertEqual([(one["version"], one["current"], one["written"]) for one in results.values()],
                         [(2, 1, True), (2, 1, True), (1, 1, False)])
        for _ in range(5):
            self.set.make_lists(days=6)
            self.assertRun(0, "render", "--broker", "core")
            self.set.make_lists()
            self.assertRun(0, "render", "--broker", "core")
        left = sorted(int(path.name[1:]) for path in (self.set.directory / "core").glob("v*"))
        self.assertEqual(left[0], 1)  # the one in use is never removed
        self.assertEqual(len(left), 11)
        self.assertEqual(os.readlink(self.set.directory / "core" / "current"), "v1")
        self._the_bundles()

    def _the_bundles(self):
        def lists(kind):
            blocks = self.set.file(kind, "crls.pem").read_text().split("-----BEGIN")[1:]
            return sorted(subprocess.run(["openssl", "crl", "-noout", "-issuer"], input="-----BEGIN" + block, text=True,
                                         capture_output=True, check=True).stdout.split("CN = ")[1].strip() for block in blocks)

        self.assertEqual(lists("core"), ["test device CA", "test service CA"])
        self.assertEqual(lists("prov"), ["test claim CA", "test service CA"])
        acl = self.set.file("core", "muster.acl").read_text()
        self.assertIn("\nuser svc-coord-a\ntopic read muster/v1/up/#\n", acl)
        self.assertNotIn("user svc-viewer", acl)

    def test_the_example_is_a_description(self):
        example = os.path.join(os.environ["MUSTER_SOURCE_DIR"], "deploy", "examples", "brokers.yaml")
        code, _, err = muster("broker", "render", "--config", example, "--dry-run")
        self.assertEqual(code, 5, err)
        self.assertIn("/srv/ca/", err)

    def test_a_wrong_description_is_told_by_line(self):
        path = self.work.write("wrong.yaml", "directory: relative\nauthorities: {roots: [/r], devices: [/d], services: [/s], lists: [l]}\n"
                               "services: [coord]\nprov: {listen: 127.0.0.1:1}\n")
        code, out, err = muster("broker", "lint", "--config", path)
        self.assertEqual((code, out), (2, ""))
        for text in (f"{path}:1:", f"{path}:2:", f"{path}:3:", "not a service", "cert_file"):
            self.assertIn(text, err)


class Lint(Case):
    """Every fault below is found before mosquitto reads the file."""

    def setUp(self):
        self.versions = {kind: f"v{one['version']}" for kind, one in self.assertRun(0, "render")[0].items()}

    def findings(self, damage, kind="core"):
        name, change = damage
        path = self.set.file(kind, name, self.versions[kind])
        before = path.read_bytes()
        path.write_bytes(change(before))
        try:
            code, results, _ = self.set.run("lint", "--broker", kind)
        finally:
            path.write_bytes(before)
        found = results[kind]["findings"]
        self.assertEqual(code, 1 if found else 0)
        return [(os.path.basename(one["file"]), one["line"], one["text"]) for one in found]

    def test_faults(self):
        conf, acl, crls = "mosquitto.conf", "muster.acl", "crls.pem"

        def replace(old, new):
            return lambda data: data.replace(old, new, 1)

        def one_list(data):
            return data.split(b"-----END X509 CRL-----\n")[0] + b"-----END X509 CRL-----\n"

        cases = (
            ((conf, lambda data: data + b"max_conections 5\n"), "unknown option"),
            ((conf, replace(b"\npersistence true", b"\npersistence true # keep")), "comment behind a value"),
            ((conf, replace(b"\npersistence true", b"\npersistence yes")), "neither true nor false"),
            ((conf, replace(b"\nmax_keepalive 1200", b"\nmax_keepalive long")), "no number"),
            ((conf, replace(b"\nmax_queued_messages 1000000", b"\nmax_queued_messages 0")), "breaks later"),
            ((conf, replace(b"\nrequire_certificate true", b"\nrequire_certificate false")), "require_certificate is not true"),
            ((conf, replace(b"\ncrlfile", b"\n#")), "crlfile is missing"),
            ((conf, replace(b"\nplugin ", b"\n#")), "plugin is missing"),
            ((conf, replace(b"\nper_listener_settings false", b"\nper_listener_settings true")), "per_listener_settings"),
            ((conf, replace(b"\nuse_username_as_clientid true", b"")), "use_username_as_clientid is missing"),
            ((conf, replace(str(self.set.server.key).encode(), b"/nonexistent")), "cannot be read"),
            ((conf, replace(str(self.set.server.key).encode(), str(self.set.bridge.key).encode())), "is not the key of"),
            ((acl, lambda data: data + b"topic raed muster/v1/bc/#\n"), "say read"),
            ((acl, lambda data: data + b"allow everything\n"), "drops the whole file"),
            ((acl, lambda data: data + b"user svc-coord-z\ntopic read muster/v1/up/#\n"), "none of the description's"),
            ((acl, lambda data: data + b"topic readwrite #\n"), "is everything"),
            ((acl, lambda data: data + b"topic read muster/#/x\n"), "no topic filter"),
            ((crls, lambda data: b"this is no list\n"), "holds no"),
            ((crls, lambda data: data[:200]), "malformed"),
            ((crls, replace(b"M", b"N")), "malformed"),
            ((crls, one_list), "has no list"),
            (("clients.pem", lambda data: self.pki.devices.cert.read_bytes()), "is missing"),
        )
        self.assertEqual(self.findings((conf, lambda data: data)), [])
        for damage, text in cases:
            with self.subTest(text):
                found = self.findings(damage)
                self.assertTrue(any(text in one[2] for one in found), found)
        with self.subTest("names file and line"):
            number = len(self.set.file("core", acl).read_text().splitlines()) + 1
            found = self.findings((acl, lambda data: data + b"allow everything\n"))
            self.assertEqual([one[:2] for one in found], [(acl, number)])
        with self.subTest("prov"):
            found = self.findings((conf, replace(b"plugin_opt_mode prov", b"plugin_opt_mode core")), "prov")
            self.assertIn("plugin_opt_mode is not prov", found[0][2])

    def test_a_list_that_ends_soon_or_has_ended(self):
        self.set.make_lists(days=3)
        self.addCleanup(self.set.make_lists)
        self.assertRun(0, "render")
        code, results, _ = self.set.run("lint")
        self.assertEqual(code, 1)
        self.assertIn("less than three days are left", results["core"]["findings"][0]["text"])

    def test_a_deny_file_with_a_bad_line(self):
        path = self.set.folder / "core" / "denied"
        path.write_text("# none\ndeny x\n")
        self.addCleanup(path.write_text, "")
        code, results, _ = self.set.run("lint")
        self.assertEqual((code, results["core"]["findings"][0]["line"]), (1, 2))


class Reload(Case):
    """Brokers that run."""

    def setUp(self):
        self.set.make_lists()
        self.assertRun(0, "render")
        missing = [kind for kind in self.kinds if not self.set.process[kind].running()]
        self.set.start(*missing)
        self.cam = self.pki.device("cam-1")
        self.addCleanup(self._mend)

    def _mend(self):
        self.set.make_lists()
        self.assertRun(0, "render")
        self.assertRun(0, "reload")

    def _current(self, kind="core"):
        return os.readlink(self.set.directory / kind / "current")

    def assertClosed(self):
        camera = self.client(self.cam)
        self.assertIn(camera.publish(brokers.topic("up", "cam-1", "state"), b"{}"), ACCEPTED)
        self.assertEqual(camera.publish(brokers.topic("up", "cam-2", "state"), b"{}"), NOT_AUTHORIZED)
        self.assertEqual(camera.publish("anything", b"{}"), NOT_AUTHORIZED)
        self.assertEqual(camera.subscribe("#"), NOT_AUTHORIZED)
        with self.assertRaises(Refused):
            self.client(self.set.bad["core"])

    def test_probe(self):
        results, _ = self.assertRun(0, "probe")
        self.assertEqual([check["verdict"] for kind in self.kinds for check in results[kind]["checks"]], ["passed"] * 10)

    def test_a_revoked_certificate_is_out_after_a_reload(self):
        stolen = self.pki.device("cam-stolen")
        self.client(stolen).ping()
        before = self._current()
        self.set.revoke(stolen)
        self.set.make_lists()
        self.assertRun(0, "render")
        results, _ = self.assertRun(0, "reload", "--dry-run")
        self.assertEqual((results["core"]["result"], self._current()), ("dry-run", before))
        self.client(stolen).ping()
        results, _ = self.assertRun(0, "reload")
        self.assertEqual([results[kind]["result"] for kind in self.kinds], ["done", "done"])
        self.assertNotEqual(self._current(), before)
        with self.assertRaises(Refused):
            self.client(stolen)
        self.assertClosed()

    def test_an_acl_file_that_breaks(self):
        """mosquitto drops it and stands open without the plugin. Lint refuses it; whoever signals by hand all the same finds
        the broker as closed as before."""
        self.assertRun(0, "reload")
        path = self.set.file("core", "muster.acl")
        good = path.read_text()
        path.write_text(good + "this is no rule\n")
        self.addCleanup(path.write_text, good)
        code, _, err = self.set.run("reload", "--broker", "core")
        self.assertEqual(code, 1, err)
        mark = len(self.set.log("core"))
        self.set.process["core"].signal(signal.SIGHUP)
        procs.wait_until(lambda: "Error" in self.set.log("core")[mark:], "mosquitto says what it thinks of the file")
        self.assertClosed()

    def test_a_damaged_list(self):
        """mosquitto would let revoked devices in again."""
        version = self.set.run("render")[1]["core"]["version"]
        path = self.set.file("core", "crls.pem", f"v{version}")
        good = path.read_bytes()
        path.write_bytes(b"no list\n")
        self.addCleanup(path.write_bytes, good)
        code, results, _ = self.set.run("reload", "--broker", "core")
        self.assertEqual((code, [one["text"].split(": ")[1] for one in results["core"]["findings"]]),
                         (1, ['holds no "X509 CRL" in PEM'] * 2))
        path.write_bytes(good)
        self.assertClosed()

    def test_an_expired_list(self):
        """mosquitto would refuse everyone: the fleet stays up, with the list before."""
        before = self._current()
        self.set.make_lists(days=1)
        self.assertRun(0, "render")
        code, results, _ = self.set.run("reload")
        self.assertEqual((code, self._current()), (1, before))
        self.assertIn("less than three days", results["core"]["findings"][0]["text"])
        self.assertClosed()

    def test_a_version_that_passes_lint_and_fails_its_probe_is_taken_back(self):
        """A good list of an authority that no longer has the probe's certificate on it: the revoked one gets in."""
        before = self._current()
        revoked = self.pki.folder / "devices.revoked"
        text = revoked.read_text()
        revoked.write_text("")
        self.addCleanup(revoked.write_text, text)
        self.set.make_lists()
        self.assertRun(0, "render", "--broker", "core")
        self.assertRun(0, "lint", "--broker", "core")
        code, results, err = self.set.run("reload", "--broker", "core")
        revoked.write_text(text)
        self.assertEqual((code, results["core"]["result"], results["core"]["cause"]), (6, "restored", "the probe failed"), err)
        self.assertEqual(self._current(), before)
        self.assertEqual([one["verdict"] for one in results["core"]["checks"]], ["passed"] * 5)  # after the way back
        self.assertClosed()

    def test_a_version_that_mosquitto_complains_of_is_taken_back(self):
        """The plugin's key is readable by all: it keeps the one before, says so, and that is a failure."""
        before = self._current()
        self.set.make_lists(days=6)
        self.assertRun(0, "render", "--broker", "core")
        key = self.set.folder / "stamp.key"
        key.chmod(0o644)
        self.addCleanup(key.chmod, 0o600)
        code, results, _ = self.set.run("reload", "--broker", "core")
        self.assertEqual((code, results["core"]["result"]), (6, "broken"))  # the cause lies outside the version
        self.assertIn("plugin_opt_key_file", results["core"]["cause"])
        self.assertEqual(self._current(), before)
        self.assertClosed()

    def test_no_process_no_switch(self):
        self.set.process["prov"].stop()
        before = self._current("prov")
        self.set.make_lists(days=6)
        self.assertRun(0, "render", "--broker", "prov")
        code, _, err = self.set.run("reload", "--broker", "prov")
        self.assertEqual((code, self._current("prov")), (5, before), err)
        self.set.start("prov")

    def test_probe_says_what_fails(self):
        self.set.process["prov"].stop()
        code, results, _ = self.set.run("probe", "--broker", "prov", "--timeout", "5s")
        self.assertEqual((code, results["prov"]["result"]), (1, "failed"))
        self.set.start("prov")


class Dash(Case):
    kinds = ("core", "dash")

    def test_the_aggregates_arrive_and_nothing_else_does(self):
        self.assertRun(0, "render")
        self.set.start(*self.kinds)
        coordinator = self.client(self.pki.service("svc-coord-a"))
        viewer = Client(self.set.address, self.set.port["dash"], client_id="Board.1")
        self.addCleanup(viewer.disconnect)
        self.assertEqual(viewer.subscribe("muster/v1/fleet/#"), 1)
        for one in ("#", "muster/v1/up/#", "$CONTROL/#"):
            self.assertEqual(viewer.subscribe(one), NOT_AUTHORIZED)
        self.assertEqual(viewer.publish("muster/v1/fleet/summary", b"forged"), NOT_AUTHORIZED)
        with self.assertRaises(Refused):
            Client(self.set.address, self.set.port["dash"], client_id="bridge-fleet")
        self.assertIn(coordinator.publish("muster/v1/fleet/summary", b"{}", retain=True), ACCEPTED)
        self.assertEqual(viewer.wait_messages(1)[0].topic, "muster/v1/fleet/summary")
        results, _ = self.assertRun(0, "reload", "--broker", "dash")
        self.assertEqual(results["dash"]["result"], "done")
        self.assertEqual(viewer.subscribe("muster/v1/up/#"), NOT_AUTHORIZED)


if __name__ == "__main__":
    unittest.main()
