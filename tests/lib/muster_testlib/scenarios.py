# SPDX-License-Identifier: Apache-2.0
"""What happens to networks, as scenarios of detection.py: tests/system holds the agent to their limits, muster-bench
runs other clients through the same."""
import time

from .clients import PROBE_S
from . import lines
from .detection import Scenario, Step
from .network import A, B, WRONG
from .procs import wait_until

EVENT_S = 1.0                 # from the moment that the address is usable
DEAD_PATH_S = PROBE_S + 2      # behind a NAT that says nothing


def _home(world):
    return world.started_with(A=[world.network.home4])


def wan_renumbered(world):
    yield _home(world)
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)


def wan_announced(world):
    """As wan_renumbered; the router says so by itself."""
    yield _home(world)
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, EVENT_S)


def dead_path(world):
    """The old connection's packets vanish; a new connection works."""
    yield _home(world)
    world.acknowledged()
    world.network.forget_flow(world.agent.source_port())
    began = time.monotonic()
    yield Step("forgotten", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)


def gateway_renumbered(world):
    yield world.started_with(A=[world.network.gateway4])
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("gateway")]}, began, EVENT_S)


def _renumber6(flash):
    def steps(world):
        network = world.network
        first = world.started_with()
        address, _ = world.usable6(network.prefix6("home"))
        first.truth = {"A": [network.home4], "AAAA": [address]}
        yield first
        world.acknowledged()
        address, usable = world.usable6(network.renumber6("home", flash))
        yield Step("renumbered", {"A": [network.home4], "AAAA": [address]}, usable, EVENT_S)
    return steps


def _started_gateway(world):
    """(the first step, the prefix of the hosts behind it)"""
    network = world.network
    first, prefix = world.started_with(A=[network.gateway4], AAAA=[network.gateway6]), network.prefix6("gateway")
    first.hosts = (prefix,)
    return first, prefix


def gateway6_flash(world):
    first, _ = _started_gateway(world)
    yield first
    world.acknowledged()
    prefix = world.network.renumber6("gateway", True)
    _, usable = world.usable6(prefix)
    yield Step("renumbered", first.truth, usable, EVENT_S, (prefix,))


def gateway6_graceful(world):
    """The old prefix is preferred for a while, and is then taken back before its time."""
    first, old = _started_gateway(world)
    yield first
    world.acknowledged()
    new = world.network.add_prefix6("gateway")
    world.network.limit_prefix6("gateway", old, 600)
    _, usable = world.usable6(new)
    yield Step("both preferred", first.truth, usable, EVENT_S, (old, new))
    world.acknowledged()
    began = time.monotonic()
    world.network.limit_prefix6("gateway", old, 0)
    yield Step("one deprecated", first.truth, began, EVENT_S, (new,))


def _started_on_link(world):
    """The same of a gateway whose hosts are beside it on the home's LAN: the prefix is an advertised one."""
    first, prefix = world.started_with(), world.network.prefix6("home")
    address, _ = world.usable6(prefix)
    first.truth, first.hosts = {"A": [world.network.home4], "AAAA": [address]}, (prefix,)
    return first, prefix


def _apart(began):
    """What comes within 5 s of an address has come together with it, and is no renumbering (agent/addresses_rank.c)."""
    time.sleep(max(0.0, began + 6 - time.monotonic()))


def on_link6_graceful(world):
    network = world.network
    first, old = _started_on_link(world)
    began = time.monotonic()
    yield first
    world.acknowledged()
    _apart(began)
    new = network.add_prefix6("home")
    address, usable = world.usable6(new)
    truth = {"A": [network.home4], "AAAA": [address]}
    yield Step("both preferred", truth, usable, EVENT_S, (old, new))
    world.acknowledged()
    network.limit_prefix6("home", old, 0)
    yield Step("one deprecated", truth, world.deprecated6(old), EVENT_S, (new,))


def on_link6_silent(world):
    network = world.network
    first, old = _started_on_link(world)
    began = time.monotonic()
    yield first
    world.acknowledged()
    _apart(began)
    new = network.forget_prefix6()
    address, usable = world.usable6(new)
    assert world.usable6(old), "the kernel still believes in the old prefix"
    yield Step("renumbered", {"A": [network.home4], "AAAA": [address]}, usable, EVENT_S, (new,))


def router_reboot(world):
    yield _home(world)
    world.acknowledged()
    world.network.router_off()
    address, _ = world.network.router_on()
    yield Step("back", {"A": [address]}, time.monotonic(), DEAD_PATH_S)


