/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "base/config_internal.h"

struct config_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; NO_EVENT after a failure */
    struct config_errors *errors;
    struct arena *arena; /* of the tree being read */
    int fd;              /* borrowed; -1 when reading text */
    size_t left;         /* bytes that fd may still give */
    size_t since_event;  /* bytes given since the last event */
    bool failed;
    bool ended; /* the streamed sequence was closed */
};

static struct config_position position_of(yaml_mark_t mark)
{
    return (struct config_position){.line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

/* libyaml asks for bytes here; 0 makes it fail with a reader error. One scalar may not grow without end. */
static int read_handler(void *context, unsigned char *buffer, size_t size, size_t *size_read)
{
    struct config_reader *reader = context;
    ssize_t n;
    do {
        n = read(reader->fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        config_errors_fail(reader->errors, err_from_errno(errno));
        return 0;
    }
    reader->since_event += (size_t)n;
    if ((size_t)n > reader->left || reader->since_event > CONFIG_ELEMENT_MAX) {
        config_errors_fail(reader->errors, ERR_LIMIT);
        return 0;
    }
    reader->left -= (size_t)n;
    *size_read = (size_t)n;
    return 1;
}

static struct config_reader *reader_new(struct config_errors *errors)
{
    struct config_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL || yaml_parser_initialize(&reader->parser) == 0) {
        free(reader);
        config_errors_fail(errors, ERR_NOMEM);
        return NULL;
    }
    reader->errors = errors;
    reader->fd = -1;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING); /* no guessing of UTF-16 */
    return reader;
}

struct config_reader *config_reader_new_text(struct view text, struct config_errors *errors)
{
    struct config_reader *reader = reader_new(errors);
    if (reader != NULL) {
        yaml_parser_set_input_string(&reader->parser, (const unsigned char *)(text.len > 0 ? text.ptr : ""), text.len);
    }
    return reader;
}

struct config_reader *config_reader_new_fd(int fd, size_t cap, struct config_errors *errors)
{
    struct config_reader *reader = reader_new(errors);
    if (reader != NULL) {
        reader->fd = fd;
        reader->left = cap;
        yaml_parser_set_input(&reader->parser, read_handler, reader);
    }
    return reader;
}

void config_reader_free(struct config_reader *reader)
{
    if (reader != NULL) {
        yaml_event_delete(&reader->event);
        yaml_parser_delete(&reader->parser);
        free(reader);
    }
}

static void fail_at(struct config_reader *reader, struct config_position at, const char *what)
{
    reader->failed = true;
    config_error(reader->errors, &at, "%s", what);
}

static void report_syntax(struct config_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    struct config_position at = position_of(parser->problem_mark);
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_MEMORY_ERROR) {
        config_errors_fail(reader->errors, ERR_NOMEM);
    } else if (parser->error == YAML_READER_ERROR && strcmp(problem, "input error") == 0) {
        return; /* the read handler has said why */
    } else if (parser->error == YAML_READER_ERROR) {
        config_error(reader->errors, NULL, "%s at byte %zu; the file must be UTF-8 text without control characters",
                     problem, parser->problem_offset);
    } else if (strstr(problem, "cannot start any token") != NULL) {
        config_error(reader->errors, &at, "%s; quote the value, and indent with blanks, never with tabs", problem);
    } else if (parser->context != NULL) {
        struct config_position from = position_of(parser->context_mark);
        config_error(reader->errors, &at, "%s, %s that starts at line %u", problem, parser->context, from.line);
    } else {
        config_error(reader->errors, &at, "%s", problem);
    }
}

/* Moves on to the next event. @return false after a failure. */
static bool advance(struct config_reader *reader)
{
    yaml_event_delete(&reader->event); /* leaves NO_EVENT */
    if (reader->failed) {
        return false;
    }
    reader->since_event = 0;
    if (yaml_parser_parse(&reader->parser, &reader->event) == 0) {
        reader->failed = true;
        report_syntax(reader);
        return false;
    }
    return true;
}

static bool advance_twice(struct config_reader *reader)
{
    if (!advance(reader)) {
        return false;
    }
    return advance(reader);
}

