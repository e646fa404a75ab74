# SPDX-License-Identifier: Apache-2.0
"""The provisioner between two real brokers with the plugin, a device by hand (python3-cryptography) on the other side.

Its clock is moved by clock_shim where hours have to pass.
"""
import base64
import json
import subprocess
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID

from muster_testlib import broker as brokers
from muster_testlib import build_dir, certs, procs
from muster_testlib import provisioning as prov
from muster_testlib.mqttclient import Client, Refused
from muster_testlib.procs import wait_until

HOUR = 3600
PEM_END = "-----END X509 CRL-----"


class Case(unittest.TestCase):
    """Two brokers and one provisioner for all tests; each has batches and devices of its own."""

    @classmethod
    def setUpClass(cls):
        if not hasattr(Case, "daemon"):
            Case.set_up()

    @classmethod
    def set_up(cls):
        cls.work = procs.Workspace()
        unittest.addModuleCleanup(cls.work.close)
        cls.pki = certs.pki(cls.work / "pki")
        cls.factory = prov.Factory(cls.work, cls.pki)
        cls.core = brokers.Broker(cls.work, cls.pki, name="core").start()
        unittest.addModuleCleanup(cls.core.stop)
        cls.door = brokers.ProvBroker(cls.work, cls.pki).start()
        unittest.addModuleCleanup(cls.door.stop)
        cls.daemon = prov.Provisioner(cls.work, cls.pki, cls.factory, cls.door, cls.core).start_ready()
        unittest.addModuleCleanup(cls.daemon.stop)

    def batch(self, name, **changes):
        return self.factory.batch(name, **changes)

    def device(self, name, serial="a-1", **changes):
        """The only device of a new batch, known to the provisioner."""
        batch = self.batch(name, **changes)
        device = batch.made(f"{name}-{serial}")
        self.daemon.add(batch)
        return device

    def report(self, device, identity=None):
        """Connects to the core broker and reports. -> the client, connected"""
        client = Client(self.core.address, self.core.port, self.core.ca_file, identity or device.identity(self.work))
        self.addCleanup(client.disconnect)
        client.subscribe(brokers.topic("dn", device.id, "#"))
        client.publish(brokers.topic("up", device.id, "state"), b"{}", retain=True)
        return client

    def coordinator(self):
        client = Client(self.core.address, self.core.port, self.core.ca_file, self.pki.service("svc-coord-a"))
        self.addCleanup(client.disconnect)
        return client


