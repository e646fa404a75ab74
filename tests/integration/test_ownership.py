#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names and owners over a real broker: the ledger's words bind, freeze and withdraw names, a coordinator picks the feed up
where its store stands, and two devices with one certificate change nothing. The ledger here is a client with the
provisioner's certificate, written against the schemas alone."""
import json
import unittest

from muster_testlib import procs
from muster_testlib.broker import topic
from muster_testlib.coordinator import Coordinator
from muster_testlib.dns import Knot, kdig, wait_answer
from muster_testlib.mqttclient import Client
from muster_testlib.procs import Workspace
from muster_testlib.stack import GROUPS, REGISTRY, Stack
from muster_testlib.unixhttp import UnixConnection

IP, OTHER = "93.184.216.34", "93.184.216.77"
SITED = GROUPS + '  - name: sited\n    names:\n      - name: "{id}.{site}.example.net"\n'
REQUIRED = "ownership: required"


class Ledger:
    """What the provisioner says of devices: every word has the next revision of one feed."""

    def __init__(self, stack, feed="ledger-1"):
        self.feed, self.rev, self.words, self.answered = feed, 0, {}, 0
        broker = stack.broker
        self.client = Client(broker.address, broker.port, ca_file=broker.ca_file, identity=stack.pki.service("svc-prov"))
        self.client.subscribe("muster/v1/coord/+/reg", "muster/v1/coord/+/suspect")

    def say(self, device, state="active", owned=True, **more):
        self.rev += 1
        self.words[device] = {"v": 1, "feed": self.feed, "rev": self.rev, "state": state, "owned": owned, **more}
        self.tell(device)

    def keep(self, device, **more):
        """As say, and it gets lost on the way."""
        tell, self.tell = self.tell, lambda device: None
        self.say(device, **more)
        self.tell = tell

    def tell(self, device):
        self.client.publish(reg_topic(device), json.dumps(self.words[device]).encode())

    def asks(self):
        return [(message.topic.split("/")[3], json.loads(message.payload)) for message in self.client.wait_messages(0)
                if message.topic.endswith("/reg")]

    def answer(self):
        """Waits for the next question and answers it. @return who asked, and what."""
        self.client.wait_messages(self.answered + 1, lambda message: message.topic.endswith("/reg"))
        kid, asked = self.asks()[self.answered]
        self.answered += 1
        after = asked["rev"] if asked.get("feed") == self.feed else 0
        for device, word in sorted(self.words.items(), key=lambda item: item[1]["rev"]):
            if word["rev"] > after and asked["first"] <= int(reg_topic(device).split("/")[3], 16) <= asked["last"]:
                self.tell(device)
        done = {"v": 1, "feed": self.feed, "rev": self.rev}
        self.client.publish(f"muster/v1/coord/{kid}/reg-done", json.dumps(done).encode())
        return kid, asked

    def suspects(self, count):
        return [json.loads(message.payload) for message in
                self.client.wait_messages(count, lambda message: message.topic.endswith("/suspect"))]


def reg_topic(device):
    shard = topic("up", device, "state").split("/")[3]
    return f"muster/v1/reg/{shard}/{device}"


