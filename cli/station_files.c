/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/station_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/ledger.h"

#define SECRET_MODE   0600
#define SECRET_FOLDER 0700
#define CODE_END      ".code"
#define CODE_FILE_MAX 64
#define TEMPORARY     7 /* ".XXXXXX" behind the name of a file that is being written (base/file.c) */

static enum err failed(const char *path, enum err err, struct errinfo *info)
{
    return errinfo_set(info, err, "station", 0, "%s: %s", path, err_text(err));
}

static enum err path_of(char ret_path[static PATH_MAX], const char *dir, const char *folder, const char *name,
                        const char *end, struct errinfo *info)
{
    int n = snprintf(ret_path, PATH_MAX, "%s/%s/%s%s", dir, folder, name, end);
    return n > 0 && n < PATH_MAX ? ERR_OK : errinfo_set(info, ERR_LIMIT, "station", 0, "path too long");
}

/** Writes a secret file into a folder that is made for it. */
static enum err keep(const char *folder, const char *path, struct view content, struct errinfo *info)
{
    if (mkdir(folder, SECRET_FOLDER) != 0 && errno != EEXIST) {
        return failed(folder, err_from_errno(errno), info);
    }
    enum err err = file_replace(path, content, SECRET_MODE);
    return err == ERR_OK ? ERR_OK : failed(path, err, info);
}

static enum err read_whole(const char *path, size_t cap, char **ret_text, size_t *ret_len, struct errinfo *info)
{
    enum err err = file_read(path, cap, ret_text, ret_len);
    return err == ERR_OK ? ERR_OK : failed(path, err, info);
}

enum err station_files_manifest(const char *dir, char **ret_text, size_t *ret_len, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = path_of(path, dir, ".", "manifest.json", "", info);
    return err == ERR_OK ? read_whole(path, MANIFEST_MAX + 1, ret_text, ret_len, info) : err;
}

/* ---- owner codes ---- */

static enum err code_path(const struct station_files *files, const char *serial, char ret_path[static PATH_MAX],
                          struct errinfo *info)
{
    char folder[16 + LEDGER_STATION_MAX];
    (void)snprintf(folder, sizeof(folder), "pending.%s", files->station); /* a name is that short */
    return path_of(ret_path, files->dir, folder, serial, serial[0] != '\0' ? CODE_END : "", info);
}

enum err station_files_code(const struct station_files *files, const char *serial, struct ownercode *ret_code,
                            struct errinfo *info)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    enum err err = code_path(files, serial, path, info);
    if (err == ERR_OK) {
        err = read_whole(path, CODE_FILE_MAX, &text, &len, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = ownercode_read(view_n(text, len), ret_code);
    crypto_zeroise(text, len);
    free(text);
    return err == ERR_OK ? ERR_OK : failed(path, ERR_CORRUPT, info);
}

enum err station_files_keep_code(const struct station_files *files, const char *serial, const struct ownercode *code,
                                 struct errinfo *info)
{
    char folder[PATH_MAX], path[PATH_MAX];
    char text[OWNERCODE_SIZE];
    enum err err = code_path(files, "", folder, info);
    if (err == ERR_OK) {
        err = code_path(files, serial, path, info);
    }
    if (err == ERR_OK) {
        ownercode_write(code, text);
        err = keep(folder, path, view_of(text), info);
        crypto_zeroise(text, sizeof(text));
    }
    return err;
}

static enum err drop(const char *path, struct errinfo *info)
{
    return unlink(path) == 0 || errno == ENOENT ? ERR_OK : failed(path, err_from_errno(errno), info);
}

enum err station_files_drop_code(const struct station_files *files, const char *serial, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = code_path(files, serial, path, info);
    return err == ERR_OK ? drop(path, info) : err;
}

/* ---- labels ---- */

static void forget(struct strbuf *text)
{
    if (text->ptr != NULL) {
        crypto_zeroise(text->ptr, text->size);
    }
    strbuf_deinit(text);
}

enum err station_files_label(const struct station_files *files, const struct label *label, enum label_format format,
                             struct errinfo *info)
{
    char folder[PATH_MAX], path[PATH_MAX];
    char end[8];
    struct strbuf text;
    strbuf_init(&text, LABEL_MAX);
    (void)snprintf(end, sizeof(end), ".%s", label_formats[format]); /* three letters */
    enum err err = path_of(folder, files->dir, "labels", "", "", info);
    if (err == ERR_OK) {
        err = path_of(path, files->dir, "labels", label->serial, end, info);
    }
    if (err == ERR_OK) {
        err = label_write(label, format, &text);
        err = err == ERR_OK ? keep(folder, path, strbuf_view(&text), info) : failed(path, err, info);
    }
    forget(&text);
    return err;
}

static bool write_whole(int fd, struct view text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        text = n > 0 ? view_n(text.ptr + n, text.len - (size_t)n) : text;
    }
    return true;
}

