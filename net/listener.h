/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * listener: listening sockets, non-blocking and close-on-exec. Blocks at most for a connect to a local socket.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/ip.h"

struct listener {
    int fd;           /* -1 = none */
    uint16_t port;    /* TCP */
    const char *path; /* borrowed; unix */
    dev_t device;     /* of the socket's file, to remove no other's */
    ino_t inode;
};

/** A unix socket with permissions @p mode, set before anyone can connect. A file left by a process that is gone is
 * replaced.
 *  @param path borrowed until listener_close. @return ERR_EXISTS (somebody serves it, or it is no socket), ERR_INVALID
 * (too long), ERR_DENIED, ERR_NOTFOUND, ERR_IO. */
enum err listener_open_unix(const char *path, mode_t mode, struct listener *ret_listener,
                            struct errinfo *info) MUST_CHECK;
/** "::" takes IPv4 too, whatever the system's default is. @param port 0 = any free one. @return ERR_EXISTS (in use),
 * ERR_DENIED, ERR_INVALID (no address), ERR_IO. */
enum err listener_open_tcp(const struct ip *ip, uint16_t port, struct listener *ret_listener,
                           struct errinfo *info) MUST_CHECK;
/** Removes the unix socket's file, if it is still the one that was made. Does not close the descriptor. */
void listener_unlink(const struct listener *listener);
