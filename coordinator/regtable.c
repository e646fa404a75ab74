/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/regtable.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define TEXTS_MAX ((size_t)64 << 20) /* bytes of groups, sites and suspicions: a million sites of a sentence each */
#define ROWS_MIN  1024

struct regtable {
    struct reg_row *rows; /* owned; a row that was never made has state STORE_REG_UNTOLD and no flag */
    uint32_t rows_len;
    struct arena arena;
    const char **texts; /* owned; [0] is "" */
    uint32_t texts_len, texts_size;
    uint32_t *slots; /* owned; text + 1, 0 = free; a power of two, at most half full */
    size_t slots_len;
};

static enum err grow_texts(struct regtable *table)
{
    uint32_t size = table->texts_size == 0 ? 64 : table->texts_size * 2;
    const char **texts = realloc(table->texts, size * sizeof(*texts));
    if (texts == NULL) {
        return ERR_NOMEM;
    }
    table->texts = texts;
    uint32_t *slots = calloc((size_t)size * 2, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    free(table->slots);
    table->slots = slots;
    table->slots_len = (size_t)size * 2;
    table->texts_size = size;
    for (uint32_t i = 0; i < table->texts_len; i++) {
        size_t at = view_hash(view_of(texts[i])) & (table->slots_len - 1);
        while (slots[at] != 0) {
            at = (at + 1) & (table->slots_len - 1);
        }
        slots[at] = i + 1;
    }
    return ERR_OK;
}

enum err regtable_new(struct regtable **ret_table)
{
    struct regtable *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&table->arena, TEXTS_MAX);
    uint32_t none;
    if (regtable_keep(table, VIEW_LITERAL(""), &none) != ERR_OK) {
        regtable_free(table);
        return ERR_NOMEM;
    }
    *ret_table = table;
    return ERR_OK;
}

void regtable_free(struct regtable *table)
{
    if (table == NULL) {
        return;
    }
    free(table->rows);
    free(table->texts);
    free(table->slots);
    arena_deinit(&table->arena);
    free(table);
}

static bool was_made(const struct reg_row *row)
{
    return row->state != STORE_REG_UNTOLD || row->suspect != 0 || row->flags != 0 || row->suspect_s != 0;
}

struct reg_row *regtable_find(const struct regtable *table, uint32_t device)
{
    return device < table->rows_len && was_made(&table->rows[device]) ? &table->rows[device] : NULL;
}

enum err regtable_get(struct regtable *table, uint32_t device, struct reg_row **ret_row)
{
    if (device >= table->rows_len) {
        uint32_t len = MAX(MAX(table->rows_len + table->rows_len / 2, device + 1), (uint32_t)ROWS_MIN);
        struct reg_row *rows = realloc(table->rows, len * sizeof(*rows));
        if (rows == NULL) {
            return ERR_NOMEM;
        }
        for (uint32_t i = table->rows_len; i < len; i++) {
            rows[i] = (struct reg_row){.state = STORE_REG_UNTOLD};
        }
        table->rows = rows;
        table->rows_len = len;
    }
    *ret_row = &table->rows[device];
    return ERR_OK;
}

uint32_t regtable_end(const struct regtable *table)
{
    return table->rows_len;
}

enum err regtable_keep(struct regtable *table, struct view text, uint32_t *ret_ref)
{
    size_t mask = table->slots_len - 1;
    for (size_t at = view_hash(text) & mask; table->slots_len > 0 && table->slots[at] != 0; at = (at + 1) & mask) {
        if (view_equals(text, table->texts[table->slots[at] - 1])) {
            *ret_ref = table->slots[at] - 1;
            return ERR_OK;
        }
    }
    enum err err = table->texts_len == table->texts_size ? grow_texts(table) : ERR_OK;
    const char *kept = err == ERR_OK ? arena_strdup(&table->arena, text) : NULL;
    if (kept == NULL) {
        return ERR_NOMEM;
    }
    size_t at = view_hash(text) & (table->slots_len - 1);
    while (table->slots[at] != 0) {
        at = (at + 1) & (table->slots_len - 1);
    }
    table->texts[table->texts_len] = kept;
    table->slots[at] = ++table->texts_len;
    *ret_ref = table->texts_len - 1;
    return ERR_OK;
}

const char *regtable_text(const struct regtable *table, uint32_t ref)
{
    return table->texts[ref];
}
