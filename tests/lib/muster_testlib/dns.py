# SPDX-License-Identifier: Apache-2.0
"""Real authoritative servers with one dynamic zone each (Knot, BIND), and kdig as the independent witness."""
import base64
import re
import secrets
import subprocess

from . import ports
from .procs import DEADLINE, Process, unconfined, wait_until

ALGORITHM = "hmac-sha256"
_ZONE_FILE = """$ORIGIN {zone}.
@ 60 SOA ns1 hostmaster 1 3600 600 604800 60
@ 60 NS ns1
ns1 60 A {address}
"""
_KNOT = """server:
  rundir: "{folder}"
  listen: "{address}@{port}"
  tcp-max-clients: 1000
  tcp-idle-timeout: 60
  tcp-remote-io-timeout: 0
log:
  - target: stderr
    any: info
database:
  storage: "{folder}"
  journal-db-mode: robust
  journal-db-max-size: 2G
control:
  listen: "{folder}/knot.sock"
key:
  - id: {key_name}
    algorithm: {algorithm}
    secret: {secret}
acl:
  - id: muster
    key: {key_name}
    action: [update, transfer]
zone:
{zones}"""
_KNOT_ZONE = """  - domain: {zone}.
    storage: "{folder}"
    file: "{zone}.zone"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: changes
    journal-max-usage: 1G
    acl: muster
"""
_BIND = """options {{
  directory "{folder}";
  pid-file "{folder}/named.pid";
  session-keyfile "{folder}/session.key";
  lock-file none;
  listen-on port {port} {{ {address}; }};
  listen-on-v6 {{ none; }};
  recursion no;
  notify no;
  dnssec-validation no;
  tcp-clients 1000;
  minimal-responses no;
}};
controls {{ }};
key "{key_name}" {{ algorithm {algorithm}; secret "{secret}"; }};
{zones}"""
_BIND_ZONE = """zone "{zone}" {{
  type primary;
  file "{folder}/{zone}.zone";
  allow-update {{ key "{key_name}"; }};
  allow-transfer {{ key "{key_name}"; }};
  max-ixfr-ratio unlimited;
}};
"""


class _Server:
    """One server with empty dynamic zones (SOA, NS, ns1). The TSIG key may update and transfer; anyone may ask."""

    kind = ""
    default_address = None  # this process's own loopback address

    def __init__(self, work, zones=("example.net",), name=None, address=None, key_name="muster-key", secret=None,
                 algorithm=ALGORITHM, port=None, prefix=()):
        self.work = work
        self.name = name or self.kind
        self.zones = [zones] if isinstance(zones, str) else list(zones)
        self.address = address or self.default_address or ports.loopback()
        self.port = port or ports.free_port(self.address)
        self.key_name, self.algorithm = key_name, algorithm
        self.secret = secret or base64.b64encode(secrets.token_bytes(32)).decode()
        self.folder = work.folder(self.name)
        for zone in self.zones:
            work.write(f"{self.name}/{zone}.zone", _ZONE_FILE.format(zone=zone, address=self.address))
        self.config_file = work.write(f"{self.name}/server.conf", self._config(), 0o600)
        self.process = Process(self._argv(), self.folder / "log", prefix=prefix)

    def _fill(self, config, zone_config):
        values = {"folder": self.folder, "address": self.address, "port": self.port, "key_name": self.key_name,
                  "algorithm": self.algorithm, "secret": self.secret}
        blocks = "".join(zone_config.format(zone=zone, **values) for zone in self.zones)
        return config.format(zones=blocks, **values)

    @property
    def tsig(self):
        """kdig's and knsupdate's form of the key."""
        return f"{self.algorithm}:{self.key_name}:{self.secret}"

    def start(self):
        """Starts, or starts again on the same port with what its journal holds; returns once every zone answers."""
        self.process.start()
        for zone in self.zones:
            self.process.wait_until(lambda zone=zone: _glance(self, zone, "SOA"), f"{zone} answers")
        return self

    def stop(self):
        return self.process.stop()

    def kill(self):
        return self.process.kill()

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self if self.process.running() else self.start()

    def __exit__(self, *_):
        self.stop()


