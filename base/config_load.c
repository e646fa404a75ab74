/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/file.h"
#include "base/suggest.h"

static struct config_path child_path(const struct config_path *parent, const char *name, size_t index)
{
    return (struct config_path){.parent = parent, .name = name, .index = index};
}

static bool is_section(const struct config_row *row)
{
    return row->type == CONFIG_SECTION || row->type == CONFIG_LIST;
}

static void *allocate(struct config_fill *fill, size_t count, size_t size)
{
    void *memory = arena_alloc(fill->arena, count * size); /* count is bounded by the file's size */
    if (memory == NULL) {
        config_errors_fail(fill->errors, ERR_NOMEM);
    }
    return memory;
}

static void set_position(const struct config_row *row, void *section, struct config_position at)
{
    if (row->position_offset != CONFIG_NO_POSITION) {
        *(struct config_position *)(void *)((char *)section + row->position_offset) = at;
    }
}

/* Whether `node` has the shape and number of items that a row with parts takes. */
static bool check_parts(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                        const struct config_path *path, enum config_node_kind kind, const char *wanted)
{
    if (node->kind != kind) {
        config_complain(fill->errors, &node->at, path, "%s", wanted);
        return false;
    }
    if (node->len < row->min || (row->max != 0 && node->len > row->max)) {
        config_complain(fill->errors, &node->at, path, "has %zu items; allowed are %llu to %llu", node->len,
                        (unsigned long long)row->min, (unsigned long long)(row->max != 0 ? row->max : CONFIG_FILE_MAX));
        return false;
    }
    return true;
}

static void fill_strings(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                         const struct config_path *path, struct config_strings *strings)
{
    if (!check_parts(fill, row, node, path, CONFIG_NODE_SEQUENCE, "a list is expected: [a, b]") || node->len == 0) {
        return;
    }
    const char **items = allocate(fill, node->len, sizeof(*items));
    size_t len = 0;
    for (const struct config_node *item = node->first; items != NULL && item != NULL; item = item->next) {
        struct config_path at = child_path(path, NULL, len);
        items[len++] = config_copy_text(fill, row, item, &at, CONFIG_STRING_MAX);
    }
    *strings = (struct config_strings){.items = items, .len = len};
}

static int by_key(const void *left, const void *right)
{
    const struct config_pair *a = left;
    const struct config_pair *b = right;
    return strcmp(a->key, b->key);
}

static void fill_map(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                     const struct config_path *path, struct config_map *map)
{
    if (!check_parts(fill, row, node, path, CONFIG_NODE_MAPPING, "keys with values are expected: {key: value}") ||
        node->len == 0) {
        return;
    }
    struct config_row key_row = {.type = CONFIG_STRING};
    struct config_pair *items = allocate(fill, node->len, sizeof(*items));
    size_t len = 0;
    for (const struct config_node *entry = node->first; items != NULL && entry != NULL; entry = entry->next) {
        struct config_node key = {.kind = CONFIG_NODE_SCALAR, .at = entry->key_at, .text = entry->key};
        struct config_pair pair = {.key = config_copy_text(fill, &key_row, &key, path, CONFIG_KEY_MAX),
                                   .position = entry->at};
        if (pair.key != NULL) {
            struct config_path at = child_path(path, pair.key, 0);
            pair.value = config_copy_text(fill, row, entry, &at, CONFIG_STRING_MAX);
            items[len++] = pair;
        }
    }
    if (len > 0) {
        qsort(items, len, sizeof(*items), by_key);
    }
    *map = (struct config_map){.items = items, .len = len};
}

static void fill_list(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                      const struct config_path *path, struct config_list *list)
{
    if (!check_parts(fill, row, node, path, CONFIG_NODE_SEQUENCE, "a list is expected: lines that start with \"- \"") ||
        node->len == 0) {
        return;
    }
    char *items = allocate(fill, node->len, row->element_size);
    size_t len = 0;
    for (const struct config_node *item = node->first; items != NULL && item != NULL; item = item->next) {
        struct config_path at = child_path(path, NULL, len);
        void *element = items + len++ * row->element_size;
        set_position(row, element, item->at);
        config_fill_section(fill, row->rows, item, &at, element);
    }
    *list = (struct config_list){.items = items, .len = len};
}

