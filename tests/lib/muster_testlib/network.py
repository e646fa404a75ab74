# SPDX-License-Identifier: Apache-2.0
"""An internet of network namespaces, all real: kernel routing, nftables, dnsmasq's router advertisements, miniupnpd.

    internet ──┬── isp-a ──┬── home ── camera      servers live in `internet`, which the test program enters
               │           │   │       (192.168.1.2, SLAAC)
               └── isp-b ──┼───┤
                           └───┴── gateway         its own uplinks, public addresses, a prefix for hosts behind it

Addresses look like any of the internet's, so nothing under test needs an exception. What happens to networks are methods
that change what a provider or a router would change, and return when the kernel has taken it.
"""
import ipaddress
import itertools
import time

from .netns import Namespaces
from .procs import Process, wait_until

SERVER, SERVER2, SERVER6 = "45.83.64.1", "45.83.65.1", "2a0e:c0de::1"
WRONG, WRONG6 = "93.184.216.34", "2606:2800:220:1::1"  # public, and never anybody's in here: what liars say
CAMERA, ROUTER = "192.168.1.2", "192.168.1.1"
CARRIER_POOL = "84.10.255.1"


class Provider:
    """One ISP: customers on a bridge, one link to the internet, carrier NAT for those on its shared address."""

    def __init__(self, letter, transit, customers, prefix, metric):
        self.letter, self.space, self.wan = letter, f"isp-{letter}", f"wan-{letter}"
        self.net = ipaddress.ip_network(customers)
        self.transit, self.prefix, self.metric = transit, prefix, metric  # <prefix>:: is a /32
        self.router = str(self.net[1])

    def lan(self, number):
        """A delegated /64 by its number, without the length."""
        return f"{self.prefix}:{number:x}::"


A = Provider("a", "80.10.0", "84.10.0.0/16", "2a0e:a", 100)
B = Provider("b", "80.20.0", "91.20.0.0/16", "2a0e:b", 200)

_NAT = """table inet nat {
  chain postrouting { type nat hook postrouting priority srcnat; meta nfproto ipv4 oifname "wan-*" masquerade; }
}
"""
# miniupnpd puts its rules where it finds these chains.
_UPNP_TABLE = """table inet filter {
  chain forward { type filter hook forward priority 10; jump miniupnpd; }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting { type nat hook postrouting priority 110; jump postrouting_miniupnpd; }
  chain postrouting_miniupnpd { }
}
"""
# What devices ask the home router: NAT-PMP and PCP.
_QUESTIONS = """table inet questions {
  counter port_control { }
  chain input { type filter hook input priority filter; iifname "lan" udp dport 5351 counter name port_control; }
}
"""
_HOME_RULES = _NAT + _UPNP_TABLE + _QUESTIONS
_UPNP = """ext_ifname={wan}
listening_ip=lan
http_port=0
enable_natpmp={pcp}
enable_upnp=yes
secure_mode=yes
lease_file={folder}/leases
uuid=00000000-0000-4000-8000-000000000001
allow 1024-65535 192.168.1.0/24 0-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
_ADVERTISER = """port=0
interface=lan
bind-dynamic
enable-ra
ra-param=lan,4,120
dhcp-range=::,constructor:lan,ra-only,64,2h
user=root
"""


class Network:
    """Everything between the servers and the agents."""

    def __init__(self, work):
        self.work, self.folder = work, work.folder("network")
        self.spaces = Namespaces("muster-net")
        self._numbers = itertools.count(0x1000)   # of prefixes
        self._customers = itertools.count(1000)   # of customers' addresses; none of either is given twice
        self.home4 = self.gateway4 = None         # present IPv4 address at provider A
        self._lan = {}                            # space: (provider, number) of the prefix on its LAN side
        self._routers = {}                        # (space, provider's letter): its IPv4 router
        self._services = {}
        self.spaces.add("internet")
        self.spaces.ip("internet", f"""address add {SERVER}/32 dev lo
