# SPDX-License-Identifier: Apache-2.0
"""Self tests of the fakes of Route 53, Google Cloud DNS and Azure DNS, run by test_fakes_native.py."""
import base64
import datetime
import hashlib
import hmac
import json
import sys
import tempfile
import time
import urllib.parse
import xml.etree.ElementTree as xml

from fakes import azure, base, google, route53, sigv4, tables
from native_case import FORM, Native


class Route53(Native):
    kind = route53.Route53
    N = "{https://route53.amazonaws.com/doc/2013-04-01/}"

    def signed(self, method, target, body=b"", key=None, spoil=False):
        """A request signed by the recipe of the AWS General Reference, "Create a signed AWS API request"."""
        fake, day = self.fake, datetime.datetime.fromtimestamp(self.fake.wall(), datetime.timezone.utc)
        stamp, path, query = day.strftime("%Y%m%dT%H%M%SZ"), *target.partition("?")[::2]
        pairs = sorted((urllib.parse.quote(name, "~"), urllib.parse.quote(value, "~")) for name,
                       value in urllib.parse.parse_qsl(query))
        fields = {"host": fake.hosts[0], "x-amz-date": stamp, **({"x-amz-security-token": fake.token} if fake.token
                                                                 else {}),
                  **({"content-type": "application/xml"} if body else {})}
        names = ";".join(sorted(fields))
        canonical = "\n".join((method, urllib.parse.quote(path, "/~"), "&".join(f"{name}={value}" for name,
                                                                                value in pairs),
                               *(f"{name}:{fields[name]}" for name in sorted(fields)), "", names,
                               hashlib.sha256(body).hexdigest()))
        scope = f"{stamp[:8]}/us-east-1/route53/aws4_request"
        text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        secret = f"AWS4{fake.secret_key}".encode()
        for part in (*scope.split("/"), text):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        proof = f"AWS4-HMAC-SHA256 Credential={key or fake.key}/{scope}, SignedHeaders={names}, Signature={secret.hex()}"
        headers = [(name, value) for name, value in fields.items() if name not in ("host", "content-type")]
        return self.ask(method, target, headers=[*headers, ("Authorization", proof)],
                        body=body + (b" " if spoil else b""), content_type="application/xml")

    @staticmethod
    def change(action, name, rtype, values, ttl=60):
        records = "".join(f"<ResourceRecord><Value>{value}</Value></ResourceRecord>" for value in values)
        return (f"<Change><Action>{action}</Action><ResourceRecordSet><Name>{name}</Name><Type>{rtype}</Type><TTL>{ttl}</TTL>"
                f"<ResourceRecords>{records}</ResourceRecords></ResourceRecordSet></Change>")

    def post(self, *changes, namespace="https://route53.amazonaws.com/doc/2013-04-01/", **more):
        body = (f'<?xml version="1.0" encoding="UTF-8"?><ChangeResourceRecordSetsRequest xmlns="{namespace}"><ChangeBatch><Changes>'
                f'{"".join(changes)}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>')
        status, text, _ = self.signed("POST", f"/2013-04-01/hostedzone/{self.fake.zone_id}/rrset/", body.encode(),
                                      **more)
        return status, xml.fromstring(text)

    def messages(self, *changes):
        status, root = self.post(*changes)
        self.assertEqual(status, 400)
        return [node.text for node in root.iter(f"{self.N}Message")]

    def test_upsert_and_get_change(self):
        name = self.fake.host("www")
        for value in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            status, root = self.post(self.change("UPSERT", name + ".", "A", [value]))
            self.assertEqual((status, root.tag, root.findtext(f".//{self.N}Status")),
                             (200, f"{self.N}ChangeResourceRecordSetsResponse", "PENDING"))
        self.assertEqual(self.fake.records[name, "A"], (60, ["192.0.2.2"]))
        target = f"/2013-04-01{root.findtext(f'.//{self.N}Id')}"
        for status in ("PENDING", "INSYNC"):
            self.assertIn(f"<Status>{status}</Status>", self.signed("GET", target)[1])
            self.now += self.fake.propagation
        self.assertEqual((self.fake.calls, self.fake.lookups), (3, 2))
        with self.breach("change-id"):
            self.assertEqual(self.signed("GET", "/2013-04-01/change/C0")[0], 404)

    def test_zones_and_record_sets(self):
        root = xml.fromstring(self.signed("GET",
                                          f"/2013-04-01/hostedzonesbyname?dnsname={self.fake.zone}&maxitems=1")[1])
        self.assertEqual([node.text for node in root.iter(f"{self.N}Name")], [self.fake.zone + "."])
        self.assertEqual(root.findtext(f".//{self.N}HostedZone/{self.N}Id"), f"/hostedzone/{self.fake.zone_id}")
        self.assertEqual(root.findtext(f"{self.N}IsTruncated"), "true")
        self.fake.private_twin = True
        twins = xml.fromstring(self.signed("GET",
                                           f"/2013-04-01/hostedzonesbyname?dnsname={self.fake.zone}&maxitems=2")[1])
        self.assertEqual([node.text for node in twins.iter(f"{self.N}PrivateZone")], ["true", "false"])
        missing = xml.fromstring(self.signed("GET", "/2013-04-01/hostedzonesbyname?dnsname=b.example&maxitems=1")[1])
        self.assertNotEqual(missing.findtext(f".//{self.N}Name"), "b.example.")  # from there on, not that one
        for i in range(350):
            self.fake.put(self.fake.host(f"h{i}"), "A", ["192.0.2.1"], 60)
        names, after = [], ""
        while after is not None:
            root = xml.fromstring(self.signed("GET", f"/2013-04-01/hostedzone/{self.fake.zone_id}/rrset{after}")[1])
            names += [node.text for node in root.iter(f"{self.N}Name")]
            follow = [root.findtext(f"{self.N}{part}") for part in ("NextRecordName", "NextRecordType")]
            after = f"?name={follow[0]}&type={follow[1]}" if follow[0] else None
        self.assertEqual((len(names), len(set(names))), (352, 351))  # the apex has NS and SOA
        self.assertIn("<Value>192.0.2.1</Value>",
                      self.signed("GET",
                                  f"/2013-04-01/hostedzone/{self.fake.zone_id}/rrset?name={self.fake.host('h7')}&type=A&maxitems=1")[1])
        with self.breach("query"):
            self.assertEqual(self.signed("GET", f"/2013-04-01/hostedzone/{self.fake.zone_id}/rrset?type=A")[0], 400)

    def test_create_delete_and_compare_and_set(self):
        name, shown = self.fake.host("a"), f"[name='{self.fake.host('a')}.', type='A']"
        self.assertEqual(self.post(self.change("CREATE", name, "A", ["192.0.2.1"]))[0], 200)
        self.assertEqual(self.messages(self.change("CREATE", name, "A", ["192.0.2.2"])),
                         [f"Tried to create resource record set {shown} but it already exists"])
        self.assertEqual(self.messages(self.change("DELETE", name, "A", ["192.0.2.2"])),
                         [f"Tried to delete resource record set {shown} but the values provided do not match the current values"])
        self.assertEqual(len(self.messages(self.change("DELETE", name, "A", ["192.0.2.1"], 61))), 1)
        swap = [self.change("DELETE", name, "A", ["192.0.2.1"]), self.change("CREATE", name, "A", ["192.0.2.3"])]
        self.assertEqual((self.post(*swap)[0], self.kept("a")), (200, ["192.0.2.3"]))
        self.assertEqual((len(self.messages(*swap)), self.kept("a")), (2, ["192.0.2.3"]))
        self.assertEqual(self.post(self.change("DELETE", name, "A", ["192.0.2.3"]))[0], 200)
        self.assertEqual((self.kept("a"), len(self.messages(self.change("DELETE", name, "A", ["192.0.2.3"])))), ([], 1))

    def test_limits(self):
        def upserts(count, width=1):
            return [self.change("UPSERT", self.fake.host(f"h{i}"), "A", [f"192.0.{w}.{i % 256}" for w in range(width)])
                    for i in range(count)]

        began = time.monotonic()
        self.assertEqual(self.post(*upserts(500))[0], 200)
        print(f"500 UPSERTs in {time.monotonic() - began:.2f} s", file=sys.stderr)
        with self.breach("batch-size", "rate"):
            self.assertEqual(self.post(*upserts(9))[1].findtext(f".//{self.N}Code"), "Throttling")
            self.now += 10
            self.assertEqual(self.messages(*upserts(501)), ["Number of records limit of 1000 exceeded."])
        self.now += 10
        long = "2001:db8:1111:2222:3333:4444:5555:"  # 38 characters with four more: 421 of them are 31,996 twice
        sets = [self.change("UPSERT", self.fake.host(f"v{i}"), "AAAA", [f"{long}{i + 4096:x}"]) for i in range(422)]
        self.assertEqual(self.post(*sets[:421])[0], 200)
        self.now += 10
        with self.breach("batch-size"):
            self.assertEqual(self.messages(*sets), ["RDATA character limit of 32000 exceeded."])
        self.now += 10
        with self.breach("twice"):
            self.assertEqual(len(self.messages(*upserts(1), *upserts(1))), 1)

    def test_every_bad_change_is_named_and_none_applied(self):
        self.fake.bad = {self.fake.host("bad")}
        changes = [self.change("UPSERT", self.fake.host(label), "A", ["192.0.2.1"]) for label in ("good", "bad")]
        found = self.messages(*changes, self.change("DELETE", self.fake.host("gone"), "A", ["192.0.2.1"]))
        self.assertEqual((len(found), self.kept("good")), (2, []))
        self.assertTrue("bad" in found[0] and "gone" in found[1], found)
        with self.breach("value"):
            self.assertEqual(len(self.messages(self.change("UPSERT", self.fake.host("x"), "A", ["192.0.2.256"]))), 1)
        with self.breach("name"):
            self.assertEqual(len(self.messages(self.change("UPSERT", "other.example", "A", ["192.0.2.1"]))), 1)
        self.fake.single = "plain"
        self.assertEqual(self.post(changes[1])[1].findtext(f".//{self.N}Code"), "InvalidChangeBatch")

    def test_schema(self):
        good = self.change("UPSERT", self.fake.host("a"), "A", ["192.0.2.1"])
        for wrong in (good.replace("<TTL>60</TTL>", ""), good.replace("<Type>A</Type><TTL>60</TTL>",
                                                                      "<TTL>60</TTL><Type>A</Type>"),
                      good.replace("UPSERT", "PUT"), good.replace("<Name>", "<name>").replace("</Name>", "</name>"), "",
                      good.replace("60", "-1")):
            with self.breach("schema"):
                self.assertEqual(self.post(wrong)[1].findtext(f".//{self.N}Code"), "InvalidInput", wrong)
        with self.breach("schema"):
            self.assertEqual(self.post(good, namespace="https://route53.amazonaws.com/doc/2012-12-12/")[0], 400)

    def test_signatures(self):
        good = self.change("UPSERT", self.fake.host("a"), "A", ["192.0.2.1"])
        with self.breach("signature"):
            self.assertEqual(self.post(good, spoil=True)[1].findtext(f".//{self.N}Code"), "SignatureDoesNotMatch")
            self.assertEqual(self.post(good, key="AKIAANOTHER")[1].findtext(f".//{self.N}Code"), "InvalidClientTokenId")
            self.assertIn("MissingAuthenticationToken", self.ask("GET", "/2013-04-01/hostedzonesbyname")[1])
        self.fake.token = "FwoGZXIvYXdzEXAMPLE/with+and="
        self.assertEqual(self.post(good)[0], 200)
        self.assertIn("HostedZones",
                      self.signed("GET", "/2013-04-01/hostedzonesbyname?maxitems=5&dnsname=%2A.example")[1])
        with self.breach("signature"):  # ten minutes old
            then, self.fake.wall = time.time(), lambda: then
            asked = []
            self.fake.serve, real = lambda request: (asked.append(request), real(request))[1], self.fake.serve
            self.post(good)
            self.fake.wall = lambda: then + 301
            self.assertEqual(real(asked[0])[0].status, 403)
        # The published vector get-vanilla of AWS's own suite.
        fields = [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z"),
                  ("Authorization",
                   ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
                    "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"))]
        known = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", "us-east-1", "service", 1440938160)
        self.assertIsNone(sigv4.judge(base.Request("GET", "/", fields, host="example.amazonaws.com"), *known))
        self.assertEqual(sigv4.judge(base.Request("GET", "/x", fields, host="example.amazonaws.com"), *known)[0],
                         "SignatureDoesNotMatch")

    def test_rate_and_prior_request(self):
        good = self.change("UPSERT", self.fake.host("a"), "A", ["192.0.2.1"])
        for _ in range(50):
            self.signed("GET", "/2013-04-01/hostedzonesbyname")
        with self.breach("rate"):
            self.assertIn("<Code>Throttling</Code>", self.signed("GET", "/2013-04-01/hostedzonesbyname")[1])
        self.now += 0.2
        self.fake.processing = 1.0
        self.assertEqual(self.post(good)[0], 200)
        with self.breach("serial"):
            self.assertEqual(self.post(good)[1].findtext(f".//{self.N}Code"), "PriorRequestNotComplete")
        self.now, self.fake.processing = self.now + 1, 0
        held = base.Held()
        self.fake.script[:] = [held]
        self.post(good)
        with self.breach("serial"):  # the answer to the last change is still on its way
            self.assertEqual(self.post(good)[0], 400)
        held.released.set()
        self.fake.script[:] = [self.fake.prior(), "429", "denied", "500"]
        self.assertEqual([self.post(good)[0] for _ in range(5)], [400, 400, 403, 500, 200])


