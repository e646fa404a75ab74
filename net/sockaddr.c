/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sockaddr.h"

#include <netinet/in.h>
#include <string.h>

socklen_t sockaddr_make(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret_address)
{
    *ret_address = (struct sockaddr_storage){0};
    if (ip->family == IP_V4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
        memcpy(ret_address, &v4, sizeof(v4));
        return sizeof(v4);
    }
    if (ip->family == IP_V6) {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
        memcpy(ret_address, &v6, sizeof(v6));
        return sizeof(v6);
    }
    return 0;
}

struct ip sockaddr_ip(const struct sockaddr_storage *address)
{
    struct ip ip = {0};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        ip.family = IP_V4;
        memcpy(ip.bytes, &v4->sin_addr, sizeof(v4->sin_addr));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        ip.family = IP_V6;
        memcpy(ip.bytes, &v6->sin6_addr, sizeof(v6->sin6_addr));
    }
    return ip;
}

uint16_t sockaddr_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    }
    return address->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port) : 0;
}
