/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inadyn.conf(5), https://man.troglobit.com/man5/inadyn.conf.5.html, read 2026-11-23:
 *     key = value                     value: a word, "quoted" or 'quoted' with \ as escape, or { value, value }
 *     provider NAME { key = value .. }    also custom NAME { .. }
 *     include("file")                     its text stands for it, in a section too
 *     # comment
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/strbuf.h"
#include "cli/import.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_SIGN };

struct lexer {
    struct view rest;
    const struct import_file *file;
    uint32_t line;  /* a place: in an included file its number is part of it */
    unsigned depth; /* of includes */
    enum token_kind kind;
    char sign;          /* TOKEN_SIGN: = { } ( ) , */
    struct strbuf word; /* TOKEN_WORD */
    uint32_t at;        /* line where the token began */
    struct errinfo *info;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_sign(char c)
{
    return c != '\0' && strchr("={}(),", c) != NULL;
}

static char take(struct lexer *lexer)
{
    char c = *lexer->rest.ptr;
    lexer->line += c == '\n';
    lexer->rest = view_n(lexer->rest.ptr + 1, lexer->rest.len - 1);
    return c;
}

static enum err wrong(struct lexer *lexer, const char *what)
{
    const char *path = import_path_of(lexer->file, lexer->at);
    return errinfo_set(lexer->info, ERR_PARSE, "import", 0, "%.100s%sline %u: %s", path != NULL ? path : "",
                       path != NULL ? " " : "", (unsigned)IMPORT_LINE(lexer->at), what);
}

static void skip_blank(struct lexer *lexer)
{
    bool comment = false;
    while (lexer->rest.len > 0 && (comment || is_blank(*lexer->rest.ptr) || *lexer->rest.ptr == '#')) {
        char c = take(lexer);
        comment = c == '#' || (comment && c != '\n');
    }
}

static enum err quoted(struct lexer *lexer, char quote)
{
    while (lexer->rest.len > 0) {
        char c = take(lexer);
        if (c == quote) {
            return strbuf_error(&lexer->word);
        }
        if (c == '\\' && lexer->rest.len > 0) {
            c = take(lexer);
        }
        if (c == '\0') {
            return wrong(lexer, "a NUL byte");
        }
        (void)strbuf_addc(&lexer->word, c); /* sticky */
    }
    return wrong(lexer, "a quotation mark is not closed");
}

static enum err bare(struct lexer *lexer)
{
    while (lexer->rest.len > 0 && !is_blank(*lexer->rest.ptr) && !is_sign(*lexer->rest.ptr) &&
           *lexer->rest.ptr != '#') {
        char c = take(lexer);
        if (c == '\\' && lexer->rest.len > 0) {
            c = take(lexer);
        }
        if (c == '\0') {
            return wrong(lexer, "a NUL byte");
        }
        (void)strbuf_addc(&lexer->word, c); /* sticky */
    }
    return strbuf_error(&lexer->word);
}

static enum err next(struct lexer *lexer)
{
    skip_blank(lexer);
    lexer->at = lexer->line;
    strbuf_clear(&lexer->word);
    if (lexer->rest.len == 0) {
        lexer->kind = TOKEN_END;
        return ERR_OK;
    }
    char c = *lexer->rest.ptr;
    if (is_sign(c)) {
        lexer->kind = TOKEN_SIGN;
        lexer->sign = take(lexer);
        return ERR_OK;
    }
    lexer->kind = TOKEN_WORD;
    if (c == '"' || c == '\'') {
        return quoted(lexer, take(lexer));
    }
    return bare(lexer);
}

static bool at_sign(const struct lexer *lexer, char sign)
{
    return lexer->kind == TOKEN_SIGN && lexer->sign == sign;
}

static enum err expect(struct lexer *lexer, char sign, const char *what)
{
    if (!at_sign(lexer, sign)) {
        return wrong(lexer, what);
    }
    return next(lexer);
}

/* The token is a value. */
static enum err store(struct lexer *lexer, struct import_file *file, struct import_section *section, const char *key)
{
    struct view value = strbuf_view(&lexer->word);
    if (lexer->kind != TOKEN_WORD) {
        return wrong(lexer, "a value is missing");
    }
    return strcmp(key, "hostname") == 0 ? import_add_host(file, section, value, lexer->at)
                                        : import_add_setting(file, section, view_of(key), value, lexer->at);
}

static enum err store_list(struct lexer *lexer, struct import_file *file, struct import_section *section,
                           const char *key)
{
    enum err err = next(lexer); /* the brace */
    while (err == ERR_OK && !at_sign(lexer, '}')) {
        err = store(lexer, file, section, key);
        if (err == ERR_OK) {
            err = next(lexer);
        }
        if (err == ERR_OK && !at_sign(lexer, '}')) {
            err = expect(lexer, ',', "\",\" or \"}\" expected");
        }
    }
    return err == ERR_OK ? next(lexer) : err;
}

static enum err parse(struct view text, struct import_file *file, struct import_section *section, uint32_t place,
                      unsigned depth, struct errinfo *info);

/* The token is the path: what is in the file stands here. */
static enum err read_included(struct lexer *lexer, struct import_file *file, struct import_section *section)
{
    const char *path = NULL;
    char *text = NULL, why[300];
    size_t len = 0;
    uint32_t place = 0;
    enum err err = lexer->depth == IMPORT_DEPTH_MAX
                       ? ERR_LIMIT
                       : import_add_include(file, strbuf_view(&lexer->word), &path, &place);
    if (err == ERR_LIMIT) {
        return wrong(lexer, "include: too many files, or files that include each other");
    }
    err = err == ERR_OK ? file->read(path, &text, &len) : err;
    if (err != ERR_OK) {
        (void)snprintf(why, sizeof(why), "include: %.200s: %s", path != NULL ? path : "", err_text(err)); /* cut */
        return wrong(lexer, why);
    }
    err = parse(view_n(text, len), file, section, place, lexer->depth + 1, lexer->info);
    crypto_zeroise(text, len); /* it may hold passwords */
    free(text);
    return err;
}

/* KEY(value): include is the only such. */
static enum err call(struct lexer *lexer, struct import_file *file, struct import_section *section, const char *key)
{
    enum err err = next(lexer);
    if (err == ERR_OK && lexer->kind != TOKEN_WORD) {
        return wrong(lexer, "the name of a file expected");
    }
    if (err == ERR_OK) {
        err = strcmp(key, "include") == 0 && file->read != NULL ? read_included(lexer, file, section)
                                                                : store(lexer, file, section, key);
    }
    err = err == ERR_OK ? next(lexer) : err;
    return err == ERR_OK ? expect(lexer, ')', "\")\" expected") : err;
}

/* Behind a key that is no section. */
static enum err assignment(struct lexer *lexer, struct import_file *file, struct import_section *section,
                           const char *key)
{
    if (at_sign(lexer, '(')) {
        return call(lexer, file, section, key);
    }
    enum err err = expect(lexer, '=', "\"=\" expected behind the name of a setting");
    if (err != ERR_OK) {
        return err;
    }
    if (at_sign(lexer, '{')) {
        return store_list(lexer, file, section, key);
    }
    err = store(lexer, file, section, key);
    return err == ERR_OK ? next(lexer) : err;
}

static enum err setting(struct lexer *lexer, struct import_file *file, struct import_section *section)
{
    char key[64];
    if (lexer->kind != TOKEN_WORD || view_copy(strbuf_view(&lexer->word), key, sizeof(key)) != ERR_OK) {
        return wrong(lexer, "the name of a setting expected");
    }
    enum err err = next(lexer);
    return err == ERR_OK ? assignment(lexer, file, section, key) : err;
}

static enum err section_of(struct lexer *lexer, struct import_file *file, bool custom)
{
    struct import_section *section = NULL;
    enum err err = next(lexer);
    if (err == ERR_OK && lexer->kind != TOKEN_WORD) {
        err = wrong(lexer, "the name of a provider expected");
    }
    if (err == ERR_OK) {
        err = import_add_section(file, strbuf_view(&lexer->word), lexer->at, custom, &section);
    }
    err = err == ERR_OK ? next(lexer) : err;
    err = err == ERR_OK ? expect(lexer, '{', "\"{\" expected behind the name of a provider") : err;
    while (err == ERR_OK && !at_sign(lexer, '}')) {
        err = lexer->kind == TOKEN_END ? wrong(lexer, "\"}\" is missing at the end of the file")
                                       : setting(lexer, file, section);
    }
    return err == ERR_OK ? next(lexer) : err;
}

/* Whole sections and settings for all; within a section only settings. */
static enum err contents(struct lexer *lexer, struct import_file *file, struct import_section *section)
{
    enum err err = next(lexer);
    while (err == ERR_OK && lexer->kind != TOKEN_END) {
        struct view word = strbuf_view(&lexer->word);
        bool custom = lexer->kind == TOKEN_WORD && view_equals(word, "custom");
        bool opens = section == &file->all && (custom || (lexer->kind == TOKEN_WORD && view_equals(word, "provider")));
        err = opens ? section_of(lexer, file, custom) : setting(lexer, file, section);
    }
    return err;
}

static enum err parse(struct view text, struct import_file *file, struct import_section *section, uint32_t place,
                      unsigned depth, struct errinfo *info)
{
    struct lexer lexer = {.rest = text, .file = file, .line = place + 1, .depth = depth, .info = info};
    if (text.len > IMPORT_FILE_MAX) {
        return errinfo_set(info, ERR_LIMIT, "import", 0, "longer than %u bytes", IMPORT_FILE_MAX);
    }
    strbuf_init(&lexer.word, IMPORT_FILE_MAX);
    enum err err = contents(&lexer, file, section);
    if (err != ERR_OK && err != ERR_PARSE) {
        err = errinfo_set(info, err, "import", 0, "line %u: %s", (unsigned)IMPORT_LINE(lexer.at), err_text(err));
    }
    if (lexer.word.ptr != NULL) {
        crypto_zeroise(lexer.word.ptr, lexer.word.size); /* it may have been a password */
    }
    strbuf_deinit(&lexer.word);
    return err;
}

enum err import_parse_inadyn(struct view text, struct import_file *file, struct errinfo *info)
{
    return parse(text, file, &file->all, 0, 0, info);
}