class Enrolment(Case):
    def test_a_device_gets_the_identity_of_the_ledger(self):
        device = self.device("b1")
        answer = device.enrol(self.door)
        self.assertEqual((answer["op"], answer["id"]), ("cert", "cam-b1-a-1"))
        self.assertEqual(answer["core"], [self.core.endpoint])
        self.assertEqual(len(answer["trust"]), 2)
        certificate = device.certificate
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=cam-b1-a-1")
        self.assertEqual(prov.point(device.tls_key), certificate.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint))
        self.assertEqual(self.daemon.device(device.id)["state"], "issued")

    def test_the_same_key_gets_the_same_certificate(self):
        device = self.device("b2")
        device.enrol(self.door)
        first = device.chain[0]
        attempt = device.connect(self.door)
        self.addCleanup(attempt.close)
        nonce = attempt.hello()
        again = attempt.csr(nonce, device.tls_key)
        replayed = attempt.csr(nonce, device.tls_key)
        self.assertEqual([base64.b64decode(one["chain"][0]) for one in (again, replayed)], [first, first])
        self.assertEqual(len(self.daemon.device(device.id)["certificates"]), 1)

    def test_stored_is_noted(self):
        device = self.device("b3")
        attempt = device.connect(self.door)
        self.addCleanup(attempt.close)
        nonce = attempt.hello()
        attempt.csr(nonce, prov.new_key())
        attempt.word("stored", nonce)
        wait_until(lambda: self.daemon.device(device.id)["certificates"][0]["state"] == "stored", "stored")

    def test_what_a_request_asks_for_is_not_given(self):
        device = self.device("b4")
        attempt = device.connect(self.door)
        self.addCleanup(attempt.close)
        key = prov.new_key()
        answer = attempt.csr(attempt.hello(), key, csr=prov.request(key, "svc-coord-a", ca=True))
        certificate = x509.load_der_x509_certificate(base64.b64decode(answer["chain"][0]))
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=" + device.id)
        self.assertFalse(certificate.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value.ca)
        names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        self.assertEqual([name.value for name in names], ["urn:muster:device:" + device.id])

    def refusal(self, answer):
        self.assertEqual(answer["op"], "no", answer)
        return answer["code"]

    def test_refusals_do_not_tell_which_serials_there_are(self):
        device = self.device("b5")
        stranger = prov.Device(device.batch, "no-such-serial", prov.new_key())
        thief = prov.Device(device.batch, device.serial, prov.new_key())
        other = self.device("b6")
        answers = [stranger.enrol(self.door), thief.enrol(self.door)]
        attempt = other.connect(self.door, claim=device.batch.claim)  # the right key, another batch's claim
        self.addCleanup(attempt.close)
        answers.append(attempt.csr(attempt.hello(), prov.new_key()))
        self.daemon.post(f"/v1/devices/{device.id}/scrap")
        answers.append(device.enrol(self.door))
        for answer in answers:
            answer.pop("cid")
        self.assertEqual(answers, [{"v": 1, "op": "no", "code": "refused", "retry_after": 3600}] * 4)

    def test_nonces_are_of_one_attempt(self):
        device = self.device("b7")
        one, two = device.connect(self.door), device.connect(self.door)
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        nonce = one.hello()
        self.assertEqual(self.refusal(two.csr(nonce, prov.new_key())), "refused")
        self.assertEqual(self.refusal(two.csr(bytes(40), prov.new_key())), "refused")
        self.daemon.set_clock(61)
        self.addCleanup(self.daemon.set_clock, 0)
        self.assertEqual(self.refusal(one.csr(nonce, prov.new_key())), "busy")

    def test_a_forged_request_is_malformed(self):
        device = self.device("b8")
        attempt = device.connect(self.door)
        self.addCleanup(attempt.close)
        good = prov.request(prov.new_key())
        for bad in (good[:-1] + bytes([good[-1] ^ 1]), good + b"\0", good[:40]):
            self.assertEqual(self.refusal(attempt.csr(attempt.hello(), None, csr=bad)), "malformed")

    def test_a_proof_is_of_one_request(self):
        device = self.device("b9")
        attempt = device.connect(self.door)
        self.addCleanup(attempt.close)
        nonce, mine, other = attempt.hello(), prov.request(prov.new_key()), prov.request(prov.new_key())
        attempt.send(op="csr", n=prov.b64(nonce), csr=prov.b64(other), sig=prov.b64(prov.proof(device.key, "csr", nonce, mine)))
        self.assertEqual(self.refusal(attempt.answer()), "refused")

    def test_nobody_gets_the_key_of_another(self):
        first, second = self.device("b10"), self.device("b11")
        first.enrol(self.door)
        attempt = second.connect(self.door)
        self.addCleanup(attempt.close)
        self.assertEqual(self.refusal(attempt.csr(attempt.hello(), first.tls_key)), "refused")

    def test_quota_window_and_stops_of_a_batch(self):
        batch = self.batch("b12", quota=1)
        one, two = batch.made("b12-1"), batch.made("b12-2")
        self.daemon.add(batch)
        self.assertEqual(one.enrol(self.door)["op"], "cert")
        self.assertEqual(self.refusal(two.enrol(self.door)), "quota")
        self.assertEqual(one.enrol(self.door)["op"], "cert")  # not a second device
        self.daemon.post("/v1/batches/b12/quota?dry_run=1", {"quota": 2})
        self.assertEqual(self.refusal(two.enrol(self.door)), "quota")
        self.daemon.post("/v1/batches/b12/quota", {"quota": 2})
        self.daemon.post("/v1/batches/b12/disable")
        self.assertEqual(self.refusal(two.enrol(self.door)), "closed")
        self.assertEqual(self.refusal(one.enrol(self.door)), "closed")
        self.daemon.post("/v1/batches/b12/enable")
        self.daemon.post("/v1/batches/b12/close")
        self.assertEqual(self.refusal(two.enrol(self.door)), "closed")
        self.assertEqual(one.enrol(self.door)["op"], "cert")
        late = self.device("b13", **{"from": prov.now_ms() - 2000, "to": prov.now_ms() - 1000})
        self.assertEqual(self.refusal(late.enrol(self.door)), "closed")


