# SPDX-License-Identifier: Apache-2.0
"""mqtt/schema/asyncapi.yaml obeys the official JSON Schema of AsyncAPI 3 (npm package @asyncapi/specs, version and hash
pinned by the lock file beside this one), and says the same as the JSON Schemas and topics of the tree.

The package is installed into the build tree; exit status 77 (skipped) only when npm itself is missing.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import jsonschema
import yaml

SOURCE = pathlib.Path(os.environ["MUSTER_SOURCE_DIR"])
SCHEMAS = SOURCE / "mqtt" / "schema"
PACKAGE = SOURCE / "tests" / "contract" / "asyncapi"
INSTALL = pathlib.Path(os.environ["MUSTER_BUILD_DIR"]) / "tests" / "contract" / "asyncapi"
OFFICIAL = INSTALL / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"


def install():
    """Installs exactly the lock file; once for a build tree and lock."""
    INSTALL.mkdir(parents=True, exist_ok=True)
    stamp = INSTALL / "installed-lock.json"
    lock = (PACKAGE / "package-lock.json").read_bytes()
    if OFFICIAL.exists() and stamp.exists() and stamp.read_bytes() == lock:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PACKAGE / name, INSTALL / name)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=INSTALL, check=True,
                   stdout=subprocess.DEVNULL)
    stamp.write_bytes(lock)


class LocalReferences(jsonschema.RefResolver):
    """All references of that schema are local; the search by identifier stumbles over its property named "$id"."""

    def _find_in_subschemas(self, url):
        return None


def official():
    install()
    schema = json.loads(OFFICIAL.read_text())
    return jsonschema.Draft7Validator(schema, resolver=LocalReferences("", schema))


def document():
    return yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text())


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


class AsyncApi(unittest.TestCase):
    def test_the_official_schema_accepts_it(self):
        judge = official()
        errors = sorted(judge.iter_errors(document()), key=lambda error: list(error.path))
        self.assertEqual([f"{list(error.path)}: {error.message[:200]}" for error in errors], [])

    def test_the_official_schema_can_refuse(self):
        judge = official()
        for break_it in (lambda doc: doc.pop("info"), lambda doc: doc.update(asyncapi="2.6.0"),
                         lambda doc: doc["operations"]["receiveState"].update(action="publish")):
            broken = document()
            break_it(broken)
            self.assertFalse(judge.is_valid(broken))

    def test_every_reference_leads_somewhere(self):
        doc = document()
        for reference in references(doc):
            with self.subTest(reference):
                if reference.startswith("./"):
                    self.assertTrue((SCHEMAS / reference).is_file())
                    continue
                node = doc
                for part in reference.removeprefix("#/").split("/"):
                    node = node[part]

    def test_every_schema_is_a_message(self):
        used = {reference.removeprefix("./") for reference in references(document()) if reference.startswith("./")}
        self.assertEqual(used, {path.name for path in SCHEMAS.glob("*.schema.json")})

    def test_every_address_is_built_by_topics(self):
        """Last levels, or where these are parameters the branches, stand in mqtt/topics.c, and parameters are declared."""
        table = (SOURCE / "mqtt" / "topics.c").read_text()
        for name, channel in document()["channels"].items():
            with self.subTest(name):
                address = channel["address"]
                self.assertTrue(address.startswith("muster/v1/"))
                leaf = address.rsplit("/", 1)[1] if "{" in address else address.removeprefix("muster/v1/")
                if leaf.startswith("{"):
                    leaf = address.split("/")[2]
                self.assertRegex(table, rf'VIEW_LITERAL\("{leaf}"\)|"{leaf}"')
                self.assertEqual(set(re.findall(r"{(\w+)}", address)), set(channel.get("parameters", {})))


if __name__ == "__main__":
    if shutil.which("npm") is None:
        print("npm is not installed (deploy/packages/test)")
        sys.exit(77)
    unittest.main()