enum err station_files_print(const char *printer, const struct label *label, struct errinfo *info)
{
    struct strbuf text;
    strbuf_init(&text, LABEL_MAX);
    enum err err = label_write(label, LABEL_ZPL, &text);
    int fd = err == ERR_OK ? open(printer, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY) : -1;
    if (err == ERR_OK && (fd < 0 || !write_whole(fd, strbuf_view(&text)))) {
        err = err_from_errno(errno);
    }
    if (fd >= 0 && close(fd) != 0 && err == ERR_OK) {
        err = err_from_errno(errno);
    }
    forget(&text);
    return err == ERR_OK ? ERR_OK : failed(printer, err, info);
}

/* ---- after a power cut ---- */

struct sweep {
    const struct station_files *files;
    enum station_serial (*state_of)(void *context, const char *serial);
    void *context;
    struct errinfo *info;
};

/** The serial number that a file is named after: all before @p end. */
static bool serial_before(struct view name, const char *end, char ret_serial[static LEDGER_SERIAL_MAX + 1])
{
    size_t len = strlen(end);
    if (name.len <= len || !view_ends_with(name, view_n(end, len))) {
        return false;
    }
    struct view serial = view_n(name.ptr, name.len - len);
    return ledger_serial_valid(serial) && view_copy(serial, ret_serial, LEDGER_SERIAL_MAX + 1) == ERR_OK;
}

/** In the folder of pending codes: all but the codes of devices under way. */
static bool is_stale_code(const struct sweep *sweep, struct view name)
{
    char serial[LEDGER_SERIAL_MAX + 1];
    return !serial_before(name, CODE_END, serial) || sweep->state_of(sweep->context, serial) == STATION_DONE;
}

/** In the folder of labels, which stations share: halves of labels of this station's devices. */
static bool is_half_label(const struct sweep *sweep, struct view name)
{
    char serial[LEDGER_SERIAL_MAX + 1];
    char end[8];
    struct view whole = view_n(name.ptr, name.len > TEMPORARY ? name.len - TEMPORARY : 0);
    for (int format = 0; format < LABEL_FORMATS; format++) {
        (void)snprintf(end, sizeof(end), ".%s", label_formats[format]); /* three letters */
        if (name.len > TEMPORARY && whole.ptr[whole.len] == '.' && serial_before(whole, end, serial)) {
            return sweep->state_of(sweep->context, serial) != STATION_UNKNOWN;
        }
    }
    return false;
}

static enum err sweep_folder(const struct sweep *sweep, const char *folder,
                             bool (*is_stale)(const struct sweep *sweep, struct view name))
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return errno == ENOENT ? ERR_OK : failed(folder, err_from_errno(errno), sweep->info);
    }
    enum err err = ERR_OK;
    for (const struct dirent *entry = readdir(dir); err == ERR_OK && entry != NULL; entry = readdir(dir)) {
        char path[PATH_MAX];
        if (entry->d_name[0] != '.' && is_stale(sweep, view_of(entry->d_name))) {
            err = path_of(path, folder, ".", entry->d_name, "", sweep->info);
            err = err == ERR_OK ? drop(path, sweep->info) : err;
        }
    }
    (void)closedir(dir); /* only read */
    return err;
}

enum err station_files_sweep(const struct station_files *files,
                             enum station_serial (*state_of)(void *context, const char *serial), void *context,
                             struct errinfo *info)
{
    const struct sweep sweep = {files, state_of, context, info};
    char path[PATH_MAX];
    enum err err = code_path(files, "", path, info);
    if (err == ERR_OK) {
        err = sweep_folder(&sweep, path, is_stale_code);
    }
    if (err == ERR_OK) {
        err = path_of(path, files->dir, "labels", "", "", info);
    }
    return err == ERR_OK ? sweep_folder(&sweep, path, is_half_label) : err;
}

/* ---- claim ---- */

enum err station_files_claim(const char *dir, const char *file, uint8_t ret_data[static FACTORY_FILE_MAX],
                             size_t *ret_len, struct errinfo *info)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    enum err err = path_of(path, dir, "claim", file, "", info);
    if (err == ERR_OK) {
        err = read_whole(path, FACTORY_FILE_MAX, &text, &len, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    memcpy(ret_data, text, len);
    *ret_len = len;
    crypto_zeroise(text, len);
    free(text);
    return ERR_OK;
}
