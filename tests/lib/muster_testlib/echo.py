# SPDX-License-Identifier: Apache-2.0
"""An echo service of many moods, honest and hostile, over TLS or plain TCP.

In a test: `with EchoServer("127.0.0.1", identity) as server: server.url("/ip")`. In a namespace, as a program:
`python3 -m muster_testlib.echo ADDRESS [CERT KEY]`, which prints its URL and serves until it is killed.
"""
import gzip
import http.server
import itertools
import json
import socket
import socketserver
import ssl
import sys
import threading
import urllib.parse
import zlib

PORTAL = """<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>Free WiFi</h1>
<p>Your address 172.16.0.23 is not logged in yet. Gateway: 198.41.0.4. Served by nginx/1.18.0.2, build 4.1.9.77.</p>
<form action="http://192.168.1.1/login"></form></body></html>
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def reply(self, body, status=200, headers=()):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def peer(self):
        """The client's address, as a service on one family's socket sees it."""
        return self.client_address[0].removeprefix("::ffff:")

    def trace(self, host=None, warp="off"):
        host = host or urllib.parse.urlsplit(f"//{self.headers['Host']}").hostname
        self.reply(f"fl=22f16\nh={host}\nip={self.peer()}\nts=1763826000.1\nvisit_scheme=https\nuag=x\ncolo=FRA\n"
                   f"sliver=none\nhttp=http/1.1\nloc=DE\ntls=TLSv1.3\nsni=off\nwarp={warp}\ngateway=off\nrbi=off\nkex=X25519\n")

    def chunked(self, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for byte in body:
            self.wfile.write(b"1\r\n" + bytes([byte]) + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def endless(self, chunk):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(chunk)

    def slow(self):
        """A slow-loris: an honest beginning, then a byte now and then, for ever."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.peer().encode())
        for _ in itertools.count():
            self.wfile.write(b" ")
            if self.server.stopped.wait(0.05):
                return

    def raw(self, data):
        self.wfile.write(data)
        self.close_connection = True

    def do_GET(self):  # pylint: disable=invalid-name
        self.server.seen.append((self.path, dict(self.headers), self.client_address[0]))
        mood, _, text = self.path.lstrip("/").partition("/")
        said = urllib.parse.unquote_to_bytes(text)
        moods = {
            "ip": lambda: self.reply(self.peer() + "\n", headers=[("Content-Type", "text/plain")]),
            "json": lambda: self.reply(json.dumps({"ip": self.peer(), "via": "198.41.0.9"})),
            "trace": self.trace,
            "trace-warp": lambda: self.trace(warp="on"),
            "trace-other": lambda: self.trace(host="other.test"),
            "dyndns": lambda: self.reply("<html><head><title>Current IP Check</title></head><body>Current IP Address: "
                                         f"{self.peer()}</body></html>\r\n", headers=[("Content-Type", "text/html")]),
            "say": lambda: self.reply(said),
            "padded": lambda: self.reply("198.41.0.4" + " " * int(said)),
            "status": lambda: self.reply("198.41.0.4\n", int(said)),
            "portal": lambda: self.reply(PORTAL, headers=[("Content-Type", "text/html")]),
            "portal-511": lambda: self.reply(PORTAL, 511),
            "login": lambda: self.reply("198.41.0.4\n", 302, [("Location", "/ip")]),
            "chunked": lambda: self.chunked(said),
            "gzip": lambda: self.reply(gzip.compress(b"198.41.0.4\n"), headers=[("Content-Encoding", "gzip")]),
            "gzip-unsaid": lambda: self.reply(gzip.compress(b"198.41.0.4\n")),
            "deflate-said": lambda: self.reply(zlib.compress(b"198.41.0.4"), headers=[("Content-Encoding", "deflate")]),
            "endless": lambda: self.endless(b"198.41.0.4\n" * 100),
            "endless-blanks": lambda: self.endless(b" " * 1000),
            "slow": self.slow,
            "stall": self.server.stopped.wait,
            "half": lambda: self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n198.41.0.4\n"),
            "hang-up": lambda: self.raw(b""),
            "no-http": lambda: self.raw(b"198.41.0.4\n"),
            "endless-headers": lambda: self.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Address: 198.41.0.4\r\n" * 10000),
        }
        try:
            moods.get(mood, lambda: self.reply("no such mood", 404))()
        except OSError:
            self.close_connection = True  # the client has seen enough: that is what the test is about

    def log_message(self, *_):
        pass


class EchoServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address, identity=None):
        """`identity`: certificate and key (certs.Identity); None for plain HTTP."""
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, 0), Handler)
        self.stopped, self.seen = threading.Event(), []
        self.address, self.port, self.scheme = address, self.server_address[1], "https" if identity else "http"
        if identity:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.cert, identity.key)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{host}:{self.port}{path}"

    def handle_error(self, request, client_address):
        pass  # refused certificates and broken connections are what the tests make

    def __exit__(self, *_):
        self.stopped.set()
        self.shutdown()
        self.server_close()


class _Files:
    def __init__(self, cert, key):
        self.cert, self.key = cert, key


if __name__ == "__main__":
    with EchoServer(sys.argv[1], _Files(*sys.argv[2:4]) if len(sys.argv) > 2 else None) as echo:
        print(echo.url(""), flush=True)
        threading.Event().wait()