address add {SERVER2}/32 dev lo
address add {SERVER6}/128 dev lo nodad""")

    def enter(self):
        """From now on this process is on the internet, as are the servers that it starts."""
        self.spaces.enter("internet")

    def build(self, ip6=True, port_control=False):
        """The network as it is on a good day, with addresses of its own. Also anew, for the next test. `ip6`: the home
        router advertises its prefix."""
        self.clear()
        self._ip6 = ip6
        for name in (A.space, B.space, "home", "camera", "gateway"):
            self.spaces.add(name)
        for provider in (A, B):
            self._provider(provider)
        self._home()
        self._gateway()
        if port_control:
            self.start_port_control()
        return self

    def clear(self):
        """Leaves the internet and its servers only."""
        for service in self._services.values():
            service.stop()
        self._services = {}
        if self._lan:
            # its peer goes at once; that of a removed namespace goes some time
            self.spaces.ip("internet", "link del to-a\nlink del to-b")
            for name in ("camera", "home", "gateway", A.space, B.space):
                self.spaces.remove(name)
            self._lan, self._routers = {}, {}

    def close(self):
        for service in self._services.values():
            service.stop()
        self.spaces.close()

    def _routes(self, name):
        self.spaces.sysctl(name, ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)

    def _provider(self, isp):
        self._routes(isp.space)
        self.spaces.ip("internet", f"""link add to-{isp.letter} type veth peer name transit netns {self.spaces.full(isp.space)}
address add {isp.transit}.1/24 dev to-{isp.letter}
address add {isp.prefix}:ffff::1/64 dev to-{isp.letter} nodad
link set to-{isp.letter} up
route add {isp.net} via {isp.transit}.2 src {SERVER}
route add {isp.prefix}::/32 via {isp.prefix}:ffff::2 src {SERVER6}""")
        self.spaces.ip(isp.space, f"""link add customers type bridge
