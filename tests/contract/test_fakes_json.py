# SPDX-License-Identifier: Apache-2.0
"""The fakes of the JSON services: documented requests are accepted, breaches refused, and only what was
accepted is in the zone. Requests go to the fakes as bytes would, without a socket."""
import base64
import copy
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fakes  # noqa: E402
from fakes import base  # noqa: E402

V4, NEXT, V6 = "192.0.2.10", "192.0.2.11", "2001:db8::10"


class Api:
    def __init__(self, name, headers):
        self.fake = fakes.classes()[name]()
        self.fake.window = None  # rates have a test of their own
        self.account, self.zone, self.a = self.fake.account(), self.fake.zone, self.fake.host("a")
        self.headers = headers(self.account)

    def ask(self, method, path, data=None, headers=None):
        fields = [("User-Agent", "muster-selftest/1.0"), *(self.headers if headers is None else headers).items()]
        body = b"" if data is None else json.dumps(data).encode()
        if body:
            fields.append(("Content-Type", "application/json"))
        reply, _, _ = self.fake.serve(base.Request(method, path.replace("ZONE", self.zone), fields, body, self.fake.hosts[0]))
        self.reply = json.loads(reply.body) if reply.body else None
        return reply.status

    def rules(self):
        found, self.fake.violations = [rule for rule, _ in self.fake.violations], []
        return found


def keys(account):
    return {"apikey": account["username"], "secretapikey": account["password"]}


def rrset(ip, rtype="A"):
    return {"name": "a", "type": rtype, "ttl": 600, "records": [{"content": ip}]}


def scaleway(ip, rtype="A", ttl=600):
    return {"changes": [{"set": {"id_fields": {"name": "a", "type": rtype}, "records": [{"data": ip, "name": "a", "type": rtype, "ttl": ttl}]}}]}


# name: headers(account), then the calls that make, change and delete a.ZONE A (method, path, body(address, api)), the TTL that they set
SERVICES = {
    "gandi": (lambda a: {"Authorization": f"Bearer {a['password']}"},
              ("PUT", "/v5/livedns/domains/ZONE/records/a/A", lambda ip, s: {"rrset_values": [ip], "rrset_ttl": 600}),
              ("PUT", "/v5/livedns/domains/ZONE/records/a/A", lambda ip, s: {"rrset_values": [ip], "rrset_ttl": 600}),
              ("DELETE", "/v5/livedns/domains/ZONE/records/a/A", None)),
    "godaddy": (lambda a: {"Authorization": f"sso-key {a['username']}:{a['password']}"},
                ("PUT", "/v1/domains/ZONE/records/A/a", lambda ip, s: [{"data": ip, "ttl": 600}]),
                ("PUT", "/v1/domains/ZONE/records/A/a", lambda ip, s: [{"data": ip, "ttl": 600}]),
                ("DELETE", "/v1/domains/ZONE/records/A/a", None)),
    "hetzner": (lambda a: {"Authorization": f"Bearer {a['password']}"},
                      ("POST", "/v1/zones/ZONE/rrsets", lambda ip, s: {"name": "a", "type": "A", "ttl": 600, "records": [{"value": ip}]}),
                      ("POST", "/v1/zones/ZONE/rrsets/a/A/actions/set_records", lambda ip, s: {"records": [{"value": ip}]}),
                      ("DELETE", "/v1/zones/ZONE/rrsets/a/A", None)),
    "ns1": (lambda a: {"X-NSONE-Key": a["password"]},
            ("PUT", "/v1/zones/ZONE/a.ZONE/A", lambda ip, s: {"zone": s.zone, "domain": s.a, "type": "A", "ttl": 600, "answers": [{"answer": [ip]}]}),
            ("POST", "/v1/zones/ZONE/a.ZONE/A", lambda ip, s: {"answers": [{"answer": [ip]}]}),
            ("DELETE", "/v1/zones/ZONE/a.ZONE/A", None)),
    "gcore": (lambda a: {"Authorization": f"APIKey {a['password']}"},
              ("POST", "/dns/v2/zones/ZONE/a.ZONE/A", lambda ip, s: {"ttl": 600, "resource_records": [{"content": [ip]}]}),
              ("PUT", "/dns/v2/zones/ZONE/a.ZONE/A", lambda ip, s: {"ttl": 600, "resource_records": [{"content": [ip], "enabled": True}]}),
              ("DELETE", "/dns/v2/zones/ZONE/a.ZONE/A", None)),
    "porkbun": (lambda a: {},
                ("POST", "/api/json/v3/dns/create/ZONE", lambda ip, s: {**keys(s.account), "name": "a", "type": "A", "content": ip, "ttl": "600"}),
                ("POST", "/api/json/v3/dns/editByNameType/ZONE/A/a", lambda ip, s: {**keys(s.account), "content": ip, "ttl": 600}),
                ("POST", "/api/json/v3/dns/deleteByNameType/ZONE/A/a", lambda ip, s: keys(s.account))),
    "hostinger": (lambda a: {"Authorization": f"Bearer {a['password']}"},
                  ("PUT", "/api/dns/v1/zones/ZONE", lambda ip, s: {"overwrite": True, "zone": [rrset(ip)]}),
                  ("PUT", "/api/dns/v1/zones/ZONE", lambda ip, s: {"zone": [rrset(ip)]}),
                  ("DELETE", "/api/dns/v1/zones/ZONE", lambda ip, s: {"filters": [{"name": "a", "type": "A"}]})),
    "scaleway": (lambda a: {"X-Auth-Token": a["password"]},
                 ("PATCH", "/domain/v2beta1/dns-zones/ZONE/records", lambda ip, s: scaleway(ip)),
                 ("PATCH", "/domain/v2beta1/dns-zones/ZONE/records", lambda ip, s: scaleway(ip)),
                 ("PATCH", "/domain/v2beta1/dns-zones/ZONE/records", lambda ip, s: {"changes": [{"delete": {"id_fields": {"name": "a", "type": "A"}}}]})),
    "servercow": (lambda a: {"X-Auth-Username": a["username"], "X-Auth-Password": a["password"]},
                  ("POST", "/dns/v1/domains/ZONE", lambda ip, s: {"type": "A", "name": "a", "content": ip, "ttl": 600}),
                  ("POST", "/dns/v1/domains/ZONE", lambda ip, s: {"type": "A", "name": "a", "content": ip, "ttl": "600"}),
                  ("DELETE", "/dns/v1/domains/ZONE", lambda ip, s: {"type": "A", "name": "a"})),
}


