/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/nat.h"

/* RFC 7335: the inner side of DS-Lite (RFC 6333) and 464XLAT (RFC 6877). */
static bool is_continuity(const struct ip *ip)
{
    return ip->family == IP_V4 && ip->bytes[0] == 192 && ip->bytes[1] == 0 && ip->bytes[2] == 0 && ip->bytes[3] < 8;
}

static bool is_class(const struct ip *ip, enum ip_class ip_class)
{
    return ip->family == IP_V4 && ip_classify(ip) == ip_class;
}

static bool is_public4(const struct ip *ip)
{
    return ip->family == IP_V4 && ip_is_public(ip);
}

/* Seen from outside as something else; what is not public was not seen from the internet. */
static bool seen_as_another(const struct nat_input *input, const struct ip *ip)
{
    return is_public4(&input->seen) && !ip_equal(&input->seen, ip);
}

/* What the next router's own outside tells; NAT_UNKNOWN: nothing. */
static enum nat_class classify_router(const struct nat_input *input)
{
    const struct ip *router = &input->router;
    if (is_continuity(router)) {
        return NAT_DSLITE; /* the router is the B4, its provider's AFTR translates */
    }
    if (is_class(router, IP_CLASS_CGNAT)) {
        return NAT_CGNAT;
    }
    if (is_class(router, IP_CLASS_PRIVATE)) {
        return NAT_DOUBLE;
    }
    if (!is_public4(router)) { /* 0.0.0.0 while its line is down, or nobody said */
        return input->no_outside ? NAT_DOUBLE : NAT_UNKNOWN;
    }
    if (seen_as_another(input, router)) {
        return NAT_CGNAT;
    }
    return input->port_control ? NAT_PORT_CONTROL : NAT_NAT;
}

enum nat_class nat_classify(const struct nat_input *input)
{
    const struct ip *own = &input->own;
    if (own->family != IP_V4) {
        return NAT_UNKNOWN;
    }
    if (input->clat) {
        return NAT_464XLAT;
    }
    if (is_public4(own) && !seen_as_another(input, own)) {
        return NAT_PUBLIC;
    }
    if (is_continuity(own)) {
        return input->has_ip6 ? NAT_DSLITE : NAT_CGNAT;
    }
    enum nat_class router = classify_router(input);
    if (is_class(own, IP_CLASS_CGNAT)) {
        return router == NAT_PORT_CONTROL ? router : NAT_CGNAT;
    }
    if (router != NAT_UNKNOWN) {
        return router;
    }
    if (is_public4(own)) {
        return NAT_TUNNEL;
    }
    return is_public4(&input->seen) ? NAT_NAT : NAT_UNKNOWN;
}
