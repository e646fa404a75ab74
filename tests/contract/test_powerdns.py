# SPDX-License-Identifier: Apache-2.0
"""The contract of the providers, held by powerdns against the real PowerDNS over its HTTP API."""
import contextlib
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import build_dir, dns, procs  # noqa: E402
from muster_testlib.pdns import PowerDns  # noqa: E402

from probe import Probe  # noqa: E402
from provider_cases import BAD, ZONE, ProviderCases  # noqa: E402
from proxy import Proxy  # noqa: E402


class PowerDnsApi(ProviderCases, unittest.TestCase):
    refusal, many = ("refused", "Conflicts with pre-existing RRset"), 500

    def setUp(self):
        self.work = procs.Workspace()
        self.server = PowerDns(self.work)
        self.key = self.work.write("key", self.server.api_key + "\n", 0o600)

    def tearDown(self):
        self.server.stop()
        self.work.close()

    def config(self, **config):
        return {"provider": "powerdns", "url": self.server.url, "password_file": self.key, "retry_min": "50ms",
                "retry_max": "500ms", "timeout": "60s", **config}

    def probe(self, mode="dedicated", name="probe", **config):
        return Probe(self.work, self.config(**config), ZONE, mode, name=name)

    def up(self):
        self.server.start()

    def down(self):
        self.server.kill()

    def refuse_bad(self):
        self.server.put(BAD, "CNAME", f"elsewhere.{ZONE}")

    def open(self, faults=False):
        if not faults:
            return self.probe()
        self.proxy = Proxy(self.server.address, self.server.api_port)
        self.addCleanup(self.proxy.close)
        return self.probe(url=f"http://{self.proxy.address}:{self.proxy.port}/")

    def holding(self):
        return self.proxy.holding()

    @contextlib.contextmanager
    def losing_answer(self, name, value):
        self.proxy.swallow = True
        yield
        self.proxy.wait(lambda: self.proxy.swallowed > 0)
        dns.wait_answer(self.server, name, "A", value)
        self.proxy.cut_clients()
        self.proxy.swallow = False

    def holds(self, name, *values, rtype="A"):
        """Addresses only: where BAD stands its CNAME is answered."""
        found = [value for value in dns.kdig(self.server, name, rtype) if not value.endswith(".")]
        self.assertEqual(found, list(values))

    def test_writes_replaces_deletes_and_lists(self):
        with self.server, self.probe() as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            probe.submit(f"a.{ZONE}", "2001:db8::1,2001:db8::2", 2, rtype="AAAA")
            probe.submit(ZONE, "192.0.2.2", 3)
            probe.submit(f"*.wild.{ZONE}", "192.0.2.3", 4)
            for rev in (1, 2, 3, 4):
                self.assertEqual(probe.settled(rev)["outcome"], "applied")
            probe.submit(f"a.{ZONE}", "192.0.2.1", 5, ttl=120)
            probe.submit(ZONE, "-", 6)
            probe.submit(f"never.{ZONE}", "-", 7)
            for rev in (5, 6, 7):
                self.assertEqual(probe.settled(rev)["outcome"], "applied")
            zone = {key: value for key, value in dns.axfr(self.server, ttl=True).items() if key[1] in ("A", "AAAA")}
            self.assertEqual(zone, {(f"a.{ZONE}", "A"): (120, ["192.0.2.1"]),
                                    (f"a.{ZONE}", "AAAA"): (60, ["2001:db8::1", "2001:db8::2"]),
                                    (f"*.wild.{ZONE}", "A"): (60, ["192.0.2.3"])})
            self.server.put(f"off.{ZONE}", "A", "192.0.2.9", disabled=True)  # is not served
            probe.send("list")
            event = probe.event("listed")
            self.assertEqual((event["err"], event["detail"]), ("OK", ""))
            found = {(e["name"], e["type"]): (e["ttl"], sorted(e["value"])) for e in probe.events if e["event"] == "record"}
            self.assertEqual(found, zone)

    def test_a_thousand_changes_are_one_call(self):
        with self.server, self.probe() as probe:
            probe.send("bulk", 2000, 0x0A000000, 1)
            event = probe.event("bulk")
            self.assertEqual(event["messages"], 2)
            self.assertEqual(len([key for key in dns.axfr(self.server) if key[1] == "A"]), 2000)

    def test_shared_zone_keeps_what_others_wrote(self):
        self.server.put(f"theirs.{ZONE}", "A", "203.0.113.1")
        with self.server, self.probe("shared") as probe:
            for rev, name in enumerate(("theirs", "ours"), 1):
                probe.submit(f"{name}.{ZONE}", "192.0.2.1", rev, have="-")
            event = probe.settled(1)
            self.assertEqual((event["outcome"], event["error"]), ("refused", "foreign"))
            self.assertIn("muster record adopt", event["detail"])
            self.assertEqual(probe.settled(2)["outcome"], "applied")
            self.holds(f"theirs.{ZONE}", "203.0.113.1")
            probe.submit(f"theirs.{ZONE}", "192.0.2.2", 4, adopt=True)
            self.assertEqual(probe.settled(4)["outcome"], "applied")
            self.holds(f"theirs.{ZONE}", "192.0.2.2")
            with self.server.database() as database:
                database.execute("UPDATE records SET content = '203.0.113.3' WHERE name = ?", (f"ours.{ZONE}",))
            probe.submit(f"ours.{ZONE}", "-", 5, have="192.0.2.1")
            self.assertEqual(probe.settled(5)["error"], "foreign")
            self.holds(f"ours.{ZONE}", "203.0.113.3")

    def test_shared_zone_settles_a_lost_answer(self):
        """Whichever answer is lost, the look's or the change's, what comes of it is our value and nothing foreign."""
        self.up()
        self.proxy = Proxy(self.server.address, self.server.api_port)
        self.addCleanup(self.proxy.close)
        with self.probe("shared", url=f"http://{self.proxy.address}:{self.proxy.port}") as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1, have="-")
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.proxy.lose_answers_to(b"PATCH")
            probe.submit(f"a.{ZONE}", "192.0.2.2", 2, have="192.0.2.1")
            self.assertEqual(probe.settled(2, ("unknown",))["error"], "connection-lost")
            self.proxy.lose_answers_to(None)
            self.assertEqual(probe.settled(2)["outcome"], "applied")
            self.holds(f"a.{ZONE}", "192.0.2.2")

    def test_what_a_person_must_mend_is_said(self):
        wrong = self.work.write("wrong", "not the key\n", 0o600)
        cases = (({"password_file": wrong}, ZONE, "badauth", "api-key"),
                 ({}, "example.org", "notfound", "the server has no such zone"),
                 ({"options": {"server_id": "other"}}, ZONE, "notfound", "server_id"))
        with self.server:
            for number, (config, zone, error, word) in enumerate(cases):
                with Probe(self.work, self.config(**config), zone, name=f"probe{number}") as probe:
                    probe.submit(f"a.{zone}", "192.0.2.1", 1)
                    event = probe.settled(1, ("retry",))
                    self.assertEqual(event["error"], error)
                    self.assertIn(word, event["detail"])
                    self.assertNotIn("not the key", str(event))

    def refused_config(self, **config):
        """What the probe says at its start."""
        path = self.work.write("refused.yaml", "".join(f"{key}: {value}\n" for key, value in
                                                       {"name": "x", **self.config(**config)}.items()))
        done = subprocess.run([build_dir() / "tests" / "contract" / "muster-probe", path, ZONE, "dedicated"],
                              input="", capture_output=True, text=True, timeout=procs.DEADLINE, check=False)
        return done.stderr if done.returncode == 1 else ""

    def test_the_key_crosses_no_network_in_the_clear(self):
        self.assertIn("can be read on the way", self.refused_config(url="http://192.0.2.1:8081"))
        self.assertIn("can be read on the way", self.refused_config(url="http://127.0.0.1.example.org:8081"))
        self.assertIn("can be read on the way", self.refused_config(connect_to="192.0.2.1:8081"))
        self.assertEqual(self.refused_config(url="http://192.0.2.1:8081", options="{allow_http: true}"), "")
        self.assertEqual(self.refused_config(url="https://192.0.2.1:8081"), "")
        self.assertEqual(self.refused_config(url="http://[::1]:8081"), "")


if __name__ == "__main__":
    unittest.main()