class Services(unittest.TestCase):
    def services(self):
        for name, (headers, *calls) in SERVICES.items():
            service = Api(name, headers)

            def send(call, ip=V4, change=None, service=service, **more):
                method, path, body = call
                data = body(ip, service) if body else None
                return service.ask(method, path, change(copy.deepcopy(data)) if change else data, **more)
            yield name, service, send, calls

    def test_records_are_made_changed_and_deleted(self):
        for name, service, send, (make, change, delete) in self.services():
            with self.subTest(name):
                self.assertIn(send(make), (200, 201))
                self.assertEqual(service.fake.records, {(service.a, "A"): (600, [V4])})
                self.assertIn(send(change, NEXT), (200, 201))
                self.assertEqual(service.fake.records, {(service.a, "A"): (600, [NEXT])})
                self.assertIn(send(change, NEXT), (200, 201))
                self.assertIn(send(delete), (200, 201, 204))
                self.assertEqual((service.fake.records, service.rules()), ({}, []))

    def test_wrong_credentials_change_nothing(self):
        for name, service, send, (make, _, _) in self.services():
            with self.subTest(name):
                if name == "porkbun":
                    status = send(make, change=lambda data: {**data, "apikey": "wrong"})
                else:
                    status = send(make, headers={key: value[:-1] + "!" for key, value in service.headers.items()})
                self.assertIn(status, {"porkbun": (400,), "servercow": (200,)}.get(name, (401,)))
                self.assertEqual((service.fake.records, service.rules()), ({}, ["wrong-credentials"]))

    def test_bodies_that_are_not_as_documented_are_refused(self):
        for name, service, send, (make, _, _) in self.services():
            with self.subTest(name):
                for bad in ("192.0.2.300", V6, "", "192.0.2.1/32"):
                    status = send(make, bad)
                    self.assertTrue(status >= 400 or "error" in service.reply, bad)
                    self.assertEqual((service.fake.records, bool(service.rules())), ({}, True), bad)

                def member(data):
                    (data[0] if isinstance(data, list) else data)["nonsense"] = 1
                    return data
                send(make, change=member)
                self.assertEqual((service.fake.records, "body" in service.rules()), ({}, True))
                send(make, change=lambda data: "text")
                self.assertEqual((service.fake.records, bool(service.rules())), ({}, True))

    def test_a_ttl_out_of_range_is_refused(self):
        for name, service, send, (make, _, _) in self.services():
            if name == "porkbun":
                low = "599"
            else:
                low = {"gandi": 299, "godaddy": 599, "hetzner": 59, "scaleway": 59, "servercow": 59}.get(name, 0)
            with self.subTest(name):
                send(make, change=lambda data: json.loads(json.dumps(data).replace("600", str(low))))
                self.assertEqual((service.fake.records, service.rules()), ({}, ["body"]))

    def test_other_zones_and_paths_are_refused(self):
        for name, service, send, (make, _, _) in self.services():
            with self.subTest(name):
                for path in (make[1].replace("ZONE", "elsewhere.org"), make[1] + "/more/and/more", "/nowhere"):
                    send((make[0], path, make[2]))
                    self.assertEqual((service.fake.records, bool(service.rules())), ({}, True), path)

    def test_a_name_that_the_service_refuses_is_no_breach(self):
        for name, service, send, (make, _, _) in self.services():
            with self.subTest(name):
                service.fake.bad.add(service.a)
                status = send(make)
                self.assertTrue(status >= 400 or "error" in service.reply)
                self.assertEqual((service.fake.records, [rule for rule in service.rules() if rule != "body"]), ({}, []))

    def test_lookups_are_counted_apart(self):
        service = Api("gandi", SERVICES["gandi"][0])
        service.ask("GET", "/v5/livedns/domains/ZONE/records")
        self.assertEqual((service.fake.lookups, service.fake.calls, service.reply), (1, 0, []))


