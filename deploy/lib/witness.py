# SPDX-License-Identifier: Apache-2.0
"""What the quickstart measures by: a viewer at the broker that notes when reports arrive, and DNS questions of its own.

Both clocks are this machine's wall clock, so that mosquitto_sub's time of arrival and ours compare.
"""
import random
import socket
import struct
import subprocess
import threading
import time

from muster_testlib.procs import Timeout


def _question(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!6H", number, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)


def _addresses(reply, question_len):
    """IPv4 addresses of the answer section; owners are compressed to two bytes or spelt out."""
    found, at = [], question_len
    for _ in range(struct.unpack("!H", reply[6:8])[0]):
        while reply[at] and reply[at] < 0xC0:
            at += reply[at] + 1
        at += 2 if reply[at] else 1
        kind, _, _, size = struct.unpack("!2HIH", reply[at:at + 10])
        if kind == 1 and size == 4:
            found.append(socket.inet_ntoa(reply[at + 10:at + 14]))
        at += 10 + size
    return sorted(found)


class Witness:
    """Reports by device as they arrive at the broker's viewers' listener; the authoritative server's answers."""

    def __init__(self, broker, dns):
        self._dns = (dns.address, dns.port)
        self._lock, self._arrivals = threading.Lock(), {}
        # %r is 1 for a retained copy, which is no arrival.
        self._sub = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.viewers_port), "-i", "Quickstart.1", "-q", "1",
             "-t", "muster/v1/up/+/+/state", "-F", "%U %r %t"], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._sub.stdout:
            when, retained, topic = line.split()
            if retained == "0":
                with self._lock:
                    self._arrivals.setdefault(topic.split("/")[4], []).append(float(when))

    def first_report(self, device, since):
        """When the first report from `since` on arrived; None: not yet."""
        with self._lock:
            return next((when for when in self._arrivals.get(device, []) if when >= since), None)

    def asks(self, name):
        """Sorted A records that the server answers; None when it does not."""
        question = _question(random.randrange(65536), name)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.5)
            udp.connect(self._dns)
            try:
                udp.send(question)
                reply = udp.recv(4096)
            except OSError:
                return None
        return _addresses(reply, len(question)) if reply[:2] == question[:2] else None

    def wait_answer(self, name, address, process, deadline):
        """Asks every millisecond; the time of the first right answer."""
        end = time.monotonic() + deadline
        while self.asks(name) != [address]:
            if not process.running() or time.monotonic() > end:
                raise Timeout(f"{name} does not answer {address}:\n{process.log_text()[-1500:]}")
            time.sleep(0.001)
        return time.time()

    def close(self):
        self._sub.terminate()
        self._sub.wait()
