# SPDX-License-Identifier: Apache-2.0
"""The fakes of the great APIs accept what the vendors' documentation shows and refuse what it forbids. Requests are written
by hand from that documentation; nothing here knows Muster's own code. Exit status 77 (skipped) only when npm is missing."""
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import certs, procs  # noqa: E402

from fakes import azure, cloudflare, desec, google, route53, server, sigv4  # noqa: E402
from native_case import Native  # noqa: E402
from native_clouds import Azure, Google, Route53  # noqa: E402,F401


class Cloudflare(Native):
    kind = cloudflare.Cloudflare

    def api(self, method, path, data=None, token=None, **more):
        return self.ask(method, f"/client/v4/zones{path}", data,
                        [("Authorization", f"Bearer {token or self.fake.token}")], **more)

    def records(self, path, method="GET", data=None):
        return self.api(method, f"/{self.fake.zone_id}/dns_records{path}", data)

    def refusal(self, path, method="GET", data=None):
        """(status, code) of what is refused, the one in the error_chain where there is one."""
        status, answer, _ = self.records(path, method, data)
        self.assertEqual((answer["success"], answer["result"], len(answer["errors"])), (False, None, 1))
        fault = answer["errors"][0]
        return status, fault.get("error_chain", [fault])[0]["code"]

    def test_the_zone_is_found_by_its_name(self):
        status, answer, _ = self.api("GET", f"?name={self.fake.zone}")
        self.assertEqual((status, answer["success"], answer["errors"], answer["result_info"]["total_count"]),
                         (200, True, [], 1))
        zone = answer["result"][0]
        self.assertEqual((zone["id"], zone["name"], zone["plan"]["legacy_id"]), (self.fake.zone_id, self.fake.zone,
                                                                                 "free"))
        self.assertEqual(self.api("GET", "?name=other.example&per_page=50")[1]["result"], [])
        with self.breach("query"):
            self.assertEqual(self.api("GET", "?per_page=51")[0], 400)
        with self.breach("unknown-parameter"):
            self.api("GET", "?domain=x")
        self.assertEqual((self.fake.lookups, self.fake.calls), (4, 0))

    def test_tokens(self):
        with self.breach("auth"):
            status, answer, _ = self.api("GET", "", token="another")
            self.assertEqual((status, answer["errors"][0]["code"]), (403, 9109))
            self.assertEqual(self.ask("GET", "/client/v4/zones")[0], 400)
            self.assertEqual(self.ask("GET", "/client/v4/zones",
                                      headers=[("Authorization", "Basic x")])[1]["errors"][0]["code"], 6003)

    def test_the_documented_batch(self):
        at = self.fake.add
        gone = [at(self.fake.host(label), "A", "192.0.2.1") for label in ("d1", "d2")]
        first = at(self.fake.host("p1"), "A", "192.0.2.2", 120, comment="keep me", proxied=False)
        second, third = at(self.fake.host("old"), "A", "192.0.2.3"), at(self.fake.host("u1"), "A", "192.0.2.4",
                                                                        proxied=True, comment="lost")
        body = {"deletes": [{"id": key} for key in gone], "patches": [{"id": first, "content": "192.0.2.46"},
                                                                      {"id": second, "name": self.fake.host("update"),
                                                                       "proxied": True}],
                "puts": [{"id": third, "content": "192.0.2.50", "name": self.fake.host("change"), "type": "A"}],
                "posts": [{"name": "@", "type": "A", "content": "192.0.2.41", "proxied": False, "ttl": 3000},
                          {"name": self.fake.host("a"), "type": "A", "content": "192.0.2.42", "proxied": True}]}
        status, answer, _ = self.records("/batch", "POST", body)
        self.assertEqual((status, {verb: len(found) for verb, found in answer["result"].items()}),
                         (200, {"deletes": 2, "patches": 2, "puts": 1, "posts": 2}))
        patched, put = answer["result"]["patches"][0], answer["result"]["puts"][0]
        self.assertEqual((patched["comment"], patched["ttl"], patched["content"]), ("keep me", 120, "192.0.2.46"))
        # a PUT sets what it does not name to its default
        self.assertEqual((put["proxied"], put["comment"], put["ttl"]), (False, None, 1))
        self.assertEqual([self.kept(label) for label in ("d1", "p1", "old", "update", "change", "@", "a")],
                         [[], ["192.0.2.46"], [], ["192.0.2.3"], ["192.0.2.50"], ["192.0.2.41"], ["192.0.2.42"]])
        self.assertEqual(self.fake.records[self.fake.host("a"), "A"][0], 300)  # proxied: automatic

    def test_a_batch_is_one_transaction_in_its_order(self):
        key = self.fake.add(self.fake.host("a"), "A", "192.0.2.1")
        name = {"name": self.fake.host("a"), "type": "A"}
        self.assertEqual(self.refusal("/batch", "POST",
                                      {"posts": [{**name, "content": "192.0.2.2"}, {**name, "content": "192.0.2.1"}]}),
                         (400, 81058))
        self.assertEqual(self.kept("a"), ["192.0.2.1"])
        status, answer, _ = self.records("/batch", "POST", {"posts": [{**name, "content": "192.0.2.1"}],
                                                            "deletes": [{"id": key}]})
        self.assertEqual((status, self.kept("a")), (200, ["192.0.2.1"]))  # the delete came first
        self.assertNotEqual(answer["result"]["posts"][0]["id"], key)
        self.assertEqual(self.refusal("/batch", "POST", {"patches": [{"id": key, "content": "192.0.2.9"}]}),
                         (404, 81044))

    def test_batch_limits_of_the_plans(self):
        for plan, limit in (("free", 200), ("pro", 3500)):
            self.fake = self.kind()
            self.fake.plan, self.fake.max_records = plan, None
            posts = [{"name": self.fake.host(f"h{i}"), "type": "A", "content": f"192.0.2.{i % 256}", "ttl": 60}
                     for i in range(limit + 1)]
            with self.breach("batch-size"):
                self.assertEqual(self.refusal("/batch", "POST", {"posts": posts})[0], 400)
            began = time.monotonic()
            self.assertEqual(self.records("/batch", "POST", {"posts": posts[:limit]})[0], 200)
            patches = [{"id": key, "content": "198.51.100.1"} for key in self.fake.rrs]
            self.assertEqual(self.records("/batch", "POST", {"patches": patches})[0], 200)
            print(f"{plan}: 2 batches of {limit} in {time.monotonic() - began:.2f} s", file=sys.stderr)
            pages = [self.records(f"?per_page={limit - 1}&page={page}")[1] for page in (1, 2, 3)]
            self.assertEqual([len(page["result"]) for page in pages], [limit - 1, 1, 0])
            self.assertEqual(pages[0]["result_info"]["total_pages"], 2)

    def test_fields(self):
        name = {"name": self.fake.host("a"), "type": "A", "content": "192.0.2.1"}
        for change, code in (({"content": "192.0.2.256"}, 9005), ({"type": "AAAA"}, 9006), ({"ttl": 59}, 9021),
                             ({"ttl": 86401}, 9021), ({"ttl": "60"}, 9021), ({"proxied": "yes"}, 9003),
                             ({"comment": "x" * 101}, 9313), ({"tags": ["a:b"]}, 9300), ({"type": "B"}, 9004),
                             ({"name": "a..b"}, 9000)):
            with self.breach("field"):
                self.assertEqual(self.refusal("", "POST", {**name, **change}), (400, code), change)
        self.assertEqual(self.refusal("", "POST", {**name, "content": "100.64.1.2", "proxied": True}), (400, 9004))
        with self.breach("field"):
            self.assertEqual(self.records("", "POST", {**name, "name": "relative", "TTL": 60})[0], 200)
        self.assertEqual(self.records("", "POST", {**name, "ttl": 60})[0], 200)
        self.assertEqual(self.records("", "POST",
                                      {**name, "type": "AAAA", "content": "2001:DB8::0:1"})[1]["result"]["content"],
                         "2001:db8::1")
        self.assertEqual(self.refusal("", "POST", {**name, "type": "CNAME", "content": "x.example"}), (400, 81053))
        self.fake.add(self.fake.host("c"), "CNAME", "x.example")
        self.assertEqual(self.refusal("", "POST", {**name, "name": self.fake.host("c")}), (400, 81054))

    def test_filters_single_records_and_ids_that_changed(self):
        for label, rtype, value in (("a", "A", "192.0.2.1"), ("a", "AAAA", "2001:db8::1"), ("b", "A", "192.0.2.1")):
            self.fake.add(self.fake.host(label), rtype, value)
        self.assertEqual(len(self.records(f"?name={self.fake.host('a')}")[1]["result"]), 2)
        found = self.records(f"?name.exact={self.fake.host('a')}&type=A")[1]["result"]
        self.assertEqual([record["content"] for record in found], ["192.0.2.1"])
        self.assertEqual(len(self.records("?content=192.0.2.1&match=all")[1]["result"]), 2)
        key = found[0]["id"]
        self.assertEqual(self.records(f"/{key}", "PATCH", {"ttl": 120})[1]["result"]["ttl"], 120)
        self.assertEqual(self.records(f"/{key}", "PATCH", {"content": "192.0.2.1"})[0], 200)  # the same value again
        self.assertEqual(self.records(f"/{key}", "DELETE")[1]["result"], {"id": key})
        self.assertEqual(self.records(f"/{key}")[0], 404)
        zone, (record,) = self.fake.zone_id, self.records("?type=A")[1]["result"]
        self.fake.renumber()
        self.assertEqual(self.api("GET", f"/{zone}/dns_records")[1]["errors"][0]["code"], 7003)
        self.assertEqual(self.refusal(f"/{record['id']}", "PATCH", {"content": "192.0.2.9"}), (404, 81044))
        (again,) = self.records("?type=A")[1]["result"]
        self.assertEqual(({**again, "id": ""}, again["id"] == record["id"]), ({**record, "id": ""}, False))

    def test_rate(self):
        for _ in range(1200):
            self.assertEqual(self.api("GET", f"?name={self.fake.zone}")[0], 200)
        with self.breach("rate"):
            status, answer, headers = self.api("GET", "")
        self.assertEqual((status, headers.get("Retry-After"), answer["success"]), (429, "300", False))
        with self.breach("rate", "before-retry-after"):
            self.now += 299
            self.assertEqual(self.api("GET", "")[2].get("retry-after"), "1")
        self.now += 1
        self.assertEqual(self.api("GET", "")[0], 200)

    def test_bad_names_and_faults(self):
        self.fake.bad = {self.fake.host("bad")}
        posts = [{"name": self.fake.host(label), "type": "A", "content": "192.0.2.1", "ttl": 60} for label in ("good",
                                                                                                               "bad")]
        self.assertEqual(self.refusal("/batch", "POST", {"posts": posts}), (400, 9000))
        self.fake.script[:] = ["500", "apply-html"]
        self.assertEqual(self.records("/batch", "POST", {"posts": posts[:1]})[0], 500)
        self.assertEqual((self.kept("good"), self.fake.rrs), ([], {}))
        self.assertIn("<html>", self.records("/batch", "POST", {"posts": posts[:1]})[1])
        self.assertEqual(self.kept("good"), ["192.0.2.1"])
        self.fake.put(self.fake.host("good"), "A", ["192.0.2.7"])  # somebody else
        self.assertEqual([record["content"] for record in self.fake.of(self.fake.host("good"), "A")], ["192.0.2.7"])


