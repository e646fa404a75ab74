/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inadyn.conf(5), https://man.troglobit.com/man5/inadyn.conf.5.html, read as libConfuse does, which inadyn reads its
 * file with (src/lexer.l of github.com/libconfuse/libconfuse at 713f6269); both read 2026-11-23:
 *     key = value                     value: a word, "quoted" or 'quoted', or { value, value }; also key += value
 *     provider NAME { key = value .. }    also custom NAME { .. }
 *     include("file")                     its text stands for it, in a section too
 *     # comment, // comment, also those of C
 * What a backslash does depends on the quotes: passwords are full of them.
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
    char sign;          /* TOKEN_SIGN: = { } ( ) , + */
    struct strbuf word; /* TOKEN_WORD */
    bool from_env;      /* ${VAR} is part of it, as it stands: nobody here knows its value */
    uint32_t at;        /* line where the token began */
    struct errinfo *info;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_sign(char c)
{
    return c != '\0' && strchr("={}(),+", c) != NULL;
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

static bool is_next(const struct lexer *lexer, const char *text)
{
    return view_starts_with(lexer->rest, view_of(text));
}

static void skip_line(struct lexer *lexer)
{
    while (lexer->rest.len > 0 && *lexer->rest.ptr != '\n') {
        (void)take(lexer); /* which counts lines, here and below */
    }
}

static enum err skip_comment(struct lexer *lexer)
{
    (void)take(lexer);
    (void)take(lexer);
    while (lexer->rest.len > 0) {
        if (is_next(lexer, "*/")) {
            (void)take(lexer);
            (void)take(lexer);
            return ERR_OK;
        }
        (void)take(lexer);
    }
    return wrong(lexer, "a comment is not closed");
}

static enum err skip_blank(struct lexer *lexer)
{
    while (lexer->rest.len > 0) {
        if (is_next(lexer, "#") || is_next(lexer, "//")) {
            skip_line(lexer);
        } else if (is_next(lexer, "/*")) {
            enum err err = skip_comment(lexer);
            if (err != ERR_OK) {
                return err;
            }
        } else if (is_blank(*lexer->rest.ptr)) {
            (void)take(lexer);
        } else {
            break;
        }
    }
    return ERR_OK;
}

/* ---- words ---- */

static enum err add(struct lexer *lexer, char c)
{
    return c == '\0' ? wrong(lexer, "a NUL byte") : strbuf_addc(&lexer->word, c);
}

/* ${VAR} stays in the word as it is written. False: there is none here. */
static bool take_variable(struct lexer *lexer)
{
    const char *end = is_next(lexer, "${") ? memchr(lexer->rest.ptr, '}', lexer->rest.len) : NULL;
    if (end == NULL) {
        return false;
    }
    while (lexer->rest.ptr <= end) {
        (void)strbuf_addc(&lexer->word, take(lexer)); /* sticky */
    }
    lexer->from_env = true;
    return true;
}

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    return at != NULL ? (int)(at - digits) : 16;
}

/* Digits of a character's number. @param most how many count. */
static enum err add_number(struct lexer *lexer, int base, int most)
{
    int number = 0;
    for (int i = 0; i < most && lexer->rest.len > 0 && digit_of(*lexer->rest.ptr) < base; i++) {
        number = number * base + digit_of(take(lexer));
    }
    return number > UINT8_MAX ? wrong(lexer, "no character has this number") : add(lexer, (char)(unsigned char)number);
}

/* Behind a backslash in "..". */
static enum err add_escaped(struct lexer *lexer)
{
    static const char names[] = "nrbfaetv", meanings[] = "\n\r\b\f\a\x1b\t\v";
    char c = *lexer->rest.ptr;
    if (digit_of(c) < 8) {
        return add_number(lexer, 8, 3);
    }
    (void)take(lexer);
    if (c == '\n') {
        return ERR_OK; /* the word goes on in the next line */
    }
    if (c == 'x' && lexer->rest.len > 0 && digit_of(*lexer->rest.ptr) < 16) {
        return add_number(lexer, 16, 2);
    }
    const char *name = c == '\0' ? NULL : strchr(names, c);
    return add(lexer, name != NULL ? meanings[name - names] : c);
}

static enum err quoted(struct lexer *lexer)
{
    char quote = take(lexer);
    enum err err = ERR_OK;
    while (err == ERR_OK && lexer->rest.len > 0) {
        if (quote == '"' && take_variable(lexer)) {
            continue;
        }
        char c = take(lexer);
        if (c == quote) {
            return strbuf_error(&lexer->word);
        }
        bool escapes = c == '\\' && (quote == '"' || is_next(lexer, "\\") || is_next(lexer, "'"));
        if (!escapes || lexer->rest.len == 0) {
            err = add(lexer, c);
        } else {
            err = quote == '"' ? add_escaped(lexer) : add(lexer, take(lexer));
        }
    }
    return err == ERR_OK ? wrong(lexer, "a quotation mark is not closed") : err;
}

/* Without quotes a backslash is a character as any other, and a variable is a word of its own. */
static enum err bare(struct lexer *lexer)
{
    enum err err = ERR_OK;
    if (take_variable(lexer)) {
        return strbuf_error(&lexer->word);
    }
    while (err == ERR_OK && lexer->rest.len > 0 && !is_blank(*lexer->rest.ptr) && !is_sign(*lexer->rest.ptr) &&
           memchr("#\"'", *lexer->rest.ptr, 3) == NULL && !is_next(lexer, "//") && !is_next(lexer, "/*")) {
        err = add(lexer, take(lexer));
    }
    return err;
}

/* Two of them are one: += adds to what there is, as a second = does for hosts. */
static void sign(struct lexer *lexer)
{
    lexer->kind = TOKEN_SIGN;
    if (is_next(lexer, "+=")) {
        (void)take(lexer);
    }
    lexer->sign = take(lexer);
}

static enum err next(struct lexer *lexer)
{
    enum err err = skip_blank(lexer);
    lexer->at = lexer->line;
    lexer->from_env = false;
    strbuf_clear(&lexer->word);
    if (err != ERR_OK) {
        return err;
    }
    if (lexer->rest.len == 0) {
        lexer->kind = TOKEN_END;
        return ERR_OK;
    }
    char c = *lexer->rest.ptr;
    if (is_sign(c)) {
        sign(lexer);
        return ERR_OK;
    }
    lexer->kind = TOKEN_WORD;
    return c == '"' || c == '\'' ? quoted(lexer) : bare(lexer);
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
    if (strcmp(key, "hostname") == 0) {
        return import_add_host(file, section, value, lexer->at);
    }
    enum err err = import_add_setting(file, section, view_of(key), value, lexer->at);
    if (err == ERR_OK) {
        section->settings[section->settings_len - 1].from_env = lexer->from_env;
    }
    return err;
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
    if (lexer->from_env) {
        return wrong(lexer, "include: the value of an environment variable is not known here: write the path");
    }
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