/* What the subset refuses on a node: anchors, aliases, tags. @return true when it was refused. */
static bool refuse_extras(struct config_reader *reader, struct config_position at)
{
    const yaml_event_t *event = &reader->event;
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        config_error(reader->errors, &at, "aliases (*) are not supported; write the value out");
        return true;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    default:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    }
    if (anchor != NULL) {
        config_error(reader->errors, &at, "anchors (&) are not supported; write the value out where it is used");
    }
    if (tag != NULL) {
        config_error(reader->errors, &at, "tags (!) are not supported; remove it");
    }
    return anchor != NULL || tag != NULL;
}

static struct config_node *read_node(struct config_reader *reader, unsigned depth);

static void *allocate(struct config_reader *reader, size_t size)
{
    void *memory = arena_alloc(reader->arena, size);
    if (memory == NULL) {
        bool full = reader->arena->cap - reader->arena->used < size + sizeof(max_align_t);
        config_errors_fail(reader->errors, full ? ERR_LIMIT : ERR_NOMEM);
        reader->failed = true;
    }
    return memory;
}

static struct config_node *new_node(struct config_reader *reader, enum config_node_kind kind)
{
    struct config_node *node = allocate(reader, sizeof(*node));
    if (node == NULL) {
        return NULL;
    }
    node->kind = kind;
    node->at = position_of(reader->event.start_mark);
    return node;
}

static void copy_scalar(struct config_reader *reader, struct config_node *node)
{
    size_t len = reader->event.data.scalar.length;
    char *copy = allocate(reader, len + 1);
    if (copy != NULL) {
        memcpy(copy, reader->event.data.scalar.value, len);
        node->text = view_n(copy, len);
        node->plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    }
}

static void append(struct config_node *parent, struct config_node *child)
{
    if (parent->last != NULL) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
    parent->len++;
}

/* The event after SEQUENCE-START is current; leaves SEQUENCE-END current. */
static void read_sequence(struct config_reader *reader, struct config_node *sequence, unsigned depth)
{
    while (advance(reader) && reader->event.type != YAML_SEQUENCE_END_EVENT) {
        struct config_node *item = read_node(reader, depth + 1);
        if (item == NULL) {
            return;
        }
        append(sequence, item);
    }
}

/* Whether `key` may become a key of `mapping`: a scalar, not there yet. */
static bool check_key(struct config_reader *reader, const struct config_node *mapping, const struct config_node *key,
                      uint64_t hash)
{
    char shown[CONFIG_SHOWN_SIZE];
    if (key->kind == CONFIG_NODE_BROKEN) {
        return false;
    }
    if (key->kind != CONFIG_NODE_SCALAR) {
        config_error(reader->errors, &key->at, "a key must be a single word");
        return false;
    }
    for (const struct config_node *entry = mapping->first; entry != NULL; entry = entry->next) {
        if (entry->key_hash == hash && view_equal(entry->key, key->text)) {
            config_error(reader->errors, &key->at, "%s: stands twice, first at line %u; remove one",
                         config_shown(key->text, shown), entry->key_at.line);
            return false;
        }
    }
    return true;
}

static void read_mapping(struct config_reader *reader, struct config_node *mapping, unsigned depth)
{
    while (advance(reader) && reader->event.type != YAML_MAPPING_END_EVENT) {
        struct config_node *key = read_node(reader, depth + 1);
        struct config_node *value = key != NULL && advance(reader) ? read_node(reader, depth + 1) : NULL;
        if (value == NULL) {
            return;
        }
        if (mapping->len == CONFIG_KEYS_MAX) {
            fail_at(reader, key->at, "more keys in one mapping than are allowed");
            return;
        }
        uint64_t hash = view_hash(key->text);
        if (check_key(reader, mapping, key, hash)) {
            value->key = key->text;
            value->key_at = key->at;
            value->key_hash = hash;
            append(mapping, value);
        }
    }
}

/* The node whose first event is current, with its last event current afterwards; NULL after a failure. */
static struct config_node *read_node(struct config_reader *reader, unsigned depth)
{
    struct config_position at = position_of(reader->event.start_mark);
    if (depth > CONFIG_DEPTH_MAX) {
        fail_at(reader, at, "nested too deeply"); /* ends the load: libyaml's time grows with the square of the depth */
        return NULL;
    }
    bool refused = refuse_extras(reader, at);
    struct config_node *node = new_node(reader, CONFIG_NODE_BROKEN);
    if (node == NULL) {
        return NULL;
    }
    switch (reader->event.type) {
    case YAML_SCALAR_EVENT:
        node->kind = CONFIG_NODE_SCALAR;
        copy_scalar(reader, node);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node->kind = CONFIG_NODE_SEQUENCE;
        read_sequence(reader, node, depth);
        break;
    case YAML_MAPPING_START_EVENT:
        node->kind = CONFIG_NODE_MAPPING;
        read_mapping(reader, node, depth);
        break;
    default:
        break;
    }
    if (refused) {
        node->kind = CONFIG_NODE_BROKEN;
    }
    return reader->failed ? NULL : node;
}

