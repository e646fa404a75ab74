# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy on loopback that makes a server slow, silent or rude: bytes are delayed, kept, or connections reset."""
import socket
import struct
import threading
import time

from . import ports

_CHUNK = 1 << 16


class FaultProxy:
    """Forwards to (address, port) in mode "pass". "delay": every chunk waits `delay` seconds. "stall": bytes are kept
    until the mode changes; "deaf": those from clients; "mute": those from the server. "reset": new connections and those that speak are reset. reset() cuts
    all that are open. Counts what it did: chunks `delayed` and `stalled`, ends of connections `cut`."""

    def __init__(self, address, port):
        self.target = (address, port)
        self.address = ports.loopback()
        self._listener = socket.create_server((self.address, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.delay = 0.0
        self.delayed = self.stalled = self.cut = 0
        self._mode = "pass"
        self._changed = threading.Condition()
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def mode(self):
        return self._mode

    @mode.setter
    def mode(self, mode):
        with self._changed:
            self._mode = mode
            self._changed.notify_all()
        if mode == "reset":
            self.reset()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self._mode == "reset":
                raise OSError("reset")
            server = socket.create_connection(self.target, 5)
        except OSError:
            self._abort(client)
            return
        for one in (client, server):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(one)
        threading.Thread(target=self._pump, args=(server, client, ("stall", "mute")), daemon=True).start()
        self._pump(client, server, ("stall", "deaf"))

    def _pump(self, source, target, kept_in):
        try:
            while data := source.recv(_CHUNK):
                self._hold(kept_in)
                target.sendall(data)
        except OSError:
            pass  # the end of the connection, by either side or by reset()
        for one in (source, target):
            self._open.discard(one)
            self._abort(one)

    def _hold(self, kept_in):
        if self._mode == "reset":
            raise OSError("reset")
        if self._mode == "delay":
            with self._changed:
                self.delayed += 1
            time.sleep(self.delay)
        with self._changed:
            self.stalled += self._mode in kept_in
            while self._mode in kept_in:
                self._changed.wait()

    @staticmethod
    def _abort(one):
        """With a reset, which no peer can take for an orderly end; wakes a thread that reads."""
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # not connected any more
        one.close()

    def reset(self):
        for one in list(self._open):
            self._open.discard(one)
            self._abort(one)
            self.cut += 1

    def close(self):
        self._listener.close()
        self.mode = "reset"
