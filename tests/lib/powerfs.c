/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/powerfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define SECTOR    512
#define FILES_MAX 16
#define SHM_MAX   64

struct bytes {
    unsigned char *ptr;
    size_t len, size;
};

struct change { /* one volatile write, or a truncation (data NULL) to `at` */
    size_t at, len;
    unsigned char *data;
};

struct pfile {
    char *name;
    bool linked, linked_durable; /* has its name: now, after a power cut */
    bool dir_sync;               /* its first sync also syncs the folder */
    int opened;
    struct bytes live, durable;
    struct change *changes;
    size_t changes_len;
};

struct powerfs {
    sqlite3_vfs vfs;
    struct pfile *files[FILES_MAX]; /* unnamed and unopened ones go at reboot */
    size_t files_len;
    uint64_t steps, fault_at, random;
    enum powerfs_fault fault;
    bool struck, dead;
    int last_errno;
};

struct handle {
    sqlite3_file base;
    struct powerfs *fs;
    struct pfile *file;
    void *shm[SHM_MAX];
};

static void *must(void *pointer)
{
    if (pointer == NULL) {
        abort();
    }
    return pointer;
}

static uint32_t draw(struct powerfs *fs, uint32_t below)
{
    fs->random = fs->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return below == 0 ? 0 : (uint32_t)(fs->random >> 33) % below;
}

static void bytes_resize(struct bytes *bytes, size_t len)
{
    if (len > bytes->size) {
        bytes->size = MAX(len, bytes->size * 2);
        bytes->ptr = must(realloc(bytes->ptr, bytes->size));
    }
    if (len > bytes->len) {
        memset(bytes->ptr + bytes->len, 0, len - bytes->len);
    }
    bytes->len = len;
}

static void bytes_write(struct bytes *bytes, size_t at, const unsigned char *data, size_t len)
{
    if (len == 0) {
        return;
    }
    if (at + len > bytes->len) {
        bytes_resize(bytes, at + len);
    }
    memcpy(bytes->ptr + at, data, len);
}

static void bytes_change(struct bytes *bytes, const struct change *change, size_t len)
{
    if (change->data != NULL) {
        bytes_write(bytes, change->at, change->data, len);
    } else {
        bytes_resize(bytes, change->at);
    }
}

static void changes_drop(struct pfile *file)
{
    for (size_t i = 0; i < file->changes_len; i++) {
        free(file->changes[i].data);
    }
    free(file->changes);
    file->changes = NULL;
    file->changes_len = 0;
}

static void change_add(struct pfile *file, size_t at, const void *data, size_t len)
{
    file->changes = must(realloc(file->changes, (file->changes_len + 1) * sizeof(*file->changes)));
    struct change *change = &file->changes[file->changes_len++];
    *change = (struct change){.at = at, .len = len};
    if (data != NULL) {
        change->data = must(malloc(len));
        memcpy(change->data, data, len);
    }
    bytes_change(&file->live, change, len);
}

static struct pfile *find(struct powerfs *fs, const char *name)
{
    for (size_t i = 0; i < fs->files_len; i++) {
        if (fs->files[i]->linked && strcmp(fs->files[i]->name, name) == 0) {
            return fs->files[i];
        }
    }
    return NULL;
}

static void file_free(struct pfile *file)
{
    changes_drop(file);
    free(file->live.ptr);
    free(file->durable.ptr);
    free(file->name);
    free(file);
}

/* Files that no name and no handle lead to, now or after a power cut. */
static void collect(struct powerfs *fs)
{
    size_t kept = 0;
    for (size_t i = 0; i < fs->files_len; i++) {
        struct pfile *file = fs->files[i];
        if (file->linked || file->linked_durable || file->opened > 0) {
            fs->files[kept++] = file;
        } else {
            file_free(file);
        }
    }
    fs->files_len = kept;
}

static void sync_folder(struct powerfs *fs)
{
    for (size_t i = 0; i < fs->files_len; i++) {
        fs->files[i]->linked_durable = fs->files[i]->linked;
    }
}

