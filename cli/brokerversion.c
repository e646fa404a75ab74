/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerversion.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_CAP (16u << 20)

/** "v12" is 12; 0 for anything else. */
static unsigned number_of(const char *name)
{
    uint64_t number = 0;
    struct view text = view_of(name);
    bool is = text.len > 1 && name[0] == 'v' && view_to_u64(view_n(name + 1, text.len - 1), 1000000, &number) == ERR_OK;
    return is ? (unsigned)number : 0;
}

static enum err fail(struct errinfo *info, int code, const char *path)
{
    return errinfo_set(info, err_from_errno(code), "broker", code, "%s: %s", path, strerror(code));
}

static unsigned current_of(const struct brokerversion *version)
{
    char path[BROKERVERSION_PATH_MAX];
    char target[16];
    (void)snprintf(path, sizeof(path), "%s/current", version->folder); /* fits, by the folder's size */
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    target[len > 0 ? len : 0] = '\0';
    return number_of(target);
}

enum err brokerversion_look(const char *directory, enum broker_kind kind, struct brokerversion *ret_version,
                            struct errinfo *info)
{
    struct brokerversion version = {.newest = 0};
    int len = snprintf(version.folder, sizeof(version.folder), "%s/%s", directory, broker_kind_name(kind));
    if (len < 0 || (size_t)len >= sizeof(version.folder)) {
        return errinfo_set(info, ERR_LIMIT, "broker", 0, "directory: the path is too long");
    }
    DIR *folder = opendir(version.folder);
    if (folder == NULL && errno != ENOENT) {
        return fail(info, errno, version.folder);
    }
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        version.newest = MAX(version.newest, number_of(entry->d_name));
    }
    if (folder != NULL) {
        (void)closedir(folder); /* only read */
    }
    version.current = current_of(&version);
    *ret_version = version;
    return ERR_OK;
}

void brokerversion_path(const struct brokerversion *version, unsigned number, const char *file,
                        char ret_path[static BROKERVERSION_PATH_MAX])
{
    (void)snprintf(ret_path, BROKERVERSION_PATH_MAX, "%s/v%u/%s", version->folder, number,
                   file); /* fits, by the folder's size */
}

bool brokerversion_same(const struct brokerversion *version, unsigned number, const struct brokerfiles *files)
{
    bool same = number != 0;
    for (size_t i = 0; i < files->len && same; i++) {
        char path[BROKERVERSION_PATH_MAX];
        char *text = NULL;
        size_t len = 0;
        brokerversion_path(version, number, files->file[i].name, path);
        same = file_read(path, FILE_CAP, &text, &len) == ERR_OK &&
               view_equal(view_n(text, len), strbuf_view(&files->file[i].text));
        free(text);
    }
    return same;
}

static enum err sync_folder(const char *path, struct errinfo *info)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) {
        (void)close(fd); /* only read */
    }
    return failed == 0 ? ERR_OK : fail(info, failed, path);
}

/** Removes a version, or what was left of one that was not finished. Best effort: it only takes room. */
static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder != NULL) {
        (void)closedir(folder);
        (void)rmdir(path);
    }
}

static enum err write_files(const struct brokerversion *version, const struct brokerfiles *files, struct errinfo *info)
{
    for (size_t i = 0; i < files->len; i++) {
        char path[BROKERVERSION_PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s/next/%s", version->folder, files->file[i].name); /* a short name */
        enum err err = strbuf_error(&files->file[i].text);
        if (err == ERR_OK) {
            err = file_replace(path, strbuf_view(&files->file[i].text), 0644);
        }
        if (err != ERR_OK) {
            return errinfo_set(info, err, "broker", 0, "%s: %s", path, err_text(err));
        }
    }
    return ERR_OK;
}

static void prune(const struct brokerversion *version)
{
    for (unsigned number = version->newest; number > 0; number--) {
        char path[BROKERVERSION_PATH_MAX];
        if (number + BROKERVERSION_KEEP > version->newest || number == version->current) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/v%u", version->folder, number); /* fits, by the folder's size */
        if (access(path, F_OK) != 0) {
            return; /* the older ones were removed before */
        }
        remove_folder(path);
    }
}

enum err brokerversion_add(struct brokerversion *version, const struct brokerfiles *files, struct errinfo *info)
{
    char beside[BROKERVERSION_PATH_MAX];
    char path[BROKERVERSION_PATH_MAX];
    (void)snprintf(beside, sizeof(beside), "%s/next",
                   version->folder); /* fits, by the folder's size; the next one too */
    (void)snprintf(path, sizeof(path), "%s/v%u", version->folder, version->newest + 1);
    remove_folder(beside);
    if (file_make_parents(beside) != ERR_OK || mkdir(beside, 0755) != 0) {
        return fail(info, errno, beside);
    }
    enum err err = write_files(version, files, info);
    if (err == ERR_OK && rename(beside, path) != 0) {
        err = fail(info, errno, path);
    }
    if (err == ERR_OK) {
        err = sync_folder(version->folder, info);
    }
    if (err != ERR_OK) {
        remove_folder(beside);
        return err;
    }
    version->newest++;
    prune(version);
    return version->current == 0 ? brokerversion_use(version, version->newest, info) : ERR_OK;
}

enum err brokerversion_use(struct brokerversion *version, unsigned number, struct errinfo *info)
{
    char link_path[BROKERVERSION_PATH_MAX];
    char beside[BROKERVERSION_PATH_MAX];
    char target[16];
    (void)snprintf(link_path, sizeof(link_path), "%s/current", version->folder); /* fit, by the folder's size */
    (void)snprintf(beside, sizeof(beside), "%s/current.new", version->folder);
    (void)snprintf(target, sizeof(target), "v%u", number);
    (void)unlink(beside); /* of a switch that was cut short */
    if (symlink(target, beside) != 0 || rename(beside, link_path) != 0) {
        return fail(info, errno, link_path);
    }
    version->current = number;
    return sync_folder(version->folder, info);
}
