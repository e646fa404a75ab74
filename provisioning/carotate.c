/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/ca_private.h"
#include "provisioning/ceremony.h"
#include "provisioning/pem.h"

#define OLD         "old"
#define DROPPED     "dropped"
#define ID_SIZE     4 /* bytes of the key identifier in names */
#define NEW         ".new"
#define ENTRIES_MAX 4096 /* of old/; far more than a fleet has rotations */
#define PUBLIC      ".pub"

/** Something that can be replaced: a CA with its certificate, or a signing key with its public half. */
struct subject {
    const char *base;
    const char *ending; /* of the public file */
    bool is_ca;
    enum cert_profile profile; /* CAs */
};

static bool find_subject(const char *what, struct subject *ret)
{
    for (enum cert_profile profile = CERT_DEVICE_CA; profile <= CERT_CLAIM_CA; profile++) {
        if (strcmp(ca_base_of(profile), what) == 0) {
            *ret = (struct subject){ca_base_of(profile), ".pem", true, profile};
            return true;
        }
    }
    for (size_t i = 0; ca_signing_keys[i] != NULL; i++) {
        if (strcmp(ca_signing_keys[i], what) == 0) {
            *ret = (struct subject){ca_signing_keys[i], PUBLIC, false, CERT_ROOT_CA};
            return true;
        }
    }
    return false;
}

bool ca_can_rotate(const char *what)
{
    struct subject subject;
    return find_subject(what, &subject);
}

/* ---- generations ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/** Takes old/WHAT-KEYID of old/WHAT-KEYID.pem. */
static enum err take_entry(const char *entry, const char *what, const char *ending, struct ca_generations *generations)
{
    size_t what_len = strlen(what);
    size_t len = strlen(entry);
    size_t end = strlen(ending);
    size_t id_len = (size_t)2 * ID_SIZE;
    uint8_t id[ID_SIZE];
    if (len != what_len + 1 + id_len + end || strncmp(entry, what, what_len) != 0 || entry[what_len] != '-' ||
        strcmp(entry + len - end, ending) != 0 ||
        crypto_unhex(view_n(entry + what_len + 1, id_len), id, ID_SIZE) != ERR_OK) {
        return ERR_OK;
    }
    if (generations->len == CA_GENERATIONS_MAX) {
        return ERR_LIMIT;
    }
    int n = snprintf(generations->base[generations->len++], CA_BASE_SIZE, OLD "/%.*s", (int)(len - end), entry);
    return n > 0 && n < CA_BASE_SIZE ? ERR_OK : ERR_LIMIT;
}

static enum err take_folder(DIR *folder, const char *what, const char *ending, struct ca_generations *generations)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK; i++) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            return errno == 0 ? ERR_OK : err_from_errno(errno);
        }
        err = i < ENTRIES_MAX ? take_entry(entry->d_name, what, ending, generations) : ERR_LIMIT;
    }
    return err;
}

enum err ca_generations(const char *dir, const char *what, const char *ending, struct ca_generations *ret_generations,
                        struct errinfo *info)
{
    char path[PATH_MAX];
    struct ca_generations generations = {.len = 1};
    (void)snprintf(generations.base[0], CA_BASE_SIZE, "%s",
                   what); /* the names of ca_can_rotate and the CAs are short */
    enum err err = ca_path(dir, OLD, "", path, info);
    if (err != ERR_OK) {
        return err;
    }
    DIR *folder = opendir(path);
    if (folder == NULL && errno != ENOENT) {
        return ca_file_error(info, err_from_errno(errno), path);
    }
    if (folder != NULL) {
        err = take_folder(folder, what, ending, &generations);
        (void)closedir(folder); /* only read */
    }
    if (err != ERR_OK) {
        return ca_file_error(info, err, path);
    }
    qsort(generations.base[1], generations.len - 1, CA_BASE_SIZE, by_name);
    *ret_generations = generations;
    return ERR_OK;
}

/* ---- the change of files ---- */

