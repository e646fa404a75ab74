# SPDX-License-Identifier: Apache-2.0
"""The contract of the providers, held by rfc2136 against the real Knot, the real BIND and the real PowerDNS."""
import contextlib
import ctypes.util
import glob
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import dns, pdns, ports, procs  # noqa: E402

from probe import Probe  # noqa: E402
from provider_cases import BAD, GOOD, ZONE, ProviderCases  # noqa: E402
from proxy import Proxy  # noqa: E402

OWNER = f"_muster-owner.{ZONE}"
FAST = {"retry_min": "50ms", "retry_max": "500ms", "timeout": "60s"}


class Cases(ProviderCases):
    """Each case on its own server, zone and probe."""

    kind, refusal, many = None, ("refused", "policy"), 500

    def setUp(self):
        self.work = procs.Workspace()
        self.server = self.kind(self.work)

    def tearDown(self):
        self.server.stop()
        self.work.close()

    def key(self, name="key", secret=None, key_name=None):
        text = (f'key "{key_name or self.server.key_name}" {{\n  algorithm {self.server.algorithm}; # as tsig-keygen\n'
                f'  secret "{secret or self.server.secret}";\n}};\n')
        return self.work.write(name, text, 0o600)

    def probe(self, mode="dedicated", via=None, name="probe", epoch=0, env=None, key=None, **config):
        where = via or self.server
        config = {"provider": "rfc2136", "server": f"{where.address}:{where.port}", "key_file": key or self.key(),
                  **FAST, **config}
        return Probe(self.work, {k: v for k, v in config.items() if v}, ZONE, mode, epoch, name, env)

    def up(self):
        self.server.start()

    def down(self):
        self.server.kill()

    def open(self, faults=False):
        if not faults:
            return self.probe()
        self.proxy = Proxy(self.server.address, self.server.port)
        self.addCleanup(self.proxy.close)
        probe = self.probe(via=self.proxy)
        probe.event("claim")
        probe.wait_state("running")
        return probe

    def holding(self):
        return self.proxy.holding()

    @contextlib.contextmanager
    def losing_answer(self, name, value):
        self.proxy.swallow = True
        yield
        self.proxy.wait(lambda: self.proxy.swallowed > 0)
        dns.wait_answer(self.server, name, "A", value)
        self.proxy.cut_clients()
        self.proxy.swallow = False  # for the next connection: no answer of the old one arrives in between

    def owner(self):
        return dns.kdig(self.server, OWNER, "TXT")

    def test_writes_replaces_deletes_and_lists(self):
        with self.server, self.probe() as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            probe.submit(f"a.{ZONE}", "2001:db8::1,2001:db8::2", 2, rtype="AAAA")
            probe.submit(f"b.{ZONE}", "192.0.2.2", 3)
            for rev in (1, 2, 3):
                self.assertEqual(probe.settled(rev)["outcome"], "applied")
            probe.submit(f"a.{ZONE}", "192.0.2.9", 4, ttl=120)
            probe.submit(f"b.{ZONE}", "-", 5)
            self.assertEqual(probe.settled(4)["value"], ["192.0.2.9"])
            self.assertEqual(probe.settled(5)["outcome"], "applied")
            zone = dns.axfr(self.server, ttl=True)
            self.assertEqual(zone[(f"a.{ZONE}", "A")], (120, ["192.0.2.9"]))
            self.assertEqual(zone[(f"a.{ZONE}", "AAAA")], (60, ["2001:db8::1", "2001:db8::2"]))
            self.assertNotIn((f"b.{ZONE}", "A"), zone)
            probe.submit(f"a.{ZONE}", "192.0.2.9", 6, ttl=300)
            probe.settled(6)
            self.assertEqual(dns.axfr(self.server, ttl=True)[(f"a.{ZONE}", "A")], (300, ["192.0.2.9"]))
            probe.send("list")
            self.assertEqual(probe.event("listed")["err"], "OK")
            found = {(e["name"], e["type"]): (e["ttl"], sorted(e["value"])) for e in probe.events if e["event"] == "record"}
            expected = {key: value for key, value in dns.axfr(self.server, ttl=True).items() if key[1] in ("A", "AAAA")}
            self.assertEqual(found, expected)

    def test_every_tsig_algorithm_and_the_plain_key_file(self):
        for algorithm in ("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"):
            with self.subTest(algorithm), self.kind(self.work, name=algorithm, algorithm=algorithm) as server:
                key = self.work.write(f"{algorithm}.key", f"{algorithm}:{server.key_name}:{server.secret}\n", 0o600)
                with self.probe(via=server, key=key, name=f"p-{algorithm}") as probe:
                    probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
                    self.assertEqual(probe.settled(1)["outcome"], "applied")
                    self.assertEqual(dns.kdig(server, f"a.{ZONE}"), ["192.0.2.1"])

    def open_control(self):
        """Before the start: lets control() reach the server."""

    def run_tool(self, *words):
        subprocess.run(words, check=True, capture_output=True, timeout=procs.DEADLINE)

    def control(self, verb):
        """`freeze` or `thaw`: the zone, by the server's own tool."""
        raise NotImplementedError

    def test_frozen_zone_delays_and_refuses_nothing(self):
        self.open_control()
        with self.server, self.probe() as probe:
            probe.submit(f"before.{ZONE}", "192.0.2.1", 1)
            probe.settled(1)
            self.control("freeze")
            for i in range(10):
                probe.submit(f"n{i}.{ZONE}", f"192.0.2.{i + 1}", i + 10)
            event = probe.settled(10, ("retry",))
            self.assertEqual(event["error"], "frozen")
            self.assertIn("thaw", event["detail"])
            failures = probe.status()["failures"]
            while probe.status()["failures"] < failures + 3:  # it goes on asking, and the changes wait
                time.sleep(0.02)  # between two looks
            self.assertEqual(probe.status()["changes"], 1)
            self.control("thaw")
            for i in range(10):
                self.assertEqual(probe.settled(i + 10)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, f"n9.{ZONE}"), ["192.0.2.10"])
            self.assertEqual(self.owner(), ['"epoch=1"'])

    def lose_after_applied(self, mode):
        with self.server, Proxy(self.server.address, self.server.port) as proxy, self.probe(mode, via=proxy) as probe:
            probe.event("claim")
            probe.wait_state("running")
            proxy.swallow = True
            for i in range(20):
                probe.submit(f"n{i}.{ZONE}", f"192.0.2.{i + 1}", i + 1, have="-" if mode == "shared" else "?")
            proxy.wait(lambda: proxy.swallowed > 0)
            dns.wait_answer(self.server, f"n0.{ZONE}", "A", "192.0.2.1")
            probe.submit(f"n0.{ZONE}", "192.0.2.100", 100, have="-" if mode == "shared" else "?")
            proxy.cut_clients()
            proxy.swallow = False  # for the next connection: no answer of the old one arrives in between
            self.assertEqual(probe.settled(1, ("unknown",))["error"], "connection-lost")
            self.assertEqual(probe.settled(100)["outcome"], "applied")
            for i in range(1, 20):
                self.assertEqual(probe.settled(i + 1)["outcome"], "applied")
            zone = dns.axfr(self.server)
            self.assertEqual(zone[(f"n0.{ZONE}", "A")], ["192.0.2.100"])
            for i in range(1, 20):
                self.assertEqual(zone[(f"n{i}.{ZONE}", "A")], [f"192.0.2.{i + 1}"])
            self.assertEqual(self.owner(), ['"epoch=2"'])

    def test_connection_lost_after_the_server_applied(self):
        self.lose_after_applied("dedicated")

    def test_connection_lost_after_the_server_applied_in_a_shared_zone(self):
        self.lose_after_applied("shared")

    def test_late_message_of_the_old_connection_overwrites_nothing(self):
        with self.server, Proxy(self.server.address, self.server.port) as proxy, self.probe(via=proxy) as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            probe.settled(1)
            proxy.hold = True
            probe.submit(f"a.{ZONE}", "192.0.2.2", 2)
            proxy.wait(proxy.holds_update)
            proxy.cut_clients()
            proxy.hold = False
            probe.submit(f"a.{ZONE}", "192.0.2.3", 3)
            self.assertEqual(probe.settled(3)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, f"a.{ZONE}"), ["192.0.2.3"])
            proxy.release()
            self.assertEqual(dns.kdig(self.server, f"a.{ZONE}"), ["192.0.2.3"])

    def explained(self, words, **options):
        with self.server, self.probe(**options) as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            event = probe.settled(1, ("retry",))
            self.assertIn(event["error"], words)
            self.assertIn(probe.status()["state"], ("backing-off", "broken", "claiming"))
            self.assertNotEqual(probe.status()["last_error"], "")
            self.assertEqual(dns.kdig(self.server, f"a.{ZONE}"), [])
            return event

    def test_wrong_secret_is_explained(self):
        event = self.explained(("badsig",), key=self.key(secret="d3Jvbmcgc2VjcmV0IHdyb25nIHNlY3JldA=="))
        self.assertIn("key_file", event["detail"])

    def test_unknown_key_is_explained(self):
        event = self.explained(("badkey",), key=self.key(key_name="nobody-knows"))
        self.assertIn("key_file", event["detail"])

    def test_unsigned_update_is_explained(self):
        config = {"provider": "rfc2136", "server": f"{self.server.address}:{self.server.port}", **FAST}
        with self.server, Probe(self.work, config, ZONE, "dedicated") as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            event = probe.settled(1, ("retry",))
            self.assertIn(event["error"], ("refused", "notauth"))
            self.assertIn("not signed: set `key_file`", event["detail"])

    def skewed(self):
        """Environment of a probe whose clock is an hour behind."""
        library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), ctypes.util.find_library("faketime"))
        self.assertIsNotNone(library, "package libfaketime is missing")
        return {"LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0", "FAKETIME": "-3600", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def test_clock_skew_is_explained(self):
        event = self.explained(("badtime",), env=self.skewed())
        self.assertIn("clocks", event["detail"])
        self.assertIn("behind", event["detail"])

    def test_wrong_zone_is_explained(self):
        with self.server:
            config = {"provider": "rfc2136", "server": f"{self.server.address}:{self.server.port}",
                      "key_file": self.key(), **FAST}
            with Probe(self.work, config, "elsewhere.example", "dedicated") as probe:
                probe.submit("a.elsewhere.example", "192.0.2.1", 1)
                event = probe.settled(1, ("retry",))
                self.assertIn(event["error"], ("refused", "notauth"))
                self.assertIn("does not serve the zone", event["detail"])
                self.assertIn("check the zone's name, `server`", event["detail"])

    def test_shared_zone_leaves_foreign_records_until_adopted(self):
        with self.server, self.probe("shared") as probe:
            self.assertEqual(dns.update(self.server, f"add foreign.{ZONE}. 60 A 198.51.100.7"), "")
            probe.submit(f"foreign.{ZONE}", "192.0.2.1", 1, have="-")
            probe.submit(f"mine.{ZONE}", "192.0.2.2", 2, have="-")
            self.assertEqual(probe.settled(1)["error"], "foreign")
            self.assertEqual(probe.settled(2)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, f"foreign.{ZONE}"), ["198.51.100.7"])
            probe.submit(f"mine.{ZONE}", "192.0.2.3", 3, have="192.0.2.2")
            self.assertEqual(probe.settled(3)["outcome"], "applied")
            self.assertEqual(dns.update(self.server, f"del mine.{ZONE}. A", f"add mine.{ZONE}. 60 A 198.51.100.8"), "")
            probe.submit(f"mine.{ZONE}", "192.0.2.4", 4, have="192.0.2.3")
            self.assertEqual(probe.settled(4)["error"], "foreign")
            self.assertEqual(dns.kdig(self.server, f"mine.{ZONE}"), ["198.51.100.8"])
            probe.submit(f"foreign.{ZONE}", "192.0.2.1", 5, adopt=True)
            self.assertEqual(probe.settled(5)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, f"foreign.{ZONE}"), ["192.0.2.1"])
            self.assertEqual(self.owner(), ['"epoch=1"'])

    def cname_refuses_its_own_name(self, mode):
        """RFC 2136 3.4.2.2: a server leaves an address beside a CNAME out, and answers NOERROR."""
        taken, have = f"taken.{ZONE}", "-" if mode == "shared" else "?"
        with self.server, self.probe(mode) as probe:
            self.assertEqual(dns.update(self.server, f"add {taken}. 60 CNAME elsewhere.{ZONE}.",
                                        f"add elsewhere.{ZONE}. 60 A 192.0.2.1"), "")
            for i in range(20):
                probe.submit(f"n{i}.{ZONE}", f"192.0.2.{i + 1}", i + 1, have=have)
            probe.submit(taken, "192.0.2.1", 100, have=have)
            probe.submit(taken, "2001:db8::1", 101, rtype="AAAA", have=have)
            probe.submit(taken, "192.0.2.1", 102, have=have, adopt=True)
            for rev in (101, 102):
                event = probe.settled(rev)
                self.assertEqual((event["outcome"], event["error"]), ("refused", "cname"))
                self.assertIn(f"a CNAME to elsewhere.{ZONE} stands there", event["detail"])
                self.assertIn("delete the CNAME", event["detail"])
            for i in range(20):
                self.assertEqual(probe.settled(i + 1)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, taken, "CNAME"), [f"elsewhere.{ZONE}."])
            self.assertEqual(dns.update(self.server, f"del {taken}. CNAME"), "")
            probe.submit(taken, "192.0.2.2", 103, have=have)
            self.assertEqual(probe.settled(103)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, taken), ["192.0.2.2"])
            self.assertEqual(self.owner(), ['"epoch=1"'])

    def test_a_cname_refuses_its_own_name_and_is_named(self):
        self.cname_refuses_its_own_name("dedicated")

    def test_a_cname_refuses_its_own_name_in_a_shared_zone(self):
        self.cname_refuses_its_own_name("shared")

    def test_second_writer_deposes_the_first_and_resume_takes_back(self):
        with self.server, self.probe() as first:
            first.submit(f"a.{ZONE}", "192.0.2.1", 1)
            first.settled(1)
            with self.probe(name="second") as second:
                second.submit(f"a.{ZONE}", "192.0.2.2", 2)
                second.settled(2)
                first.submit(f"a.{ZONE}", "192.0.2.3", 3)
                first.event("deposed")
                self.assertEqual(first.status()["state"], "deposed")
                self.assertEqual(dns.kdig(self.server, f"a.{ZONE}"), ["192.0.2.2"])
                first.send("resume")
                self.assertEqual(first.settled(3)["outcome"], "applied")
                self.assertEqual(dns.kdig(self.server, f"a.{ZONE}"), ["192.0.2.3"])
                self.assertEqual(self.owner(), ['"epoch=3"'])
                second.event("deposed")

    def test_key_file_open_to_all_is_refused(self):
        key = self.key()
        key.chmod(0o644)
        probe = self.probe(key=key)
        self.assertEqual(probe.child.wait(procs.DEADLINE), 1)
        probe.close()


