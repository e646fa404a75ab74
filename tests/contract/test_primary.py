# SPDX-License-Identifier: Apache-2.0
"""Accounts that name no server, in a network of this test's own, where /etc/resolv.conf and port 53 are free: the real
BIND and Knot are found through the real dnsmasq, by the zone's SOA record."""
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from muster_testlib import certs, dns, procs  # noqa: E402

from dyndns2_server import Service  # noqa: E402
from probe import Probe  # noqa: E402
from provider_cases import ZONE  # noqa: E402

OLD, NEW, RESOLVER = "127.0.0.1", "127.0.0.2", "127.0.0.53"
FAST = {"retry_min": "50ms", "retry_max": "500ms", "timeout": "20s"}
_ENTERED = "MUSTER_TEST_NETWORK"
_ENTER = f"""set -e
ip link set lo up
file=$(mktemp)
echo 'nameserver {RESOLVER}' >"$file"
mount --bind "$file" /etc/resolv.conf
rm "$file"
exec "$@"
"""


def enter():
    """This program again, in namespaces of its own; exit status 77 where there can be none."""
    own = ["unshare", "--net", "--mount", "sh", "-c"]
    if subprocess.run([*own, "ip link set lo up"], capture_output=True, check=False).returncode != 0:
        print("no right to make network and mount namespaces", file=sys.stderr)
        sys.exit(77)
    os.execvpe(own[0], [*own, _ENTER, "sh", sys.executable, "-B", *sys.argv], {**os.environ, _ENTERED: "1"})


class Primary(unittest.TestCase):
    def setUp(self):
        self.work = procs.Workspace()
        self.addCleanup(self.work.close)
        self.server = dns.Bind(self.work, name="old", address=OLD, port=53)
        self.addCleanup(self.server.stop)
        config = self.work.write("dnsmasq.conf", f"port=53\nno-resolv\nno-hosts\nlisten-address={RESOLVER}\n"
                                 f"bind-interfaces\ncache-size=0\nall-servers\nserver=/{ZONE}/{OLD}\nserver=/{ZONE}/{NEW}\n")
        resolver = procs.Process(["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}",
                                  f"--pid-file={self.work / 'dnsmasq.pid'}"], self.work / "dnsmasq.log")
        resolver.start()
        self.addCleanup(resolver.stop)
        resolver.wait_port(RESOLVER, 53)

    def key(self):
        return self.work.write("key", f"{self.server.algorithm}:{self.server.key_name}:{self.server.secret}\n", 0o600)

    def probe(self, zone=ZONE, **config):
        return Probe(self.work, {"provider": "rfc2136", "key_file": self.key(), **FAST, **config}, zone)

    def test_updates_and_listings_go_to_the_primary_also_after_it_moved(self):
        new = dns.Knot(self.work, name="new", address=NEW, port=53, secret=self.server.secret)
        self.addCleanup(new.stop)
        with self.server, self.probe() as probe:
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.assertEqual(dns.kdig(self.server, f"a.{ZONE}"), ["192.0.2.1"])
            probe.send("list")
            listed = probe.event("listed")
            self.assertEqual((listed["err"], listed["count"]), ("OK", 2))  # a and ns1
            self.server.kill()
            new.start()  # the same zone and key; its SOA's primary has the new address
            probe.submit(f"a.{ZONE}", "192.0.2.2", 2)
            self.assertEqual(probe.settled(2)["outcome"], "applied")
            self.assertEqual(dns.kdig(new, f"a.{ZONE}"), ["192.0.2.2"])

    def test_a_zone_without_soa_waits_and_says_why(self):
        with self.server, self.probe(f"sub.{ZONE}") as probe:
            probe.submit(f"a.sub.{ZONE}", "192.0.2.1", 1)
            event = probe.settled(1, ("retry",))
            self.assertEqual(event["error"], "no-primary")
            self.assertIn(f"sub.{ZONE} is no zone of its own, it lies in {ZONE}", event["detail"])
            self.assertIn("set `server`", event["detail"])
        with self.server, self.probe("elsewhere.example") as probe:
            probe.submit("a.elsewhere.example", "192.0.2.1", 1)
            event = probe.settled(1, ("retry",))
            self.assertEqual(event["error"], "no-primary")
            self.assertIn("asking 127.0.0.53 for elsewhere.example: REFUSED", event["detail"])

    def test_an_unknown_outcome_is_settled_where_the_zone_is_served(self):
        pki = certs.Pki(self.work.folder("pki"))
        self.server.start()
        service = Service(pki, self.server)
        self.addCleanup(service.close)
        config = {"provider": "dyndns2", "url": service.url, "username": "fleet",
                  "password_file": self.work.write("password", "pass word\n", 0o600), "ca_file": pki.servers.cert}
        with Probe(self.work, {**config, **FAST}, ZONE) as probe:
            service.script[:] = ["apply-cut"]
            probe.submit(f"a.{ZONE}", "192.0.2.1", 1)
            self.assertEqual(probe.settled(1, ("unknown",))["outcome"], "unknown")
            self.assertEqual(probe.settled(1)["outcome"], "applied")
            self.assertEqual(len(service.requests), 1)


if __name__ == "__main__":
    if _ENTERED not in os.environ:
        enter()
    unittest.main()