static int fail(struct powerfs *fs, int native, int rc)
{
    fs->last_errno = native;
    return rc;
}

enum step { STEP_WRITE, STEP_GROW, STEP_TRUNCATE, STEP_SYNC, STEP_DELETE };

/* Counts a step and says whether it fails: SQLITE_OK or the code to return. */
static int step(struct powerfs *fs, enum step kind, int io_code)
{
    if (fs->dead) {
        return fail(fs, EIO, io_code);
    }
    fs->steps++;
    bool now = fs->fault != POWERFS_NONE && fs->steps == fs->fault_at;
    bool since = fs->fault != POWERFS_NONE && fs->steps >= fs->fault_at;
    bool writes = kind == STEP_WRITE || kind == STEP_GROW;
    switch (fs->fault) {
    case POWERFS_CUT:
        fs->struck = fs->dead = since;
        return since ? fail(fs, EIO, io_code) : SQLITE_OK;
    case POWERFS_EIO:
        fs->struck |= now;
        return now ? fail(fs, EIO, io_code) : SQLITE_OK;
    case POWERFS_FULL_ONCE:
        fs->struck |= now && writes;
        return now && writes ? fail(fs, ENOSPC, SQLITE_FULL) : SQLITE_OK;
    case POWERFS_FULL:
        fs->struck |= since && kind == STEP_GROW;
        return since && kind == STEP_GROW ? fail(fs, ENOSPC, SQLITE_FULL) : SQLITE_OK;
    case POWERFS_READONLY:
        fs->struck |= since;
        return since ? fail(fs, EROFS, kind == STEP_SYNC ? SQLITE_OK : io_code) : SQLITE_OK;
    case POWERFS_NONE:
        break;
    }
    return SQLITE_OK;
}

static int x_close(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base;
    handle->file->opened--;
    for (size_t i = 0; i < SHM_MAX; i++) {
        free(handle->shm[i]);
    }
    collect(handle->fs);
    return SQLITE_OK;
}

static int x_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset)
{
    const struct handle *handle = (const struct handle *)base;
    const struct bytes *live = &handle->file->live;
    size_t at = (size_t)offset, want = (size_t)amount;
    if (handle->fs->dead) {
        return fail(handle->fs, EIO, SQLITE_IOERR_READ);
    }
    size_t have = at < live->len ? MIN(want, live->len - at) : 0;
    if (have > 0) {
        memcpy(buffer, live->ptr + at, have);
    }
    memset((char *)buffer + have, 0, want - have);
    return have == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int x_write(sqlite3_file *base, const void *data, int amount, sqlite3_int64 offset)
{
    struct handle *handle = (struct handle *)base;
    size_t at = (size_t)offset, len = (size_t)amount;
    bool grows = at + len > handle->file->live.len;
    bool was_dead = handle->fs->dead;
    int rc = step(handle->fs, grows ? STEP_GROW : STEP_WRITE, SQLITE_IOERR_WRITE);
    if (rc == SQLITE_OK || (handle->fs->dead && !was_dead)) {
        change_add(handle->file, at, data, len); /* the write under way at the cut is volatile like those before it */
    }
    return rc;
}

static int x_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct handle *handle = (struct handle *)base;
    int rc = step(handle->fs, STEP_TRUNCATE, SQLITE_IOERR_TRUNCATE);
    if (rc == SQLITE_OK) {
        change_add(handle->file, (size_t)size, NULL, 0);
    }
    return rc;
}

static int x_sync(sqlite3_file *base, int flags)
{
    (void)flags; /* data-only or whole: the length counts as data here, as fdatasync has it */
    struct handle *handle = (struct handle *)base;
    struct pfile *file = handle->file;
    int rc = step(handle->fs, STEP_SYNC, SQLITE_IOERR_FSYNC);
    if (rc == SQLITE_OK) {
        for (size_t i = 0; i < file->changes_len; i++) {
            bytes_change(&file->durable, &file->changes[i], file->changes[i].len);
        }
        if (file->dir_sync) {
            sync_folder(handle->fs);
            file->dir_sync = false;
        }
    }
    if (!handle->fs->dead) {
        changes_drop(file); /* after a failure: clean in the page cache, never on the disk */
    }
    return rc;
}