def login(account):
    text = f"{account['username']}:{account['password']}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


NUMBERED = {  # name: headers, path of the records, body(label, address), where the list is, method and status of a change, its status of deletion
    "digitalocean": (lambda a: {"Authorization": f"Bearer {a['password']}"}, "/v2/domains/ZONE/records", "domain_records", "PATCH", (200, 204),
                     lambda s, label, ip: {"type": "A", "name": label, "data": ip, "ttl": 600}),
    "vultr": (lambda a: {"Authorization": f"Bearer {a['password']}"}, "/v2/domains/ZONE/records", "records", "PATCH", (204, 204),
              lambda s, label, ip: {"type": "A", "name": label, "data": ip, "ttl": 600}),
    "namecom": (login, "/v4/domains/ZONE/records", "records", "PUT", (200, 200), lambda s, label, ip: {"type": "A", "host": label, "answer": ip, "ttl": 600}),
    "luadns": (login, "/v1/zones/5/records", None, "PUT", (200, 200),
               lambda s, label, ip: {"type": "A", "name": f"{label}.{s.zone}.", "content": ip, "ttl": 600}),
}


class Numbered(unittest.TestCase):
    def test_records_are_made_found_changed_and_deleted_by_number(self):
        for name, (headers, path, listed, method, (changed, deleted), body) in NUMBERED.items():
            with self.subTest(name):
                service = Api(name, headers)
                self.assertIn(service.ask("POST", path, body(service, "a", V4)), (200, 201))
                self.assertEqual(service.ask("GET", path), 200)
                number = (service.reply[listed] if listed else service.reply)[0]["id"]
                change = body(service, "a", NEXT)
                if name == "vultr":
                    del change["type"]
                self.assertEqual(service.ask(method, f"{path}/{number}", change), changed)
                self.assertEqual(service.fake.records, {(service.a, "A"): (600, [NEXT])})
                self.assertEqual(service.ask("DELETE", f"{path}/{number}"), deleted)
                self.assertEqual((service.fake.records, service.fake.lookups, service.rules()), ({}, 1, []))
                self.assertEqual((service.ask(method, f"{path}/{number}", change), service.rules()), (404, ["record-id"]))

    def test_breaches_are_refused(self):
        for name, (headers, path, _, _, _, body) in NUMBERED.items():
            with self.subTest(name):
                service = Api(name, headers)
                for ip in (V6, "192.0.2.300", ""):
                    self.assertIn(service.ask("POST", path, body(service, "a", ip)), (400, 422))
                self.assertIn(service.ask("POST", path, {**body(service, "a", V4), "nonsense": 1}), (400, 422))
                self.assertIn(service.ask("POST", path, {**body(service, "a", V4), "ttl": 0 if name == "luadns" else 29}), (400, 422))
                self.assertEqual(service.ask("POST", path, body(service, "a", V4), headers={}), 401)
                self.assertEqual(service.fake.records, {})
                self.assertEqual(service.rules(), ["bad-address", "body"] * 3 + ["body", "body", "wrong-credentials"])
                service.fake.bad.add(service.a)
                self.assertIn(service.ask("POST", path, body(service, "a", V4)), (400, 422))
                self.assertEqual((service.fake.records, service.rules()), ({}, []))

    def test_digitalocean_filters_by_whole_names_and_pages(self):
        service = Api("digitalocean", NUMBERED["digitalocean"][0])
        for i in range(25):
            service.ask("POST", "/v2/domains/ZONE/records", {"type": "A", "name": f"h{i}", "data": V4})
        service.ask("GET", "/v2/domains/ZONE/records?name=h3.ZONE&type=A")
        self.assertEqual([row["name"] for row in service.reply["domain_records"]], ["h3"])
        service.ask("GET", "/v2/domains/ZONE/records")
        self.assertEqual((len(service.reply["domain_records"]), "next" in service.reply["links"]["pages"]), (20, True))

    def test_luadns_changes_many_at_once(self):
        service, path = Api("luadns", login), "/v1/zones/5/records"
        service.ask("GET", "/v1/zones?query=ZONE")
        self.assertEqual([(row["id"], row["name"]) for row in service.reply], [(4, f"not-{service.zone}"), (5, service.zone)])
        rows = [{"name": f"{label}.{service.zone}.", "type": "A", "content": V4, "ttl": 300} for label in "ab"]
        self.assertEqual((service.ask("POST", path + "/create_many", rows), len(service.fake.records)), (200, 2))
        self.assertEqual(service.ask("PATCH", path, [{**rows[0], "content": NEXT}]), 200)
        self.assertEqual((service.fake.values(service.a, "A"), service.fake.values(service.fake.host("b"), "A")), ([NEXT], [V4]))
        self.assertEqual(service.ask("PATCH", path, [rows[0], {**rows[1], "content": "x"}]), 400)
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([NEXT], ["bad-address", "body"]))
        self.assertEqual(service.ask("POST", path + "/delete_many", [{"name": rows[0]["name"], "type": "A"}]), 200)
        self.assertEqual((list(service.fake.records), service.rules()), ([(service.fake.host("b"), "A")], []))

    def test_luadns_counts_in_five_minutes_by_the_clock(self):
        service, now = Api("luadns", login), [599.0]
        service.fake.clock = lambda: now[0]
        self.assertEqual({service.ask("GET", "/v1/zones") for _ in range(1200)}, {200})
        self.assertEqual((service.ask("GET", "/v1/zones"), service.rules()), (429, ["rate"]))
        now[0] += 1
        self.assertEqual((service.ask("GET", "/v1/zones"), service.rules()), (200, ["before-retry-after"]))
        now[0] += 300
        self.assertEqual((service.ask("GET", "/v1/zones"), service.rules()), (200, []))