class Life(Case):
    def test_first_report_activates(self):
        device = self.device("l1")
        device.enrol(self.door)
        self.report(device)
        self.daemon.wait_state(device.id, "active")
        self.assertEqual(self.daemon.device(device.id)["certificates"][0]["state"], "active")

    def later(self, seconds):
        self.daemon.set_clock(seconds)
        self.addCleanup(self.daemon.set_clock, 0)

    def test_a_certificate_that_nobody_confirms_lapses(self):
        device = self.device("l2")
        device.enrol(self.door)
        identity = device.identity(self.work)
        client = Client(self.core.address, self.core.port, self.core.ca_file, identity)
        client.subscribe(brokers.topic("dn", device.id, "#"))  # seen, and no report
        wait_until(lambda: self.daemon.device(device.id)["certificates"][0]["state"] == "attempted", "attempted")
        self.later(HOUR + 60)
        self.daemon.wait_state(device.id, "made")
        client.wait_closed()
        self.wait_refused(device, identity)
        self.daemon.set_clock(0)
        self.assertEqual(device.enrol(self.door)["op"], "cert")

    def test_never_used_lapses_only_after_the_batch(self):
        device = self.device("l3", activation_s=7200)
        device.enrol(self.door)
        self.later(3 * HOUR)
        self.daemon.post("/v1/batches/l3/close")  # three hours on
        self.assertEqual(self.daemon.device(device.id)["state"], "issued")
        self.later(5 * HOUR + 60)
        self.daemon.wait_state(device.id, "made")

    def renewal(self, device, client, key, signer=None):
        """Over the core broker, with the present identity. -> the answer"""
        csr, cid = prov.request(key), brokers.attempt()
        before = len(client.messages)
        client.publish(brokers.topic("up", device.id, "csr"), json.dumps({
            "v": 1, "cid": cid, "csr": prov.b64(csr),
            "sig": prov.b64(prov.proof(signer or device.key, "renew", cid.encode(), csr))}).encode())
        answer = prov.open_envelope(client.wait_messages(before + 1)[before].payload)
        self.assertEqual(answer["cid"], cid)
        return answer

    def test_renewal_supersedes_and_the_old_one_ends_a_day_later(self):
        device = self.device("l4")
        device.enrol(self.door)
        old_key, old = device.tls_key, device.identity(self.work)
        client = self.report(device)
        self.daemon.wait_state(device.id, "active")
        key = prov.new_key()
        self.assertEqual(self.renewal(device, client, prov.new_key(), signer=prov.new_key())["code"], "refused")
        answer = self.renewal(device, client, key, signer=old_key)  # by the key in use
        self.assertEqual(self.renewal(device, client, key)["chain"], answer["chain"])  # by the ledger's: the same again
        device.tls_key, device.chain = key, [base64.b64decode(one) for one in answer["chain"]]
        client.disconnect()
        self.report(device)
        states = lambda: [one["state"] for one in self.daemon.device(device.id)["certificates"]]
        wait_until(lambda: states() == ["active", "superseded"], "the new one is active")
        self.later(25 * HOUR)
        wait_until(lambda: states() == ["active", "revoked"], "the old one is revoked")
        self.wait_refused(device, old)

    def wait_refused(self, device, identity):
        def refused():
            try:
                client = Client(self.core.address, self.core.port, self.core.ca_file, identity)
                code = client.subscribe(brokers.topic("dn", device.id, "#"))
                client.disconnect()
                return code not in (0, 1)
            except (Refused, OSError, AssertionError):
                return True
        wait_until(refused, "the core broker refuses it")

    def test_recovery_years_later_with_the_old_key(self):
        device = self.device("l5")
        device.enrol(self.door)
        old_key, old = device.tls_key, device.chain[0]
        self.report(device).disconnect()
        self.daemon.wait_state(device.id, "active")
        self.daemon.post("/v1/batches/l5/close")
        self.later(400 * 24 * HOUR)
        attempt = device.connect(self.door)
        self.addCleanup(attempt.close)
        key = prov.new_key()
        self.assertEqual(attempt.csr(attempt.hello(), key, signer=prov.new_key(), old=old)["code"], "refused")
        answer = attempt.csr(attempt.hello(), key, signer=old_key, old=old)
        self.assertEqual((answer["op"], answer["id"]), ("cert", device.id))

    def test_revocation_ends_the_session_and_stays(self):
        device = self.device("l6")
        device.enrol(self.door)
        client = self.report(device)
        self.daemon.wait_state(device.id, "active")
        answer = self.daemon.post(f"/v1/devices/{device.id}/revoke", {"reason": "stolen"})
        self.assertEqual((answer["state"], answer["changed"]), ("revoked", True))
        client.wait_closed()
        self.wait_refused(device, device.identity(self.work, "again"))
        serial = f"{device.certificate.serial_number:x}"
        wait_until(lambda: serial in (self.daemon.folder / "denied").read_text(), "deny file")
        listed = x509.load_pem_x509_crl((self.daemon.folder / "devices.crl").read_bytes())
        self.assertIsNotNone(listed.get_revoked_certificate_by_serial_number(device.certificate.serial_number))
        wait_until(lambda: self.daemon.get("/v1/status")["revoking"] == 0, "nothing under way")
        self.assertEqual(device.enrol(self.door)["code"], "refused")
        self.daemon.post(f"/v1/devices/{device.id}/rekey")
        self.assertEqual(device.enrol(self.door)["op"], "cert")

    def test_a_revocation_is_brought_to_the_end_after_a_crash(self):
        device = self.device("l7")
        device.enrol(self.door)
        client = self.report(device)
        self.daemon.wait_state(device.id, "active")
        self.core.stop()
        client.wait_closed()
        self.daemon.post(f"/v1/devices/{device.id}/revoke")
        self.daemon.kill()
        self.core.start()
        self.daemon.start_ready()
        wait_until(lambda: self.daemon.get("/v1/status")["revoking"] == 0, "nothing under way")
        self.wait_refused(device, device.identity(self.work, "again"))


