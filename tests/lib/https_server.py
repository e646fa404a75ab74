# SPDX-License-Identifier: Apache-2.0
"""An HTTPS server of many moods for tests: prints "<port> <ca file>" on stdout and serves until its stdin ends.

Usage: https_server.py FOLDER   (an empty folder of the test; the key and the certificate of api.test go there)
"""
import http.server
import itertools
import os
import socketserver
import ssl
import subprocess
import sys
import threading

CONNECTIONS = itertools.count(1)
VANISHED = itertools.count()  # requests that were read, and never answered


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.number = next(CONNECTIONS)

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def echo(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lines = [f"{self.command} {self.path} HTTP"] + [f"{k}: {v}" for k, v in self.headers.items()]
        self.reply(200, "\n".join(lines).encode() + b"\n\n" + body)

    def endless_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-More: and more and more\r\n")

    def endless_continue(self):
        while True:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def endless_body(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    def stall(self):
        STOP.wait()

    def half(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        self.close_connection = True

    def half_head(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n")
        self.close_connection = True

    def hang_up(self):
        self.close_connection = True

    def vanish(self):
        next(VANISHED)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.close_connection = True

    def dispatch(self):
        moods = {
            "/echo": self.echo,
            "/busy": lambda: self.reply(503, b"later", [("Retry-After", "7")]),
            "/moved": lambda: self.reply(302, b"", [("Location", "/echo")]),
            "/connection": lambda: self.reply(200, str(self.number).encode()),
            "/peer": lambda: self.reply(200, self.client_address[0].encode()),
            "/announced": lambda: self.reply(200, b"x" * 5000),
            "/stall": self.stall,
            "/half": self.half,
            "/half-head": self.half_head,
            "/hang-up": self.hang_up,
            "/vanish": self.vanish,
            "/vanished": lambda: self.reply(200, str(next(VANISHED)).encode()),  # so many before this one
            "/endless-headers": self.endless_headers,
            "/endless-continue": self.endless_continue,
            "/endless-body": self.endless_body,
        }
        try:
            moods.get(self.path, lambda: self.reply(404, b"no such mood"))()
        except OSError:
            self.close_connection = True  # the client has seen enough: that is what those tests are about

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = dispatch

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # refused certificates and broken connections are what the tests make


def make_certificate(folder):
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
         "-out", cert, "-days", "2", "-subj", "/CN=api.test", "-addext", "subjectAltName=DNS:api.test"],
        check=True, stderr=subprocess.DEVNULL)
    return key, cert


STOP = threading.Event()


def main():
    key, cert = make_certificate(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], cert, flush=True)
    sys.stdin.read()
    STOP.set()


if __name__ == "__main__":
    main()
