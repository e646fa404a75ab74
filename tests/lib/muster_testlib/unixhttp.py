# SPDX-License-Identifier: Apache-2.0
"""HTTP over a unix socket: the coordinator's operators' door."""
import http.client
import socket

from .procs import DEADLINE


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("coordinator", timeout=DEADLINE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self.path)