class Owners(Case):
    def code_text(self, code):
        """The label's text of ten bytes (provisioning/ownercode.h), without its check character."""
        alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
        number = int.from_bytes(code, "big")
        return "".join(alphabet[number >> shift & 31] for shift in range(75, -5, -5))

    def test_the_label_makes_its_reader_the_owner(self):
        batch = self.batch("o5")
        device = batch.made("o5-1", code=b"0123456789")
        self.daemon.add(batch)

        def claim(code):
            """With each check character: one is right, for all others the code was mistyped."""
            answers = [self.daemon.call("POST", f"/v1/devices/{device.id}/claim?dry_run=1", {"owner": "a", "code": code + check})
                       for check in "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U"]
            return sorted({status for status, _ in answers}), [status for status, _ in answers if status != 400]

        self.assertEqual(claim(self.code_text(b"0123456789")), ([200, 400], [200]))
        self.assertEqual(claim(self.code_text(b"9876543210")), ([400, 403], [403]))

    def test_claim_transfer_undo_and_history(self):
        device = self.device("o1")
        base = f"/v1/devices/{device.id}"
        self.assertEqual(self.daemon.call("POST", f"{base}/transfer", {"owner": "b"})[0], 409)
        self.assertEqual(self.daemon.call("POST", f"{base}/claim", {"owner": "a", "code": "0000-0000-0000-0000-1"})[0], 400)
        claimed = self.daemon.post(f"{base}/claim", {"owner": "a", "group": "cams", "site": "north"})
        self.assertEqual((claimed["owner"], claimed["changed"]), ("a", True))
        self.assertFalse(self.daemon.post(f"{base}/claim", {"owner": "a"})["changed"])
        self.assertEqual(self.daemon.call("POST", f"{base}/claim", {"owner": "b"})[1]["error"], "owned")
        self.assertEqual(self.daemon.post(f"{base}/transfer", {"owner": "b", "site": "south"})["site"], "south")
        back = self.daemon.post(f"{base}/undo-transfer")
        self.assertEqual((back["owner"], back["site"]), ("a", "north"))
        self.assertEqual(self.daemon.call("POST", f"{base}/undo-transfer")[0], 409)
        events = self.daemon.get(f"/v1/events?device={device.id}")["events"]
        self.assertEqual([one["act"] for one in events], ["claim", "transfer", "undo-transfer"])

    def test_orders_are_all_or_nothing(self):
        batch = self.batch("o2")
        for serial in ("o2-1", "o2-2"):
            batch.made(serial)
        self.daemon.add(batch)
        status, answer = self.daemon.call("POST", "/v1/orders", "device,owner,group,site\no2-1,shop,cams,a\no2-9,shop,cams,a\n")
        self.assertEqual((status, answer["error"]), (404, "no-such-device"))
        self.assertIn("line 3", answer["message"])
        self.assertEqual(self.daemon.device("cam-o2-1")["owner"], "")
        orders = "o2-1,shop,cams,a\n\ncam-o2-2,shop,,b\n"
        self.assertTrue(self.daemon.post("/v1/orders?dry_run=1", orders)["dry_run"])
        self.assertEqual(self.daemon.device("cam-o2-1")["owner"], "")
        self.assertEqual(self.daemon.post("/v1/orders", orders), {"orders": 2, "changed": 2})
        self.assertEqual(self.daemon.post("/v1/orders", orders), {"orders": 2, "changed": 0})
        self.assertEqual(self.daemon.device("cam-o2-2")["site"], "b")

    def test_coordinators_hear_of_changes_and_can_ask(self):
        coordinator = self.coordinator()
        coordinator.subscribe("muster/v1/reg/#", "muster/v1/coord/svc-coord-a/#")
        device = self.device("o3")
        mine = lambda message: message.topic == f"muster/v1/reg/{brokers.shard(device.id)}/{device.id}"
        self.assertEqual(json.loads(coordinator.wait_messages(1, mine)[0].payload)["state"], "made")
        self.daemon.post(f"/v1/devices/{device.id}/claim", {"owner": "a", "group": "cams", "site": "north"})
        told = json.loads(coordinator.wait_messages(2, mine)[1].payload)
        self.assertEqual((told["owned"], told["group"], told["site"]), (True, "cams", "north"))
        self.assertNotIn("owner", told)
        done = lambda message: message.topic.endswith("/reg-done")
        ask = {"v": 1, "feed": told["feed"], "rev": told["rev"] - 1, "first": 0, "last": 255}
        coordinator.publish("muster/v1/coord/svc-coord-a/reg", json.dumps(ask).encode())
        self.assertGreaterEqual(json.loads(coordinator.wait_messages(1, done)[0].payload)["rev"], told["rev"])
        again = [json.loads(message.payload)["rev"] for message in coordinator.wait_messages(3, mine)]
        self.assertEqual(again[2], told["rev"])

    def test_a_suspect_is_frozen_and_an_operator_lets_it_go_on(self):
        device = self.device("o4")
        device.enrol(self.door)
        self.report(device)
        self.daemon.wait_state(device.id, "active")
        coordinator = self.coordinator()
        coordinator.publish("muster/v1/coord/svc-coord-a/suspect", json.dumps(
            {"v": 1, "device": device.id, "kind": "takeover", "detail": "two in a minute"}).encode())
        self.daemon.wait_state(device.id, "cloned-suspect")
        self.assertEqual(device.enrol(self.door)["code"], "refused")
        self.assertEqual(self.daemon.post(f"/v1/devices/{device.id}/resume")["state"], "active")


