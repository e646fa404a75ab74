/* SPDX-License-Identifier: Apache-2.0 */
#include "net/bindpath.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/view.h"
#include "net/sockaddr.h"

static enum err bind_device(int fd, const char *device)
{
    size_t len = device == NULL ? 0 : strlen(device);
    if (len == 0) {
        return ERR_OK;
    }
    if (len >= IFNAMSIZ) {
        errno = ENODEV;
        return ERR_INVALID;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)len) == 0) {
        return ERR_OK;
    }
    return errno == ENODEV ? ERR_NOTFOUND : err_from_errno(errno);
}

enum err bindpath(int fd, uint8_t family, const char *device, const struct ip *local, uint16_t port)
{
    struct ip address = *local;
    if (address.family == IP_NONE) {
        address.family = family;
    } else if (address.family != family) {
        errno = EAFNOSUPPORT;
        return ERR_INVALID;
    }
    enum err err = bind_device(fd, device);
    if (err != ERR_OK || (local->family == IP_NONE && port == 0)) {
        return err;
    }
    struct sockaddr_storage storage;
    socklen_t len = sockaddr_make(&address, port, &storage);
    if (bind(fd, (const struct sockaddr *)&storage, len) == 0) {
        return ERR_OK;
    }
    return errno == EADDRINUSE ? ERR_EXISTS : err_from_errno(errno);
}
