# SPDX-License-Identifier: Apache-2.0
"""The broker for provisioning, and what both brokers do with certificates that a provisioner names: mosquitto with the
plugin and the shipped configurations. A refusal is a reason code on the wire; what must not arrive is checked after a
message that must."""
import json
import subprocess
import unittest

from muster_testlib import broker as brokers
from muster_testlib import certs, procs
from muster_testlib.mqttclient import CONTENT_TYPE, NOT_AUTHORIZED, Client, user_properties

CONTROL = "$CONTROL/muster/v1"
ACCEPTED = (0x00, 0x10)  # 0x10: nobody subscribes
ADMINISTRATIVE_ACTION = 0x98


def reference(identity):
    """(issuer's key identifier, serial) of a certificate, by openssl."""
    text = subprocess.run(["openssl", "x509", "-in", identity.cert, "-noout", "-serial", "-ext", "authorityKeyIdentifier"],
                          capture_output=True, text=True, check=True).stdout.lower().splitlines()
    serial = text[0].partition("=")[2].lstrip("0")
    return text[2].strip().removeprefix("keyid:").replace(":", ""), serial


def line(verb, identity):
    return f"{verb} {' '.join(reference(identity))}\n"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.pki = certs.pki(cls.work / "pki")
        cls.prov = cls.pki.service("svc-prov")
        cls.broker = cls.make_broker()
        cls.addClassCleanup(cls.broker.stop)
        cls.broker.start()

    def client(self, identity, **options):
        client = Client(self.broker.address, self.broker.port, self.broker.ca_file, identity, **options)
        self.addCleanup(client.disconnect)
        return client

    def assertTaken(self, client, topic, payload=b"{}", **options):
        self.assertIn(client.publish(topic, payload, **options), ACCEPTED, topic)

    def assertRefused(self, client, topic, payload=b"{}", **options):
        self.assertEqual(client.publish(topic, payload, **options), NOT_AUTHORIZED, topic)


