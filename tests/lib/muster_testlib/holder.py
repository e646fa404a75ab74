# SPDX-License-Identifier: Apache-2.0
"""Network namespaces without names: each is held by a process and gone with it, whatever becomes of the test."""
import os
import subprocess

from .procs import Process, wait_until


class Net:
    """One namespace with its loopback up. `prefix` stands before what is to run in it."""

    def __init__(self, log):
        self.holder = Process(["unshare", "--net", "sleep", "infinity"], log).start()
        own = os.readlink("/proc/self/ns/net")
        self.holder.wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, "the namespace is there")
        self.prefix = ("nsenter", "-t", str(self.holder.pid), "-n")
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *argv, text=None):
        done = subprocess.run([str(part) for part in (*self.prefix, *argv)], input=text, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{argv}: {done.stderr.strip()}")
        return done.stdout

    def address(self, device, *addresses):
        """IPv6 ones without duplicate address detection: there is nobody else, and it takes a second."""
        for address in addresses:
            self.run("ip", "address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))

    def link(self, device, other, other_device):
        """A wire between two namespaces, both ends up."""
        self.run("ip", "link", "add", device, "type", "veth", "peer", "name", other_device, "netns", other.holder.pid)
        self.run("ip", "link", "set", device, "up")
        other.run("ip", "link", "set", other_device, "up")

    def close(self):
        self.holder.stop()


def possible(folder):
    """Whether this kernel and this sandbox give namespaces with links."""
    net = None
    try:
        net = Net(folder / "possible.log")
        net.run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
        return True
    except (AssertionError, RuntimeError, OSError):
        return False
    finally:
        if net is not None:
            net.close()