class Peculiarities(unittest.TestCase):
    def test_gandi_replaces_the_types_of_a_name_and_the_zone(self):
        service, path = Api("gandi", SERVICES["gandi"][0]), "/v5/livedns/domains/ZONE/records"
        both = {"items": [{"rrset_type": "A", "rrset_values": [V4]}, {"rrset_type": "AAAA", "rrset_values": [V6]}]}
        self.assertEqual(service.ask("PUT", path + "/a", both), 201)
        self.assertEqual(service.ask("PUT", path + "/a", {"items": both["items"][:1]}), 201)
        self.assertEqual(list(service.fake.records), [(service.a, "A")])
        self.assertEqual(service.ask("PUT", path, {"items": [{"rrset_name": "b", "rrset_type": "A", "rrset_values": [NEXT]}]}), 201)
        self.assertEqual((list(service.fake.records), service.rules()), ([(service.fake.host("b"), "A")], []))

    def test_godaddy_counts_60_a_minute(self):
        service = Api("godaddy", SERVICES["godaddy"][0])
        now = [1000.0]
        service.fake.clock, service.fake.window = lambda: now[0], base.Window(*service.fake.rate)
        codes = [service.ask("PUT", "/v1/domains/ZONE/records/A/a", [{"data": V4, "ttl": 600}]) for _ in range(61)]
        self.assertEqual((codes[:60], codes[60], service.reply["retryAfterSec"], service.rules()), ([200] * 60, 429, 30, ["rate"]))
        now[0] += 61
        self.assertEqual(service.ask("GET", "/v1/domains/ZONE/records/A/a"), 200)

    def test_hetzner_sets_only_what_is_there(self):
        service, path = Api("hetzner", SERVICES["hetzner"][0]), "/v1/zones/ZONE/rrsets/a/A"
        self.assertEqual(service.ask("POST", path + "/actions/set_records", {"records": [{"value": V4}]}), 404)
        self.assertEqual(service.reply["error"]["code"], "not_found")
        self.assertEqual(service.ask("POST", path + "/actions/add_records", {"records": [{"value": V4}], "ttl": 60}), 201)
        self.assertEqual(service.ask("POST", path + "/actions/change_ttl", {"ttl": 120}), 201)
        self.assertEqual(service.fake.records, {(service.a, "A"): (120, [V4])})
        self.assertEqual(service.ask("POST", "/v1/zones/ZONE/rrsets", {"name": "a", "type": "A", "records": [{"value": V4}]}), 409)
        self.assertEqual(service.rules(), [])

    def test_ns1_and_gcore_tell_making_from_changing(self):
        for name, again, missing in (("ns1", 400, 404), ("gcore", 409, 404)):
            with self.subTest(name):
                headers, make, change, _ = SERVICES[name]
                service = Api(name, headers)
                self.assertEqual(service.ask(change[0], change[1], change[2](V4, service)), missing)
                self.assertEqual(service.ask(make[0], make[1], make[2](V4, service)), 200)
                self.assertEqual(service.ask(make[0], make[1], make[2](V4, service)), again)
                self.assertEqual(service.rules(), ["exists"])

    def test_porkbun_edits_only_what_is_there(self):
        service = Api("porkbun", SERVICES["porkbun"][0])
        self.assertEqual(service.ask("POST", "/api/json/v3/dns/editByNameType/ZONE/A/a", {**keys(service.account), "content": V4}), 400)
        self.assertEqual(service.ask("POST", "/api/json/v3/dns/retrieveByNameType/ZONE/A/a", keys(service.account)), 200)
        self.assertEqual((service.reply, service.fake.lookups, service.rules()), ({"status": "SUCCESS", "records": []}, 1, []))
        self.assertEqual(service.ask("GET", "/api/json/v3/dns/retrieveByNameType/ZONE/A/a"), 400)
        self.assertEqual(service.rules(), ["body"])

    def test_spaceship_adds_and_deletes_by_value(self):
        service = Api("spaceship", lambda a: {"X-Api-Key": a["username"], "X-Api-Secret": a["password"]})
        path = "/api/v1/dns/records/ZONE"
        for ip in (V4, NEXT):
            self.assertEqual(service.ask("PUT", path, {"force": True, "items": [{"type": "A", "name": "a", "address": ip, "ttl": 60}]}), 204)
        self.assertEqual(service.fake.records, {(service.a, "A"): (60, [V4, NEXT])})
        self.assertEqual(service.ask("DELETE", path, [{"type": "A", "name": "a", "address": V4}]), 204)
        self.assertEqual(service.ask("GET", path + "?take=500&skip=0"), 200)
        self.assertEqual(([item["address"] for item in service.reply["items"]], service.rules()), ([NEXT], []))
        self.assertEqual(service.ask("PUT", path, {"items": [{"type": "A", "name": "a", "address": V4, "ttl": 59}]}), 422)
        self.assertEqual(service.ask("PUT", path, {"items": []}, headers={"X-Api-Key": "x"}), 401)
        self.assertEqual(service.rules(), ["body", "wrong-credentials"])

    def test_hostinger_takes_many_and_adds_without_overwrite(self):
        service = Api("hostinger", SERVICES["hostinger"][0])
        zone = [rrset(V4), rrset(V6, "AAAA")]
        self.assertEqual(service.ask("PUT", "/api/dns/v1/zones/ZONE", {"zone": zone}), 200)
        self.assertEqual(service.ask("PUT", "/api/dns/v1/zones/ZONE", {"overwrite": False, "zone": [rrset(NEXT)]}), 200)
        self.assertEqual((service.fake.values(service.a, "A"), service.fake.values(service.a, "AAAA")), ([V4, NEXT], [V6]))
        bad = {"zone": [rrset(NEXT), {**rrset(V4), "name": "b"}]}
        service.fake.bad.add(service.fake.host("b"))
        self.assertEqual(service.ask("PUT", "/api/dns/v1/zones/ZONE", bad), 422)
        self.assertEqual((service.fake.values(service.a, "A"), service.rules()), ([V4, NEXT], []))

    def test_scaleway_applies_all_changes_or_none(self):
        service, path = Api("scaleway", SERVICES["scaleway"][0]), "/domain/v2beta1/dns-zones/ZONE/records"
        both = {"changes": scaleway(V4)["changes"] + scaleway(V6, "AAAA")["changes"], "return_all_records": False}
        self.assertEqual((service.ask("PATCH", path, both), len(service.reply["records"])), (200, 2))
        wrong = {"changes": scaleway(NEXT)["changes"] + scaleway("x", "AAAA")["changes"]}
        self.assertEqual(service.ask("PATCH", path, wrong), 400)
        self.assertEqual((service.fake.values(service.a, "A"), "body" in service.rules()), ([V4], True))
        more = {"add": {"records": [{"data": NEXT, "name": "a", "type": "A", "ttl": 600}]}}
        gone = {"delete": {"id_fields": {"name": "a", "type": "AAAA", "data": V6}}}
        self.assertEqual(service.ask("PATCH", path, {"changes": [more, gone]}), 200)
        self.assertEqual((service.fake.records, service.rules()), ({(service.a, "A"): (600, [V4, NEXT])}, []))

    def test_ionos_has_a_url_for_each_name(self):
        fake = fakes.classes()["ionos"]()
        key = fake.account([fake.host("a")])["host_secrets"][fake.host("a")]

        def ask(query):
            return fake.serve(base.Request("GET", "/dns/v1/dyndns?" + query, [("User-Agent", "muster/1")], b"", fake.hosts[0]))[0].status
        self.assertEqual((ask(f"q={key}&ipv4={V4}&ipv6={V6}"), len(fake.records), fake.violations), (200, 2, []))
        self.assertEqual((ask("q=none&ipv4=192.0.2.1"), fake.violations[0][0]), (404, "wrong-credentials"))


