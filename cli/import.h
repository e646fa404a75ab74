/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * import: what the configuration of another DDNS client says (inadyn, ddclient), in one form for both: settings that
 * hold for all, and sections of a service, its settings and its host names. Parsers are pure. Main thread.
 */
#include "base/arena.h"
#include "base/err.h"

#define IMPORT_FILE_MAX     (256u << 10) /* such files have a page or two */
#define IMPORT_SECTIONS_MAX 1024
#define IMPORT_SETTINGS_MAX 4096 /* of one section, those that it inherits included */
#define IMPORT_HOSTS_MAX    1024 /* of one section */
#define IMPORT_ARENA_MAX    ((size_t)32 << 20)

#define IMPORT_INCLUDES_MAX 64
#define IMPORT_DEPTH_MAX    10 /* of includes in one another, as libConfuse has it */

/* Where something stands: its line from 1, and above IMPORT_LINE_BITS the number of the included file, 0 for the file
 * itself. Wherever a `line` is kept it is one of these; files are far shorter than what the bits hold. */
#define IMPORT_LINE_BITS   20
#define IMPORT_LINE(place) ((place) & ((1u << IMPORT_LINE_BITS) - 1))

struct import_setting {
    const char *key, *value; /* a value may be a secret: it is never shown */
    uint32_t line;
    bool from_env; /* the value holds ${VAR} of the client's environment: it is none, and a person has to write it */
};

struct import_host {
    const char *name;
    uint32_t line;
};

struct import_section {
    const char *id; /* the client's name of the service or protocol */
    uint32_t line;
    bool custom;                     /* a server of one's own (inadyn's custom{}) */
    struct import_setting *settings; /* in the file's order; of a key that stands twice the later one counts */
    size_t settings_len, settings_size;
    struct import_host *hosts;
    size_t hosts_len, hosts_size;
};

/** Everything lives in the arena, which holds secrets. */
struct import_file {
    struct arena arena;
    struct import_section all; /* settings outside of every section; no id */
    struct import_section *sections;
    size_t sections_len, sections_size;
    /** Reads a file that is included; the caller frees the text. NULL: none is. */
    enum err (*read)(const char *path, char **ret_text, size_t *ret_len);
    const char *folder; /* that a relative path counts from; NULL = the current one */
    const char *includes[IMPORT_INCLUDES_MAX];
    size_t includes_len;
};

void import_file_init(struct import_file *file);
void import_file_deinit(struct import_file *file);

/** @param ret_file initialised. @return ERR_PARSE (info: line and what), ERR_LIMIT (a cap above), ERR_NOMEM. */
typedef enum err (*import_parse_fn)(struct view text, struct import_file *file, struct errinfo *info);
enum err import_parse_inadyn(struct view text, struct import_file *file, struct errinfo *info) MUST_CHECK;
enum err import_parse_ddclient(struct view text, struct import_file *file, struct errinfo *info) MUST_CHECK;

/** Path of the included file that a place is in; NULL: the file itself. */
const char *import_path_of(const struct import_file *file, uint32_t place);
/** The next included file: its path in full, and the place of its line 0. @return ERR_LIMIT, ERR_NOMEM. */
enum err import_add_include(struct import_file *file, struct view path, const char **ret_path,
                            uint32_t *ret_place) MUST_CHECK;

/** The last one of that key; NULL = none. */
const struct import_setting *import_find(const struct import_section *section, const char *key);

/* For the parsers. Texts are copied into the arena. @return ERR_LIMIT, ERR_NOMEM. */
enum err import_add_section(struct import_file *file, struct view id, uint32_t line, bool custom,
                            struct import_section **ret_section) MUST_CHECK;
enum err import_add_setting(struct import_file *file, struct import_section *section, struct view key,
                            struct view value, uint32_t line) MUST_CHECK;
void import_remove(struct import_section *section, const char *key); /* nothing when there is none */
enum err import_add_host(struct import_file *file, struct import_section *section, struct view name,
                         uint32_t line) MUST_CHECK;