class Ledger(Case):
    def test_pieces_duplicates_and_what_is_wrong(self):
        batch = self.batch("f1")
        for n in range(5):
            batch.made(f"f1-{n}")
        batch.tested("f1-0")
        batch.void("f1-1")
        self.assertEqual(self.daemon.call("POST", "/v1/ledger", batch.ledger())[1]["error"], "no-such-batch")
        self.assertTrue(self.daemon.post("/v1/batches", batch.manifest)["added"])
        self.assertFalse(self.daemon.post("/v1/batches", batch.manifest)["added"])
        piece = "\n".join(batch.lines[:3]) + "\n"
        self.assertEqual(self.daemon.post("/v1/ledger", piece)["n"], 2)
        self.assertEqual(self.daemon.call("POST", "/v1/ledger", batch.ledger(4))[0], 409)  # a line is missing
        changed = batch.ledger().replace("cam-f1-4", "cam-f1-5")
        self.assertIn("line 6", self.daemon.call("POST", "/v1/ledger", changed)[1]["message"])
        answer = self.daemon.post("/v1/ledger", batch.ledger(2))
        self.assertEqual((answer["added"], answer["duplicates"], answer["n"], answer["void"]), (5, 1, 7, 1))
        self.assertEqual(self.daemon.post("/v1/ledger", batch.ledger())["added"], 0)
        self.assertEqual(self.daemon.device("cam-f1-1")["state"], "scrapped")
        self.assertTrue(self.daemon.device("cam-f1-0")["tested"])
        self.assertEqual(self.daemon.get("/v1/batches/f1")["stations"], [{"station": "line-1", "n": 7}])
        self.assertEqual(len(self.daemon.get("/v1/devices?match=cam-f1-*&state=made")["devices"]), 4)

    def test_strangers_make_nothing(self):
        stranger = prov.Factory(self.work, self.pki, "stranger").batch("f2")
        self.assertEqual(self.daemon.call("POST", "/v1/batches", stranger.manifest)[1]["error"], "not-the-factory")
        batch = self.batch("f3")
        self.daemon.post("/v1/batches", batch.manifest)
        other = self.batch("f3", made=1)  # the same batch, another manifest and another station
        other.made("f3-1")
        self.assertEqual(self.daemon.call("POST", "/v1/batches", other.manifest)[1]["error"], "batch-exists")
        self.assertEqual(self.daemon.call("POST", "/v1/ledger", other.ledger())[0], 409)

    def test_a_serial_is_made_once(self):
        one, two = self.batch("f4"), self.batch("f5")
        one.made("f4-1")
        two.made("f4-1")
        self.daemon.add(one)
        self.daemon.post("/v1/batches", two.manifest)
        self.assertEqual(self.daemon.call("POST", "/v1/ledger", two.ledger())[1]["error"], "made-before")


