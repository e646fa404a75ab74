/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/identitydir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "provisioning/keypair.h"
#include "provisioning/limits.h"

#define FOLDER_MODE 0700
#define FILE_MODE   0600
#define OLD_KEPT    2

#define NEXT    "next"
#define CURRENT "current"
#define TURNING "current.new" /* the link that is about to be `current` */
#define GOING   "gone"        /* a version that is being removed: no longer one, whatever is left of it */

static enum err failed(struct errinfo *info, enum err err, const char *path)
{
    return errinfo_set(info, err, "identity", errno, "%s: %s", path, err_text(err));
}

static enum err failed_now(struct errinfo *info, const char *path)
{
    return failed(info, err_from_errno(errno), path);
}

/* ---- paths ---- */

static enum err path_of(const struct identitydir *dir, const char *folder, const char *file,
                        char ret_path[static PATH_MAX])
{
    int n = snprintf(ret_path, PATH_MAX, "%s/%s%s%s", dir->root, folder, file[0] == '\0' ? "" : "/", file);
    return n < 0 || n >= PATH_MAX ? ERR_LIMIT : ERR_OK;
}

#define VERSION_NAME_SIZE 16

static void version_name(uint32_t version, char ret_name[static VERSION_NAME_SIZE])
{
    (void)snprintf(ret_name, VERSION_NAME_SIZE, "v%" PRIu32, version);
}

/** 0 when @p name is not a version's. */
static uint32_t version_of(const char *name)
{
    uint64_t number = 0;
    if (name[0] != 'v' || name[1] == '0' || view_to_u64(view_of(name + 1), UINT32_MAX, &number) != ERR_OK) {
        return 0;
    }
    return (uint32_t)number;
}

enum err identitydir_path(const struct identitydir *dir, uint32_t version, const char *file,
                          char ret_path[static PATH_MAX])
{
    char name[VERSION_NAME_SIZE];
    version_name(version, name);
    return path_of(dir, name, file, ret_path);
}

/** Names made, changed or removed in @p path are durable. */
static enum err sync_folder(const char *path, struct errinfo *info)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed_now(info, path);
    }
    enum err err = fsync(fd) == 0 ? ERR_OK : failed_now(info, path);
    (void)close(fd); /* nothing was written through it */
    return err;
}

/* ---- what is there ---- */

static enum err check_root(const char *root, struct errinfo *info)
{
    struct stat st;
    if (mkdir(root, FOLDER_MODE) != 0 && errno != EEXIST) {
        return failed_now(info, root);
    }
    if (stat(root, &st) != 0) {
        return failed_now(info, root);
    }
    if (st.st_uid != geteuid() || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return errinfo_set(info, ERR_DENIED, "identity", 0,
                           "%s: holds this device's key and must be its user's alone: chown to uid %u and chmod 0700",
                           root, (unsigned)geteuid());
    }
    return ERR_OK;
}

/** Calls @p each for every entry but "." and "..". */
static enum err each_entry(const char *path, void (*each)(void *context, const char *name), void *context,
                           struct errinfo *info)
{
    DIR *listing = opendir(path);
    if (listing == NULL) {
        return failed_now(info, path);
    }
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            each(context, entry->d_name);
        }
        errno = 0;
    }
    enum err err = errno == 0 ? ERR_OK : failed_now(info, path);
    (void)closedir(listing); /* read only */
    return err;
}

static void note_version(void *context, const char *name)
{
    struct identitydir *dir = context;
    dir->highest = MAX(dir->highest, version_of(name));
}

static bool version_exists(const struct identitydir *dir, uint32_t version)
{
    char path[PATH_MAX];
    struct stat st;
    return version != 0 && identitydir_path(dir, version, IDENTITYDIR_CERT, path) == ERR_OK && stat(path, &st) == 0;
}

/** The version that `current` names; 0 when there is no such link. */
static enum err read_current(struct identitydir *dir, struct errinfo *info)
{
    char path[PATH_MAX];
    char target[VERSION_NAME_SIZE] = "";
    enum err err = path_of(dir, CURRENT, "", path);
    if (err != ERR_OK) {
        return failed(info, err, dir->root);
    }
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0 && errno == ENOENT) {
        return ERR_OK;
    }
    dir->current = n < 0 ? 0 : version_of(target);
    if (version_exists(dir, dir->current)) {
        return ERR_OK;
    }
    dir->current = 0;
    return dir->highest > 0 ? ERR_OK
                            : errinfo_set(info, ERR_CORRUPT, "identity", 0,
                                          "%s: leads to no version: remove it to enrol this device again", path);
}

