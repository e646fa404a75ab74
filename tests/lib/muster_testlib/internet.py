# SPDX-License-Identifier: Apache-2.0
"""What a device may ask on the internet of network.py: coturn, a Knot that says who asked, an HTTP(S) echo of many moods
that is the dyndns2 service of other clients as well. The test program has to be in the internet's namespace."""
import base64
import http.server
import secrets
import socket
import socketserver
import ssl
import threading
import urllib.parse

from . import dns, ports
from .dns import Knot
from .network import SERVER, SERVER2, SERVER6, WRONG
from .procs import Process

PORTAL = """<html><head><title>Welcome to Hotel 4.1.9.77</title></head><body>
<p>Your address 192.168.1.2, gateway 10.0.0.1, is not yet admitted. IP: 93.184.216.34</p>
<p>Current IP Address: 81.2.69.142</p><ul>{}</ul> nginx/1.18.0.2 2606:2800:220:1::1</body></html>
""".format("".join(f"<li>8.8.{n}.8</li>" for n in range(50)))


class Stun:
    """coturn, on two addresses of IPv4 and one of IPv6."""

    def __init__(self, work):
        self.port = ports.free_port(SERVER)
        folder = work.folder("stun")
        listen = [part for address in (SERVER, SERVER2, SERVER6) for part in ("-L", address)]
        self.process = Process(["turnserver", "-n", "--stun-only", *listen, "-p", self.port, "--no-tls", "--no-dtls", "--no-cli",
                                "--no-tcp", "--log-file", "stdout", "--pidfile", folder / "pid", "--userdb", folder / "db"],
                               folder / "log", cwd=folder)

    def start(self):
        self.process.start()
        for address in (SERVER, SERVER2):
            self.process.wait_until(lambda address=address: self._answers(address), f"STUN answers on {address}")
        return self

    def _answers(self, address):
        """A binding request of RFC 8489, 20 bytes, finds a binding response."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.5)
            udp.connect((address, self.port))
            try:
                udp.send(bytes.fromhex("000100002112a442") + secrets.token_bytes(12))
                return udp.recv(512)[:2] == b"\x01\x01"
            except OSError:
                return False

    def stop(self):
        self.process.stop()


class Whoami(Knot):
    """Answers A and AAAA of whoami.example.com with the address that asks (Knot's module whoami), on port 53."""

    kind = "whoami"

    def __init__(self, work):
        super().__init__(work, zones="whoami.example.com", address=SERVER2, port=53)

    def _config(self):
        return super()._config().replace("    acl: muster\n", "    module: mod-whoami\n")

    def start(self):
        self.process.start()
        self.process.wait_log("server started")
        return self


class Web:
    """HTTP on port 80 of SERVER and SERVER6, HTTPS on 443. /ip is an echo in one of these moods: "right", "dead"
    (hangs up), "slow" (says nothing before the end), "lying" (somebody else's address), "portal" (a page full of
    addresses, whatever is asked). /nic/update is dyndns2, written into `zone` of `dns_server`. `requests`: how many came
    from each kind of program, by the first word of its User-Agent."""

    def __init__(self, pki, dns_server, zone, user="user", password="password"):
        self.mood, self.requests, self.updates = "right", {}, []
        self._dns, self._zone = dns_server, zone
        self._login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._ended, self._lock, self._servers = threading.Event(), threading.Lock(), []
        identity = pki.server("echo", ips=[SERVER, SERVER6], names=["echo.example.com"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.cert, identity.key)
        for address in (SERVER, SERVER6):
            self._serve(address, 80, None)
            self._serve(address, 443, context)
        self.portal_port = ports.free_port(SERVER2)
        self._serve(SERVER2, self.portal_port, None, always="portal")

    def _serve(self, address, port, context, always=None):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 30

            def do_GET(self):
                web.answer(self, always or web.mood)

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingTCPServer):  # an HTTPServer would look its own name up
            daemon_threads = allow_reuse_address = True
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

            def handle_error(self, request, client_address):
                pass  # clients that end in the middle are part of the tests

        server = Server((address, port), Handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        self._servers.append(server)

    def count(self, agent):
        """Requests since `requests` was emptied of programs whose name begins so."""
        with self._lock:
            return sum(number for name, number in self.requests.items() if name.startswith(agent))

    def answer(self, handler, mood):
        agent = handler.headers.get("User-Agent", "-").split("/")[0].split()[0].lower()
        with self._lock:
            self.requests[agent] = self.requests.get(agent, 0) + 1
        if mood == "portal":
            self._send(handler, PORTAL, "text/html")
        elif handler.path.startswith("/nic/update"):
            self._update(handler)
        elif mood == "slow":
            self._ended.wait()
        elif mood != "dead":
            self._send(handler, WRONG if mood == "lying" else handler.client_address[0])

    def _update(self, handler):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query)
        if handler.headers.get("Authorization") != self._login:
            self._send(handler, "badauth")
            return
        name, address = query["hostname"][0], query["myip"][0]
        rtype = "AAAA" if ":" in address else "A"
        fault = dns.update(self._dns, f"del {name}. {rtype}", f"add {name}. 60 {rtype} {address}", zone=self._zone)
        with self._lock:
            self.updates.append((name, address))
        self._send(handler, f"good {address}" if not fault else "dnserr")

    @staticmethod
    def _send(handler, body, kind="text/plain"):
        data = body.encode() + b"\n"
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def stop(self):
        self._ended.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
