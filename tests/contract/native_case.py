# SPDX-License-Identifier: Apache-2.0
"""Asking a fake of a great API directly, without sockets: the ground of its self tests."""
import contextlib
import json
import unittest

from fakes import base

AGENT = ("User-Agent", "muster-selftest/1.0 (fakes@example.org)")
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Native(unittest.TestCase):
    kind = None

    def setUp(self):
        self.fake = self.kind()
        self.now = 1000.0
        self.fake.clock = lambda: self.now

    def ask(self, method, target, data=None, headers=(), host=None, body=b"", content_type=JSON, secure=True):
        """(status, what the body says, headers) of one request."""
        if data is not None:
            body = json.dumps(data).encode()
        fields = [("Host", host or self.fake.hosts[0]), AGENT, *headers,
                  *([("Content-Type", content_type)] if body else [])]
        request = base.Request(method, target, fields, body, host or self.fake.hosts[0], secure)
        response, how, _ = self.fake.serve(request)
        self.assertTrue(how == "reply" or isinstance(how, base.Held), how)
        text = response.body.decode()
        return response.status, json.loads(text) if response.content_type == JSON else text, base.Headers(response.headers)

    @contextlib.contextmanager
    def breach(self, *rules):
        """What is asked within breaks these rules and no others."""
        self.fake.violations.clear()
        yield
        self.assertEqual({rule for rule, _ in self.fake.violations}, set(rules))
        self.fake.violations.clear()

    def kept(self, label, rtype="A"):
        return self.fake.values(self.fake.host(label), rtype)

    def run(self, result=None):
        return super().run(result) if self.kind else result

    def tearDown(self):
        self.assertEqual(self.fake.violations, [])
