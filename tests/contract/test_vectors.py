# SPDX-License-Identifier: Apache-2.0
"""One set of vectors, two judges: the JSON Schemas (python3-jsonschema) and the C codecs (vector-judge).

tests/vectors/<body>/valid and invalid are judged by both, c-only by the codecs alone (tests/vectors/README.md). Also
checks the schemas themselves against the metaschema of JSON Schema 2020-12.
"""
import json
import os
import pathlib
import subprocess
import unittest

import jsonschema

SOURCE = pathlib.Path(os.environ["MUSTER_SOURCE_DIR"])
JUDGE = pathlib.Path(os.environ["MUSTER_BUILD_DIR"]) / "tests" / "contract" / "vector-judge"
VECTORS = SOURCE / "tests" / "vectors"
BODIES = sorted(path.name.removesuffix(".schema.json") for path in (SOURCE / "mqtt" / "schema").glob("*.schema.json"))


def schema(body):
    return json.loads((SOURCE / "mqtt" / "schema" / f"{body}.schema.json").read_text())


def validator(body):
    # Formats are assertions here: 2020-12 makes them annotations unless one asks.
    return jsonschema.Draft202012Validator(schema(body), format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def parse(path):
    """Strict where Python is lax: NaN and Infinity are no JSON."""
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)


def schema_says(judge, path):
    try:
        return judge.is_valid(parse(path))
    except ValueError:
        return False


def codecs_say(paths):
    done = subprocess.run([JUDGE, *map(str, paths)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    verdicts = {}
    for line in done.stdout.splitlines():
        verdict, path = line.split(" ", 1)
        verdicts[pathlib.Path(path)] = verdict == "valid"
    return verdicts


class Vectors(unittest.TestCase):
    def test_every_body_has_a_schema_and_vectors_of_both_kinds(self):
        self.assertEqual(sorted(path.name for path in VECTORS.iterdir() if path.is_dir()), BODIES)
        for body in BODIES:
            for verdict in ("valid", "invalid", "c-only"):
                self.assertTrue(list((VECTORS / body / verdict).glob("*.json")), f"{body}/{verdict}")

    def test_schemas_obey_the_metaschema(self):
        for body in BODIES:
            jsonschema.Draft202012Validator.check_schema(schema(body))

    def test_both_judges_agree_with_the_folder(self):
        for body in BODIES:
            judge = validator(body)
            for verdict in ("valid", "invalid"):
                paths = sorted((VECTORS / body / verdict).glob("*.json"))
                codecs = codecs_say(paths)
                for path in paths:
                    with self.subTest(str(path.relative_to(VECTORS))):
                        self.assertEqual(codecs[path], verdict == "valid", "the codec")
                        self.assertEqual(schema_says(judge, path), verdict == "valid", "the schema")

    def test_codecs_refuse_what_schemas_cannot_judge(self):
        for body in BODIES:
            paths = sorted((VECTORS / body / "c-only").glob("*.json"))
            for path, valid in codecs_say(paths).items():
                with self.subTest(str(path.relative_to(VECTORS))):
                    self.assertFalse(valid)


if __name__ == "__main__":
    unittest.main()