class Ownership(unittest.TestCase):
    def setUp(self):
        self.work = Workspace()
        self.addCleanup(self.work.close)
        self.stack = Stack(self.work, groups=SITED, more=REQUIRED)
        self.stack.broker.start()
        self.stack.dns.start()
        self.ledger = Ledger(self.stack)
        self.addCleanup(self.ledger.client.disconnect)
        self.ledger.keep("cam-0", state="made", owned=False)
        self.stack.start_coordinator()
        self.addCleanup(self.stack.__exit__)

    def get(self, path, method="GET"):
        connection = UnixConnection(self.stack.folder / "control.sock")
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def camera(self, name="cam-1", boot=1):
        device = self.stack.device(name)
        device.boot = boot
        device.connect()
        self.addCleanup(device.close)
        return device

    def speak(self, device, address):
        """Connects, which pushes out whoever has the same certificate, and reports; as an agent whose life is no longer the
        last one, it begins another."""
        device.connect()
        self.addCleanup(device.client.abort)
        device.report(ip4=address)
        device.client.ping()
        known = device.acks()[0]["ack"]  # retained
        if (known["boot"], known["seq"]) >= (device.boot, device.seq):
            device.boot = known["boot"] + 1
            device.report(ip4=address)

    def sweep(self):
        self.get("/v1/zones/example.net/sweep", "POST")

    def test_a_device_is_named_from_claim_to_revocation(self):
        kid, asked = self.ledger.answer()
        self.assertEqual((kid, asked.get("feed") or "", asked["rev"]), ("svc-coord1", "", 0))
        self.stack.coordinator.wait_log("ledger-known")
        device = self.camera()
        self.ledger.say("cam-1", owned=False)
        device.report(ip4=IP)
        self.assertEqual(device.wait_ack()["error"], "not-owned")
        self.ledger.say("cam-1")  # claimed: its last report is enough
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [IP])
        self.ledger.say("cam-1", site="berlin", group="sited")
        wait_answer(self.stack.dns, "cam-1.berlin.example.net", "A", [IP])
        self.sweep()
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [])
        self.ledger.say("cam-1", state="suspended", site="berlin", group="sited")
        self.stack.coordinator.wait_log("ownership .*names=frozen")
        device.report(ip4=OTHER)
        self.assertEqual(device.wait_ack(lambda ack: ack["error"] != "")["error"], "suspended")
        self.assertEqual(kdig(self.stack.dns, "cam-1.berlin.example.net"), [IP])
        shown = self.get("/v1/devices/cam-1")
        self.assertEqual((shown["names_are"], shown["problem"], shown["ledger"]["state"]), ("frozen", "suspended", "suspended"))
        self.ledger.say("cam-1", site="berlin", group="sited")  # and what it said meanwhile counts, without a report
        wait_answer(self.stack.dns, "cam-1.berlin.example.net", "A", [OTHER])
        self.ledger.say("cam-1", state="revoked", owned=True)
        self.stack.coordinator.wait_log("ownership .*names=withdrawn reason=\"revoked\"")
        self.stack.coordinator.wait_log("record-tombstone name=cam-1.berlin.example.net")
        self.sweep()
        wait_answer(self.stack.dns, "cam-1.berlin.example.net", "A", [])
        status = self.get("/v1/status")["ledger"]
        self.assertEqual((status["feed"], status["complete"], status["revoked"]), ("ledger-1", True, 1))

    def test_the_feed_is_resumed_and_a_new_ledger_takes_nothing_away(self):
        self.ledger.say("cam-1")
        self.ledger.answer()
        self.stack.coordinator.wait_log("ledger-known")
        device = self.camera()
        device.report(ip4=IP)
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [IP])
        procs.wait_until(lambda: self.get("/v1/status")["ledger"]["rev"] == 2, "the position")
        self.stack.coordinator.kill()
        self.ledger.keep("cam-1", state="suspended")  # while nobody listened
        mark = self.stack.coordinator.mark()
        self.stack.start_coordinator()
        _, asked = self.ledger.answer()
        self.assertEqual((asked["feed"], asked["rev"]), ("ledger-1", 2))
        self.stack.coordinator.wait_log("ownership .*names=frozen", since=mark)
        self.stack.coordinator.stop()
        fresh = Ledger(self.stack, "ledger-2")  # its file was lost; a backup knows another device only
        self.addCleanup(fresh.client.disconnect)
        fresh.keep("cam-7")
        mark = self.stack.coordinator.mark()
        self.stack.start_coordinator()
        fresh.answer()
        self.stack.coordinator.wait_log("ledger-changed was=ledger-1", since=mark)
        _, asked = fresh.answer()
        self.assertEqual(asked["rev"], 0)
        procs.wait_until(lambda: self.get("/v1/status")["ledger"]["feed"] == "ledger-2", "the new feed")
        self.sweep()
        self.assertEqual(kdig(self.stack.dns, "cam-1.example.net"), [IP])
        fresh.say("cam-1")  # revision 2, as the word before: it counts
        self.stack.coordinator.wait_log("ownership .*device=cam-1 names=bound", since=mark)

    def test_two_devices_with_one_certificate_change_nothing(self):
        self.ledger.say("cam-1")
        self.ledger.answer()
        self.stack.coordinator.wait_log("ledger-known")
        original, copy = self.camera(boot=10), self.stack.device("cam-1")
        for _ in range(3):  # it has been at work for a while
            original.report(ip4=IP)
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [IP])
        copy.boot, lives = 10, {original: IP, copy: OTHER}
        turns = 0
        while "cloned-suspect" not in self.stack.coordinator.log_text():
            turns += 1
            self.assertLess(turns, 12, self.stack.coordinator.log_text()[-3000:])
            device = (copy, original)[(turns - 1) % 2]
            self.speak(device, lives[device])
            device.wait_ack()
        evidence = self.ledger.suspects(1)[0]
        self.assertEqual(evidence["device"], "cam-1")
        wait_answer(self.stack.dns, "cam-1.example.net", "A", [IP])  # as before the copy came
        shown = self.get("/v1/devices/cam-1")
        self.assertEqual((shown["problem"], shown["names_are"], shown["suspect"]["kind"]), ("cloned-suspect", "frozen", evidence["kind"]))
        self.assertEqual(self.get("/v1/status")["suspects"], 1)
        self.speak(copy, "93.184.216.99")
        copy.wait_ack(lambda ack: ack["error"] == "cloned-suspect")
        self.assertEqual(kdig(self.stack.dns, "cam-1.example.net"), [IP])
        self.stack.coordinator.kill()
        self.stack.start_coordinator()  # a suspicion outlives its process
        procs.wait_until(lambda: self.get("/v1/status")["suspects"] == 1, "the suspicion")
        self.ledger.keep("cam-1", state="cloned-suspect")
        self.ledger.answer()  # it hears what comes by itself no sooner than it asks
        procs.wait_until(lambda: self.get("/v1/status")["ledger"]["rev"] == self.ledger.rev, "the ledger's word")
        self.assertEqual(self.get("/v1/status")["suspects"], 1)
        self.ledger.say("cam-1")
        procs.wait_until(lambda: self.get("/v1/status")["suspects"] == 0, "the end of it")