enum err identitydir_open(const char *root, struct identitydir *ret_dir, struct errinfo *info)
{
    struct identitydir dir = {0};
    if (view_copy(view_of(root), dir.root, sizeof(dir.root)) != ERR_OK) {
        return failed(info, ERR_LIMIT, "the path of the identity");
    }
    enum err err = check_root(root, info);
    if (err == ERR_OK) {
        err = each_entry(root, note_version, &dir, info);
    }
    if (err == ERR_OK) {
        err = read_current(&dir, info);
    }
    if (err == ERR_OK) {
        dir.trial = dir.highest > dir.current ? dir.highest : 0;
        *ret_dir = dir;
    }
    return err;
}

/* ---- removing ---- */

struct removal {
    const char *folder;
    enum err err;
};

static void remove_file(void *context, const char *name)
{
    struct removal *removal = context;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", removal->folder, name);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        removal->err = ERR_LIMIT;
    } else if (unlink(path) != 0) {
        removal->err = err_from_errno(errno);
    }
}

/** A folder of plain files. None there is fine. */
static enum err remove_folder(const char *path, struct errinfo *info)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? ERR_OK : failed_now(info, path);
    }
    struct removal removal = {.folder = path};
    enum err err = each_entry(path, remove_file, &removal, info);
    if (err == ERR_OK && removal.err != ERR_OK) {
        err = failed(info, removal.err, path);
    }
    return err == ERR_OK && rmdir(path) != 0 ? failed_now(info, path) : err;
}

/** The folder first loses its name, so that a cut never leaves half a version under one that counts. */
static enum err remove_named(const struct identitydir *dir, const char *name, struct errinfo *info)
{
    char path[PATH_MAX];
    char gone[PATH_MAX];
    enum err err = path_of(dir, name, "", path);
    if (err == ERR_OK) {
        err = path_of(dir, GOING, "", gone);
    }
    if (err != ERR_OK) {
        return failed(info, err, dir->root);
    }
    err = remove_folder(gone, info); /* what a cut left */
    if (err == ERR_OK && rename(path, gone) != 0) {
        return errno == ENOENT ? ERR_OK : failed_now(info, path);
    }
    if (err == ERR_OK) {
        err = sync_folder(dir->root, info);
    }
    return err == ERR_OK ? remove_folder(gone, info) : err;
}

enum err identitydir_drop_next(struct identitydir *dir, struct errinfo *info)
{
    return remove_named(dir, NEXT, info);
}

struct pruning {
    struct identitydir *dir;
    uint32_t oldest; /* version to keep */
    uint32_t found;  /* one below it; 0: none */
};

static void note_old(void *context, const char *name)
{
    struct pruning *pruning = context;
    uint32_t version = version_of(name);
    if (version != 0 && version < pruning->oldest) {
        pruning->found = version;
    }
}

static enum err prune(struct identitydir *dir, struct errinfo *info)
{
    struct pruning pruning = {.dir = dir, .oldest = dir->current > OLD_KEPT ? dir->current - OLD_KEPT : 0};
    enum err err;
    do {
        pruning.found = 0;
        err = each_entry(dir->root, note_old, &pruning, info);
        if (err == ERR_OK && pruning.found != 0) {
            char name[VERSION_NAME_SIZE];
            version_name(pruning.found, name);
            err = remove_named(dir, name, info);
        }
    } while (err == ERR_OK && pruning.found != 0);
    return err;
}

/* ---- the next version ---- */

static enum err make_next_key(struct identitydir *dir, const char *folder, const char *path, struct key_rng *rng,
                              struct key **ret_key, struct errinfo *info)
{
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST) {
        return failed_now(info, folder);
    }
    enum err err = sync_folder(dir->root, info);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(key_free_p) struct key *key = NULL;
    err = key_make(rng, &key);
    if (err == ERR_OK) {
        err = key_save(key, path);
    }
    if (err != ERR_OK) {
        return failed(info, err, path);
    }
    *ret_key = TAKE(key);
    return ERR_OK;
}

