/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ddclient.conf, as its example file describes it (ddclient 4.0.0, ddclient.conf.in, read 2026-11-23):
 *     key=value, key=value                  for all hosts that follow
 *     key=value, key=value host,host        for these hosts
 * A line ends with "\" to go on in the next; a value may be 'quoted' or "quoted", with \ as escape; # begins a comment.
 */
#include <string.h>

#include "base/strbuf.h"
#include "cli/import.h"

#define DEFAULT_PROTOCOL "dyndns2"

struct parser {
    struct import_file *file;
    struct errinfo *info;
    struct view rest; /* of the file */
    uint32_t line;    /* number of the line that is read next */
    /* A line with those that it goes on in, each followed by a newline, without comments. */
    struct strbuf logical;
    struct view left; /* of it */
    uint32_t at;      /* line of the next character of `left` */
    struct strbuf word;
    struct import_section local; /* settings and hosts of this line */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A quotation mark protects "#", and so does a character other than a blank or comma before it. */
static size_t without_comment(struct view line)
{
    char quote = '\0';
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (c == '\\') {
            i++;
        } else if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '#' && (i == 0 || is_blank(line.ptr[i - 1]) || line.ptr[i - 1] == ',')) {
            return i;
        }
    }
    return line.len;
}

/* @return false at the end of the file. */
static bool read_logical(struct parser *parser)
{
    bool more = true, any = false;
    strbuf_clear(&parser->logical);
    parser->at = parser->line;
    while (more && parser->rest.len > 0) {
        struct view line;
        any = view_next(&parser->rest, '\n', &line);
        parser->line++;
        line = view_trim(view_n(line.ptr, without_comment(line)));
        more = line.len > 0 && line.ptr[line.len - 1] == '\\';
        (void)strbuf_add(&parser->logical, view_n(line.ptr, line.len - more)); /* sticky */
        (void)strbuf_addc(&parser->logical, '\n');
    }
    parser->left = strbuf_view(&parser->logical);
    return any;
}

static char take(struct parser *parser)
{
    char c = *parser->left.ptr;
    parser->at += c == '\n';
    parser->left = view_n(parser->left.ptr + 1, parser->left.len - 1);
    return c;
}

static void skip(struct parser *parser, bool commas)
{
    while (parser->left.len > 0 && (is_blank(*parser->left.ptr) || (commas && *parser->left.ptr == ','))) {
        (void)take(parser); /* a separator */
    }
}

static enum err wrong(struct parser *parser, uint32_t line, const char *what)
{
    return errinfo_set(parser->info, ERR_PARSE, "import", 0, "line %u: %s", (unsigned)line, what);
}

/* Up to a blank, a comma or, for a key, "=". */
static enum err read_word(struct parser *parser, bool key)
{
    uint32_t began = parser->at;
    char quote = '\0';
    strbuf_clear(&parser->word);
    while (parser->left.len > 0) {
        char c = *parser->left.ptr;
        if (quote == '\0' && (is_blank(c) || c == ',' || (key && c == '='))) {
            break;
        }
        (void)take(parser); /* c */
        if (c == '\0') {
            return wrong(parser, began, "a NUL byte");
        }
        if (c == '\\' && parser->left.len > 0) {
            (void)strbuf_addc(&parser->word, take(parser)); /* sticky */
        } else if (quote == '\0' && !key && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote != '\0' && c == quote) {
            quote = '\0';
        } else {
            (void)strbuf_addc(&parser->word, c); /* sticky */
        }
    }
    return quote == '\0' ? strbuf_error(&parser->word) : wrong(parser, began, "a quotation mark is not closed");
}

/* `key=value`, blanks around "=" allowed, or the name of a host. */
static enum err read_item(struct parser *parser)
{
    uint32_t line = parser->at;
    enum err err = read_word(parser, true);
    struct view word = strbuf_view(&parser->word);
    char key[64];
    if (err != ERR_OK) {
        return err;
    }
    struct view left = parser->left;
    while (left.len > 0 && is_blank(*left.ptr)) {
        left = view_n(left.ptr + 1, left.len - 1);
    }
    if (left.len == 0 || *left.ptr != '=') {
        return word.len > 0 ? import_add_host(parser->file, &parser->local, word, line) : ERR_OK;
    }
    if (word.len == 0 || view_copy(word, key, sizeof(key)) != ERR_OK) {
        return wrong(parser, line, "\"=\" without the name of a setting");
    }
    skip(parser, false);
    (void)take(parser); /* "=" */
    while (parser->left.len > 0 && (*parser->left.ptr == ' ' || *parser->left.ptr == '\t')) {
        (void)take(parser); /* but no newline: the value may be empty */
    }
    err = read_word(parser, false);
    return err == ERR_OK
               ? import_add_setting(parser->file, &parser->local, view_of(key), strbuf_view(&parser->word), line)
               : err;
}

/* What was set before under the same key counts no longer. */
static enum err copy_settings(struct parser *parser, const struct import_section *from, struct import_section *to)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < from->settings_len && err == ERR_OK; i++) {
        const struct import_setting *setting = &from->settings[i];
        import_remove(to, setting->key);
        err = import_add_setting(parser->file, to, view_of(setting->key), view_of(setting->value), setting->line);
    }
    return err;
}

/* The line is read: its settings are for its hosts, or for all that follow. */
static enum err close_line(struct parser *parser, uint32_t line)
{
    struct import_section *local = &parser->local;
    if (local->hosts_len == 0) {
        return copy_settings(parser, local, &parser->file->all);
    }
    const struct import_setting *protocol = import_find(local, "protocol");
    protocol = protocol != NULL ? protocol : import_find(&parser->file->all, "protocol");
    struct import_section *section = NULL;
    enum err err = import_add_section(parser->file, view_of(protocol != NULL ? protocol->value : DEFAULT_PROTOCOL),
                                      line, false, &section);
    err = err == ERR_OK ? copy_settings(parser, &parser->file->all, section) : err;
    err = err == ERR_OK ? copy_settings(parser, local, section) : err;
    for (size_t i = 0; i < local->hosts_len && err == ERR_OK; i++) {
        err = import_add_host(parser->file, section, view_of(local->hosts[i].name), local->hosts[i].line);
    }
    return err;
}

static enum err read_line(struct parser *parser)
{
    uint32_t line = parser->at;
    enum err err = strbuf_error(&parser->logical);
    parser->local = (struct import_section){0};
    skip(parser, true);
    while (err == ERR_OK && parser->left.len > 0) {
        err = read_item(parser);
        skip(parser, true);
    }
    return err == ERR_OK ? close_line(parser, line) : err;
}

enum err import_parse_ddclient(struct view text, struct import_file *file, struct errinfo *info)
{
    struct parser parser = {.file = file, .info = info, .rest = text, .line = 1};
    if (text.len > IMPORT_FILE_MAX) {
        return errinfo_set(info, ERR_LIMIT, "import", 0, "longer than %u bytes", IMPORT_FILE_MAX);
    }
    strbuf_init(&parser.logical, 2 * IMPORT_FILE_MAX);
    strbuf_init(&parser.word, IMPORT_FILE_MAX);
    enum err err = ERR_OK;
    while (err == ERR_OK && read_logical(&parser)) {
        err = read_line(&parser);
    }
    if (err != ERR_OK && err != ERR_PARSE) {
        err = errinfo_set(info, err, "import", 0, "line %u: %s", (unsigned)parser.at, err_text(err));
    }
    strbuf_deinit(&parser.logical);
    strbuf_deinit(&parser.word);
    return err;
}