/** Eight digits that name the present key of @p subject. @return ERR_NOTFOUND: there is none yet. */
static enum err present_id(const char *dir, const struct subject *subject, char id[static 2 * ID_SIZE + 1],
                           struct errinfo *info)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t der[CERT_DER_MAX];
    size_t len;
    if (subject->is_ca) {
        struct certread cert;
        enum err err = ca_read_certificate(dir, subject->base, der, &len, &cert, info);
        if (err == ERR_OK) {
            cert_key_id((const uint8_t *)cert.point.ptr, digest);
            crypto_hex(digest, ID_SIZE, id);
        }
        return err;
    }
    char path[PATH_MAX];
    char *text;
    enum err err = ca_path(dir, subject->base, subject->ending, path, info);
    if (err == ERR_OK) {
        err = file_read(path, PEM_FILE_MAX, &text, &len);
    }
    if (err != ERR_OK) {
        return ca_file_error(info, err, path);
    }
    err = pem_find(view_n(text, len), PEM_PUBLIC, der, sizeof(der), &len);
    free(text);
    if (err != ERR_OK) {
        return errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s: not a public key", path);
    }
    crypto_sha256(view_n((const char *)der, len), digest);
    crypto_hex(digest, ID_SIZE, id);
    return ERR_OK;
}

static enum err sync_folder(const char *path, struct errinfo *info)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = fd >= 0 && fsync(fd) == 0 ? ERR_OK : err_from_errno(errno);
    if (fd >= 0) {
        (void)close(fd); /* nothing was written through it */
    }
    return ca_file_error(info, err, path);
}

static enum err make_folder(const char *dir, const char *name, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = ca_path(dir, name, "", path, info);
    if (err == ERR_OK && mkdir(path, 0700) != 0 && errno != EEXIST) {
        err = ca_file_error(info, err_from_errno(errno), path);
    }
    return err;
}

/** Gives DIR/FROM.ENDING the second name DIR/TO.ENDING; that it has it already is fine, and that there is no such file.
 */
static enum err keep(const char *dir, const char *from, const char *to, const char *ending, struct errinfo *info)
{
    char source[PATH_MAX];
    char target[PATH_MAX];
    enum err err = ca_path(dir, from, ending, source, info);
    if (err == ERR_OK) {
        err = ca_path(dir, to, ending, target, info);
    }
    if (err == ERR_OK && link(source, target) != 0 && errno != EEXIST && errno != ENOENT) {
        err = ca_file_error(info, err_from_errno(errno), target);
    }
    return err;
}

static enum err forget(const char *dir, const char *base, const char *ending, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = ca_path(dir, base, ending, path, info);
    if (err == ERR_OK && unlink(path) != 0 && errno != ENOENT) {
        err = ca_file_error(info, err_from_errno(errno), path);
    }
    return err;
}

/** DIR/BASE.new.key becomes DIR/BASE.key, unless it has already. */
static enum err promote_key(const char *dir, const char *base, struct errinfo *info)
{
    char source[PATH_MAX];
    char target[PATH_MAX];
    enum err err = ca_path(dir, base, NEW ".key", source, info);
    if (err == ERR_OK) {
        err = ca_path(dir, base, ".key", target, info);
    }
    if (err == ERR_OK && rename(source, target) != 0 && errno != ENOENT) {
        err = ca_file_error(info, err_from_errno(errno), target);
    }
    return err;
}

/** The present files get their names in old/, with all that belongs to them. */
static enum err keep_present(const char *dir, const struct subject *subject, struct errinfo *info)
{
    const char *const endings[] = {subject->ending, ".key", ".revoked", ".crl"};
    char id[2 * ID_SIZE + 1];
    char old_base[CA_BASE_SIZE];
    char path[PATH_MAX];
    enum err err = present_id(dir, subject, id, info);
    if (err == ERR_NOTFOUND) {
        return ERR_OK; /* the first of its kind */
    }
    if (err == ERR_OK) {
        err = make_folder(dir, OLD, info);
    }
    (void)snprintf(old_base, sizeof(old_base), OLD "/%s-%s", subject->base, id); /* short */
    for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(endings); i++) {
        err = keep(dir, subject->base, old_base, endings[i], info);
    }
    if (err == ERR_OK) {
        err = ca_path(dir, OLD, "", path, info);
    }
    return err == ERR_OK ? sync_folder(path, info) : err;
}

