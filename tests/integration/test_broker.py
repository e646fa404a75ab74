# SPDX-License-Identifier: Apache-2.0
"""The core broker: mosquitto with the plugin and the shipped configuration, and every attempt to cheat it.

Stamps are verified with Python's hmac, not with our own code. A refusal is a reason code on the wire (PUBACK or SUBACK
0x87), and what must not arrive is checked after a message that must.
"""
import os
import unittest

from muster_testlib import broker as brokers
from muster_testlib import certs, mqttclient, procs
from muster_testlib.mqttclient import NOT_AUTHORIZED, USER, Client, Refused, user_properties

STAMP = "muster-observed"
ACCEPTED = (0x00, 0x10)  # 0x10: nobody subscribes


def topic(device, leaf, direction="up"):
    return brokers.topic(direction, device, leaf)


class BrokerCase(unittest.TestCase):
    """A broker for the class; identities are made once."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.pki = certs.pki(cls.work / "pki")
        cls.cam1, cls.cam2 = cls.pki.device("cam-1"), cls.pki.device("cam-2")
        cls.coord = cls.pki.service("svc-coord-a")
        cls.broker = brokers.Broker(cls.work, cls.pki, **cls.options)
        cls.addClassCleanup(cls.broker.stop)
        cls.broker.start()

    def client(self, identity, **options):
        client = Client(self.broker.address, self.broker.port, self.broker.ca_file, identity, **options)
        self.addCleanup(client.disconnect)
        return client

    def coordinator(self, *filters):
        client = self.client(self.coord)
        for one in filters or ("muster/v1/up/#",):
            self.assertIn(client.subscribe(one), (0, 1))
        return client

    def assertStamped(self, message, address="127.0.0.1"):
        self.assertEqual(user_properties(message, STAMP), [self.broker.stamp(message.topic, address)])

    def assertRefused(self, client, name, payload=b"{}", **options):
        self.assertEqual(client.publish(name, payload, **options), NOT_AUTHORIZED, f"{name} {options}")

    def assertTaken(self, client, name, payload=b"{}", **options):
        self.assertIn(client.publish(name, payload, **options), ACCEPTED, f"{name} {options}")


class Stamp(BrokerCase):
    def test_every_message_below_up_is_stamped(self):
        watcher, camera = self.coordinator(), self.client(self.cam1)
        for leaf in ("state", "config", "rsp", "csr", "gone", "state"):
            self.assertTaken(camera, topic("cam-1", leaf), b"n")
        for message in watcher.wait_messages(6, lambda message: message.payload == b"n"):
            self.assertStamped(message)

    def test_qos_0_and_retained_messages_are_stamped(self):
        camera = self.client(self.cam1)
        camera.publish(topic("cam-1", "rsp"), b"q0", qos=0)
        self.assertTaken(camera, topic("cam-1", "state"), b"kept", retain=True)
        watcher = self.coordinator()
        kept = watcher.wait_messages(1, lambda message: message.payload == b"kept")[0]
        self.assertTrue(kept.retain)
        self.assertStamped(kept)
        camera.publish(topic("cam-1", "rsp"), b"q0 again", qos=0)
        self.assertStamped(watcher.wait_messages(1, lambda message: message.payload == b"q0 again")[0])

    def test_forged_stamps_are_dropped_and_the_rest_keeps_its_order(self):
        watcher, camera = self.coordinator(), self.client(self.cam1)
        name = topic("cam-1", "state")
        forged = (USER, (STAMP, self.broker.stamp(name, "203.0.113.9")))
        others = [(USER, ("a", "1")), (USER, ("b", "2")), (USER, ("a", "3"))]
        cases = {
            "one": [forged],
            "several": [forged, forged, (USER, (STAMP, "203.0.113.9 00"))],
            "among": [others[0], forged, others[1], forged, others[2]],
            "empty": [(USER, (STAMP, ""))],
        }
        for label, properties in cases.items():
            with self.subTest(label):
                self.assertTaken(camera, name, label, properties=properties)
                message = watcher.wait_messages(1, lambda message, label=label: message.payload == label.encode())[0]
                self.assertStamped(message)
                kept = [pair for pair in user_properties(message) if pair[0] != STAMP]
                self.assertEqual(kept, [value for _, value in properties if value[0] != STAMP])

    def test_other_properties_survive_the_removal_of_a_forged_stamp(self):
        watcher, camera = self.coordinator(), self.client(self.cam1)
        kept = [(1, 1), (mqttclient.CONTENT_TYPE, "application/json"), (mqttclient.RESPONSE_TOPIC, "x/y"),
                (mqttclient.CORRELATION, b"\x00\xff\x01"), (USER, ("k", "v"))]
        self.assertTaken(camera, topic("cam-1", "rsp"), "props", properties=[*kept, (USER, (STAMP, "1.2.3.4 ff")),
                                                                            (mqttclient.EXPIRY, 60)])
        message = watcher.wait_messages(1, lambda message: message.payload == b"props")[0]
        self.assertStamped(message)
        for one in kept:
            self.assertIn(one, message.properties)

    def test_stamp_of_one_topic_does_not_fit_another(self):
        watcher, camera = self.coordinator(), self.client(self.cam1)
        for leaf in ("state", "rsp", "state", "rsp"):
            self.assertTaken(camera, topic("cam-1", leaf), "alternating")
        messages = watcher.wait_messages(4, lambda message: message.payload == b"alternating")
        self.assertEqual(len({user_properties(message, STAMP)[0] for message in messages}), 2)
        for message in messages:
            self.assertStamped(message)

    def test_a_replayed_stamp_in_a_will_reaches_nobody(self):
        """Whoever may read the topic knows a valid stamp of each address that the device ever had. No hook runs for a will,
        so the will itself must be refused, whatever it carries and however the connection ends."""
        watcher = self.coordinator()
        name = topic("cam-1", "state")
        self.assertTaken(self._client_from("127.0.0.66"), name, "old address")
        kept = watcher.wait_messages(1, lambda message: message.payload == b"old address")[0]
        self.assertStamped(kept, "127.0.0.66")
        properties = [(USER, (STAMP, user_properties(kept, STAMP)[0]))]
        for retain, end in ((True, Client.abort), (False, Client.abort), (True, Client.disconnect_with_will), (True, None)):
            with self.subTest(retain=retain, end=end):
                camera = self.client(self.cam1, will={"topic": name, "payload": "old address again", "qos": 1,
                                                      "retain": retain, "properties": properties})
                self.assertTaken(camera, name, "before")
                after = self.client(self.cam1) if end is None else end(camera) or self.client(self.cam1)
                self.assertTaken(after, topic("cam-1", "rsp"), "after")
                watcher.wait_messages(1, lambda message: message.payload == b"after")
                self.assertEqual(self._stamped_again(watcher), [])
                late = self.client(self.pki.service("svc-viewer-late"))
                self.assertIn(late.subscribe(name), (0, 1))
                late.ping()
                self.assertEqual(self._stamped_again(late), [])
                watcher.messages.clear()

    @staticmethod
    def _stamped_again(watcher):
        return [one for one in watcher.messages if one.payload == b"old address again" and user_properties(one, STAMP)]

    def test_the_address_of_another_peer(self):
        watcher = self.coordinator()
        camera = self._client_from("127.0.0.77")
        self.assertTaken(camera, topic("cam-1", "state"), "from 77")
        self.assertStamped(watcher.wait_messages(1, lambda message: message.payload == b"from 77")[0], "127.0.0.77")

    def _client_from(self, source):
        connect = mqttclient.socket.create_connection
        mqttclient.socket.create_connection = lambda address, timeout: connect(address, timeout, (source, 0))
        try:
            return self.client(self.cam1)
        finally:
            mqttclient.socket.create_connection = connect


class DeviceRights(BrokerCase):
    def test_may_publish_its_five_topics_and_retain_two(self):
        camera = self.client(self.cam1)
        for leaf, may_retain in {"state": True, "gone": True, "config": False, "rsp": False, "csr": False}.items():
            with self.subTest(leaf):
                self.assertTaken(camera, topic("cam-1", leaf))
                check = self.assertTaken if may_retain else self.assertRefused
                check(camera, topic("cam-1", leaf), retain=True)

    def test_may_publish_nothing_else(self):
        camera = self.client(self.cam1)
        wrong_shard = topic("cam-1", "state").replace(f"/{brokers.shard('cam-1')}/", f"/{brokers.shard('cam-2')}/")
        for name in (topic("cam-2", "state"), wrong_shard, topic("cam-1", "other"), topic("cam-1", "state/x"),
                     topic("cam-1", "state") + "/", "muster/v1/up/state", topic("cam-1", "dns", "dn"), "muster/v1/bc/sync",
                     "muster/v1/bc/keys", "muster/v1/fleet/summary", "muster/v1/coord/cam-1/tick", "x", "muster/v2/up",
                     "muster/v1/blob/" + "a" * 64, topic("cam-1", "state").upper(), "$CONTROL/dynamic-security/v1",
                     topic("cam-1", "state")[1:], "/" + topic("cam-1", "state")):
            with self.subTest(name):
                self.assertRefused(camera, name)
                self.assertRefused(camera, name, retain=True)

    def test_refused_messages_reach_nobody(self):
        watcher, camera = self.coordinator(), self.client(self.cam1)
        self.assertRefused(camera, topic("cam-2", "state"), "foreign")
        self.assertTaken(camera, topic("cam-1", "state"), "own")
        watcher.wait_messages(1, lambda message: message.payload == b"own")
        self.assertEqual([message for message in watcher.messages if message.payload == b"foreign"], [])

    def test_retained_flood_leaves_two_topics(self):
        camera = self.client(self.cam1)
        for number in range(200):
            self.assertRefused(camera, topic("cam-1", f"flood{number}"), retain=True)
        self.assertTaken(camera, topic("cam-1", "state"), "s", retain=True)
        self.assertTaken(camera, topic("cam-1", "gone"), "g", retain=True)
        watcher = self.coordinator(topic("cam-1", "#"))
        watcher.wait_messages(2)
        watcher.ping()
        self.assertEqual(sorted(message.topic.rsplit("/", 1)[1] for message in watcher.messages), ["gone", "state"])

    def test_payload_cap(self):
        camera = self.client(self.cam1)
        self.assertTaken(camera, topic("cam-1", "state"), b"x" * 8192)
        for leaf in ("state", "csr"):
            self.assertRefused(camera, topic("cam-1", leaf), b"x" * 8193)
        camera.ping()

    def test_oversized_packet_ends_the_connection(self):
        camera = self.client(self.cam1)
        camera.announce_publish(80000)  # it is judged by its length; with a body behind it the end could overtake the reason
        self.assertEqual(camera.wait_closed(), 0x95)

    def test_may_subscribe_its_own_tree_broadcasts_and_exact_blobs(self):
        camera = self.client(self.cam1)
        own = topic("cam-1", "", "dn")
        for one in (own + "#", own + "dns", own + "config", own + "+", "muster/v1/bc/#", "muster/v1/bc/sync", "muster/v1/blob/" + "0f" * 32):
            with self.subTest(one):
                self.assertEqual(camera.subscribe(one), 1)
                self.assertEqual(camera.unsubscribe(one), 0)

    def test_may_subscribe_nothing_else(self):
        camera = self.client(self.cam1)
        shard = brokers.shard("cam-1")
        for one in ("#", "+/#", "muster/#", "muster/v1/#", "muster/v1/up/#", "muster/v1/+/+/cam-1/#", "muster/v1/dn/#",
                    f"muster/v1/dn/{shard}/#", f"muster/v1/dn/{shard}/+/dns", "muster/v1/dn/+/cam-1/#", f"muster/v1/dn/{shard}/cam-1",
                    topic("cam-2", "#", "dn"), topic("cam-1", "state"), "muster/v1/blob/#", "muster/v1/blob/+",
                    "muster/v1/blob/" + "0F" * 32, "muster/v1/blob/" + "0f" * 31, "muster/v1/fleet/#", "muster/v1/fleet/summary", "$SYS/#",
                    "$share/g/" + topic("cam-1", "#", "dn"), "muster/v1/coord/#", "+/v1/dn/#"):
            with self.subTest(one):
                self.assertEqual(camera.subscribe(one), NOT_AUTHORIZED)

    def test_receives_its_own_and_nothing_of_others(self):
        camera, coordinator = self.client(self.cam1), self.coordinator()
        camera.subscribe(topic("cam-1", "#", "dn"))
        self.assertTaken(coordinator, topic("cam-2", "dns", "dn"), "theirs")
        self.assertTaken(coordinator, topic("cam-1", "dns", "dn"), "mine")
        camera.wait_messages(1, lambda message: message.payload == b"mine")
        self.assertEqual(len(camera.messages), 1)

    def _die_with_will(self, name, payload):
        camera = self.client(self.cam1, will={"topic": name, "payload": payload, "qos": 1, "retain": True})
        self.assertTaken(camera, topic("cam-1", "state"))
        camera.abort()

    def test_the_own_will_arrives_and_a_foreign_one_does_not(self):
        watcher = self.coordinator()
        for name in (topic("cam-2", "gone"), topic("cam-1", "config"), "muster/v1/bc/sync", "x"):
            self._die_with_will(name, "foreign will")
        self._die_with_will(topic("cam-1", "gone"), "own will")
        watcher.wait_messages(1, lambda message: message.payload == b"own will")
        self.assertEqual([message for message in watcher.messages if message.payload == b"foreign will"], [])

    def test_one_message_is_enough_for_the_will(self):
        """Also where mosquitto gives the new client the pointer of the one before."""
        watcher = self.coordinator()
        for number in range(20):
            self._die_with_will(topic("cam-1", "gone"), f"short life {number}")
            watcher.wait_messages(1, lambda message, number=number: message.payload == f"short life {number}".encode())

    def test_a_subscription_is_enough_for_the_will(self):
        watcher = self.coordinator()
        for number in range(20):
            camera = self.client(self.cam1, will={"topic": topic("cam-1", "gone"), "payload": f"heard {number}", "qos": 1})
            self.assertEqual(camera.subscribe("muster/v1/bc/#"), 1)
            camera.abort()
            watcher.wait_messages(1, lambda message, number=number: message.payload == f"heard {number}".encode())

    def test_a_will_after_traffic_arrives_too(self):
        watcher = self.coordinator()
        for number in range(5):
            camera = self.client(self.cam1, will={"topic": topic("cam-1", "gone"), "payload": f"will {number}", "qos": 1})
            self.assertTaken(camera, topic("cam-1", "state"), f"state {number}")
            camera.abort()
            watcher.wait_messages(1, lambda message, number=number: message.payload == f"will {number}".encode())

    def test_rights_do_not_leak_between_connections(self):
        """mosquitto hands out the same client pointer again: what is remembered must not outlive the connection."""
        for _ in range(20):
            coordinator = Client(self.broker.address, self.broker.port, self.broker.ca_file, self.coord,
                                 will={"topic": "muster/v1/coord/svc-coord-a/state", "payload": "w", "qos": 1})
            self.assertIn(coordinator.subscribe("muster/v1/up/#"), (0, 1))
            coordinator.abort()
            camera = Client(self.broker.address, self.broker.port, self.broker.ca_file, self.cam1)
            self.assertEqual(camera.subscribe("muster/v1/up/#"), NOT_AUTHORIZED)
            self.assertEqual(camera.publish("muster/v1/bc/sync", b"x"), NOT_AUTHORIZED)
            self.assertIn(camera.publish(topic("cam-1", "state"), b"x"), ACCEPTED)
            camera.disconnect()

    def test_what_a_service_leaves_behind_does_not_serve_its_namesake(self):
        """The rights that are kept for a will must not fall to the next client with that pointer and name."""
        fake = self.pki.devices.issue("device", "svc-coord-a")
        for _ in range(20):
            coordinator = self.coordinator()
            coordinator.abort()
            namesake = self.client(fake)
            self.assertRefused(namesake, "muster/v1/bc/sync")
            self.assertRefused(namesake, "muster/v1/bc/sync")
            namesake.disconnect()


class Identity(BrokerCase):
    def test_client_id_is_the_name_of_the_certificate(self):
        camera = self.client(self.cam1, client_id="cam-2")
        self.assertTaken(camera, topic("cam-1", "state"))
        self.assertRefused(camera, topic("cam-2", "state"))
        other = self.client(self.cam2)
        camera.ping()
        self.assertTaken(other, topic("cam-2", "state"))

    def test_another_user_name_changes_nothing(self):
        camera = self.client(self.cam1, username="cam-2")
        self.assertTaken(camera, topic("cam-1", "state"))
        self.assertRefused(camera, topic("cam-2", "state"))

    def test_takeover_needs_the_same_certificate_name(self):
        first = self.client(self.cam1)
        first.ping()
        intruder = self.client(self.cam2, client_id="cam-1")
        intruder.ping()
        first.ping()
        second = self.client(self.cam1)
        self.assertIn(first.wait_closed(), (mqttclient.SESSION_TAKEN_OVER, None))
        self.assertTaken(second, topic("cam-1", "state"))

    def test_old_will_of_a_takeover_is_judged_by_its_sender(self):
        watcher = self.coordinator()
        first = self.client(self.cam1, will={"topic": topic("cam-1", "gone"), "payload": "old", "qos": 1})
        first.ping()
        second = self.client(self.cam1)
        second.ping()
        watcher.wait_messages(1, lambda message: message.payload == b"old")
        self.assertTaken(second, topic("cam-1", "state"))

    def test_no_certificate_or_a_strange_one_is_refused(self):
        stranger = certs.Authority(self.work / "strange", "strange").issue("device", "cam-1")
        for identity in (None, stranger):
            with self.assertRaises(Refused):
                Client(self.broker.address, self.broker.port, self.broker.ca_file, identity, client_id="cam-1")

    def test_names_that_no_certificate_should_carry_have_no_rights(self):
        for number, name in enumerate(("Cam-3", "cam_3", "c" * 41)):
            with self.subTest(name):
                odd = self.pki.devices.issue("device", name, file=f"odd{number}")
                client = self.client(odd)
                self.assertRefused(client, topic(name, "state"))
                self.assertEqual(client.subscribe(topic(name, "#", "dn")), NOT_AUTHORIZED)
        with self.assertRaises(Refused):  # looks like a host's name, which the authority may not certify
            self.client(self.pki.devices.issue("device", "cam.3"))


class ServiceRights(BrokerCase):
    def test_a_device_certificate_never_becomes_a_service(self):
        for name in ("svc-coord", "svc-coord-a", "svc-viewer", "svc-x"):
            with self.subTest(name):
                fake = self.client(self.pki.devices.issue("device", name))
                for one in ("muster/v1/up/#", "muster/v1/fleet/#", topic(name, "#", "dn"), "muster/v1/bc/#"):
                    self.assertEqual(fake.subscribe(one), NOT_AUTHORIZED)
                for one in ("muster/v1/bc/sync", topic("cam-1", "dns", "dn"), topic(name, "state"), f"muster/v1/coord/{name}/tick"):
                    self.assertRefused(fake, one)

    def test_an_authority_that_only_has_the_name_of_the_services_ca(self):
        """Same kind of name, another key: the signature decides."""
        twin = certs.Authority(self.work / "twin", "services")
        self.assertNotEqual(twin.cert.read_text(), self.pki.services.cert.read_text())
        with self.assertRaises(Refused):
            self.client(twin.issue("service", "svc-coord-a"))

    def test_a_service_certificate_is_no_device(self):
        odd = self.client(self.pki.services.issue("service", "cam-1"))
        self.assertRefused(odd, topic("cam-1", "state"))
        self.assertEqual(odd.subscribe(topic("cam-1", "#", "dn")), NOT_AUTHORIZED)

    def test_coordinator(self):
        coordinator = self.coordinator("muster/v1/up/3f/#", "muster/v1/up/#", "muster/v1/fleet/#", "muster/v1/coord/#", "$SYS/broker/uptime")
        for name, retain in ((topic("cam-1", "dns", "dn"), True), (topic("cam-1", "config", "dn"), True), (topic("cam-1", "cmd", "dn"), False),
                             ("muster/v1/bc/sync", False), ("muster/v1/blob/" + "0a" * 32, True), ("muster/v1/fleet/summary", True),
                             ("muster/v1/fleet/feed", False), ("muster/v1/coord/svc-coord-a/state", True),
                             ("muster/v1/coord/svc-coord-a/tick", False)):
            with self.subTest(name):
                self.assertTaken(coordinator, name, retain=retain)
        for name in (topic("cam-1", "state"), "muster/v1/coord/svc-coord-b/state", "muster/v1/bc/keys", topic("cam-1", "cert", "dn"),
                     "muster/v1/blob/x", "muster/v1/prov/a/b/rsp", "x"):
            with self.subTest(name):
                self.assertRefused(coordinator, name)
        self.assertEqual(coordinator.subscribe("#"), NOT_AUTHORIZED)
        self.assertEqual(coordinator.subscribe("$share/g/muster/v1/up/#"), NOT_AUTHORIZED)

    def test_a_tick_comes_back(self):
        coordinator = self.coordinator("muster/v1/coord/svc-coord-a/tick")
        coordinator.publish("muster/v1/coord/svc-coord-a/tick", b"", qos=0)
        coordinator.wait_messages(1)

    def test_other_services(self):
        rows = {
            "svc-viewer": (("muster/v1/up/#", "muster/v1/dn/#"), (), ("muster/v1/bc/sync", topic("cam-1", "dns", "dn"))),
            "svc-prov": (("muster/v1/up/+/+/csr",), (topic("cam-1", "cert", "dn"),), (topic("cam-1", "dns", "dn"),)),
            "svc-signer": (("muster/v1/bc/keys",), ("muster/v1/bc/keys", "muster/v1/blob/" + "0b" * 32), ("muster/v1/bc/sync",)),
            "svc-bridge": (("muster/v1/fleet/#",), ("muster/v1/fleet/query/ann/req",), ("muster/v1/fleet/summary",)),
            "svc-unknown": ((), (), ("muster/v1/fleet/summary", "muster/v1/up/x")),
        }
        for name, (reads, writes, refused) in rows.items():
            with self.subTest(name):
                service = self.client(self.pki.service(name))
                self.assertEqual([service.subscribe(one) for one in reads], [1] * len(reads))
                for one in writes:
                    self.assertTaken(service, one)
                for one in refused:
                    self.assertRefused(service, one)
                self.assertEqual(service.subscribe("#"), NOT_AUTHORIZED)


class Reload(BrokerCase):
    """Breaking a file and SIGHUP must never open the broker: mosquitto 2.0.11 alone does open then."""

    options = {"name": "reload"}

    def setUp(self):
        self.acl = self.broker.acl_file.read_text()
        self.addCleanup(self._mend)

    def _mend(self):
        self.broker.acl_file.write_text(self.acl)
        self.broker.stamp_key_file.write_text(self.broker.stamp_key.hex())
        os.chmod(self.broker.stamp_key_file, 0o600)
        self.broker.reload()

    def _assert_exact_rights(self):
        for camera in (self.live, self.client(self.cam2)):
            name = camera.client_id
            self.assertRefused(camera, "secret/x")
            self.assertRefused(camera, topic("cam-9", "state"))
            self.assertRefused(camera, topic(name, "config"), retain=True)
            self.assertEqual(camera.subscribe("#"), NOT_AUTHORIZED)
            self.assertTaken(camera, topic(name, "state"))

    def test_broken_acl_file(self):
        self.live = self.client(self.cam1)
        self.broker.acl_file.write_text(self.acl + "\nthis is no rule\n")
        self.broker.reload()
        self._assert_exact_rights()

    def test_missing_acl_file(self):
        self.live = self.client(self.cam1)
        self.broker.acl_file.unlink()
        self.broker.reload()
        self._assert_exact_rights()

    def test_acl_file_that_allows_everything(self):
        self.live = self.client(self.cam1)
        self.broker.acl_file.write_text("topic readwrite #\npattern readwrite #\n")
        self.broker.reload()
        self._assert_exact_rights()

    def test_bad_key_file_keeps_the_old_key(self):
        self.live = self.client(self.cam1)
        for text, mode in (("nonsense", 0o600), (self.broker.stamp_key.hex(), 0o604)):
            self.broker.stamp_key_file.write_text(text)
            os.chmod(self.broker.stamp_key_file, mode)
            mark = self.broker.process.mark()
            self.broker.reload()
            self.broker.process.wait_log("settings before it stay in force", since=mark)
            watcher = self.coordinator()
            self.assertTaken(self.live, topic("cam-1", "state"), text)
            self.assertStamped(watcher.wait_messages(1, lambda message, text=text: message.payload == text.encode())[0])
            self._assert_exact_rights()

    def test_a_new_key_is_taken(self):
        self.live = self.client(self.cam1)
        watcher = self.coordinator()
        self.assertTaken(self.live, topic("cam-1", "state"), "old key")
        self.assertStamped(watcher.wait_messages(1, lambda message: message.payload == b"old key")[0])
        self.broker.stamp_key = os.urandom(32)
        self.broker.stamp_key_file.write_text(self.broker.stamp_key.hex())
        self.broker.reload()
        self.assertTaken(self.live, topic("cam-1", "state"), "new key")
        self.assertStamped(watcher.wait_messages(1, lambda message: message.payload == b"new key")[0])


class FileAgrees(BrokerCase):
    """plugin_opt_file agree: both must grant; a broken file then stops traffic instead of opening the broker."""

    options = {"plugin_options": "plugin_opt_file agree"}

    def test_both_must_grant_and_a_broken_file_denies(self):
        camera = self.client(self.cam1)
        self.assertTaken(camera, topic("cam-1", "state"))
        self.assertRefused(camera, topic("cam-1", "config"), retain=True)
        text = self.broker.acl_file.read_text()
        self.broker.acl_file.write_text(text.replace("/state", "/stale"))
        self.broker.reload()
        self.assertRefused(camera, topic("cam-1", "state"))
        self.broker.acl_file.write_text(text + "\nbroken\n")
        self.broker.reload()
        for name in (topic("cam-1", "state"), topic("cam-2", "state"), "x"):
            self.assertRefused(camera, name)
        self.broker.acl_file.write_text(text)
        self.broker.reload()
        self.assertTaken(camera, topic("cam-1", "state"))

    def test_the_shipped_file_lets_the_coordinator_work(self):
        coordinator = self.client(self.pki.service("svc-coord"))
        camera = self.client(self.cam1)
        self.assertEqual(coordinator.subscribe("muster/v1/up/#"), 1)
        self.assertEqual(camera.subscribe(topic("cam-1", "#", "dn")), 1)
        self.assertTaken(camera, topic("cam-1", "state"), "up")
        coordinator.wait_messages(1, lambda message: message.payload == b"up")
        self.assertTaken(coordinator, topic("cam-1", "dns", "dn"), "down", retain=True)
        camera.wait_messages(1, lambda message: message.payload == b"down")


class Viewers(BrokerCase):
    options = {"viewers": "all"}

    def viewer(self, client_id="Viewer.1", **options):
        client = Client(self.broker.address, self.broker.viewers_port, client_id=client_id, **options)
        self.addCleanup(client.disconnect)
        return client

    def test_sees_and_cannot_publish(self):
        viewer, camera = self.viewer(), self.client(self.cam1)
        for one in ("muster/v1/up/#", "muster/v1/dn/#", "muster/v1/fleet/#"):
            self.assertEqual(viewer.subscribe(one), 1)
        self.assertTaken(camera, topic("cam-1", "state"), "seen")
        viewer.wait_messages(1, lambda message: message.payload == b"seen")
        for name in (topic("cam-1", "state"), "muster/v1/fleet/summary", "muster/v1/bc/sync", topic("cam-1", "cmd", "dn"), "x"):
            self.assertRefused(viewer, name)
            self.assertRefused(viewer, name, retain=True)
        self.assertEqual(viewer.subscribe("#"), NOT_AUTHORIZED)

    def test_a_will_of_a_viewer_reaches_nobody(self):
        watcher, camera = self.coordinator(), self.client(self.cam1)
        viewer = self.viewer("Viewer.2", will={"topic": topic("cam-1", "state"), "payload": "viewer's will", "qos": 1, "retain": True})
        viewer.abort()
        self.viewer("Viewer.3").ping()
        self.assertTaken(camera, topic("cam-1", "state"), "after")
        watcher.wait_messages(1, lambda message: message.payload == b"after")
        self.assertEqual([message for message in watcher.messages if message.payload == b"viewer's will"], [])

    def test_cannot_take_the_place_of_a_device_or_service(self):
        camera = self.client(self.cam1)
        for name in ("cam-1", "svc-coord-a", "not-yet-connected"):
            with self.assertRaises(Refused) as caught:
                self.viewer(name)
            self.assertEqual(caught.exception.args[0], NOT_AUTHORIZED)
        camera.ping()

    def test_an_offline_session_of_a_device_does_not_become_a_viewer(self):
        camera = self.client(self.cam2, session_expiry=600)
        self.assertEqual(camera.subscribe(topic("cam-2", "#", "dn")), 1)
        camera.abort()
        coordinator = self.coordinator()
        self.assertTaken(coordinator, topic("cam-2", "cmd", "dn"), "while away")
        back = self.client(self.cam2, clean_start=False)
        self.assertEqual(back.subscribe("muster/v1/up/#"), NOT_AUTHORIZED)


class FleetViewers(BrokerCase):
    options = {"viewers": "fleet"}

    def test_sees_aggregates_only(self):
        viewer = Client(self.broker.address, self.broker.viewers_port, client_id="Viewer.1")
        self.addCleanup(viewer.disconnect)
        self.assertEqual(viewer.subscribe("muster/v1/fleet/#"), 1)
        for one in ("muster/v1/up/#", "muster/v1/dn/#", "muster/#"):
            self.assertEqual(viewer.subscribe(one), NOT_AUTHORIZED)
        self.assertRefused(viewer, "muster/v1/fleet/summary")


class Start(unittest.TestCase):
    """The broker does not start on settings that would leave it open or blind."""

    def test_refuses(self):
        with procs.Workspace() as work:
            pki = certs.pki(work / "pki")
            broken = {
                "key readable by all": (lambda broker: os.chmod(broker.stamp_key_file, 0o644), "not permitted"),
                "key too short": (lambda broker: broker.stamp_key_file.write_text("abcd"), "malformed"),
                "no services CA": (lambda broker: self._edit(broker, "plugin_opt_service_ca", "# "), "required"),
                "one CA for both": (lambda broker: self._edit(broker, "plugin_opt_service_ca " + str(pki.services.cert),
                                                              "plugin_opt_service_ca " + str(pki.devices.cert)), "share a key"),
                "unknown option": (lambda broker: self._edit(broker, "plugin_opt_viewers", "plugin_opt_viewrs"), "unknown option"),
                "swarm in production": (lambda broker: self._edit(broker, "plugin_opt_viewers none",
                                                                  f"plugin_opt_swarm_ca {pki.devices.cert}"), "unknown option"),
            }
            for number, (label, (damage, text)) in enumerate(broken.items()):
                with self.subTest(label):
                    broker = brokers.Broker(work, pki, name=f"start{number}")
                    damage(broker)
                    with self.assertRaisesRegex(AssertionError, text):
                        broker.start()
                    broker.stop()

    @staticmethod
    def _edit(broker, old, new):
        text = broker.config_file.read_text()
        assert old in text
        broker.config_file.write_text(text.replace(old, new))


if __name__ == "__main__":
    unittest.main()
