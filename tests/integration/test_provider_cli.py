#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""muster provider: every known service once, templates of the user's, mistakes by line and column, the schema."""
import json
import subprocess
import unittest

import jsonschema
import yaml

from muster_testlib import build_dir, source_dir
from muster_testlib.procs import Workspace

MUSTER = build_dir() / "cli" / "muster"
TEMPLATES = source_dir() / "providers" / "templates"
MORE = ("Azure DNS", "dyndns2 (any server)")  # beside the services of tests/integration/services.tsv
MINE = """\
format: 1
name: mine
service: Mine
class: G
source: https://mine.example/doc
read: 2026-11-23
account: {password: required}
request: {url: "https://mine.example/u", query: {h: "{host}", k: "{secret}", ip: "{ip}"}}
reply: {rules: [{line: "ok( .*)?", then: applied}]}
"""


def muster(*words):
    return subprocess.run([MUSTER, "provider", *words], capture_output=True, text=True, timeout=60)


def listed(*words):
    done = muster("list", "--json", *words)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


class Loader(yaml.SafeLoader):
    """A day is a text, as in JSON."""

    yaml_implicit_resolvers = {first: [(tag, regex) for tag, regex in rules if not tag.endswith(":timestamp")]
                               for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}


class Services(unittest.TestCase):
    def test_each_known_service_stands_once(self):
        known = [line.split("\t") for line in (source_dir() / "tests/integration/services.tsv").read_text().splitlines()
                 if not line.startswith("#")]
        self.assertEqual(len(known), 137)
        rows = listed()
        names = [row["name"] for row in rows]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(set(names), {name for name, _ in known} | set(MORE))
        classes = {row["name"]: row["class"] for row in rows}
        self.assertEqual([(name, kind, classes[name]) for name, kind in known if classes[name] != kind], [])
        for row in rows:
            with self.subTest(row["name"]):
                self.assertEqual(set(row), {"name", "class", "status", "since", "source", "read", "provider", "providers"})
                self.assertIn(row["status"], ("ok", "planned", "dead", "undocumented"))
                self.assertRegex(row["read"], r"^\d{4}-\d\d-\d\d$")
                self.assertTrue(row["source"])
                self.assertEqual(row["provider"], (row["providers"] or [None])[0])
                self.assertTrue(row["provider"] or row["status"] != "ok", "ok, and nothing serves it")

    def test_a_state_filters(self):
        dead = listed("--status", "dead")
        self.assertTrue(dead)
        self.assertEqual({row["status"] for row in dead}, {"dead"})
        table = muster("list", "--status", "dead").stdout.splitlines()
        self.assertEqual(len(table), sum(max(1, len(row["providers"])) for row in dead))

    def test_show_tells_what_an_account_needs(self):
        noip = json.loads(muster("show", "--json", "noip").stdout)
        self.assertEqual(noip, json.loads(muster("show", "--json", "no-ip").stdout))
        self.assertEqual(noip["account"]["needs"], ["username", "password_file"])
        self.assertEqual(noip["ways"]["hosts_max"], 20)
        text = muster("show", "rfc2136")
        self.assertEqual(text.returncode, 0)
        self.assertRegex(text.stdout, r"(?m)^takes +server$")
        self.assertRegex(muster("show", "noip").stdout, r"(?m)^needs +username$")
        for row in listed():
            for name in row["providers"]:
                about = json.loads(muster("show", "--json", name).stdout)
                self.assertTrue(about["template"] or about["note"], name)

    def test_an_unknown_name_gets_a_suggestion(self):
        done = muster("show", "nopi")
        self.assertEqual(done.returncode, 5)
        self.assertIn("did you mean `noip`?", done.stderr)


class Folder(unittest.TestCase):
    def setUp(self):
        workspace = Workspace()
        self.addCleanup(workspace.close)
        self.folder = workspace.path

    def test_a_file_of_the_folder_is_a_provider(self):
        (self.folder / "mine.yaml").write_text(MINE)
        (self.folder / "noip.yaml").write_text(MINE.replace("name: mine", "name: noip").replace("Mine", "No-IP"))
        rows = {row["name"]: row for row in listed("--dir", self.folder)}
        self.assertEqual(rows["Mine"]["provider"], "mine")
        self.assertEqual(rows["No-IP"]["class"], "G")  # the folder's, not the built-in one

    def test_a_broken_file_is_named(self):
        (self.folder / "mine.yaml").write_text(MINE.replace("{host}", "{hots}"))
        for verb in (("list",), ("show", "noip")):
            done = muster(*verb, "--dir", self.folder)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"{self.folder}/mine.yaml:8:53: ", done.stderr)

    def test_a_built_in_name_is_refused(self):
        (self.folder / "rfc2136.yaml").write_text(MINE.replace("name: mine", "name: rfc2136"))
        for words in (("list", "--dir", self.folder), ("lint", self.folder / "rfc2136.yaml")):
            self.assertIn("rfc2136.yaml:2:7: name: `rfc2136`: is built in", muster(*words).stderr)

    def test_lint(self):
        good, bad = self.folder / "mine.yaml", self.folder / "bad.yaml"
        good.write_text(MINE)
        bad.write_text(MINE.replace("{host}", "{hots}").replace("then: applied", "then: aplied"))
        self.assertEqual(muster("lint", good).returncode, 0)
        self.assertEqual(muster("lint", good).stderr, "")
        done = muster("lint", good, bad)
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r"(?m)^\S+bad\.yaml:8:\d+: .*did you mean \{hosts\}\?$")
        self.assertRegex(done.stderr, r"(?m)^\S+bad\.yaml:9:\d+: .*did you mean `applied`\?$")
        self.assertEqual(muster("lint", bad).returncode, 1)
        self.assertEqual(muster("lint", *TEMPLATES.glob("*.yaml")).stderr, "")
        bad.write_text(MINE.replace("name: mine", "name: bad").replace('h: "{host}", ', ""))
        self.assertRegex(muster("lint", bad).stderr, r"bad\.yaml:8:\d+: `request` never says which name is meant")
        done = muster("lint", self.folder)
        self.assertEqual((done.returncode, done.stderr), (1, f"{self.folder}: is a folder: name its files, {self.folder}/*.yaml\n"))