static int x_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    *ret_size = (sqlite3_int64)((const struct handle *)base)->file->live.len;
    return SQLITE_OK;
}

/* One connection: no lock is ever in the way. */
static int x_lock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int x_reserved(sqlite3_file *base, int *ret_reserved)
{
    (void)base;
    *ret_reserved = 0;
    return SQLITE_OK;
}

static int x_control(sqlite3_file *base, int op, void *argument)
{
    (void)base, (void)op, (void)argument;
    return SQLITE_NOTFOUND;
}

static int x_sector(sqlite3_file *base)
{
    (void)base;
    return 4096; /* what the unix VFS says */
}

static int x_traits(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* what the unix VFS says */
}

static int x_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret_memory)
{
    struct handle *handle = (struct handle *)base;
    if (region >= SHM_MAX) {
        return SQLITE_IOERR_SHMMAP;
    }
    if (handle->shm[region] == NULL && extend) {
        handle->shm[region] = must(calloc(1, (size_t)size));
    }
    *ret_memory = handle->shm[region];
    return SQLITE_OK;
}

static int x_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    (void)base, (void)offset, (void)count, (void)flags;
    return SQLITE_OK;
}

static void x_shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int x_shm_unmap(sqlite3_file *base, int remove)
{
    (void)remove;
    struct handle *handle = (struct handle *)base;
    for (size_t i = 0; i < SHM_MAX; i++) {
        free(handle->shm[i]);
        handle->shm[i] = NULL;
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_lock,
    .xCheckReservedLock = x_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_traits,
    .xShmMap = x_shm_map,
    .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier,
    .xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    struct powerfs *fs = vfs->pAppData;
    struct handle *handle = (struct handle *)base;
    base->pMethods = NULL;
    struct pfile *file = name != NULL ? find(fs, name) : NULL;
    if (fs->dead || (file == NULL && (flags & SQLITE_OPEN_CREATE) == 0)) {
        return fail(fs, fs->dead ? EIO : ENOENT, SQLITE_CANTOPEN);
    }
    if (file == NULL) {
        if (fs->files_len == FILES_MAX) {
            abort();
        }
        if (fs->fault == POWERFS_READONLY && fs->steps + 1 >= fs->fault_at) {
            fs->struck = true;
            return fail(fs, EROFS, SQLITE_CANTOPEN);
        }
        file = must(calloc(1, sizeof(*file)));
        file->name = must(strdup(name != NULL ? name : ""));
        file->linked = name != NULL;
        file->dir_sync = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
        fs->files[fs->files_len++] = file;
    }
    file->opened++;
    *handle = (struct handle){.base.pMethods = &methods, .fs = fs, .file = file};
    if (ret_flags != NULL) {
        *ret_flags = flags;
    }
    return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    struct powerfs *fs = vfs->pAppData;
    struct pfile *file = find(fs, name);
    if (file == NULL) {
        return fail(fs, ENOENT, SQLITE_IOERR_DELETE_NOENT);
    }
    int rc = step(fs, STEP_DELETE, SQLITE_IOERR_DELETE);
    if (rc == SQLITE_OK) {
        file->linked = false;
        if (sync_dir) {
            sync_folder(fs);
        }
        collect(fs);
    }
    return rc;
}

static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_result)
{
    (void)flags; /* what exists may be read and written */
    *ret_result = find(vfs->pAppData, name) != NULL;
    return SQLITE_OK;
}

static int x_path(sqlite3_vfs *vfs, const char *name, int size, char *ret_path)
{
    (void)vfs;
    (void)sqlite3_snprintf(size, ret_path, "%s", name); /* names here are short */
    return SQLITE_OK;
}

static int x_last_error(sqlite3_vfs *vfs, int size, char *ret_text)
{
    (void)size, (void)ret_text;
    return ((struct powerfs *)vfs->pAppData)->last_errno;
}

