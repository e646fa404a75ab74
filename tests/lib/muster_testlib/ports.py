# SPDX-License-Identifier: Apache-2.0
"""Free addresses and ports on 127.0.0.0/8.

Each process owns the loopback address made of its pid, so two tests that run at the same time never race for a port:
a port found free here stays free until this process uses it.
"""
import os
import socket

_FIRST, _PORTS = 10000, 22000
_next = os.getpid() * 97


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


def free_port(address=None):
    """A port free for TCP and UDP on `address` (default: this process's own), never handed out twice.

    Below the kernel's ephemeral range, so no outgoing connection takes it; the walk starts at a place of this process's
    own, which keeps two tests apart on 127.0.0.1, where BIND must listen (it takes interface addresses only)."""
    global _next
    address = address or loopback()
    for _ in range(_PORTS):
        port = _FIRST + _next % _PORTS
        _next += 1
        if all(_bindable(kind, address, port) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port
    raise RuntimeError(f"no free port on {address}")