class Google(Native):
    kind = google.Google
    shared = None

    def setUp(self):
        super().setUp()
        type(self).shared = self.fake._pem = self.shared or self.fake.pem  # keys take time to make

    def assertion(self, **changes):
        def part(data):
            return base64.urlsafe_b64encode(data if isinstance(data, bytes)
                                            else json.dumps(data).encode()).rstrip(b"=").decode()

        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": self.fake.key_id}
        claims = {"iss": self.fake.email, "scope": "https://www.googleapis.com/auth/ndev.clouddns.readwrite",
                  "aud": "https://oauth2.googleapis.com/token", "exp": now + 3600, "iat": now}
        text = f"{part({**header, **changes.get('header', {})})}.{part({**claims, **changes.get('claims', {})})}"
        with tempfile.NamedTemporaryFile() as key:
            key.write(changes.get("pem", self.fake.pem).encode())
            key.flush()
            return f"{text}.{part(google.openssl('dgst', '-sha256', '-sign', key.name, data=text.encode()).stdout)}"

    def token(self, assertion=None, **changes):
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion
                or self.assertion(**changes)}
        return self.ask("POST", "/token", host="oauth2.googleapis.com", body=urllib.parse.urlencode(form).encode(),
                        content_type=FORM)

    def api(self, method, path, data=None):
        if not self.fake.tokens:
            self.fake.tokens["ya29.test"] = (self.fake.wall() + 3599, google.SCOPES)
        return self.ask(method, f"/dns/v1/projects/{self.fake.project}{path}", data,
                        [("Authorization", f"Bearer {next(iter(self.fake.tokens))}")])

    def change(self, additions=(), deletions=()):
        body = {key: value for key, value in (("additions", list(additions)), ("deletions", list(deletions))) if value}
        return self.api("POST", f"/managedZones/{self.fake.managed}/changes", body)

    def set(self, label, *values, ttl=60, rtype="A"):
        return {"name": self.fake.host(label) + ".", "type": rtype, "ttl": ttl, "rrdatas": list(values)}

    def test_tokens(self):
        status, answer, _ = self.token()
        self.assertEqual((status, answer["token_type"], answer["expires_in"]), (200, "Bearer", 3599))
        self.assertEqual(self.api("GET", "")[1]["quota"]["rrsetAdditionsPerChange"], 1000)
        self.fake.revoke()
        self.assertEqual(self.api("GET", "")[0], 401)
        self.fake.tokens = tables.Table()
        now, other = int(time.time()), google.Google().pem
        for changes, error in (({"claims": {"exp": now + 3700}}, "invalid_grant"),
                               ({"claims": {"iat": now - 7200, "exp": now - 3600}}, "invalid_grant"),
                               ({"claims": {"aud": "https://example.org"}}, "invalid_grant"),
                               ({"claims": {"scope": "x"}}, "invalid_scope"), ({"claims": {"iss": "x@y"}},
                                                                               "invalid_grant"),
                               ({"header": {"alg": "none"}}, "invalid_grant"), ({"pem": other}, "invalid_grant"),
                               ({"assertion": "a.b"}, "invalid_grant"), ({"header": {"kid": "0"}}, "invalid_grant")):
            with self.breach("assertion"):
                status, answer, _ = self.token(**changes)
                self.assertEqual((status, answer["error"]), (400, error), changes)
        self.assertEqual(self.token(self.assertion(pem=self.fake.pem))[0], 200)
        self.fake.wall = lambda: time.time() + 3600
        with self.breach("auth"):
            status, answer, headers = self.api("GET", "")
            self.assertEqual((status, answer["error"]["status"], answer["error"]["errors"][0]["reason"]),
                             (401, "UNAUTHENTICATED", "authError"))
            self.assertTrue(headers.get("WWW-Authenticate").startswith("Bearer"))

    def test_zone_lookup(self):
        zones = self.api("GET", f"/managedZones?dnsName={self.fake.zone}.")[1]["managedZones"]
        self.assertEqual([(zone["name"], zone["dnsName"]) for zone in zones],
                         [(self.fake.managed, self.fake.zone + ".")])
        self.assertEqual(len(self.api("GET", "/managedZones")[1]["managedZones"]), 2)
        with self.breach("query"):
            self.assertEqual(self.api("GET", f"/managedZones?dnsName={self.fake.zone}")[0], 400)
        self.fake.rename()
        self.assertEqual(self.api("GET", "/managedZones/fleet-zone/rrsets")[1]["error"]["errors"][0]["reason"],
                         "notFound")

    def test_changes(self):
        status, answer, _ = self.change([self.set("a", "192.0.2.1"), self.set("a", "2001:db8::1", rtype="AAAA")])
        self.assertEqual((status, answer["kind"], answer["status"], answer["id"]), (200, "dns#change", "pending", "1"))
        self.now += 1
        self.assertEqual(self.api("GET", f"/managedZones/{self.fake.managed}/changes/1")[1]["status"], "done")
        self.assertEqual(self.change([self.set("a", "192.0.2.2")], [self.set("a", "192.0.2.1")])[0], 200)
        self.assertEqual((self.kept("a"), self.kept("a", "AAAA")), (["192.0.2.2"], ["2001:db8::1"]))
        for answer, status, reason in ((self.change([self.set("a", "192.0.2.3")]), 409, "alreadyExists"),
                                       (self.change([self.set("a", "192.0.2.3")], [self.set("a", "192.0.2.1")]), 412,
                                        "conditionNotMet"), (self.change([], [self.set("a", "192.0.2.2", ttl=61)]), 412,
                                                             "conditionNotMet"),
                                       (self.change([self.set("b", "192.0.2.3")], [self.set("c", "192.0.2.1")]), 404,
                                        "notFound"), (self.change([self.set("a", "x.example.", rtype="CNAME")]), 400,
                                                      "cnameResourceRecordSetConflict")):
            self.assertEqual((answer[0], answer[1]["error"]["code"], answer[1]["error"]["errors"][0]["reason"]),
                             (status, status, reason))
        self.assertEqual((self.kept("a"), self.kept("b")), (["192.0.2.2"], []))
        self.assertIn("entity.change.deletions[1]",
                      self.change([], [self.set("a", "192.0.2.2"), self.set("c", "192.0.2.1")])[1]["error"]["message"])
        self.assertEqual((self.change([], [self.set("a", "192.0.2.2")])[0], self.kept("a")), (200, []))

    def test_limits_and_fields(self):
        many = [self.set(f"h{i}", f"192.0.2.{i % 256}") for i in range(1001)]
        with self.breach("batch-size"):
            self.assertEqual((self.change(many)[0], self.fake.records), (413, {}))
        began = time.monotonic()
        self.assertEqual(self.change(many[:1000])[0], 200)
        after = [{**item, "rrdatas": ["198.51.100.1"]} for item in many[:1000]]
        self.assertEqual(self.change(after, many[:1000])[0], 200)
        print(f"2,000 additions and 1,000 deletions in {time.monotonic() - began:.2f} s", file=sys.stderr)
        found, token = [], ""
        while token is not None:
            answer = self.api("GET", f"/managedZones/{self.fake.managed}/rrsets?maxResults=400{token}")[1]
            found += answer["rrsets"]
            token = f"&pageToken={answer['nextPageToken']}" if "nextPageToken" in answer else None
        self.assertEqual(len(found), 1002)
        one = self.api("GET",
                       f"/managedZones/{self.fake.managed}/rrsets?name={self.fake.host('h7')}.&type=A")[1]["rrsets"]
        self.assertEqual(one, [{**after[7], "kind": "dns#resourceRecordSet", "signatureRrdatas": []}])
        for wrong in ({"name": self.fake.host("x")}, {"name": "other.example."}, {"ttl": "60"}, {"ttl": -1},
                      {"rrdatas": []}, {"rrdatas": ["192.0.2.256"]}, {"type": "B"}, {"records": []}):
            with self.breach("field"):
                status, answer, _ = self.change([self.set("ok", "192.0.2.1"), {**self.set("x", "192.0.2.1"), **wrong}])
                self.assertEqual((status, "additions[1]" in answer["error"]["message"]), (400, True), wrong)
        self.fake.bad = {self.fake.host("bad")}
        status, answer, _ = self.change([self.set("ok", "192.0.2.1"), self.set("bad", "192.0.2.1")])
        self.assertEqual((status, len(answer["error"]["errors"]), self.kept("ok")), (400, 1, []))
        with self.breach("body"):
            self.assertEqual(self.change()[0], 400)