class VercelApi(Api):
    """Creations, changes and deletions have paths of their own."""
    def __init__(self):
        super().__init__("vercel", lambda a: {"Authorization": f"Bearer {a['password']}"})
        self.list = "/v4/domains/ZONE/records"

    def create(self, label="a", value=V4, **more):
        return self.ask("POST", "/v2/domains/ZONE/records", {"name": label, "type": "A", "value": value, **more})

    def update(self, number, **body):
        return self.ask("PATCH", f"/v1/domains/records/{number}", body)

    def delete(self, number):
        return self.ask("DELETE", f"/v2/domains/ZONE/records/{number}")

    def own(self, query=""):
        self.ask("GET", self.list + query)
        return [row for row in self.reply["records"] if row["creator"] != "system"]

    def code(self):
        return self.reply["error"]["code"]


class Vercel(unittest.TestCase):
    def setUp(self):
        self.api = VercelApi()
        self.fake = self.api.fake

    def test_records_are_made_found_changed_and_deleted_by_id(self):
        self.assertEqual((self.api.create(ttl=600), list(self.api.reply)), (200, ["uid"]))
        number, (row,) = self.api.reply["uid"], self.api.own()
        self.assertEqual((row["id"], row["name"], row["type"], row["value"], row["ttl"]), (number, "a", "A", V4, 600))
        self.assertEqual(self.api.update(number, value=NEXT, ttl=None), 200)
        self.assertEqual((self.api.reply["id"], self.api.reply["recordType"], self.api.reply["domain"]), (number, "A", self.api.zone))
        self.assertEqual(self.fake.records, {(self.api.a, "A"): (600, [NEXT])})
        self.assertEqual((self.api.update(number, ttl=120), self.fake.records), (200, {(self.api.a, "A"): (120, [NEXT])}))
        self.assertEqual((self.api.delete(number), self.api.reply), (200, {}))
        self.assertEqual((self.fake.records, self.fake.lookups, self.api.rules()), ({}, 1, []))
        for status in (self.api.update(number, value=V4), self.api.delete(number)):
            self.assertEqual((status, self.api.code()), (404, "not_found"))
        self.assertEqual(self.api.rules(), ["record-id"] * 2)

    def test_the_root_has_an_empty_name_and_a_ttl_of_a_minute(self):
        self.assertEqual(self.api.create("", V6, type="AAAA"), 200)
        self.assertEqual(self.fake.records, {(self.api.zone, "AAAA"): (60, [V6])})
        self.assertEqual(([row["name"] for row in self.api.own()], self.api.rules()), ([""], []))
        self.assertEqual((self.api.create("@"), self.api.rules()), (400, ["unknown-host"]))

    def test_bodies_that_are_not_as_documented_are_refused(self):
        good = {"name": "a", "type": "A", "value": V4}
        bodies = [{**good, **more} for more in ({"ttl": 59}, {"ttl": 2 ** 31}, {"ttl": "600"}, {"ttl": True}, {"type": "MX"}, {"nonsense": 1},
                                                {"mxPriority": 1}, {"comment": "x" * 501}, {"name": None})]
        for body in [*bodies, {"type": "A", "value": V4}, [good], "text"]:
            self.assertEqual((self.api.ask("POST", "/v2/domains/ZONE/records", body), self.api.code()), (400, "bad_request"), body)
            self.assertEqual((self.fake.records, self.api.rules()), ({}, ["body"]), body)
        for value in (V6, "192.0.2.300", "", "192.0.2.1/32"):
            self.assertEqual((self.api.create(value=value), self.api.rules()), (400, ["bad-address", "body"]), value)
        self.api.create(ttl=2 ** 31 - 1)
        number = self.api.reply["uid"]
        for body in ({}, {"ttl": 59}, {"type": "AAAA"}, {"domain": "x"}, {"value": None}):
            self.assertEqual((self.api.update(number, **body), self.api.rules()), (400, ["body"]), body)
        self.assertEqual((self.api.update(number, value=V6), self.api.rules()), (400, ["bad-address", "body"]))
        self.assertEqual(self.fake.records, {(self.api.a, "A"): (2 ** 31 - 1, [V4])})

    def test_paths_domains_and_versions_are_the_documented_ones(self):
        body = {"name": "a", "type": "A", "value": V4}
        for method, path in (("POST", "/v4/domains/ZONE/records"), ("GET", "/v2/domains/ZONE/records"), ("PUT", "/v2/domains/ZONE/records"),
                             ("PATCH", "/v1/domains/ZONE/records/rec_1"), ("DELETE", "/v1/domains/records/rec_1"), ("POST", "/nowhere")):
            self.assertEqual((self.api.ask(method, path, None if method == "GET" else body), self.api.rules()), (404, ["path"]), path)
        self.assertEqual(self.api.ask("POST", "/v2/domains/elsewhere.org/records", body), 404)
        self.assertEqual((self.api.code(), self.api.rules(), self.fake.records), ("not_found", ["unknown-zone"], {}))
        self.assertEqual((self.api.ask("GET", "/v5/domains/ZONE/records"), self.api.rules()), (200, []))

    def test_credentials(self):
        for headers, status in (({}, 401), ({"Authorization": "Bearer wrong"}, 403), ({"Authorization": "Basic YTpi"}, 403)):
            self.assertEqual(self.api.ask("GET", self.api.list, headers=headers), status)
            self.assertEqual((self.api.code(), self.api.rules()), ("forbidden", ["wrong-credentials"]))
        self.api.fake.script = ["denied"]
        self.assertEqual((self.api.create(), self.fake.records, self.api.rules()), (403, {}, []))

    def test_a_domain_of_a_team_is_found_with_the_team_only(self):
        self.assertEqual(self.api.ask("GET", self.api.list + "?teamId=team_1"), 403)
        self.assertEqual((self.api.code(), self.api.rules()), ("forbidden", ["unknown-team"]))
        self.fake.team = {"teamId": "team_1", "slug": "crew"}
        self.assertEqual((self.api.create(), self.api.rules()), (404, ["missing-team"]))
        for query in ("?teamId=team_1", "?slug=crew", "?slug=crew&teamId=team_1"):
            self.assertEqual((self.api.ask("GET", self.api.list + query), self.api.rules()), (200, []))
        for query in ("?teamId=crew", "?teamId="):
            self.assertEqual((self.api.ask("GET", self.api.list + query), self.api.rules()), (403, ["unknown-team"]))
        self.assertEqual((self.api.ask("GET", self.api.list + "?team=team_1"), self.api.rules()), (400, ["unknown-parameter"]))

    def test_pages_end_where_the_next_begins(self):
        self.fake.limits_hold = False
        self.assertEqual((self.api.ask("GET", self.api.list + "?limit=2"), self.api.reply["pagination"]["next"]), (200, None))
        for i in range(119):
            self.assertEqual(self.api.create(f"h{i}"), 200)
        found, query, sizes = [], "?limit=100", []
        while query:
            self.api.ask("GET", self.api.list + query)
            found += [row["id"] for row in self.api.reply["records"]]
            pages = self.api.reply["pagination"]
            sizes.append(pages["count"])
            query = f"?limit=100&until={pages['next']}" if pages["next"] is not None else ""
        self.assertEqual((sizes, len(set(found)), self.api.rules()), ([100, 21], 121, []))  # two are the system's
        self.assertEqual([row["name"] for row in self.api.own()], [f"h{i}" for i in range(118, 98, -1)])
        newest = self.api.reply["pagination"]["prev"]
        self.assertEqual(self.api.own(f"?since={newest}"), [])
        for query in ("?limit=101", "?limit=0", "?limit=x", "?until="):
            self.assertEqual((self.api.ask("GET", self.api.list + query), self.api.rules()), (400, ["body"]), query)

    def test_the_same_record_again_and_a_cname_conflict(self):
        self.api.create()
        first = self.api.reply["uid"]
        self.assertEqual((self.api.create(ttl=600), self.api.code(), self.api.reply["error"]["oldId"]), (409, "record_conflicts", first))
        self.assertEqual((self.api.create(value=NEXT), self.fake.values(self.api.a, "A")), (200, [V4, NEXT]))
        self.assertEqual((self.api.update(self.api.reply["uid"], value=V4), self.api.code()), (409, "record_conflicts"))
        number = self.fake.add_other("b", "CNAME", "elsewhere.example.")
        self.assertEqual((self.api.create("b"), self.api.reply["error"]["oldId"]), (409, number))
        self.assertEqual((self.fake.values(self.api.a, "A"), self.api.rules()), ([V4, NEXT], []))

    def test_records_of_the_system_are_listed_and_stay(self):
        self.api.ask("GET", self.api.list)
        self.assertEqual([(row["type"], row["creator"]) for row in self.api.reply["records"]], [("ALIAS", "system"), ("CAA", "system")])
        number = self.api.reply["records"][0]["id"]
        self.assertEqual((self.api.update(number, value=V4), self.api.delete(number), self.api.code()), (403, 403, "forbidden"))
        self.assertEqual((self.api.rules(), len(self.fake.others)), (["foreign-record"] * 2, 2))

    def test_a_name_that_the_service_refuses_is_no_breach(self):
        self.fake.bad.add(self.api.a)
        self.assertEqual((self.api.create(), self.fake.records, self.api.rules()), (400, {}, []))

    def test_creations_and_changes_have_limits_of_their_own(self):
        now = [1000.0]
        self.fake.clock, self.fake.wall = lambda: now[0], lambda: 1.8e9 + now[0]
        self.assertEqual([self.api.create(f"h{i}") for i in range(100)], [200] * 100)
        number = self.api.reply["uid"]
        self.assertEqual((self.api.create("more"), self.api.code(), self.api.rules()), (429, "rate_limited", ["rate"]))
        self.assertEqual(self.api.reply["error"]["limit"], {"remaining": 0, "reset": 1800004600, "resetMs": 1800004600000, "total": 100})
        self.assertEqual([self.api.update(number, value=f"192.0.2.{i}") for i in range(51)], [200] * 50 + [429])
        self.assertEqual((len(self.fake.records), self.fake.values(self.fake.host("h99"), "A")), (100, ["192.0.2.49"]))
        self.api.rules()
        now[0] += 3601
        self.assertEqual((self.api.create("more"), self.api.update(number, value=V4), self.api.rules()), (200, 200, []))

    def test_replies_say_what_is_left_and_when_it_is_whole(self):
        now = [1000.0]
        self.fake.clock, self.fake.wall = lambda: now[0], lambda: 1.8e9 + now[0]

        def create(label):
            body = json.dumps({"name": label, "type": "A", "value": V4}).encode()
            fields = [("User-Agent", "muster-selftest/1.0"), ("Content-Type", "application/json"), *self.api.headers.items()]
            reply, _, _ = self.fake.serve(base.Request("POST", f"/v2/domains/{self.api.zone}/records", fields, body, self.fake.hosts[0]))
            return reply.status, dict(reply.headers)

        rates = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "1800004600"}
        self.assertEqual(create("a"), (200, rates))
        self.fake.windows["create"] = base.Window(1, 30)
        create("b")
        rates = {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800001030"}
        self.assertEqual(create("c"), (429, {**rates, "Retry-After": "30"}))
        self.fake.limits_hold, self.fake.script = False, ["429"]
        self.fake.not_before = 0
        status, headers = create("d")
        self.assertEqual((status, headers["Retry-After"], headers["X-RateLimit-Remaining"]), (429, "2", "0"))
        self.assertEqual((self.fake.values(self.fake.host("d"), "A"), self.api.rules()), ([], ["rate"]))

    def test_what_must_not_apply_leaves_no_trace_and_what_was_lost_is_found(self):
        self.fake.script = ["500", "apply-500"]
        self.assertEqual((self.api.create(), self.api.code(), self.api.own()), (500, "internal_server_error", []))
        self.assertEqual((self.api.create(), [row["value"] for row in self.api.own()]), (500, [V4]))
        self.assertEqual((self.api.create(), self.api.rules()), (409, []))
        self.fake.script, number = ["500"], self.api.reply["error"]["oldId"]
        self.assertEqual((self.api.delete(number), [row["id"] for row in self.api.own()]), (500, [number]))


if __name__ == "__main__":
    unittest.main()
