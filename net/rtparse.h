/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * rtparse: rtnetlink messages as values: addresses, links and default routes. Pure; knows no socket.
 * Source: linux/rtnetlink.h, linux/if_addr.h, rtnetlink(7). Takes bytes of any content: what does not fit is ERR_PARSE.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"

#define RT_IFNAME_SIZE 16 /* IFNAMSIZ: name and its NUL */

enum rt_what {
    RT_OTHER, /* a message of no interest here */
    RT_ADDR,
    RT_LINK,
    RT_ROUTE, /* default routes of the main table only; other routes are RT_OTHER */
};

/** Flags of an address: the kernel's IFA_F_* bits of the 32-bit attribute (the 8-bit header field loses the high ones).
 */
enum {
    RT_ADDR_TEMPORARY = 0x01,  /* IFA_F_TEMPORARY: privacy address of RFC 8981 */
    RT_ADDR_OPTIMISTIC = 0x04, /* usable before duplicate address detection ended: not to be published */
    RT_ADDR_DADFAILED = 0x08,  /* a duplicate exists */
    RT_ADDR_HOMEADDRESS = 0x10,
    RT_ADDR_DEPRECATED = 0x20, /* preferred lifetime is over */
    RT_ADDR_TENTATIVE = 0x40,  /* duplicate address detection runs; another event without the bit follows it */
    RT_ADDR_PERMANENT = 0x80,  /* no lifetime: set by hand */
    RT_ADDR_MANAGETEMPADDR = 0x100,
    RT_ADDR_NOPREFIXROUTE = 0x200,
    RT_ADDR_STABLE_PRIVACY = 0x800, /* RFC 7217 */
};

enum { RT_ADDR_SCOPE_UNIVERSE = 0, RT_ADDR_SCOPE_SITE = 200, RT_ADDR_SCOPE_LINK = 253, RT_ADDR_SCOPE_HOST = 254 };

#define RT_FOREVER UINT32_MAX /* a lifetime without end */

struct rt_addr {
    struct ip ip; /* the interface's own address: IFA_LOCAL where there is one (IFA_ADDRESS is the peer on ppp) */
    uint8_t prefix_len;
    uint8_t scope;        /* RT_ADDR_SCOPE_* */
    uint32_t flags;       /* RT_ADDR_* */
    uint32_t preferred_s; /* seconds left when the kernel sent it; RT_FOREVER */
    uint32_t valid_s;
    uint32_t
        created_cs; /* when it came and when its lifetimes were last set: 1/100 s of the kernel's clock, wrapping */
    uint32_t updated_cs;
    bool from_ra; /* made of a router advertisement; always false before Linux 5.18, which does not say so */
};

struct rt_link {
    bool up;      /* administratively */
    bool running; /* carrier and operational state allow traffic */
    bool loopback;
};

struct rt_route {
    uint8_t family;    /* enum ip_family */
    struct ip gateway; /* IP_NONE on a point-to-point link */
    uint32_t metric;   /* lower wins */
    bool from_ra;      /* RTPROT_RA: learnt from a router advertisement */
};

/** Open value. `ifname` is "" in address and route events of rtparse; netlink fills it in. */
struct rt_event {
    enum rt_what what;
    bool removed;
    bool replaces; /* a route that takes the place of another one, which is not told as removed */
    uint32_t ifindex;
    char ifname[RT_IFNAME_SIZE];
    union {
        struct rt_addr addr;
        struct rt_link link;
        struct rt_route route;
    };
};

/**
 * Decodes one netlink message. @param bytes a whole message, aligned to 4, @p len its nlmsg_len.
 * @return ERR_OK (also for RT_OTHER), ERR_PARSE (truncated, attribute of a wrong size). Never reads past @p len.
 */
enum err rt_parse(const void *bytes, size_t len, struct rt_event *ret_event) MUST_CHECK;

/** Room for the text of rt_describe. */
#define RT_TEXT_SIZE 160

/** "addr add eth0 2001:db8::1/64 scope=0 flags=0x40 preferred_s=100 valid_s=200": for logs and tests. */
size_t rt_describe(const struct rt_event *event, char buffer[static RT_TEXT_SIZE]);
