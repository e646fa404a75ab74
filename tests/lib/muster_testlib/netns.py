# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of one process: their names carry its number, so two runs work side by side and what a killed run
left behind is found and removed by the next."""
import ctypes
import json
import os
import pathlib
import re
import subprocess

_CLONE_NEWNET = 0x40000000
_NAMESPACES = pathlib.Path("/run/netns")


def _run(argv, text):
    done = subprocess.run([str(part) for part in argv], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout


class Namespaces:
    """Namespaces called <kind>-<pid>-<name>. Whoever makes one closes all of them, also after a failure."""

    def __init__(self, kind="muster"):
        self._kind, self._stem = kind, f"{kind}-{os.getpid()}"
        self._remove_leftovers()

    def full(self, name):
        """The name that `ip netns` knows it by."""
        return f"{self._stem}-{name}"

    def prefix(self, name):
        """What to put before a command line that is to run in there."""
        return ("nsenter", f"--net={_NAMESPACES / self.full(name)}")

    def add(self, name):
        _run(["ip", "netns", "add", self.full(name)], None)
        self.ip(name, "link set lo up")

    def remove(self, name):
        _run(["ip", "netns", "del", self.full(name)], None)

    def ip(self, name, batch, *options):
        """Lines of `ip -batch` in a namespace; links are moved to others by full()."""
        _run(["ip", *options, "-n", self.full(name), "-batch", "-"], batch + "\n")

    def execute(self, name, *command, text=None):
        """A command that ends by itself; its output. RuntimeError with its complaint when it failed."""
        return _run([*self.prefix(name), *command], text)

    def sysctl(self, name, **settings):
        """Rows of /proc/sys/net; `__` stands for the slash: ipv4__ip_forward=1."""
        lines = [f"echo {value} >/proc/sys/net/{key.replace('__', '/')}" for key, value in settings.items()]
        self.execute(name, "sh", "-ec", "\n".join(lines))

    def nft(self, name, rules):
        self.execute(name, "nft", "-f", "-", text=rules)

    def counters(self, name):
        """The named counters of nft in a namespace: {name: (packets, bytes)}, bytes from the IP header on."""
        listed = json.loads(self.execute(name, "nft", "-j", "list", "counters"))["nftables"]
        return {item["counter"]["name"]: (item["counter"]["packets"], item["counter"]["bytes"])
                for item in listed if "counter" in item}

    def enter(self, name):
        """This process and what it starts from now on live in there."""
        with open(_NAMESPACES / self.full(name), "rb") as handle:
            if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        self._remove(self._stem)

    @staticmethod
    def _remove(stem):
        for path in _NAMESPACES.glob(f"{stem}-*"):
            _run(["ip", "netns", "del", path.name], None)

    def _remove_leftovers(self):
        """Of runs whose process is gone."""
        for path in _NAMESPACES.glob(f"{self._kind}-*"):
            match = re.match(rf"{self._kind}-(\d+)-", path.name)
            if match and not os.path.exists(f"/proc/{match[1]}") and path.exists():
                self._remove(f"{self._kind}-{match[1]}")


def possible():
    """Whether this kernel and this sandbox give namespaces with links between them."""
    spaces = None
    try:
        spaces = Namespaces("muster-try")
        spaces.add("try")
        spaces.ip("try", "link add one type veth peer name two")
        spaces.nft("try", "table inet t { chain c { type nat hook postrouting priority srcnat; masquerade; }; }\n")
    except (RuntimeError, OSError):
        return False
    finally:
        if spaces is not None:
            spaces.close()
    return True
