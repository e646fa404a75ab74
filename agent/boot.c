/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/boot.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/view.h"

#define BOOT_FILE_MAX  64 /* "boot 4294967295 0123456789abcdef\n" is 33 bytes */
#define BOOT_FILE_MODE 0600

const char *boot_origin_text(enum boot_origin origin)
{
    static const char *const texts[] = {[BOOT_RAISED] = "raised", [BOOT_FRESH] = "fresh", [BOOT_DAMAGED] = "damaged"};
    return texts[origin];
}

static enum err boot_path(const char *state_dir, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/boot", state_dir);
    return n < 0 || n >= PATH_MAX ? ERR_LIMIT : ERR_OK;
}

/* Against torn or foreign content only; nobody gains by forging it. */
static uint64_t check_of(uint32_t boot)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "muster boot %" PRIu32, boot);
    return view_hash(view_n(text, (size_t)n));
}

static int line_of(uint32_t boot, char line[static BOOT_FILE_MAX])
{
    return snprintf(line, BOOT_FILE_MAX, "boot %" PRIu32 " %016" PRIx64 "\n", boot, check_of(boot));
}

static bool parse(struct view text, uint32_t *ret_boot)
{
    struct view rest = text, word = {0};
    uint64_t value = 0;
    if (!view_next(&rest, ' ', &word) || !view_equals(word, "boot") || !view_next(&rest, ' ', &word) ||
        view_to_u64(word, UINT32_MAX, &value) != ERR_OK) {
        return false;
    }
    char line[BOOT_FILE_MAX];
    int n = line_of((uint32_t)value, line);
    if (!view_equal(text, view_n(line, (size_t)n))) {
        return false;
    }
    *ret_boot = (uint32_t)value;
    return true;
}

static enum boot_origin read_last(const char *path, uint32_t *ret_last)
{
    char *data = NULL;
    size_t len = 0;
    *ret_last = 0;
    enum err err = file_read(path, BOOT_FILE_MAX, &data, &len);
    if (err != ERR_OK) {
        return err == ERR_NOTFOUND ? BOOT_FRESH : BOOT_DAMAGED;
    }
    bool good = parse(view_n(data, len), ret_last);
    free(data);
    return good ? BOOT_RAISED : BOOT_DAMAGED;
}

enum err boot_store(const char *state_dir, uint32_t boot)
{
    char path[PATH_MAX];
    enum err err = boot_path(state_dir, path);
    if (err != ERR_OK) {
        return err;
    }
    char line[BOOT_FILE_MAX];
    int n = line_of(boot, line);
    return file_replace(path, view_n(line, (size_t)n), BOOT_FILE_MODE);
}

enum err boot_raise(const char *state_dir, struct boot_start *ret_start)
{
    char path[PATH_MAX];
    uint32_t last = 0;
    *ret_start = (struct boot_start){.boot = 1, .origin = BOOT_DAMAGED};
    enum err err = boot_path(state_dir, path);
    if (err != ERR_OK) {
        return err;
    }
    ret_start->origin = read_last(path, &last);
    if (last == UINT32_MAX) {
        ret_start->boot = UINT32_MAX;
        return ERR_RANGE;
    }
    ret_start->boot = last + 1;
    return boot_store(state_dir, ret_start->boot);
}
