# SPDX-License-Identifier: Apache-2.0
"""The fakes of the simple services: what their pages document is accepted and answered as they say, breaches are noted and
refused, and only what was accepted is in the zone. Requests go to the fakes as bytes would, without a socket."""
import base64
import json
import pathlib
import sys
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fakes  # noqa: E402
from fakes import base, dead, simple  # noqa: E402

V4, NEXT, V6 = "192.0.2.10", "192.0.2.11", "2001:db8::10"
MODULES = ("simple_a", "simple_b", "simple_c", "api_simple", "api_more")
AGENT = "muster-selftest/1.0 (fakes@example.org)"


def query(pairs):
    return urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


class Ask:
    """One service: its account with two hosts, and requests to it."""

    def __init__(self, name):
        self.fake = fakes.classes()[name]()
        self.fake.interval, self.now = 0, 1000.0
        self.fake.clock = lambda: self.now
        self.a, self.b = self.fake.host("a"), self.fake.host("b")
        self.account = self.fake.account([self.a, self.b])
        self.user, self.key = self.account.get("username"), self.account.get("password")

    def of(self, host):
        return self.account.get("host_secrets", {}).get(host, "nosuchkey")

    def send(self, path, pairs=(), host=None, method="GET", headers=(), form=None, data=None, login=None, agent=AGENT):
        fields, body = [("User-Agent", agent), *headers], b""
        if login:
            fields.append(("Authorization", f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"))
        if form is not None:
            body = query(form).encode()
            fields.append(("Content-Type", "application/x-www-form-urlencoded"))
        if data is not None:
            body = json.dumps(data).encode()
            fields.append(("Content-Type", "application/json"))
        target = path + ("?" + query(pairs) if pairs else "")
        reply, _, _ = self.fake.serve(base.Request(method, target, fields, body, host or self.fake.hosts[0]))
        return reply.body.decode() if reply.status == 200 else f"{reply.status} {reply.body.decode()}"

    def rules(self):
        found, self.fake.violations = [rule for rule, _ in self.fake.violations], []
        return found


def either(address):
    return "ip6" if ":" in address else "ip"


# name: (request(ask, host, address, key), what stands in the reply: good, same, wrong key, unknown host)
SIMPLE = {
    "1984is": (lambda s, h, ip, key: s.send("/1.0/freedns/", {"apikey": key or s.key, "domain": h, "ip": ip}),
             ('"ok": true', '"unaltered"', '"ok": false', '"ok": false')),
    "changeip": (lambda s, h, ip, key: s.send("/nic/update", {"hostname": h, "ip": ip}, login=(s.user, key or s.key)),
                 ("Successful", "Successful", "401 ", "422 ")),
    "ddnsfm": (lambda s, h, ip, key: s.send("/update", {"key": key or s.fake.host_secret(h), "domain": h, "myip": ip}),
               ("OK ", "OK ", "400 ERROR", "400 ERROR")),
    "ddnss": (lambda s, h, ip, key: s.send("/upd.php", {"key": key or s.key, "host": h, either(ip): ip}, f"ip{6 if ':' in ip else 4}.ddnss.de"),
              ("Updated 1 hostname.", "No change", "badauth", "nohost")),
    "ddojp": (lambda s, h, ip, key: s.send("/dnsupdate.php", {"dn": h, "pw": key or s.of(h), "ip": ip}), ("SUCCESS", "SUCCESS", "FAIL", "FAIL")),
    "dnsmadeeasy": (lambda s, h, ip, key: s.send("/servlet/updateip", {"username": s.user, "password": key or s.key, "id": s.of(h), "ip": ip}),
                    ("success", "error-record-ip-same", "error-auth", "error-record-invalid")),
    "dnsexit": (lambda s, h, ip, key: s.send("/dns/ud/", {"apikey": key or s.key, "host": h, "ip": ip}),
                ('"code": 0', '"code": 0', '"code": 2', '"code": 1')),
    "dnshome": (lambda s, h, ip, key: s.send("/dyndns.php", {either(ip): ip}, login=(h, key or s.of(h))), ("good ", "nochg ", "error - badauth", "error - nohost")),
    "domaindiscount24": (lambda s, h, ip, key: s.send("/update.php", {"hostname": h, "password": key or s.fake.host_secret(h), "ip": ip}),
                         ("code = 200", "code = 200", "invalid password", "Authorization failed")),
    "moniker": (lambda s, h, ip, key: s.send("/update.php", {"hostname": h, "password": key or s.fake.host_secret(h), "ip": ip}),
                ("code = 200", "code = 200", "invalid password", "Authorization failed")),
    "dondominio": (lambda s, h, ip, key: s.send("/plain/", {"user": s.user, "apikey": key or s.key, "host": h, "ip": ip}),
                   ("OK", "OK", "Invalid username", "not found")),
    "dslreports": (lambda s, h, ip, key: s.send("/nic/dyndns", {"action": "edit", "started": "1", "hostname": "YES", "host_id": s.of(h), "myip": ip},
                                                login=(s.user, key or s.key)), ("NOERROR", "NOERROR", "401 ", "NOHOST")),
    "duckdns": (lambda s, h, ip, key: s.send("/update", {"domains": h, "token": key or s.key, "ip": ip, "verbose": "true"}),
                ("OK", "NOCHANGE", "KO", "KO")),
    "duiadns": (lambda s, h, ip, key: s.send("/dynamic.duia", {"host": h, "password": key or s.key, "ip6" if ":" in ip else "ip4": ip},
                                             "ipv6.duiadns.net" if ":" in ip else None), ("", "", "401 ", "401 ")),
    "dynadot": (lambda s, h, ip, key: s.send("/set_ddns", {
        "domain": s.fake.zone if h.endswith(s.fake.zone) else "elsewhere.org", "subDomain": h.partition(".")[0], "type": "AAAA" if ":" in ip else "A",
        "ip": ip, "pwd": key or s.key, "ttl": "300", "containRoot": "false"}), ('"success"', '"success"', '"error_code": -1', '"error_code": -1')),
    "dynv6": (lambda s, h, ip, key: s.send("/api/update", {"zone": h, "token": key or s.key, "ipv6" if ":" in ip else "ipv4": ip}),
              ("addresses updated", "addresses unchanged", "401 ", "404 ")),
    "enom": (lambda s, h, ip, key: s.send("/interface.asp", {"Command": "SetDNSHost", "Zone": h, "DomainPassword": key or s.key, "Address": ip}),
             ("ErrCount=0", "ErrCount=0", "304155", "304153")),
    "freedns": (lambda s, h, ip, key: s.send(f"/u/{key or s.account['host_secrets6' if ':' in ip else 'host_secrets'].get(h, 'none')}/", {"address": ip}),
                ("Updated ", "No IP change", "404 ", "404 ")),
    "freemyip": (lambda s, h, ip, key: s.send("/update", {"token": key or s.fake.host_secret(h), "domain": h, "myip": ip}), ("OK", "OK", "ERROR", "ERROR")),
    "goip": (lambda s, h, ip, key: s.send("/setip", {"username": s.user, "password": key or s.key, "subdomain": h, either(ip): ip, "shortResponse": "true"}),
             ("(", "(", "verweigert", "verweigert")),
    "ipv64": (lambda s, h, ip, key: s.send("/nic/update", {"key": key or s.key, "domain": h, either(ip): ip}), ("good", "nochg", "401 ", "nohost")),
    "myaddr": (lambda s, h, ip, key: s.send("/update", method="POST", form={"key": key or s.of(h), "ip": ip}), ("OK", "OK", "400 invalid", "400 invalid")),
    "myonlineportal": (lambda s, h, ip, key: s.send("/updateddns", {"hostname": h, either(ip): ip}, login=(s.user, key or s.key)),
                       ("good", "nochg", "401", "nohost")),
    "namecheap": (lambda s, h, ip, key: s.send("/update", {
        "host": h.partition(".")[0], "domain": h.partition(".")[2], "password": key or s.key, "ip": ip}),
        ("<ErrCount>0</ErrCount>", "<ErrCount>0</ErrCount>", "304156", "380091")),
    "njalla": (lambda s, h, ip, key: s.send("/update/", {"h": h, "k": key or s.fake.host_secret(h), "aaaa" if ":" in ip else "a": ip}),
               ("record updated", "record updated", "401", "401")),
    "regfish": (lambda s, h, ip, key: s.send("/", {"fqdn": h, "token": key or s.key, "ipv6" if ":" in ip else "ipv4": ip, "forcehost": "1"}),
                ("success|100", "success|101", "failure|401", "failure|412")),
    "sitelutions": (lambda s, h, ip, key: s.send("/dnsup", {"id": s.of(h), "user": s.user, "pass": key or s.key, "ip": ip}),
                    ("success", "success", "noauth", "noauth")),
    "zoneedit": (lambda s, h, ip, key: s.send("/auth/dynamic.html", {"host": h, "dnsto": ip}, login=(s.user, key or s.key)),
                 ('CODE="200"', 'CODE="201"', "401 ", 'CODE="701"')),
    "dinahosting": (lambda s, h, ip, key: s.send("/special/api.php", {
        "hostname": h.partition(".")[0], "domain": h.partition(".")[2], "command": f"Domain_Zone_UpdateType{'AAAA' if ':' in ip else 'A'}", "ip": ip,
        "responseType": "Json"}, login=(s.user, key or s.key)), ('"responseCode": 1000', '"responseCode": 1000', "2200", ": 2")),
    "directnic": (lambda s, h, ip, key: s.send(f"/dns/gateway/{key or s.account['host_secrets6' if ':' in ip else 'host_secrets'].get(h, 'none')}/",
                                               {"data": ip}), ('"success"', '"success"', '"error"', '"error"')),
    "beget": (lambda s, h, ip, key: s.send("/api/dns/changeRecords", method="POST", form={
        "login": s.user, "passwd": key or s.key, "input_format": "json", "output_format": "json",
        "input_data": json.dumps({"fqdn": h, "records": {"A": [{"value": ip, "priority": 10}]}})}),
        ('"result"', '"result"', "AUTH_ERROR", "METHOD_FAILED")),
}
WHOLE_ACCOUNT = {  # the request names no host
    "gira": lambda s, ip, key: s.send("/hsdyndns.php", {"u": s.user, "p": key or s.key, "ip": ip}),
    "mydns": lambda s, ip, key: s.send("/directip.html", {"MID": s.user, "PWD": key or s.key, "IPV6ADDR" if ":" in ip else "IPV4ADDR": ip}),
}
CONNECTION = {  # no parameter for an address is known
    "no-ip-pl": lambda s: s.send("/", {"hostname": s.a}, login=(s.user, s.key)),
}
KEYED = {"freedns", "myaddr", "directnic", "dnsmadeeasy", "sitelutions", "dslreports"}  # a key or id stands for the host
PER_HOST = {"ddnsfm", "ddojp", "dnshome", "domaindiscount24", "moniker", "freemyip", "njalla"}
APIS = {"cloudns", "dnspod", "dreamhost", "mythicbeasts", "namesilo"}


class Services(unittest.TestCase):
    def each(self):
        for name, (ask, texts) in SIMPLE.items():
            service = Ask(name)
            service.fake.window = None  # rates have tests of their own
            yield name, service, ask, texts

    def test_every_service_has_a_row_here(self):
        found = {name for name, kind in fakes.classes().items() if kind.__module__.rpartition(".")[2] in MODULES}
        self.assertEqual(found, set(SIMPLE) | set(WHOLE_ACCOUNT) | set(CONNECTION) | APIS)
        gone = {service for service, *_ in dead.DEAD}
        self.assertEqual({kind.service for kind in fakes.classes().values()} & gone, set())

    def test_every_service_names_its_source(self):
        for name, kind in fakes.classes().items():
            with self.subTest(name):
                self.assertRegex(kind.source, "^https?://")
                self.assertRegex(kind.read, r"^2026-\d\d-\d\d$")
                self.assertTrue(kind.hosts and kind.service)

    def test_an_update_is_accepted_and_a_repeat_changes_nothing(self):
        for name, service, ask, (good, same, _, _) in self.each():
            with self.subTest(name):
                self.assertIn(good, ask(service, service.a, V4, None))
                self.assertIn(same, ask(service, service.a, V4, None))
                self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], []))
                self.assertIn(good.replace(V4, NEXT), ask(service, service.a, NEXT, None))
                self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([NEXT], []))

    def test_a_family_that_is_not_named_is_kept(self):
        for name, service, ask, (good, _, _, _) in self.each():
            with self.subTest(name):
                ask(service, service.a, V4, None)
                reply = ask(service, service.a, V6, None)
                if "AAAA" not in service.fake.families or name == "beget":
                    self.assertEqual((service.fake.values(service.a, "AAAA"), bool(service.rules())), ([], True))
                    continue
                self.assertIn(good, reply)
                self.assertEqual((service.fake.values(service.a, "A"), service.fake.values(service.a, "AAAA"), service.rules()), ([V4], [V6], []))

    def test_wrong_credentials_change_nothing_and_must_not_be_sent_again(self):
        for name, service, ask, (_, _, denied, _) in self.each():
            with self.subTest(name):
                self.assertIn(denied, ask(service, service.a, V4, "wrong"))
                self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([], ["wrong-credentials"]))
                ask(service, service.a, V4, "wrong")
                self.assertIn("resend-after-stop", service.rules())

    def test_a_name_that_is_not_the_accounts_is_refused(self):
        for name, service, ask, (_, _, _, unknown) in self.each():
            with self.subTest(name):
                if name in KEYED or name in PER_HOST:
                    continue
                self.assertIn(unknown, ask(service, "a.elsewhere.org", V4, None))
                self.assertEqual((service.fake.records, bool(service.rules())), ({}, True))

    def test_a_name_that_the_service_refuses_is_no_breach_until_it_comes_again(self):
        for name, service, ask, (_, _, _, unknown) in self.each():
            with self.subTest(name):
                service.fake.bad.add(service.a)
                self.assertIn(unknown, ask(service, service.a, V4, None))
                self.assertEqual((service.fake.records, service.rules()), ({}, []))
                ask(service, service.a, V4, None)
                self.assertEqual(service.rules(), ["resend-after-stop"])

    def test_what_is_no_address_is_refused(self):
        for name, service, ask, _ in self.each():
            with self.subTest(name):
                for text in ("192.0.2.300", "192.0.2.1/32", "fe80::1%eth0", "a"):
                    ask(service, service.a, text, None)
                    self.assertEqual((service.fake.records, bool(service.rules())), ({}, True), text)

    def test_parameters_that_are_not_documented_are_refused(self):
        for name, service, ask, _ in self.each():
            with self.subTest(name):
                plain = base.Request

            def more(method, target, *rest):
                return plain(method, target + ("&" if "?" in target else "?") + "nonsense=1", *rest)
            base.Request = more
            try:
                ask(service, service.a, V4, None)
            finally:
                base.Request = plain
            self.assertEqual((service.fake.records, "unknown-parameter" in service.rules()), ({}, True))

    def test_another_path_or_method_is_refused(self):
        for name, service, ask, _ in self.each():
            with self.subTest(name):
                send = service.send
                for change in ({"path": "/elsewhere"}, {"method": "PATCH"}):
                    service.send = lambda path, *rest, change=change, **more: send(change.get("path", path), *rest, **{
                        **more, **{key: value for key, value in change.items() if key == "method"}})
                    ask(service, service.a, V4, None)
                    self.assertEqual((service.fake.records, bool(service.rules())), ({}, True), change)

    def test_faults_do_not_apply(self):
        for name, service, ask, _ in self.each():
            with self.subTest(name):
                service.fake.script = ["500", "denied", "429"]
                replies = [ask(service, service.a, V4, None) for _ in range(3)]
                self.assertEqual((service.fake.records, service.rules()), ({}, []))
                self.assertTrue(replies[0].startswith("500 "))
                ask(service, service.a, V4, None)
                self.assertEqual(service.fake.values(service.a, "A"), [V4])

    def test_services_whose_account_is_the_host(self):
        for name, ask in WHOLE_ACCOUNT.items():
            with self.subTest(name):
                service = Ask(name)
                self.assertIn("OK", ask(service, V4, None))
                self.assertIn("OK", ask(service, V6, None))
                self.assertEqual((service.fake.values(service.a, "A"), service.fake.values(service.b, "AAAA"), service.rules()), ([V4], [V6], []))
                self.assertNotIn("OK", ask(service, NEXT, "wrong"))
                self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], ["wrong-credentials"]))

    def test_services_that_take_the_address_of_the_connection_are_noted(self):
        for name, ask in CONNECTION.items():
            with self.subTest(name):
                service = Ask(name)
                ask(service)
                self.assertEqual((list(service.fake.records.values())[0][1], service.rules()), ([simple.DETECTED["A"]], ["address-of-connection"]))


