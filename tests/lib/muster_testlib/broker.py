# SPDX-License-Identifier: Apache-2.0
"""The real mosquitto with the shipped configuration template, ACL file and plugin."""
import hashlib
import hmac
import os
import pwd
import re
import secrets
import signal

from . import build_dir, ports, source_dir
from .procs import Process, unconfined

_TEMPLATES = source_dir() / "mqtt" / "broker"


def shard(device_id):
    return hashlib.sha256(device_id.encode()).hexdigest()[:2]


def topic(direction, device_id, leaf):
    """muster/v1/<up|dn>/<shard>/<id>/<leaf>"""
    return f"muster/v1/{direction}/{shard(device_id)}/{device_id}/{leaf}"


def render(template, values):
    """Fills a *.conf.in; a word without a value is an error, a line whose words are all empty is left out."""
    lines = []
    for line in template.read_text().splitlines():
        words = re.findall(r"@([A-Z_]+)@", line)
        if not words or any(str(values[word]) for word in words):
            lines.append(re.sub(r"@([A-Z_]+)@", lambda match: str(values[match[1]]), line))
    return "\n".join(lines) + "\n"


class _Mosquitto:
    """One mosquitto with the plugin on a free port of this process's address: what both kinds of broker share.

    crl_file: path of the revocation lists, "" for none. deny_file: the plugin's, empty at first."""

    def __init__(self, work, pki, name, address, further=(), crl_file=""):
        self.work, self.pki, self.name = work, pki, name
        self.address = address or ports.loopback()
        self.port = ports.free_port(self.address)
        self.folder = work.folder(name, 0o700)
        self.deny_file = work.write(f"{name}/denied", "", 0o600)
        server = pki.server(f"{name}-server", ips=[self.address, "127.0.0.1", *further])
        self.values = {
            "USER": pwd.getpwuid(os.geteuid()).pw_name, "RUN_DIR": self.folder, "LOG_DEST": "stderr",
            "PORT": self.port, "ADDRESS": self.address, "CERT_FILE": server.cert, "KEY_FILE": server.key,
            "CRL_FILE": crl_file, "DENY_FILE": self.deny_file, "SERVICE_CA_FILE": pki.services.cert,
            "PLUGIN_FILE": build_dir() / "mqtt" / "broker" / "libmuster_observed.so",
        }

    def _prepare(self, text, prefix=()):
        self.config_file = self.work.write(f"{self.name}/mosquitto.conf", text, 0o600)
        # A plugin built with a sanitizer needs its runtime in mosquitto first; CTest names it then.
        preload = os.environ.get("MUSTER_BROKER_PRELOAD")
        environment = {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0"} if preload else {}
        self.process = Process([unconfined("mosquitto", self.folder), "-c", self.config_file], self.folder / "log",
                               env=environment, prefix=prefix)

    @property
    def ca_file(self):
        """What a client verifies the broker by."""
        return self.pki.server_bundle

    @property
    def endpoint(self):
        return f"{self.address}:{self.port}"

    def start(self):
        """Starts, or starts again on the same port with the same state."""
        self.process.start()
        self.process.wait_log(r"mosquitto version \S+ running")
        return self

    def stop(self):
        return self.process.stop()

    def kill(self):
        return self.process.kill()

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        """SIGHUP, and waits until the broker has taken it."""
        mark = self.process.mark()
        self.process.signal(signal.SIGHUP)
        self.process.wait_log(r"Reloading config", since=mark)

    def __enter__(self):
        return self if self.process.running() else self.start()

    def __exit__(self, *_):
        self.stop()


class Broker(_Mosquitto):
    """The core broker. `stamp_key` is the broker key as bytes.

    viewers: None (no such listener) or the plugin's option (fleet, all). acl: text of the ACL file (default: as shipped).
    plugin: path of the library. plugin_options, extra: more lines behind the plugin's options, and at the end.
    further: addresses where it listens, too, on the same port.
    """

    def __init__(self, work, pki, name="broker", viewers=None, acl=None, plugin=None, plugin_options="", extra="",
                 address=None, prefix=(), viewers_address=None, further=(), crl_file=""):
        super().__init__(work, pki, name, address, further, crl_file)
        self.viewers_address = viewers_address or self.address
        self.viewers_port = ports.free_port(self.viewers_address) if viewers else None
        self.stamp_key = secrets.token_bytes(32)
        self.stamp_key_file = work.write(f"{name}/stamp.key", self.stamp_key.hex() + "\n", 0o600)
        self.acl_file = work.write(f"{name}/muster.acl", acl or (_TEMPLATES / "muster.acl").read_text(), 0o600)
        self.values.update({
            "STATE_DIR": work.folder(f"{name}/state"), "CLIENT_CA_FILE": pki.clients_bundle,
            "STAMP_KEY_FILE": self.stamp_key_file, "DEVICE_CA_FILE": pki.devices.cert, "VIEWERS": viewers or "none",
            "ACL_FILE": self.acl_file, "VIEWERS_PORT": self.viewers_port, "VIEWERS_ADDRESS": self.viewers_address,
        })
        if plugin:
            self.values["PLUGIN_FILE"] = plugin
        text = render(_TEMPLATES / "core.conf.in", self.values).replace("\nacl_file ", f"\n{plugin_options}\nacl_file ")
        listener = re.search(r"^listener .*?(?=^plugin )", text, re.MULTILINE | re.DOTALL)[0]
        for one in further:
            text = text.replace("\nplugin ", "\n" + listener.replace(self.address, one, 1) + "plugin ", 1)
        if viewers:
            text += render(_TEMPLATES / "viewers.conf.in", self.values)
        self._prepare(text + extra + "\n", prefix)

    def stamp(self, message_topic, address):
        """The value of muster-observed that the plugin must add, computed here."""
        mac = hmac.new(self.stamp_key, f"{message_topic}|{address}".encode(), hashlib.sha256).hexdigest()
        return f"{address} {mac}"


class ProvBroker(_Mosquitto):
    """The broker for provisioning: claim certificates (`pki.claim(...)`) and svc-prov. A client id is attempt()."""

    def __init__(self, work, pki, name="prov", address=None, crl_file="", prefix=()):
        super().__init__(work, pki, name, address, crl_file=crl_file)
        self.values.update({"CLIENT_CA_FILE": pki.claims_bundle, "CLAIM_CA_FILE": pki.claims.cert})
        self._prepare(render(_TEMPLATES / "prov.conf.in", self.values), prefix)


def attempt():
    """A client id for the broker for provisioning."""
    return secrets.token_hex(16)


def prov_topic(claim, cid, leaf):
    """muster/v1/prov/<claim>/<cid>/<req|rsp>"""
    return f"muster/v1/prov/{claim}/{cid}/{leaf}"
