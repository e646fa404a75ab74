/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ledgerfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_MODE   0640
#define BUCKETS_MIN 1024
#define NONE        UINT32_MAX

/** Chains of devices by a hash: indexes into `devices`. */
struct index {
    uint32_t *buckets; /* owned */
    uint32_t *next;    /* owned; one a device */
};

struct ledgerfile {
    char *path; /* owned */
    int fd;
    struct key *station; /* borrowed; NULL: reading alone */
    struct ledger_chain chain;
    uint64_t size;                 /* bytes that hold whole lines */
    bool broken;                   /* holds a part of a line that could not be cut off */
    struct ledger_device *devices; /* owned */
    size_t devices_len, devices_size, voided;
    struct index by_serial, by_key;
    size_t buckets_len; /* power of two; of both */
};

static enum err failed(struct ledgerfile *file, enum err err, const char *doing, struct errinfo *info)
{
    return errinfo_set(info, err, "ledger", errno, "%s: cannot %s: %s", file->path, doing, err_text(err));
}

static enum err failed_now(struct ledgerfile *file, const char *doing, struct errinfo *info)
{
    return failed(file, err_from_errno(errno), doing, info);
}

/* ---- devices in memory ---- */

static struct view key_view(const uint8_t point[static KEY_POINT_SIZE])
{
    return view_n((const char *)point, KEY_POINT_SIZE);
}

static void put_index(struct index *index, size_t buckets_len, struct view key, uint32_t at)
{
    uint32_t *bucket = &index->buckets[view_hash(key) & (buckets_len - 1)];
    index->next[at] = *bucket;
    *bucket = at;
}

static void put_indexes(struct ledgerfile *file, size_t at)
{
    const struct ledger_device *device = &file->devices[at];
    put_index(&file->by_serial, file->buckets_len, view_of(device->serial), (uint32_t)at);
    put_index(&file->by_key, file->buckets_len, key_view(device->key), (uint32_t)at);
}

static bool grow_array(void **array, size_t len, size_t size)
{
    void *grown = realloc(*array, len * size);
    if (grown != NULL) {
        *array = grown;
    }
    return grown != NULL;
}

static enum err grow(struct ledgerfile *file)
{
    size_t size = MAX(file->devices_size * 2, (size_t)BUCKETS_MIN);
    if (size >= NONE || !grow_array((void **)&file->devices, size, sizeof(*file->devices)) ||
        !grow_array((void **)&file->by_serial.next, size, sizeof(uint32_t)) ||
        !grow_array((void **)&file->by_key.next, size, sizeof(uint32_t)) ||
        !grow_array((void **)&file->by_serial.buckets, size, sizeof(uint32_t)) ||
        !grow_array((void **)&file->by_key.buckets, size, sizeof(uint32_t))) {
        return ERR_NOMEM;
    }
    file->devices_size = size;
    file->buckets_len = size;
    memset(file->by_serial.buckets, 0xff, size * sizeof(uint32_t)); /* NONE */
    memset(file->by_key.buckets, 0xff, size * sizeof(uint32_t));
    for (size_t i = 0; i < file->devices_len; i++) {
        put_indexes(file, i);
    }
    return ERR_OK;
}

static struct ledger_device *find_serial(const struct ledgerfile *file, struct view serial)
{
    if (file->buckets_len == 0) {
        return NULL;
    }
    uint32_t at = file->by_serial.buckets[view_hash(serial) & (file->buckets_len - 1)];
    while (at != NONE && !view_equals(serial, file->devices[at].serial)) {
        at = file->by_serial.next[at];
    }
    return at == NONE ? NULL : &file->devices[at];
}

const struct ledger_device *ledgerfile_find(const struct ledgerfile *file, struct view serial)
{
    return find_serial(file, serial);
}

const struct ledger_device *ledgerfile_find_key(const struct ledgerfile *file,
                                                const uint8_t point[static KEY_POINT_SIZE])
{
    if (file->buckets_len == 0) {
        return NULL;
    }
    uint32_t at = file->by_key.buckets[view_hash(key_view(point)) & (file->buckets_len - 1)];
    while (at != NONE && memcmp(point, file->devices[at].key, KEY_POINT_SIZE) != 0) {
        at = file->by_key.next[at];
    }
    return at == NONE ? NULL : &file->devices[at];
}

size_t ledgerfile_count(const struct ledgerfile *file)
{
    return file->devices_len;
}

size_t ledgerfile_voided(const struct ledgerfile *file)
{
    return file->voided;
}

const struct ledger_device *ledgerfile_at(const struct ledgerfile *file, size_t index)
{
    assert(index < file->devices_len);
    return &file->devices[index];
}

const struct ledger_line *ledgerfile_head(const struct ledgerfile *file)
{
    return &file->chain.head;
}

const struct ledger_chain *ledgerfile_chain(const struct ledgerfile *file)
{
    return &file->chain;
}