class Peculiarities(unittest.TestCase):
    def test_an_omitted_address_is_the_connections(self):
        service = Ask("duckdns")
        service.send("/update", {"domains": "a", "token": service.key})
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([simple.DETECTED["A"]], ["address-of-connection"]))

    def test_duckdns_lists_both_families_and_clear(self):
        service = Ask("duckdns")
        pairs = {"domains": "a,b", "token": service.key, "ip": V4, "ipv6": V6, "verbose": "true"}
        self.assertEqual(service.send("/update", pairs), f"OK\n{V4}\n{V6}\nUPDATED")
        self.assertEqual(len(service.fake.records), 4)
        service.fake.bad.add(service.b)
        self.assertEqual((service.send("/update", {**pairs, "ip": NEXT}), service.fake.values(service.a, "A")), ("KO", [V4]))
        self.assertEqual(service.send("/update", {"domains": "a", "token": service.key, "clear": "true"}), "OK")
        self.assertEqual((len(service.fake.records), service.rules()), (2, []))

    def test_dynadot_wants_what_its_own_client_sends(self):
        service = Ask("dynadot")
        pairs = {"domain": service.fake.zone, "subDomain": "a,b", "type": "A", "ip": V4, "pwd": service.key, "ttl": "600", "containRoot": "true"}
        self.assertEqual(service.send("/set_ddns", pairs), '{"status": "success"}')
        self.assertEqual((len(service.fake.records), service.fake.records[service.a, "A"], service.rules()), (3, (600, [V4]), []))
        for name in ("subDomain", "type", "ttl", "containRoot"):
            self.assertIn("-1", service.send("/set_ddns", {key: value for key, value in pairs.items() if key != name}))
            self.assertEqual(service.rules(), ["missing-parameter"], name)
        self.assertIn("-1", service.send("/set_ddns", {**pairs, "ip": V6}))
        self.assertIn("parameter-value", service.rules())

    def test_dynv6_removes_by_a_dash_and_shifts_prefixes(self):
        service = Ask("dynv6")
        pairs = {"zone": service.a, "token": service.key, "ipv4": V4, "ipv6": V6}
        service.send("/api/update", pairs)
        service.send("/api/update", {**pairs, "ipv4": "-"})
        self.assertEqual((list(service.fake.records), service.rules()), ([(service.a, "AAAA")], []))
        service.send("/api/update", {**pairs, "ipv6prefix": "2001:db8:1::/64"})
        self.assertEqual(service.rules(), ["prefix"])

    def test_duiadns_has_a_host_for_each_family_and_a_word_to_remove_one(self):
        service = Ask("duiadns")
        pairs = {"host": service.a, "password": service.key}
        service.send("/dynamic.duia", {**pairs, "ip4": V4, "ip6": V6})
        self.assertEqual((len(service.fake.records), service.rules()), (2, []))
        service.send("/dynamic.duia", {**pairs, "ip6": "none"}, "ipv6.duiadns.net")
        self.assertEqual((service.fake.records, service.rules()), ({(service.a, "A"): (60, [V4])}, []))
        self.assertEqual(service.send("/dynamic.duia", {**pairs, "ip4": NEXT}, "ipv6.duiadns.net"), "400 ")
        self.assertEqual(service.send("/dynamic.duia", {**pairs, "password": service.fake.password(), "ip4": NEXT}), "401 ")
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], ["host", "wrong-credentials"]))

    def test_ddnss_has_a_host_for_each_family(self):
        service = Ask("ddnss")
        pairs = {"key": service.key, "host": f"{service.a},{service.b}", "ip": V4}
        self.assertEqual(service.send("/upd.php", {**pairs, "ip6": V6}, "www.ddnss.de"), "Updated 2 hostnames.")
        self.assertEqual((len(service.fake.records), service.rules()), (4, []))
        service.send("/upd.php", pairs, "ip6.ddnss.de")
        self.assertEqual(service.rules(), ["host"])

    def test_intervals_are_kept(self):
        for name, seconds, refusal in (("domaindiscount24", 1800, "abuse prevention"), ("zoneedit", 600, 'CODE="707"'), ("dnsexit", 240, "4 minutes")):
            with self.subTest(name):
                service, ask = Ask(name), SIMPLE[name][0]
                service.fake.interval = type(service.fake).interval
                self.assertEqual(service.fake.interval, seconds)
                ask(service, service.a, V4, None)
                service.now += seconds - 1
                self.assertIn(refusal, ask(service, service.a, NEXT, None))
                self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], ["too-often"]))
                service.now += 1
                ask(service, service.a, NEXT, None)
                self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([NEXT], []))

    def test_ipv64_takes_three_requests_in_ten_seconds_and_other_ways_to_log_in(self):
        service, ask = Ask("ipv64"), SIMPLE["ipv64"][0]
        for _ in range(3):
            ask(service, service.a, V4, None)
        self.assertEqual((ask(service, service.a, NEXT, None)[:3], service.rules()), ("429", ["rate"]))
        service.now += 10
        service.send("/update", {"host": service.a, "myip": NEXT}, headers=[("Authorization", f"Bearer {service.key}")])
        service.send("/update", {"host": service.b, "myip": NEXT}, login=("none", service.key))
        self.assertEqual((service.fake.values(service.a, "A"), service.fake.values(service.b, "A"), service.rules()), ([NEXT], [NEXT], []))

    def test_moniker_and_domaindiscount24_share_a_server(self):
        one, other = Ask("moniker"), Ask("domaindiscount24")
        request = base.Request("GET", f"/update.php?hostname={one.a}", [])
        self.assertEqual((one.fake.claims(request), other.fake.claims(request)), (True, False))

    def test_dinahosting_takes_json_as_its_own_client_sends_it(self):
        service = Ask("dinahosting")
        made = service.fake.host("made-later")

        def ask(command, host, ip, zone=service.fake.zone):
            params = {"domain": zone, "hostname": host, "ip": ip}
            return json.loads(service.send("/special/api.php", method="POST", data={"method": command, "params": params}, login=(service.user, service.key)))

        self.assertEqual(ask("Domain_Zone_UpdateTypeA", "a", V4)["responseCode"], 1000)
        self.assertEqual(ask("Domain_Zone_UpdateTypeA", "made-later", V4)["errors"][0]["code"], 2303)
        self.assertEqual(ask("Domain_Zone_AddTypeA", "made-later", V4)["responseCode"], 1000)
        self.assertEqual(ask("Domain_Zone_UpdateTypeA", "made-later", NEXT)["responseCode"], 1000)
        self.assertEqual((service.fake.values(service.a, "A"), service.fake.values(made, "A"), service.rules()), ([V4], [NEXT], []))
        self.assertEqual(ask("Domain_Zone_UpdateTypeAAAA", "a", V4)["responseCode"], 2001)
        self.assertEqual(ask("Domain_Zone_UpdateTypeA", "a", V4, "elsewhere.org")["responseCode"], 2201)
        self.assertEqual(ask("Domain_Zone_DropTypeA", "a", V4)["responseCode"], 2001)
        self.assertEqual(service.rules(), ["parameter-value", "unknown-host", "parameter-value"])

    def test_dinahosting_answers_in_the_form_that_is_asked_for(self):
        service = Ask("dinahosting")
        form = {"domain": service.fake.zone, "hostname": "a", "ip": V4, "command": "Domain_Zone_UpdateTypeA", "oldIp": ""}
        reply = service.send("/special/api.php", method="POST", form={**form, "responseType": "Xml"}, login=(service.user, service.key))
        self.assertIn("<responseCode>1000</responseCode>", reply)
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], []))
        service.send("/special/api.php", {**form, "ip": NEXT}, login=(service.user, service.key))
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], ["parameter-value"]))

    def test_enom_takes_a_host_within_its_zone_and_xml(self):
        service = Ask("enom")
        pairs = {"command": "setdnshost", "zone": service.fake.zone, "hostname": "a", "domainpassword": service.key, "address": V4, "responsetype": "xml"}
        self.assertIn("<ErrCount>0</ErrCount>", service.send("/interface.asp", pairs))
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], []))

    def test_freedns_version_1_has_a_bare_key(self):
        service = Ask("freedns")
        target = f"/dynamic/update.php?{service.of(service.a)}&address={V4}"
        self.assertIn("Updated", service.send(target, host="freedns.afraid.org"))
        self.assertIn("has not changed", service.send(target, host="freedns.afraid.org"))
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], []))

    def test_freedns_has_a_token_for_each_record_and_a_slash_behind_it(self):
        service = Ask("freedns")
        token, other = service.of(service.a), service.account["host_secrets6"][service.a]
        self.assertIn(f"to {V4}", service.send(f"/u/{token}/", {"ip": V4}))
        self.assertEqual(service.send(f"/u/{token}/", {"ip": NEXT}), f"Updated {service.a} from {V4} to {NEXT}\n")
        self.assertIn(f"to {V6}", service.send(f"/u/{other}/", {"address": V6}, "v6.sync.afraid.org"))
        self.assertEqual((len(service.fake.records), service.rules()), (2, []))
        for path, pairs, rule in ((f"/u/{token}", {"ip": V4}, "path"), (f"/u/{token}/", {"address": V6}, "record-type"),
                                  (f"/u/{other}/", {"address": V4}, "record-type"), (f"/u/{token}/", {"address": V4, "ip": V4}, "parameter-twice")):
            self.assertNotIn("Updated", service.send(path, pairs), rule)
            self.assertEqual(service.rules(), [rule])

    def test_freemyip_names_the_domain_in_full(self):
        service = Ask("freemyip")
        pairs = {"token": service.fake.host_secret(service.a), "domain": service.a, "myip": V4, "verbose": "yes"}
        self.assertEqual((service.send("/update", pairs), service.rules()), ("OK\n", []))
        service.send("/update", {**pairs, "verbose": "1"})
        service.send("/update", {**pairs, "domain": "a"})
        self.assertEqual(service.rules(), ["parameter-value", "wrong-credentials"])

    def test_njalla_takes_words_without_a_value(self):
        service = Ask("njalla")
        self.assertEqual(service.send(f"/update/?h={service.a}&k={service.fake.host_secret(service.a)}&a={V4}&quiet"), "")
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4], []))

    def test_myaddr_takes_json_and_deletes(self):
        service = Ask("myaddr")
        self.assertEqual(service.send("/update", method="PUT", data={"key": service.of(service.a), "ip": V4}), "OK")
        self.assertEqual(service.send("/update", {"key": service.of(service.a), "ip": V6}), "OK")
        self.assertEqual((len(service.fake.records), service.rules()), (2, []))
        self.assertEqual(service.send("/update", {"key": service.of(service.a)}, method="DELETE")[:3], "204")
        self.assertEqual((service.fake.records, service.rules()), ({}, []))

    def test_dnsexit_has_records_as_json(self):
        service = Ask("dnsexit")
        body = {"apikey": service.key, "domain": service.fake.zone, "update": [{"type": "A", "name": "a", "content": V4, "ttl": 5}]}
        self.assertIn('"code": 0', service.send("/dns/", method="POST", data=body))
        self.assertEqual((service.fake.records, service.rules()), ({(service.a, "A"): (300, [V4])}, []))
        gone = {"apikey": service.key, "domain": service.fake.zone, "delete": {"type": "A", "name": "a"}}
        self.assertIn('"code": 0', service.send("/dns/", method="POST", data=gone))
        self.assertIn('"code": 5', service.send("/dns/", method="POST", data={**body, "update": {"type": "WKS", "name": "a", "content": V4}}))
        self.assertEqual((service.fake.records, service.rules()), ({}, ["record-type"]))

    def test_beget_replaces_every_type_of_the_name(self):
        service = Ask("beget")
        form = {"login": service.user, "passwd": service.key, "input_format": "json", "output_format": "json"}
        for records in ({"A": [{"value": V4}], "AAAA": [{"value": V6}]}, {"A": [{"value": NEXT}]}):
            data = json.dumps({"fqdn": service.a, "records": records})
            service.send("/api/dns/changeRecords", method="POST", form={**form, "input_data": data})
        self.assertEqual((list(service.fake.records), service.rules()), ([(service.a, "A")], []))