class Divided(unittest.TestCase):
    """Two coordinators, each with half of the shards and a zone of its own."""

    def test_each_asks_for_its_own_half(self):
        work = Workspace()
        self.addCleanup(work.close)
        stack = Stack(work, more=REQUIRED + "\nshards: {first: 0, last: 127}")
        self.addCleanup(stack.__exit__)
        stack.broker.start()
        stack.dns.start()
        ledger = Ledger(stack)
        self.addCleanup(ledger.client.disconnect)
        names = [f"cam-{i}" for i in range(40)]
        low = next(name for name in names if int(reg_topic(name).split("/")[3], 16) < 128)
        high = next(name for name in names if int(reg_topic(name).split("/")[3], 16) >= 128)
        for name in (low, high):
            ledger.keep(name)
        stack.start_coordinator()
        other_work = Workspace()
        self.addCleanup(other_work.close)
        identity = stack.pki.service("svc-coord2")
        dns = Knot(other_work)
        self.addCleanup(dns.stop)
        dns.start()
        other = Coordinator(other_work, stack.pki, stack.broker, dns, GROUPS, REGISTRY, cert=identity.cert, key=identity.key,
                            more=REQUIRED + "\nshards: {first: 128, last: 255}")
        other.config_file.write_text(other.config_file.read_text().replace("client_id: svc-coord1", "client_id: svc-coord2"))
        self.addCleanup(other.stop)
        other.start_ready()
        asked = dict(ledger.answer() for _ in range(2))
        self.assertEqual({kid: (ask["first"], ask["last"]) for kid, ask in asked.items()},
                         {"svc-coord1": (0, 127), "svc-coord2": (128, 255)})
        stack.coordinator.wait_log("ledger-known")
        other.wait_log("ledger-known")
        for name in (low, high):
            device = stack.device(name).connect()
            self.addCleanup(device.close)
            device.report(ip4=IP)
        wait_answer(stack.dns, f"{low}.example.net", "A", [IP])
        wait_answer(dns, f"{high}.example.net", "A", [IP])
        self.assertEqual((kdig(stack.dns, f"{high}.example.net"), kdig(dns, f"{low}.example.net")), ([], []))


if __name__ == "__main__":
    unittest.main()