/** Whether a line fits what the ledger knows. */
static enum err judge(const struct ledgerfile *file, const struct ledger_line *line, struct errinfo *info)
{
    const struct ledger_device *device = find_serial(file, view_of(line->serial));
    if (line->event == LEDGER_HEAD) {
        return ERR_OK;
    }
    if (line->event == LEDGER_MADE) {
        if (device != NULL) {
            return errinfo_set(info, ERR_EXISTS, "ledger", 0, "serial %s was made before", line->serial);
        }
        device = ledgerfile_find_key(file, line->key);
        return device == NULL ? ERR_OK
                              : errinfo_set(info, ERR_EXISTS, "ledger", 0, "the key of %s is that of %s", line->serial,
                                            device->serial);
    }
    if (device == NULL) {
        return errinfo_set(info, ERR_NOTFOUND, "ledger", 0, "serial %s was not made", line->serial);
    }
    return line->event == LEDGER_TESTED && device->voided
               ? errinfo_set(info, ERR_STATE, "ledger", 0, "serial %s is void", line->serial)
               : ERR_OK;
}

/** Takes a judged line over. Room for it was made. */
static void apply(struct ledgerfile *file, const struct ledger_line *line)
{
    if (line->event == LEDGER_MADE) {
        struct ledger_device *device = &file->devices[file->devices_len];
        *device = (struct ledger_device){.tested = false};
        memcpy(device->serial, line->serial, sizeof(device->serial));
        memcpy(device->id, line->id, sizeof(device->id));
        memcpy(device->key, line->key, sizeof(device->key));
        memcpy(device->owner, line->owner, sizeof(device->owner));
        put_indexes(file, file->devices_len++);
    } else if (line->event != LEDGER_HEAD) {
        struct ledger_device *device = find_serial(file, view_of(line->serial));
        device->tested = device->tested || line->event == LEDGER_TESTED;
        file->voided += line->event == LEDGER_VOID && !device->voided;
        device->voided = device->voided || line->event == LEDGER_VOID;
    }
}

/* ---- reading the file ---- */

static enum err take_line(struct ledgerfile *file, struct view text, uint64_t number, struct errinfo *info)
{
    struct ledger_line line;
    struct errinfo inner = {0};
    enum err err = file->devices_len == file->devices_size ? grow(file) : ERR_OK;
    if (err == ERR_OK) {
        err = ledger_read(&file->chain, text, &line, &inner);
    }
    if (err == ERR_OK) {
        err = judge(file, &line, &inner);
        err = err == ERR_OK ? ERR_OK : ERR_CONFLICT;
    }
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ledger", 0, "%s:%" PRIu64 ": %s", file->path, number,
                           inner.text[0] != '\0' ? inner.text : err_text(err));
    }
    apply(file, &line);
    return ERR_OK;
}

/** What follows the last newline is a torn line: kept aside for people, and cut off. */
static enum err cut_torn(struct ledgerfile *file, struct view torn, struct errinfo *info)
{
    char aside[PATH_MAX];
    int n = snprintf(aside, sizeof(aside), "%s.torn", file->path);
    if (n < 0 || (size_t)n >= sizeof(aside)) {
        return failed(file, ERR_LIMIT, "set a torn line aside", info);
    }
    enum err err = file_replace(aside, torn, FILE_MODE);
    if (err != ERR_OK) {
        return failed(file, err, "set a torn line aside", info);
    }
    return ftruncate(file->fd, (off_t)file->size) == 0 && fdatasync(file->fd) == 0
               ? ERR_OK
               : failed_now(file, "cut off a torn line", info);
}

static enum err read_text(struct ledgerfile *file, struct view text, size_t *ret_torn, struct errinfo *info)
{
    enum err err = ERR_OK;
    for (uint64_t number = 1; err == ERR_OK && text.len > 0; number++) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        if (newline == NULL) {
            *ret_torn = text.len;
            return file->station != NULL ? cut_torn(file, text, info) : ERR_OK;
        }
        size_t len = (size_t)(newline - text.ptr);
        err = take_line(file, view_n(text.ptr, len), number, info);
        text = view_n(newline + 1, text.len - len - 1);
        file->size += len + 1;
    }
    return err;
}

static enum err read_file(struct ledgerfile *file, size_t *ret_torn, struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(file->path, LEDGER_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return failed(file, err, "read", info);
    }
    err = read_text(file, view_n(text, len), ret_torn, info);
    free(text);
    return err;
}

/* ---- opening ---- */

static enum err check_head(struct ledgerfile *file, const struct ledger_line *head, struct errinfo *info)
{
    const struct ledger_line *own = &file->chain.head;
    uint8_t point[KEY_POINT_SIZE];
    if (head != NULL && (strcmp(head->batch, own->batch) != 0 || strcmp(head->station, own->station) != 0 ||
                         memcmp(head->manifest, own->manifest, SHA256_SIZE) != 0)) {
        return errinfo_set(info, ERR_CONFLICT, "ledger", 0,
                           "%s: is batch %s of station %s, with another manifest or name", file->path, own->batch,
                           own->station);
    }
    if (file->station != NULL) {
        key_public(file->station, point);
        if (memcmp(point, own->key, sizeof(point)) != 0) {
            return errinfo_set(info, ERR_CONFLICT, "ledger", 0, "%s: was begun with another station key", file->path);
        }
    }
    return ERR_OK;
}

