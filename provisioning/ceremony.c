/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ceremony.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"

#define VERSION 1

static enum err log_path(const char *dir, char path[static PATH_MAX], struct errinfo *info)
{
    int n = snprintf(path, PATH_MAX, "%s/" CEREMONY_FILE, dir);
    return n >= 0 && n < PATH_MAX ? ERR_OK : errinfo_set(info, ERR_LIMIT, "ca", 0, "path too long: %s", dir);
}

static struct view member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? view_n(json_string_value(value), json_string_length(value)) : view_n(NULL, 0);
}

/** One line behind @p state: its number and the digest of the line before. */
static enum err take_line(struct view line, struct ceremony_state *state)
{
    CLEANUP(json_decref_p) json_t *root = NULL;
    char hex[2 * SHA256_SIZE + 1];
    if (line.len > CEREMONY_LINE_MAX || json_parse(line, CEREMONY_LINE_MAX, 1, &root, NULL) != ERR_OK) {
        return ERR_CORRUPT;
    }
    const json_t *version = json_object_get(root, "v");
    const json_t *number = json_object_get(root, "n");
    crypto_hex(state->last, SHA256_SIZE, hex);
    if (!json_is_integer(version) || json_integer_value(version) != VERSION || !json_is_integer(number) ||
        (uint64_t)json_integer_value(number) != state->lines || !view_equals(member(root, "prev"), hex) ||
        view_copy(member(root, "time"), state->time, sizeof(state->time)) != ERR_OK) {
        return ERR_CORRUPT;
    }
    state->lines++;
    crypto_sha256(line, state->last);
    return ERR_OK;
}

/** @param ret_whole bytes of whole lines. */
static enum err take_text(struct view text, const char *path, struct ceremony_state *state, size_t *ret_whole,
                          struct errinfo *info)
{
    size_t whole = 0;
    while (whole < text.len) {
        const char *start = text.ptr + whole;
        const char *end = memchr(start, '\n', text.len - whole);
        if (end == NULL) {
            break;
        }
        if (take_line(view_n(start, (size_t)(end - start)), state) != ERR_OK) {
            return errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s:%" PRIu64 ": the line does not follow the one before it",
                               path, state->lines + 1);
        }
        whole += (size_t)(end - start) + 1;
    }
    *ret_whole = whole;
    return ERR_OK;
}

static enum err read_log(const char *path, struct ceremony_state *ret_state, size_t *ret_whole, struct errinfo *info)
{
    char *text;
    size_t len;
    *ret_state = (struct ceremony_state){0};
    *ret_whole = 0;
    enum err err = file_read(path, CEREMONY_FILE_MAX, &text, &len);
    if (err == ERR_NOTFOUND) {
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ca", 0, "%s: %s", path, err_text(err));
    }
    err = take_text(view_n(text, len), path, ret_state, ret_whole, info);
    free(text);
    return err;
}

enum err ceremony_verify(const char *dir, struct ceremony_state *ret_state, struct errinfo *info)
{
    char path[PATH_MAX];
    size_t whole;
    enum err err = log_path(dir, path, info);
    return err == ERR_OK ? read_log(path, ret_state, &whole, info) : err;
}

/** A word as it may stand in a line: cut, and nothing that is not printable. */
static void add_word(struct strbuf *out, const char *key, const char *text)
{
    char clean[CEREMONY_TEXT_MAX + 1];
    size_t len = 0;
    for (; text[len] != '\0' && len < CEREMONY_TEXT_MAX; len++) {
        clean[len] = text[len] >= ' ' && text[len] <= '~' && text[len] != '"' && text[len] != '\\' ? text[len] : '?';
    }
    (void)strbuf_addf(out, ",\"%s\":\"%.*s\"", key, (int)len, clean); /* the error sticks, as below */
}

static enum err format_line(const struct ceremony_act *act, const struct ceremony_state *state, int64_t now_s,
                            struct strbuf *out)
{
    char time[CLOCK_RFC3339_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    clock_rfc3339(now_s * 1000, time);
    (void)strbuf_addf(out, "{\"v\":%d,\"n\":%" PRIu64 ",\"time\":\"%s\"", VERSION, state->lines, time);
    add_word(out, "by", act->by);
    add_word(out, "act", act->act);
    add_word(out, "what", act->what);
    if (act->sha256 != NULL) {
        crypto_hex(act->sha256, SHA256_SIZE, hex);
        (void)strbuf_addf(out, ",\"sha256\":\"%s\"", hex);
    }
    crypto_hex(state->last, SHA256_SIZE, hex);
    (void)strbuf_addf(out, ",\"prev\":\"%s\"}\n", hex);
    return strbuf_error(out);
}

/** @param fd locked. @param whole bytes of whole lines: what stands behind them goes. */
static enum err write_line(int fd, size_t whole, struct view line)
{
    if (ftruncate(fd, (off_t)whole) != 0) {
        return err_from_errno(errno);
    }
    while (line.len > 0) {
        ssize_t n = pwrite(fd, line.ptr, line.len, (off_t)whole);
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        size_t done = n > 0 ? (size_t)n : 0;
        line = view_n(line.ptr + done, line.len - done);
        whole += done;
    }
    return fdatasync(fd) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err append_locked(int fd, const char *path, const struct ceremony_act *act, int64_t now_s,
                              struct errinfo *info)
{
    struct ceremony_state state;
    struct strbuf line;
    size_t whole;
    enum err err = read_log(path, &state, &whole, info);
    if (err != ERR_OK) {
        return err;
    }
    strbuf_init(&line, CEREMONY_LINE_MAX);
    err = format_line(act, &state, now_s, &line);
    if (err == ERR_OK) {
        err = write_line(fd, whole, strbuf_view(&line));
    }
    strbuf_deinit(&line);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "ca", 0, "%s: %s", path, err_text(err));
}

enum err ceremony_append(const char *dir, const struct ceremony_act *act, int64_t now_s, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = log_path(dir, path, info);
    if (err != ERR_OK) {
        return err;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        int error = errno;
        if (fd >= 0) {
            (void)close(fd); /* nothing was written */
        }
        return errinfo_set(info, err_from_errno(error), "ca", error, "%s: %s", path, err_text(err_from_errno(error)));
    }
    err = append_locked(fd, path, act, now_s, info);
    if (close(fd) != 0 && err == ERR_OK) {
        err = errinfo_set(info, err_from_errno(errno), "ca", errno, "%s: %s", path, err_text(err_from_errno(errno)));
    }
    return err;
}
