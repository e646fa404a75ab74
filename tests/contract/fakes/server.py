# SPDX-License-Identifier: Apache-2.0
"""Every fake behind one HTTPS port of 127.0.0.1: HTTP/1.1 with keep-alive, a thread a connection, the service chosen by the
Host field, one certificate with the names of all. A fake with `plain_http` is also served without TLS on the same port.
`violations` are breaches that belong to no fake: bytes that are no HTTP, an unknown host, a Host that is not the SNI."""
import re
import select
import socket
import ssl
import threading

from muster_testlib import ports

from .base import Held, Request, Response, family

_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[\x21-\x7e]*) HTTP/1\.([01])\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*\r\n")
_REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 400: "Bad Request", 401: "Unauthorized",
            403: "Forbidden", 404: "Not Found", 409: "Conflict", 412: "Precondition Failed", 421: "Misdirected Request",
            422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
_LINE, _FIELDS, _BODY = 1 << 16, 100, 1 << 24


class _Malformed(Exception):
    """The bytes are no request that this server takes; the text says why."""


def _body(stream, headers):
    coding = headers.get("transfer-encoding")
    if coding is None:
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _BODY:
            raise _Malformed(f"Content-Length {length}")
        return stream.read(int(length))
    if coding.lower() != "chunked" or "content-length" in headers:
        raise _Malformed(f"Transfer-Encoding {coding}")
    parts = []
    while True:
        size = int(stream.readline(_LINE).split(b";")[0], 16)
        parts.append(stream.read(size))
        if stream.readline(_LINE) != b"\r\n":
            raise _Malformed("a chunk without its end")
        if size == 0:
            return b"".join(parts)


def read_request(stream, sni=None, secure=True, proceed=None, old_http=False):
    """The next Request, None at the end of the connection. `proceed` is called where the client asks before it sends a body.
    `old_http`: HTTP/1.0 is taken, too."""
    line = stream.readline(_LINE)
    if not line:
        return None
    found = _REQUEST_LINE.fullmatch(line)
    if found is None or found[3] == b"0" and not old_http:
        raise _Malformed(f"request line {line[:200]!r}")
    fields, size = [], len(line)
    while (line := stream.readline(_LINE)) != b"\r\n":
        field = _FIELD.fullmatch(line)
        if field is None or len(fields) == _FIELDS:
            raise _Malformed(f"header {line[:200]!r}")
        size += len(line)
        fields.append((field[1].decode(), field[2].decode("latin-1")))
    headers = {key.lower(): value for key, value in fields}
    if len(headers) != len(fields):
        raise _Malformed(f"a header twice: {sorted(key for key, _ in fields)}")
    if "host" not in headers:
        raise _Malformed("no Host")
    if headers.get("expect", "").lower() == "100-continue" and proceed is not None:
        proceed()
    body = _body(stream, headers)
    host = headers["host"].lower()
    if sni is not None and sni.lower() != host.partition(":")[0]:
        raise _Malformed(f"Host {host}, SNI {sni}")
    request = Request(found[1].decode(), found[2].decode(), fields, body, host.partition(":")[0], secure, size + 2 + len(body))
    request.closes = found[3] == b"0" or "close" in headers.get("connection", "").lower()
    return request


def render(response, method="GET"):
    """(head, body) as bytes."""
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Status')}"]
    if response.status != 204:
        lines += [f"Content-Type: {response.content_type}", f"Content-Length: {len(response.body)}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    body = b"" if method == "HEAD" or response.status == 204 else response.body
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body


class Server:
    """Serves `fakes` (Fake objects). Use as a context manager; `connect_to` is its "address:port", `ca` what a client trusts.
    `old_http`: clients that speak HTTP/1.0 are served."""

    def __init__(self, fakes, pki, old_http=False):
        self.fakes, self.violations, self.open, self.old_http = list(fakes), [], set(), old_http
        self.by_host = {}
        for fake in self.fakes:
            for host in fake.hosts:
                self.by_host.setdefault(host.lower(), []).append(fake)
        addresses = [host for host in self.by_host if family(host)]  # a service may have an address for its name
        self.port = ports.free_port("127.0.0.1")
        identity = pki.server(f"fakes-{self.port}", ips=addresses, names=("localhost", *(host for host in self.by_host if host not in addresses)))
        self.ca = pki.servers.cert
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.cert, identity.key)
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.sni_callback = self._named
        self.listener = None

    @property
    def connect_to(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        """Ends like a crash; start() serves again on the same port, the fakes keep what they have."""
        if self.listener is None:
            return
        listener, self.listener = self.listener, None
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its client was first

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @staticmethod
    def _named(connection, name, _context):
        connection.sni = name

    def _accept(self, listener):
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._connection, args=(raw,), daemon=True).start()

    def _connection(self, raw):
        connection, secure = raw, True
        self.open.add(raw)
        try:
            secure = raw.recv(1, socket.MSG_PEEK) == b"\x16"  # a TLS handshake
            if secure:
                self.open.discard(raw)
                connection = self.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
                self.open.add(connection)
                connection.do_handshake()
            with connection.makefile("rb", 1 << 16) as stream:
                self._requests(connection, stream, secure)
        except _Malformed as fault:
            self.violations.append(("malformed", str(fault)))
        except (OSError, ValueError):
            pass  # clients that go away, or refuse the certificate, are part of the tests
        finally:
            self.open.discard(connection)
            connection.close()

    def _requests(self, connection, stream, secure):
        def proceed():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

        sni = getattr(connection, "sni", None)
        while (request := read_request(stream, sni, secure, proceed, self.old_http)) is not None:
            if not self._answer(connection, request) or request.closes:
                return

    def _fake(self, request):
        found = self.by_host.get(request.host, [])
        return next((fake for fake in found if len(found) == 1 or fake.claims(request)), None)

    def _answer(self, connection, request):
        """Whether the connection goes on."""
        fake = self._fake(request)
        if fake is None:
            self.violations.append(("unknown-host", f"{request.host}{request.path}"))
            connection.sendall(b"".join(render(Response(421, "no such service"), request.method)))
            return True
        response, how, waiter = fake.serve(request)
        if waiter is not None and (fault := waiter()):
            self.violations.append(("zone", fault))
        if isinstance(how, Held):
            how.arrived.set()
            how.released.wait()
        if how == "stall":
            select.select([connection], [], [])  # until the client goes, or stop()
            return False
        head, body = render(response, request.method)
        if how == "cut":
            connection.sendall(head + body[:len(body) // 2] if body else head[:len(head) // 2])
            return False
        connection.sendall(head + body)
        return True