/* Up to the first event of the document's root. @return false after a failure or when there is none. */
static bool open_document(struct config_reader *reader)
{
    if (!advance_twice(reader) || reader->event.type != YAML_DOCUMENT_START_EVENT) {
        return false;
    }
    const yaml_event_t *event = &reader->event;
    bool tags = event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end;
    if (event->data.document_start.version_directive != NULL || tags) {
        struct config_position at = position_of(event->start_mark);
        config_error(reader->errors, &at, "directives (%%) are not supported; remove them");
    }
    return advance(reader);
}

/* The last event of the root is current: nothing but the end may follow. */
static void close_document(struct config_reader *reader)
{
    if (advance_twice(reader) && reader->event.type != YAML_STREAM_END_EVENT) {
        struct config_position at = position_of(reader->event.start_mark);
        fail_at(reader, at, "a second document starts here; one file holds one document");
    }
}

static bool at_end(const struct config_reader *reader)
{
    return reader->event.type == YAML_STREAM_END_EVENT;
}

struct config_node *config_reader_document(struct config_reader *reader, struct arena *arena)
{
    reader->arena = arena;
    if (!open_document(reader)) {
        struct config_node *empty = at_end(reader) ? new_node(reader, CONFIG_NODE_MAPPING) : NULL;
        if (empty != NULL) {
            empty->at = (struct config_position){.line = 1, .column = 1};
        }
        return empty;
    }
    struct config_node *root = read_node(reader, 1);
    if (root != NULL) {
        close_document(reader);
    }
    return reader->failed ? NULL : root;
}

bool config_reader_open_list(struct config_reader *reader, const char *key)
{
    if (!open_document(reader)) {
        struct config_position at = {.line = 1, .column = 1};
        if (!reader->failed) {
            reader->failed = true;
            config_error(reader->errors, &at, "the file is empty; write `%s: []` where none is meant", key);
        }
        return false;
    }
    struct config_position at = position_of(reader->event.start_mark);
    bool good = reader->event.type == YAML_MAPPING_START_EVENT && !refuse_extras(reader, at) && advance(reader);
    if (good && reader->event.type == YAML_SCALAR_EVENT) {
        at = position_of(reader->event.start_mark);
        good = strcmp((const char *)reader->event.data.scalar.value, key) == 0 && !refuse_extras(reader, at);
    } else {
        good = false;
    }
    if (!good || !advance(reader)) {
        if (!reader->failed) {
            reader->failed = true;
            config_error(reader->errors, &at, "the file must start with `%s:` and a list under it", key);
        }
        return false;
    }
    at = position_of(reader->event.start_mark);
    if (reader->event.type == YAML_SCALAR_EVENT && reader->event.data.scalar.length == 0) {
        reader->failed = true;
        config_error(reader->errors, &at, "%s: nothing stands under it; write `%s: []` where none is meant", key, key);
        return false;
    }
    if (reader->event.type != YAML_SEQUENCE_START_EVENT || refuse_extras(reader, at)) {
        reader->failed = true;
        config_error(reader->errors, &at, "%s: a list is expected", key);
        return false;
    }
    return true;
}

/* Behind the sequence: the end of the root mapping and of the file. */
static void close_list(struct config_reader *reader)
{
    if (!advance(reader)) {
        return;
    }
    if (reader->event.type != YAML_MAPPING_END_EVENT) {
        struct config_position at = position_of(reader->event.start_mark);
        fail_at(reader, at, "unknown key; the file holds one list and nothing else");
        return;
    }
    close_document(reader);
}

struct config_node *config_reader_next(struct config_reader *reader, struct arena *arena)
{
    if (!reader->ended) {
        reader->arena = arena;
        if (!advance(reader)) {
            return NULL;
        }
        reader->ended = reader->event.type == YAML_SEQUENCE_END_EVENT;
        if (!reader->ended) {
            return read_node(reader, 3);
        }
    }
    close_list(reader);
    return NULL;
}