/** @param fresh_text receives BASE.new.ENDING. @param ret_same BASE.ENDING holds it already: the old one is in old/. */
static enum err read_both(const char *dir, const struct subject *subject, struct strbuf *fresh_text, bool *ret_same,
                          struct errinfo *info)
{
    char path[PATH_MAX];
    char fresh[CA_BASE_SIZE];
    char *text;
    size_t len;
    (void)snprintf(fresh, sizeof(fresh), "%s" NEW, subject->base); /* short */
    enum err err = ca_path(dir, fresh, subject->ending, path, info);
    if (err == ERR_OK) {
        err = ca_file_error(info, file_read(path, PEM_FILE_MAX, &text, &len), path);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = strbuf_add(fresh_text, view_n(text, len));
    free(text);
    if (err == ERR_OK) {
        err = ca_path(dir, subject->base, subject->ending, path, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    *ret_same = false;
    err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err == ERR_OK) {
        *ret_same = view_equal(view_n(text, len), strbuf_view(fresh_text));
        free(text);
    }
    return err == ERR_NOTFOUND ? ERR_OK : ca_file_error(info, err, path);
}

/** The old files go aside, the new ones take their place. Every step may be repeated. */
static enum err replace(const char *dir, const struct subject *subject, struct errinfo *info)
{
    struct strbuf text;
    bool same = false;
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = read_both(dir, subject, &text, &same, info);
    if (err == ERR_OK && !same) {
        err = keep_present(dir, subject, info);
        if (err == ERR_OK) {
            err = forget(dir, subject->base, ".revoked", info);
        }
        if (err == ERR_OK) {
            err = forget(dir, subject->base, ".crl", info);
        }
        if (err == ERR_OK) {
            err = sync_folder(dir, info);
        }
    }
    if (err == ERR_OK) {
        err = promote_key(dir, subject->base, info);
    }
    if (err == ERR_OK) {
        err = ca_write(dir, subject->base, subject->ending, &text, 0644, info);
    }
    strbuf_deinit(&text);
    return err;
}

/** From the moment that BASE.new.ENDING is there the change is decided, until it is removed when all is done.
 * @param ret_done whether there was anything to do. */
static enum err change(const char *dir, const struct subject *subject, bool *ret_done, struct errinfo *info)
{
    char path[PATH_MAX];
    char fresh[CA_BASE_SIZE];
    (void)snprintf(fresh, sizeof(fresh), "%s" NEW, subject->base); /* short */
    enum err err = ca_path(dir, fresh, subject->ending, path, info);
    *ret_done = err == ERR_OK && access(path, F_OK) == 0;
    if (err != ERR_OK || !*ret_done) {
        return err;
    }
    err = replace(dir, subject, info);
    if (err == ERR_OK) {
        err = ca_bundle(dir, dir, info);
    }
    if (err == ERR_OK) {
        err = forget(dir, fresh, subject->ending, info);
    }
    if (err == ERR_OK) {
        (void)sync_folder(dir, NULL); /* all is done: what a cut brings back is removed by the next rotation */
    }
    return err;
}

/* ---- new ones ---- */

/** The name that ca_init was given: the root's without its kind. */
static struct view fleet_name(const struct certread *root)
{
    struct view suffix = view_of(cert_ca_suffix(CERT_ROOT_CA));
    return view_ends_with(root->common_name, suffix) ? view_n(root->common_name.ptr, root->common_name.len - suffix.len)
                                                     : root->common_name;
}

/** A server CA keeps the names that it may certify, unless the setup gives others. */
static enum err inherit(const struct ca_setup *setup, const struct subject *subject, uint8_t der[static CERT_DER_MAX],
                        struct view *ret_constraints, struct errinfo *info)
{
    struct certread present;
    size_t len;
    *ret_constraints = setup->constraints;
    if (setup->constraints.len > 0 || subject->profile != CERT_SERVER_CA) {
        return ERR_OK;
    }
    enum err err = ca_read_certificate(setup->dir, subject->base, der, &len, &present, info);
    if (err == ERR_OK) {
        *ret_constraints = present.constraints;
    }
    return err;
}

/** Named after its key: two CAs of one name and different keys would be hard to tell apart. */
static enum err certify_new(const struct ca_mint *mint, const struct subject *subject, struct key *key,
                            struct errinfo *info)
{
    uint8_t point[KEY_POINT_SIZE];
    uint8_t key_id[CERT_KEY_ID_SIZE];
    char id[2 * ID_SIZE + 1];
    char fresh[CA_BASE_SIZE];
    struct ca_signed made;
    key_public(key, point);
    cert_key_id(point, key_id);
    crypto_hex(key_id, ID_SIZE, id);
    enum err err = ca_mint(mint, subject->profile, fleet_name(&mint->root), id, key, &made, info);
    if (err != ERR_OK) {
        return err;
    }
    struct view der = view_n((const char *)made.der, made.der_len);
    (void)snprintf(fresh, sizeof(fresh), "%s" NEW, subject->base); /* short */
    err = ca_log(mint->setup, "rotate", subject->base, der, info);
    return err == ERR_OK ? ca_save_certificate(mint->setup->dir, fresh, subject->ending, der, info) : err;
}

static enum err make_ca(const struct ca_setup *setup, const struct subject *subject, struct errinfo *info)
{
    uint8_t der[CERT_DER_MAX];
    struct ca_setup inherited = *setup;
    struct ca_mint mint = {.setup = NULL};
    CLEANUP(key_free_p) struct key *key = NULL;
    enum err err = inherit(setup, subject, der, &inherited.constraints, info);
    if (err == ERR_OK) {
        err = ca_mint_open(&inherited, &mint, info);
    }
    if (err == ERR_OK) {
        err = ca_make_key(setup, subject->base, NEW ".key", &key, info);
    }
    if (err == ERR_OK) {
        err = certify_new(&mint, subject, key, info);
    }
    key_free(mint.root_key);
    return err;
}

static enum err rotate_locked(const struct ca_setup *setup, const struct subject *subject, struct errinfo *info)
{
    bool resumed;
    struct ca_generations generations;
    enum err err = change(setup->dir, subject, &resumed, info);
    if (err == ERR_OK && !resumed) {
        err = ca_generations(setup->dir, subject->base, subject->ending, &generations, info);
        if (err == ERR_OK && generations.len == CA_GENERATIONS_MAX) {
            err = errinfo_set(info, ERR_LIMIT, "ca", 0, "%d generations of %s: drop old ones first", CA_GENERATIONS_MAX,
                              subject->base);
        }
        if (err == ERR_OK) {
            err = subject->is_ca ? make_ca(setup, subject, info)
                                 : ca_make_signing(setup, subject->base, NEW ".key", NEW PUBLIC, "rotate", info);
        }
        if (err == ERR_OK) {
            err = change(setup->dir, subject, &resumed, info);
        }
    }
    return err;
}

enum err ca_rotate(const struct ca_setup *setup, const char *what, struct errinfo *info)
{
    struct subject subject;
    int lock;
    if (!find_subject(what, &subject)) {
        return errinfo_set(info, ERR_INVALID, "ca", 0, "there is no CA and no signing key called %s", what);
    }
    enum err err = ca_lock(setup->dir, &lock, info);
    if (err == ERR_OK) {
        err = rotate_locked(setup, &subject, info);
        ca_unlock(lock);
    }
    return err;
}

/* ---- the end of old ones ---- */

/** @param base "old/devices-0123abcd". */
static enum err drop_one(const struct ca_setup *setup, const struct subject *subject, const char *base,
                         struct errinfo *info)
{
    const char *const endings[] = {".key", ".revoked", ".crl", subject->ending}; /* what makes it count goes last */
    char target[CA_BASE_SIZE + sizeof(DROPPED)];
    const struct ceremony_act act = {.by = setup->by, .act = "drop", .what = base + strlen(OLD "/")};
    (void)snprintf(target, sizeof(target), DROPPED "/%s", act.what); /* fits by its size */
    enum err err = ceremony_append(setup->dir, &act, setup->now_s, info);
    for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(endings); i++) {
        err = keep(setup->dir, base, target, endings[i], info);
        if (err == ERR_OK) {
            err = forget(setup->dir, base, endings[i], info);
        }
    }
    return err;
}

static enum err drop_locked(const struct ca_setup *setup, const struct subject *subject, size_t *ret_dropped,
                            struct errinfo *info)
{
    struct ca_generations generations;
    enum err err = ca_generations(setup->dir, subject->base, subject->ending, &generations, info);
    if (err == ERR_OK && generations.len < 2) {
        err = errinfo_set(info, ERR_NOTFOUND, "ca", 0, "there is no old generation of %s", subject->base);
    }
    if (err == ERR_OK) {
        err = make_folder(setup->dir, DROPPED, info);
    }
    for (size_t i = 1; err == ERR_OK && i < generations.len; i++) {
        err = drop_one(setup, subject, generations.base[i], info);
    }
    if (err == ERR_OK) {
        *ret_dropped = generations.len - 1;
        err = ca_bundle(setup->dir, setup->dir, info);
    }
    return err;
}

enum err ca_drop(const struct ca_setup *setup, const char *what, size_t *ret_dropped, struct errinfo *info)
{
    struct subject subject;
    int lock;
    if (!find_subject(what, &subject)) {
        return errinfo_set(info, ERR_INVALID, "ca", 0, "there is no CA and no signing key called %s", what);
    }
    enum err err = ca_lock(setup->dir, &lock, info);
    if (err == ERR_OK) {
        err = drop_locked(setup, &subject, ret_dropped, info);
        ca_unlock(lock);
    }
    return err;
}
