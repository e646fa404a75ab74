/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ddclient.conf, as its example file (ddclient 4.0.0, ddclient.conf.in) and its reader (f4dcf6f, sub _read_config) have
 * it, read 2026-11-23:
 *     key=value, key=value                               for all hosts that follow
 *     key=value, key=value host,host [login [password]]  for these hosts
 * A line ends with "\" to go on in the next; a value may be 'quoted' or "quoted", with \ as escape; # begins a comment.
 * A password is another thing: 'all up to the last quote of the line', or all up to a blank or a comma before one, and
 * nothing is an escape.
 */
#include <string.h>

#include "base/crypto.h"
#include "base/macros.h"
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
    bool bare, comma;            /* a host has stood there by itself; a comma stood behind it */
    unsigned words;              /* behind the hosts: login, password */
};

#define PASSWORD "password"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes of a password's value with its quotes, of one line. */
static size_t password_len(struct view text)
{
    size_t word = 0, quoted = 0;
    while (word < text.len && !is_blank(text.ptr[word])) {
        word++;
    }
    word -= word > 1 && text.ptr[word - 1] == ','; /* in the example file a comma ends it, whatever the reader does */
    for (size_t i = 1; i < text.len && *text.ptr == '\'' && text.ptr[i] != '\n'; i++) {
        quoted = text.ptr[i] == '\'' ? i + 1 : quoted;
    }
    return quoted > 0 ? quoted : word;
}

/* Where the value of a password that stands at the front of @p text begins; 0: it is none. */
static size_t password_at(struct view text)
{
    size_t at = sizeof(PASSWORD) - 1;
    if (!view_starts_with(text, VIEW_LITERAL(PASSWORD))) {
        return 0;
    }
    while (at < text.len && is_blank(text.ptr[at])) {
        at++;
    }
    bool assigns = at < text.len && text.ptr[at++] == '=';
    while (assigns && at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t')) {
        at++;
    }
    return assigns ? at : 0;
}

/* A quotation mark protects "#", and so do a password and a character other than a blank or comma before it. */
static size_t without_comment(struct view line)
{
    char quote = '\0';
    for (size_t i = 0; i < line.len; i++) {
        struct view here = view_n(line.ptr + i, line.len - i);
        size_t password = quote == '\0' ? password_at(here) : 0;
        char c = line.ptr[i];
        if (password > 0) {
            i += password + password_len(view_n(here.ptr + password, here.len - password)) - 1;
        } else if (c == '\\') {
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
        parser->comma = take(parser) == ',' || parser->comma;
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

/* So many characters as they are. */
static enum err read_raw(struct parser *parser, size_t len)
{
    strbuf_clear(&parser->word);
    for (size_t i = 0; i < len; i++) {
        char c = take(parser);
        if (c == '\0') {
            return wrong(parser, parser->at, "a NUL byte");
        }
        (void)strbuf_addc(&parser->word, c); /* sticky */
    }
    return strbuf_error(&parser->word);
}

static enum err read_password(struct parser *parser)
{
    size_t len = password_len(parser->left);
    bool quoted = len > 1 && *parser->left.ptr == '\'' && parser->left.ptr[len - 1] == '\'';
    if (quoted) {
        (void)take(parser); /* the quotation mark */
    }
    enum err err = read_raw(parser, quoted ? len - 2 : len);
    if (err == ERR_OK && quoted) {
        (void)take(parser); /* the other one */
    }
    return err;
}

/* What follows the hosts without a comma: the login, then the password. */
static enum err read_credential(struct parser *parser)
{
    static const char *const keys[] = {"login", PASSWORD};
    uint32_t line = parser->at;
    size_t len = 0;
    while (len < parser->left.len && !is_blank(parser->left.ptr[len])) {
        len++;
    }
    enum err err = read_raw(parser, len);
    return err == ERR_OK && parser->words < ARRAY_LEN(keys)
               ? import_add_setting(parser->file, &parser->local, view_of(keys[parser->words++]),
                                    strbuf_view(&parser->word), line)
               : err;
}

/* The hosts of `host=`. */
static enum err add_hosts(struct parser *parser, struct view names, uint32_t line)
{
    struct view name;
    enum err err = ERR_OK;
    while (err == ERR_OK && view_next(&names, ',', &name)) {
        name = view_trim(name);
        err = name.len > 0 ? import_add_host(parser->file, &parser->local, name, line) : ERR_OK;
    }
    return err;
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
        parser->bare = word.len > 0;
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
    err = strcmp(key, PASSWORD) == 0 ? read_password(parser) : read_word(parser, false);
    if (err != ERR_OK || strcmp(key, "host") == 0) {
        return err == ERR_OK ? add_hosts(parser, strbuf_view(&parser->word), line) : err;
    }
    return import_add_setting(parser->file, &parser->local, view_of(key), strbuf_view(&parser->word), line);
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
    parser->bare = false;
    parser->words = 0;
    skip(parser, true);
    while (err == ERR_OK && parser->left.len > 0) {
        bool credential = parser->bare && !parser->comma;
        parser->comma = false;
        err = credential ? read_credential(parser) : read_item(parser);
        skip(parser, true);
    }
    return err == ERR_OK ? close_line(parser, line) : err;
}

/* It held passwords. */
static void wipe(struct strbuf *text)
{
    if (text->ptr != NULL) {
        crypto_zeroise(text->ptr, text->size);
    }
    strbuf_deinit(text);
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
    wipe(&parser.logical);
    wipe(&parser.word);
    return err;
}
