#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What happens to records that nobody reports: drift, strangers, devices removed from the registry; and to the coordinator when its
disk is full, its registry large, or a device sends rubbish."""
import ctypes
import errno
import json
import re
import signal
import sqlite3
import subprocess
import time
import unittest
import urllib.request

from muster_testlib.dns import Bind, Knot, axfr, kdig, update, wait_answer
from muster_testlib.procs import DEADLINE, Workspace, wait_until
from muster_testlib.stack import Stack
from muster_testlib.unixhttp import UnixConnection

ZONE = "example.net"
DEVICES = 12
LARGE = 100000
LOG_LINES, LOG_WINDOW_S = 20, 10  # of one event: base/log.h
_CLONE_NEWNS = 0x20000


def registry(numbers):
    return "devices:\n" + "".join(f"  - {{id: cam-{i}, group: cameras}}\n" for i in numbers)


class Case(unittest.TestCase):
    server = Knot

    def start(self, **options):
        work = Workspace()
        self.addCleanup(work.close)
        self.prepare(work)
        self.stack = Stack(work, server=self.server, **options).start()
        self.addCleanup(self.stack.__exit__)
        self.dns, self.devices = self.stack.dns, {}

    def prepare(self, work):
        """Before the stack is made."""

    def ask(self, path, method="GET"):
        connection = UnixConnection(self.stack.folder / "control.sock")
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        self.assertEqual(response.status, 200, body)
        return json.loads(body)

    def sweep_when(self, more="", **expected):
        """A sweep, once a look at the zone finds what is expected: an outcome that is on its way to the store counts as moving."""
        seen = {}

        def fits():
            seen.update(self.ask(f"/v1/zones/{ZONE}/diff"))
            return all(seen[key] == value for key, value in expected.items())

        try:
            wait_until(fits, f"the zone differs by {expected}", step=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; it does by {seen}") from error
        return self.sweep(more)

    def sweep(self, more=""):
        return self.ask(f"/v1/zones/{ZONE}/sweep{more}", "POST")

    def http(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.stack.metrics_port}{path}", timeout=DEADLINE) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def device(self, device_id):
        """Connected; always the same one, since another would begin again with reports that are acknowledged already."""
        if device_id not in self.devices:
            self.devices[device_id] = self.stack.device(device_id).connect()
            self.addCleanup(self.devices[device_id].close)
        return self.devices[device_id]

    def applied(self, device, address):
        device.report(ip4=address)
        device.wait_ack(lambda ack: all(name["state"] == "applied" for name in ack["names"]))

    def reload(self, text):
        self.stack.work.write("coordinator/registry.yaml", text)
        mark = self.stack.coordinator.mark()
        began = time.monotonic()
        self.stack.coordinator.signal(signal.SIGHUP)
        self.stack.coordinator.wait_log("reloaded", since=mark)
        return time.monotonic() - began

    def addresses(self):
        """{name: addresses} of the zone."""
        return {name: value for (name, rtype), value in axfr(self.dns).items() if rtype == "A" and not name.startswith("ns1.")}

    def wait_zone(self, expected, what):
        wait_until(lambda: self.addresses() == expected, what, step=0.1)


class Sweep(Case):
    def setUp(self):
        self.start(registry=registry(range(DEVICES)))
        self.expected = {}
        for i in range(DEVICES):
            self.applied(self.device(f"cam-{i}"), f"93.184.216.{i + 1}")
            self.expected[f"cam-{i}.{ZONE}"] = [f"93.184.216.{i + 1}"]

    def test_drift_is_repaired_and_strangers_are_left_alone(self):
        self.assertEqual(update(self.dns, f"del cam-1.{ZONE}. A", f"add cam-1.{ZONE}. 60 A 203.0.113.66",
                                f"del cam-2.{ZONE}. A", f"add stranger.{ZONE}. 60 A 203.0.113.9"), "")
        found = self.sweep_when(missing=1, wrong=1)
        self.assertEqual((found["unknown"], found["stopped"]), (2, False))  # and ns1
        self.expected[f"stranger.{ZONE}"] = ["203.0.113.9"]
        self.wait_zone(self.expected, "the drift is repaired, the stranger stands")

    def test_the_guard_stops_what_would_change_too_much(self):
        wrong = [line for i in range(6) for line in (f"del cam-{i}.{ZONE}. A", f"add cam-{i}.{ZONE}. 60 A 203.0.113.{i + 1}")]
        self.assertEqual(update(self.dns, *wrong, f"del cam-11.{ZONE}. A"), "")
        self.assertEqual(self.sweep_when(missing=1, wrong=6)["reason"], "share")
        wait_answer(self.dns, f"cam-11.{ZONE}", "A", ["93.184.216.12"])  # creations go out all the same
        self.assertEqual(kdig(self.dns, f"cam-0.{ZONE}"), ["203.0.113.1"])
        self.applied(self.device("cam-0"), "93.184.216.99")  # and so do events
        self.expected[f"cam-0.{ZONE}"] = ["93.184.216.99"]
        self.assertFalse(self.sweep_when("?force=1", wrong=5)["stopped"])
        self.wait_zone(self.expected, "a forced sweep repairs all")

    def test_a_device_with_very_many_rows_is_reconciled_whole(self):
        """More than a page of rows: names that the device had once and that no sweep has deleted."""
        rows = 2100
        self.stack.coordinator.stop()
        database = sqlite3.connect(self.stack.folder / "coordinator.db", timeout=DEADLINE, isolation_level=None)
        self.addCleanup(database.close)
        zone, = database.execute("SELECT id FROM zone WHERE name = ?", (ZONE,)).fetchone()
        database.executemany("INSERT INTO record(zone, name, type, device, ttl, want, want_rev, have, have_rev, changed_ms) "
                             "SELECT zone, ?, type, device, ttl, want, want_rev, have, have_rev, changed_ms FROM record "
                             "WHERE zone = ? AND name = ? AND type = 1",
                             ((f"old-{i}.{ZONE}", zone, f"cam-1.{ZONE}") for i in range(rows)))
        self.stack.work.write("coordinator/registry.yaml", registry(range(DEVICES)) + "  - {id: cam-new, group: cameras}\n")
        self.stack.start_coordinator()
        wait_until(lambda: database.execute("SELECT count(*) FROM record WHERE want IS NULL AND device = 'cam-1'").fetchone()
                   == (rows,), "every row that nobody wants is a tombstone", step=0.1)
        self.assertEqual(database.execute("SELECT want IS NULL FROM record WHERE name = ?", (f"cam-1.{ZONE}",)).fetchone(), (0,))
        self.stack.coordinator.wait_log(" loaded devices")

    def test_removed_devices_are_deleted_under_the_guard(self):
        self.reload(registry(range(2, DEVICES)))
        self.stack.coordinator.wait_log(f"record-tombstone.*cam-1.{ZONE}")
        self.assertEqual(self.addresses(), self.expected)  # nothing goes by itself
        self.assertFalse(self.sweep_when(deletions=2)["stopped"])
        for i in range(2):
            del self.expected[f"cam-{i}.{ZONE}"]
        self.wait_zone(self.expected, "two of twelve may go")
        self.reload(registry(range(10, DEVICES)))
        self.stack.coordinator.wait_log(f"record-tombstone.*cam-9.{ZONE}")
        self.assertTrue(self.sweep_when(deletions=8)["stopped"])
        self.assertEqual(self.addresses(), self.expected)
        self.sweep("?force=1")
        self.expected = {name: value for name, value in self.expected.items() if name.startswith(("cam-10.", "cam-11."))}
        self.wait_zone(self.expected, "a forced sweep deletes them")
        wait_until(lambda: {one["name"] for one in self.ask("/v1/records?limit=100")["records"]} == set(self.expected),
                   "the tombstones leave the store", step=0.1)


class LostRegistry(Case):
    """A zone of two devices, far below the size that the guard's share needs."""

    def says_unregistered(self, ack, device_id, state):
        return ack.get("error") == "unregistered" and [(one["name"], one["value"], one["state"]) for one in ack.get("names", [])] == [
            (f"{device_id}.{ZONE}", None, state)]

    def wait_told(self, device_id, state):
        self.devices[device_id].wait_ack(lambda ack: self.says_unregistered(ack, device_id, state))

    def test_does_not_empty_a_small_zone(self):
        self.start(registry=registry(range(2)))
        expected = {f"cam-{i}.{ZONE}": [f"93.184.216.{i + 1}"] for i in range(2)}
        for i in range(2):
            self.applied(self.device(f"cam-{i}"), f"93.184.216.{i + 1}")
        coordinator = self.stack.coordinator
        for text in ("", "devices:\n", "devices: null\n"):
            self.stack.work.write("coordinator/registry.yaml", text)
            mark = coordinator.mark()
            coordinator.signal(signal.SIGHUP)
            coordinator.wait_log("reload-refused.*registry.yaml:1:", since=mark)
        self.reload("devices: []\n")
        coordinator.wait_log("registry-shrunk before=2 now=0")
        coordinator.wait_log(f"record-tombstone.*cam-1.{ZONE}")
        self.wait_told("cam-1", "pending")
        found = self.sweep_when(deletions=2)
        self.assertEqual((found["stopped"], found["reason"]), (True, "all-deleted"))
        coordinator.wait_log("sweep-guard.*reason=all-deleted")
        self.assertEqual(self.addresses(), expected)
        self.reload(registry(range(1)))  # one of the two is meant to go
        self.sweep_when(deletions=1)
        self.wait_zone({f"cam-0.{ZONE}": expected[f"cam-0.{ZONE}"]}, "one of two may go")
        self.wait_told("cam-1", "gone")
        late = self.stack.device("cam-1").connect()  # what is retained says the same
        self.addCleanup(late.close)
        late.client.wait_messages(1, lambda message: self.says_unregistered(json.loads(message.payload), "cam-1", "gone"))
        self.reload("devices: []\n")
        self.sweep_when(deletions=1)
        self.wait_zone({}, "and so may the last")


