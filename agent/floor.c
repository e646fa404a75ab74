/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/floor.h"

#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/view.h"

#define MS_PER_S    1000
#define LAST_S      4102444800 /* 2100-01-01: what claims to be later is no time */
#define FILE_MAX    32
#define FILE_MODE   0600
#define SAVE_EACH_S 86400 /* flash wears; a day less makes no certificate valid or invalid that lives for months */

/* Each as the wall time at boot, so that all of them run: wall = value + clock_boot_ms. 0: none. */
static _Atomic int64_t floor_ms, tried_ms;
static _Atomic bool has_signed;
static const char *folder;
static int64_t saved_s;

static int64_t since_boot(int64_t wall_ms)
{
    return wall_ms - (int64_t)clock_boot_ms();
}

static void raise_to(_Atomic int64_t *mark, int64_t wall_ms)
{
    int64_t value = since_boot(wall_ms), before = atomic_load(mark);
    while (before < value && !atomic_compare_exchange_weak(mark, &before, value)) {
    }
}

static int64_t read_floor(void)
{
    int64_t base = atomic_load(&floor_ms), tried = atomic_load(&tried_ms);
    base = tried > base ? tried : base;
    return base + (int64_t)clock_boot_ms();
}

int64_t floor_now_ms(void)
{
    int64_t wall = clock_wall_ms(), least = read_floor();
    return wall > least ? wall : least;
}

enum floor_kind floor_kind(void)
{
    if (clock_wall_ms() >= read_floor()) {
        return FLOOR_CLOCK;
    }
    return atomic_load(&has_signed) ? FLOOR_SIGNED : FLOOR_SAVED;
}

/* Found before libc's by every library of the process, OpenSSL's libcrypto above all. */
__attribute__((visibility("default"), used)) time_t time(time_t *ret_seconds)
{
    time_t now = (time_t)(floor_now_ms() / MS_PER_S);
    if (ret_seconds != NULL) {
        *ret_seconds = now;
    }
    return now;
}

static enum err path_of(char ret_path[static PATH_MAX])
{
    int n = snprintf(ret_path, PATH_MAX, "%s/clock", folder != NULL ? folder : "");
    return folder == NULL || n < 0 || n >= PATH_MAX ? ERR_LIMIT : ERR_OK;
}

void floor_start(const char *state_dir)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    uint64_t value = 0;
    folder = state_dir;
    saved_s = 0;
    atomic_store(&has_signed, false);
    atomic_store(&tried_ms, since_boot(0));
    atomic_store(&floor_ms, since_boot(clock_wall_floor_ms()));
    if (path_of(path) != ERR_OK || file_read(path, FILE_MAX, &text, &len) != ERR_OK) {
        return;
    }
    if (view_to_u64(view_trim(view_n(text, len)), LAST_S, &value) == ERR_OK) {
        saved_s = (int64_t)value;
        raise_to(&floor_ms, saved_s * MS_PER_S);
    }
    free(text);
}

static enum err save(int64_t wall_s)
{
    char path[PATH_MAX], line[FILE_MAX];
    if (wall_s < saved_s + SAVE_EACH_S) {
        return ERR_OK;
    }
    enum err err = path_of(path);
    int n = snprintf(line, sizeof(line), "%" PRId64 "\n", wall_s);
    err = err != ERR_OK ? err : file_replace(path, view_n(line, (size_t)n), FILE_MODE);
    saved_s = err == ERR_OK ? wall_s : saved_s;
    return err;
}

bool floor_try(int64_t wall_s)
{
    if (wall_s > LAST_S || wall_s <= floor_now_ms() / MS_PER_S) {
        return false;
    }
    atomic_store(&tried_ms, since_boot(wall_s * MS_PER_S));
    return true;
}

enum err floor_keep(void)
{
    int64_t tried = atomic_exchange(&tried_ms, since_boot(0)) + (int64_t)clock_boot_ms();
    return tried > read_floor() ? floor_signed(tried / MS_PER_S) : ERR_OK;
}

void floor_drop(void)
{
    atomic_store(&tried_ms, since_boot(0));
}

enum err floor_signed(int64_t wall_s)
{
    if (wall_s < 0 || wall_s > LAST_S) {
        return ERR_RANGE;
    }
    raise_to(&floor_ms, wall_s * MS_PER_S);
    atomic_store(&has_signed, true);
    return save(wall_s);
}
