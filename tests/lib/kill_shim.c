/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill_shim: preloaded into a program, kills it with SIGKILL at its n-th step that changes the disk, so that a test can
 * walk through every place where a power cut may hit. KILL_AT=N counts from 1; KILL_PROGRAM=NAME leaves children of
 * other names alone. A write to a file is done half before the kill, every other step not at all.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned steps;

static bool is_meant(void)
{
    const char *program = getenv("KILL_PROGRAM");
    return program == NULL || strcmp(program, program_invocation_short_name) == 0;
}

/** Counts a step. @return whether it is the one. */
static bool due(void)
{
    const char *at = getenv("KILL_AT");
    return at != NULL && is_meant() && ++steps == strtoul(at, NULL, 10);
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
}

/** The real function of @p name. */
#define NEXT(name, type)                                                                                               \
    static type next;                                                                                                  \
    if (next == NULL) {                                                                                                \
        void *symbol = dlsym(RTLD_NEXT, name);                                                                         \
        memcpy(&next, &symbol, sizeof(next));                                                                          \
    }

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef int (*descriptor_fn)(int);
typedef int (*rename_fn)(const char *, const char *);
typedef int (*unlink_fn)(const char *);
typedef int (*mkdir_fn)(const char *, mode_t);
typedef int (*truncate_fn)(int, off_t);

ssize_t write(int fd, const void *data, size_t len)
{
    NEXT("write", write_fn)
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && due()) {
        (void)!next(fd, data, len / 2);
        die();
    }
    return next(fd, data, len);
}

int fsync(int fd)
{
    NEXT("fsync", descriptor_fn)
    if (due()) {
        die();
    }
    return next(fd);
}

int fdatasync(int fd)
{
    NEXT("fdatasync", descriptor_fn)
    if (due()) {
        die();
    }
    return next(fd);
}

int rename(const char *from, const char *to)
{
    NEXT("rename", rename_fn)
    if (due()) {
        die();
    }
    return next(from, to);
}

int unlink(const char *path)
{
    NEXT("unlink", unlink_fn)
    if (due()) {
        die();
    }
    return next(path);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT("mkdir", mkdir_fn)
    if (due()) {
        die();
    }
    return next(path, mode);
}

int ftruncate(int fd, off_t len)
{
    NEXT("ftruncate", truncate_fn)
    if (due()) {
        die();
    }
    return next(fd, len);
}
