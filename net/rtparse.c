/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rtparse.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define ATTRIBUTES_MAX 128 /* more than any type we read */

#ifndef IFAPROT_KERNEL_RA /* headers before Linux 5.18 */
#define IFA_PROTO         11
#define IFAPROT_KERNEL_RA 2
#endif

_Static_assert(RT_IFNAME_SIZE == IFNAMSIZ, "names of interfaces");
_Static_assert(RT_ADDR_TENTATIVE == IFA_F_TENTATIVE && RT_ADDR_TEMPORARY == IFA_F_TEMPORARY &&
                   RT_ADDR_DEPRECATED == IFA_F_DEPRECATED && RT_ADDR_DADFAILED == IFA_F_DADFAILED &&
                   RT_ADDR_OPTIMISTIC == IFA_F_OPTIMISTIC && RT_ADDR_PERMANENT == IFA_F_PERMANENT &&
                   RT_ADDR_STABLE_PRIVACY == IFA_F_STABLE_PRIVACY && RT_ADDR_MANAGETEMPADDR == IFA_F_MANAGETEMPADDR &&
                   RT_ADDR_NOPREFIXROUTE == IFA_F_NOPREFIXROUTE && RT_ADDR_HOMEADDRESS == IFA_F_HOMEADDRESS,
               "the kernel's bits");

/* Attributes by type; those of a higher type than asked for are skipped, the last of a kind counts. */
struct attributes {
    const struct nlattr *of[ATTRIBUTES_MAX];
};

/* @p family_header: bytes of the fixed part, a multiple of 4 for all types read here. */
static enum err gather(const struct nlmsghdr *header, size_t family_header, struct attributes *ret_attributes)
{
    *ret_attributes = (struct attributes){0};
    if (header->nlmsg_len < NLMSG_HDRLEN + family_header) {
        return ERR_PARSE;
    }
    const char *at = (const char *)header + NLMSG_HDRLEN + family_header;
    const char *end = (const char *)header + header->nlmsg_len;
    while (end - at >= (ptrdiff_t)sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const struct nlattr *)(const void *)at;
        if (attribute->nla_len < sizeof(struct nlattr) || attribute->nla_len > end - at) {
            return ERR_PARSE;
        }
        unsigned type = mnl_attr_get_type(attribute);
        if (type < ATTRIBUTES_MAX) {
            ret_attributes->of[type] = attribute;
        }
        ptrdiff_t step = (ptrdiff_t)MNL_ALIGN(attribute->nla_len);
        at = step < end - at ? at + step : end;
    }
    return ERR_OK;
}

/* Copies a value of fixed size; a longer one is taken for a later version of it. */
static enum err value_of(const struct attributes *attributes, unsigned type, void *ret_value, size_t size)
{
    const struct nlattr *attribute = attributes->of[type];
    if (attribute == NULL) {
        return ERR_NOTFOUND;
    }
    if (mnl_attr_get_payload_len(attribute) < size) {
        return ERR_PARSE;
    }
    memcpy(ret_value, mnl_attr_get_payload(attribute), size);
    return ERR_OK;
}

static enum err ip_of(const struct attributes *attributes, unsigned type, uint8_t family, struct ip *ret_ip)
{
    struct ip ip = {.family = family};
    enum err err = value_of(attributes, type, ip.bytes, family == IP_V4 ? 4 : 16);
    if (err == ERR_OK) {
        *ret_ip = ip;
    }
    return err;
}

static uint8_t family_of(uint8_t kernel_family)
{
    return kernel_family == AF_INET ? IP_V4 : kernel_family == AF_INET6 ? IP_V6 : IP_NONE;
}

/* An absent attribute is fine, a malformed one is not. */
static bool is_bad(enum err err)
{
    return err != ERR_OK && err != ERR_NOTFOUND;
}