class Azure(Native):
    kind = azure.Azure

    def api(self, method, path, data=None, headers=(), version="2018-05-01", token=None):
        if not self.fake.tokens:
            self.fake.tokens["eyJ0.test"] = self.fake.wall() + 3599
        target = (f"/subscriptions/{self.fake.subscription}/resourceGroups/{self.fake.group}/providers/Microsoft.Network/dnsZones/{self.fake.zone}{path}"
                  f"{'&' if '?' in path else '?'}api-version={version}")
        return self.ask(method, target, data, [("Authorization", f"Bearer {token or next(iter(self.fake.tokens))}"),
                                               *headers])

    def put(self, label, *values, ttl=3600, headers=(), rtype="A", method="PUT"):
        member = "ipv4Address" if rtype == "A" else "ipv6Address"
        body = {"properties": {"TTL": ttl, f"{rtype}Records": [{member: value} for value in values]}}
        return self.api(method, f"/{rtype}/{label}", body, headers)

    def login(self, tenant=None, **changes):
        form = {"client_id": self.fake.client, "scope": "https://management.azure.com/.default",
                "client_secret": self.fake.client_secret, "grant_type": "client_credentials", **changes}
        return self.ask("POST", f"/{tenant or self.fake.tenant}/oauth2/v2.0/token", host="login.microsoftonline.com",
                        body=urllib.parse.urlencode(form).encode(), content_type=FORM)

    def metadata(self, query="api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
                 headers=(("Metadata", "true"),), secure=False):
        return self.ask("GET", f"/metadata/identity/oauth2/token?{query}", headers=headers, host="169.254.169.254",
                        secure=secure)

    def test_client_credentials(self):
        status, answer, _ = self.login()
        self.assertEqual((status, answer["token_type"], answer["expires_in"]), (200, "Bearer", 3599))
        self.assertEqual(self.api("GET", "", token=answer["access_token"])[1]["name"], self.fake.zone)
        with self.breach("auth"):
            status, answer, _ = self.login(client_secret="x")
            self.assertEqual((status, answer["error"], answer["error_codes"]), (401, "invalid_client", [7000215]))
        for changes, error in (({"client_id": "x"}, "unauthorized_client"),
                               ({"scope": "https://graph.microsoft.com/.default"}, "invalid_scope"),
                               ({"grant_type": "password"}, "unsupported_grant_type"),
                               ({"tenant": "other"}, "invalid_request")):
            with self.breach("token"):
                self.assertEqual(self.login(**changes)[1]["error"], error)
        self.fake.wall = lambda: time.time() + 3600
        with self.breach("auth"):
            self.assertEqual(self.api("GET", "")[1]["error"]["code"], "InvalidAuthenticationToken")

    def test_managed_identity(self):
        status, answer, _ = self.metadata()
        self.assertEqual((status, answer["token_type"], answer["expires_in"]), (200, "Bearer", "86399"))
        self.assertEqual(self.api("GET", "", token=answer["access_token"])[0], 200)
        with self.breach("metadata"):
            self.assertEqual(self.metadata(headers=())[1]["error"], "bad_request_102")
            self.assertEqual(self.metadata(headers=[("Metadata", "True")])[0], 400)
            self.assertEqual(self.metadata("api-version=2017-01-01&resource=https%3A%2F%2Fmanagement.azure.com")[0],
                             400)
        with self.breach("https"):
            self.metadata(secure=True)
        with self.breach("plain-http", "auth"):
            self.ask("GET", "/", host="management.azure.com", secure=False, headers=[("Authorization", "Bearer x")])
        self.fake.identities = ["one", "two"]
        with self.breach("metadata"):
            self.assertEqual(self.metadata()[0], 400)
        self.assertEqual(self.metadata("api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F&client_id=two")[0],
                         200)

    def test_record_sets(self):
        status, answer, headers = self.put("record1", "127.0.0.1")
        self.assertEqual((status, answer["name"], answer["properties"]["ARecords"], headers.get("ETag")),
                         (201, "record1", [{"ipv4Address": "127.0.0.1"}], answer["etag"]))
        # and a new Etag
        self.assertEqual(self.put("record1", "127.0.0.1", headers=[("If-Match", answer["etag"])])[0], 200)
        self.assertEqual(self.put("record1", "127.0.0.2", headers=[("If-Match", answer["etag"])])[0], 412)
        self.assertEqual(self.put("record1", "127.0.0.2", headers=[("If-None-Match", "*")])[1]["code"],
                         "PreconditionFailed")
        self.assertEqual(self.put("record1", "127.0.0.2", headers=[("If-Match", "*")])[0], 200)
        self.assertEqual(self.put("new", "127.0.0.2", headers=[("If-Match", "*")])[0], 412)
        self.assertEqual(self.put("@", "2001:DB8::1", rtype="AAAA",
                                  headers=[("If-None-Match", "*")])[1]["properties"]["fqdn"], self.fake.zone + ".")
        self.assertEqual((self.kept("record1"), self.kept("@", "AAAA"), self.kept("new")),
                         (["127.0.0.2"], ["2001:db8::1"], []))
        etag = self.api("GET", "/A/record1")[1]["etag"]
        self.fake.put(self.fake.host("record1"), "A", ["127.0.0.9"])  # somebody else
        self.assertEqual(self.api("DELETE", "/A/record1", headers=[("If-Match", etag)])[0], 412)
        self.assertEqual([self.api("DELETE", "/A/record1")[0] for _ in range(2)], [200, 204])
        status, answer, _ = self.api("GET", "/A/record1")
        self.assertEqual((status, answer["code"]), (404, "NotFound"))

    def test_updates_of_record_sets(self):
        self.api("PUT", "/A/record1", {"properties": {"TTL": 3600, "metadata": {"dept": "cameras"},
                                                      "ARecords": [{"ipv4Address": "127.0.0.1"}]}})
        status, answer, _ = self.api("PATCH", "/A/record1", {"properties": {"metadata": {"key2": "value2"}}})
        self.assertEqual((status, answer["properties"]["TTL"], answer["properties"]["ARecords"], answer["properties"]["metadata"]),
                         (200, 3600, [{"ipv4Address": "127.0.0.1"}], {"key2": "value2"}))
        status, changed, _ = self.put("record1", "127.0.0.2", ttl=60, method="PATCH", headers=[("If-Match", answer["etag"])])
        self.assertEqual((status, changed["properties"]["TTL"], changed["properties"]["metadata"], self.kept("record1")),
                         (200, 60, {"key2": "value2"}, ["127.0.0.2"]))
        self.assertEqual(self.put("record1", "127.0.0.3", method="PATCH", headers=[("If-Match", answer["etag"])])[0], 412)
        self.assertNotIn("metadata", self.put("record1", "127.0.0.3")[1]["properties"])
        status, answer, _ = self.put("new", "127.0.0.1", method="PATCH")
        self.assertEqual((status, answer["code"]), (404, "NotFound"))
        with self.breach("condition"):
            self.put("record1", "127.0.0.4", method="PATCH", headers=[("If-None-Match", "*")])

    def test_refusals(self):
        for wrong in ({"ttl": 0}, {"ttl": "60"}, {"values": ["127.0.0.256"]}, {"values": ["::1"]}, {"values": []},
                      {"values": [f"127.0.0.{i}" for i in range(21)]}):
            with self.breach("body"):
                self.assertEqual(self.put("a", *wrong.get("values", ["127.0.0.1"]), ttl=wrong.get("ttl", 60))[0], 400,
                                 wrong)
        with self.breach("api-version"):
            self.assertEqual(self.api("GET", "/A/a", version="1")[1]["error"]["code"], "NoRegisteredProviderFound")
        with self.breach("name"):
            self.assertEqual(self.put(self.fake.host("a"), "127.0.0.1")[0], 400)
        with self.breach("path"):
            self.assertEqual(self.api("PUT", "/X/a", {})[0], 404)
        self.fake.bad = {self.fake.host("bad")}
        self.assertEqual(self.put("bad", "127.0.0.1")[1]["code"], "BadRequest")
        self.fake.records[self.fake.host("c"), "CNAME"] = (60, ["x.example"])
        self.assertEqual(self.put("c", "127.0.0.1")[0], 409)

    def test_lists(self):
        for i in range(150):
            self.fake.put(self.fake.host(f"h{i}"), "A", ["192.0.2.1"], 60)
        self.fake.put(self.fake.host("six"), "AAAA", ["2001:db8::1"], 60)
        first = self.api("GET", "/A")[1]
        link = first["nextLink"]
        self.assertTrue(link.startswith("https://management.azure.com/subscriptions/") and "$skipToken=" in link, link)
        second = self.ask("GET", link.removeprefix("https://management.azure.com"),
                          headers=[("Authorization", "Bearer eyJ0.test")])[1]
        self.assertEqual((len(first["value"]), len(second["value"]), "nextLink" in second), (100, 50, False))
        self.assertEqual(len(self.api("GET", "/recordsets?$top=1000")[1]["value"]), 151)
        self.assertEqual(len(self.api("GET", "/all?%24top=10")[1]["value"]), 10)

    def test_rates(self):
        for i in range(200):
            self.now += 0.2
            self.assertEqual(self.put(f"h{i}", "192.0.2.1")[0], 201)
        with self.breach("rate"):
            status, answer, headers = self.put("one-more", "192.0.2.1")
        self.assertEqual((status, answer["error"]["code"], headers.get("Retry-After")),
                         (429, "SubscriptionRequestsThrottled", "21"))
        self.now += 1
        with self.breach("before-retry-after"):
            self.assertEqual(self.put("h1", "192.0.2.2")[0], 200)  # updates are counted apart
        self.now += 60
        self.assertEqual(self.put("one-more", "192.0.2.1")[0], 201)
