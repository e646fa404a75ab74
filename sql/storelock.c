/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/storelock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum err storelock_take(const char *store_path, int *ret_fd, struct errinfo *info)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s.lock", store_path);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        return errinfo_set(info, ERR_RANGE, "store", 0, "the path of the store is too long");
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int native = errno;
        return errinfo_set(info, err_from_errno(native), "store", native, "cannot open %s: %s", path,
                           err_text(err_from_errno(native)));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int native = errno;
        (void)close(fd); /* nothing was written */
        return errinfo_set(info, native == EWOULDBLOCK ? ERR_AGAIN : err_from_errno(native), "store", native,
                           native == EWOULDBLOCK ? "another process runs with this store; stop it first"
                                                 : "cannot lock the store");
    }
    *ret_fd = fd;
    return ERR_OK;
}

void storelock_release(int fd)
{
    if (fd >= 0) {
        (void)close(fd); /* nothing was written; the lock goes with it */
    }
}
