#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/quickstart as a newcomer runs it, and where this machine really refuses namespaces: without CAP_SYS_ADMIN.

It builds build/release first. Name one class to run it alone.
"""
import os
import re
import signal
import subprocess
import sys
import unittest

from muster_testlib import procs, source_dir

QUICKSTART = source_dir() / "deploy" / "quickstart"
# Not even root can make a network namespace behind this: the kernel says EPERM.
CONFINED = ("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "+dac_read_search",
          "--ambient-caps", "+dac_read_search")
HEAD = ["DEVICE", "ADDRESS", "NAME", "DNS ANSWERS", "CHANGE TO ANSWER", "CHANGE TO REPORT", "REPORT TO ANSWER"]
WORLDS = {"netns": "203.0.113.", "loopback": "127.203.113."}


def run(*arguments, prefix=()):
    """What subprocess.run returns, with the pid, which names the run's namespaces."""
    with subprocess.Popen([*prefix, QUICKSTART, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        out, err = one.communicate(timeout=2000)
    done = subprocess.CompletedProcess(one.args, one.returncode, out, err)
    done.pid = one.pid
    return done


def makes_namespaces(prefix=()):
    return subprocess.run([*prefix, "unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


def namespaces(pid):
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return re.findall(rf"^muster-{pid}-\S+", listed, re.M)


class Case(unittest.TestCase):
    def table(self, text):
        """The rows below the last head, as lists of cells."""
        lines = [re.split(r"\s{2,}", line.rstrip()) for line in text.splitlines()]
        self.assertIn(HEAD, lines, text)
        return [line for line in lines[len(lines) - 1 - lines[::-1].index(HEAD) + 1:] if line[0].startswith("cam-")]

    def check(self, mode, *arguments, prefix=()):
        done = run("--check", *arguments, prefix=prefix)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue(done.stdout.startswith(f"mode={mode}: "), done.stdout)
        rows = self.table(done.stdout)
        self.assertEqual([row[0] for row in rows], ["cam-1", "cam-2", "cam-3"])
        for number, (device, address, name, answers, *times) in enumerate(rows, 1):
            self.assertEqual((name, address, answers), (f"{device}.cams.example.net", f"{WORLDS[mode]}{number}2", address))
            for time in times:
                self.assertRegex(time, r"^\d+\.\d ms$")
            whole, *parts = (float(time.removesuffix(" ms")) for time in times)
            self.assertAlmostEqual(whole, sum(parts), delta=0.2)
            self.assertGreater(whole, 0)
        return done

    def refused(self, status, remedy, *arguments, prefix=()):
        """It says what to do instead, and starts nothing."""
        done = run(*arguments, prefix=prefix)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertRegex(done.stderr, remedy)


class Netns(Case):
    def setUp(self):
        if not makes_namespaces():
            sys.exit(77)

    def test_every_name_follows_its_router(self):
        self.assertEqual(namespaces(self.check("netns").pid), [])

    def test_loopback_is_an_error(self):
        self.refused(64, "has network namespaces.*leave out --mode", "--check", "--mode", "loopback")

    def test_who_is_not_root_is_told_so(self):
        for mode in ([], ["--mode=netns"], ["--mode=loopback"]):
            self.refused(77, "as root or with sudo", "--check", *mode, prefix=NOBODY)

    def test_the_live_table_follows_until_it_is_interrupted(self):
        with procs.Workspace() as work:
            process = procs.Process([QUICKSTART], work / "log").start()
            process.wait_log(r"^cam-1 .* 203\.0\.113\.12 .*(\d+\.\d ms *){3}$", deadline=2000)
            printed = process.log_text()
            self.assertEqual(len(namespaces(process.pid)), 7)
            process.signal(signal.SIGINT)
            self.assertEqual(process.popen.wait(procs.DEADLINE), 0)
        self.assertEqual(self.table(printed)[0][:2], ["cam-1", "203.0.113.12"])
        for line in ("mosquitto_sub -h 127.0.0.1", "kdig @203.0.113.1 ", "/metrics", "Ctrl-C"):
            self.assertIn(line, printed)
        self.assertEqual(namespaces(process.pid), [])


class Loopback(Case):
    def setUp(self):
        self.assertFalse(makes_namespaces(CONFINED), "this was to be refused")

    def test_is_what_runs_where_namespaces_are_refused(self):
        done = self.check("loopback", prefix=CONFINED)
        self.assertRegex(done.stderr, "no network namespaces here: .+")

    def test_may_be_asked_for_there(self):
        self.check("loopback", "--mode=loopback", prefix=CONFINED)

    def test_namespaces_are_an_error_there(self):
        self.refused(77, "no network namespaces here .*leave out --mode", "--check", "--mode", "netns", prefix=CONFINED)


class Words(Case):
    def test_what_it_does_not_know(self):
        for arguments in (["--mode", "other"], ["--mode=other"], ["--mode"], ["--check", "--mode"],
                          ["--mode", ""], ["--mode="], ["--mode", "--check"], ["--fast"]):
            self.refused(64, "Usage", *arguments)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit(77)
    unittest.main()
