# SPDX-License-Identifier: Apache-2.0
"""Free addresses and ports on 127.0.0.0/8.

Each process owns the loopback address made of its pid, and leases the ports that it picks, so two tests that run at the
same time never race for one: a port found free here stays free until this process uses it, and uses it again.
"""
import os
import socket

_FIRST, _PORTS = 10000, 22000
_next = os.getpid() * 97
_leases = []


def loopback(index=0):
    """A loopback address of this process alone; `index` 0 to 3 gives it several (a broker each, two servers on one port)."""
    if not 0 <= index <= 3:
        raise ValueError("a process has four loopback addresses")
    number = os.getpid() & 0x3FFFFF
    return f"127.{1 + index * 63 + (number >> 16) % 63}.{number >> 8 & 255}.{number & 255}"


def _bindable(kind, address, port):
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def _lease(address, port):
    """Whether this process has the port to itself for the rest of its life. An abstract socket's name is taken atomically,
    belongs to the network namespace, as the port does, and goes with the process."""
    lease = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lease.bind(f"\0muster-test-port-{address}-{port}")
    except OSError:
        lease.close()
        return False
    _leases.append(lease)
    return True


def free_port(address=None):
    """A port free for TCP and UDP on `address` (default: this process's own), never handed out twice.

    Below the kernel's ephemeral range, so no outgoing connection takes it. The lease is for 127.0.0.1, where all tests
    meet: BIND must listen there (it takes interface addresses only)."""
    global _next
    address = address or loopback()
    for _ in range(_PORTS):
        port = _FIRST + _next % _PORTS
        _next += 1
        if _lease(address, port):
            if all(_bindable(kind, address, port) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
                return port
            _leases.pop().close()
    raise RuntimeError(f"no free port on {address}")