class Desec(Native):
    kind = desec.Desec

    def api(self, method, path="rrsets/", data=None, token=None):
        return self.ask(method, f"/api/v1/domains/{self.fake.zone}/{path}", data,
                        [("Authorization", f"Token {token or self.fake.token}")])

    def bulk(self, *items, method="PATCH"):
        self.now += 300
        return self.api(method, data=list(items))[:2]

    @staticmethod
    def set(subname, *records, rtype="A", ttl=3600):
        return {"subname": subname, "type": rtype, "ttl": ttl, "records": list(records)}

    def test_bulk(self):
        status, answer = self.bulk(self.set("www", "1.2.3.4"), self.set("www", "c0::FEFE", rtype="AAAA"),
                                   self.set("backup", "10 mx.example.", rtype="MX"))
        self.assertEqual((status, len(answer)), (200, 3))
        self.assertEqual((self.kept("www"), self.kept("www", "AAAA")), (["1.2.3.4"], ["c0::fefe"]))
        status, answer = self.bulk({"subname": "www", "type": "A", "records": ["1.2.3.5"]},
                                   {"subname": "www", "type": "AAAA", "records": []}, {"subname": "never", "type": "A",
                                                                                       "records": []},
                                   self.set("", "1.2.3.6"))
        self.assertEqual((status, sorted(item["name"] for item in answer)),
                         (200, [self.fake.zone + ".", f"www.{self.fake.zone}."]))
        self.assertEqual((self.kept("www"), self.kept("www", "AAAA"), self.kept("@")), (["1.2.3.5"], [], ["1.2.3.6"]))
        self.assertEqual(self.bulk(self.set("www", "1.2.3.7"), method="PUT")[0], 200)
        self.assertEqual(self.bulk(self.set("new", "1.2.3.7"), method="POST")[0], 201)
        self.assertEqual(self.bulk(self.set("new", "1.2.3.7"), method="POST")[0], 400)

    def test_errors_stand_in_the_order_of_the_request_and_nothing_is_applied(self):
        with self.breach("field", "value"):
            status, answer = self.bulk(self.set("ok", "1.2.3.4"), {"subname": "a.1", "records": ["::1"], "ttl": 3622},
                                       self.set("b.1", "::1", rtype="AAAA", ttl=-50), {"ttl": 3640, "type": "TXT",
                                                                                       "records": ['"bar"']},
                                       {"subname": "c.1", "records": ["::1"], "type": "AAAA"},
                                       self.set("d.1", "x", rtype="SOA"), self.set("e.1", "1.2.3.400"),
                                       self.set("@", "1.2.3.4"))
        self.assertEqual((status, answer[:6], self.kept("ok")),
                         (400, [{}, {"type": ["This field is required."]},
                                {"ttl": ["Ensure this value is greater than or equal to 3600."]},
                                {"subname": ["This field is required."]}, {"ttl": ["This field is required."]},
                                {"type": ["You cannot tinker with the SOA RR set. It is managed automatically."]}], []))
        self.assertEqual((list(answer[6]), list(answer[7])), (["non_field_errors"], ["subname"]))
        with self.breach("twice"):
            self.assertEqual(self.bulk(self.set("a", "1.2.3.4"), self.set("a", "1.2.3.5"),
                                       self.set("b", "1.2.3.4"))[1][::2],
                             [{"non_field_errors": ["Same subname and type as in position(s) 1, but must be unique."]},
                              {}])
        self.assertEqual([bool(item) for item in self.bulk(self.set("t", "1.2.3.4"),
                                                           self.set("t", "x.example.", rtype="CNAME"),
                                                           self.set("u", "1.2.3.4"))[1]], [True, True, False])
        self.fake.bad = {self.fake.host("bad")}
        self.assertEqual([bool(item) for item in self.bulk(self.set("a", "1.2.3.4"), self.set("bad", "1.2.3.4"))[1]],
                         [False, True])
        with self.breach("body"):
            self.assertEqual(self.api("PATCH", data={"subname": "a"})[1],
                             {"non_field_errors": ["Expected a list of items but got dict."]})

    def test_domain_token_and_single_rrsets(self):
        self.assertEqual(self.api("GET", "")[1]["minimum_ttl"], 3600)
        with self.breach("auth"):
            status, answer, headers = self.api("GET", token="x")
            self.assertEqual((status, answer, headers.get("WWW-Authenticate")), (401, {"detail": "Invalid token."},
                                                                                 "Token"))
        auth = [("Authorization", f"Token {self.fake.token}")]
        self.assertEqual(self.ask("GET", "/api/v1/domains/other.example/rrsets/", headers=auth)[0], 404)
        with self.breach("path"):
            self.assertEqual(self.ask("GET", f"/api/v1/domains/{self.fake.zone}/rrsets", headers=auth)[0], 404)
        self.bulk(self.set("www", "1.2.3.4"), self.set("", "1.2.3.4"))
        self.assertEqual(self.api("GET", "rrsets/www/A/")[1]["records"], ["1.2.3.4"])
        self.assertEqual(self.api("PATCH", "rrsets/@/A/", {"ttl": 86400})[1]["ttl"], 86400)
        self.now += 300
        self.assertEqual([self.api("DELETE", "rrsets/www/A/")[0], self.api("GET", "rrsets/www.../A/")[0]], [204, 404])

    def test_pages(self):
        for i in range(1100):
            self.fake.put(self.fake.host(f"h{i}"), "A", ["192.0.2.1"], 3600)
        status, answer, headers = self.api("GET", "rrsets/?type=A")
        self.assertEqual((status, "Pagination required" in answer["detail"]), (400, True))
        counts = []
        while (link := headers.get("Link")) is not None:
            following = {part.split('rel="')[1].rstrip('"'): part.split(">")[0].strip(" <") for part in link.split(",")}
            if counts and "next" not in following:
                break
            target = following["next" if counts else "first"].removeprefix("https://desec.io")
            _, answer, headers = self.ask("GET", target, headers=[("Authorization", f"Token {self.fake.token}")])
            counts.append(len(answer))
        self.assertEqual(counts, [500, 500, 100])

    def test_rate_classes(self):
        def one():
            status, _, headers = self.api("PATCH", data=[self.set("a", "1.2.3.4")])
            return (status, headers.get("Retry-After"))

        self.assertEqual([one(), one()], [(200, None)] * 2)
        with self.breach("rate"):
            self.assertEqual(one(), (429, "1"))
        for _ in range(13):
            self.now += 1
            self.assertEqual(one()[0], 200)
        self.now += 1
        with self.breach("rate"):  # the sixteenth of a minute; those that were refused do not count
            self.assertEqual(one(), (429, "46"))
        self.now += 46
        self.assertEqual(one()[0], 200)
        while len(self.fake.history["dns_api_per_domain_expensive", 3600]) < 100:
            self.now += 5
            self.assertEqual(one()[0], 200)
        self.now += 60
        with self.breach("rate"):
            status, wait = one()
        self.assertTrue(status == 429 and 2000 < int(wait) < 3600, wait)
        self.now += int(wait) - 1
        with self.breach("before-retry-after"):
            self.assertEqual(self.api("GET")[0], 200)  # reading has its own rates
        self.now += 1
        self.assertEqual(one()[0], 200)

    def test_a_large_request(self):
        began = time.monotonic()
        self.assertEqual(self.bulk(*(self.set(f"h{i}", "192.0.2.1") for i in range(3500)))[0], 200)
        print(f"3,500 RRsets in {time.monotonic() - began:.2f} s", file=sys.stderr)


