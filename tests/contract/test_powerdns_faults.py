#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of the contract that a good server does not show by itself (test_providers.py has them for the others): the real
PowerDNS behind something that answers for it, cuts its replies off or keeps them. A fault hits the PATCH, the change itself."""
import http.client
import http.server
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import dns, procs  # noqa: E402
from muster_testlib.pdns import PowerDns  # noqa: E402

from fakes.base import HTML  # noqa: E402
from probe import Probe  # noqa: E402
from provider_cases import ZONE  # noqa: E402

NAME = f"a.{ZONE}"


class Between(http.server.ThreadingHTTPServer):
    """Passes requests on. `script` holds the faults of the next changes: (whether the server gets it, what is done then), the
    latter a (status, headers, body), "cut" or "stall". `changes` counts them."""
    daemon_threads = True

    def __init__(self, address, port):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target, self.script, self.changes, self.ended = (address, port), [], 0, threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients that went away are part of the test

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def close(self):
        self.ended.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def passed_on(self, body):
        link = http.client.HTTPConnection(*self.server.target, timeout=procs.DEADLINE)
        link.request(self.command, self.path, body, dict(self.headers))
        reply = link.getresponse()
        found = reply.status, [("Content-Type", reply.getheader("Content-Type", "text/plain"))], reply.read()
        link.close()
        return found

    def answer(self, status, headers, body, cut=False):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if cut else body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        change = self.command == "PATCH"
        self.server.changes += change
        passes, fault = self.server.script.pop(0) if change and self.server.script else (True, None)
        reply = self.passed_on(body) if passes else (200, [], b"")
        if fault == "stall":
            self.server.ended.wait()
        if fault in ("cut", "stall"):
            self.answer(200, [], b'{"result": "half of what it is"}', cut=True)
            self.close_connection = True
        else:
            self.answer(*(fault or reply))

    do_GET = do_PATCH = serve


def page(status, text, *headers):
    return status, [("Content-Type", "text/html"), *headers], text.encode()


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.server = PowerDns(cls.work)
        cls.key = cls.work.write("key", cls.server.api_key + "\n", 0o600)
        cls.server.start()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.between = Between(self.server.address, self.server.api_port)
        self.addCleanup(self.between.close)

    def probe(self, timeout="30s"):
        return Probe(self.work, {"provider": "powerdns", "url": self.between.url, "password_file": self.key, "retry_min": "20ms",
                                 "retry_max": "200ms", "timeout": timeout}, ZONE, name=self.id().rpartition(".")[2])

    def applied(self, probe, value, rev, **more):
        probe.submit(NAME, value, rev, **more)
        self.assertEqual(probe.settled(rev)["outcome"], "applied")
        self.assertEqual(dns.kdig(self.server, NAME, "A"), [value])

    def test_what_stands_between_is_not_believed_and_nothing_is_lost(self):
        faults = {"an outage": (False, page(500, "Internal Server Error")), "a page with 200": (False, page(200, HTML)),
                  "a page in place of the reply": (True, page(200, HTML)), "an empty 200": (False, page(200, "")),
                  "a reply cut off": (False, "cut"), "lost after it was applied": (True, "cut"),
                  "an outage after it was applied": (True, page(502, "Bad Gateway"))}
        with self.probe() as probe:
            for rev, (what, fault) in enumerate(faults.items(), 1):
                with self.subTest(what):
                    self.between.script[:] = [fault]
                    before = self.between.changes
                    self.applied(probe, f"192.0.2.{rev}", rev)
                    self.assertEqual(self.between.changes - before, 2)

    def test_a_service_that_goes_silent_is_left(self):
        with self.probe(timeout="500ms") as probe:
            self.between.script[:] = [(False, "stall")]
            self.applied(probe, "192.0.2.21", 1)

    def test_too_many_requests_waits_as_long_as_asked(self):
        with self.probe() as probe:
            self.between.script[:] = [(False, page(429, "slow down", ("Retry-After", "1")))]
            begun = time.monotonic()
            self.applied(probe, "192.0.2.31", 1)
            self.assertGreater(time.monotonic() - begun, 0.95)

    def test_wrong_credentials_stop_the_account(self):
        with self.probe() as probe:
            self.between.script[:] = [(False, page(401, "Unauthorized"))] * 9
            probe.submit(NAME, "192.0.2.41", 1)
            event = probe.settled(1, ("retry",))
            self.assertEqual((event["error"], event["alarm"]), ("badauth", "badauth"))
            probe.submit(f"b.{ZONE}", "192.0.2.41", 2)
            probe.settled(2, ("retry",))
            self.assertEqual((probe.status()["state"], self.between.changes), ("broken", 1))

    def test_the_time_to_live_and_the_same_value_again(self):
        with self.probe() as probe:
            for rev, ttl in enumerate((3600, 60, 60), 1):
                self.applied(probe, "192.0.2.51", rev, ttl=ttl)
                with self.server.database() as database:
                    self.assertEqual(database.execute("SELECT ttl FROM records WHERE name = ?", (NAME,)).fetchall(), [(ttl,)])

    def test_a_batch_is_full_at_its_limit_and_no_earlier(self):
        with self.probe() as probe:
            for rev, (count, calls) in enumerate(((1000, 1), (1001, 2)), 1):
                before = self.between.changes
                probe.send("bulk", count, 0x0A000000 + rev * 65536, rev)
                probe.event("bulk")
                self.assertEqual(self.between.changes - before, calls)


if __name__ == "__main__":
    unittest.main()
