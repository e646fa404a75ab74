/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import.h"

#include <string.h>

#include "base/crypto.h"
#include "base/strbuf.h"

void import_file_init(struct import_file *file)
{
    *file = (struct import_file){0};
    arena_init(&file->arena, IMPORT_ARENA_MAX);
}

static void wipe_setting(const struct import_setting *setting)
{
    char *value = (char *)(uintptr_t)setting->value; /* the arena's own memory, and nobody else's */
    crypto_zeroise(value, strlen(value));
}

static void wipe(const struct import_section *section)
{
    for (size_t i = 0; i < section->settings_len; i++) {
        wipe_setting(&section->settings[i]);
    }
}

void import_file_deinit(struct import_file *file)
{
    wipe(&file->all);
    for (size_t i = 0; i < file->sections_len; i++) {
        wipe(&file->sections[i]);
    }
    arena_deinit(&file->arena);
}

/* Room for one more at the end of an array that lives in the arena. */
static enum err grow(struct arena *arena, void **items, size_t len, size_t *size, size_t item_size, size_t max)
{
    if (len >= max) {
        return ERR_LIMIT;
    }
    if (len < *size) {
        return ERR_OK;
    }
    size_t more = *size == 0 ? 8 : *size * 2;
    void *grown = arena_alloc(arena, more * item_size);
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    if (len > 0) {
        memcpy(grown, *items, len * item_size);
    }
    *items = grown;
    *size = more;
    return ERR_OK;
}

enum err import_add_section(struct import_file *file, struct view id, uint32_t line, bool custom,
                            struct import_section **ret_section)
{
    void *items = file->sections;
    enum err err = grow(&file->arena, &items, file->sections_len, &file->sections_size, sizeof(*file->sections),
                        IMPORT_SECTIONS_MAX);
    file->sections = items;
    char *text = err == ERR_OK ? arena_strdup(&file->arena, id) : NULL;
    if (text == NULL) {
        return err == ERR_OK ? ERR_NOMEM : err;
    }
    *ret_section = &file->sections[file->sections_len++];
    **ret_section = (struct import_section){.id = text, .line = line, .custom = custom};
    return ERR_OK;
}

enum err import_add_setting(struct import_file *file, struct import_section *section, struct view key,
                            struct view value, uint32_t line)
{
    void *items = section->settings;
    enum err err = grow(&file->arena, &items, section->settings_len, &section->settings_size,
                        sizeof(*section->settings), IMPORT_SETTINGS_MAX);
    section->settings = items;
    if (err != ERR_OK) {
        return err;
    }
    struct import_setting *setting = &section->settings[section->settings_len];
    *setting = (struct import_setting){
        .key = arena_strdup(&file->arena, key), .value = arena_strdup(&file->arena, value), .line = line};
    if (setting->key == NULL || setting->value == NULL) {
        return ERR_NOMEM;
    }
    section->settings_len++;
    return ERR_OK;
}

const char *import_path_of(const struct import_file *file, uint32_t place)
{
    size_t number = place >> IMPORT_LINE_BITS;
    return number > 0 && number <= file->includes_len ? file->includes[number - 1] : NULL;
}

enum err import_add_include(struct import_file *file, struct view path, const char **ret_path, uint32_t *ret_place)
{
    struct strbuf whole;
    bool relative = path.len > 0 && *path.ptr != '/' && file->folder != NULL;
    if (file->includes_len == IMPORT_INCLUDES_MAX) {
        return ERR_LIMIT;
    }
    strbuf_init(&whole, IMPORT_FILE_MAX);
    enum err err = strbuf_addf(&whole, "%s%s%.*s", relative ? file->folder : "", relative ? "/" : "", VIEW_ARG(path));
    const char *kept = err == ERR_OK ? arena_strdup(&file->arena, strbuf_view(&whole)) : NULL;
    strbuf_deinit(&whole);
    if (kept == NULL) {
        return err == ERR_OK ? ERR_NOMEM : err;
    }
    file->includes[file->includes_len++] = kept;
    *ret_path = kept;
    *ret_place = (uint32_t)file->includes_len << IMPORT_LINE_BITS;
    return ERR_OK;
}

void import_remove(struct import_section *section, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < section->settings_len; i++) {
        if (strcmp(section->settings[i].key, key) == 0) {
            wipe_setting(&section->settings[i]);
        } else {
            section->settings[kept++] = section->settings[i];
        }
    }
    section->settings_len = kept;
}

enum err import_add_host(struct import_file *file, struct import_section *section, struct view name, uint32_t line)
{
    void *items = section->hosts;
    enum err err =
        grow(&file->arena, &items, section->hosts_len, &section->hosts_size, sizeof(*section->hosts), IMPORT_HOSTS_MAX);
    section->hosts = items;
    char *text = err == ERR_OK ? arena_strdup(&file->arena, name) : NULL;
    if (text == NULL) {
        return err == ERR_OK ? ERR_NOMEM : err;
    }
    section->hosts[section->hosts_len++] = (struct import_host){.name = text, .line = line};
    return ERR_OK;
}

const struct import_setting *import_find(const struct import_section *section, const char *key)
{
    for (size_t i = section->settings_len; i > 0; i--) {
        if (strcmp(section->settings[i - 1].key, key) == 0) {
            return &section->settings[i - 1];
        }
    }
    return NULL;
}
