#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One contract for every provider and template, against the strict stand-in of its service (tests/contract/fakes). Each case
runs for all of them at once, each with a service and an account of its own; what services make public is in a real zone,
which is asked where an outcome is unknown. Whatever else a case looks at, the service must have nothing to complain of.

A provider is known by the program (muster provider list), its stand-in by its name: a new one needs no line here. rfc2136,
powerdns and the generic dyndns2 have real servers or a stand-in with their own tests."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time
import traceback
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import build_dir, certs, source_dir  # noqa: E402
from muster_testlib.procs import Workspace  # noqa: E402

import fakes  # noqa: E402
from fakes import base, server, zones  # noqa: E402
from probes import DEADLINE, Probes  # noqa: E402
import service_cases  # noqa: E402
from service_cases import V4, V6  # noqa: E402

OWN_TESTS = {"rfc2136", "powerdns", "dyndns2"}
ONLY = set(os.environ.get("MUSTER_PROVIDERS", "").split())  # by hand: a few of them
THREADS = 48
COMPARE_AND_SET = {"route53", "google", "azure"}  # a change of somebody else is seen however late it came
MOST = {"route53": 500}  # UPSERTs of one address: each counts twice against the 1,000 of a call
PATIENT, HASTY = "30s", "1500ms"  # of one request: a machine may be slow; where it must run out


def aws_credentials(key):
    return "[default]\n" + "".join(f"{name} = {value}\n" for name, value in key.items())


KEY_FORMS = {"route53": aws_credentials}  # the others take JSON


def provider_list():
    done = subprocess.run([build_dir() / "cli" / "muster", "provider", "list", "--json"], capture_output=True, text=True,
                          check=True, timeout=DEADLINE)
    return [{**row, "provider": name} for row in json.loads(done.stdout) for name in row["providers"]]


def shown(name):
    done = subprocess.run([build_dir() / "cli" / "muster", "provider", "show", "--json", name], capture_output=True, text=True,
                          check=True, timeout=DEADLINE)
    return json.loads(done.stdout)


class Rig:
    """What one case has of one provider: the service, and a zone of ours at it."""

    def __init__(self, suite, fake, place, label):
        self.suite, self.fake, self.place, self.label = suite, fake, place, label
        self.sessions, self.held, self.processes, self.opened = [], [], [], 0

    def hold(self):
        """The next request is applied, and answered when the test says so."""
        held = base.Held()
        self.held.append(held)
        self.fake.script[:] = [held]
        return held

    def host(self, label):
        return self.fake.host(f"{self.label}{label}")

    def open(self, hosts=(), timeout=PATIENT, mode="dedicated", apart=False, **options):
        """A session whose account may change `hosts`. `apart`: in a process of its own, which ends with the case."""
        name = f"{self.label}-{self.fake.name}-{self.opened}"
        self.opened += 1
        probes = self.suite.probes
        if apart:
            probes = Probes()
            self.processes.append(probes)
        session = probes.open(name, self.suite.config(self, name, hosts, timeout, options), self.fake.zone, mode)
        self.sessions.append(session)
        return session

    def done(self, session):
        """Whatever was still to be sent is not."""
        session.status()
        session.close()
        self.sessions.remove(session)

    def applied(self, session, host, address, rev, rtype="A", **more):
        session.submit(host, address, rev, rtype=rtype, **more)
        event = session.settled(rev)
        assert event["outcome"] == "applied", event
        self.holds(host, [address] if address != "-" else [], rtype)

    def at_once(self, session, host, address, rev, rtype="A", **more):
        """Nothing went wrong, so nothing else may be told: else a reply that is not understood would pass, for what the zone
        holds then decides."""
        self.applied(session, host, address, rev, rtype, **more)
        others = [event for event in session.events if event["event"] == "settled" and event["rev"] == rev]
        assert not others, f"not understood at once: {others}"

    def holds(self, host, values, rtype="A"):
        found = self.fake.values(host, rtype)
        assert found == sorted(values), f"{host} {rtype} is {found}, must be {values}"

    def later(self, days):
        """For the service so much time has passed."""
        clock = self.fake.clock
        self.fake.clock = lambda: clock() + days * 86400

    def hosts_max(self, session):
        """Names that one request takes at most; what the program calls a batch may be the two families of one."""
        ways = shown(self.fake.name)["ways"]
        return ways["hosts_max"] if ways else session.status()["batch"]

    @property
    def alone(self):
        """Whether each name has a login of its own."""
        return self.fake.hosts_per_account == 1

    def judge(self):
        assert not self.fake.violations, f"the service complains: {self.fake.violations[:5]}"

    def close(self):
        for held in self.held:
            held.released.set()
        for session in self.sessions:
            session.close()
        for probes in self.processes:
            probes.__exit__()


