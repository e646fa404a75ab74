# SPDX-License-Identifier: Apache-2.0
"""Both ends of provisioning besides the programs of the project: a factory that writes manifests and ledgers, a device
that enrols by hand, and the provisioner with its configuration. Keys and signatures are made by python3-cryptography, so
what is taken here was not made by the code that takes it.
"""
import base64
import hashlib
import json
import os
import struct
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from . import broker as brokers
from . import build_dir, mqttclient, ports
from .certs import Identity
from .procs import Process, wait_until
from .unixhttp import UnixConnection


def b64(data):
    return base64.b64encode(data).decode()


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def point(key):
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def sign(key, data):
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def seal(members, key):
    """One line of JSON whose last member signs all before it."""
    text = json.dumps(members, separators=(",", ":"))[:-1]
    return f'{text},"sig":"{b64(sign(key, text.encode()))}"}}'


def now_ms():
    return int(time.time() * 1000)


class Factory:
    """A batch with one station. `public` is the PEM file that the provisioner knows the factory by."""

    def __init__(self, work, pki, name="factory"):
        self.work, self.pki, self.key = work, pki, new_key()
        self.public = work.write(f"{name}.pub", public_pem(self.key))

    def batch(self, name, **changes):
        return Batch(self, name, **changes)


class Batch:
    """The manifest line, the claim identity, and a station's ledger that grows with made()."""

    def __init__(self, factory, name, **changes):
        self.name, self.factory, self.station_key = name, factory, new_key()
        self.claim = factory.pki.claim(f"claim-{name}")
        certificate = x509.load_pem_x509_certificate(self.claim.cert.read_bytes())
        self.manifest = seal({
            "v": 1, "t": "manifest", "batch": name, "model": "cam-2", "count": 1000, "quota": 1000, "serials": None,
            "id": "cam-{serial}", "claim": {"cn": f"claim-{name}", "sha256": certificate.fingerprint(hashes.SHA256()).hex()},
            "from": now_ms() - 3600_000, "to": now_ms() + 86400_000, "activation_s": 3600, "stations": [b64(point(self.station_key))],
            "factory": b64(point(factory.key)), "made": now_ms(), **changes}, factory.key)
        self.lines = []
        self._add({"v": 1, "t": "head", "n": 0, "batch": name, "station": "line-1",
                   "manifest": hashlib.sha256(self.manifest.encode()).hexdigest(), "key": b64(point(self.station_key)), "ts": now_ms()})

    def _add(self, members):
        self.lines.append(seal(members, self.station_key))

    def _next(self, event, serial, **more):
        self._add({"v": 1, "t": event, "n": len(self.lines), "prev": hashlib.sha256(self.lines[-1].encode()).hexdigest(),
                   "serial": serial, **more, "ts": now_ms()})

    def made(self, serial, code=bytes(10)):
        """A device with a key of its own; `code`: the ten bytes of its owner code."""
        key = new_key()
        label = hashlib.sha256(b"muster-owner-1\0" + code + serial.encode()).hexdigest()
        self._next("made", serial, id=f"cam-{serial.lower()}", key=b64(point(key)), oc=label)
        return Device(self, serial, key)

    def tested(self, serial):
        self._next("tested", serial)

    def void(self, serial, why="broken"):
        self._next("void", serial, why=why)

    def ledger(self, first=1):
        """The head and the lines from `first` on."""
        return "\n".join([self.lines[0], *self.lines[first:]]) + "\n"


class Device:
    """One device: its ledger key, and what it got. Not an agent: each step is a call."""

    def __init__(self, batch, serial, key):
        self.batch, self.serial, self.key, self.id = batch, serial, key, f"cam-{serial.lower()}"
        self.tls_key, self.chain = None, None

    def connect(self, prov, claim=None):
        """An attempt on the broker for provisioning."""
        return Attempt(self, prov, claim or self.batch.claim)

    def enrol(self, prov, **options):
        """A whole enrolment with a fresh key. -> the decoded answer; the identity is kept when there is one."""
        attempt = self.connect(prov)
        try:
            self.tls_key = new_key()
            answer = attempt.csr(attempt.hello(), self.tls_key, **options)
            if answer["op"] == "cert":
                self.chain = [base64.b64decode(one) for one in answer["chain"]]
            return answer
        finally:
            attempt.close()

    @property
    def certificate(self):
        return x509.load_der_x509_certificate(self.chain[0])

    def identity(self, work, name=None):
        """Files to connect with."""
        name = name or f"{self.id}-{self.certificate.serial_number:x}"
        pem = "".join(x509.load_der_x509_certificate(one).public_bytes(serialization.Encoding.PEM).decode() for one in self.chain)
        key = self.tls_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()).decode()
        return Identity(self.id, work.write(f"{name}.pem", pem), work.write(f"{name}.key", key, 0o600))


def request(key, name="whoever", ca=False):
    """A certificate request, DER; `ca`: it asks for what no device may have."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("core.example.net")]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def proof(key, op, nonce, csr=b""):
    return sign(key, b"muster-enrol-1\0" + op.encode() + b"\0" + nonce + (hashlib.sha256(csr).digest() if csr else b""))


def open_envelope(payload, service_name="svc-prov"):
    """Verifies what the provisioner signed, as a device would but for the chain to the root. -> the payload's object."""
    envelope = json.loads(payload)
    leaf = x509.load_der_x509_certificate(base64.b64decode(envelope["signer"][0]))
    issuer = x509.load_der_x509_certificate(base64.b64decode(envelope["signer"][1]))
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == service_name
    issuer.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    body = base64.b64decode(envelope["payload"])
    leaf.public_key().verify(base64.b64decode(envelope["sig"]), b"muster-prov-1\0" + body, ec.ECDSA(hashes.SHA256()))
    return json.loads(body)


