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
    """Fills a *.conf.in; a word without a value is an error."""
    return re.sub(r"@([A-Z_]+)@", lambda match: str(values[match[1]]), template.read_text())


class Broker:
    """mosquitto on a free port of this process's address. `stamp_key` is the broker key as bytes.

    viewers: None (no such listener) or the plugin's option (fleet, all). acl: text of the ACL file (default: as shipped).
    plugin: path of the library. plugin_options, extra: more lines behind the plugin's options, and at the end.
    further: addresses where it listens, too, on the same port.
    """

    def __init__(self, work, pki, name="broker", viewers=None, acl=None, plugin=None, plugin_options="", extra="",
                 address=None, prefix=(), viewers_address=None, further=()):
        self.work, self.pki, self.name = work, pki, name
        self.address = address or ports.loopback()
        self.port = ports.free_port(self.address)
        self.viewers_address = viewers_address or self.address
        self.viewers_port = ports.free_port(self.viewers_address) if viewers else None
        self.folder = work.folder(name, 0o700)
        self.stamp_key = secrets.token_bytes(32)
        self.stamp_key_file = work.write(f"{name}/stamp.key", self.stamp_key.hex() + "\n", 0o600)
        self.acl_file = work.write(f"{name}/muster.acl", acl or (_TEMPLATES / "muster.acl").read_text(), 0o600)
        server = pki.server(f"{name}-server", ips=[self.address, "127.0.0.1", *further])
        values = {
            "USER": pwd.getpwuid(os.geteuid()).pw_name, "RUN_DIR": self.folder, "LOG_DEST": "stderr",
            "STATE_DIR": work.folder(f"{name}/state"), "PORT": self.port, "ADDRESS": self.address,
            "CLIENT_CA_FILE": pki.clients_bundle, "CERT_FILE": server.cert, "KEY_FILE": server.key,
            "PLUGIN_FILE": plugin or build_dir() / "mqtt" / "broker" / "libmuster_observed.so",
            "STAMP_KEY_FILE": self.stamp_key_file, "DEVICE_CA_FILE": pki.devices.cert,
            "SERVICE_CA_FILE": pki.services.cert, "VIEWERS": viewers or "none", "ACL_FILE": self.acl_file,
            "VIEWERS_PORT": self.viewers_port, "VIEWERS_ADDRESS": self.viewers_address,
        }
        text = render(_TEMPLATES / "core.conf.in", values).replace("\nacl_file ", f"\n{plugin_options}\nacl_file ")
        listener = re.search(r"^listener .*?(?=^plugin )", text, re.MULTILINE | re.DOTALL)[0]
        for one in further:
            text = text.replace("\nplugin ", "\n" + listener.replace(self.address, one, 1) + "plugin ", 1)
        if viewers:
            text += render(_TEMPLATES / "viewers.conf.in", values)
        self.config_file = work.write(f"{name}/mosquitto.conf", text + extra + "\n", 0o600)
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

    def stamp(self, message_topic, address):
        """The value of muster-observed that the plugin must add, computed here."""
        mac = hmac.new(self.stamp_key, f"{message_topic}|{address}".encode(), hashlib.sha256).hexdigest()
        return f"{address} {mac}"

    def __enter__(self):
        return self if self.process.running() else self.start()

    def __exit__(self, *_):
        self.stop()
