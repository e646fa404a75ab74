/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * config: YAML by rows. A section is an array of rows over one struct; the rows are the parser, the checker,
 * --dump-config, the reference page and the fuzz dictionary. libyaml's event API only: no anchors, no aliases, no tags,
 * one document, duplicate keys refused. All errors of a file are reported, each "file:line:column: path: what; remedy",
 * with "did you mean" for unknown keys. Not thread-safe: one load, one thread; loads of different objects may run side
 * by side. Parts: config_yaml.c (libyaml, node tree), config_values.c (scalars), config_load.c (rows), config_stream.c,
 * config_dump.c, config_reference.c, config_errors.c.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"

enum config_type {
    CONFIG_BOOL,     /* bool: true or false, nothing else */
    CONFIG_U32,      /* uint32_t */
    CONFIG_U64,      /* uint64_t */
    CONFIG_DURATION, /* uint64_t milliseconds: "250ms", "60s", "15m", "1h", "25d"; a bare number is an error that says
                        so */
    CONFIG_SIZE,     /* uint64_t bytes: "64KiB", "1MiB" or a bare number of bytes */
    CONFIG_STRING,   /* const char *, in the arena */
    CONFIG_PATH,     /* const char *, absolute path, in the arena */
    CONFIG_HOSTPORT, /* const char *, "host:port", "[v6]:port", in the arena */
    CONFIG_NAME,     /* const char *, DNS name made canonical (DNSNAME_RECORD) */
    CONFIG_ADDRESS,  /* struct ip */
    CONFIG_ENUM,     /* int: index into choices */
    CONFIG_STRINGS,  /* struct config_strings: sequence of scalars (each checked by the row's check) */
    CONFIG_MAP,      /* struct config_map: free keys with scalar values (labels) */
    CONFIG_SECTION,  /* nested struct by rows */
    CONFIG_LIST,     /* struct config_list: sequence of nested structs by rows */
};

enum config_flags {
    CONFIG_REQUIRED = 1,   /* in an optional section: when the section is there */
    CONFIG_SECRET = 2,     /* value is dumped as <redacted>; only for paths to secrets it is not needed */
    CONFIG_RELOADABLE = 4, /* applied at SIGHUP without a restart */
    CONFIG_PLACED = 8,     /* CONFIG_STRING: the field is a struct config_text, which knows where it stood */
    CONFIG_LINES = 16,     /* CONFIG_STRING: may hold ends of lines */
};

struct config_strings {
    const char **items; /* arena */
    size_t len;
};
/** Where a value stood, for cross-row checks. Every struct filled by rows may have one such member
 * (rows->position_offset). */
struct config_position {
    uint32_t line, column; /* from 1; 0 when the value is a default */
};

struct config_pair {
    const char *key, *value;         /* arena */
    struct config_position position; /* of the value */
};
struct config_text {
    const char *text; /* arena; NULL when there is none */
    struct config_position position;
};
struct config_map {
    struct config_pair *items; /* arena; sorted by key */
    size_t len;
};
struct config_list {
    void *items; /* arena; len structs of the row's element_size */
    size_t len;
};

struct config_row {
    const char *name; /* key, [a-z0-9_]+ */
    enum config_type type;
    size_t offset;              /* of the field in the section's struct */
    unsigned flags;             /* enum config_flags */
    const char *unit;           /* shown in the reference; NULL for none */
    uint64_t min, max;          /* inclusive, max 0 = the type's: numbers; durations and sizes in ms and bytes; strings,
                                   paths, names: bytes; CONFIG_STRINGS, CONFIG_MAP, CONFIG_LIST: items */
    const char *def;            /* default as it would be written in YAML; NULL = zero value */
    const char *const *choices; /* CONFIG_ENUM: NULL-terminated */
    const struct config_row *rows; /* CONFIG_SECTION, CONFIG_LIST: terminated by name == NULL */
    size_t element_size;           /* CONFIG_LIST */
    size_t position_offset; /* CONFIG_LIST: offset of a struct config_position in the element; CONFIG_SECTION: from the
                               row's offset; or CONFIG_NO_POSITION (0 is an offset, too) */
    enum err (*check)(struct view value,
                      struct errinfo *info); /* extra check of one scalar (or each item); NULL for none */
    const char *help;                        /* one line */
};
#define CONFIG_NO_POSITION SIZE_MAX

