# SPDX-License-Identifier: Apache-2.0
"""The contract of the providers, held by dyndns2 against a strict service over HTTPS that feeds a real Knot zone."""
import contextlib
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import certs, dns, procs  # noqa: E402

from dyndns2_server import Held, Service  # noqa: E402
from probe import Probe  # noqa: E402
from provider_cases import BAD, ZONE, ProviderCases  # noqa: E402
from proxy import Proxy  # noqa: E402


class Dyndns2(ProviderCases, unittest.TestCase):
    refusal, many = ("nohost", "create it at the service"), 50

    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.pki = certs.Pki(cls.work.folder("pki"))
        cls.password = cls.work.write("password", "pass word\n", 0o600)

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def setUp(self):
        self.folder = procs.Workspace()
        self.server = dns.Knot(self.folder)
        self.server.start()
        self.service = Service(self.pki, self.server)

    def tearDown(self):
        self.service.close()
        self.server.stop()
        self.folder.close()
        self.assertEqual(self.service.faults, [])

    def probe(self, **config):
        config = {"provider": "dyndns2", "url": self.service.url, "username": "fleet", "password_file": self.password,
                  "ca_file": self.pki.servers.cert, "verify_server": f"{self.server.address}:{self.server.port}",
                  "retry_min": "20ms", "retry_max": "200ms", "timeout": "20s", **config}
        return Probe(self.folder, config, ZONE)

    def up(self):
        if self.service.httpd is None:
            self.service.start()

    def down(self):
        self.service.stop()

    def refuse_bad(self):
        self.service.unknown = {BAD}

    def open(self, faults=False):
        return self.probe(timeout="30s") if faults else self.probe()

    @contextlib.contextmanager
    def holding(self):
        held = Held()
        self.service.script[:] = [held]
        yield
        self.assertTrue(held.arrived.wait(procs.DEADLINE))
        held.released.set()

    @contextlib.contextmanager
    def losing_answer(self, name, value):
        self.service.script[:] = ["apply-cut"]
        yield
        dns.wait_answer(self.server, name, "A", value)

    def address(self, number):
        return f"192.0.2.{number % 2 + 1}"  # hosts of one address share a request

    def test_hosts_of_one_address_share_a_request(self):
        first = Held()
        with self.probe(timeout="30s") as probe:
            self.service.script[:] = [first]
            probe.submit(f"first.{ZONE}", "192.0.2.200", 1)
            self.assertTrue(first.arrived.wait(30))
            before = len(self.service.requests)
            for i in range(50):
                probe.submit(f"h{i}.{ZONE}", "192.0.2.7" if i % 2 else "192.0.2.8", 100 + i)
            self.assertEqual(probe.status()["waiting"], 50)
            first.released.set()
            for i in range(50):
                self.assertEqual(probe.settled(100 + i)["outcome"], "applied")
            self.assertLessEqual(len(self.service.requests) - before, 6)
            for i in range(50):
                self.assertEqual(dns.kdig(self.server, f"h{i}.{ZONE}"), ["192.0.2.7" if i % 2 else "192.0.2.8"])
            probe.submit(f"h1.{ZONE}", "2001:db8::1", 200, rtype="AAAA")
            self.assertEqual(probe.settled(200)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, f"h1.{ZONE}", "AAAA"), ["2001:db8::1"])

    def test_both_families_travel_in_the_dialect_of_the_service(self):
        pair, v4, v6 = "192.0.2.7,2001:db8::7", "192.0.2.8", "2001:db8::8"
        dialects = [({"ipv6": "list"}, [pair, v4, v6]), ({"ipv6": "myipv6", "unchanged": "no"}, [pair, v4, v6]),
                    ({"ipv6": "myipv6"}, [pair, v4, v6]), ({}, [*pair.split(","), v4, v6])]
        for config, expected in dialects:
            held, name = Held(), f"n{len(self.service.requests)}.{ZONE}"
            self.service.ipv6, self.service.unchanged = config.get("ipv6", "myip"), config.get("unchanged")
            self.service.script[:] = [held]
            with self.subTest(config), self.probe(timeout="30s", **config) as probe:
                probe.submit(f"zero.{ZONE}", "192.0.2.1", 1)
                self.assertTrue(held.arrived.wait(30))
                sent = len(self.service.requests)
                probe.submit(name, "192.0.2.7", 2)
                probe.submit(name, "2001:db8::7", 3, rtype="AAAA")
                self.assertEqual(probe.status()["waiting"], 2)  # both are there before the next request leaves
                held.released.set()
                for rev in (2, 3):
                    self.assertEqual(probe.settled(rev)["outcome"], "applied")
                self.assertEqual((dns.kdig(self.server, name), dns.kdig(self.server, name, "AAAA")),
                                 (["192.0.2.7"], ["2001:db8::7"]))
                for rev, address, rtype in ((4, v4, "A"), (5, v6, "AAAA")):
                    probe.submit(name, address, rev, rtype=rtype)
                    self.assertEqual(probe.settled(rev)["outcome"], "applied")
                    self.assertEqual(dns.kdig(self.server, name, rtype), [address])
                self.assertEqual(self.service.requests[sent:], [([name], address) for address in expected])

    def test_repeated_nochg_stops_the_host(self):
        with self.probe() as probe:
            self.service.script[:] = ["nochg 192.0.2.1\n", "nochg 192.0.2.2\n"]
            for rev in (1, 2):
                probe.submit(f"a.{ZONE}", f"192.0.2.{rev}", rev)
                event = probe.settled(rev)
                self.assertEqual((event["outcome"], event["alarm"]), ("applied", "" if rev == 1 else "nochg"))
            self.assertIn("who else", event["detail"])
            probe.submit(f"a.{ZONE}", "192.0.2.3", 3)
            probe.submit(f"b.{ZONE}", "192.0.2.3", 4)
            self.assertEqual(probe.settled(3)["error"], "nochg")
            self.assertEqual(probe.settled(4)["outcome"], "applied")
            self.assertEqual(len(self.service.requests), 3)

    def test_codes_of_a_host_stop_that_host_alone(self):
        for code in ("nohost", "notfqdn", "nofqdn", "abuse", "!donator", "!yours", "!active", "numhost"):
            with self.subTest(code), self.probe() as probe:
                self.service.script[:] = [f"{code}\n"]
                sent = len(self.service.requests)
                probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
                self.assertEqual(probe.settled(1)["error"], code)
                probe.submit(f"a.{ZONE}", "192.0.2.2", 2)
                self.assertEqual(probe.settled(2)["error"], code)
                self.assertEqual(len(self.service.requests), sent + 1)
                probe.submit(f"b.{ZONE}", "192.0.2.1", 3)
                self.assertEqual(probe.settled(3)["outcome"], "applied")

    def test_codes_of_the_account_stop_the_account(self):
        for reply in ("badauth", "badagent", "badsys", "badrequest", "good 127.0.0.1", (400, "no"), (401, "no"), (403, "no")):
            with self.subTest(reply), self.probe() as probe:
                self.service.script[:] = [reply]
                sent = len(self.service.requests)
                probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
                self.assertNotEqual(probe.settled(1, ("retry",))["alarm"], "")
                probe.wait_state("broken")
                probe.submit(f"b.{ZONE}", "192.0.2.2", 2)
                self.assertNotEqual(probe.settled(2, ("retry",))["alarm"], "")  # decided: for ever, see test_engine.c
                self.assertEqual(len(self.service.requests), sent + 1)
                self.assertEqual(probe.status()["waiting"], 2)

    def test_numhost_splits(self):
        first = Held()
        with self.probe() as probe:
            self.service.script[:] = [first, "numhost\n"]
            probe.submit(f"zero.{ZONE}", "192.0.2.9", 1)
            self.assertTrue(first.arrived.wait(30))
            for i in range(8):
                probe.submit(f"h{i}.{ZONE}", "192.0.2.1", 10 + i)
            self.assertEqual(probe.status()["waiting"], 8)  # alone, a host would be stopped
            first.released.set()
            for i in range(8):
                self.assertEqual(probe.settled(10 + i)["outcome"], "applied")
            self.assertEqual([len(hosts) for hosts, _ in self.service.requests], [1, 8, 4, 4])

    def test_unknown_that_was_applied_is_not_sent_again(self):
        for reply in ("apply-html", "apply-cut"):
            with self.subTest(reply), self.probe() as probe:
                name = f"{reply}.{ZONE}"
                self.service.script[:] = [reply]
                sent = len(self.service.requests)
                probe.submit(name, "192.0.2.1", 1)
                probe.settled(1, ("unknown",))
                self.assertEqual(probe.settled(1)["outcome"], "applied")
                self.assertEqual(len(self.service.requests), sent + 1)
                self.assertEqual(dns.kdig(self.server, name), ["192.0.2.1"])

    def test_unknown_that_was_not_applied_is_sent_again(self):
        for reply in ("cut", "", "<html>error</html>", "good 192.0.2.99", "good\ngood\ngood\n"):
            with self.subTest(reply), self.probe() as probe:
                name = f"n{abs(hash(reply))}.{ZONE}"
                self.service.script[:] = [reply]
                sent = len(self.service.requests)
                probe.submit(name, "192.0.2.1", 1)
                probe.settled(1, ("unknown",))
                self.assertEqual(probe.settled(1)["outcome"], "applied")
                self.assertEqual(len(self.service.requests), sent + 2)
                self.assertEqual(dns.kdig(self.server, name), ["192.0.2.1"])

    def test_nothing_is_resent_while_nobody_can_tell(self):
        with Proxy(self.server.address, self.server.port) as proxy, \
                self.probe(verify_server=f"{proxy.address}:{proxy.port}", timeout="1s") as probe:
            proxy.swallow = True
            self.service.script[:] = ["cut"]
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            probe.settled(1, ("unknown",))
            proxy.wait(lambda: len(proxy.pairs) >= 4)  # three questions went unanswered
            self.assertEqual(len(self.service.requests), 1)
            proxy.swallow = False
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.assertEqual(len(self.service.requests), 2)

    def test_retry_after_is_kept(self):
        with self.probe() as probe:
            self.service.script[:] = [(429, "slow down", [("Retry-After", "2")])]
            start = time.monotonic()
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertEqual(probe.settled(1, ("retry",))["error"], "rate-limited")
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.assertGreaterEqual(time.monotonic() - start, 1.9)
            self.assertEqual(len(self.service.requests), 2)

    def test_911_and_dnserr_wait_for_minutes(self):
        for reply in ("911", "dnserr"):
            with self.subTest(reply), self.probe() as probe:
                self.service.script[:] = [reply]
                sent = len(self.service.requests)
                probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
                event = probe.settled(1, ("retry",))
                self.assertEqual(event["error"], reply)
                self.assertGreater(event["wait_ms"], 29 * 60000)  # what becomes of that: test_engine.c
                self.assertEqual(len(self.service.requests), sent + 1)

    def test_outages_back_off_and_recover(self):
        with self.probe() as probe:
            self.service.script[:] = [(500, ""), (503, "later"), (502, "")]
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.assertEqual(len(self.service.requests), 4)

    def test_stalled_reply_is_unknown(self):
        with self.probe(timeout="1s") as probe:
            self.service.script[:] = ["stall"]
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertEqual(probe.settled(1, ("unknown",))["error"], "timeout")
            self.assertEqual(probe.settled(1)["outcome"], "applied")

    def test_untrusted_certificate_sends_nothing(self):
        with self.probe(ca_file=self.pki.devices.cert) as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertEqual(probe.settled(1, ("retry", "unknown"))["error"], "tls")
            self.assertEqual(self.service.requests, [])

    def test_deletes_and_several_addresses_are_refused_before_sending(self):
        with self.probe() as probe:
            probe.submit(f"a.{ZONE}", "-", 1)
            probe.submit(f"b.{ZONE}", "192.0.2.1,192.0.2.2", 2)
            self.assertEqual(probe.settled(1)["error"], "no-delete")
            self.assertEqual(probe.settled(2)["error"], "one-address")
            self.assertEqual(self.service.requests, [])
            probe.send("list")
            self.assertEqual(probe.event("error")["err"], "UNSUPPORTED")


if __name__ == "__main__":
    unittest.main()