class Enrolment(Case):
    @classmethod
    def make_broker(cls):
        cls.claim, cls.other = cls.pki.claim("claim-b1"), cls.pki.claim("claim-b2")
        return brokers.ProvBroker(cls.work, cls.pki)

    def device(self, identity=None, cid=None, **options):
        return self.client(identity or self.claim, client_id=cid or brokers.attempt(), **options)

    def provisioner(self):
        client = self.device(self.prov)
        self.assertEqual(client.subscribe("muster/v1/prov/+/+/req"), 1)
        return client

    def test_a_device_and_the_provisioner_talk(self):
        provisioner, device, neighbour = self.provisioner(), self.device(), self.device()
        own = [brokers.prov_topic("claim-b1", one.client_id, "rsp") for one in (device, neighbour)]
        self.assertEqual([device.subscribe(own[0]), neighbour.subscribe(own[1])], [1, 1])
        self.assertTaken(device, brokers.prov_topic("claim-b1", device.client_id, "req"), b"hello")
        heard = provisioner.wait_messages(1)[0]
        self.assertEqual((heard.topic, heard.payload), (brokers.prov_topic("claim-b1", device.client_id, "req"), b"hello"))
        self.assertTaken(provisioner, own[0], b"x" * 16384)
        self.assertTaken(provisioner, own[1], b"yours")
        self.assertEqual(len(device.wait_messages(1)[0].payload), 16384)
        self.assertEqual(neighbour.wait_messages(1)[0].payload, b"yours")
        self.assertEqual((len(device.messages), len(neighbour.messages)), (1, 1))

    def test_a_claim_reaches_nothing_else(self):
        device, cid = self.device(), brokers.attempt()
        mine = brokers.prov_topic("claim-b1", device.client_id, "req")
        self.assertTaken(device, mine, b"x" * 8192)
        self.assertRefused(device, mine, b"x" * 8193)
        self.assertRefused(device, mine, retain=True)
        for name in (brokers.prov_topic("claim-b1", device.client_id, "rsp"), brokers.prov_topic("claim-b1", cid, "req"),
                     brokers.prov_topic("claim-b2", device.client_id, "req"), brokers.topic("up", "claim-b1", "state"),
                     "muster/v1/bc/sync", CONTROL, "muster/v1/prov/claim-b1/req", "x"):
            with self.subTest(name):
                self.assertRefused(device, name)
        for one in ("#", "muster/v1/#", "muster/v1/prov/#", "muster/v1/prov/claim-b1/+/rsp", "muster/v1/prov/+/+/rsp",
                    brokers.prov_topic("claim-b1", cid, "rsp"), mine, CONTROL, "$SYS/#", "muster/v1/bc/#",
                    f"$share/g/{brokers.prov_topic('claim-b1', device.client_id, 'rsp')}"):
            with self.subTest(one):
                self.assertEqual(device.subscribe(one), NOT_AUTHORIZED)

    def test_a_name_in_the_wrong_authority(self):
        """A claim that calls itself the provisioner, and a service that calls itself a claim, have nothing."""
        for identity in (self.pki.claims.issue("claim", "svc-prov", file="fake"),
                         self.pki.services.issue("service", "claim-b1", file="fake-claim"),
                         self.pki.service("svc-coord")):
            client = self.device(identity)
            self.assertEqual(client.subscribe("muster/v1/prov/+/+/req"), NOT_AUTHORIZED)
            self.assertRefused(client, brokers.prov_topic(identity.cn, client.client_id, "req"))

    def test_nobody_pushes_the_provisioner_out(self):
        """Its client id is random as everybody's; one that could be guessed has no rights, also for the provisioner."""
        provisioner = self.provisioner()
        for guess in ("svc-prov", "claim-b1", "A" * 32):
            with self.subTest(guess):
                intruder = self.device(cid=guess)
                self.assertRefused(intruder, brokers.prov_topic("claim-b1", guess, "req"))
        self.assertEqual(self.device(self.prov, cid="svc-prov").subscribe("muster/v1/prov/+/+/req"), NOT_AUTHORIZED)
        device = self.device()
        self.assertTaken(device, brokers.prov_topic("claim-b1", device.client_id, "req"), b"still there")
        provisioner.wait_messages(1, lambda message: message.payload == b"still there")

    def test_a_will_reaches_nobody(self):
        provisioner, cid = self.provisioner(), brokers.attempt()
        device = self.device(cid=cid, will={"topic": brokers.prov_topic("claim-b1", cid, "req"), "payload": "will", "qos": 1})
        self.assertEqual(device.subscribe(brokers.prov_topic("claim-b1", cid, "rsp")), 1)
        device.abort()
        after = self.device()
        self.assertTaken(after, brokers.prov_topic("claim-b1", after.client_id, "req"), b"after")
        provisioner.wait_messages(1, lambda message: message.payload == b"after")
        self.assertEqual([message for message in provisioner.messages if message.payload == b"will"], [])

    def test_a_device_certificate_has_no_rights_here(self):
        """The chain ends at the same root, so the handshake may pass; the plugin does not know the issuer."""
        device = self.device(self.pki.device("cam-1"))
        self.assertRefused(device, brokers.prov_topic("cam-1", device.client_id, "req"))

    def test_one_message_disables_a_batch(self):
        provisioner = self.provisioner()
        devices = [self.device() for _ in range(3)]
        other = self.device(self.other)
        for claim, one in (*(("claim-b1", one) for one in devices), ("claim-b2", other)):
            self.assertEqual(one.subscribe(brokers.prov_topic(claim, one.client_id, "rsp")), 1)
        self.assertTaken(provisioner, CONTROL, line("deny", self.claim))
        self.assertEqual([one.wait_closed() for one in devices], [ADMINISTRATIVE_ACTION] * 3)
        late = self.device()
        self.assertRefused(late, brokers.prov_topic("claim-b1", late.client_id, "req"))
        self.assertTaken(other, brokers.prov_topic("claim-b2", other.client_id, "req"))
        self.assertTaken(provisioner, CONTROL, line("allow", self.claim))
        self.assertTaken(late, brokers.prov_topic("claim-b1", late.client_id, "req"))


