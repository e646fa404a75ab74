# SPDX-License-Identifier: Apache-2.0
"""The ground that the fakes of the services stand on: one port for all, strict reading, faults, real zones."""
import http.client
import pathlib
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import certs, dns, procs  # noqa: E402

import fakes  # noqa: E402
from fakes import base, client, server, zones  # noqa: E402


class Plain(base.Fake):
    """GET /set?name=&ip=&key=, GET /show?name= is the lookup."""

    name, hosts, source, read = "plain", ("api.plain.example",), "this test", "2026-11-23"

    def account(self, hosts=()):
        return {"password": self.password()}

    def is_lookup(self, request):
        return request.path == "/show"

    def handle(self, request):
        if self.is_lookup(request):
            return base.Response(200, self.values(request.get("name"), "A"))
        if not self.fields(request.query, {"name", "ip", "key"}):
            return base.Response(400, "bad request")
        if request.get("key") != self.password():
            self.violate("key", request.get("key"))
            return self.denied(request)
        if request.get("name") in self.bad:
            return base.Response(200, "refused")
        return base.Response(200, "changed" if self.put(request.get("name"), "A", [request.get("ip")]) else "same")


class Ground(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.pki = certs.Pki(cls.work.folder("pki"))

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def setUp(self):
        self.fake = Plain()
        self.server = server.Server([self.fake], self.pki).start()
        self.client = client.Client(self.server)

    def tearDown(self):
        self.client.close()
        self.server.stop()

    def set(self, label, ip, **more):
        pairs = {"name": self.fake.host(label), "ip": ip, "key": self.fake.password(), **more}
        return self.client.ask(f"https://api.plain.example/set?{client.query(**pairs)}")

    def lost(self, label, ip):
        try:
            return self.set(label, ip).text
        except (http.client.HTTPException, OSError):
            return "lost"

    def rules(self):
        found, self.fake.violations = [rule for rule, _ in self.fake.violations], []
        return found

    def test_what_is_right_is_kept_and_counted(self):
        self.assertEqual([self.set("a", "192.0.2.1").text, self.set("a", "192.0.2.1").text], ["changed", "same"])
        self.assertEqual(self.client.ask("https://api.plain.example/show?name=a.plain.example").json(), ["192.0.2.1"])
        self.assertEqual((self.fake.calls, self.fake.lookups, self.rules(), self.server.violations), (2, 1, [], []))
        self.assertGreater(self.fake.bytes, 3 * 60)

    def test_what_is_wrong_is_noted(self):
        ask, key = self.client.ask, client.query(key=self.fake.password())
        for target, rule in ((f"/set?name=a&ip=192.0.2.1&{key}&x=1", "unknown-parameter"), (f"/set?name=a&name=b&ip=1&{key}", "parameter-twice"),
                             (f"/set?name=a&{key}", "missing-parameter"), ("/set?name=a&ip=192.0.2.1&key=x", "key"),
                             (f"/set?name=<a>&ip=192.0.2.1&{key}", "malformed"), ("/set?name=%zz", "malformed")):
            ask("https://api.plain.example" + target)
            self.assertIn(rule, self.rules(), target)
        ask(f"https://api.plain.example/set?name=a&ip=192.0.2.1&{key}", agent=None)
        self.assertEqual(self.rules(), ["no-user-agent"])
        self.assertEqual(ask("https://localhost/set").status, 421)
        self.assertEqual([rule for rule, _ in self.server.violations], ["unknown-host"])
        self.server.violations.clear()
        with self.assertRaises((http.client.HTTPException, OSError)):
            ask("https://api.plain.example/set", headers={"Host": "api.plain.example"})  # the second Host
        with self.assertRaises((http.client.HTTPException, OSError)):
            ask("https://api.plain.example/set", headers={"X": "1", "x": "2"})
        self.assertEqual([rule for rule, _ in self.server.violations], ["malformed"] * 2)
        with socket.create_connection(("127.0.0.1", self.server.port)) as raw:
            raw.sendall(b"GET /set?name=a HTTP/1.1\r\nHost: api.plain.example\r\nUser-Agent: x\r\n\r\n")
            self.assertIn(b"400", raw.recv(100))
        self.assertIn("plain-http", self.rules())

    def test_faults(self):
        self.fake.clock = lambda: 1.0  # what follows a 429 is not too early
        self.fake.script[:] = ["500", "429", "denied", "html", "empty", base.Response(418, "tea"), "apply-html"]
        answers = [self.set("a", "192.0.2.1") for _ in range(7)]
        self.assertEqual([answer.status for answer in answers], [500, 429, 401, 200, 200, 418, 200])
        self.assertEqual((answers[1].headers["Retry-After"], answers[4].text), ("2", ""))
        self.assertEqual(self.set("a", "192.0.2.1").text, "same")  # by apply-html, by none before it
        for word, applied in (("cut", False), ("apply-cut", True)):
            self.fake.script[:] = [word]
            self.assertEqual(self.lost(word, "192.0.2.1"), "lost")
            self.assertEqual(self.fake.values(self.fake.host(word), "A"), ["192.0.2.1"] if applied else [])
        self.fake.bad = {self.fake.host("bad")}
        self.assertEqual(self.set("bad", "192.0.2.1").text, "refused")
        self.assertEqual(self.rules(), [])

    def test_stalled_held_and_restarted(self):
        held = base.Held()
        self.fake.script[:] = [held]
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.set("a", "192.0.2.1").text))
        thread.start()
        self.assertTrue(held.arrived.wait(procs.DEADLINE))
        self.assertEqual((answers, self.fake.values(self.fake.host("a"), "A")), ([], ["192.0.2.1"]))
        held.released.set()
        thread.join(procs.DEADLINE)
        self.assertEqual(answers, ["changed"])
        self.fake.script[:] = ["stall"]
        thread = threading.Thread(target=lambda: answers.append(self.lost("a", "192.0.2.2")))
        thread.start()
        procs.wait_until(lambda: self.fake.calls == 2, "the request is there")
        self.server.stop()
        thread.join(procs.DEADLINE)
        self.assertEqual(answers.pop(), "lost")
        self.server.start()
        self.assertEqual(self.set("a", "192.0.2.1").text, "same")

    def test_what_is_accepted_is_in_the_real_zone_before_the_answer(self):
        with zones.Zones(self.work, [self.fake]) as real:
            self.assertEqual(self.set("a", "192.0.2.1").text, "changed")
            self.assertEqual(dns.kdig(real.server, self.fake.host("a")), ["192.0.2.1"])
            began, count = time.monotonic(), 200
            workers = [threading.Thread(target=self.many, args=(worker, count // 4)) for worker in range(4)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(procs.DEADLINE)
            print(f"{count / (time.monotonic() - began):.0f} changes a second", file=sys.stderr)
            zone = dns.axfr(real.server, self.fake.zone)
            self.assertEqual(len([key for key in zone if key[1] == "A"]), count + 2)
        self.assertEqual((self.rules(), self.server.violations), ([], []))

    def many(self, worker, count):
        with client.Client(self.server) as own:
            for i in range(count):
                pairs = {"name": self.fake.host(f"n{worker}-{i}"), "ip": "192.0.2.9", "key": self.fake.password()}
                assert own.ask(f"https://api.plain.example/set?{client.query(**pairs)}").text == "changed"

    def test_every_fake_says_what_it_stands_for(self):
        found = fakes.all_fakes()
        hosts = {}
        for name, fake in found.items():
            with self.subTest(name):
                self.assertTrue(fake.service and fake.hosts and fake.source and fake.read)
                self.assertEqual(fake.account(), fake.account())
                self.assertIsInstance(fake.account(), dict)
            for host in fake.hosts:
                hosts.setdefault(host, []).append(fake)
        for host, several in hosts.items():
            if len(several) > 1:
                self.assertTrue(all(type(fake).claims is not base.Fake.claims for fake in several), host)


if __name__ == "__main__":
    unittest.main()