def home_failover(world):
    network = world.network
    yield _home(world)
    world.acknowledged()
    began = time.monotonic()
    network.uplink_lost("home")
    yield Step("second uplink", {"A": [network.home4_b]}, began, DEAD_PATH_S)
    world.acknowledged()
    network.uplink_back("home")
    network.uplink_lost("home", B)
    began = time.monotonic()
    yield Step("first uplink", {"A": [network.home4]}, began, DEAD_PATH_S)


def gateway_failover(world):
    network = world.network
    yield world.started_with(A=[network.gateway4])
    world.acknowledged()
    began = time.monotonic()
    network.uplink_lost("gateway")
    yield Step("second uplink", {"A": [network.gateway4_b]}, began, EVENT_S)
    world.acknowledged()
    began = network.uplink_back("gateway")
    yield Step("first uplink", {"A": [network.gateway4]}, began, EVENT_S)


def uplinks_dark(world):
    """Each of a gateway's two providers in turn forwards nothing, and no link goes down. The routing table goes on
    preferring the first."""
    network = world.network
    both = {"A": [network.gateway4, network.gateway4_b]}
    yield world.started_with(**both)
    for isp, left in ((B, network.gateway4), (A, network.gateway4_b)):
        world.acknowledged()
        began = time.monotonic()
        network.darken(isp)
        yield Step(f"{isp.letter} dark", {"A": [left]}, began, DEAD_PATH_S)
        world.acknowledged()
        began = time.monotonic()
        network.lighten(isp)
        yield Step(f"{isp.letter} light", both, began, DEAD_PATH_S)


def carrier_nat(world):
    """The provider moves the home behind an address that it shares: no inbound path, so no A record."""
    yield _home(world)
    world.acknowledged()
    began = time.monotonic()
    world.network.carrier_nat("home")
    yield Step("no inbound path", {"A": []}, began, DEAD_PATH_S)
    world.acknowledged()
    began = time.monotonic()
    yield Step("public again", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)


def carrier_nat_boot(world):
    """The camera boots where there is no inbound path: what the broker sees of it must not stand in the DNS at all."""
    world.network.carrier_nat("home")
    started = world.started_with(A=[])
    world.acknowledged()
    yield started
    began = time.monotonic()
    yield Step("public", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)


def gateway_carrier_nat(world):
    network = world.network
    network.uplink_lost("gateway", B)
    yield world.started_with(A=[network.gateway4])
    world.acknowledged()
    began = time.monotonic()
    network.carrier_nat("gateway")
    yield Step("no inbound path", {"A": []}, began, EVENT_S)
    world.acknowledged()
    began = time.monotonic()
    yield Step("public again", {"A": [network.renumber("gateway")]}, began, EVENT_S)


def _is(nat):
    """What an agent's status says of one of its uplinks."""
    return lambda status: nat in [uplink.get("nat") for uplink in status["detect"]["uplinks"]]


def _no_way_in(status):
    """By what it says, nobody outside can come in over IPv4."""
    return [uplink["inbound"] for uplink in status["detect"]["uplinks"] if "inbound" in uplink] == ["none"]


def _over_ip6(link, address, nat):
    def steps(world):
        """A gateway's provider carries IPv4 over IPv6 from now on, and ends that again."""
        network = world.network
        network.uplink_lost("gateway", B)
        yield world.started_with(A=[network.gateway4], AAAA=[network.gateway6])
        world.acknowledged()
        began = time.monotonic()
        lines.over_ip6(network, "gateway", link, address)
        yield Step("no inbound path", {"A": [], "AAAA": [network.gateway6]}, began, EVENT_S)
        world.agent.wait_status(_is(nat), f"the line is recognised as {nat}")
        world.acknowledged()
        began = time.monotonic()
        yield Step("public again", {"A": [lines.plain_again(network, "gateway", link)], "AAAA": [network.gateway6]}, began, EVENT_S)
    return steps


def dslite_home(world):
    """A camera behind a home router whose own IPv4 is the end of a softwire."""
    lines.over_ip6(world.network, "home", "softwire4", "192.0.0.2")
    yield world.started_with(A=[])
    world.agent.wait_status(_no_way_in, "the router's line has no way in")


def vpn_exit(world):
    """What leaves by the gateway's first uplink has another address outside: what the broker sees is published, as a
    mismatch."""
    network = world.network
    network.uplink_lost("gateway", B)
    lines.through_vpn(network, network.gateway4)
    yield world.started_with(A=[lines.EXIT])
    world.agent.wait_status(_is("tunnel"), "the path is a tunnel")
    world.agent.wait_status(lambda status: status.get("dns", {}).get("error") == "mismatch", "the coordinator says so, too")


def upnp_alone(world):
    """The router speaks UPnP and nothing else, and is put behind carrier NAT."""
    world.network.start_port_control(pcp=False)
    yield _home(world)
    world.agent.wait_status(_is("port-control"), "the router opens ports")
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)


