/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/loop_uv.h"
#include "net/sockaddr.h"

#define BACKLOG 128

static enum err fail(struct errinfo *info, int errno_value, const char *doing, const char *what)
{
    char text[128];
    enum err err = errno_value == EADDRINUSE                               ? ERR_EXISTS
                   : errno_value == EADDRNOTAVAIL || errno_value == EINVAL ? ERR_INVALID
                                                                           : err_from_errno(errno_value);
    return errinfo_set(info, err, "httpd", errno_value, "cannot %s %s: %s", doing, what,
                       uv_strerror_r(-errno_value, text, sizeof(text)));
}

static enum err fail_close(int fd, struct errinfo *info, int errno_value, const char *doing, const char *what)
{
    (void)close(fd); /* already failing */
    return fail(info, errno_value, doing, what);
}

/* Whether the socket file belongs to nobody any more: nothing but a refusal says so. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
    (void)close(fd); /* was only a probe */
    return refused;
}

/* @return errno. */
static int bind_unix(int fd, const struct sockaddr_un *address)
{
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
        return 0;
    }
    if (errno != EADDRINUSE) {
        return errno;
    }
    if (!is_stale(address) || unlink(address->sun_path) != 0) {
        return EADDRINUSE;
    }
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
}

enum err listener_open_unix(const char *path, mode_t mode, struct listener *ret_listener, struct errinfo *info)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    if (view_copy(view_of(path), address.sun_path, sizeof(address.sun_path)) != ERR_OK || path[0] == '\0') {
        return errinfo_set(info, ERR_INVALID, "httpd", 0, "socket path \"%s\" is empty or over %zu bytes", path,
                           sizeof(address.sun_path) - 1);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return fail(info, errno, "make a socket for", path);
    }
    (void)fchmod(fd, 0600); /* the file is born with no more than this; chmod below gives the rest and is checked */
    int error = bind_unix(fd, &address);
    if (error != 0) {
        return fail_close(fd, info, error, "bind", path);
    }
    if (chmod(path, mode) != 0 || lstat(path, &status) != 0 || listen(fd, BACKLOG) != 0) {
        return fail_close(fd, info, errno, "listen on", path);
    }
    *ret_listener = (struct listener){.fd = fd, .path = path, .device = status.st_dev, .inode = status.st_ino};
    return ERR_OK;
}

enum err listener_open_tcp(const struct ip *ip, uint16_t port, struct listener *ret_listener, struct errinfo *info)
{
    struct sockaddr_storage address;
    socklen_t len = sockaddr_make(ip, port, &address);
    char text[IP_TEXT_SIZE];
    (void)ip_format(ip, text);
    if (len == 0) {
        return errinfo_set(info, ERR_INVALID, "httpd", 0, "no address to listen on");
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return fail(info, errno, "make a socket for", text);
    }
    int on = 1, off = 0;
    if (address.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0) {
        return fail_close(fd, info, errno, "listen on", text);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* only makes a restart wait-free */
    if (bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return fail_close(fd, info, errno, "listen on", text);
    }
    *ret_listener = (struct listener){.fd = fd, .port = sockaddr_port(&address)};
    return ERR_OK;
}

void listener_unlink(const struct listener *listener)
{
    struct stat status;
    if (listener->path != NULL && lstat(listener->path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode) {
        (void)unlink(listener->path); /* a file that stays is replaced by the next start */
    }
}
