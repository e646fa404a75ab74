# SPDX-License-Identifier: Apache-2.0
"""Programs that keep a name at their host's address, as devices of network.py run them: ours, and Debian's inadyn and
ddclient, all with their clocks in our hands. Client: `name` in the DNS, `process`, start(), stop(), running(); `families`
that it can keep."""
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import time

from . import build_dir
from .network import SERVER
from .procs import DEADLINE, Process

PROBE_S = 8  # in which the agent notices that its path is dead
_ESTABLISHED = "01"


class _Client:
    label, families = "", ("A",)

    def __init__(self, world, space, name):
        self.world, self.space, self.name = world, space, name
        self.folder = world.work.folder(name)
        self.process, self._clock = None, self.folder / "clock"
        self.move_clocks(0, 0)

    def start(self):
        self.process = Process(self._argv(), self.folder / "log", prefix=self.world.network.spaces.prefix(self.space),
                               env=self._environment())
        self.process.start()
        return self

    def _environment(self):
        return {"LD_PRELOAD": str(build_dir() / "tests" / "clock_shim.so"), "CLOCK_SHIM": str(self._clock)}

    def move_clocks(self, wall_s, boot_s):
        """What its wall clock and its boot clock are ahead of the machine's, from now on."""
        with open(self._clock, "r+b" if self._clock.exists() else "wb") as clock:
            clock.write(struct.pack("=qq", wall_s, boot_s))

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def running(self):
        if not self.process.running():
            raise AssertionError(f"{self.label} ended: {self.process.log_text()[-2000:]}")


