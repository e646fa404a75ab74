# SPDX-License-Identifier: Apache-2.0
"""The real PowerDNS Authoritative Server with its HTTP API and dynamic updates, on a SQLite database of its own."""
import pathlib
import secrets
import sqlite3

from muster_testlib import dns, ports
from muster_testlib.procs import unconfined

_SCHEMA = pathlib.Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
_CONFIG = """launch=gsqlite3
gsqlite3-database={folder}/pdns.db
gsqlite3-dnssec=yes
local-address={address}
local-port={port}
webserver=yes
webserver-address={address}
webserver-port={api_port}
webserver-allow-from=127.0.0.0/8
api=yes
api-key={api_key}
socket-dir={folder}
zone-cache-refresh-interval=0
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
disable-axfr=no
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
domain-metadata-cache-ttl=0
gsqlite3-pragma-synchronous=0
loglevel=4
"""


class PowerDns(dns._Server):  # pylint: disable=protected-access
    """Nothing is cached, so that an answer shows what the database holds. `put` is another hand in the zone."""

    kind = "pdns"

    def __init__(self, work, *arguments, **named):
        self.api_key, self.api_port = secrets.token_hex(12), None
        super().__init__(work, *arguments, **named)

    @property
    def url(self):
        return f"http://{self.address}:{self.api_port}"

    def _config(self):
        self.api_port = ports.free_port(self.address)
        with self.database() as database:
            database.executescript(_SCHEMA.read_text())
            database.execute("INSERT INTO tsigkeys (name, algorithm, secret) VALUES (?, ?, ?)",
                             (self.key_name, self.algorithm, self.secret))
            for number, zone in enumerate(self.zones, 1):
                database.execute("INSERT INTO domains (id, name, type) VALUES (?, ?, 'NATIVE')", (number, zone))
                database.execute("INSERT INTO domainmetadata (domain_id, kind, content) VALUES (?, 'TSIG-ALLOW-AXFR', ?)",
                                 (number, self.key_name))
        self.allow_updates(True)
        for zone in self.zones:
            self.put(zone, "SOA", f"ns1.{zone} hostmaster.{zone} 1 3600 600 86400 60", zone=zone)
            self.put(zone, "NS", f"ns1.{zone}", zone=zone)
        return _CONFIG.format(folder=self.folder, address=self.address, port=self.port, api_port=self.api_port,
                              api_key=self.api_key)

    def _argv(self):
        return [unconfined("pdns_server", self.folder), f"--config-dir={self.folder}", "--daemon=no", "--guardian=no"]

    def start(self):
        """What is asked before the threads are there is lost, and costs kdig its timeout."""
        self.folder.joinpath("pdns.conf").write_text(self.config_file.read_text())
        self.process.start()
        self.process.wait_log("Done launching threads")
        for zone in self.zones:
            dns.kdig(self, zone, "SOA")
        return self

    def database(self):
        return sqlite3.connect(self.folder / "pdns.db", timeout=30, isolation_level=None)

    def allow_updates(self, allowed):
        """Whether the TSIG key may update the zones (without any key named, everybody may); also while the server runs."""
        with self.database() as database:
            database.execute("DELETE FROM domainmetadata WHERE kind = 'TSIG-ALLOW-DNSUPDATE'")
            database.execute("INSERT INTO domainmetadata (domain_id, kind, content)"
                             " SELECT id, 'TSIG-ALLOW-DNSUPDATE', ? FROM domains", (self.key_name if allowed else "nobody",))

    def put(self, name, rtype, content, zone=None, ttl=60, disabled=False):
        with self.database() as database:
            database.execute("INSERT INTO records (domain_id, name, type, content, ttl, disabled, auth) SELECT id, ?, ?, ?, ?, ?, 1"
                             " FROM domains WHERE name = ?", (name, rtype, content, ttl, disabled, zone or self.zones[0]))