struct config_errors;

struct config_schema {
    const char *title; /* "muster-agent" */
    const struct config_row *rows;
    size_t size; /* of the root struct */
    /** Cross-row checks after the rows passed; reports through config_error. NULL for none. */
    void (*check)(void *root, struct config_errors *errors);
};

/* Errors of one load (struct config_errors), in file order. */
/** Adds "file:line:column: text". @p position NULL for the file as a whole. */
void config_error(struct config_errors *errors, const struct config_position *position, const char *format, ...)
    PRINTF_LIKE(3, 4);
size_t config_errors_count(const struct config_errors *errors);

#define CONFIG_FILE_MAX   (256u << 10) /* daemon config; bounds libyaml's quadratic nesting too */
#define CONFIG_DEPTH_MAX  16
#define CONFIG_ERRORS_MAX 100 /* further ones are only counted */

/**
 * Loads @p path into @p root (schema->size bytes, zeroed here). Everything it allocates comes from @p arena.
 * @param report one line an error, newline-ended; untouched on success. @return ERR_INVALID (report filled),
 * ERR_NOTFOUND, ERR_LIMIT, ERR_NOMEM, ERR_IO.
 */
enum err config_load(const struct config_schema *schema, const char *path, struct arena *arena, void *root,
                     struct strbuf *report) MUST_CHECK;
/** The same from memory; @p name stands for the file in messages. */
enum err config_load_text(const struct config_schema *schema, const char *name, struct view text, struct arena *arena,
                          void *root, struct strbuf *report) MUST_CHECK;

/**
 * YAML of every key with its effective value; loads back to the same struct but for positions and secrets, which are
 * redacted. A key without a value stands as a comment; so does an optional section that was absent and has required
 * keys, which is known by its position (line 0): give such a section one.
 */
enum err config_dump(const struct config_schema *schema, const void *root, struct strbuf *out) MUST_CHECK;
/** Markdown reference of the rows: a table a section. */
enum err config_reference(const struct config_schema *schema, struct strbuf *out) MUST_CHECK;
/** The tables alone, from @p heading down: for files that config_stream reads. */
enum err config_reference_section(const struct config_row *rows, const char *heading, const char *help,
                                  struct strbuf *out) MUST_CHECK;
/** Dictionary for libFuzzer and AFL: keys and choices. */
enum err config_dictionary(const struct config_schema *schema, struct strbuf *out) MUST_CHECK;

/**
 * Streams a sequence of sections that is the value of the single top-level key @p key: each element is filled by @p
 * rows into a scratch struct and handed to @p each, with memory that is reset after the call. For the device registry:
 * up to 64 MiB, constant memory: one element, at most 256 KiB of text, at a time. An element with errors is reported
 * and not handed out; the ones behind it still are, so check the result before using what was collected. An empty file
 * and `key:` alone are errors, since a file that was cut looks the same: only `key: []` is an empty sequence.
 */
struct config_stream {
    const char *key;
    const struct config_row *rows;
    size_t element_size;
    size_t position_offset; /* of a struct config_position in the element, or CONFIG_NO_POSITION */
    size_t cap;             /* bytes of file */
    /** @p element is borrowed for the call, its texts too. Reports through config_error and returns ERR_INVALID; any
     * other error ends the load. */
    enum err (*each)(void *context, const void *element, struct config_errors *errors);
    void *context;
};
/** @return as config_load; ERR_LIMIT over the cap or with an element that is too large; an error of each. Blocks. */
enum err config_stream(const struct config_stream *stream, const char *path, struct strbuf *report) MUST_CHECK;
/** The same from an open file, read to its end but not closed. @p name stands for the file in messages. */
enum err config_stream_fd(const struct config_stream *stream, const char *name, int fd,
                          struct strbuf *report) MUST_CHECK;
