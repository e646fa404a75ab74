/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/tsigkey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/file.h"
#include "providers/limits.h"

static const char *const algorithms[] = {"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"};

static enum err bad(struct errinfo *info, enum err err, const char *text)
{
    return errinfo_set(info, err, "dns", 0, "TSIG key file: %s", text);
}

static enum err set_algorithm(struct view text, struct tsigkey *key, struct errinfo *info)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '.') {
        text.len--;
    }
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        if (view_equal_nocase(text, view_of(algorithms[i]))) {
            return view_copy(view_of(algorithms[i]), key->algorithm, sizeof(key->algorithm));
        }
    }
    return bad(info, ERR_UNSUPPORTED, "algorithm must be hmac-sha1, -sha224, -sha256, -sha384 or -sha512");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/** Skips blanks and the three kinds of comment that named.conf knows. */
static void skip_blanks(struct view *text)
{
    while (text->len > 0) {
        size_t skip = 0;
        if (is_blank(*text->ptr)) {
            skip = 1;
        } else if (*text->ptr == '#' || view_starts_with(*text, VIEW_LITERAL("//"))) {
            const char *end = memchr(text->ptr, '\n', text->len);
            skip = end != NULL ? (size_t)(end - text->ptr) : text->len;
        } else if (view_starts_with(*text, VIEW_LITERAL("/*"))) {
            const char *end = memmem(text->ptr, text->len, "*/", 2);
            skip = end != NULL ? (size_t)(end - text->ptr) + 2 : text->len;
        } else {
            return;
        }
        *text = view_n(text->ptr + skip, text->len - skip);
    }
}

/** One token: quoted text, one of {}; or a word. False at the end. */
static bool next_token(struct view *text, struct view *ret_token)
{
    skip_blanks(text);
    if (text->len == 0) {
        return false;
    }
    size_t len = 0, take = 0;
    const char *from = text->ptr;
    if (*from == '"') {
        const char *end = memchr(from + 1, '"', text->len - 1);
        if (end == NULL) {
            return false;
        }
        from++;
        len = (size_t)(end - from);
        take = len + 2;
    } else if (strchr("{};", *from) != NULL) {
        len = take = 1;
    } else {
        while (len < text->len && !is_blank(from[len]) && strchr("{};\"", from[len]) == NULL) {
            len++;
        }
        take = len;
    }
    *ret_token = view_n(from, len);
    *text = view_n(text->ptr + take, text->len - take);
    return true;
}

static bool expect(struct view *text, const char *token)
{
    struct view found;
    return next_token(text, &found) && view_equals(found, token);
}

static enum err parse_clauses(struct view *text, struct tsigkey *key, struct errinfo *info)
{
    struct view word, value;
    while (next_token(text, &word) && !view_equals(word, "}")) {
        if (!next_token(text, &value) || !expect(text, ";")) {
            return bad(info, ERR_PARSE, "each clause is `word value;`");
        }
        enum err err = ERR_OK;
        if (view_equals(word, "algorithm")) {
            err = set_algorithm(value, key, info);
        } else if (view_equals(word, "secret")) {
            err = view_copy(value, key->secret, sizeof(key->secret));
        } else {
            err = bad(info, ERR_PARSE, "only the clauses algorithm and secret are known");
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err parse_line(struct view line, struct tsigkey *key, struct errinfo *info)
{
    struct view algorithm, name, secret = {0};
    if (!view_next(&line, ':', &algorithm) || !view_next(&line, ':', &name) || !view_next(&line, ':', &secret)) {
        return bad(info, ERR_PARSE,
                   "expected `key \"name\" { algorithm ...; secret \"...\"; };` or algorithm:name:base64");
    }
    enum err err = set_algorithm(algorithm, key, info);
    if (err == ERR_OK) {
        err = view_copy(name, key->name, sizeof(key->name));
    }
    return err == ERR_OK ? view_copy(secret, key->secret, sizeof(key->secret)) : err;
}

enum err tsigkey_parse(struct view text, struct tsigkey *ret_key, struct errinfo *info)
{
    struct tsigkey key = {0};
    struct view rest = text, token = {0};
    enum err err = ERR_OK;
    if (!next_token(&rest, &token)) {
        return bad(info, ERR_PARSE, "empty");
    }
    if (view_equals(token, "key")) {
        err = next_token(&rest, &token) ? view_copy(token, key.name, sizeof(key.name)) : ERR_PARSE;
        if (err == ERR_OK && !expect(&rest, "{")) {
            err = bad(info, ERR_PARSE, "`{` expected after the key's name");
        }
        err = err == ERR_OK ? parse_clauses(&rest, &key, info) : err;
    } else {
        err = parse_line(token, &key, info);
    }
    if (err == ERR_OK && (key.algorithm[0] == '\0' || key.name[0] == '\0' || key.secret[0] == '\0')) {
        err = bad(info, ERR_PARSE, "name, algorithm and secret are all needed");
    }
    if (err == ERR_OK) {
        *ret_key = key;
    }
    tsigkey_deinit(&key);
    return err;
}

enum err tsigkey_load(const char *path, struct tsigkey *ret_key, struct errinfo *info)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return errinfo_set(info, err_from_errno(errno), "dns", errno, "TSIG key file %s: %s", path,
                           err_text(err_from_errno(errno)));
    }
    if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return errinfo_set(info, ERR_DENIED, "dns", 0, "TSIG key file %s is open to all users: chmod 0640 or 0600",
                           path);
    }
    char *data = NULL;
    size_t len = 0;
    enum err err = file_read(path, TSIG_KEY_FILE_MAX, &data, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "dns", 0, "TSIG key file %s: %s", path, err_text(err));
    }
    err = tsigkey_parse(view_n(data, len), ret_key, info);
    crypto_zeroise(data, len);
    free(data);
    return err;
}

void tsigkey_deinit(struct tsigkey *key)
{
    crypto_zeroise(key, sizeof(*key));
}
