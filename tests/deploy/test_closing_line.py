#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The closing line of tests/run and its exit status, from JUnit files that a real CTest wrote."""
import re
import subprocess
import unittest

from muster_testlib import source_dir
from muster_testlib.procs import Workspace

TOTAL = source_dir() / "tests" / "lib" / "junit_total"

_PYTHON = """\
import unittest
class Passes(unittest.TestCase):
    def test_mounts(self): self.skipTest("no mounts")
    def test_late(self): self.skipTest("it's late")
    def test_talks(self): print("talk\\n" * 10000)
class Fails(unittest.TestCase):
    def test_fails(self): self.fail("skipped=7")
unittest.main()
"""
_CMOCKA = """\
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
static void leaves_out(void **state) { (void)state; skip(); }
static void talks(void **state) { (void)state; for (int i = 0; i < 10000; i++) { puts("talk"); } }
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaves_out), cmocka_unit_test(talks), cmocka_unit_test(leaves_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
"""


class ClosingLine(unittest.TestCase):
    def setUp(self):
        self.work = Workspace()
        self.addCleanup(self.work.close)

    def ctest(self, name, commands):
        """CTest's JUnit file for tests with these commands; status 77 is a skip."""
        lines = [f'add_test(t{number} {command})\nset_tests_properties(t{number} PROPERTIES SKIP_RETURN_CODE 77 '
                 f'TIMEOUT {1 if "sleep" in command else 300})' for number, command in enumerate(commands)]
        self.work.write(f"{name}/CTestTestfile.cmake", "\n".join(lines) + "\n")
        found = self.work / f"{name}.xml"
        sizes = re.findall(r"--test-output-size-\w+ \d+", (source_dir() / "tests" / "run").read_text())
        self.assertEqual(len(sizes), 2)
        subprocess.run(["ctest", "--test-dir", self.work / name, "--output-junit", found, *" ".join(sizes).split()],
                       capture_output=True, check=False)
        return found

    def total(self, *files):
        done = subprocess.run([TOTAL, *map(str, files)], capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[-1], done.returncode

    def test_passed_failed_skipped(self):
        one = self.ctest("one", ["/bin/true", "/bin/true", 'sh "-c" "exit 77"'])
        self.assertEqual(self.total(one), ("2 passed, 0 failed, 1 skipped", 0))
        two = self.ctest("two", ["/bin/true", "/bin/false", "/no/such/program", 'sleep 600', 'sh "-c" "kill -9 \\$\\$"'])
        self.assertEqual(self.total(one, two), ("3 passed, 4 failed, 1 skipped", 1))

    def test_a_run_that_left_no_file_is_a_failure(self):
        one = self.ctest("one", ["/bin/true"])
        self.assertEqual(self.total(one, self.work / "missing.xml"), ("1 passed, 1 failed, 0 skipped", 1))
        cut = self.work.write("cut.xml", one.read_text()[:150])
        self.assertEqual(self.total(cut), ("0 passed, 1 failed, 0 skipped", 1))

    def test_cases_that_a_program_left_out(self):
        python = self.work.write("cases.py", _PYTHON)
        source, program = self.work.write("cases.c", _CMOCKA), self.work / "cases"
        subprocess.run(["cc", "-o", program, source, "-lcmocka"], check=True)
        found = self.ctest("inner", [f'/usr/bin/python3 "-B" "{python}" "-v" "Passes"', f'"{program}"',
                                     f'/usr/bin/python3 "-B" "{python}" "-v"'])
        self.assertEqual(self.total(found), ("2 passed, 1 failed, 6 skipped", 1))
        done = subprocess.run([TOTAL, found], capture_output=True, text=True, check=False)
        self.assertIn("skipped: 2 inside t0 (inner) it's late; no mounts\n", done.stdout)
        self.assertIn("skipped: 2 inside t1 (inner)\n", done.stdout)

    def test_nothing_run_is_no_success(self):
        self.assertEqual(self.total(self.ctest("skips", ['sh "-c" "exit 77"'])), ("0 passed, 0 failed, 1 skipped", 1))
        self.assertEqual(self.total(), ("0 passed, 0 failed, 0 skipped", 1))


if __name__ == "__main__":
    unittest.main()
