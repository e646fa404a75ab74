# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy on loopback that can lose answers, hold requests back and cut connections: faults between engine and
server, on purpose and at a known moment."""
import contextlib
import socket
import threading

from muster_testlib import ports
from muster_testlib.procs import DEADLINE


class Proxy:
    """Forwards to (address, port). swallow: answers are read and lost. hold: requests are kept until release(), which sends
    them to the servers of connections that cut_clients() ended; answers to those are counted in `late`."""

    def __init__(self, address, port):
        self.target = (address, port)
        self.address = ports.loopback()
        self.listener = socket.create_server((self.address, 0))
        self.port = self.listener.getsockname()[1]
        self.lock, self.changed = threading.Lock(), threading.Condition()
        self.swallow = self.hold = False
        self.lost_method, self.losing = None, set()
        self.swallowed = self.held_bytes = self.late = 0
        self.held, self.pairs, self.dead = [], [], set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target, 5)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()
                continue
            with self.changed:
                self.pairs.append((client, server))
                self.changed.notify_all()
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, server), daemon=True).start()

    def _note(self, **changes):
        with self.changed:
            for key, value in changes.items():
                setattr(self, key, value)
            self.changed.notify_all()

    def _requests(self, client, server):
        try:
            while data := client.recv(1 << 16):
                if self.lost_method is not None and data.startswith(self.lost_method):
                    self.losing.add(client)
                with self.lock:  # what was held goes out before what comes behind it
                    if not self.hold:
                        server.sendall(data)
                        continue
                    self.held.append((server, data))
                self._note(held_bytes=self.held_bytes + len(data))
        except OSError:
            pass
        if not any(held is server for held, _ in self.held):
            self._shut(server)

    def _answers(self, client, server):
        try:
            while data := server.recv(1 << 16):
                if client in self.dead:
                    self._note(late=self.late + 1)
                elif self.swallow or client in self.losing:
                    self._note(swallowed=self.swallowed + len(data))
                else:
                    client.sendall(data)
        except OSError:
            pass
        self._shut(client)

    @staticmethod
    def _shut(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def lose_answers_to(self, method):
        """Answers to requests that begin with `method` are read and lost, as by `swallow`; None ends it."""
        self.lost_method = method

    def wait(self, ready, deadline=DEADLINE):
        with self.changed:
            assert self.changed.wait_for(ready, deadline), "nothing came through the proxy"

    def holds_update(self):
        """Among what is held is an UPDATE (RFC 2136 2.2), not only a question about the owner."""
        return any(len(data) > 4 and data[4] >> 3 & 15 == 5 for _, data in self.held)

    def cut_clients(self):
        """The engine's side is closed, no answer reaches it any more; the server's side stays as it is."""
        self.dead.update(client for client, _ in self.pairs)
        for client, _ in self.pairs:
            self._shut(client)

    @contextlib.contextmanager
    def holding(self):
        """The server gets nothing of what is sent meanwhile until the end, then all of it."""
        self.hold = True
        try:
            yield
        finally:
            with self.lock:
                self.hold = False
                for server, data in self.held:
                    server.sendall(data)
                self.held.clear()

    def release(self):
        """Sends what was held, each to the connection it was meant for, and waits for an answer to each."""
        for server, data in self.held:
            before = self.late
            server.sendall(data)
            self.wait(lambda before=before: self.late > before)
        self.held.clear()

    def close(self):
        self.listener.close()
        for pair in self.pairs:
            for sock in pair:
                self._shut(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
