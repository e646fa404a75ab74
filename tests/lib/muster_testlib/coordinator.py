# SPDX-License-Identifier: Apache-2.0
"""The coordinator with its files: the one place of the tests that spells a whole configuration."""
from . import build_dir, ports
from .procs import Process

_CONFIG = """\
broker:
  endpoints: ["{broker}"]
  client_id: svc-coord1
  ca_file: {ca}
  cert_file: {cert}
  key_file: {key}
  stamp_key_file: {stamp}
store:
  path: {store}/coordinator.db
registry: {folder}/registry.yaml
control:
  socket: {folder}/control.sock
metrics:
  listen: "{address}:{metrics}"
accounts:
{account}
zones:
  - name: {zone}
    account: dns
    mode: {mode}
    sweep_every: {sweep}
    refresh_every: {refresh}
{zones}groups:
{groups}
log:
  level: {log}
{more}
"""

RFC2136 = """\
  - name: dns
    provider: rfc2136
    server: "{server}"
    key_file: {tsig}
"""


class Coordinator(Process):
    """Not yet started. `groups` is the text below `groups:`; `account` the text of one element of `accounts:` named dns, with the
    names in `values` in braces; further values replace the usual ones, e.g. sweep="10s", more="policy: {...}", zones="  - {name: ...}\\n"
    for elements behind the first."""

    def __init__(self, work, pki, broker, dns, groups, registry, account=RFC2136, env=None, **values):
        self.work = work
        self.folder = work.folder("coordinator")
        self.metrics_port = ports.free_port("127.0.0.1")
        self.registry_file = work.write("coordinator/registry.yaml", registry)
        identity = pki.service("svc-coord1")
        algorithm, name, secret = dns.tsig.split(":", 2)
        tsig = work.write("coordinator/tsig.key", f'key "{name}" {{ algorithm {algorithm}; secret "{secret}"; }};\n', 0o600)
        self.values = {
            "broker": broker.endpoint, "ca": broker.ca_file, "cert": identity.cert, "key": identity.key,
            "stamp": broker.stamp_key_file, "store": self.folder, "folder": self.folder, "address": "127.0.0.1",
            "metrics": self.metrics_port, "server": f"{dns.address}:{dns.port}", "tsig": tsig, "zone": dns.zones[0],
            "mode": "dedicated", "sweep": "7d", "refresh": "0s", "zones": "", "groups": groups, "log": "info", "more": "", **values,
        }
        self.values["account"] = account.format(**self.values)
        self.config_file = self.folder / "coordinator.yaml"
        self.write_config()
        super().__init__([build_dir() / "coordinator" / "muster-coordinator", "-c", self.config_file], self.folder / "log", env=env)

    def write_config(self, **changes):
        """The file anew, with other values from now on."""
        self.values.update(changes)
        self.work.write("coordinator/coordinator.yaml", _CONFIG.format(**self.values))

    def start_ready(self):
        """Connected, and, where the account is of RFC 2136, owner of its zone."""
        self.start()
        self.wait_log("broker-connected")
        if "rfc2136" in self.values["account"]:
            self.wait_log("zone-claimed")
        return self