class Served(unittest.TestCase):
    """All of them behind the one port, with their names in its certificate."""

    def test_names_and_plain_http(self):
        with procs.Workspace() as work:
            fakes = [kind() for kind in (cloudflare.Cloudflare, route53.Route53, google.Google, azure.Azure,
                                         desec.Desec)]
            with server.Server(fakes, certs.Pki(work.folder("pki"))) as port:
                connection = http.client.HTTPConnection("127.0.0.1", port.port)
                connection.request("GET",
                                   "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com",
                                   headers={"Host": "169.254.169.254", "Metadata": "true", "User-Agent": "x"})
                self.assertIn("access_token", json.loads(connection.getresponse().read()))
                connection.close()
                context = ssl.create_default_context(cafile=port.ca)
                for host in ("api.cloudflare.com", "desec.io", "management.azure.com"):
                    with context.wrap_socket(socket.create_connection(("127.0.0.1", port.port)),
                                             server_hostname=host) as tls:
                        tls.sendall(f"GET /x HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\nConnection: close\r\n\r\n".encode())
                        self.assertRegex(tls.recv(100), rb"HTTP/1.1 40\d")
            self.assertEqual((port.violations, fakes[2].violations), ([], []))


if __name__ == "__main__":
    if shutil.which("npm") is None:
        print("npm is missing")
        sys.exit(77)
    try:
        unittest.main()
    finally:
        sigv4.Signer.end()