address add {isp.router}/16 dev customers
address add 100.64.0.1/16 dev customers
address add {CARRIER_POOL}/32 dev lo
address add {isp.prefix}::1/64 dev customers nodad
address add {isp.transit}.2/24 dev transit
address add {isp.prefix}:ffff::2/64 dev transit nodad
link set customers up
link set transit up
route add default via {isp.transit}.1
route add default via {isp.prefix}:ffff::1""")
        self.spaces.nft(isp.space, f"""table ip carrier {{
  chain postrouting {{ type nat hook postrouting priority srcnat;
    ip saddr 100.64.0.0/10 oifname "transit" snat to {CARRIER_POOL}; }}
}}
""")

    def _subscribe(self, space, isp, number):
        """A link between a customer and its provider; returns the customer's IPv4 address."""
        port, address = f"{space}-port", str(isp.net[next(self._customers)])
        self.spaces.ip(isp.space, f"""link add {port} type veth peer name {isp.wan} netns {self.spaces.full(space)}
link set {port} master customers up""")
        self.spaces.ip(space, f"""address add {address}/16 dev {isp.wan}
address add {isp.prefix}::{number}/64 dev {isp.wan} nodad
link set {isp.wan} up
{self._default(space, isp)}""")
        return address

    def _default(self, space, isp):
        router = self._routers.get((space, isp.letter), isp.router)
        return f"""route replace default via {router} dev {isp.wan} metric {isp.metric}
route replace default via {isp.prefix}::1 dev {isp.wan} metric {isp.metric}"""

    _CUSTOMER = {"home": 7, "gateway": 20}  # last word of its IPv6 address at each provider

    def _delegate(self, space, isp=A):
        """The provider routes a fresh prefix to a customer, whose LAN side gets it; returns it."""
        number = next(self._numbers)
        self.spaces.ip(isp.space, f"route add {isp.lan(number)}/64 via {isp.prefix}::{self._CUSTOMER[space]} dev customers")
        self.spaces.ip(space, f"address add {isp.lan(number)}1/64 dev lan nodad")
        self._lan[space] = (isp, number)
        return isp.lan(number)

    def prefix6(self, space):
        """The present prefix of a LAN, without its length."""
        isp, number = self._lan[space]
        return isp.lan(number)

    def _home(self):
        self._routes("home")
        self.spaces.ip("home", f"""link add lan type veth peer name eth0 netns {self.spaces.full("camera")}
address add {ROUTER}/24 dev lan
link set lan up""")
        self.spaces.ip("camera", f"""address add {CAMERA}/24 dev eth0
link set eth0 up
route add default via {ROUTER}""")
        self.home4 = self._subscribe("home", A, self._CUSTOMER["home"])
        self.home4_b = self._subscribe("home", B, self._CUSTOMER["home"])
        self._delegate("home")
        self.spaces.nft("home", _HOME_RULES)
        if self._ip6:
            self.start_advertiser()

    def _gateway(self):
        self._routes("gateway")
        self.spaces.ip("gateway", "link add lan type veth peer name behind\nlink set lan up\nlink set behind up")
        self.gateway4 = self._subscribe("gateway", A, self._CUSTOMER["gateway"])
        self.gateway4_b = self._subscribe("gateway", B, self._CUSTOMER["gateway"])
        self.gateway6 = f"{A.prefix}::{self._CUSTOMER['gateway']}"
        self._delegate("gateway")

    def service(self, space, argv, name):
        """A program of a router, stopped with the network."""
        self._services[name] = Process(argv, self.folder / f"{name}.log", prefix=self.spaces.prefix(space)).start()
        return self._services[name]

    def start_advertiser(self):
        """dnsmasq advertises whatever prefix the home router's LAN side has, and takes back what it had."""
        config = self.work.write("network/dnsmasq.conf", _ADVERTISER)
        self.service("home", ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}",
                              f"--pid-file={self.folder}/dnsmasq.pid"], "dnsmasq").wait_log("router advertisement on")

    def start_port_control(self, isp=A, pcp=True):
        """UPnP IGD and, with `pcp`, NAT-PMP and PCP of the home router."""
        config = self.work.write("network/miniupnpd.conf",
                                 _UPNP.format(wan=isp.wan, folder=self.folder, pcp="yes" if pcp else "no"))
        self.service("home", ["miniupnpd", "-d", "-f", config, "-P", self.folder / "miniupnpd.pid"],
                     "miniupnpd").wait_log("Listening for NAT-PMP/PCP" if pcp else "HTTP listening on port")

    # What happens to networks.

    def _set_wan(self, space, isp, address, router):
        self._routers[space, isp.letter] = router
        self.spaces.ip(space, f"""address flush dev {isp.wan}
address add {address}/16 dev {isp.wan}
route replace default via {router} dev {isp.wan} metric {isp.metric}""", "-4")

    def renumber(self, space, isp=A):
        """The provider gives a customer another IPv4 address; returns it."""
        new = str(isp.net[next(self._customers)])
        self._set_wan(space, isp, new, isp.router)
        setattr(self, f"{space}4" if isp is A else f"{space}4_b", new)
        return new

    def carrier_nat(self, space):
        """Provider A moves a customer behind a shared address."""
        self._set_wan(space, A, f"100.64.7.{next(self._customers) % 200 + 2}", "100.64.0.1")

    def renumber6(self, space, flash, isp=A):
        """Another prefix for a LAN; returns it. The old one is deprecated but still routed, or gone at once."""
        old_isp, old = self._lan[space]
        if flash:
            self.spaces.ip(old_isp.space, f"route del {old_isp.lan(old)}/64")
            self.spaces.ip(space, f"address del {old_isp.lan(old)}1/64 dev lan")
        else:
            self.spaces.ip(space, f"address change {old_isp.lan(old)}1/64 dev lan valid_lft 600 preferred_lft 0")
        return self._delegate(space, isp)

    def add_prefix6(self, space, isp=A):
        """Another prefix for a LAN, whose present one stays as it is; returns it."""
        return self._delegate(space, isp)

    def limit_prefix6(self, space, prefix, preferred):
        """A prefix of a LAN is preferred for so many seconds more; 0: it is deprecated."""
        self.spaces.ip(space, f"address change {prefix}1/64 dev lan valid_lft 3600 preferred_lft {preferred}")

    def forget_prefix6(self):
        """The home router loses its memory, not its power: it has another prefix and never heard of the old one, nor do
        those on its LAN hear that it is gone (RFC 8978); returns it."""
        self._services.pop("dnsmasq").kill()
        prefix = self.renumber6("home", True)
        self.start_advertiser()
        return prefix

    def uplink_lost(self, space, isp=A):
        self.spaces.ip(space, f"link set {isp.wan} down")

    def uplink_back(self, space, isp=A):
        """With the address that it had; returns since when it is usable: the link stands at both ends, then its routes
        are set."""
        self.spaces.ip(space, f"""link set {isp.wan} up
address replace {isp.prefix}::{self._CUSTOMER[space]}/64 dev {isp.wan} nodad""")
        for place, link in ((space, isp.wan), (isp.space, f"{space}-port")):
            wait_until(lambda place=place, link=link: "state UP" in self.spaces.execute(place, "ip", "link", "show", link),
                       f"{link} stands")
        usable = time.monotonic()
        self.spaces.ip(space, self._default(space, isp))
        return usable

    def router_off(self):
        """The home router loses power: its LAN has no carrier, its state is gone."""
        for name in list(self._services):
            self._services.pop(name).stop()
        self.spaces.ip("home", "link set lan down\nlink set wan-a down\nlink set wan-b down")
        self.spaces.nft("home", "flush ruleset")

    def router_on(self):
        """It comes back, and the provider gives it another address and prefix; returns both."""
        old_isp, old = self._lan["home"]
        self.spaces.ip(old_isp.space, f"route del {old_isp.lan(old)}/64")
        self.spaces.nft("home", _HOME_RULES)
        self.spaces.ip("home", "link set lan up\nlink set wan-a up\nlink set wan-b up")
        for isp in (B, A):
            self.uplink_back("home", isp)
        prefix = self._delegate("home")
        address = self.renumber("home")
        if self._ip6:
            self.start_advertiser()
        return address, prefix

    def darken(self, isp):
        """A provider forwards nothing any more, while the links of its customers stand and its router answers."""
        self.spaces.nft(isp.space, "table inet dark { chain forward { type filter hook forward priority -10; drop; }; }\n")

    def lighten(self, isp):
        self.spaces.nft(isp.space, "delete table inet dark\n")

    def lose_packets(self, percent):
        """Of everything that passes the home router, each way."""
        self.spaces.nft("home", f"""table inet loss {{
  chain forward {{ type filter hook forward priority -10; numgen random mod 100 < {percent} drop; }}
}}
""")

    def forget_flow(self, port):
        """Packets of the camera's TCP connection from that port vanish on the way, without a word to either end."""
        self.spaces.nft("home", f"""table inet forgotten {{
  chain forward {{ type filter hook forward priority -10; tcp sport {port} drop; tcp dport {port} drop; }}
}}
""")

    def intercept_dns(self):
        """The home router answers every DNS question itself, whoever was asked, and always the same; returns the liar."""
        config = self.work.write("network/liar.conf", f"""port=5353
no-resolv
no-hosts
listen-address={ROUTER}
bind-interfaces
address=/#/{WRONG}
address=/#/{WRONG6}
user=root
log-queries
""")
        liar = self.service("home", ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}",
                                     f"--pid-file={self.folder}/liar.pid"], "liar")
        liar.wait_log("started, version")
        self.spaces.nft("home", """table ip intercept {
  chain prerouting { type nat hook prerouting priority dstnat - 5;
    iifname "lan" meta l4proto { tcp, udp } th dport 53 redirect to :5353; }
}
""")
        return liar

    def captive(self, port):
        """Until it is paid for, the home router sends every HTTP request to a portal on the internet and lets nothing
        else pass."""
        self.spaces.nft("home", f"""table ip captive {{
  chain prerouting {{ type nat hook prerouting priority dstnat - 5;
    iifname "lan" tcp dport 80 dnat to {SERVER2}:{port}; }}
  chain forward {{ type filter hook forward priority -10; ip daddr {SERVER2} accept; ip saddr {SERVER2} accept; drop; }}
}}
""")

    def undo(self, table, family="inet"):
        """The end of lose_packets (loss), forget_flow (forgotten), and, with ip, of intercept_dns and captive."""
        self.spaces.nft("home", f"delete table {family} {table}")
