/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * fields: reading and checking the members of a body, for the codecs of this room only. A reader keeps the first
 * failure, so a decoder reads every field and asks once at its end; after a failure every read does nothing. The
 * character classes are ASCII, so a length in bytes here is a length in code points in the JSON Schemas.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "mqtt/messages.h"

#define FIELDS_WALL_MAX  INT64_C(253402300799999)   /* end of the year 9999: what RFC 3339 can write */
#define FIELDS_COUNT_MAX UINT64_C(9007199254740991) /* 2^53-1: what every JSON reader holds exactly */

enum text_kind {
    TEXT_ID,        /* [a-z0-9-] */
    TEXT_CODE,      /* [a-z0-9!-]: an id, or a code of dyndns2 */
    TEXT_PRINTABLE, /* blank to tilde */
    TEXT_NAME,      /* [a-z0-9_*.-]: a canonical DNS name by its alphabet */
    TEXT_TYPE,      /* [A-Z0-9] */
    TEXT_TERM,      /* [A-Za-z0-9-]{1,40}:[0-9]{1,20} */
    TEXT_HEX,       /* [0-9a-f] */
    TEXT_SERIAL,    /* [A-Za-z0-9._-] */
};
bool text_valid(enum text_kind kind, struct view text);

enum field_need { FIELD_OPTIONAL, FIELD_REQUIRED };

struct fields {
    json_t *root;         /* owned */
    const json_t *object; /* borrowed from root: where members are looked up */
    struct errinfo *info; /* may be NULL */
    enum err err;         /* first failure */
};

/** Parses one object within the caps of limits.h and checks `v`. Close it in any case. */
enum err fields_open(struct fields *fields, struct view text, struct errinfo *info);
/** The same with another cap than MQTT_PAYLOAD_MAX. */
enum err fields_open_large(struct fields *fields, struct view text, size_t max_len, struct errinfo *info);
void fields_close(struct fields *fields);

/** Records "key: what". */
void fields_fail(struct fields *fields, enum err err, const char *key, const char *what);

/** The member, or NULL when absent (a failure when required) or after a failure. */
const json_t *fields_find(struct fields *fields, const char *key, enum field_need need);

uint32_t fields_u32(struct fields *fields, const char *key, enum field_need need);
/** 0 to @p max. */
uint64_t fields_u64(struct fields *fields, const char *key, uint64_t max, enum field_need need);
/** Wall milliseconds, 0 to FIELDS_WALL_MAX; null counts as absent when optional. */
int64_t fields_wall(struct fields *fields, const char *key, enum field_need need);
/** A finite number from 0 to 1e12. */
double fields_real(struct fields *fields, const char *key);
bool fields_bool(struct fields *fields, const char *key);
/** true or false; ALIVE_UNKNOWN when absent. */
enum alive fields_alive(struct fields *fields, const char *key);
/** Index into @p choices; @p absent when it is not there. */
int fields_choice(struct fields *fields, const char *key, const char *const *choices, size_t choices_len,
                  enum field_need need, int absent);
/** Text of @p kind into @p buffer; "" when absent or null. A required text is neither. */
void fields_text(struct fields *fields, const char *key, enum text_kind kind, enum field_need need, char *buffer,
                 size_t size);
/** An address of @p family (IP_NONE: either), null, or absent. */
struct address_field fields_address(struct fields *fields, const char *key, enum ip_family family);
/** An array of at most @p max items; NULL when absent. */
const json_t *fields_array(struct fields *fields, const char *key, size_t max);

/* Writing: each adds ",\"key\":value". */
void write_text(struct strbuf *out, const char *key, const char *text);
void write_text_or_null(struct strbuf *out, const char *key, const char *text);
void write_address(struct strbuf *out, const char *key, const struct address_field *field);

/** The encoder's end. @return strbuf_error, ERR_LIMIT when the body from @p start on is over MQTT_PAYLOAD_MAX. */
enum err write_done(const struct strbuf *out, size_t start) MUST_CHECK;
