# SPDX-License-Identifier: Apache-2.0
"""What an authoritative server answers, asked so often that a change is timed to the millisecond; and everything that it
ever published, from its own journal."""
import random
import re
import socket
import struct
import subprocess
import time

from .procs import DEADLINE, Timeout

_TYPES = {"A": (1, socket.AF_INET, 4), "AAAA": (28, socket.AF_INET6, 16)}


def _question(number, name, rtype):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!6H", number, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", rtype, 1)


def _addresses(reply, question_len, rtype):
    """Addresses of the answer section; owners are compressed to two bytes or spelt out."""
    wanted, family, length = _TYPES[rtype]
    found, at = [], question_len
    for _ in range(struct.unpack("!H", reply[6:8])[0]):
        while reply[at] and reply[at] < 0xC0:
            at += reply[at] + 1
        at += 2 if reply[at] else 1
        kind, _, _, size = struct.unpack("!2HIH", reply[at:at + 10])
        if kind == wanted and size == length:
            found.append(socket.inet_ntop(family, reply[at + 10:at + 10 + size]))
        at += 10 + size
    return sorted(found)


def asks(server, name, rtype="A"):
    """Sorted addresses that `server` (.address, .port) answers; None when it does not."""
    question = _question(random.randrange(65536), name, _TYPES[rtype][0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.5)
        udp.connect((server.address, server.port))
        try:
            udp.send(question)
            reply = udp.recv(4096)
        except OSError:
            return None
    return _addresses(reply, len(question), rtype) if reply[:2] == question[:2] else None


def answered(server, name, rtype="A"):
    """asks() in a list of one, which is true also for no address; None when it does not answer."""
    found = asks(server, name, rtype)
    return None if found is None else [found]


def wait_answers(server, wanted, deadline=DEADLINE, alive=lambda: None):
    """Asks every millisecond for each (name, type) of `wanted` until it answers that list; the monotonic time of each
    first right answer, None for what never came. alive() may raise to end it."""
    end = time.monotonic() + deadline
    found = dict.fromkeys(wanted)
    while True:
        for (name, rtype), addresses in wanted.items():
            if found[name, rtype] is None and asks(server, name, rtype) == sorted(addresses):
                found[name, rtype] = time.monotonic()
        if None not in found.values() or time.monotonic() > end:
            return found
        alive()
        time.sleep(0.001)


def wait_answer(server, name, rtype, addresses, deadline=DEADLINE, alive=lambda: None):
    """The monotonic time of the first right answer; Timeout with what is answered instead."""
    found = wait_answers(server, {(name, rtype): addresses}, deadline, alive)[name, rtype]
    if found is None:
        raise Timeout(f"after {deadline} s {name} {rtype} is {asks(server, name, rtype)}, not {addresses}")
    return found


class Publications:
    """Every address that a zone published since this object was made or told to begin anew. The journal knows
    them all (RFC 1995), also one that stood for a moment between two questions."""

    def __init__(self, server, zone=None):
        self.server, self.zone = server, zone or server.zones[0]
        self.begin()

    def _kdig(self, what):
        done = subprocess.run(["kdig", f"@{self.server.address}", "-p", str(self.server.port), "-y", self.server.tsig, "+tcp",
                               "+noall", "+answer", "+timeout=10", f"{self.zone}.", what], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        return [line.split(None, 4) for line in done.stdout.splitlines() if re.match(r"\S+\s+\d+\s+IN\s", line)]

    def begin(self):
        self._serial = self._kdig("SOA")[0][4].split()[2]

    def changes(self):
        """[(owner without the last dot, type, address, True when it was added)] in their order."""
        return [change for version in self._versions() for change in version]

    def emptied(self, name, rtype="A"):
        """How often the name was left without any such record, after it had been given one."""
        present, times = set(), 0
        for version in self._versions():
            before = set(present)
            for owner, kind, data, added in version:
                if (owner, kind) == (name, rtype):
                    (present.add if added else present.discard)(data)
            times += bool(before and not present)
        return times

    def _versions(self):
        """The changes of each version of the zone."""
        records = self._kdig(f"IXFR={self._serial}")
        if not records or records[0][3] != "SOA":
            raise AssertionError(f"no journal of {self.zone}: {records[:3]}")
        if len(records) == 1:
            return []
        if records[1][3] != "SOA":
            raise AssertionError(f"the journal of {self.zone} does not reach back to {self._serial}")
        found, added = [], True  # the first SOA is that of the whole answer; each further one turns the sign
        for owner, _, _, rtype, data in records[1:-1]:
            if rtype == "SOA":
                added = not added
                found += [] if added else [[]]
            elif rtype in _TYPES:
                found[-1].append((owner.rstrip(".").lower(), rtype, data, added))
        return found

    def added(self, name):
        """Addresses that were added to the name, in their order, of both families."""
        return [data for owner, _, data, added in self.changes() if owner == name and added]
