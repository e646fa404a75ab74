# SPDX-License-Identifier: Apache-2.0
"""A plain HTTPS client for the self tests of the fakes: one kept connection a host name, to the fakes' port."""
import base64
import http.client
import json
import socket
import ssl
import urllib.parse

AGENT = "muster-selftest/1.0 (fakes@example.org)"


class Answer:
    def __init__(self, reply):
        with reply:
            self.status, self.headers, self.body = reply.status, reply.headers, reply.read()

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def query(**pairs):
    return urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Client:
    def __init__(self, server):
        self.server, self.kept = server, {}
        self.context = ssl.create_default_context(cafile=server.ca)

    def _connection(self, host):
        if host not in self.kept:
            raw = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = http.client.HTTPSConnection(host)
            connection.sock = self.context.wrap_socket(raw, server_hostname=host)
            self.kept[host] = connection
        return self.kept[host]

    def ask(self, url, method="GET", headers=None, body=None, agent=AGENT, data=None):
        """The Answer to one request; `data` is sent as JSON. A lost connection raises and is forgotten."""
        host, slash, rest = url.removeprefix("https://").partition("/")
        fields = {**({"User-Agent": agent} if agent else {}), **(headers or {})}
        if data is not None:
            body, fields["Content-Type"] = json.dumps(data).encode(), "application/json"
        try:
            connection = self._connection(host)
            connection.putrequest(method, slash + rest, skip_accept_encoding=True)
            if body is not None:
                fields["Content-Length"] = str(len(body))
            for name, value in fields.items():
                connection.putheader(name, value)
            connection.endheaders(body.encode() if isinstance(body, str) else body)
            return Answer(connection.getresponse())
        except (http.client.HTTPException, OSError):
            self.close(host)
            raise

    def close(self, host=None):
        for name in [host] if host else list(self.kept):
            if name in self.kept:
                self.kept.pop(name).close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