class Knot(Cases, unittest.TestCase):
    kind = dns.Knot

    def control(self, verb):
        self.run_tool("knotc", "-s", self.server.folder / "knot.sock", "-b", f"zone-{verb}", ZONE)

    def refuse_bad(self):
        text = self.server.config_file.read_text()
        rule = "    action: [update, transfer]\n"
        policy = ("    update-owner: name\n    update-owner-match: sub-or-equal\n"
                  f"    update-owner-name: [{GOOD}., {OWNER}.]\n")
        self.assertIn(rule, text)
        other = f"  - id: reader\n    key: {self.server.key_name}\n    action: transfer\n"
        text = text.replace(rule, "    action: update\n" + policy + other, 1).replace("acl: muster", "acl: [muster, reader]")
        self.server.config_file.write_text(text)

    def test_ten_thousand_names_of_both_families_do_not_end_the_server(self):
        """knotd 3.2.6 ended with a segmentation fault when eight messages of 1,000 AAAA changes came together."""
        self.up()
        with self.open() as probe:
            for rev, rtype in ((1, "A"), (2, "AAAA"), (3, "A"), (4, "AAAA")):
                probe.send("bulk", 10000, 0x0a000000 + rev, rev, rtype)
                probe.event("bulk")
        self.assertEqual(len([key for key in dns.axfr(self.server) if key[0].startswith("n0")]), 20000)


