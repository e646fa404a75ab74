/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * bindpath: ties a socket to one way out of the machine: a device with several uplinks asks each of them by itself.
 */
#include "base/err.h"
#include "base/ip.h"

/** Binds before connect: to the interface @p device (SO_BINDTODEVICE; NULL or "" = none) and to the address @p local
 *  with @p port (host order); IP_NONE leaves the address to the kernel, which then fits it to @p family and the route.
 *  @return ERR_DENIED (kernels before 5.7 want CAP_NET_RAW for the device), ERR_NOTFOUND (no such interface),
 * ERR_INVALID (local is of another family, a device name too long), ERR_EXISTS (the port is taken), ERR_IO (the address
 * is not ours); errno tells more. */
enum err bindpath(int fd, uint8_t family, const char *device, const struct ip *local, uint16_t port) MUST_CHECK;