class Agent(_Client):
    """muster-agent. `settings`: sections of its configuration over what it needs."""

    label, families = "muster", ("A", "AAAA")

    def __init__(self, world, space, device, settings):
        super().__init__(world, space, f"{device}.{world.zone}")
        self.device = device
        identity = world.identity(device)
        self.socket = self.folder / "agent.sock"
        config = {
            "device_id": device, "state_dir": str(world.work.folder(f"{self.name}/state")),
            "control_socket": str(self.socket),
            "broker": {"endpoints": [world.broker.endpoint], "probe": f"{PROBE_S}s", "backoff_max": "1s"},
            "report": {"window": "100ms"},  # an event follows the start at once; a second's window would be measured, too
            "tls": {"ca_file": str(world.broker.ca_file), "cert_file": str(identity.cert), "key_file": str(identity.key)},
        }
        for section, value in settings.items():
            config[section] = {**config.get(section, {}), **value} if isinstance(value, dict) else value
        self.config_file = self.folder / "agent.yaml"
        self.config_file.write_text(json.dumps(config))  # JSON is YAML

    def _argv(self):
        return [build_dir() / "agent" / "muster-agent", "-c", self.config_file]

    def _ask(self, *words):
        """Output of a command to the running agent; None where it failed."""
        done = subprocess.run([self._argv()[0], *words, "--socket", self.socket], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        return done.stdout if done.returncode == 0 else None

    def status(self):
        """What it says about itself; None before it listens."""
        said = self._ask("status", "--json")
        return None if said is None else json.loads(said)

    def report(self):
        """Has it report now, and waits for the answer."""
        before = self.status()["report"]["seq"]
        if self._ask("report") is None:
            raise AssertionError(f"{self.device} does not report")
        self.wait_status(lambda status: status["report"]["seq"] > before and status["report"]["state"] == "acknowledged",
                         "the report is acknowledged")

    def wait_status(self, predicate, what):
        def fits():
            status = self.status()
            return status if status is not None and predicate(status) else None
        return self.process.wait_until(fits, what)

    def wait_answer(self, kind, since, family="ip4"):
        """What the source of that type answered to a question that ended after `since` (monotonic seconds)."""
        def answers():
            now = time.monotonic()
            uplinks = (self.status() or {"detect": {"uplinks": []}})["detect"]["uplinks"]
            return [answer for uplink in uplinks for answer in uplink.get(family, {}).get("answers", [])
                    if answer["type"] == kind and now - answer.get("age_s", now) - 1 > since]  # an age is cut to whole seconds
        return self.process.wait_until(answers, f"the agent has asked {kind} again")[0]

    def complaints(self, since):
        """What it has logged as a warning or an error since `since`, a mark() of its process: events in their order."""
        return re.findall(rb" (?:warn|error) (\S+)", self.process.log_path.read_bytes()[since:])

    def source_port(self):
        """Of its connection to the broker, by the kernel's table of its namespace."""
        sockets = _open_files(self.process.pid)
        remote = f"{struct.unpack('=I', socket.inet_aton(SERVER))[0]:08X}:{self.world.broker.port:04X}"
        for line in pathlib.Path(f"/proc/{self.process.pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[2] == remote and fields[3] == _ESTABLISHED and f"socket:[{fields[9]}]" in sockets:
                return int(fields[1].split(":")[1], 16)
        raise AssertionError(f"{self.device} has no connection to the broker")


def _open_files(pid):
    """What the descriptors of a process are."""
    found = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(fd))
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def _program(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed (deploy/packages/test)")
    return path


class _Peer(_Client):
    """`ip6`: it keeps the device's IPv6 address, not the IPv4 one. Over an HTTP echo neither finds that one out as Debian ships
    them; what a command prints both take, so they are given one that asks the kernel."""

    def __init__(self, world, space, ip6):
        super().__init__(world, space, f"{self.label}-{space}.{world.peers_zone}")
        self.families = ("AAAA",) if ip6 else ("A",)
        self._command = self.folder / "address"
        self._command.write_text("#!/bin/sh\nip -6 -o address show dev eth0 scope global -deprecated -tentative "
                                 "| awk '{ sub(\"/.*\", \"\", $4); print $4; exit }'\n")
        self._command.chmod(0o755)
        self._config = self.folder / f"{self.label}.conf"
        self._config.write_text(self._text(ip6))
        self._config.chmod(0o600)

    def _text(self, ip6):
        raise NotImplementedError


class Inadyn(_Peer):
    """Its shortest period is 30 s, which no public echo service would be pleased by; its default is 120 s."""

    label = "inadyn"

    def _text(self, ip6):
        asked = f'checkip-command = "{self._command}"' if ip6 else f"""checkip-server = "{SERVER}:80"
    checkip-path = "/ip"
    checkip-ssl = false"""
        return f"""period = 30
allow-ipv6 = {"true" if ip6 else "false"}
custom service {{
    ssl = false
    username = user
    password = password
    hostname = "{self.name}"
    {asked}
    ddns-server = "{SERVER}:80"
    ddns-path = "/nic/update?hostname=%h&myip=%i"
}}
"""

    def _argv(self):
        cache = self.folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir()
        return [_program("inadyn"), "-n", "--force", "-f", self._config, "--cache-dir", cache,
                "--pidfile", self.folder / "inadyn.pid"]


class Ddclient(_Peer):
    """Its shortest period is 60 s; its default is 300 s."""

    label = "ddclient"

    def _text(self, ip6):
        return f"""ssl=no
{f"use=cmd, cmd={self._command}" if ip6 else f"use=web, web=http://{SERVER}/ip"}
protocol=dyndns2, server={SERVER}, login=user, password=password {self.name}
"""

    def _argv(self):
        (self.folder / "cache").unlink(missing_ok=True)
        return [_program("ddclient"), "-daemon=60", "-foreground", "-file", self._config,
                "-cache", self.folder / "cache", "-pid", self.folder / "ddclient.pid"]


def addresses6(pid, prefix):
    """{global address below `prefix` in the namespace of a process: its flags}"""
    head = prefix.rstrip(":").split(":")
    digits = "".join(f"{int(group or '0', 16):04x}" for group in head)
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/net/if_inet6").read_text().splitlines():
        address, _, _, scope, flags, _ = line.split()
        if address.startswith(digits) and scope == "00":
            found[socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))] = int(flags, 16)
    return found


def usable6(pid, prefix):
    """The address below `prefix` that duplicate detection has passed; None: not yet."""
    return next((address for address, flags in addresses6(pid, prefix).items() if not flags & 0x40), None)  # IFA_F_TENTATIVE


def deprecated6(pid, prefix):
    """No address below `prefix` is preferred any more."""
    return all(flags & 0x20 for flags in addresses6(pid, prefix).values())  # IFA_F_DEPRECATED


