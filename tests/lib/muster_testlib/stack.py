# SPDX-License-Identifier: Apache-2.0
"""A whole deployment on free ports: broker with plugin, authoritative server, coordinator; and devices that speak the contract by hand."""
import json

from .broker import Broker, topic
from .certs import Pki
from .coordinator import RFC2136, Coordinator
from .dns import Knot
from .mqttclient import Client
from .procs import DEADLINE

GROUPS = """\
  - name: cameras
    names:
      - name: "{id}.example.net"
"""

REGISTRY = """\
devices:
  - match: "cam-*"
    group: cameras
"""


class Stack:
    """Everything, started in order. `server` is a class of dns.py; `account` as in coordinator.py."""

    def __init__(self, work, server=Knot, groups=GROUPS, registry=REGISTRY, prefix=(), account=RFC2136, **values):
        self.work = work
        self.pki = Pki(work / "pki")
        self.broker = Broker(work, self.pki, viewers="all")
        self.dns = server(work, prefix=prefix)
        self.coordinator = Coordinator(work, self.pki, self.broker, self.dns, groups, registry, account, log="debug", **values)
        self.folder, self.metrics_port = self.coordinator.folder, self.coordinator.metrics_port
        self.config_file, self.registry_file = self.coordinator.config_file, self.coordinator.registry_file
        self.values, self.write_config = self.coordinator.values, self.coordinator.write_config

    def start(self):
        self.broker.start()
        self.dns.start()
        self.start_coordinator()
        return self

    def start_coordinator(self):
        self.coordinator.start_ready()
        return self

    def device(self, device_id):
        return Device(self, device_id)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.coordinator.stop()
        self.dns.stop()
        self.broker.stop()


class Device:
    """A device that publishes what it is told, on its own certificate."""

    def __init__(self, stack, device_id):
        self.stack, self.id = stack, device_id
        self.identity = stack.pki.device(device_id)
        self.boot, self.conn, self.seq = 1, 0, 0
        self.client = None

    def topic(self, direction, leaf):
        return topic(direction, self.id, leaf)

    def connect(self):
        broker = self.stack.broker
        self.conn += 1
        will = {"topic": self.topic("up", "gone"), "payload": json.dumps({"v": 1, "boot": self.boot, "conn": self.conn}).encode(),
                "qos": 1, "retain": True}
        self.client = Client(broker.address, broker.port, ca_file=broker.ca_file, identity=self.identity, will=will)
        self.client.subscribe(self.topic("dn", "dns"))
        return self

    def state(self, **fields):
        """The body of a state; seq is what it is."""
        body = {"v": 1, "s": "on", "boot": self.boot, "conn": self.conn, "seq": self.seq, "ts": 0, "tsq": "none", "src": "interface",
                "why": "change", "agent": "test", "fw": "", "cfg": "", "caps": []}
        body.update(fields)
        return body

    def report(self, **fields):
        self.seq += 1
        self.client.publish(self.topic("up", "state"), json.dumps(self.state(**fields)).encode(), retain=True)

    def acks(self):
        return [json.loads(message.payload) for message in self.client.wait_messages(0)]

    def wait_ack(self, match=lambda ack: True, deadline=DEADLINE):
        """The first ack of the present (boot, seq) that matches."""
        want = {"boot": self.boot, "seq": self.seq}
        found = self.client.wait_messages(
            1, lambda message: json.loads(message.payload).get("ack") == want and match(json.loads(message.payload)), deadline)
        return json.loads(found[0].payload)

    def close(self):
        if self.client is not None:
            self.client.disconnect()
            self.client = None