struct powerfs *powerfs_new(uint64_t seed)
{
    struct powerfs *fs = must(calloc(1, sizeof(*fs)));
    fs->vfs = *(sqlite3_vfs *)must(sqlite3_vfs_find(NULL)); /* clock, randomness and sleep stay the system's */
    fs->vfs.iVersion = 2;
    fs->vfs.pNext = NULL;
    fs->vfs.zName = POWERFS_NAME;
    fs->vfs.szOsFile = (int)sizeof(struct handle);
    fs->vfs.pAppData = fs;
    fs->vfs.xOpen = x_open;
    fs->vfs.xDelete = x_delete;
    fs->vfs.xAccess = x_access;
    fs->vfs.xFullPathname = x_path;
    fs->vfs.xGetLastError = x_last_error;
    fs->random = seed;
    if (sqlite3_vfs_register(&fs->vfs, 0) != SQLITE_OK) {
        abort();
    }
    return fs;
}

void powerfs_free(struct powerfs *fs)
{
    (void)sqlite3_vfs_unregister(&fs->vfs); /* it was registered */
    for (size_t i = 0; i < fs->files_len; i++) {
        file_free(fs->files[i]);
    }
    free(fs);
}

void powerfs_plan(struct powerfs *fs, enum powerfs_fault fault, uint64_t at)
{
    fs->fault = fault;
    fs->fault_at = at;
    fs->steps = 0;
    fs->struck = false;
}

uint64_t powerfs_steps(const struct powerfs *fs)
{
    return fs->steps;
}

bool powerfs_struck(const struct powerfs *fs)
{
    return fs->struck;
}

/* The durable bytes become those that the survival lets through. */
static void settle(struct powerfs *fs, struct pfile *file, enum powerfs_survival survival)
{
    size_t torn = survival == POWERFS_TORN ? draw(fs, (uint32_t)file->changes_len + 1) : SIZE_MAX;
    for (size_t i = 0; i < file->changes_len; i++) {
        const struct change *change = &file->changes[i];
        bool kept = survival == POWERFS_KEEP_ALL || (survival == POWERFS_KEEP_SOME && draw(fs, 2) == 1) ||
                    (survival == POWERFS_TORN && i < torn);
        if (kept) {
            bytes_change(&file->durable, change, change->len);
        } else if (i == torn && change->data != NULL) {
            size_t len = (size_t)draw(fs, (uint32_t)(change->len / SECTOR) + 1) * SECTOR;
            bytes_change(&file->durable, change, MIN(len, change->len));
        }
    }
    changes_drop(file);
    bytes_resize(&file->live, file->durable.len);
    if (file->durable.len > 0) {
        memcpy(file->live.ptr, file->durable.ptr, file->durable.len);
    }
}

void powerfs_reboot(struct powerfs *fs, enum powerfs_survival survival)
{
    bool names_kept = survival == POWERFS_KEEP_ALL || (survival == POWERFS_KEEP_SOME && draw(fs, 2) == 1);
    if (names_kept) {
        sync_folder(fs);
    }
    for (size_t i = 0; i < fs->files_len; i++) {
        if (fs->files[i]->opened > 0) {
            abort(); /* the test has left a store open */
        }
        settle(fs, fs->files[i], survival);
        fs->files[i]->linked = fs->files[i]->linked_durable;
    }
    collect(fs);
    fs->dead = false;
    powerfs_plan(fs, POWERFS_NONE, 0);
}

void powerfs_damage(struct powerfs *fs, const char *suffix, uint64_t offset, const void *bytes, uint64_t len)
{
    for (size_t i = 0; i < fs->files_len; i++) {
        struct pfile *file = fs->files[i];
        size_t name = strlen(file->name), end = strlen(suffix);
        if (name >= end && strcmp(file->name + name - end, suffix) == 0) {
            bytes_write(&file->live, (size_t)offset, bytes, (size_t)len);
            bytes_write(&file->durable, (size_t)offset, bytes, (size_t)len);
        }
    }
}
