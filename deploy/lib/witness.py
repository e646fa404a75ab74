# SPDX-License-Identifier: Apache-2.0
"""What the quickstart measures by: a viewer at the broker that notes when reports arrive, and DNS questions of its own.

Both clocks are this machine's wall clock, so that mosquitto_sub's time of arrival and ours compare.
"""
import subprocess
import threading
import time

from muster_testlib import asker
from muster_testlib.procs import Timeout


class Witness:
    """Reports by device as they arrive at the broker's viewers' listener; the authoritative server's answers."""

    def __init__(self, broker, dns):
        self._dns = dns
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
        return asker.asks(self._dns, name)

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