class Attempt:
    """A connection of a device to the broker for provisioning."""

    def __init__(self, device, prov, claim):
        self.device, self.claim, self.cid = device, claim, brokers.attempt()
        self.client = mqttclient.Client(prov.address, prov.port, prov.ca_file, claim, client_id=self.cid)
        self.client.subscribe(brokers.prov_topic(claim.cn, self.cid, "rsp"))
        self._read = 0

    def close(self):
        self.client.disconnect()

    def send(self, **members):
        body = {"v": 1, "serial": self.device.serial, **members}
        self.client.publish(brokers.prov_topic(self.claim.cn, self.cid, "req"), json.dumps(body).encode())

    def answer(self):
        self._read += 1
        return open_envelope(self.client.wait_messages(self._read)[self._read - 1].payload)

    def hello(self):
        """-> the nonce"""
        self.send(op="hello", batch=self.device.batch.name, model="cam-2", agent="test")
        answer = self.answer()
        assert answer["op"] == "nonce" and answer["cid"] == self.cid, answer
        return base64.b64decode(answer["n"])

    def csr(self, nonce, tls_key, signer=None, csr=None, old=None):
        """Asks for a certificate. signer: whose proof (default: the ledger's key). -> the answer"""
        der = csr or request(tls_key)
        more = {"old": b64(old)} if old else {}
        self.send(op="csr", n=b64(nonce), csr=b64(der), sig=b64(proof(signer or self.device.key, "csr", nonce, der)), **more)
        return self.answer()

    def word(self, op, nonce, **more):
        """stored, trouble: nobody answers."""
        self.send(op=op, n=b64(nonce), sig=b64(proof(self.device.key, op, nonce)), **more)


_CONFIG = """\
prov:
  endpoints: ["{prov}"]
  ca_file: {ca}
  cert_file: {cert}
  key_file: {key}
{core}store:
  path: {folder}/provisioner.db
ca:
  dir: {ca_dir}
factory_key: {factory}
control:
  socket: {folder}/control.sock
metrics:
  listen: "127.0.0.1:{metrics}"
core_endpoints: ["{told}"]
server_trust: {trust}
config_roots: [{root}]
revocation:
  deny_file: {folder}/denied
  crl_file: {folder}/devices.crl
{more}"""

_CORE = """\
core:
  endpoints: ["{core_endpoint}"]
  ca_file: {ca}
  cert_file: {cert}
  key_file: {key}
"""


class Provisioner(Process):
    """Not yet started. core None: a factory without one. `clock`: a file for clock_shim, see set_clock()."""

    def __init__(self, work, pki, factory, prov, core=None, more="", env=None):
        self.work, self.folder = work, work.folder("provisioner")
        service = pki.service("svc-prov")
        self.clock_file = self.folder / "clock"
        self.set_clock(0)
        values = {"prov": prov.endpoint, "ca": prov.ca_file, "cert": service.cert, "key": service.key, "folder": self.folder,
                  "ca_dir": pki.folder, "factory": factory.public, "metrics": ports.free_port("127.0.0.1"), "more": more,
                  "told": core.endpoint if core else "core.example.net:8883", "trust": pki.server_bundle,
                  "root": work.write("provisioner/root.pub", public_pem(ed25519.Ed25519PrivateKey.generate()))}
        values["core"] = _CORE.format(core_endpoint=core.endpoint, **values) if core else ""
        self.metrics_port = values["metrics"]
        self.config_file = work.write("provisioner/provisioner.yaml", _CONFIG.format(**values))
        # A sanitizer's runtime, where CTest names one, must come before any other library.
        preload = " ".join(filter(None, (os.environ.get("MUSTER_BROKER_PRELOAD"), str(build_dir() / "tests" / "clock_shim.so"))))
        shim = {"LD_PRELOAD": preload, "CLOCK_SHIM": str(self.clock_file)}
        super().__init__([build_dir() / "provisioner" / "muster-provisioner", "-c", self.config_file], self.folder / "log",
                         env={**shim, **(env or {})})
        self.links = 2 if core else 1

    def set_clock(self, ahead_s):
        """The wall clock is so many seconds ahead of the machine's. In place: the program has the file mapped."""
        with open(self.clock_file, "r+b" if self.clock_file.exists() else "wb") as file:
            file.write(struct.pack("=qq", ahead_s, 0))

    def start_ready(self):
        self.start()
        self.wait_until(lambda: self.log_text().count("broker-connected") >= self.links, "connected with both brokers")
        return self

    def call(self, method, path, body=None):
        """-> (status, decoded JSON)"""
        connection = UnixConnection(self.folder / "control.sock")
        try:
            text = body if isinstance(body, (str, type(None))) else json.dumps(body)
            connection.request(method, path, body=text.encode() if text is not None else None)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def get(self, path):
        status, answer = self.call("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def post(self, path, body=None):
        status, answer = self.call("POST", path, body)
        assert status == 200, (path, status, answer)
        return answer

    def add(self, batch):
        """Manifest and ledger."""
        self.post("/v1/batches", batch.manifest)
        return self.post("/v1/ledger", batch.ledger())

    def device(self, device_id):
        return self.get(f"/v1/devices/{device_id}")

    def wait_state(self, device_id, state):
        wait_until(lambda: self.device(device_id)["state"] == state, f"{device_id} is {state}")