# ---- the contract: one function a case ----

def case_create_change_and_the_same_again(rig):
    host = rig.host("a")
    session = rig.open([host])
    rig.at_once(session, host, V4.format(1), 1)
    rig.at_once(session, host, V4.format(2), 2)
    rig.later(40)  # as a refresh does it
    rig.at_once(session, host, V4.format(2), 3)


def case_families_do_not_disturb_each_other(rig):
    host = rig.host("f")
    session = rig.open([host])
    if "AAAA" not in (rig.fake.alone or rig.fake.families):
        session.submit(host, V6.format(1), 1, rtype="AAAA")
        assert session.settled(1)["outcome"] == "refused"
        assert rig.fake.calls == 0, "a family that the service does not have was sent"
        return
    session.submit(host, V4.format(1), 1)
    session.submit(host, V6.format(1), 2, rtype="AAAA")
    for rev in (1, 2):
        event = session.settled(rev)
        assert event["outcome"] == "applied", event
    rig.holds(host, [V4.format(1)])
    rig.holds(host, [V6.format(1)], "AAAA")
    rig.at_once(session, host, V4.format(2), 3)
    rig.holds(host, [V6.format(1)], "AAAA")
    rig.at_once(session, host, V6.format(2), 4, rtype="AAAA")
    rig.holds(host, [V4.format(2)])


def case_what_is_removed_is_gone_or_said_to_stay(rig):
    """A family at a time: what is left stays. Removed once more, it is still gone."""
    host = rig.host("d")
    session = rig.open([host])
    first = {"A": V4.format(1), "AAAA": V6.format(1)}
    rtypes = ("A", "AAAA") if "AAAA" in (rig.fake.alone or rig.fake.families) else ("A",)
    for rev, rtype in enumerate(rtypes, 1):
        rig.applied(session, host, first[rtype], rev, rtype=rtype)
    for rev, rtype in enumerate((*reversed(rtypes), "A"), 11):
        session.submit(host, "-", rev, rtype=rtype)
        event = session.settled(rev)
        if event["outcome"] == "refused":
            assert event["error"] == "no-delete", event
            rig.holds(host, [first[rtype]], rtype)
            return
        assert rig.fake.deletes, "the service has no such request"
        rig.holds(host, [], rtype)
        rig.holds(host, [] if rtype == "A" else [first["A"]])
        others = [event for event in session.events if event["event"] == "settled" and event["rev"] == rev]
        assert not others, f"not understood at once: {others}"
    rig.at_once(session, host, V4.format(2), 21)


