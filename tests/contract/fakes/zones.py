# SPDX-License-Identifier: Apache-2.0
"""What the fakes accept, in real zones: one knotd with a zone for each fake, fed by RFC 2136 (TSIG, TCP). A change is in the
zone before its request is answered. Changes that come together share a message: a service's throughput is not one fsync."""
import queue
import socket
import threading

import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.update

from muster_testlib import dns as authority
from muster_testlib.procs import DEADLINE

_LANES = 8  # connections; a zone has its own lane, so its changes keep their order
_TOGETHER = 200  # changes a message


class _Lane(threading.Thread):
    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.waiting, self.socket = server, queue.Queue(), None
        self.keyring = dns.tsigkeyring.from_text({server.key_name: server.secret})

    def run(self):
        while (first := self.waiting.get()) is not None:
            taken = [first]
            while len(taken) < _TOGETHER and not self.waiting.empty():
                following = self.waiting.get()
                if following is None:
                    self.waiting.put(None)
                    break
                taken.append(following)
            for zone in dict.fromkeys(item[0] for item in taken):
                self._write(zone, [item for item in taken if item[0] == zone])
        self._hang_up()

    def _hang_up(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _ask(self, message):
        """Knot ends connections that were idle: then once more on a new one. The message sets what is wanted, twice too."""
        for fresh in (self.socket is None, True):
            if self.socket is None:
                self.socket = socket.create_connection((self.server.address, self.server.port))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                return dns.query.tcp(message, self.server.address, sock=self.socket, timeout=DEADLINE)
            except (EOFError, OSError):
                self._hang_up()
                if fresh:
                    raise
        raise AssertionError("not reached")

    def _write(self, zone, items):
        message = dns.update.UpdateMessage(zone, keyring=self.keyring, keyname=self.server.key_name,
                                           keyalgorithm=authority.ALGORITHM)
        for _, changes, _, _ in items:
            for name, rtype, ttl, values in changes:
                owner = dns.name.from_text(name)
                message.delete(owner, rtype)
                for value in values:
                    message.add(owner, ttl, rtype, value)
        try:
            reply = self._ask(message)
            fault = None if reply.rcode() == dns.rcode.NOERROR else f"{zone}: {dns.rcode.to_text(reply.rcode())}"
        except Exception as error:  # whatever it was, those who wait must learn of it
            fault = f"{zone}: {error!r}"
            self._hang_up()
        for _, _, done, result in items:
            result.append(fault)
            done.set()


class _Knot(authority.Knot):
    def _config(self):
        # What the fakes write is gone with them: no fsync a message.
        return super()._config().replace("journal-db-mode: robust", "journal-db-mode: asynchronous")


class Zones:
    """Runs knotd with the zones of `fakes` and sets their `publish`. Use as a context manager; `server` is the knotd."""

    def __init__(self, work, fakes, server=None):
        self.fakes = list(fakes)
        self.server = server or _Knot(work, zones=sorted({fake.zone for fake in self.fakes}), name="fakes-knot")
        self.lanes = []

    def start(self):
        self.server.start()
        self.lanes = [_Lane(self.server) for _ in range(_LANES)]
        for lane in self.lanes:
            lane.start()
        for number, zone in enumerate(sorted({fake.zone for fake in self.fakes})):
            for fake in self.fakes:
                if fake.zone == zone:
                    fake.publish = self._publisher(zone, self.lanes[number % _LANES])
        return self

    def stop(self):
        for fake in self.fakes:
            fake.publish = None
        for lane in self.lanes:
            lane.waiting.put(None)
            lane.join(DEADLINE)
        self.server.stop()

    @staticmethod
    def _publisher(zone, lane):
        def publish(changes):
            done, result = threading.Event(), []
            lane.waiting.put((zone, list(changes), done, result))

            def wait():
                return result[0] if done.wait(DEADLINE) else f"{zone}: no answer"
            return wait
        return publish

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
