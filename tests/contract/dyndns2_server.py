# SPDX-License-Identifier: Apache-2.0
"""A strict dyndns2 service over HTTPS. What it accepts it writes into a real zone by RFC 2136, so that the authoritative
answers are real; `script` holds replies for the next requests instead: a body, (status, body, headers), or a word:
"stall" (no reply), "cut" (half a reply), "apply-cut" (applied, then half a reply), "apply-html" (applied, an HTML page),
or a Held, which is answered when the test says so.
"""
import base64
import http.server
import ssl
import threading
import time
import urllib.parse

from muster_testlib import dns, ports


class Held:
    """A request that is applied and answered when the test sets `released`; `arrived` tells that it is there."""

    def __init__(self):
        self.arrived, self.released = threading.Event(), threading.Event()


class Service:
    def __init__(self, pki, zone_server, user="fleet", password="pass word"):
        self.zone_server, self.user, self.password = zone_server, user, password
        self.script, self.requests, self.faults = [], [], []
        self.times = []  # of the requests, monotonic seconds
        self.stopped = threading.Event()
        identity = pki.server("dyndns2", names=("localhost",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.cert, identity.key)
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                service.handle(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # clients that refuse the certificate are part of the tests

        self.port = ports.free_port("127.0.0.1")
        self.httpd = Server(("127.0.0.1", self.port), Handler)
        self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"https://localhost:{self.port}/nic/update"

    def judge(self, handler):
        """Hosts and address of a well-formed request, None with the fault noted."""
        split = urllib.parse.urlsplit(handler.path)
        query = urllib.parse.parse_qs(split.query, keep_blank_values=True)
        login = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        faults = []
        if split.path != "/nic/update" or set(query) != {"hostname", "myip"} or any(len(v) != 1 for v in query.values()):
            faults.append(f"query {handler.path}")
        if handler.headers.get("Authorization") != login:
            faults.append("login")
        if not handler.headers.get("User-Agent", "").startswith("muster/"):
            faults.append(f"agent {handler.headers.get('User-Agent')}")
        hosts = query.get("hostname", [""])[0].split(",")
        if len(hosts) > 20 or len(set(hosts)) != len(hosts):
            faults.append(f"{len(hosts)} hosts")
        self.faults += faults
        self.times.append(time.monotonic())
        self.requests.append((hosts, query.get("myip", [""])[0]))
        return None if faults else self.requests[-1]

    def apply(self, hosts, address):
        rtype = "AAAA" if ":" in address else "A"
        lines = []
        for host in hosts:
            lines += [f"del {host}. {rtype}", f"add {host}. 60 {rtype} {address}"]
        fault = dns.update(self.zone_server, *lines)
        if fault:
            self.faults.append(fault)

    def handle(self, handler):
        request = self.judge(handler)
        reply = self.script.pop(0) if self.script else None
        if request is None:
            return self.send(handler, 401, "badauth")
        hosts, address = request
        if reply == "stall":
            self.stopped.wait()
            return None
        if isinstance(reply, Held):
            reply.arrived.set()
            reply.released.wait()
            reply = None
        if reply is None or str(reply).startswith("apply"):
            self.apply(hosts, address)
        if reply in ("cut", "apply-cut"):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ngood")
            handler.close_connection = True
            return None
        if reply == "apply-html":
            return self.send(handler, 200, "<html><body>\n<h1>Welcome</h1>\n</body></html>\n")
        if reply is None:
            return self.send(handler, 200, "".join(f"good {address}\n" for _ in hosts))
        return self.send(handler, *reply) if isinstance(reply, tuple) else self.send(handler, 200, reply)

    @staticmethod
    def send(handler, status, body, headers=()):
        data = body.encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def close(self):
        self.stopped.set()
        self.httpd.shutdown()
        self.httpd.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
