# SPDX-License-Identifier: Apache-2.0
"""Lines that are no plain dual stack, made of a network.py: IPv4 carried over IPv6, a VPN, no IPv4 at all. What an agent
sees of them is real; the carriers' translators are the kernel's."""
from .network import A, B, CAMERA

TRANSLATED = "84.10.255.2"  # shared by those whose IPv4 is carried over IPv6
EXIT = "84.10.254.1"        # of a VPN
_SOFTWIRE_ROUTER = "192.0.0.1"  # RFC 6333 5.7


def over_ip6(network, space, link, address):
    """The provider takes a customer's IPv4 away, and its IPv6 line carries what is left: `link` ends at the provider, which
    translates all of it to an address that others share. With the B4 element's 192.0.0.2 on it this is DS-Lite (RFC 6333), as
    an interface called clat the customer's end of 464XLAT (RFC 6877); of either a device sees this interface and its route."""
    spaces = network.spaces
    spaces.ip(space, f"""link set {B.wan} down
address flush dev {A.wan}
link add {link} type veth peer name softwire netns {spaces.full(A.space)}
address add {address}/29 dev {link}
link set {link} up""", "-4")
    spaces.ip(A.space, f"""address add {_SOFTWIRE_ROUTER}/29 dev softwire
address add {TRANSLATED}/32 dev lo
link set softwire up
route add {CAMERA}/32 via {address}""")
    spaces.nft(A.space, f"""table ip translator {{
  chain postrouting {{ type nat hook postrouting priority srcnat;
    iifname "softwire" oifname "transit" snat to {TRANSLATED}; }}
}}
""")
    spaces.ip(space, f"route replace default via {_SOFTWIRE_ROUTER} dev {link} metric {A.metric}")


def plain_again(network, space, link):
    """The end of over_ip6, with another address; returns it."""
    network.spaces.ip(space, f"link del {link}")
    network.spaces.nft(A.space, "delete table ip translator\n")
    return network.renumber(space)


def through_vpn(network, address):
    """What a customer of provider A sends leaves from EXIT."""
    network.spaces.ip(A.space, f"address add {EXIT}/32 dev lo")
    network.spaces.nft(A.space, f"""table ip vpn {{
  chain postrouting {{ type nat hook postrouting priority srcnat - 1; ip saddr {address} oifname "transit" snat to {EXIT}; }}
}}
""")


def without_ip4(network):
    """Home and camera have no IPv4."""
    network.spaces.ip("camera", "address flush dev eth0", "-4")
    network.spaces.ip("home", f"link set {B.wan} down\naddress flush dev lan\naddress flush dev {A.wan}", "-4")