class Bind(Cases, unittest.TestCase):
    kind = dns.Bind

    def open_control(self):
        self.control_port = ports.free_port(self.server.address)
        text = self.server.config_file.read_text()
        self.assertIn("controls { };", text)
        self.server.config_file.write_text(text.replace(
            "controls { };", f"controls {{ inet {self.server.address} port {self.control_port} allow {{ any; }}"
                             f" keys {{ {self.server.key_name}; }}; }};"))

    def control(self, verb):
        self.run_tool("rndc", "-s", self.server.address, "-p", str(self.control_port), "-k", self.key("rndc.key"), verb,
                      ZONE)

    def refuse_bad(self):
        text = self.server.config_file.read_text()
        rule = f'allow-update {{ key "{self.server.key_name}"; }};'
        self.assertIn(rule, text)
        policy = (f"update-policy {{ grant {self.server.key_name} subdomain {GOOD}. ANY;"
                  f" grant {self.server.key_name} name {OWNER}. ANY; }};")
        self.server.config_file.write_text(text.replace(rule, policy))


class PowerDns(Cases, unittest.TestCase):
    kind = pdns.PowerDns

    def control(self, verb):
        self.server.allow_updates(verb == "thaw")

    def key_refused(self, **options):
        """The same words for a wrong key, secret and clock: the answer does not say which it is, and is not signed."""
        event = self.explained(("notauth",), **options)
        self.assertIn("PowerDNS does not say why", event["detail"])
        self.assertIn("compare key_file", event["detail"])
        return event

    def test_wrong_secret_is_explained(self):
        self.key_refused(key=self.key(secret="d3Jvbmcgc2VjcmV0IHdyb25nIHNlY3JldA=="))

    def test_unknown_key_is_explained(self):
        self.key_refused(key=self.key(key_name="nobody-knows"))

    def test_clock_skew_is_explained(self):
        self.assertIn("clocks", self.key_refused(env=self.skewed())["detail"])

    def refuse_bad(self):
        policy = self.work.write("policy.lua", f"function updatepolicy(input)\n  local name = input:getQName()\n"
                                 f"  return name:isPartOf(newDN('{GOOD}')) or name == newDN('{OWNER}')\nend\n")
        with self.server.config_file.open("a") as file:
            file.write(f"lua-dnsupdate-policy-script={policy}\n")

    def test_a_refused_change_is_explained_and_nobody_else_is_refused(self):
        """A policy script's refusal is answered NOERROR: only a listing shows what the server left out."""
        self.refuse_bad()
        with self.server, self.probe() as probe:
            for rev, name in enumerate((BAD, f"a.{GOOD}"), 1):
                probe.submit(name, "192.0.2.1", rev)
                self.assertEqual(probe.settled(rev)["outcome"], "applied")
            probe.send("list")
            self.assertEqual(probe.event("listed")["err"], "OK")
            self.assertEqual([event["name"] for event in probe.events if event["event"] == "record"], [f"a.{GOOD}"])

    test_one_bad_change_among_many_blocks_nobody = None  # for the same reason there is none


if __name__ == "__main__":
    unittest.main()
