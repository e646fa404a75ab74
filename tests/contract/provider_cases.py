# SPDX-License-Identifier: Apache-2.0
"""What every provider is held to, against a real service; a provider's own test adds hooks and its own cases.

A fixture (one instance a case) brings the hooks below, `server`, whose authoritative answers are looked at, and the
attributes `refusal` (error, a word of the detail) and `many`. Its `setUp` makes the service, which `up` starts; what one
case does to it is gone with `tearDown`."""
from muster_testlib import dns

ZONE = "example.net"
GOOD, BAD = f"ok.{ZONE}", f"poison.{ZONE}"


class ProviderCases:
    refusal = None
    many = 0  # changes beside one bad one, as many as make a batch or more

    # ---- hooks ----

    def up(self):
        """The service runs from now on; again, with what it had, after down()."""
        raise NotImplementedError

    def down(self):
        """Like a crash: no connection survives, none can be made."""
        raise NotImplementedError

    def refuse_bad(self):
        """Before up(): the service takes names below GOOD and refuses BAD for good."""
        raise NotImplementedError

    def open(self, faults=False):
        """A Probe of the provider. `faults`: ready, and its service obeys holding() and losing_answer()."""
        raise NotImplementedError

    def holding(self):
        """Context: what the probe sends first stays unanswered until the end, and so does what comes behind it."""
        raise NotImplementedError

    def losing_answer(self, name, value):
        """Context: the answer to the change of `name` submitted in it is lost, after the service has applied it."""
        raise NotImplementedError

    def address(self, number):
        """One of as many addresses as can share a batch."""
        return f"10.0.{number // 250}.{number % 250 + 1}"

    # ---- the contract ----

    def holds(self, name, *values, rtype="A"):
        self.assertEqual(dns.kdig(self.server, name, rtype), list(values))

    def test_a_change_is_applied_and_replaced_in_each_family(self):
        self.up()
        with self.open() as probe:
            for rev, rtype, value in ((1, "A", "192.0.2.1"), (2, "AAAA", "2001:db8::1"), (3, "A", "192.0.2.2")):
                probe.submit(f"a.{ZONE}", value, rev, rtype=rtype)
                event = probe.settled(rev)
                self.assertEqual((event["outcome"], event["value"], event["alarm"]), ("applied", [value], ""))
                self.holds(f"a.{ZONE}", value, rtype=rtype)
            self.holds(f"a.{ZONE}", "2001:db8::1", rtype="AAAA")

    def test_a_refused_change_is_explained_and_nobody_else_is_refused(self):
        self.refuse_bad()
        self.up()
        with self.open() as probe:
            probe.submit(BAD, "192.0.2.1", 1)
            event = probe.settled(1)
            self.assertEqual((event["outcome"], event["error"]), ("refused", self.refusal[0]))
            self.assertIn(self.refusal[1], event["detail"])
            probe.submit(f"a.{GOOD}", "192.0.2.1", 2)
            self.assertEqual(probe.settled(2)["outcome"], "applied")
            self.holds(BAD)
            self.holds(f"a.{GOOD}", "192.0.2.1")

    def test_one_bad_change_among_many_blocks_nobody(self):
        self.refuse_bad()
        self.up()
        bad = self.many * 2 // 3
        with self.open(faults=True) as probe:
            with self.holding():
                for i in range(self.many):
                    probe.submit(BAD if i == bad else f"n{i}.{GOOD}", self.address(i), i + 1)
                status = probe.status()
                self.assertEqual(status["waiting"] + status["in_flight"], self.many)
            outcomes = [probe.settled(i + 1) for i in range(self.many)]
            refused = [event for event in outcomes if event["outcome"] == "refused"]
            self.assertEqual([(event["name"], event["error"]) for event in refused], [(BAD, self.refusal[0])])
            self.assertLess(probe.status()["messages"], 60)
        zone = dns.axfr(self.server)
        self.assertNotIn((BAD, "A"), zone)
        for i in range(self.many):
            if i != bad:
                self.assertEqual(zone[(f"n{i}.{GOOD}", "A")], [self.address(i)])

    def test_the_newest_value_wins_over_what_is_in_flight(self):
        self.up()
        with self.open(faults=True) as probe:
            before = probe.status()["messages"]
            with self.holding():
                for rev in range(1, 301):
                    probe.submit(f"flap.{ZONE}", f"192.0.2.{rev % 200 + 1}", rev)
                probe.status()  # it has taken them all
            self.assertEqual(probe.settled(300)["value"], ["192.0.2.101"])
            self.holds(f"flap.{ZONE}", "192.0.2.101")
            self.assertLess(probe.status()["messages"] - before, 30)

    def test_what_an_absent_service_could_not_take_is_sent_when_it_is_there(self):
        self.down()
        with self.open() as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            event = probe.settled(1, ("retry",))
            self.assertEqual((event["error"] != "", event["detail"] != ""), (True, True))
            self.up()
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.holds(f"a.{ZONE}", "192.0.2.1")

    def test_a_restart_of_the_service_loses_nothing(self):
        self.up()
        with self.open() as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.down()
            probe.submit(f"a.{ZONE}", "192.0.2.2", 2)
            self.assertIn(probe.settled(2, ("retry", "unknown"))["error"], ("unreachable", "connection-lost"))
            self.up()
            self.assertEqual(probe.settled(2)["outcome"], "applied")
            self.holds(f"a.{ZONE}", "192.0.2.2")

    def test_a_lost_answer_is_settled_with_what_the_zone_holds(self):
        self.up()
        with self.open(faults=True) as probe:
            with self.losing_answer(f"a.{ZONE}", "192.0.2.1"):
                probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertNotEqual(probe.settled(1, ("unknown",))["error"], "")
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.holds(f"a.{ZONE}", "192.0.2.1")
            probe.submit(f"a.{ZONE}", "192.0.2.2", 2)
            self.assertEqual(probe.settled(2)["outcome"], "applied")
            self.holds(f"a.{ZONE}", "192.0.2.2")
