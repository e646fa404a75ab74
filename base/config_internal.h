/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * config_internal: what the parts of base/config share: the error list, the node tree and its reader. Not for others.
 */
#include "base/config.h"

#define CONFIG_STRING_MAX  4096         /* bytes of one string, when its row says no less: no setting is longer */
#define CONFIG_KEY_MAX     256          /* bytes of a free key; libyaml takes 1024 */
#define CONFIG_KEYS_MAX    1024         /* keys of one mapping: the search for duplicates is quadratic */
#define CONFIG_ELEMENT_MAX (256u << 10) /* bytes of one streamed element */
#define CONFIG_TREE_MAX    (64u << 20)  /* memory of one node tree: 100 bytes a node, a node for two bytes of text */
#define CONFIG_ROWS_MAX    64           /* rows of one section */

/* Errors */

struct config_errors *config_errors_new(const char *name);
void config_errors_free(struct config_errors *errors);
DEFINE_CLEANUP(struct config_errors *, config_errors_free)

/** Remembers a failure that is not the file's fault (ERR_NOMEM, ERR_IO, ERR_LIMIT); the first one counts. */
void config_errors_fail(struct config_errors *errors, enum err err);
/** Neither an error nor a failure so far. */
bool config_errors_ok(const struct config_errors *errors);
/** Writes all in file order. @return the remembered failure, else ERR_INVALID when there are errors, else ERR_OK. */
enum err config_errors_report(struct config_errors *errors, struct strbuf *report) MUST_CHECK;

/* Nodes */

enum config_node_kind {
    CONFIG_NODE_SCALAR,
    CONFIG_NODE_SEQUENCE,
    CONFIG_NODE_MAPPING,
    CONFIG_NODE_BROKEN, /* reported already: whoever meets it stays silent */
};

struct config_node {
    enum config_node_kind kind;
    bool plain; /* scalar written without quotes */
    struct config_position at;
    struct view text; /* scalar; in the tree's arena */
    struct view key;  /* of an entry of a mapping; in the tree's arena */
    struct config_position key_at;
    uint64_t key_hash;
    struct config_node *first, *last, *next; /* children in file order; next sibling */
    size_t len;                              /* children */
};

/** Nothing was written: `key:`, `key: ~`, `key: null`. */
bool config_node_is_null(const struct config_node *node);

/* Reader: the only part that knows libyaml. One reader, one file; ends at the first failure. */

struct config_reader;

struct config_reader *config_reader_new_text(struct view text, struct config_errors *errors);
/** @param fd borrowed until free. @param cap bytes; more of them fail with ERR_LIMIT. */
struct config_reader *config_reader_new_fd(int fd, size_t cap, struct config_errors *errors);
void config_reader_free(struct config_reader *reader);
DEFINE_CLEANUP(struct config_reader *, config_reader_free)

/** Reads the one document. @return its root, or NULL after a failure that is in the errors; an empty document is an
 * empty mapping. */
struct config_node *config_reader_document(struct config_reader *reader, struct arena *arena);

/** Reads up to the first element of the sequence under @p key. @return false after a failure, or at an empty sequence.
 */
bool config_reader_open_list(struct config_reader *reader, const char *key);
/** @return the next element, in @p arena; NULL at the end, which is then checked up to the end of file, or after a
 * failure. */
struct config_node *config_reader_next(struct config_reader *reader, struct arena *arena);

/* Values */

/** Where an error is: a chain on the stack from a value to the root. */
struct config_path {
    const struct config_path *parent; /* NULL at the root */
    const char *name;                 /* NULL: an item of its parent */
    size_t index;                     /* of the item */
};

/** config_error with "path: " in front. */
void config_complain(struct config_errors *errors, const struct config_position *position,
                     const struct config_path *path, const char *format, ...) PRINTF_LIKE(4, 5);

#define CONFIG_SHOWN_SIZE 72
/** Text of the file made fit for a message: cut, and without what a terminal would act upon. @return @p buffer. */
const char *config_shown(struct view text, char buffer[static CONFIG_SHOWN_SIZE]);

struct config_fill {
    struct config_errors *errors;
    struct arena *arena; /* of the values */
};

/** Stores a scalar of any type but the four with parts. Reports what is wrong. */
void config_store_scalar(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                         const struct config_path *path, void *field);
/** Checks and copies one text of a string list or map. @return NULL when it was reported. */
const char *config_copy_text(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                             const struct config_path *path, uint64_t max_len);
/** Fills a section's struct: values of @p mapping, defaults for the rest. @p mapping NULL: an absent section, all
 * defaults, nothing is required. */
void config_fill_section(struct config_fill *fill, const struct config_row *rows, const struct config_node *mapping,
                         const struct config_path *path, void *section);