static enum err sync_parent(struct ledgerfile *file, struct errinfo *info)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file->path, '/');
    int n = slash == NULL ? snprintf(folder, sizeof(folder), ".")
                          : snprintf(folder, sizeof(folder), "%.*s", (int)MAX(slash - file->path, 1), file->path);
    if (n < 0 || (size_t)n >= sizeof(folder)) {
        return failed(file, ERR_LIMIT, "begin it", info);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed_now(file, "begin it", info);
    }
    enum err err = fsync(fd) == 0 ? ERR_OK : failed_now(file, "begin it", info);
    (void)close(fd); /* nothing was written through it */
    return err;
}

static enum err open_fd(struct ledgerfile *file, bool create, struct errinfo *info)
{
    int flags = file->station == NULL ? O_RDONLY : O_RDWR | O_APPEND | (create ? O_CREAT : 0);
    file->fd = open(file->path, flags | O_CLOEXEC, FILE_MODE);
    if (file->fd < 0) {
        return failed_now(file, "open", info);
    }
    if (file->station != NULL && flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? errinfo_set(info, ERR_AGAIN, "ledger", errno, "%s: another station program has it", file->path)
                   : failed_now(file, "lock", info);
    }
    return ERR_OK;
}

static enum err begin(struct ledgerfile *file, const struct ledger_line *head, struct errinfo *info)
{
    if (file->chain.begun) {
        return check_head(file, head, info);
    }
    if (head == NULL || file->station == NULL) {
        return errinfo_set(info, ERR_CORRUPT, "ledger", 0, "%s: holds no line", file->path);
    }
    enum err err = ledgerfile_add(file, head, info);
    return err == ERR_OK ? sync_parent(file, info) : err;
}

enum err ledgerfile_open(const char *path, const struct ledger_line *head, struct key *station, size_t *ret_torn,
                         struct ledgerfile **ret_file, struct errinfo *info)
{
    size_t torn = 0;
    struct ledgerfile *file = calloc(1, sizeof(*file));
    if (file == NULL || (file->path = strdup(path)) == NULL) {
        free(file);
        return errinfo_set(info, ERR_NOMEM, "ledger", 0, "out of memory");
    }
    file->fd = -1;
    file->station = station;
    enum err err = open_fd(file, head != NULL, info);
    if (err == ERR_OK) {
        err = read_file(file, &torn, info);
    }
    if (err == ERR_OK) {
        err = begin(file, head, info);
    }
    if (err != ERR_OK) {
        ledgerfile_close(file);
        return err;
    }
    if (ret_torn != NULL) {
        *ret_torn = torn;
    }
    *ret_file = file;
    return ERR_OK;
}

void ledgerfile_close(struct ledgerfile *file)
{
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        (void)close(file->fd); /* every line was synced when it was added; the lock goes with it */
    }
    free(file->devices);
    free(file->by_serial.buckets);
    free(file->by_serial.next);
    free(file->by_key.buckets);
    free(file->by_key.next);
    free(file->path);
    free(file);
}

/* ---- adding ---- */

static bool write_whole(int fd, struct view text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text = view_n(text.ptr + n, text.len - (size_t)n);
    }
    return fdatasync(fd) == 0;
}

static enum err write_line(struct ledgerfile *file, struct view text, struct errinfo *info)
{
    if (write_whole(file->fd, text)) {
        file->size += text.len;
        return ERR_OK;
    }
    enum err err = failed_now(file, "write", info);
    file->broken = ftruncate(file->fd, (off_t)file->size) != 0; /* the next start cuts it off as a torn line */
    return err;
}

enum err ledgerfile_add(struct ledgerfile *file, const struct ledger_line *line, struct errinfo *info)
{
    if (file->station == NULL) {
        return errinfo_set(info, ERR_STATE, "ledger", 0, "%s: is open for reading alone", file->path);
    }
    if (file->broken) {
        return errinfo_set(info, ERR_IO, "ledger", 0, "%s: was not written whole: mend the disk, start again",
                           file->path);
    }
    struct strbuf text;
    struct ledger_chain chain = file->chain;
    strbuf_init(&text, LEDGER_LINE_MAX + 1);
    enum err err = judge(file, line, info);
    if (err == ERR_OK && file->devices_len == file->devices_size) {
        err = grow(file);
    }
    if (err == ERR_OK) {
        err = ledger_write(&chain, line, file->station, &text);
        if (err != ERR_OK) {
            (void)failed(file, err, "make the line", info); /* returned below */
        }
    }
    if (err == ERR_OK) {
        err = write_line(file, strbuf_view(&text), info);
    }
    if (err == ERR_OK) {
        file->chain = chain;
        apply(file, line);
    }
    strbuf_deinit(&text);
    return err;
}
