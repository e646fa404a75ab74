/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/awskey.h"

#include <string.h>

static enum err bad(struct errinfo *info, enum err err, const char *profile, const char *what)
{
    return errinfo_set(info, err, "config", 0, "AWS credentials, profile %s: %s", profile, what);
}

static enum err take(struct awskey *key, struct view name, struct view value)
{
    const struct {
        const char *name;
        struct secret *secret;
    } rows[] = {
        {"aws_access_key_id", &key->id}, {"aws_secret_access_key", &key->secret}, {"aws_session_token", &key->token}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (view_equals(name, rows[i].name)) {
            return secret_set(rows[i].secret, value);
        }
    }
    return ERR_OK; /* region, output and others are the tools' own */
}

/** "[name]" or, as in AWS's config file, "[profile name]". */
static bool section_is(struct view line, const char *profile)
{
    struct view name = view_trim(view_n(line.ptr + 1, line.len - 2)), prefix = VIEW_LITERAL("profile ");
    if (view_starts_with(name, prefix)) {
        name = view_trim(view_n(name.ptr + prefix.len, name.len - prefix.len));
    }
    return view_equals(name, profile);
}

static enum err read_line(struct view line, const char *profile, bool *here, bool *found, struct awskey *key)
{
    struct view name, rest = line;
    if (line.len == 0 || *line.ptr == '#' || *line.ptr == ';') {
        return ERR_OK;
    }
    if (*line.ptr == '[') {
        if (line.len < 2 || line.ptr[line.len - 1] != ']') {
            return ERR_PARSE;
        }
        *here = section_is(line, profile);
        *found |= *here;
        return ERR_OK;
    }
    if (!view_next(&rest, '=', &name) || name.len == line.len) {
        return ERR_PARSE;
    }
    *found |= *here;
    return *here ? take(key, view_trim(name), view_trim(rest)) : ERR_OK;
}

/** Both go into a header line. */
static bool is_plain(const struct secret *secret)
{
    for (size_t i = 0; i < secret->len; i++) {
        if (secret->ptr[i] <= ' ' || secret->ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

enum err awskey_parse(struct view text, const char *profile, struct awskey *ret_key, struct errinfo *info)
{
    struct awskey key = {0};
    struct view rest = text, line;
    bool here = strcmp(profile, "default") == 0, found = false;
    enum err err = ERR_OK;
    while (err == ERR_OK && view_next(&rest, '\n', &line)) {
        err = read_line(view_trim(line), profile, &here, &found, &key);
    }
    if (err != ERR_OK) {
        err = bad(info, err, profile, "lines are `[profile]` or `name = value`");
    } else if (!found) {
        err = bad(info, ERR_NOTFOUND, profile, "no such section: set the option `profile`");
    } else if (key.id.len == 0 || key.secret.len == 0) {
        err = bad(info, ERR_INVALID, profile, "needs aws_access_key_id and aws_secret_access_key");
    } else if (!is_plain(&key.id) || !is_plain(&key.secret) || !is_plain(&key.token)) {
        err = bad(info, ERR_INVALID, profile, "a value has a blank or another character that no key has");
    }
    if (err != ERR_OK) {
        awskey_deinit(&key);
        return err;
    }
    *ret_key = key;
    return ERR_OK;
}

void awskey_deinit(struct awskey *key)
{
    secret_deinit(&key->id);
    secret_deinit(&key->secret);
    secret_deinit(&key->token);
}