class Knot(_Server):
    """Knot DNS with a synchronous (robust) journal: what it has answered NOERROR survives kill -9."""

    kind = "knot"

    def _config(self):
        return self._fill(_KNOT, _KNOT_ZONE)

    def _argv(self):
        return [unconfined("knotd", self.folder), "-c", self.config_file]


class Bind(_Server):
    """BIND's named, with a log on stderr. It listens on addresses of interfaces only, so not on just any of 127/8.

    tls, an identity of certs.py: it serves DNS over TLS on `tls_port` too."""

    kind = "bind"
    default_address = "127.0.0.1"

    def __init__(self, work, *arguments, tls=None, **options):
        self.tls, self.tls_port = tls, tls and ports.free_port(options.get("address") or self.default_address)
        super().__init__(work, *arguments, **options)

    def _config(self):
        text = self._fill(_BIND, _BIND_ZONE)
        if self.tls is None:
            return text
        listen = f"  listen-on port {self.tls_port} tls own {{ {self.address}; }};\n"
        return (f'tls own {{ cert-file "{self.tls.cert}"; key-file "{self.tls.key}"; }};\n' +
                text.replace("  listen-on port", listen + "  listen-on port", 1))

    def _argv(self):
        return [unconfined("named", self.folder), "-g", "-c", self.config_file]


def _run_kdig(server, *arguments, deadline=DEADLINE):
    done = subprocess.run(["kdig", f"@{server.address}", "-p", str(server.port), *arguments], capture_output=True,
                          text=True, timeout=deadline, check=False)
    return done.stdout


def _ask(server, name, rtype, *options):
    """Sorted rdata of the answer; None when none came."""
    text = _run_kdig(server, "+noall", "+header", "+answer", *options, name.rstrip(".") + ".", rtype)
    if ";; ->>HEADER<<-" not in text:
        return None
    rows = [line.split(None, 4) for line in text.splitlines() if line and not line.startswith(";")]
    return sorted(row[4] for row in rows)


def _glance(server, name, rtype):
    """What is answered within a second, for loops that look again: nothing at all counts as []."""
    return _ask(server, name, rtype, "+timeout=1", "+retry=0") or []


def kdig(server, name, rtype="A"):
    """Sorted rdata that the server answers for (name, type). No answer is an error, not an empty one."""
    found = _ask(server, name, rtype, "+timeout=5", "+retry=5")
    if found is None:
        raise AssertionError(f"{server.name} does not answer {name} {rtype}")
    return found


def wait_answer(server, name, rtype, expected, deadline=DEADLINE):
    """Until the server answers exactly `expected` (one text or a list)."""
    wanted = sorted([expected] if isinstance(expected, str) else expected)
    wait_until(lambda: _ask(server, name, rtype, "+timeout=1", "+retry=0") == wanted, f"{name} {rtype} is {wanted} at {server.name}", deadline)


def axfr(server, zone=None, ttl=False, deadline=120.0):
    """The whole zone by kdig: {(owner without the last dot, type): sorted rdata}, with `ttl` (ttl, sorted rdata).

    The SOA, which a transfer carries twice, appears once. A failed transfer raises RuntimeError."""
    zone = zone or server.zones[0]
    text = _run_kdig(server, "-y", server.tsig, "+tcp", "+noall", "+answer", "+timeout=60", f"{zone}.", "AXFR",
                     deadline=deadline)
    found = {}
    for line in text.splitlines():
        match = re.match(r"(\S+)\.\s+(\d+)\s+IN\s+(\S+)\s+(.*)$", line)
        if match:
            entry = found.setdefault((match[1].lower(), match[3]), (int(match[2]), set()))
            entry[1].add(match[4])
    if (zone, "SOA") not in found:
        raise RuntimeError(f"no transfer of {zone} from {server.name}: {text[-500:]}")
    return {key: (value[0], sorted(value[1])) if ttl else sorted(value[1]) for key, value in found.items()}


def update(server, *lines, zone=None):
    """One RFC 2136 message by knsupdate (another hand in the zone). Lines: 'add name ttl type data', 'del name type'.

    Returns the text of the failure, "" when it was applied."""
    script = "\n".join([f"server {server.address} {server.port}", f"zone {zone or server.zones[0]}.",
                        f"key {server.tsig}", *lines, "send", ""])
    done = subprocess.run(["knsupdate", "-v"], input=script, capture_output=True, text=True, timeout=DEADLINE,
                          check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr or "failed")