class Coordinator(unittest.TestCase):
    """What the coordinator says of a provider that is not there, and of a folder with a broken template."""

    def check(self, change, more="", mode="dedicated"):
        workspace = Workspace()
        self.addCleanup(workspace.close)
        example = (source_dir() / "deploy/examples/coordinator.yaml").read_text()
        workspace.write("mine.yaml", MINE.replace("{host}", "{hots}"))
        registry = workspace.write("registry.yaml", "devices: []\n")
        example = example.replace("registry: /etc/muster/registry.yaml", f"registry: {registry}")
        example = example.replace("    account: dns\n", f"    account: dns\n    mode: {mode}\n", 1)
        config = workspace.write("coordinator.yaml", example.replace("provider: rfc2136", change)
                                 + more.format(folder=workspace.path))
        done = subprocess.run([build_dir() / "coordinator" / "muster-coordinator", "--config", config, "--check-config"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 78, done.stderr)
        return done.stderr

    def test_an_unknown_provider_is_told_with_its_line(self):
        self.assertRegex(self.check("provider: rfc2163"), r"coordinator\.yaml:\d+:\d+: .*did you mean `rfc2136`\?")

    def test_what_an_account_lacks_is_told_with_its_line(self):
        for change, told in (("provider: duckdns", "duckdns has no use for `server`: remove it"),
                             ("provider: rfc2136\n    options: {tansport: tls}", "rfc2136 knows no option `tansport`: .*")):
            with self.subTest(change):
                self.assertRegex(self.check(change), rf"(?m)coordinator\.yaml:\d+:\d+: accounts: (\w+): {told}$")

    def test_a_zone_that_the_provider_cannot_share_is_told_with_its_line(self):
        told = self.check("provider: dyndns2\n    url: https://ddns.example/u", mode="shared")
        self.assertRegex(told, r"(?m)coordinator\.yaml:\d+:\d+: zones: [\w.]+: mode: shared: dyndns2 cannot tell who wrote")

    def test_a_broken_template_is_named(self):
        self.assertRegex(self.check("provider: rfc2136", "providers_dir: {folder}\n"), r"/mine\.yaml:8:\d+: .*\{hots\}")


class Schema(unittest.TestCase):
    """The schema says of every template what lint says, as far as a schema can."""

    MISTAKES = {  # a part of MINE, and what stands in its place; what a schema cannot say is left to lint
        "an unknown key": ("format: 1", "format: 1\nextra: 1"),
        "no name": ("name: mine\n", ""),
        "capitals in the name": ("name: mine", "name: Mine"),
        "a later form": ("format: 1", "format: 2"),
        "no day": ("2026-11-23", "today"),
        "no class": ("class: G", "class: Z"),
        "a section that is a word": ("request: {", "limits: many\nrequest: {"),
        "less than none": ("request: {", "hosts: {per_account: -1}\nrequest: {"),
        "more than a request takes": ("request: {", "hosts: {max: 21}\nrequest: {"),
        "a leading zero": ("request: {", "limits: {wait: 05m}\nrequest: {"),
        "no unit": ("request: {", "limits: {interval: 5}\nrequest: {"),
        "no method": ("request: {", "request: {method: HEAD, "),
        "no such action": ("then: applied", "then: aplied"),
        "no action": (", then: applied", ""),
        "no status": ("then: applied", "status: [\"20\"], then: applied"),
        "no code": ("then: applied", "code: A B, then: applied"),
        "no pointer": ("then: applied", "json: a, then: applied"),
        "no element": ("then: applied", "xml: a b, then: applied"),
        "no capture": ("request: {", "lookup: {url: \"https://t.example/\", capture: {}}\nrequest: {"),
        "no pointer to capture": ("request: {", "lookup: {url: \"https://t.example/\", capture: {i: i}}\nrequest: {"),
    }

    @classmethod
    def setUpClass(cls):
        schema = json.loads(muster("schema").stdout)
        jsonschema.Draft7Validator.check_schema(schema)
        cls.judge = jsonschema.Draft7Validator(schema)

    def faults(self, text):
        return [error.message for error in self.judge.iter_errors(yaml.load(text, Loader))]

    def test_every_template_fits_both(self):
        files = sorted(TEMPLATES.glob("*.yaml"))
        self.assertGreater(len(files), 90)
        self.assertEqual(muster("lint", *files).stderr, "")
        for file in files:
            with self.subTest(file.name):
                self.assertEqual(self.faults(file.read_text()), [])

    def test_a_mistake_fits_neither(self):
        workspace = Workspace()
        self.addCleanup(workspace.close)
        self.assertEqual(self.faults(MINE), [])
        for what, (before, after) in self.MISTAKES.items():
            with self.subTest(what):
                self.assertIn(before, MINE)
                text = MINE.replace(before, after, 1)
                done = muster("lint", workspace.write("mine.yaml", text))
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, r"mine\.yaml:\d+:\d+: ")
                self.assertNotEqual(self.faults(text), [])


if __name__ == "__main__":
    unittest.main()