def ip6_only(world):
    network = world.network
    lines.without_ip4(network)
    first = world.started_with()
    address, _ = world.usable6(network.prefix6("home"))
    first.truth = {"A": [], "AAAA": [address]}
    yield first
    world.acknowledged()
    mark = world.agent.process.mark()
    address, usable = world.usable6(network.renumber6("home", True))
    yield Step("renumbered", {"A": [], "AAAA": [address]}, usable, EVENT_S)
    world.acknowledged()
    complaints = world.agent.complaints(mark)
    assert len(complaints) <= 2, complaints  # the old connection's end, told by the agent and by Paho


def captive_portal(world):
    """The camera boots where nothing but the portal answers; somebody pays for it later."""
    world.network.captive(world.web.portal_port)
    started = world.started_with(A=[world.network.home4])
    for client in world.clients:
        wait_until(lambda client=client: world.web.count(client.label), f"{client.label} meets the portal")
    world.network.undo("captive", "ip")
    yield Step("admitted", started.truth, time.monotonic(), None)
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)


def dns_intercepted(world):
    liar = world.network.intercept_dns()
    yield _home(world)
    liar.wait_log(r"(?i)query\[A\] whoami")
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)
    world.agent.wait_answer("dns", began)  # the lie about the new address, too


def _echo(mood):
    def steps(world):
        world.web.mood = mood
        yield _home(world)
        wait_until(lambda: world.web.count(world.agent.label), "the agent asks the echo")
        world.acknowledged()
        began = time.monotonic()
        yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)
        if mood == "lying":
            assert world.agent.wait_answer("http", began)["ip"] == WRONG  # 30 s after the question before
    return steps


def own_whoami(world):
    first = _home(world)
    yield first
    for kind in ("stun", "http"):
        assert world.agent.wait_answer(kind, first.began)["ip"] == world.network.home4
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)
    assert world.agent.wait_answer("stun", began)["ip"] == world.network.home4


def packet_loss(world):
    yield _home(world)
    world.acknowledged()
    world.network.lose_packets(30)
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, None)


def asleep(world):
    yield _home(world)
    world.acknowledged()
    address = world.sleep(3600, lambda: world.network.renumber("home"))
    yield Step("resumed", {"A": [address]}, time.monotonic(), EVENT_S)


def clock_wrong(world):
    """The camera boots six years ago, and hears later what time it is."""
    world.move_clocks(-6 * 365 * 86400, 0)
    world.started_with()
    world.agent.wait_status(lambda status: "certificate verify failed" in status["connection"]["error"], "TLS refuses")
    world.move_clocks(0, 0)
    yield Step("clock set", {"A": [world.network.home4]}, time.monotonic(), None)
    world.acknowledged()
    began = time.monotonic()
    yield Step("renumbered", {"A": [world.network.renumber("home")]}, began, DEAD_PATH_S)


_PREFIX_OF_LAN = {"addresses": {"include": ["wan-*", "lan"], "prefix6_from": "lan"}}
_PREFIX_ON_LINK = {"addresses": {"include": ["eth0"], "ip6": True, "prefix6_from": "eth0"}}


def _detect(*sources, **more):
    return {"detect": {"sources": [{"type": "interface"}, {"type": "observed"}, *sources], **more}}


_STUN = {"type": "stun", "server": "{stun}", "server2": "{stun2}", "ip6": False}
_DNS = {"type": "dns", "server": "{whoami}", "query": "whoami.example.com", "rrtype": "A", "ip6": False}
_HTTP = {"type": "http", "url": "{echo}", "format": "text", "ca_file": "{ca}", "ip6": False}
_PORTAL = {"type": "http", "url": "{plain_echo}", "format": "text", "ip6": False}  # without TLS a portal can answer
_OWN = ({"type": "stun", "server": "{own_stun}", "ip6": False},
        {"type": "http", "url": "{own_echo}", "format": "text", "ca_file": "{ca}", "ip6": False})
_PCP = {"type": "pcp", "ip6": False}
_OFTEN = {**_STUN, "every": "2s"}

_ON_GATEWAY = {"addresses": {"include": ["wan-*", "clat", "softwire4"]}, **_detect(_STUN)}

