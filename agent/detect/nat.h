/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * nat: what stands between this device and the internet, from what its sources said of one uplink. Pure.
 *
 *   own address       router's WAN (pcp, upnp)   seen from outside     class
 *   public            -                          the same, or unknown  public
 *   192.0.0.0/29      -                          -                     dslite (with IPv6), 464xlat (interface clat*)
 *   100.64.0.0/10     -                          any                   cgnat: no router of ours in between
 *   any               100.64.0.0/10              any                   cgnat
 *   any               private                    any                   double
 *   any               public                     the same, or unknown  port-control (router speaks), inbound possible
 *   any               public                     another               cgnat (it hands out public addresses), or tunnel
 *   private           -                          public                nat: class unknown, inbound unproven
 *   public            -                          another               tunnel: the path leaves through a VPN or proxy
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "mqtt/messages.h" /* enum nat_class, shared with the coordinator */

struct nat_input {
    struct ip own;       /* IPv4 of the uplink; IP_NONE = none */
    struct ip router;    /* what port control says the WAN is; IP_NONE = nobody said */
    struct ip seen;      /* what the internet sees of this path; IP_NONE = nobody said */
    bool port_control;   /* the router would open a port */
    bool clat;           /* the uplink is a 464XLAT interface */
    bool has_ip6;        /* the uplink has a global IPv6 address */
    bool mapping_varies; /* stun: endpoint-dependent mapping, kept for display */
};

enum nat_class nat_classify(const struct nat_input *input);

enum nat_inbound { NAT_INBOUND_UNPROVEN, NAT_INBOUND_POSSIBLE, NAT_INBOUND_OPEN, NAT_INBOUND_NONE };
/** Whether somebody outside can reach the device: cgnat, double, dslite and 464xlat have no inbound path. */
enum nat_inbound nat_inbound(enum nat_class nat);
const char *nat_inbound_name(enum nat_inbound inbound); /* "unproven", "possible", "open", "none" */
