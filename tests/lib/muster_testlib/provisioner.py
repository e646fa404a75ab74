# SPDX-License-Identifier: Apache-2.0
"""A provisioner for tests of a device: written against the schemas and openssl alone, so that it shares no code with
the product. It answers on both brokers, remembers what it certified, and can be told to be wrong."""
import base64
import hashlib
import hmac
import json
import pathlib
import re
import secrets
import subprocess
import threading
import time

from .broker import attempt, prov_topic, topic
from .mqttclient import Client

_LIFE_DAYS = 30


def _openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def _b64(data):
    return base64.b64encode(data).decode()


def _certificates(pem):
    """DER of each certificate of a PEM text."""
    bodies = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    return [base64.b64decode(body) for body in bodies]


class Provisioner:
    """devices: serial -> {id, key (PEM text of the public key)}. `issued` has one row a certificate that was made;
    asked for again with the same key, the same one is answered. `heard` is all (op, serial) in order of arrival."""

    def __init__(self, work, pki, prov, core, days=_LIFE_DAYS, renew_ms=None):
        self.work, self.pki, self.prov, self.core = work, pki, prov, core
        self.days, self.renew_ms = days, renew_ms
        self.devices, self.issued, self.heard = {}, [], []
        self.refuse = None          # code of a refusal, for everything that is not hello
        self.mute = 0               # so many requests are lost
        self.twice = False          # each answer comes two times
        self.forge = None           # identity that signs in the provisioner's place
        self.authority = pki.devices  # who signs certificates
        self._secret = secrets.token_bytes(16)
        self._identity = pki.service("svc-prov")
        self._folder = work.folder("provisioner")
        self._changed = threading.Condition()
        self._running = True
        self._clients = [Client(prov.address, prov.port, prov.ca_file, self._identity, client_id=attempt())]
        self._clients[0].subscribe("muster/v1/prov/+/+/req")
        if core is not None:
            self._clients.append(Client(core.address, core.port, core.ca_file, self._identity))
            self._clients[1].subscribe("muster/v1/up/+/+/csr")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._running = False
        self._thread.join()
        for client in self._clients:
            client.abort()

    def deny(self, row):
        """The core broker takes this certificate no more, and ends its session."""
        text = _openssl("x509", "-inform", "DER", "-in", self._file("denied.der", row["der"]), "-noout", "-serial", "-ext",
                        "authorityKeyIdentifier").decode().lower().splitlines()
        issuer = text[2].strip().removeprefix("keyid:").replace(":", "")
        line = f"deny {issuer} {text[0].partition('=')[2].lstrip('0')}\n"
        self._clients[1].publish("$CONTROL/muster/v1", line.encode())

    def wait_heard(self, op, count=1, deadline=60):
        """Until so many requests of that kind came."""
        with self._changed:
            if not self._changed.wait_for(lambda: sum(one == op for one, _ in self.heard) >= count, deadline):
                raise TimeoutError(f"{op} x{count}: heard {self.heard}")

    # ---- requests

    def _run(self):
        done = [0] * len(self._clients)
        while self._running:
            for index, client in enumerate(self._clients):
                while done[index] < len(client.messages):
                    message = client.messages[done[index]]
                    done[index] += 1
                    self._take(client, message)
            for client in self._clients:
                with client._changed:  # pylint: disable=protected-access
                    client._changed.wait(0.02)

    def _take(self, client, message):
        levels = message.topic.split("/")
        body = json.loads(message.payload)
        renewal = levels[2] == "up"
        op = "renew" if renewal else body["op"]
        serial = next((one for one, row in self.devices.items() if row["id"] == levels[4]), None) if renewal else \
            body["serial"]
        with self._changed:
            self.heard.append((op, serial))
            self._changed.notify_all()
        if self.mute > 0:
            self.mute -= 1
            return
        cid = body["cid"] if renewal else levels[4]
        answer = self._answer(op, serial, cid, body)
        if answer is None:
            return
        to = topic("dn", levels[4], "cert") if renewal else prov_topic(levels[3], cid, "rsp")
        for _ in range(2 if self.twice else 1):
            client.publish(to, json.dumps(self._envelope({"v": 1, "cid": cid, **answer})).encode())

    def _answer(self, op, serial, cid, body):
        if op == "hello":
            return {"op": "nonce", "n": _b64(self._nonce(cid)), "now": int(time.time() * 1000), "exp": 60}
        nonce = cid.encode() if op == "renew" else base64.b64decode(body["n"])
        csr = base64.b64decode(body.get("csr") or "")
        good = op == "renew" or hmac.compare_digest(nonce, self._nonce(cid))
        if not good or not self._proven(op, serial, nonce, csr, base64.b64decode(body["sig"])):
            return {"op": "no", "code": "refused", "retry_after": 0}
        if op not in ("csr", "renew"):
            return None
        if self.refuse is not None:
            return {"op": "no", "code": self.refuse, "retry_after": 1}
        return self._certificate(serial, csr)

    def _nonce(self, cid):
        return hmac.new(self._secret, cid.encode(), hashlib.sha256).digest()

    def _proven(self, op, serial, nonce, csr, signature):
        if serial not in self.devices:
            return False
        covered = b"muster-enrol-1\0" + op.encode() + b"\0" + nonce + (hashlib.sha256(csr).digest() if csr else b"")
        key = self._file("proof.pub", self.devices[serial]["key"].encode())
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature",
                               self._file("proof.sig", signature), self._file("proof.bytes", covered)],
                              capture_output=True, check=False)
        return done.returncode == 0

    # ---- answers

    def _file(self, name, content):
        path = pathlib.Path(self._folder) / name
        path.write_bytes(content)
        return path

    def _certificate(self, serial, csr):
        device, request = self.devices[serial]["id"], self._file("csr.der", csr)
        _openssl("req", "-inform", "DER", "-in", request, "-verify", "-noout")
        spki = _openssl("req", "-inform", "DER", "-in", request, "-pubkey", "-noout")
        row = next((one for one in self.issued if one["spki"] == spki and one["serial"] == serial), None)
        if row is None:
            extensions = self._file("ext", ("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                                            "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\n"
                                            "authorityKeyIdentifier=keyid\n"
                                            f"subjectAltName=URI:urn:muster:device:{device}\n").encode())
            pem = _openssl("req", "-inform", "DER", "-in", request)
            cert = _openssl("x509", "-req", "-CA", self.authority.cert, "-CAkey", self.authority.key, "-days", self.days,
                            "-set_serial", f"0x{secrets.token_hex(8)}", "-subj", f"/CN={device}", "-extfile", extensions,
                            data=pem)
            row = {"serial": serial, "id": device, "spki": spki, "der": _certificates(cert.decode())[0],
                   "foreign": self.authority is not self.pki.devices}
            self.issued.append(row)
        now = int(time.time() * 1000)
        return {"op": "cert", "id": device, "now": now, "state": "issued",
                "renew": self.renew_ms or now + self.days * 86400000 * 2 // 3,
                "chain": [_b64(row["der"]), _b64(_certificates(self.authority.cert.read_text())[0])],
                "trust": [_b64(der) for der in _certificates(self.core.ca_file.read_text())[:6]],
                "roots": [_b64(bytes(32))], "core": [f"{self.core.address}:{self.core.port}"]}

    def _envelope(self, answer):
        payload = json.dumps(answer).encode()
        signer = self.forge or self._identity
        signature = _openssl("dgst", "-sha256", "-sign", signer.key, self._file("payload", b"muster-prov-1\0" + payload))
        chain = _certificates(signer.cert.read_text()) + _certificates(self.pki.services.cert.read_text())
        return {"v": 1, "signer": [_b64(der) for der in chain[:2]], "payload": _b64(payload), "sig": _b64(signature)}
