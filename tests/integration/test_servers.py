# SPDX-License-Identifier: Apache-2.0
"""The harness itself: the DNS servers that every other test leans on start, take updates, and survive kill -9."""
import os
import subprocess
import unittest

from muster_testlib import dns, ports, procs


class Servers(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)

    def _exercise(self, server):
        with server:
            self.assertEqual(dns.update(server, "add cam1.example.net. 60 A 192.0.2.1", "add cam1.example.net. 60 AAAA 2001:db8::1"), "")
            dns.wait_answer(server, "cam1.example.net", "A", "192.0.2.1")
            zone = dns.axfr(server, ttl=True)
            self.assertEqual(zone[("cam1.example.net", "AAAA")], (60, ["2001:db8::1"]))
            self.assertEqual(len([key for key in zone if key[1] == "SOA"]), 1)
            server.kill()
            server.start()
            self.assertEqual(dns.kdig(server, "cam1.example.net"), ["192.0.2.1"])
            self.assertEqual(dns.kdig(server, "nobody.example.net"), [])

    def test_knot(self):
        self._exercise(dns.Knot(self.work))

    def test_bind(self):
        self._exercise(dns.Bind(self.work))

    def test_a_wrong_key_may_neither_update_nor_transfer(self):
        for kind in (dns.Knot, dns.Bind):
            with self.subTest(kind.kind), kind(self.work) as server:
                server.secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
                self.assertNotEqual(dns.update(server, "add x.example.net. 60 A 192.0.2.9"), "")
                with self.assertRaises(RuntimeError):
                    dns.axfr(server)


class Processes(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)

    def test_a_condition_that_stays_false_is_an_error(self):
        with self.assertRaises(procs.Timeout):
            procs.wait_until(lambda: False, "never", deadline=0.05)

    def test_the_end_of_a_program_ends_the_wait_with_its_log(self):
        with procs.Process(["sh", "-c", "echo why; exit 3"], self.work / "log") as process:
            with self.assertRaisesRegex(AssertionError, r"(?s)ended \(3\).*why"):
                process.wait_log("never")

    def test_log_of_an_earlier_run_does_not_count(self):
        process = procs.Process(["sh", "-c", "echo run $$; exec sleep 60"], self.work / "log")
        with process.start():
            first = process.wait_log(r"run (\d+)")[1]
            process.kill()
            process.start()
            self.assertNotEqual(process.wait_log(r"run (\d+)")[1], first)

    def test_programs_die_with_a_test_that_is_killed(self):
        script = ("import sys, time; from muster_testlib import procs; "
                  "p = procs.Process(['sleep', '300'], sys.argv[1]).start(); print(p.pid, flush=True); time.sleep(300)")
        with subprocess.Popen(["/usr/bin/python3", "-c", script, self.work / "inner"], stdout=subprocess.PIPE, text=True) as test:
            pid = int(test.stdout.readline())
            test.kill()
        procs.wait_until(lambda: not os.path.exists(f"/proc/{pid}") or _is_zombie(pid), "the orphan is gone")

    def test_ports_differ_and_are_of_this_process(self):
        found = [ports.free_port() for _ in range(20)]
        self.assertEqual(len(set(found)), 20)
        self.assertEqual(len({ports.loopback(index) for index in range(4)}), 4)


def _is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "Z"


class Reports(unittest.TestCase):
    def test_a_report_of_a_sanitizer_fails_the_test_whatever_the_status(self):
        work = procs.Workspace()
        self.addCleanup(work.close)
        for line in ("==7==ERROR: LeakSanitizer: detected memory leaks", "WARNING: ThreadSanitizer: data race (pid=7)",
                     "a.c:1:2: runtime error: signed integer overflow"):
            with self.subTest(line):
                process = procs.Process(["sh", "-c", f"echo '{line}'"], work / "log").start()
                procs.wait_until(lambda process=process: not process.running(), "it has ended")
                with self.assertRaisesRegex(AssertionError, "Sanitizer|runtime error"):
                    process.stop()
        quiet = procs.Process(["echo", "error: Sanitizer"], work / "quiet").start()
        procs.wait_until(lambda: not quiet.running(), "it has ended")
        self.assertEqual(quiet.stop(), 0)


if __name__ == "__main__":
    unittest.main()
