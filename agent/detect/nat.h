/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * nat: what stands between this device and the internet, from what its sources said of one uplink. Pure.
 *
 * The first row that fits counts; "-" is anything:
 *
 *   own address       router's WAN (pcp, upnp)   seen from outside     class
 *   none              -                          -                     unknown
 *   on a clat         -                          -                     464xlat
 *   public            -                          the same, or unknown  public
 *   192.0.0.0/29      -                          -                     dslite with IPv6, else cgnat
 *   100.64.0.0/10     public, opens ports        the same, or unknown  port-control: a carrier's PCP (RFC 6887 2.2)
 *   100.64.0.0/10     -                          -                     cgnat: no router of ours in between
 *   -                 192.0.0.0/29               -                     dslite: the router is its end
 *   -                 100.64.0.0/10              -                     cgnat
 *   -                 private (RFC 1918)         -                     double
 *   -                 says that it has none      -                     double: yet it is the way out
 *   -                 public                     another               cgnat
 *   -                 public, opens ports        the same, or unknown  port-control: inbound possible
 *   -                 public, refuses            the same, or unknown  nat
 *   public            -                          another               tunnel: the path leaves through a VPN or proxy
 *   not public        -                          public                nat: class unknown, inbound unproven
 *   not public        -                          unknown               unknown
 *
 * A router that says that it has none has no line, and then nobody is told this, or another NAT follows: it may be the
 * carrier's as well, which `double` leaves open; neither has an inbound path.
 * A router whose public WAN is not what the internet sees is a carrier that hands out public numbers it does not route,
 * or a VPN on the router: nothing tells them apart from here, and the first is the one that must not be published.
 * "Seen" that is not public was not seen from the internet (a broker on the LAN) and counts as unknown.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "mqtt/messages.h" /* enum nat_class and nat_inbound, shared with the coordinator */

struct nat_input {
    struct ip own;     /* IPv4 of the uplink; IP_NONE = none */
    struct ip router;  /* what port control says the WAN is; IP_NONE = nobody said */
    struct ip seen;    /* what the internet sees of this path; IP_NONE = nobody said */
    bool port_control; /* the router would open a port */
    bool no_outside;   /* the router says that it has no public address */
    bool clat;         /* the uplink is a 464XLAT interface */
    bool has_ip6;      /* the uplink has a global IPv6 address */
};

enum nat_class nat_classify(const struct nat_input *input);