ALL = [
    Scenario("wan-renumbered", "the provider gives the home router another IPv4 address", wan_renumbered),
    Scenario("dead-path", "the router forgets the camera's connection, and its address changes", dead_path),
    Scenario("gateway-renumbered", "the provider gives a gateway with an agent on it another IPv4 address",
             gateway_renumbered, space="gateway"),
    Scenario("ip6-graceful", "a new IPv6 prefix, the old one is deprecated", _renumber6(False), ip6=True),
    Scenario("ip6-flash", "a new IPv6 prefix, the old one is gone", _renumber6(True), ip6=True),
    Scenario("gateway6-flash", "a gateway's prefix with 200 hosts behind it is replaced", gateway6_flash,
             space="gateway", ip6=True, others=False, settings=_PREFIX_OF_LAN),
    Scenario("gateway6-graceful", "the same, and the old prefix stays preferred for a while", gateway6_graceful,
             space="gateway", ip6=True, others=False, settings=_PREFIX_OF_LAN),
    Scenario("on-link6-graceful", "the same of an advertised prefix, with the hosts beside the gateway", on_link6_graceful,
             device="gw-1", ip6=True, others=False, settings=_PREFIX_ON_LINK),
    Scenario("on-link6-silent", "the router forgets its prefix, advertises another one and says nothing of the old one",
             on_link6_silent, device="gw-1", ip6=True, others=False, settings=_PREFIX_ON_LINK),
    Scenario("router-reboot", "the home router loses power and comes back with another address", router_reboot),
    Scenario("home-failover", "the home router takes its second uplink, and the first one again", home_failover),
    Scenario("gateway-failover", "a gateway takes its second uplink, and the first one again", gateway_failover,
             space="gateway"),
    Scenario("uplinks-dark", "each of a gateway's uplinks in turn carries nothing, while its link stands", uplinks_dark,
             space="gateway", device="gw-2", others=False, never_empty=True,
             settings=_detect(_OFTEN, timeout="500ms", confirm="1s")),
    Scenario("carrier-nat", "the provider puts the home behind carrier NAT, and takes it out again", carrier_nat,
             port_control=True, settings=_detect(_PCP)),
    Scenario("carrier-nat-boot", "a camera boots behind carrier NAT, which is taken away later", carrier_nat_boot,
             port_control=True, settings=_detect(_PCP)),
    Scenario("gateway-carrier-nat", "the same to a gateway with an agent on it", gateway_carrier_nat, space="gateway"),
    Scenario("port-control", "another IPv4 address, and the router announces it (PCP)", wan_announced,
             port_control=True, settings=_detect(_PCP)),
    Scenario("captive-portal", "a portal answers every HTTP request with a page full of addresses", captive_portal,
             settings=_detect(_PORTAL, _STUN)),
    Scenario("dns-intercepted", "the router answers all DNS questions itself, wrongly", dns_intercepted,
             settings=_detect(_DNS, _STUN, quorum=2)),
    Scenario("echo-dead", "the echo service hangs up", _echo("dead"), settings=_detect(_HTTP, _STUN)),
    Scenario("echo-slow", "the echo service accepts and says nothing", _echo("slow"), settings=_detect(_HTTP, _STUN)),
    Scenario("echo-lying", "the echo service gives somebody else's address", _echo("lying"),
             settings=_detect(_HTTP, _STUN, quorum=2)),
    Scenario("own-whoami", "nobody but the coordinator is asked, over STUN and HTTPS", own_whoami, others=False,
             settings=_detect(*_OWN)),
    Scenario("packet-loss", "30 % of all packets are lost while the address changes", packet_loss),
    Scenario("asleep", "the camera sleeps for an hour, the address changes meanwhile", asleep),
    Scenario("clock-wrong", "the camera's clock is six years behind at boot", clock_wrong),
    Scenario("ds-lite", "a gateway's provider carries its IPv4 over IPv6, and ends that again", _over_ip6("softwire4", "192.0.0.2", "dslite"),
             space="gateway", device="gw-2", ip6=True, others=False, settings=_ON_GATEWAY),
    Scenario("464xlat", "the same as the customer's side of 464XLAT", _over_ip6("clat", "192.0.0.4", "464xlat"), space="gateway",
             device="gw-2", ip6=True, others=False, settings=_ON_GATEWAY),
    Scenario("ds-lite-home", "a camera starts behind a home router with DS-Lite", dslite_home, others=False,
             settings=_detect(_PCP), port_control=True),
    Scenario("vpn-exit", "a gateway's uplink leaves through a VPN", vpn_exit, space="gateway", others=False,
             settings=_detect(_STUN)),
    Scenario("upnp-alone", "another IPv4 address behind a router that speaks UPnP only", upnp_alone, others=False,
             needs="agent/muster-igd", settings=_detect({"type": "upnp", "ip6": False})),
    Scenario("ip6-only", "another IPv6 prefix where there is no IPv4 at all", ip6_only, device="cam-6", ip6=True, others=False,
             settings={"broker": {"endpoints": ["{broker6}"]}, **_detect(_STUN)}),
]