static enum err parse_addr(const struct nlmsghdr *header, struct rt_event *event)
{
    struct attributes attributes;
    struct ifaddrmsg message;
    enum err err = gather(header, sizeof(message), &attributes);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(&message, mnl_nlmsg_get_payload(header), sizeof(message));
    struct rt_addr addr = {.prefix_len = message.ifa_prefixlen,
                           .scope = message.ifa_scope,
                           .flags = message.ifa_flags,
                           .preferred_s = RT_FOREVER,
                           .valid_s = RT_FOREVER};
    uint8_t family = family_of(message.ifa_family);
    if (family == IP_NONE) {
        return ERR_OK;
    }
    if (message.ifa_prefixlen > (family == IP_V4 ? 32 : 128)) {
        return ERR_PARSE;
    }
    err = ip_of(&attributes, IFA_LOCAL, family, &addr.ip);
    if (err == ERR_NOTFOUND) {
        err = ip_of(&attributes, IFA_ADDRESS, family, &addr.ip); /* IPv6 sends IFA_LOCAL with a peer only */
    }
    struct ifa_cacheinfo lifetimes;
    uint8_t protocol = 0;
    enum err has_lifetimes = value_of(&attributes, IFA_CACHEINFO, &lifetimes, sizeof(lifetimes));
    if (err != ERR_OK || is_bad(has_lifetimes) ||
        is_bad(value_of(&attributes, IFA_FLAGS, &addr.flags, sizeof(addr.flags))) ||
        is_bad(value_of(&attributes, IFA_PROTO, &protocol, sizeof(protocol)))) {
        return ERR_PARSE;
    }
    if (has_lifetimes == ERR_OK) {
        addr.preferred_s = lifetimes.ifa_prefered;
        addr.valid_s = lifetimes.ifa_valid;
        addr.created_cs = lifetimes.cstamp;
        addr.updated_cs = lifetimes.tstamp;
    }
    addr.from_ra = protocol == IFAPROT_KERNEL_RA;
    event->what = RT_ADDR;
    event->ifindex = message.ifa_index;
    event->addr = addr;
    return ERR_OK;
}

static enum err parse_link(const struct nlmsghdr *header, struct rt_event *event)
{
    struct attributes attributes;
    struct ifinfomsg message;
    enum err err = gather(header, sizeof(message), &attributes);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(&message, mnl_nlmsg_get_payload(header), sizeof(message));
    if (message.ifi_family != AF_UNSPEC) {
        return ERR_OK; /* a port joins or leaves a bridge: the link itself stays */
    }
    const struct nlattr *name = attributes.of[IFLA_IFNAME];
    if (message.ifi_index <= 0 || name == NULL) {
        return ERR_PARSE;
    }
    size_t len = strnlen(mnl_attr_get_payload(name), mnl_attr_get_payload_len(name));
    if (len == 0 || len >= RT_IFNAME_SIZE) {
        return ERR_PARSE;
    }
    memcpy(event->ifname, mnl_attr_get_payload(name), len);
    event->ifname[len] = '\0';
    event->what = RT_LINK;
    event->ifindex = (uint32_t)message.ifi_index;
    event->link = (struct rt_link){.up = (message.ifi_flags & IFF_UP) != 0,
                                   .running = (message.ifi_flags & IFF_RUNNING) != 0,
                                   .loopback = (message.ifi_flags & IFF_LOOPBACK) != 0};
    return ERR_OK;
}

/* The one link of a route with several gateways; 0 when they lie behind several. */
static uint32_t link_of_hops(const struct nlattr *hops)
{
    const char *at = mnl_attr_get_payload(hops);
    size_t left = mnl_attr_get_payload_len(hops);
    uint32_t link = 0;
    struct rtnexthop hop;
    while (left >= sizeof(hop)) {
        memcpy(&hop, at, sizeof(hop));
        if (hop.rtnh_len < sizeof(hop) || (link != 0 && link != (uint32_t)hop.rtnh_ifindex)) {
            return 0;
        }
        link = (uint32_t)hop.rtnh_ifindex;
        size_t step = MIN((size_t)MNL_ALIGN(hop.rtnh_len), left);
        at += step;
        left -= step;
    }
    return link;
}