enum err identitydir_next_key(struct identitydir *dir, struct key_rng *rng, struct key **ret_key, struct errinfo *info)
{
    char folder[PATH_MAX];
    char path[PATH_MAX];
    enum err err = path_of(dir, NEXT, "", folder);
    if (err == ERR_OK) {
        err = path_of(dir, NEXT, IDENTITYDIR_KEY, path);
    }
    if (err != ERR_OK) {
        return failed(info, err, dir->root);
    }
    err = key_load(path, rng, ret_key, info);
    return err == ERR_NOTFOUND ? make_next_key(dir, folder, path, rng, ret_key, info) : err;
}

static enum err write_next(const struct identitydir *dir, const char *file, struct view content, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = path_of(dir, NEXT, file, path);
    if (err == ERR_OK) {
        err = file_replace(path, content, FILE_MODE);
    }
    return err == ERR_OK ? ERR_OK : failed(info, err, path);
}

static enum err write_content(const struct identitydir *dir, const struct identitydir_content *content,
                              struct errinfo *info)
{
    char key[PATH_MAX];
    char cert[PATH_MAX];
    struct stat st;
    struct keypair pair;
    enum err err = path_of(dir, NEXT, IDENTITYDIR_KEY, key);
    if (err == ERR_OK) {
        err = path_of(dir, NEXT, IDENTITYDIR_CERT, cert);
    }
    if (err != ERR_OK) {
        return failed(info, err, dir->root);
    }
    if (stat(key, &st) != 0) {
        return errinfo_set(info, ERR_STATE, "identity", errno, "%s: there is no key to go with the certificate", key);
    }
    err = write_next(dir, IDENTITYDIR_CERT, content->chain_pem, info);
    if (err == ERR_OK) {
        err = keypair_check(cert, key, &pair, info);
    }
    if (err == ERR_OK) {
        err = write_next(dir, IDENTITYDIR_TRUST, content->trust_pem, info);
    }
    return err == ERR_OK ? write_next(dir, IDENTITYDIR_META, content->meta, info) : err;
}

enum err identitydir_install(struct identitydir *dir, const struct identitydir_content *content, struct errinfo *info)
{
    enum err err = write_content(dir, content, info);
    if (err == ERR_OK && dir->trial != 0) {
        err = identitydir_reject(dir, info);
    }
    char next[PATH_MAX];
    char version[PATH_MAX];
    if (err == ERR_OK &&
        (path_of(dir, NEXT, "", next) != ERR_OK || identitydir_path(dir, dir->highest + 1, "", version) != ERR_OK)) {
        err = failed(info, ERR_LIMIT, dir->root);
    }
    if (err == ERR_OK && rename(next, version) != 0) {
        err = failed_now(info, next);
    }
    if (err == ERR_OK) {
        dir->highest++;
        dir->trial = dir->highest;
        err = sync_folder(dir->root, info);
    }
    return err;
}

/* ---- the trial's end ---- */

enum err identitydir_promote(struct identitydir *dir, struct errinfo *info)
{
    char name[VERSION_NAME_SIZE];
    char turning[PATH_MAX];
    char current[PATH_MAX];
    if (dir->trial == 0) {
        return errinfo_set(info, ERR_STATE, "identity", 0, "%s: no version is on trial", dir->root);
    }
    if (path_of(dir, TURNING, "", turning) != ERR_OK || path_of(dir, CURRENT, "", current) != ERR_OK) {
        return failed(info, ERR_LIMIT, dir->root);
    }
    version_name(dir->trial, name);
    (void)unlink(turning); /* what a cut left; if it cannot go, the next line says why */
    if (symlink(name, turning) != 0 || rename(turning, current) != 0) {
        return failed_now(info, current);
    }
    dir->current = dir->trial;
    dir->trial = 0;
    enum err err = sync_folder(dir->root, info);
    return err == ERR_OK ? prune(dir, info) : err;
}

enum err identitydir_reject(struct identitydir *dir, struct errinfo *info)
{
    char name[VERSION_NAME_SIZE];
    if (dir->trial == 0) {
        return errinfo_set(info, ERR_STATE, "identity", 0, "%s: no version is on trial", dir->root);
    }
    version_name(dir->trial, name);
    enum err err = remove_named(dir, name, info);
    if (err == ERR_OK) {
        dir->trial = 0;
    }
    return err;
}