/* Stores one value that is written in the file or in the row's default. */
static void fill_row(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                     const struct config_path *path, void *section)
{
    void *field = (char *)section + row->offset;
    static const struct config_node empty_sequence = {.kind = CONFIG_NODE_SEQUENCE};
    static const struct config_node empty_mapping = {.kind = CONFIG_NODE_MAPPING};
    bool is_null = config_node_is_null(node);
    struct config_node empty;
    switch (row->type) {
    case CONFIG_STRINGS:
    case CONFIG_LIST:
    case CONFIG_MAP:
        if (is_null) { /* every line under the key is a comment */
            empty = row->type == CONFIG_MAP ? empty_mapping : empty_sequence;
            empty.at = node->at;
            node = &empty;
        }
        break;
    default:
        break;
    }
    switch (row->type) {
    case CONFIG_STRINGS:
        fill_strings(fill, row, node, path, field);
        break;
    case CONFIG_MAP:
        fill_map(fill, row, node, path, field);
        break;
    case CONFIG_LIST:
        fill_list(fill, row, node, path, field);
        break;
    case CONFIG_SECTION:
        set_position(row, field, node->at);
        config_fill_section(fill, row->rows, node, path, field);
        break;
    default:
        config_store_scalar(fill, row, node, path, field);
        break;
    }
}

/* A default of a list or map is YAML text of its own. */
static void fill_parsed_default(struct config_fill *fill, const struct config_row *row, const struct config_path *path,
                                void *section)
{
    struct arena arena;
    arena_init(&arena, CONFIG_TREE_MAX);
    CLEANUP(config_reader_free_p)
    struct config_reader *reader = config_reader_new_text(view_of(row->def), fill->errors);
    const struct config_node *node = reader != NULL ? config_reader_document(reader, &arena) : NULL;
    if (node != NULL) {
        fill_row(fill, row, node, path, section);
    }
    arena_deinit(&arena);
}

static void fill_default(struct config_fill *fill, const struct config_row *row, const struct config_path *path,
                         void *section)
{
    if (row->type == CONFIG_SECTION) {
        config_fill_section(fill, row->rows, NULL, path, (char *)section + row->offset);
        return;
    }
    if (row->def == NULL) {
        return;
    }
    size_t before = config_errors_count(fill->errors);
    if (row->type == CONFIG_STRINGS || row->type == CONFIG_MAP || row->type == CONFIG_LIST) {
        fill_parsed_default(fill, row, path, section);
    } else {
        struct view text = view_of(row->def);
        bool quoted = text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"';
        struct config_node node = {.kind = CONFIG_NODE_SCALAR, .plain = !quoted};
        node.text = quoted ? view_n(text.ptr + 1, text.len - 2) : text;
        fill_row(fill, row, &node, path, section);
    }
    assert(config_errors_count(fill->errors) == before); /* a default that its own row refuses is our bug */
    (void)before;
}

static void complain_unknown(struct config_fill *fill, const struct config_row *rows, const struct config_node *entry,
                             const struct config_path *path)
{
    char shown[CONFIG_SHOWN_SIZE];
    struct suggest suggest;
    suggest_init(&suggest, entry->key);
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        suggest_offer(&suggest, row->name);
    }
    struct config_path at = child_path(path, config_shown(entry->key, shown), 0);
    if (suggest.best != NULL) {
        config_complain(fill->errors, &entry->key_at, &at, "unknown key; did you mean `%s`?", suggest.best);
        return;
    }
    char known[300];
    size_t used = 0;
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        size_t len = strlen(row->name);
        if (used + len + 3 < sizeof(known)) {
            memcpy(known + used, ", ", used > 0 ? 2 : 0);
            used += used > 0 ? 2 : 0;
            memcpy(known + used, row->name, len);
            used += len;
        }
    }
    config_complain(fill->errors, &entry->key_at, &at, "unknown key; known here are %.*s", (int)used, known);
}

