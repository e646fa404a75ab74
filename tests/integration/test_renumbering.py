# SPDX-License-Identifier: Apache-2.0
"""muster-agent under a router that renumbers: the test sends the router advertisements itself, the kernel makes of them
what it always does. Which of several IPv6 addresses is reported, and that none is reported by mistake on the way.
"""
import ipaddress
import json
import signal
import socket
import struct
import subprocess
import sys
import unittest

from muster_testlib import procs
from test_agent import Case, enter_namespace

OLD, NEW = ipaddress.IPv6Network("2a00:1:1::/64"), ipaddress.IPv6Network("2a00:9:9::/64")
_ADVERTISEMENT, _PREFIX, _ON_LINK_AND_AUTONOMOUS = 134, 3, 0xC0


class Router:
    """Sends advertisements out of far0."""

    def __init__(self):
        procs.wait_until(self._has_address, "far0 has its link-local address")
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        self.index = socket.if_nametoindex("far0")
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)

    @staticmethod
    def _has_address():
        return any(address["scope"] == "link" and not address.get("tentative") for address in addresses((), "far0"))

    def advertise(self, *prefixes):
        """Each is (network, preferred, valid), in seconds."""
        message = struct.pack("!BBHBBHII", _ADVERTISEMENT, 0, 0, 64, 0, 1800, 0, 0)
        for network, preferred, valid in prefixes:
            message += struct.pack("!BBBBIII", _PREFIX, 4, network.prefixlen, _ON_LINK_AND_AUTONOMOUS, valid, preferred, 0)
            message += network.network_address.packed
        self.socket.sendto(message, ("ff02::1", 0, 0, self.index))

    def close(self):
        self.socket.close()


def addresses(prefix, device):
    done = subprocess.run([*prefix, "ip", "-6", "-json", "address", "show", "dev", device], check=True, capture_output=True,
                          text=True)
    return [address for link in json.loads(done.stdout) for address in link["addr_info"]]


class Renumbering(Case):
    def setUp(self):
        super().setUp()
        self.camera = self.device()
        self.router = Router()
        self.addCleanup(self.router.close)

    def sysctl(self, name, value):
        subprocess.run([*self.camera.prefix, "sysctl", "-qw", f"net.ipv6.conf.eth0.{name}={value}"], check=True)

    def wait_kernel(self, network, predicate, what):
        def fits():
            return next((address for address in addresses(self.camera.prefix, "eth0")
                         if ipaddress.ip_address(address["local"]) in network and predicate(address)), None)
        return procs.wait_until(fits, what)["local"]

    def wait_ip6(self, network):
        return self.wait_state(self.camera, lambda state: state.get("ip6") and ipaddress.ip_address(state["ip6"]) in network)

    def begin(self):
        self.router.advertise((OLD, 1800, 7200))
        self.camera.start()
        self.wait_ip6(OLD)

    def reported(self):
        """Each IPv6 address in turn; what the kernel told so far has been taken in."""
        self.camera.ip("address", "add", "10.1.0.9/24", "dev", "eth0")
        self.wait_state(self.camera, lambda state: state.get("ip4") == "10.1.0.9")
        turns = []
        for state in self.states(self.camera):
            if state.get("ip6") and state["ip6"] != (turns or [None])[-1]:
                turns.append(state["ip6"])
        return [next(network for network in (OLD, NEW) if ipaddress.ip_address(ip6) in network) for ip6 in turns]

    def test_an_announced_renumbering_is_followed_once(self):
        self.begin()
        for valid in range(8000, 13000, 1000):  # the old prefix is deprecated by each advertisement anew
            self.router.advertise((OLD, 0, valid), (NEW, 1800, 7200))
            self.wait_kernel(OLD, lambda address, least=valid - 900: address.get("deprecated")
                             and address["valid_life_time"] > least, "the kernel took the advertisement")
            self.wait_kernel(NEW, lambda address: not address.get("tentative"), "no duplicate was found")
        self.wait_ip6(NEW)
        self.assertEqual(self.reported(), [OLD, NEW])

    def test_a_renumbering_without_notice_is_followed_when_the_new_address_stands(self):
        self.begin()
        self.wait_kernel(OLD, lambda address: address["preferred_life_time"] < 1793, "the old prefix is some seconds old")
        self.router.advertise((NEW, 1800, 7200))
        self.wait_ip6(NEW)
        kernel = {ipaddress.ip_address(address["local"]) in OLD: address for address in addresses(self.camera.prefix, "eth0")
                  if address["scope"] == "global"}
        self.assertNotIn("deprecated", kernel[True])  # by itself the kernel would go on with it
        self.assertEqual(self.reported(), [OLD, NEW])

    def test_temporary_addresses_obey_the_policy(self):
        self.sysctl("use_tempaddr", 2)
        self.camera.configure(addresses={"temporary": "prefer"})
        self.begin()
        temporary = self.wait_kernel(OLD, lambda address: address.get("temporary") and not address.get("tentative"), "one")
        stable = self.wait_kernel(OLD, lambda address: address.get("mngtmpaddr") and not address.get("tentative"), "one")
        self.wait_state(self.camera, lambda state: state.get("ip6") == temporary)
        self.camera.configure(addresses={"temporary": "avoid"})
        self.camera.agent.signal(signal.SIGHUP)
        self.wait_state(self.camera, lambda state: state.get("ip6") == stable)


if __name__ == "__main__":
    if not enter_namespace():
        print("network namespaces or veth are not available: skipped")
        sys.exit(77)
    unittest.main()