def case_a_batch_is_full_at_its_limit_and_no_earlier(rig):
    if rig.alone:
        return
    hosts = [rig.host(f"b{i}") for i in range(1003)]
    session = rig.open(hosts)
    most = min(rig.hosts_max(session), MOST.get(rig.fake.name, len(hosts) - 2), len(hosts) - 2)
    if most == 1:  # there already: making one may take a question and a second call
        for rev, name in enumerate([*hosts[:2], hosts[-1]]):
            rig.applied(session, name, V4.format(1), 20000 + rev)
    for count, first in ((most, 1), (most + 1, 5000)):
        names = hosts[:count]
        held = rig.hold()
        session.submit(hosts[-1], V4.format(first // 1000 + 2), first)  # what follows waits behind it
        assert held.arrived.wait(DEADLINE)
        before = rig.fake.calls
        rig.suite.probes.send_all(f"{session.name} submit {name} A 60 {first + 1 + i} {V4.format(first // 1000 + 3)} ?"
                                  for i, name in enumerate(names))
        session.status()  # it has taken them all
        held.released.set()
        for rev in range(first, first + count + 1):
            event = session.settled(rev)
            assert event["outcome"] == "applied", event
        for name in names:
            rig.holds(name, [V4.format(first // 1000 + 3)])
        needed = (-(-count // most) + 1) * rig.fake.calls_a_change - 1  # the one that was held is counted already
        assert rig.fake.calls - before == needed, f"{rig.fake.calls - before} calls for {count} changes, {needed} would do"


def case_one_bad_record_blocks_nobody(rig):
    hosts = [rig.host("bad")] if rig.alone else [rig.host(f"p{i}") for i in range(12)] + [rig.host("bad")]
    session = rig.open([rig.host("before"), *hosts] if len(hosts) > 1 else hosts)
    rig.fake.bad = {rig.host("bad")}
    if len(hosts) > 1:
        held = rig.hold()
        session.submit(rig.host("before"), V4.format(9), 100)
        assert held.arrived.wait(DEADLINE)
    rig.suite.probes.send_all(f"{session.name} submit {name} A 60 {i + 1} {V4.format(1)} ?" for i, name in enumerate(hosts))
    session.status()
    if len(hosts) > 1:
        held.released.set()
    for i, name in enumerate(hosts):
        # A login that is one name's: what is said of it is said of the account, which waits for a person.
        event = session.settled(i + 1, ("applied", "refused", "retry") if rig.alone else ("applied", "refused"))
        good = name != rig.host("bad")
        assert (event["outcome"] == "applied") == good, event
        assert event["outcome"] != "retry" or event["alarm"], event
        assert good or (event["error"] and event["detail"]), "a refusal without a reason"
        rig.holds(name, [V4.format(1)] if good else [])
    assert rig.fake.calls <= 3 * len(hosts), f"{rig.fake.calls} calls to find one bad record of {len(hosts)}"


def case_too_many_requests_waits_as_long_as_asked(rig):
    host = rig.host("w")
    session = rig.open([host])
    rig.fake.retry_after = 1
    rig.fake.script[:] = ["429"]
    begun = time.monotonic()
    rig.applied(session, host, V4.format(1), 1)
    assert time.monotonic() - begun > 0.95, "sent again before Retry-After"


def case_trouble_inside_the_service_is_waited_out(rig):
    host = rig.host("t")
    session = rig.open([host])
    rig.fake.script[:] = ["500"]
    rig.applied(session, host, V4.format(1), 1)


def case_a_reply_that_is_cut_off_is_not_believed(rig):
    host = rig.host("c")
    session = rig.open([host])
    rig.fake.script[:] = ["cut"]
    rig.applied(session, host, V4.format(1), 1)


def case_a_service_that_goes_silent_is_left(rig):
    host = rig.host("s")
    session = rig.open([host], timeout=HASTY)
    rig.fake.script[:] = ["stall"]
    rig.applied(session, host, V4.format(1), 1)


def case_what_was_applied_before_the_connection_was_lost_is_found(rig):
    host = rig.host("l")
    session = rig.open([host])
    rig.fake.script[:] = ["apply-cut"]
    rig.applied(session, host, V4.format(1), 1)
    rig.applied(session, host, V4.format(2), 2)


def case_a_page_in_place_of_a_reply_is_not_believed(rig):
    host = rig.host("h")
    session = rig.open([host])
    rig.fake.script[:] = ["html"]
    rig.applied(session, host, V4.format(1), 1)
    rig.fake.script[:] = ["apply-html"]
    rig.applied(session, host, V4.format(2), 2)
    if rig.fake.own_reply.status != 200 or rig.fake.own_reply.body.strip():  # else the status alone says it
        rig.fake.script[:] = [base.Response(200, "Down for maintenance until tonight\n")]
        rig.applied(session, host, V4.format(3), 3)


def case_wrong_credentials_stop_the_account(rig):
    hosts = [rig.host("k")] if rig.alone else [rig.host("k"), rig.host("k2")]
    session = rig.open(hosts)
    rig.fake.script[:] = ["denied"] * 20
    rig.fake.lookup_script[:] = ["denied"] * 20
    session.submit(hosts[0], V4.format(1), 1)
    event = session.settled(1, ("retry", "refused"))
    assert event["error"] and event["detail"], event
    stopped = session.status()["state"] == "broken" and event["alarm"]
    assert stopped or event["outcome"] == "refused" and rig.fake.denial_is_of_a_host(), f"the account goes on: {event}"
    sent = rig.fake.calls + rig.fake.lookups
    assert sent <= 3, f"{sent} requests with credentials that are refused"
    session.submit(hosts[-1], V4.format(2), 2)
    if not rig.alone or event["outcome"] == "refused":  # of one and the same name it has been told once
        session.settled(2, ("retry", "refused"))
    session.status()
    assert rig.fake.calls + rig.fake.lookups <= sent + (1 if event["outcome"] == "refused" else 0), "asked again"


def case_a_service_that_is_away_loses_nothing(rig):
    host = rig.host("o")
    session = rig.open([host])
    rig.applied(session, host, V4.format(1), 1)
    rig.place.stop()
    session.submit(host, V4.format(2), 2)
    assert session.settled(2, ("retry", "unknown"))["detail"] != ""
    rig.place.start()
    event = session.settled(2)
    assert event["outcome"] == "applied", event
    rig.holds(host, [V4.format(2)])


def case_what_somebody_else_wrote_stays_in_a_shared_zone(rig):
    if rig.fake.name not in COMPARE_AND_SET:
        return
    ours, theirs = rig.host("o"), rig.host("t")
    session, other = rig.open(mode="shared"), rig.open()

    def refused(rev):
        event = session.settled(rev)
        assert (event["outcome"], event["error"]) == ("refused", "foreign"), event

    rig.applied(other, theirs, V4.format(91), 91, ttl=77)
    session.submit(theirs, V4.format(1), 1, have="-")
    refused(1)
    rig.applied(session, ours, V4.format(2), 2, have="-")
    rig.applied(session, ours, V4.format(3), 3, have=V4.format(2))
    rig.applied(other, ours, V4.format(93), 93, ttl=77)  # behind our back
    session.submit(ours, V4.format(4), 4, have=V4.format(3))
    refused(4)
    rig.holds(ours, [V4.format(93)])
    rig.applied(session, ours, V4.format(5), 5, have=V4.format(93))  # as if it had been ours: the TTL is found out
    rig.applied(session, ours, "-", 6, have=V4.format(5))
    session.submit(theirs, "-", 7, have=V4.format(1))
    refused(7)
    assert session.listing() == {(theirs, "A"): [V4.format(91)]}


def case_what_a_user_noted_beside_a_record_stays(rig):
    ours, theirs = rig.host("n"), rig.host("m")
    rig.fake.put(theirs, "A", [V4.format(90)], 60)
    if not rig.fake.note(theirs, "A", "theirs"):
        return
    session = rig.open()
    rig.applied(session, ours, V4.format(1), 1)
    assert rig.fake.note(ours, "A", "ours")
    rig.applied(session, ours, V4.format(2), 2, have=V4.format(1))
    rig.applied(session, theirs, V4.format(3), 3)
    assert [rig.fake.noted(host, "A") for host in (ours, theirs)] == ["ours", "theirs"]
    rig.fake.put(ours, "A", [])
    rig.applied(session, ours, V4.format(4), 4, have=V4.format(2))  # somebody removed it


CASES = {name[len("case_"):]: value for name, value in list(globals().items()) if name.startswith("case_")}
CASES |= service_cases.CASES
APART = {"a_service_that_is_away_loses_nothing"}  # a server of its own for each provider


class Providers(unittest.TestCase):
    maxDiff = None

    chosen = []  # cases that are to run: they all share the threads, what waits in one holds up none

    def __init__(self, method="runTest"):
        super().__init__(method)
        if method[len("test_"):] in CASES:
            self.chosen.append(method[len("test_"):])

    @classmethod
    def setUpClass(cls):
        cls.work = Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.pki = certs.Pki(cls.work.folder("pki"))
        cls.rows = provider_list()
        kinds = fakes.classes()
        names = [row["provider"] for row in cls.rows if row["provider"] in kinds and (not ONLY or row["provider"] in ONLY)]
        cls.labels = {case: f"c{number}" for number, case in enumerate(CASES)}
        cls.fakes = {case: {name: cls.make(kinds[name]) for name in names} for case in cls.chosen}
        cls.zones = zones.Zones(cls.work, [fake for row in cls.fakes.values() for fake in row.values()])
        cls.zones.start()
        cls.addClassCleanup(cls.zones.stop)
        cls.probes = Probes()
        cls.addClassCleanup(cls.probes.__exit__)
        cls.places = {case: server.Server(row.values(), cls.pki).start() for case, row in cls.fakes.items()}
        for place in cls.places.values():
            cls.addClassCleanup(place.stop)
        pool = concurrent.futures.ThreadPoolExecutor(THREADS)
        cls.addClassCleanup(pool.shutdown, cancel_futures=True)
        cls.jobs = {case: [pool.submit(cls.run_one, case, name) for name in names] for case in sorted(cls.fakes)}

    @staticmethod
    def make(kind):
        """The vendor's rates are proven with a simulated clock (tests/unit/providers): here nobody waits for minutes."""
        fake = kind()
        fake.limits_hold = False
        if hasattr(fake, "interval"):
            fake.interval = 0
        if getattr(fake, "window", None) is not None:
            fake.window = base.Window(10 ** 6, 1)
        return fake

    @classmethod
    def config(cls, rig, name, hosts, timeout, options):
        account = rig.fake.account(hosts)
        lines = [f"name: {name}", f"provider: {rig.fake.name}", f"connect_to: {rig.place.connect_to}", f"ca_file: {rig.place.ca}",
                 f"timeout: {timeout}", "retry_min: 10ms", "retry_max: 400ms", "quota: 100000"]
        if "username" in account:
            lines.append(f"username: {json.dumps(account['username'])}")
        for field, key in (("password_file", "password"), ("key_file", "key"), ("secrets_file", "host_secrets")):
            if key in account:
                value = account[key]
                if key == "host_secrets":
                    value = "".join(f"{host} {secret}\n" for host, secret in value.items())
                text = value if isinstance(value, str) else KEY_FORMS.get(rig.fake.name, json.dumps)(value)
                lines.append(f"{field}: {cls.work.write(f'{name}.{key}', text, 0o600)}")
        chosen = {**account.get("options", {}), **options}
        if chosen:
            lines.append(f"options: {json.dumps({key: str(value) for key, value in chosen.items()})}")
        if rig.fake.name not in ("cloudflare", "route53", "google", "azure", "desec"):
            lines.append(f"verify_server: {cls.zones.server.address}:{cls.zones.server.port}")
        return cls.work.write(f"{name}.yaml", "\n".join(lines) + "\n")

    @classmethod
    def run_one(cls, case, name):
        """None, or what went wrong."""
        fake, place = cls.fakes[case][name], cls.places[case]
        if case in APART:
            place = server.Server([fake], cls.pki).start()
        rig = Rig(cls, fake, place, cls.labels[case])
        try:
            CASES[case](rig)
            rig.judge()
        except Exception as fault:  # whatever it was, it is told beside the others
            asked = [str(request)[:160] for request in list(fake.requests)[-3:]]
            where = traceback.extract_tb(fault.__traceback__)[-1]
            return f"{name}: {type(fault).__name__}: {str(fault)[:600]} ({pathlib.Path(where.filename).name}:{where.lineno}) {asked}"
        finally:
            rig.close()
            if case in APART:
                place.stop()
        return f"{name}: the service complains: {place.violations}" if case in APART and place.violations else None

    def run_case(self, case):
        found = [job.result() for job in self.jobs[case]]
        faults = [fault for fault in found if fault]
        if faults:
            self.fail("\n\n".join([f"{len(faults)} of {len(found)} providers:", *faults]))
        self.assertEqual(self.places[case].violations, [], "requests that are for no service")

    def test_everything_that_is_offered_has_its_stand_in_and_the_other_way_round(self):
        offered = {row["provider"] for row in self.rows}
        known = set(fakes.classes()) | OWN_TESTS
        self.assertEqual(sorted(offered - known), [], "providers that nothing proves")
        unused = {name for name, kind in fakes.classes().items() if kind.sets_given_address and not kind.planned} - offered
        self.assertEqual(sorted(unused), [], "stand-ins of services that nobody serves")

    def test_no_more_is_sent_than_the_services_pages_allow(self):
        """Rates as the stand-ins know them, beside what the templates say. That the engine holds what is said, and those of the
        natives, is proven on a simulated clock (tests/unit/providers)."""
        for name, kind in fakes.classes().items():
            ways = shown(name)["ways"] if any(row["provider"] == name for row in self.rows) else None
            if ways is None or ONLY and name not in ONLY:
                continue
            with self.subTest(name):
                fake = kind()
                for calls, seconds, of in service_cases.documented_rates(fake):
                    kept = service_cases.is_kept(ways, fake.hosts_per_account == 1, calls, seconds, of)
                    self.assertTrue(kept, f"{calls} in {seconds} s of one {of}: {ways}")

    def test_ok_means_that_a_vendors_page_was_read_on_both_sides(self):
        kinds = fakes.classes()
        for row in self.rows:
            if row["status"] == "ok" and row["provider"] in kinds:
                self.assertTrue(kinds[row["provider"]].documented, row["provider"])
                self.assertTrue(row["source"].startswith(("https://", "http://")) and row["read"], row)


for _case in CASES:
    setattr(Providers, f"test_{_case}", lambda self, case=_case: self.run_case(case))

if __name__ == "__main__":
    unittest.main()
