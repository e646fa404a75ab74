# SPDX-License-Identifier: Apache-2.0
"""rfc2136 over TLS against the real BIND: updates and transfers signed within TLS, and whom it refuses to talk to."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import certs, dns, procs  # noqa: E402

from probe import Probe  # noqa: E402
from provider_cases import ZONE  # noqa: E402

NAME = "ns1.dot.example"  # of the certificate; nobody resolves it


class Dot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = procs.Workspace()
        cls.addClassCleanup(cls.work.close)
        cls.pki = certs.Pki(cls.work.folder("pki"))
        identity = cls.pki.server("dot", ips=("127.0.0.1",), names=(NAME,))
        cls.server = dns.Bind(cls.work, tls=identity).start()
        cls.addClassCleanup(cls.server.stop)
        cls.key = cls.work.write("key", f"{cls.server.algorithm}:{cls.server.key_name}:{cls.server.secret}\n", 0o600)

    def probe(self, port=None, ca=None, timeout="10s", name=None):
        options = {"transport": "tls", **({"tls_name": name} if name else {})}
        return Probe(self.work, {"provider": "rfc2136", "server": f"{self.server.address}:{port or self.server.tls_port}",
                                 "key_file": self.key, "ca_file": ca or self.pki.servers.cert, "retry_min": "50ms",
                                 "retry_max": "500ms", "timeout": timeout, "options": options}, ZONE)

    def refused(self, words, **config):
        with self.probe(**config) as probe:
            probe.submit(f"refused.{ZONE}", "192.0.2.1", 1)
            event = probe.settled(1, ("retry",))
            self.assertEqual(event["error"], "unreachable")
            self.assertIn(words, event["detail"])
        self.assertEqual(dns.kdig(self.server, f"refused.{ZONE}"), [])

    def test_updates_and_transfers_pass(self):
        for name in (None, NAME):  # by the address in the certificate, and by a name
            with self.subTest(name), self.probe(name=name) as probe:
                before = len(dns.axfr(self.server))
                label = "named" if name else "address"
                for i in range(1500):  # more than one record of TLS, and more than one message of DNS
                    probe.submit(f"n{i}.{label}.{ZONE}", f"10.0.{i // 250}.{i % 250 + 1}", i + 1)
                for i in range(1500):
                    self.assertEqual(probe.settled(i + 1)["outcome"], "applied")
                probe.send("list")
                listed = probe.event("listed")
                zone = dns.axfr(self.server)
                self.assertGreaterEqual(len(zone), before + 1500)
                self.assertEqual((listed["err"], listed["count"]), ("OK", sum(key[1] == "A" for key in zone)))

    def test_another_authority_is_refused(self):
        self.refused("the server's certificate is refused: unable to get local issuer certificate",
                     ca=self.pki.devices.cert)

    def test_another_name_is_refused(self):
        self.refused("the server's certificate is refused: hostname mismatch", name="ns2.dot.example")

    def test_a_server_without_tls_is_told_so(self):
        self.refused("waiting for the TLS handshake of 127.0.0.1 port", port=self.server.port, timeout="1s")


if __name__ == "__main__":
    unittest.main()