static enum err parse_route(const struct nlmsghdr *header, struct rt_event *event)
{
    struct attributes attributes;
    struct rtmsg message;
    enum err err = gather(header, sizeof(message), &attributes);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(&message, mnl_nlmsg_get_payload(header), sizeof(message));
    uint32_t table = message.rtm_table;
    uint32_t oif = 0;
    struct rt_route route = {.family = family_of(message.rtm_family), .from_ra = message.rtm_protocol == RTPROT_RA};
    if (route.family == IP_NONE) {
        return ERR_OK;
    }
    if (is_bad(value_of(&attributes, RTA_TABLE, &table, sizeof(table))) ||
        is_bad(value_of(&attributes, RTA_OIF, &oif, sizeof(oif))) ||
        is_bad(value_of(&attributes, RTA_PRIORITY, &route.metric, sizeof(route.metric))) ||
        is_bad(ip_of(&attributes, RTA_GATEWAY, route.family, &route.gateway))) {
        return ERR_PARSE;
    }
    if (message.rtm_dst_len != 0 || table != RT_TABLE_MAIN || message.rtm_type != RTN_UNICAST) {
        return ERR_OK;
    }
    event->what = RT_ROUTE;
    if (oif == 0 && attributes.of[RTA_MULTIPATH] != NULL) {
        oif = link_of_hops(attributes.of[RTA_MULTIPATH]);
    }
    event->replaces = !event->removed && (header->nlmsg_flags & NLM_F_REPLACE) != 0;
    event->ifindex = oif; /* 0 for a route over several links */
    event->route = route;
    return ERR_OK;
}

enum err rt_parse(const void *bytes, size_t len, struct rt_event *ret_event)
{
    const struct nlmsghdr *header = bytes;
    struct rt_event event = {.what = RT_OTHER};
    enum err err = ERR_OK;
    if (len < NLMSG_HDRLEN || header->nlmsg_len < NLMSG_HDRLEN || header->nlmsg_len > len) {
        return ERR_PARSE;
    }
    switch (header->nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
        event.removed = header->nlmsg_type == RTM_DELADDR;
        err = parse_addr(header, &event);
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
        event.removed = header->nlmsg_type == RTM_DELLINK;
        err = parse_link(header, &event);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        event.removed = header->nlmsg_type == RTM_DELROUTE;
        err = parse_route(header, &event);
        break;
    default:
        break;
    }
    if (err == ERR_OK) {
        *ret_event = event;
    }
    return err;
}

size_t rt_describe(const struct rt_event *event, char buffer[static RT_TEXT_SIZE])
{
    char ip_text[IP_TEXT_SIZE];
    const char *verb = event->removed ? "del" : "add";
    int len = 0;
    switch (event->what) {
    case RT_ADDR:
        (void)ip_format(&event->addr.ip, ip_text);
        len = snprintf(buffer, RT_TEXT_SIZE, "addr %s %s %s/%u scope=%u flags=0x%x preferred_s=%u valid_s=%u%s", verb,
                       event->ifname, ip_text, event->addr.prefix_len, event->addr.scope, event->addr.flags,
                       event->addr.preferred_s, event->addr.valid_s, event->addr.from_ra ? " ra=1" : "");
        break;
    case RT_LINK:
        len = snprintf(buffer, RT_TEXT_SIZE, "link %s %s up=%d running=%d loopback=%d", verb, event->ifname,
                       event->link.up, event->link.running, event->link.loopback);
        break;
    case RT_ROUTE:
        (void)ip_format(&event->route.gateway, ip_text);
        len = snprintf(buffer, RT_TEXT_SIZE, "route %s v%u %s via=%s metric=%u ra=%d", verb, event->route.family,
                       event->ifname, ip_text, event->route.metric, event->route.from_ra);
        break;
    case RT_OTHER:
        len = snprintf(buffer, RT_TEXT_SIZE, "other");
        break;
    }
    return len < 0 ? 0 : MIN((size_t)len, (size_t)RT_TEXT_SIZE - 1);
}