class Denial(Case):
    """The core broker."""

    @classmethod
    def make_broker(cls):
        return brokers.Broker(cls.work, cls.pki)

    def setUp(self):
        self.cam1, self.cam2 = self.pki.device("cam-1"), self.pki.device("cam-2")
        self.provisioner = self.client(self.prov)
        self.assertEqual(self.provisioner.subscribe("muster/v1/seen/#"), 1)
        self.addCleanup(self._forget)

    def _forget(self):
        self.broker.deny_file.write_text("")
        self.broker.reload()

    def state(self, device):
        return brokers.topic("up", device, "state")

    def test_who_connects_is_told_once_a_connection(self):
        camera = self.client(self.cam1)
        for number in range(3):
            self.assertTaken(camera, self.state("cam-1"), f"{number}")
        self.broker.reload()
        self.assertTaken(camera, self.state("cam-1"), "after the reload")
        again = self.client(self.cam1)
        self.assertEqual(again.subscribe("muster/v1/bc/#"), 1)
        other = self.client(self.cam2)
        self.assertTaken(other, self.state("cam-2"))
        seen = self.provisioner.wait_messages(3)
        self.provisioner.ping()
        self.assertEqual([message.topic for message in self.provisioner.messages],
                         [f"muster/v1/seen/{brokers.shard(name)}/{name}" for name in ("cam-1", "cam-1", "cam-2")])
        issuer, serial = reference(self.cam1)
        self.assertEqual(json.loads(seen[0].payload), {"v": 1, "issuer": issuer, "serial": serial, "addr": "127.0.0.1", "port": 0})
        self.assertEqual((seen[0].retain, seen[0].properties, user_properties(seen[0])),
                         (False, [(CONTENT_TYPE, "application/json")], []))
        for client in (again, other):
            self.assertRefused(client, f"muster/v1/seen/{brokers.shard('cam-1')}/cam-1")

    def test_a_denied_certificate_is_cut_off_and_stays_out(self):
        coordinator = self.client(self.pki.service("svc-coord-a"))
        self.assertEqual(coordinator.subscribe("muster/v1/up/#"), 1)
        gone = brokers.topic("up", "cam-1", "gone")
        camera, bystander = self.client(self.cam1, will={"topic": gone, "payload": "gone", "qos": 1}), self.client(self.cam2)
        self.assertTaken(camera, self.state("cam-1"))
        self.assertTaken(self.provisioner, CONTROL, line("deny", self.cam1))
        self.assertEqual(camera.wait_closed(), ADMINISTRATIVE_ACTION)
        coordinator.wait_messages(1, lambda message: message.topic == gone)
        back = self.client(self.cam1)
        self.assertRefused(back, self.state("cam-1"))
        self.assertEqual(back.subscribe(brokers.topic("dn", "cam-1", "#")), NOT_AUTHORIZED)
        self.broker.reload()
        self.assertRefused(back, self.state("cam-1"))
        self.assertTaken(bystander, self.state("cam-2"))
        renewed = self.client(self.pki.device("cam-1"))  # the same name, another number
        self.assertTaken(renewed, self.state("cam-1"))
        self.assertTaken(self.provisioner, CONTROL, line("allow", self.cam1))
        self.assertTaken(self.client(self.cam1), self.state("cam-1"))

    def test_a_client_that_has_said_nothing_yet_is_denied_too(self):
        camera = self.client(self.cam2)
        camera.ping()
        self.assertTaken(self.provisioner, CONTROL, line("deny", self.cam2))
        self.assertRefused(camera, self.state("cam-2"))
        self.assertTaken(self.provisioner, CONTROL, line("allow", self.cam2))

    def test_kick_ends_a_session_and_lets_it_back(self):
        camera = self.client(self.cam1)
        self.assertTaken(camera, self.state("cam-1"))
        self.assertTaken(self.provisioner, CONTROL, "kick cam-1\nkick not-there\nkick svc-prov\n")
        self.assertEqual(camera.wait_closed(), ADMINISTRATIVE_ACTION)
        self.assertTaken(self.client(self.cam1), self.state("cam-1"))
        self.provisioner.ping()

    def test_a_message_with_a_bad_line_does_nothing(self):
        camera = self.client(self.cam1)
        self.assertTaken(camera, self.state("cam-1"))
        mark = self.broker.process.mark()
        for text in (line("deny", self.cam1) + "denny x\n", "\0", "deny\n", line("deny", self.cam1).upper()):
            self.assertTaken(self.provisioner, CONTROL, text)
        self.broker.process.wait_log("nothing was done", since=mark)
        self.assertTaken(camera, self.state("cam-1"))

    def test_nobody_else_may_deny(self):
        text = line("deny", self.cam2)
        for identity in (self.cam1, self.pki.service("svc-coord-a"), self.pki.service("svc-viewer"),
                         self.pki.devices.issue("device", "svc-prov", file="fake")):
            client = self.client(identity)
            self.assertRefused(client, CONTROL, text)
            client.disconnect()
        self.assertTaken(self.client(self.cam2), self.state("cam-2"))

    def test_the_provisioner_may_deny_itself(self):
        """mosquitto is in its callback then: it is not cut off, it only has no rights any more."""
        identity = self.pki.service("svc-prov-2")
        client = self.client(identity)
        self.assertTaken(client, CONTROL, line("deny", identity))
        self.assertRefused(client, CONTROL, "kick cam-1\n")
        client.ping()

    def test_the_file_holds_over_a_restart(self):
        camera = self.client(self.cam1)
        self.assertTaken(camera, self.state("cam-1"))
        self.broker.deny_file.write_text("# revoked\n" + line("deny", self.cam1))
        self.broker.reload()
        self.assertEqual(camera.wait_closed(), ADMINISTRATIVE_ACTION)
        self.broker.restart()
        self.assertRefused(self.client(self.cam1), self.state("cam-1"))
        self.assertTaken(self.client(self.cam2), self.state("cam-2"))
        self.provisioner = self.client(self.prov)
        self.assertTaken(self.provisioner, CONTROL, line("allow", self.cam1))
        self.assertTaken(self.client(self.cam1), self.state("cam-1"))

    def test_a_broken_file_keeps_the_list_before_it(self):
        self.broker.deny_file.write_text(line("deny", self.cam1))
        self.broker.reload()
        for damage in (lambda: self.broker.deny_file.write_text(line("deny", self.cam2) + "deny x\n"),
                       self.broker.deny_file.unlink):
            damage()
            mark = self.broker.process.mark()
            self.broker.reload()
            self.broker.process.wait_log("settings before it stay in force", since=mark)
            self.assertRefused(self.client(self.cam1), self.state("cam-1"))
            self.assertTaken(self.client(self.cam2), self.state("cam-2"))