class Crash(Case):
    """kill -9 at any moment: what was answered is kept, what is asked again is the same."""

    def test_enrolment(self):
        batch = self.batch("k1")
        devices = [batch.made(f"k1-{n}") for n in range(6)]
        self.daemon.add(batch)
        for n, device in enumerate(devices):
            attempt = device.connect(self.door)
            key, nonce = prov.new_key(), attempt.hello()
            csr = prov.request(key)
            attempt.send(op="csr", n=prov.b64(nonce), csr=prov.b64(csr), sig=prov.b64(prov.proof(device.key, "csr", nonce, csr)))
            if n % 2 == 0:
                first = attempt.answer()["chain"][0]
            self.daemon.kill()  # odd: at some point between the request's arrival and the answer
            self.daemon.start_ready()
            attempt.close()
            attempt = device.connect(self.door)
            again = attempt.csr(attempt.hello(), key)
            attempt.close()
            self.assertEqual(again["op"], "cert")
            if n % 2 == 0:
                self.assertEqual(again["chain"][0], first)
            self.assertEqual(len(self.daemon.device(device.id)["certificates"]), 1)

    def test_ledger(self):
        batch = self.batch("k2")
        for n in range(20):
            batch.made(f"k2-{n}")
        self.daemon.post("/v1/batches", batch.manifest)
        self.daemon.post("/v1/ledger", "\n".join(batch.lines[:5]) + "\n")
        self.daemon.kill()
        self.daemon.start_ready()
        self.assertEqual(self.daemon.get("/v1/batches/k2")["stations"][0]["n"], 4)
        answer = self.daemon.post("/v1/ledger", batch.ledger())
        self.assertEqual((answer["made"], answer["duplicates"]), (16, 4))
        self.assertEqual(self.daemon.get("/v1/batches/k2")["devices"], 20)


