/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * sockaddr: between struct ip and the kernel's socket addresses. Pure.
 */
#include <sys/socket.h>

#include "base/ip.h"

/** Fills @p ret_address. @return its length; 0 for "no address". */
socklen_t sockaddr_make(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret_address);
/** IP_NONE for other families. IPv4-mapped IPv6 stays as it is: see ip_unmap. */
struct ip sockaddr_ip(const struct sockaddr_storage *address);
/** Host order; 0 for other families. */
uint16_t sockaddr_port(const struct sockaddr_storage *address);
