#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The coordinator's control socket, spoken to by hand: what is refused, how, and that nothing of it does harm."""
import http.client
import json
import os
import socket
import stat
import unittest

from muster_testlib.procs import DEADLINE, Workspace
from muster_testlib.stack import Stack
from muster_testlib.unixhttp import UnixConnection


class Control(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.stack = Stack(cls.work).start()
        cls.addClassCleanup(cls.stack.__exit__)
        cls.socket = cls.stack.folder / "control.sock"
        cls.device = cls.stack.device("cam-1").connect()
        cls.addClassCleanup(cls.device.close)
        cls.device.report(ip4="93.184.216.34", ip6="2a00:1450:4001:81b::200e")
        cls.device.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))

    def setUp(self):
        self.connection = UnixConnection(self.socket)
        self.addCleanup(self.connection.close)

    def ask(self, path, method="GET", body=None):
        self.connection.request(method, path, body)
        response = self.connection.getresponse()
        return response.status, response.read()

    def test_only_its_permissions_open_the_socket(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o660)

    def test_what_is_refused(self):
        for method, path, status, error in (
                ("GET", "/v1/devices?limit=0", 400, "bad-limit"), ("GET", "/v1/devices?limit=1001", 400, "bad-limit"),
                ("GET", "/v1/devices?limit=-1", 400, "bad-limit"), ("GET", "/v1/devices?limit=1e2", 400, "bad-limit"),
                ("GET", "/v1/devices?limit=", 400, "bad-limit"), ("GET", "/v1/devices?after=x", 400, "bad-cursor"),
                ("GET", "/v1/devices?after=4294967296", 400, "bad-cursor"), ("GET", "/v1/devices/CAM-1", 404, "no-such-device"),
                ("POST", "/v1/devices/cam-99/forget", 404, "no-such-device"), ("GET", "/v1/devices/cam-1/forget", 405, None),
                ("GET", "/v1/devices/%00", None, None), ("GET", "/v1/devices/" + "x" * 4000, 404, "no-such-device"),
                ("GET", "/v1/records?after=x", 400, "bad-query"), ("GET", "/v1/records?after=a/b/70000", 400, "bad-query"),
                ("GET", "/v1/records?zone=" + "x" * 300, 400, "bad-query"), ("GET", "/v1/records?device=" + "x" * 41, 400, "bad-query"),
                ("GET", "/v1/records?name=a..b", 400, "bad-name"), ("GET", "/v1/records?name=", 400, "bad-name"),
                ("GET", "/v1/records?name=a.example.org", 404, "no-such-record"),
                ("GET", "/v1/records?name=" + "x." * 200 + "example.net", 400, "bad-name"),
                ("GET", "/v1/records?zone=example.org", 404, "no-such-zone"), ("GET", "/v1/records?zone=", 400, "bad-query"),
                ("GET", "/v1/devices?group=nope", 404, "no-such-group"), ("GET", "/v1/devices?group=", 404, "no-such-group"),
                ("GET", "/v1/records?pending=0", 400, "bad-query"), ("GET", "/v1/records?zoned=example.net", 400, "bad-query"),
                ("GET", "/v1/devices?state=lost", 400, "bad-query"), ("GET", "/v1/status?x", 400, "bad-query"),
                ("GET", "/v1/zones/example.net/diff?force=1", 400, "bad-query"),
                ("POST", "/v1/zones/example.net/sweep?force=0", 400, "bad-query"),
                ("POST", "/v1/zones/example.net/sweep?force=yes", 400, "bad-query"),
                ("POST", "/v1/zones/example.net/sweep?force", 400, "bad-query"),
                ("POST", "/v1/zones/example.net/sweep?force=", 400, "bad-query"),
                ("POST", "/v1/zones/example.net/sweep?force=1&force=0", 400, "bad-query"),
                ("POST", "/v1/zones/example.net/sweep?Force=1", 400, "bad-query"),
                ("POST", "/v1/records/a.example.org/retry", 400, "bad-record"),
                ("POST", "/v1/records/cam-1.example.net/retry?type=TXT", 400, "bad-record"),
                ("POST", "/v1/records/cam-9.example.net/adopt", 404, "no-such-record"),
                ("GET", "/v1/zones/example.org/diff", 404, "no-such-zone"), ("POST", "/v1/zones/x/sweep", 404, "no-such-zone"),
                ("POST", "/v1/zones/x/resume", 404, "no-such-zone"), ("GET", "/v1/zones/example.net/sweep", 405, None),
                ("DELETE", "/v1/devices/cam-1", 405, None), ("GET", "/", 404, None), ("GET", "/v2/status", 404, None)):
            with self.subTest(f"{method} {path[:60]}"):
                got, body = self.ask(path, method)
                if status is None:
                    self.assertIn(got, (400, 404))
                    continue
                self.assertEqual(got, status, body)
                if error is not None:
                    answer = json.loads(body)
                    self.assertEqual(set(answer), {"error", "message"})
                    self.assertEqual(answer["error"], error)
        self.assertEqual(self.ask("/healthz"), (200, b"ok\n"))

    def test_a_zone_may_be_written_in_any_case_and_with_its_dot(self):
        for zone in ("example.net", "EXAMPLE.net", "example.net.", "Example.NET."):
            status, body = self.ask(f"/v1/records?zone={zone}")
            self.assertEqual((status, len(json.loads(body)["records"])), (200, 2), body)
            self.assertEqual(self.ask(f"/v1/zones/{zone}/diff")[0], 200)

    def test_a_body_is_refused_where_none_belongs(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.settimeout(DEADLINE)
            raw.connect(str(self.socket))
            raw.sendall(b"POST /v1/zones/example.net/resume HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
            self.assertRegex(raw.recv(65536), rb"\AHTTP/1\.1 413 ")

    def test_what_is_no_http_harms_nobody(self):
        for text in (b"\0" * 1000, b"GET /v1/status\r\n\r\n", b"GET " + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                     b"POST /v1/zones/example.net/sweep HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
                raw.settimeout(DEADLINE)
                raw.connect(str(self.socket))
                try:
                    raw.sendall(text)
                except (BrokenPipeError, ConnectionResetError):  # refused before all of it was there
                    pass
        self.assertEqual(self.ask("/healthz"), (200, b"ok\n"))
        self.assertTrue(self.stack.coordinator.running())

    def test_pages_of_records_join_without_a_gap(self):
        def walk(path):
            after = ""
            while True:
                status, body = self.ask(f"{path}limit=1{after}")
                self.assertEqual(status, 200, body)
                answer = json.loads(body)
                yield from answer["records"]
                if "next" not in answer:
                    return
                after = f"&after={answer['next']}"

        for query in ("", "zone=example.net&", "device=cam-1&"):
            with self.subTest(query):
                found = [(record["name"], record["type"]) for record in walk(f"/v1/records?{query}")]
                self.assertEqual(found, [("cam-1.example.net", "A"), ("cam-1.example.net", "AAAA")])
        status, body = self.ask("/v1/records?name=cam-1.example.net&limit=1")
        self.assertEqual((status, "next" in json.loads(body)), (200, False))

    def test_both_doors_give_metrics(self):
        status, local = self.ask("/metrics")
        self.assertEqual(status, 200)
        loopback = http.client.HTTPConnection("127.0.0.1", self.stack.metrics_port, timeout=DEADLINE)
        self.addCleanup(loopback.close)
        loopback.request("GET", "/metrics")
        response = loopback.getresponse()
        names = {line.split()[2] for line in response.read().decode().splitlines() if line.startswith("# TYPE")}
        self.assertEqual(names, {line.split()[2] for line in local.decode().splitlines() if line.startswith("# TYPE")})
        self.assertIn("muster_store_ok", names)
        loopback.request("GET", "/v1/status")
        self.assertEqual(loopback.getresponse().status, 404)


if __name__ == "__main__":
    unittest.main()