class SweepOnBind(Sweep):
    server = Bind


class Refresh(Case):
    def test_an_unchanged_record_is_written_again_after_refresh_every(self):
        self.start()
        self.applied(self.device("cam-1"), "93.184.216.34")
        self.assertEqual(self.sweep_when(missing=0, wrong=0)["refreshed"], 0)  # the default: never
        self.stack.write_config(refresh="1s")
        mark = self.stack.coordinator.mark()
        self.stack.coordinator.signal(signal.SIGHUP)
        for line in ("reloaded", "zone-claimed"):  # a changed zone has a new writer, which counts from 0
            self.stack.coordinator.wait_log(line, since=mark)
        messages = 'muster_zone_messages_total{zone="example.net"}'
        written = self.metric(messages)
        found = {}

        def due():
            found.update(self.sweep())
            return found["refreshed"]

        wait_until(due, "the record is due", step=0.05)
        self.assertEqual([(one["kind"], one["name"]) for one in found["differences"] if one["kind"] != "unknown"],
                         [("refresh", f"cam-1.{ZONE}")])
        wait_until(lambda: self.metric(messages) == written + 1, "one more message")
        wait_answer(self.dns, f"cam-1.{ZONE}", "A", ["93.184.216.34"])


class Rubbish(Case):
    def test_costs_a_counter_and_nothing_else(self):
        self.start()
        device = self.device("cam-1")
        self.applied(device, "93.184.216.34")
        bodies = [b"", b"{", b"[]", b"null", b'{"v":1,"s":"on","boot":4294967296,"conn":1,"seq":1}',
                  b'{"v":1,"s":"on","boot":NaN,"conn":1,"seq":1}', b'{"v":1,"s":"on","boot":9,"boot":9,"conn":1,"seq":1}',
                  b'{"v":1,"s":"on","boot":9,"conn":1,"seq":1,"fw":"\xff\xfe"}', b"\0" * 100, b"x" * 8100]
        for body in bodies:
            device.client.publish(device.topic("up", "state"), body)
        refused = 'muster_messages_refused_total{reason="payload"}'
        wait_until(lambda: self.metric(refused) == len(bodies), "all are counted")
        self.assertEqual(self.http("/healthz")[0], 200)
        self.applied(device, "93.184.216.35")
        wait_answer(self.dns, f"cam-1.{ZONE}", "A", ["93.184.216.35"])

    def told(self):
        """Lines about bad states; how many more the lines say were left out; and both together."""
        lines = re.findall(r" bad-state .*?(?: suppressed=(\d+))?$", self.stack.coordinator.log_text(), re.MULTILINE)
        left_out = sum(int(more or 0) for more in lines)
        return len(lines), left_out, len(lines) + left_out

    def test_a_flood_of_it_is_a_few_lines_that_say_how_much_they_left_out(self):
        self.start()
        device = self.device("cam-1")
        self.applied(device, "93.184.216.34")
        refused, held = 'muster_messages_refused_total{reason="payload"}', "muster_log_lines_suppressed_total"
        suppressed, sent = self.metric(held), 3 * LOG_LINES

        def rubbish(number):
            for _ in range(number):
                device.client.publish(device.topic("up", "state"), b"{")

        began = time.monotonic()
        rubbish(sent)
        wait_until(lambda: self.metric(refused) == sent, "all are counted")
        lines, left_out, _ = self.told()
        if time.monotonic() - began < LOG_WINDOW_S:  # on a slow machine they fall into several windows
            self.assertEqual((lines, left_out), (LOG_LINES, 0))
            self.assertEqual(self.metric(held) - suppressed, sent - LOG_LINES)

        def next_window():
            nonlocal sent
            rubbish(1)
            sent += 1
            wait_until(lambda: self.metric(refused) == sent, "one more is counted")
            return self.told()[1]

        wait_until(next_window, "a line says what was left out before it", step=0.1)
        lines, left_out, both = self.told()
        self.assertEqual(both, sent)
        self.assertGreaterEqual(left_out, sent - 1 - LOG_LINES * (1 + (time.monotonic() - began) // LOG_WINDOW_S))
        self.assertEqual(self.http("/healthz")[0], 200)


class LargeRegistry(Case):
    def test_reload(self):
        self.start(registry=registry(range(LARGE)))
        device = self.device("cam-7")
        self.applied(device, "93.184.216.34")
        seconds = self.reload(registry(range(LARGE)) + "  - {id: door-1, group: cameras}\n")
        print(f"reload of {LARGE} entries: {seconds:.2f} s", flush=True)
        self.applied(self.device("door-1"), "93.184.216.40")
        self.applied(device, "93.184.216.35")
        self.assertEqual(self.ask("/v1/status")["registry_entries"], LARGE + 1)


class FullDisk(Case):
    """The store's file system fills up: a clear state, nothing acknowledged, and nothing lost when there is room again."""

    def prepare(self, work):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNS) != 0:
            self.skipTest("no mounts of our own here")
        folder = work.folder("coordinator")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", folder], check=True))

    def fill(self):
        filler = self.stack.folder / "filler"
        for size in (1 << 20, 4096, 1):
            try:
                with open(filler, "ab", buffering=0) as out:
                    while True:
                        out.write(bytes(size))
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)
        return filler

    def test_is_said_and_survived(self):
        self.start()
        devices = [self.device(f"cam-{i}") for i in range(20)]
        for i, device in enumerate(devices):
            self.applied(device, f"93.184.216.{i + 1}")
        filler = self.fill()
        end = time.monotonic() + DEADLINE
        generation = 0
        while self.ask("/v1/status")["store"] == "ok":  # the log has room of its own for a while
            self.assertLess(time.monotonic(), end)
            generation += 1
            for i, device in enumerate(devices):
                device.report(ip4=f"93.184.{generation % 200}.{i + 1}")
        self.assertEqual(self.ask("/v1/status")["store"], "FULL")
        self.assertEqual(self.http("/healthz")[0], 503)
        self.assertEqual(self.metric("muster_store_ok"), 0)
        device = devices[0]
        device.report(ip4="93.184.217.1")
        wait_answer(self.dns, f"cam-0.{ZONE}", "A", ["93.184.217.1"])  # the DNS is served all the same
        pair = {"boot": device.boot, "seq": device.seq}
        self.assertNotIn(pair, [ack.get("ack") for ack in device.acks()])
        filler.unlink()
        device.wait_ack()
        self.assertEqual(self.ask("/v1/status")["store"], "ok")
        self.assertEqual(self.http("/healthz")[0], 200)
        for one in devices[1:]:
            one.wait_ack()
        self.stack.coordinator.kill()
        self.stack.start_coordinator()
        self.assertEqual(self.ask("/v1/devices/cam-0")["ip4"], "93.184.217.1")


if __name__ == "__main__":
    unittest.main()
