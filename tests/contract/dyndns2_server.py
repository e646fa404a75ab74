# SPDX-License-Identifier: Apache-2.0
"""A strict dyndns2 service over HTTPS. What it accepts it writes into a real zone by RFC 2136, so that the authoritative
answers are real; `script` holds replies for the next requests instead: a body, (status, body, headers), or a word:
"stall" (no reply), "cut" (half a reply), "apply-cut" (applied, then half a reply), "apply-html" (applied, an HTML page),
or a Held, which is answered when the test says so. `ipv6` is the dialect: "myip" (one address a request), "list" (or one
of each family with a comma), "myipv6" (each family in its parameter; `unchanged` for one that stays). Hosts in `unknown`
get "nohost". stop() ends it like a crash, start() brings it back on the same port.
"""
import base64
import http.server
import ipaddress
import socket
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
        self.ipv6, self.unchanged, self.unknown = "myip", None, set()
        self.open = set()  # connections
        self.times = []  # of the requests, monotonic seconds
        self.stopped = threading.Event()
        identity = pki.server("dyndns2", names=("localhost",))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.cert, identity.key)
        self.port, self.httpd = ports.free_port("127.0.0.1"), None
        self.start()

    def start(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                service.open.add(self.request)
                super().setup()

            def do_GET(self):
                service.handle(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # clients that refuse the certificate are part of the tests

        self.httpd = Server(("127.0.0.1", self.port), Handler)
        self.httpd.socket = self.context.wrap_socket(self.httpd.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.httpd is not None:
            self.httpd.shutdown()
            self.httpd.server_close()
            self.httpd = None
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its client was first
        self.open.clear()

    @property
    def url(self):
        return f"https://localhost:{self.port}/nic/update"

    def addresses(self, query):
        """What the request says about addresses, [] where the dialect does not allow it."""
        v4, v6 = query.get("myip", [None])[0], query.get("myipv6", [None])[0]
        given = (v4 or "").split(",")
        if self.ipv6 == "myipv6":
            if self.unchanged and None in (v4, v6):
                return []
            wanted = {4: v4, 6: v6}
            given = [value for value in wanted.values() if value not in (None, self.unchanged)]
        elif v6 is not None:
            return []
        try:
            families = [ipaddress.ip_address(value).version for value in given]
        except ValueError:
            return []
        if self.ipv6 == "myipv6":
            return given if all(wanted[family] == value for family, value in zip(families, given)) else []
        return given if families in ([4], [6]) or (self.ipv6 == "list" and families == [4, 6]) else []

    def judge(self, handler):
        """Hosts and address of a well-formed request, None with the fault noted."""
        split = urllib.parse.urlsplit(handler.path)
        query = urllib.parse.parse_qs(split.query, keep_blank_values=True)
        login = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        faults = []
        addresses = self.addresses(query)
        if (split.path != "/nic/update" or not addresses or not {"hostname"} < set(query) <= {"hostname", "myip", "myipv6"}
                or any(len(v) != 1 for v in query.values())):
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
        self.requests.append((hosts, ",".join(addresses)))
        return None if faults else self.requests[-1]

    def apply(self, hosts, addresses):
        lines = []
        for host in hosts:
            for address in addresses.split(","):
                rtype = "AAAA" if ":" in address else "A"
                lines += [f"del {host}. {rtype}", f"add {host}. 60 {rtype} {address}"]
        fault = dns.update(self.zone_server, *lines) if lines else ""
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
            self.apply([host for host in hosts if host not in self.unknown], address)
        if reply in ("cut", "apply-cut"):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ngood")
            handler.close_connection = True
            return None
        if reply == "apply-html":
            return self.send(handler, 200, "<html><body>\n<h1>Welcome</h1>\n</body></html>\n")
        if reply is None:
            return self.send(handler, 200, "".join("nohost\n" if host in self.unknown else f"good {address}\n" for host in hosts))
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
        self.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
