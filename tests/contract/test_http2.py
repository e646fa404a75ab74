#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 and kept connections, as nginx sees them in front of a service's stand-in: what a provider does with a real
HTTP/2 server, which the stand-ins themselves are not."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import certs, ports  # noqa: E402
from muster_testlib.procs import Process, Workspace, wait_until  # noqa: E402

import fakes  # noqa: E402
from fakes import server  # noqa: E402
from probes import Probes  # noqa: E402

CONFIG = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  log_format seen '{{"protocol":"$server_protocol","connection":$connection,"request":"$request_method $uri","status":$status}}';
  access_log {folder}/access.log seen;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl{http2};
    ssl_certificate {cert};
    ssl_certificate_key {key};
    location / {{
      proxy_pass https://{upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Connection "";
      proxy_ssl_server_name on;
      proxy_ssl_name $host;
    }}
  }}
}}
"""


class Http2(unittest.TestCase):
    def setUp(self):
        self.work = Workspace()
        self.addCleanup(self.work.close)
        self.pki = certs.Pki(self.work.folder("pki"))
        self.fake = fakes.classes()["cloudflare"]()
        self.place = server.Server([self.fake], self.pki).start()
        self.addCleanup(self.place.stop)

    def front(self, http2):
        """nginx before the service; returns its port."""
        folder = self.work.folder("nginx")
        identity = self.pki.server("front", names=self.fake.hosts)
        port = ports.free_port("127.0.0.1")
        path = self.work.write("nginx.conf", CONFIG.format(folder=folder, port=port, http2=" http2" if http2 else "",
                                                           cert=identity.cert, key=identity.key, upstream=self.place.connect_to))
        nginx = Process(["/usr/sbin/nginx", "-c", path], folder / "output.log")
        nginx.start()
        self.addCleanup(nginx.stop)
        nginx.wait_port("127.0.0.1", port)
        self.log = folder / "access.log"
        return port

    def seen(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def change(self, port, count):
        token = self.work.write("token", self.fake.account()["password"], 0o600)
        config = self.work.write("account.yaml", "\n".join([
            "name: front", "provider: cloudflare", f"password_file: {token}", f"ca_file: {self.place.ca}",
            f"connect_to: 127.0.0.1:{port}", "timeout: 60s"]) + "\n")
        with Probes() as probes:
            session = probes.open("front", config, self.fake.zone)
            for rev in range(1, count + 1):
                session.submit(self.fake.host("a"), f"192.0.2.{rev}", rev)
                self.assertEqual(session.settled(rev)["outcome"], "applied")
        wait_until(lambda: len(self.seen()) == self.fake.calls + self.fake.lookups, "nginx has logged every request")
        self.assertEqual(self.fake.violations + self.place.violations, [])
        return self.seen()

    def test_a_service_that_speaks_http2_is_spoken_to_so_on_one_connection(self):
        seen = self.change(self.front(http2=True), 5)
        self.assertEqual({line["protocol"] for line in seen}, {"HTTP/2.0"})
        self.assertEqual(len({line["connection"] for line in seen}), 1)
        self.assertGreaterEqual(len(seen), 6)  # lookups and five writes

    def test_one_that_does_not_keeps_its_connection_as_well(self):
        seen = self.change(self.front(http2=False), 5)
        self.assertEqual({line["protocol"] for line in seen}, {"HTTP/1.1"})
        self.assertEqual(len({line["connection"] for line in seen}), 1)


if __name__ == "__main__":
    unittest.main()