class Apis(unittest.TestCase):
    def test_cloudns(self):
        service = Ask("cloudns")
        login = {"auth-id": service.user, "auth-password": service.key, "domain-name": service.fake.zone}
        new = {**login, "record-type": "A", "host": "a", "record": V4, "ttl": "60"}
        self.assertIn("Success", service.send("/dns/add-record.json", method="POST", form=new))
        rows = json.loads(service.send("/dns/records.json", {**login, "host": "a", "type": "a"}))
        (number, row), = rows.items()
        self.assertEqual((row["id"], row["record"], service.fake.lookups), (number, V4, 1))
        change = {**login, "record-id": number, "host": "a", "record": NEXT, "ttl": "60"}
        self.assertIn("Success", service.send("/dns/mod-record.json", change))
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([NEXT], []))
        self.assertIn("Invalid TTL", service.send("/dns/mod-record.json", {**change, "ttl": "61"}))
        self.assertIn("incorrect auth-id", service.send("/dns/mod-record.json", {**change, "auth-password": "x"}))
        self.assertIn("Failed", service.send("/dns/mod-record.json", {**change, "host": "@"}))
        self.assertIn("Missing domain-name", service.send("/dns/records.json", {**login, "domain-name": "elsewhere.org"}))
        self.assertIn("Success", service.send("/dns/delete-record.json", {**login, "record-id": number}))
        self.assertEqual((service.fake.records, service.rules()), ({}, ["ttl", "wrong-credentials", "parameter-value", "unknown-zone"]))
        self.assertIn("sub-auth-user", service.send("/dns/login.json", {"sub-auth-id": "1", "auth-password": service.key}))

    def test_cloudns_lists_by_pages_and_an_empty_host_is_no_filter(self):
        service = Ask("cloudns")
        service.fake.limits_hold = False
        login = {"auth-id": service.user, "auth-password": service.key, "domain-name": service.fake.zone}
        for host, value in (("", V4), ("b", NEXT), ("b", V6)):
            service.send("/dns/add-record.json", {**login, "host": host, "record-type": "AAAA" if ":" in value else "A", "record": value, "ttl": "60"})
        for more, found in (({}, [V4, NEXT, V6]), ({"host": ""}, [V4, NEXT, V6]), ({"host": "b", "type": "A"}, [NEXT]), ({"type": "MX"}, [V4, NEXT, V6]),
                            ({"rows-per-page": "10", "page": "1"}, [V4, NEXT, V6])):
            rows = json.loads(service.send("/dns/records.json", {**login, **more}))
            self.assertEqual([row["record"] for row in rows.values()], found, more)
        self.assertEqual(service.send("/dns/records.json", {**login, "host": "none"}), "[]")
        self.assertEqual(service.send("/dns/records.json", {**login, "rows-per-page": "10", "page": "2"}), "[]")
        self.assertEqual(service.rules(), [])
        service.send("/dns/records.json", {**login, "rows-per-page": "7"})
        self.assertEqual(service.rules(), ["parameter-value"])

    def test_cloudns_takes_so_many_requests_a_second_a_minute_and_an_hour(self):
        service = Ask("cloudns")
        login = {"auth-id": service.user, "auth-password": service.key}
        for i in range(600):
            service.now += 0.06
            service.send("/dns/login.json", login)
        self.assertEqual(service.rules(), [])
        self.assertIn("Request blocked.", service.send("/dns/login.json", login))
        self.assertEqual(service.rules(), ["rate"])
        service.now += 60
        for _ in range(21):
            service.send("/dns/login.json", login)
        self.assertEqual(service.rules(), ["rate"])

    def test_dnspod(self):
        service = Ask("dnspod")
        form = {"login_token": f"{service.user},{service.key}", "format": "json", "domain": service.fake.zone}

        def ask(call, **more):
            reply = json.loads(service.send(f"/Record.{call}", method="POST", form={**form, **more}))
            return reply["status"]["code"], reply

        self.assertEqual(ask("List", sub_domain="a")[0], "10")
        number = ask("Create", sub_domain="a", record_type="A", record_line="默认", value=V4)[1]["record"]["id"]
        self.assertEqual(ask("List", sub_domain="a")[1]["records"][0]["id"], number)
        change = {"record_id": number, "sub_domain": "a", "record_line_id": "0"}
        self.assertEqual(ask("Ddns", **change, value=NEXT)[0], "1")
        self.assertEqual((service.fake.values(service.a, "A"), service.fake.lookups, service.rules()), ([NEXT], 2, []))
        codes = [ask("Ddns", **change, value=NEXT)[0] for _ in range(7)]
        self.assertEqual((codes, service.rules()), (["1"] * 6 + ["21"], ["unchanged", "locked-record"]))
        service.now += 3600
        self.assertEqual(ask("Ddns", **change, value=V4)[0], "1")
        self.assertEqual(ask("Remove", record_id=number)[0], "1")
        self.assertEqual((service.fake.records, service.rules()), ({}, []))
        form["login_token"] = "1,2"
        self.assertEqual((ask("List")[0], service.rules()), ("-1", ["wrong-credentials"]))
        service.send("/Record.List", method="POST", form=form, agent="muster")
        self.assertIn("user-agent", service.rules())

    def test_dreamhost(self):
        service = Ask("dreamhost")
        pairs = {"key": service.key, "format": "json", "record": service.a, "type": "A"}

        def ask(command, **more):
            reply = json.loads(service.send("/", {**pairs, "cmd": command, **more}))
            return reply["data"]

        self.assertEqual(ask("dns-add_record", value=V4, unique_id="1"), "record_added")
        self.assertEqual(ask("dns-add_record", value=NEXT, unique_id="1"), "unique_id_already_used")
        self.assertEqual(ask("dns-add_record", value=NEXT, unique_id="2"), "record_added")
        self.assertEqual(service.fake.values(service.a, "A"), [V4, NEXT])
        self.assertEqual(ask("dns-remove_record", value=V4), "record_removed")
        self.assertEqual(ask("dns-remove_record", value=V4), "no_such_value")
        rows = json.loads(service.send("/", {"key": service.key, "format": "json", "cmd": "dns-list_records"}))["data"]
        self.assertEqual(([row["value"] for row in rows], service.rules()), ([NEXT], ["unique-id", "no-such-record"]))

    def test_mythic_beasts(self):
        service = Ask("mythicbeasts")
        path, login = f"/dns/v2/zones/{service.fake.zone}/records/a/A", (service.user, service.key)
        put = {"records": [{"host": "a", "type": "A", "ttl": 60, "data": V4}]}
        self.assertIn("1 records added", service.send(path, method="PUT", data=put, login=login))
        self.assertIn(V4, service.send(path, login=login))
        self.assertEqual((service.fake.records, service.fake.lookups, service.rules()), ({(service.a, "A"): (60, [V4])}, 1, []))
        self.assertIn("400", service.send(path, method="PUT", data={"records": [{"data": V6}]}, login=login))
        self.assertIn("401", service.send(path, method="PUT", data=put, login=("x", "y")))
        self.assertEqual(service.rules(), ["bad-address", "body", "wrong-credentials"])
        self.assertIn("1 records removed", service.send(path, method="DELETE", login=login))
        service.send(f"/dns/v2/dynamic/{service.a}", method="POST", login=login)
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([simple.DETECTED["A"]], ["address-of-connection"]))

    def test_namesilo(self):
        service = Ask("namesilo")
        pairs = {"version": "1", "type": "xml", "key": service.key, "domain": service.fake.zone}
        self.assertIn("<code>300</code>", service.send("/api/dnsAddRecord", {**pairs, "rrtype": "A", "rrhost": "a", "rrvalue": V4, "rrttl": "3600"}))
        reply = json.loads(service.send("/api/dnsListRecords", {**pairs, "type": "json"}))["reply"]
        number = reply["resource_record"][0]["record_id"]
        change = {**pairs, "rrid": number, "rrhost": "a", "rrvalue": NEXT}
        self.assertIn("<code>300</code>", service.send("/api/dnsUpdateRecord", change))
        self.assertEqual((service.fake.records, service.rules()), ({(service.a, "A"): (7207, [NEXT])}, []))
        self.assertIn("<code>280</code>", service.send("/api/dnsUpdateRecord", change))
        self.assertEqual(service.rules(), ["record-id"])
        self.assertIn("<code>110</code>", service.send("/api/dnsListRecords", {**pairs, "key": "x"}))
        self.assertIn("<code>280</code>", service.send("/api/dnsAddRecord", {**pairs, "rrtype": "A", "rrhost": "b", "rrvalue": V4, "rrttl": "60"}))
        self.assertEqual(service.rules(), ["wrong-credentials", "ttl"])
        self.assertIn("<code>108</code>", service.send("/api/dnsListRecords", {**pairs, "type": "text"}))
        self.assertIn("<code>200</code>", service.send("/api/dnsListRecords", {**pairs, "domain": "elsewhere.org"}))
        self.assertIn("<code>280</code>", service.send("/api/dnsDeleteRecord", {**pairs, "rrid": number}))
        self.assertEqual(service.rules(), ["parameter-value", "unknown-zone", "record-id"])
        service.fake.script = ["429"]
        self.assertIn("<code>400</code>", service.send("/api/dnsAddRecord", {**pairs, "rrtype": "A", "rrhost": "c", "rrvalue": V4}))
        self.assertEqual((list(service.fake.records), service.rules()), ([(service.a, "A")], []))


if __name__ == "__main__":
    unittest.main()