class Rotation(Case):
    """With an authority of its own, which gets another key."""

    @classmethod
    def setUpClass(cls):
        cls.set_up()

    def test_what_an_older_authority_signed_is_revoked_in_its_list(self):
        device = self.device("r1")
        device.enrol(self.door)
        self.daemon.stop()
        done = subprocess.run([build_dir() / "cli" / "muster", "ca", "rotate", "devices", "--dir", self.pki.folder],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.daemon.start_ready()
        self.daemon.post(f"/v1/devices/{device.id}/revoke")
        number = device.certificate.serial_number
        wait_until(lambda: number in self.revoked_by().values(), "its number in a list")
        own = device.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        self.assertEqual(self.revoked_by(), {own: number})

    def revoked_by(self):
        """{key identifier of a list's authority: the last number in it}, of the lists with a number."""
        parts = (self.daemon.folder / "devices.crl").read_text().split(PEM_END)
        lists = [x509.load_pem_x509_crl((part + PEM_END).encode()) for part in parts if part.strip()]
        self.assertEqual(len(lists), 2)
        return {crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier: entry.serial_number
                for crl in lists for entry in crl}


class Agent(Case):
    """The product's own device."""

    def test_a_flashed_device_ends_up_active_and_again_after_a_rekey(self):
        device = self.device("z1")
        state, claim = self.work.folder("z1/state"), self.work.folder("z1/claim")
        for name, source in (("claim.pem", device.batch.claim.cert), ("claim.key", device.batch.claim.key),
                             ("root.pem", self.pki.folder / "root.pem")):
            self.work.write(f"z1/claim/{name}", source.read_text(), 0o600)
        self.work.write("z1/state/device.key", device.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(), 0o600)
        config = self.work.write("z1/agent.yaml", json.dumps({
            "state_dir": str(state), "control_socket": str(self.work / "z1/control.sock"), "broker": {"backoff_max": "1s"},
            "report": {"window": "50ms"},
            "provisioning": {"endpoints": [self.door.endpoint], "claim_dir": str(claim), "serial": device.serial}}))  # JSON is YAML
        agent = procs.Process([build_dir() / "agent" / "muster-agent", "-c", config], self.work / "z1/log")
        self.addCleanup(agent.kill)
        agent.start()
        self.daemon.wait_state(device.id, "active")
        self.assertEqual(len(self.daemon.device(device.id)["certificates"]), 1)
        self.daemon.post(f"/v1/devices/{device.id}/rekey")  # the core broker throws it out; it goes back to the other one
        self.daemon.wait_state(device.id, "active")
        self.assertEqual([one["state"] for one in self.daemon.device(device.id)["certificates"]], ["active", "revoked"])


if __name__ == "__main__":
    unittest.main()