class Start(unittest.TestCase):
    """Neither broker starts with half of its settings, or with those of the other."""

    def test_refuses(self):
        with procs.Workspace() as work:
            pki = certs.pki(work / "pki")
            core, prov = brokers.Broker, brokers.ProvBroker
            cases = (
                (prov, "plugin_opt_mode prov", "plugin_opt_mode core", "required"),
                (prov, "plugin_opt_mode prov", "plugin_opt_mode both", "invalid"),
                (prov, "plugin_opt_mode prov\n", "plugin_opt_mode prov\nplugin_opt_viewers all\n", "another plugin_opt_mode"),
                (prov, "plugin_opt_claim_ca ", "# ", "required"),
                (prov, f"plugin_opt_claim_ca {pki.claims.cert}", f"plugin_opt_claim_ca {pki.services.cert}", "share a key"),
                (core, "plugin_opt_device_ca", f"plugin_opt_claim_ca {pki.claims.cert}\nplugin_opt_device_ca", "another plugin_opt_mode"),
                (core, "plugin_opt_deny_file ", "plugin_opt_deny_file /nonexistent", "not found"),
            )
            for number, (kind, old, new, text) in enumerate(cases):
                with self.subTest(new):
                    broker = kind(work, pki, name=f"start{number}")
                    config = broker.config_file.read_text()
                    self.assertIn(old, config)
                    broker.config_file.write_text(config.replace(old, new))
                    with self.assertRaisesRegex(AssertionError, text):
                        broker.start()
                    broker.stop()


if __name__ == "__main__":
    unittest.main()