static const struct config_row *find_row(const struct config_row *rows, struct view name)
{
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        if (view_equals(name, row->name)) {
            return row;
        }
    }
    return NULL;
}

static uint64_t fill_entries(struct config_fill *fill, const struct config_row *rows, const struct config_node *mapping,
                             const struct config_path *path, void *section)
{
    uint64_t present = 0;
    for (const struct config_node *entry = mapping->first; entry != NULL; entry = entry->next) {
        const struct config_row *row = find_row(rows, entry->key);
        if (row == NULL) {
            complain_unknown(fill, rows, entry, path);
            continue;
        }
        assert(row - rows < CONFIG_ROWS_MAX);
        present |= 1ull << (row - rows);
        if (entry->kind != CONFIG_NODE_BROKEN) {
            struct config_path at = child_path(path, row->name, 0);
            fill_row(fill, row, entry, &at, section);
        }
    }
    return present;
}

void config_fill_section(struct config_fill *fill, const struct config_row *rows, const struct config_node *mapping,
                         const struct config_path *path, void *section)
{
    uint64_t present = 0;
    if (mapping != NULL && mapping->kind == CONFIG_NODE_MAPPING) {
        present = fill_entries(fill, rows, mapping, path, section);
    } else if (mapping != NULL && !config_node_is_null(mapping)) {
        if (mapping->kind != CONFIG_NODE_BROKEN) {
            config_complain(fill->errors, &mapping->at, path, "a section is expected: keys with values");
        }
        return;
    }
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        if ((present & 1ull << (row - rows)) != 0) {
            continue;
        }
        if (mapping != NULL && (row->flags & CONFIG_REQUIRED) != 0) {
            config_complain(fill->errors, &mapping->at, path, "required key `%s` is missing%s", row->name,
                            is_section(row) ? ", with what belongs under it" : "");
            continue;
        }
        struct config_path at = child_path(path, row->name, 0);
        fill_default(fill, row, &at, section);
    }
}

static void load(const struct config_schema *schema, struct view text, struct arena *arena, void *root,
                 struct config_errors *errors)
{
    struct arena tree;
    arena_init(&tree, CONFIG_TREE_MAX);
    CLEANUP(config_reader_free_p) struct config_reader *reader = config_reader_new_text(text, errors);
    const struct config_node *node = reader != NULL ? config_reader_document(reader, &tree) : NULL;
    if (node != NULL) {
        struct config_fill fill = {.errors = errors, .arena = arena};
        config_fill_section(&fill, schema->rows, node, NULL, root);
    }
    arena_deinit(&tree);
}

enum err config_load_text(const struct config_schema *schema, const char *name, struct view text, struct arena *arena,
                          void *root, struct strbuf *report)
{
    CLEANUP(config_errors_free_p) struct config_errors *errors = config_errors_new(name);
    if (errors == NULL) {
        return ERR_NOMEM;
    }
    memset(root, 0, schema->size);
    if (text.len > CONFIG_FILE_MAX) {
        config_error(errors, NULL, "the file is larger than %u KiB", CONFIG_FILE_MAX >> 10);
        config_errors_fail(errors, ERR_LIMIT);
        return config_errors_report(errors, report);
    }
    load(schema, text, arena, root, errors);
    if (schema->check != NULL && config_errors_ok(errors)) {
        schema->check(root, errors);
    }
    return config_errors_report(errors, report);
}

enum err config_load(const struct config_schema *schema, const char *path, struct arena *arena, void *root,
                     struct strbuf *report)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(path, CONFIG_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        /* A report cut by its cap still helps; the error code says the rest. */
        (void)strbuf_addf(report, "%s: %s: %s%s\n", schema->title, path,
                          err == ERR_LIMIT ? "the file is larger than 256 KiB" : err_text(err),
                          err == ERR_NOTFOUND ? "; write it, or name another with --config" : "");
        return err;
    }
    err = config_load_text(schema, path, view_n(text, len), arena, root, report);
    free(text);
    return err;
}
