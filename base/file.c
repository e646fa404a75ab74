/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* written data was fsynced before, or the file is thrown away */
    }
}

enum err file_read(const char *path, size_t cap, char **ret_data, size_t *ret_len)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    size_t size = MIN(cap, (size_t)4096) + 1;
    size_t len = 0;
    char *data = malloc(size);
    while (data != NULL) {
        ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            if (n < 0) {
                enum err err = err_from_errno(errno);
                free(data);
                return err;
            }
            break;
        }
        len += (size_t)n;
        if (len > cap) {
            free(data);
            return ERR_LIMIT;
        }
        if (len == size) {
            size = MIN(size * 2, cap + 1);
            char *grown = realloc(data, size);
            if (grown == NULL) {
                free(data);
            }
            data = grown;
        }
    }
    if (data == NULL) {
        return ERR_NOMEM;
    }
    data[len] = '\0'; /* len <= cap and size >= len + 1 whenever the loop ends */
    *ret_data = data;
    *ret_len = len;
    return ERR_OK;
}

static enum err write_all(int fd, struct view content)
{
    size_t done = 0;
    while (done < content.len) {
        ssize_t n = write(fd, content.ptr + done, content.len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? err_from_errno(errno) : ERR_IO;
        }
        done += (size_t)n;
    }
    return fsync(fd) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? snprintf(folder, sizeof(folder), ".")
                          : snprintf(folder, sizeof(folder), "%.*s", (int)MAX(slash - path, 1), path);
    if (n < 0 || (size_t)n >= sizeof(folder)) {
        return ERR_LIMIT;
    }
    CLEANUP(close_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    return fsync(fd) == 0 ? ERR_OK : err_from_errno(errno);
}

enum err file_replace(const char *path, struct view content, mode_t mode)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof(temporary)) {
        return ERR_LIMIT;
    }
    CLEANUP(close_fd) int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    enum err err = fchmod(fd, mode) == 0 ? write_all(fd, content) : err_from_errno(errno);
    if (err == ERR_OK && rename(temporary, path) != 0) {
        err = err_from_errno(errno);
    }
    if (err != ERR_OK) {
        (void)unlink(temporary); /* best effort: the first failure is what the caller must hear */
        return err;
    }
    return sync_folder(path);
}

enum err file_make_parents(const char *path)
{
    char folder[PATH_MAX];
    enum err err = view_copy(view_of(path), folder, sizeof(folder));
    if (err != ERR_OK) {
        return err;
    }
    if (folder[0] == '\0') {
        return ERR_OK;
    }
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
            return err_from_errno(errno);
        }
        *slash = '/';
    }
    return ERR_OK;
}
