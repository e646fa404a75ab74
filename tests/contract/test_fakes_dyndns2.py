# SPDX-License-Identifier: Apache-2.0
"""The stand-ins of the dyndns2 services: each takes the request that its vendor's page shows, and notes the breaches of the
protocol's rules. Requests are handed over without a network; test_fakes.py has that."""
import base64
import pathlib
import sys
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fakes  # noqa: E402
from fakes import base, dead, dyndns2  # noqa: E402

AGENT = "Example Muster/linux-0.2.0 ops@example.org"
V4, V6 = "192.0.2.7", "2001:db8::7"
# Service: (request for IPv4, request for IPv6 or both or None, what the first is answered, and what when it comes again).
# {user}, {pass} and {host} are filled in encoded; "basic" at the end means that the login is in the header.
PAGES = {
    "dyn": ("/v3/update?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip={v4},{v6} basic", "good {v4}", "nochg {v4}"),
    "noip": ("/nic/update?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip={v4},{v6} basic", "good {v4}", "nochg {v4}"),
    "dnsomatic": ("/nic/update?hostname={host}&myip={v4}&wildcard=NOCHG&mx=NOCHG&backmx=NOCHG basic", None, "good {v4}", "nochg {v4}"),
    "dynu": ("/nic/update?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip=no&myipv6={v6}&username={user}&password={pass}",
             "good {v4}", "nochg {v4}"),
    "he": ("/nic/update?hostname={host}&password={pass}&myip={v4}", "/nic/update?hostname={host}&myip={v6} basic", "good {v4}", "nochg {v4}"),
    "tunnelbroker": ("/nic/update?hostname={host}&myip={v4}&username={user}&password={pass}", None, "good {v4}", "nochg {v4}"),
    "infomaniak": ("/nic/update?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip={v6} basic", "good {v4}", "nochg {v4}"),
    "inwx": ("/nic/update?myip={v4} basic", "/nic/update?myip={v4}&myipv6={v6} basic", "good {v4}", "nochg {v4}"),
    "joker": ("/nic/update?username={user}&password={pass}&myip={v4}&hostname={host}",
              "/nic/update?username={user}&password={pass}&myip={v6}&hostname={host}", "good {v4}", "nochg {v4}"),
    "loopia": ("/XDynDNSServer/XDynDNS.php?system=custom&hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "ovh": ("/nic/update?system=dyndns&hostname={host}&myip={v4} basic", "/nic/update?system=dyndns&hostname={host}&myip={v6} basic",
            "good {v4}", "nochg {v4}"),
    "strato": ("/nic/update?hostname={host}&myip={v4}&wildcard=NOCHG&mx=NOCHG&backmx=NOCHG basic",
               "/nic/update?hostname={host}&myip={v4},{v6} basic", "good {v4}", "nochg {v4}"),
    "spdyn": ("/nic/update?hostname={host}&myip={v4}&user={user}&pass={pass}", "/nic/update?hostname={host}&myip={v4},{v6} basic",
              "good {v4}", "nochg {v4}"),
    "variomedia": ("/nic/update?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip={v4},{v6} basic", "good {v4}", "nochg {v4}"),
    "3322": ("/dyndns/update?hostname={host}&myip={v4}&wildcard=OFF&mx=mail.example.net&backmx=NO&offline=NO basic", None,
               "good {v4}", "nochg {v4}"),
    "oray": ("/ph/update?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg"),
    "dyndns-it": ("/nic/update?system=dyndns&hostname={host}&myip={v4}&wildcard=OFF basic", None, "good {v4}", "nochg {v4}"),
    "eurodns": ("/update/?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "hosting-de": ("/nic/update?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip={v6} basic", "good {v4}", "nochg {v4}"),
    "itsdns": ("/update.php?username={user}&password={pass}&hostname={host}&myip={v4}", "/update.php?hostname={host}&myip={v6} basic",
               "good {v4}", "nochg {v4}"),
    "now-dns": ("/update?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "apertodns": ("/nic/update?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip={v4}&myipv6={v6} basic", "good {v4}", "nochg {v4}"),
    "gigahost": ("/api/v0/dns/dyndns?hostname={host}&myip={v4} basic", "/api/v0/dns/dyndns?hostname={host}&myipv6={v6} basic",
                 "good {v4}", "nochg {v4}"),
    "all-inkl": ("/?myip={v4} basic", "/?myip={v4}&myip6={v6} basic", "good {v4}", "nochg {v4}"),
    "do-de": ("/?myip={v4}&hostname={host}&username={user}&password={pass}", "/?myip={v6} basic", "good {v4}", "nochg {v4}"),
    "schokokeks": ("/nic/update?myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "ipnodns": ("/cgi-bin/dyndns.cgi?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "udmedia": ("/nic/update?myip={v4} basic", "/nic/update?myip={v6} basic", "good {v4}", "nochg {v4}"),
    "simply": ("/2/ddns/?hostname={host}&myip={v4} basic", "/nic/update?hostname={host}&myip={v6} basic", "good {v4}", "nochg {v4}"),
    "updatedip": ("/nic/update?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "websupport": ("/nic/update?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "xlhost": ("/nic/update?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "domopoli": ("/nic/update?hostname={host}&myip={v4} basic", None, "good {v4}", "nochg {v4}"),
    "ydns": ("/api/v1/update/?host={host}&ip={v4} basic", "/api/v1/update/?host={host}&ip={v6} basic", "good", "good"),
    "desec-dyndns": ("/?hostname={host}&myip={v4}&myipv6=preserve basic", "/?hostname={host}&myipv4=preserve&myipv6={v6} basic", "good", "good"),
    "nsupdate-info": ("/nic/update?hostname={host}&myip={v4} basic", "/nic/update?myip={v6}&hostname={host} basic", "good {v4}", "nochg {v4}"),
    "nic-ru": ("/dyndns/update?hostname={host}&myip={v4} basic", "/dyndns/update?hostname={host}&myip={v4}&ipv6={v6} basic", "good {v4}", "nochg {v4}"),
    "core-networks": ("/?hostname={host}&myip={v4}&keepipv6=1 basic", "/?hostname={host}&myip={v6}&keepipv4=1 basic", "good {v4}", "nochg {v4}"),
    "easydns": ("/dyn/generic.php?hostname={host}&myip={v4}&wildcard=OFF basic", None, "<HTML><BODY>\nNOERROR<BR>\n</BODY></HTML>", None),
    "domeneshop": ("/v0/dyndns/update?hostname={host}&myip={v4} basic", "/v0/dyndns/update?hostname={host}&myip={v4},{v6} basic", "", ""),
    "selfhost": ("/update?username={user}&password={pass}&myip={v4}&hostname=1", None, "good {v4}", ""),
    "opendns": ("/nic/update?hostname=Home&myip={v4} basic", None, "good {v4}", "good {v4}"),
    "dnsever": ("/update.php?host%5B{host}%5D={v4} basic", None, None, None),
    "dy-fi": ("/nic/update?hostname={host} basic", None, "good 127.0.0.1", "nochg"),
    "dhis": ("/update/ basic", None, "good 127.0.0.1", "nochg 127.0.0.1"),
}
EASY = [name for name in PAGES if name not in ("opendns",)]


class Service:
    """A fake with a clock of its own and a client that fills in what PAGES leaves open."""

    def __init__(self, name):
        self.fake, self.now = fakes.classes()[name](), 1000.0
        self.fake.clock = lambda: self.now
        self.host = self.fake.host("cam-1")
        account = self.fake.account([self.host])
        secret = account.get("host_secrets", {}).get(self.host)
        self.user, self.password = (self.host, secret) if secret else (account["username"], account["password"])

    def ask(self, page, agent=AGENT, login=None, host=None, v4=V4, **words):
        self.now += 1
        target, _, way = page.partition(" ")
        user, password = login or (self.user, self.password)
        values = {"host": host or self.host, "v4": v4, "v6": V6, "user": user, "pass": password, **words}
        target = target.format(**{key: urllib.parse.quote(value, safe=",:") for key, value in values.items()})
        fields = [("Host", self.fake.hosts[0])] + ([("User-Agent", agent)] if agent else [])
        if way == "basic":
            fields.append(("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()))
        response, how, _ = self.fake.serve(base.Request("GET", target, fields, host=self.fake.hosts[0]))
        return response.status, response.body.decode().strip(), how

    def rules(self):
        found, self.fake.violations = [rule for rule, _ in self.fake.violations], []
        return found


class EveryService(unittest.TestCase):
    def test_all_of_them_are_here(self):
        names = {name for name, kind in fakes.classes().items() if issubclass(kind, dyndns2.D2)}
        self.assertEqual(names, set(PAGES))
        simple = {"DNSPark", "system-ns.com", "dnsmax.com", "thatip.com"}
        gone = [row for row in dead.DEAD if row[0] not in simple]
        self.assertEqual(len(names) + len(gone), 48)  # the class of 47, and ipnodns.ru

    def test_the_request_of_the_vendors_page_is_taken(self):
        for name, (first, _, answer, again) in PAGES.items():
            with self.subTest(name):
                service = Service(name)
                told = service.ask(first)
                self.assertEqual(service.rules(), [])
                if answer is not None:
                    self.assertEqual(told[1], answer.format(v4=V4))
                self.assertIn(told[0], (200, 204))
                sets = V4 if service.fake.sets_given_address else "127.0.0.1"
                if name != "opendns":
                    self.assertEqual(service.fake.values(service.host, "A"), [sets])
                service.fake.limits_hold, service.fake.set_at = False, {}
                told = service.ask(first)
                self.assertEqual(service.rules(), [])
                if again is not None:
                    self.assertEqual(told[1], again.format(v4=V4))

    def test_ipv6_in_the_way_of_the_page(self):
        for name, (first, other, _, _) in PAGES.items():
            if other is not None:
                with self.subTest(name):
                    service = Service(name)
                    service.ask(first)
                    service.ask(other)
                    self.assertEqual(service.rules(), [])
                    self.assertEqual((service.fake.values(service.host, "A"), service.fake.values(service.host, "AAAA")), ([V4], [V6]))

    def test_wrong_passwords_are_refused_and_not_sent_again(self):
        for name, (first, *_) in PAGES.items():
            with self.subTest(name):
                service = Service(name)
                first = first.replace("{pass}", "wrong")
                told = service.ask(first, login=(service.user, "wrong"))
                self.assertEqual((service.rules(), service.fake.records), ([], {}))
                self.assertNotIn("good", told[1])
                service.ask(first, login=(service.user, "wrong"))
                self.assertEqual(service.rules(), ["sent-after-badauth"])
                service.ask(PAGES[name][0])
                self.assertEqual(service.rules(), [])

    def test_a_name_that_is_not_in_the_account(self):
        for name in EASY:
            with self.subTest(name):
                service = Service(name)
                service.fake.bad = {service.host}
                told = service.ask(PAGES[name][0])
                self.assertEqual((service.rules(), service.fake.records), ([], {}))
                self.assertNotIn("good", told[1])
                service.ask(PAGES[name][0])
                self.assertEqual([rule[:11] for rule in service.rules() if not rule.startswith("too-often")], ["sent-after-"])

    def test_what_no_page_shows(self):
        for name, (first, *_) in PAGES.items():
            for change, rule in ((lambda text: text.replace("{v4}", "<{v4}>"), "malformed"), (lambda text: text.replace("/", "/x/", 1), "path"),
                                 (lambda text: text.replace("?", "?zzz=1&", 1), "unknown-parameter")):
                if change(first) != first and not (name == "desec-dyndns" and rule == "path"):
                    with self.subTest(name, rule=rule):
                        service = Service(name)
                        page, _, way = change(first).partition(" ")
                        target = page.format(host=service.host, v4=V4, user=urllib.parse.quote(service.user),
                                             **{"pass": urllib.parse.quote(service.password)})
                        fields = [("User-Agent", AGENT)]
                        if way:
                            text = base64.b64encode(f"{service.user}:{service.password}".encode()).decode()
                            fields.append(("Authorization", f"Basic {text}"))
                        service.fake.serve(base.Request("GET", target, fields))
                        self.assertIn(rule, service.rules())


class Protocol(unittest.TestCase):
    PAGE = "/nic/update?hostname={host}&myip={v4} basic"

    def setUp(self):
        self.service = Service("dyn")
        self.ask, self.rules, self.fake = self.service.ask, self.service.rules, self.service.fake

    def test_the_request(self):
        for page, rule in (("/nic/update?hostname={host} basic", "no-address"), ("/nic/update?myip={v4} basic", "missing-parameter"),
                           ("/nic/update?hostname={host}&myip= basic", "empty-parameter"), ("/nic/update?hostname={host}&myip=192.0.2.300 basic", "address"),
                           ("/nic/update?hostname={host}&myip={v4},192.0.2.8 basic", "address"), ("/nic/update?hostname={host},{host}&myip={v4} basic", "host-twice"),
                           ("/nic/update?hostname=cam&myip={v4} basic", "notfqdn"), ("/nic/update?hostname={host}&myip={v4}", "login"),
                           ("/nic/update?hostname={host}&myip={v4}&wildcard=yes basic", "value"),
                           ("/nic/update?hostname={host}&myip={v4}&myip={v4} basic", "parameter-twice"),
                           ("/nic/update?hostname={host}.&myip={v4} basic", "notfqdn")):
            self.ask(page, host="cam-2." + self.fake.zone)
            self.assertIn(rule, self.rules(), page)
        for agent in (None, "curl", "Mozilla", "muster"):
            self.ask(self.PAGE, agent=agent, host="cam-3." + self.fake.zone)
            self.assertIn("user-agent", self.rules(), agent)
        self.fake.serve(base.Request("POST", "/nic/update", [("User-Agent", AGENT)]))
        self.assertIn("method", self.rules())

    def test_the_agent_of_no_ip_has_a_contact(self):
        service = Service("noip")
        service.ask(self.PAGE, agent="Example Muster/0.2.0")
        self.assertEqual(service.rules(), ["user-agent"])

    def test_twenty_hosts_and_one_more(self):
        hosts = [self.fake.host(f"n{i}") for i in range(21)]
        self.fake.bad = {hosts[3]}
        told = self.ask(self.PAGE, host=",".join(hosts[:20]))
        self.assertEqual(told[1].split("\n"), ["nohost" if i == 3 else f"good {V4}" for i in range(20)])
        self.assertEqual(self.rules(), [])
        self.assertEqual(self.ask(self.PAGE, host=",".join(hosts), v4="192.0.2.8")[1], "numhost")
        self.assertIn("numhost", self.rules())

    def test_an_address_that_is_set_is_not_sent_again(self):
        self.ask(self.PAGE)
        self.assertEqual(self.ask(self.PAGE)[1], f"nochg {V4}")
        self.assertEqual((self.rules(), self.fake.nochg[self.service.host]), (["resend-unchanged"], 1))
        self.service.now += 25 * 86400
        self.ask(self.PAGE)
        self.assertEqual(self.rules(), [])
        self.ask(self.PAGE, v4="192.0.2.8")
        self.assertEqual(self.rules(), [])
        self.fake.forget()
        self.ask(self.PAGE, v4="192.0.2.8")
        self.assertEqual(self.rules(), [])

    def test_stops_are_obeyed_until_a_person_clears_them(self):
        for code in ("nohost", "abuse", "notfqdn", "!yours", "!donator"):
            self.fake.script[:] = [base.Response(200, f"{code}\n")]
            host = self.fake.host(f"h{len(code)}-{code.strip('!')}")
            self.ask(self.PAGE, host=host)
            self.ask(self.PAGE, host=self.fake.host(f"other-{code.strip('!')}"))
            self.assertEqual(self.rules(), [], code)
            self.ask(self.PAGE, host=host)
            self.assertEqual(self.rules(), [f"sent-after-{code}"])
            self.fake.cleared(host)
            self.ask(self.PAGE, host=host, v4="192.0.2.9")
            self.assertEqual(self.rules(), [])
        for i, answer in enumerate(("badagent", "good 127.0.0.1")):
            self.fake.script[:] = [base.Response(200, answer)]
            self.ask(self.PAGE, host=self.fake.host(f"a{i}"))
            self.ask(self.PAGE, host=self.fake.host(f"b{i}"))
            self.assertEqual(self.rules(), ["sent-after-badagent"])
            self.fake.cleared()

    def test_waits_are_honoured(self):
        for answer, wait in (("911", 600), ("dnserr", 600), ("w10m", 600), ("w30s", 30), ("w01h", 3600)):
            host = self.fake.host(f"wait-{answer}")
            self.fake.script[:] = [base.Response(200, answer)]
            self.ask(self.PAGE, host=host)
            self.service.now += wait - 3
            self.ask(self.PAGE, host=host)
            self.assertEqual(self.rules(), ["before-wait"], answer)
            self.service.now += 10
            self.ask(self.PAGE, host=host, v4="192.0.2.9")
            self.assertEqual(self.rules(), [], answer)
        self.fake.script[:] = ["429"]
        self.fake.retry_after = 30
        self.assertEqual(self.ask(self.PAGE, v4="192.0.2.10")[0], 429)
        self.ask(self.PAGE, v4="192.0.2.10")
        self.assertEqual(self.rules(), ["before-retry-after"])
        self.service.now += 30
        self.ask(self.PAGE, v4="192.0.2.11")
        self.assertEqual(self.rules(), [])

    def test_after_an_unknown_outcome_a_client_looks_first(self):
        self.fake.publish = lambda changes: None
        for word, applied in (("apply-cut", True), ("cut", False), ("apply-html", True), ("html", False), ("apply-stall", True), ("500", False),
                              ("apply-500", True), ("empty", False)):
            host = self.fake.host(f"lost-{word}")
            self.fake.script[:] = [word]
            self.ask(self.PAGE, host=host)
            self.assertEqual(self.fake.values(host, "A"), [V4] if applied else [])
            self.ask(self.PAGE, host=host)
            self.assertEqual(self.rules(), ["resent-applied"] if applied else [], word)

    def test_a_reply_of_fewer_lines_tells_nothing(self):
        hosts = ",".join(self.fake.host(f"few{i}") for i in range(3))
        self.fake.script[:] = [base.Response(200, f"good {V4}\n")]
        self.ask(self.PAGE, host=hosts)
        self.ask(self.PAGE, host=hosts)
        self.assertEqual(self.rules(), [])


class Dialects(unittest.TestCase):
    def addresses(self, service):
        return service.fake.values(service.host, "A"), service.fake.values(service.host, "AAAA")

    def after(self, name, page):
        service = Service(name)
        service.ask(PAGES[name][0])
        service.ask(PAGES[name][1])
        service.rules()
        service.fake.limits_hold = False
        told = service.ask(page)
        return service, told, self.addresses(service)

    def test_what_becomes_of_a_family_that_is_left_out(self):
        new = "192.0.2.99"
        for name, page, left in (("dyn", "/nic/update?hostname={host}&myip={v6} basic", ([], [V6])),
                                 ("noip", f"/nic/update?hostname={{host}}&myip={new} basic", ([new], [V6])),
                                 ("dynu", "/nic/update?hostname={host}&myipv6=2001:db8::9 basic", (["127.0.0.1"], ["2001:db8::9"])),
                                 ("inwx", f"/nic/update?myip={new} basic", ([new], [])),
                                 ("inwx", "/nic/update?myipv6=2001:db8::9 basic", (["127.0.0.1"], ["2001:db8::9"])),
                                 ("apertodns", "/nic/update?hostname={host}&myipv6=2001:db8::9 basic", (["127.0.0.1"], ["2001:db8::9"])),
                                 ("nic-ru", "/dyndns/update?hostname={host}&ipv6=2001:db8::9 basic", (["127.0.0.1"], ["2001:db8::9"])),
                                 ("core-networks", f"/?hostname={{host}}&myip={new} basic", ([new], [])),
                                 ("desec-dyndns", f"/?hostname={{host}}&myip={new} basic", ([new], [])),
                                 ("desec-dyndns", f"/?hostname={{host}}&myip={new}&myipv6= basic", ([new], []))):
            with self.subTest(name, page=page):
                self.assertEqual(self.after(name, page)[2], left)

    def test_desec_by_host_and_all_or_nothing(self):
        service = Service("desec-dyndns")
        service.fake.limits_hold = False
        other = service.fake.host("cam-2")
        page = f"/?hostname={{host}},{other}&myipv4:{{host}}={{v4}}&myipv4:{other}=192.0.2.8&myipv6=preserve&myip=preserve basic"
        self.assertEqual(service.ask(page)[:2], (200, "good"))
        self.assertEqual((service.fake.values(service.host, "A"), service.fake.values(other, "A"), service.rules()), ([V4], ["192.0.2.8"], []))
        service.fake.bad = {other}
        self.assertEqual(service.ask(page.replace("192.0.2.8", "192.0.2.9").replace("{v4}", "192.0.2.9"))[:2], (404, "nohost"))
        self.assertEqual(service.fake.values(service.host, "A"), [V4])
        service.ask("/?hostname={host}&myip={v4} basic")
        self.assertIn("family-left-out", service.rules())

    def test_rates(self):
        for name, count in (("he", 10), ("desec-dyndns", 2), ("easydns", 1), ("opendns", 1), ("3322", 1)):
            with self.subTest(name):
                service = Service(name)
                page = PAGES[name][0]
                for i in range(count):
                    service.ask(page, v4=f"192.0.2.{i + 100}")
                self.assertEqual(service.rules(), [])
                told = service.ask(page, v4="192.0.2.99")
                self.assertEqual(service.rules(), ["too-often"])
                if name == "desec-dyndns":
                    self.assertEqual(told[0], 429)
                elif name != "3322":
                    self.assertRegex(told[1], "interval|TOOSOON|abuse")

    def test_nsupdate_deletes_one_family(self):
        service, told, left = self.after("nsupdate-info", "/nic/delete?hostname={host}&myip=:: basic")
        self.assertEqual((told[1], left, service.rules()), ("deleted AAAA", ([V4], []), []))
        self.assertEqual(service.ask("/nic/update?hostname={host}&myip=192.0.2.7,2001:db8::7 basic")[1], f"good {V6}\nnochg {V4}")

    def test_nic_ru_answers_a_line_a_family(self):
        service = Service("nic-ru")
        service.fake.bad = {service.fake.host("bad")}
        page = f"/dyndns/update?hostname={{host}},{service.fake.host('bad')},{service.fake.host('c')}&myip={{v4}}&ipv6={{v6}} basic"
        self.assertEqual(service.ask(page)[1].split("\n"), [f"good {V4}", f"good {V6}", "nohost", f"good {V4}", f"good {V6}"])
        self.assertEqual(service.rules(), [])
        service.ask("/dyndns/update?hostname={host}&myip={v4} basic", host=service.fake.host("bad"))
        self.assertEqual(service.rules(), ["sent-after-nohost"])

    def test_dnsever_counts(self):
        service = Service("dnsever")
        service.fake.bad = {service.fake.host("bad")}
        told = service.ask(f"/update.php?host%5B{{host}}%5D={{v4}}&host%5B{service.fake.host('bad')}%5D={{v4}} basic")
        self.assertIn('code="701" numOfSuccess="1" numOfFailure="1"', told[1])
        self.assertEqual(service.rules(), [])

    def test_selfhost_statuses(self):
        service = Service("selfhost")
        page = "/nic/update?myip={v4}&hostname=1 basic"
        self.assertEqual(service.ask(page, v4="192.168.1.1")[0], 412)
        self.assertEqual([service.ask(page)[0], service.ask(page)[0]], [200, 204])
        self.assertEqual(service.rules(), ["resend-unchanged"])

    def test_oray_has_https_for_those_who_pay(self):
        service = Service("oray")
        service.fake.pays = False
        page = PAGES["oray"][0]
        self.assertEqual(service.ask(page)[1], "!donator")
        self.assertEqual((service.fake.records, service.rules()), ({}, []))
        service.ask(page)
        self.assertEqual(service.rules(), ["sent-after-!donator"])
        service.fake.pays = True
        service.fake.cleared()
        self.assertEqual((service.ask(page)[1], self.addresses(service), service.rules()), (f"good {V4}", ([V4], []), []))

    def test_the_login_of_one_host_changes_that_host(self):
        service = Service("inwx")
        service.ask("/nic/update?hostname=elsewhere.example.net&myip={v4} basic")
        self.assertEqual(service.rules(), ["not-the-host-of-the-login"])


if __name__ == "__main__":
    unittest.main()
