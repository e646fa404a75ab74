/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/revoked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/strbuf.h"

static enum err parse_line(struct view line, struct crl_entry *entry)
{
    struct view hex;
    uint64_t seconds;
    if (!view_next(&line, ' ', &hex) || hex.len == 0 || hex.len % 2 != 0 || hex.len / 2 > CRL_SERIAL_MAX ||
        crypto_unhex(hex, entry->serial, hex.len / 2) != ERR_OK || entry->serial[0] == 0 ||
        view_to_u64(line, INT64_MAX / 1000, &seconds) != ERR_OK) {
        return ERR_CORRUPT;
    }
    entry->serial_len = (uint8_t)(hex.len / 2);
    entry->revoked_s = (int64_t)seconds;
    return ERR_OK;
}

static size_t count_lines(struct view text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n';
    }
    return lines;
}

static enum err parse_text(const char *path, struct view text, struct revoked *revoked, struct errinfo *info)
{
    size_t lines = count_lines(text);
    if (lines > CRL_ENTRIES_MAX) {
        return errinfo_set(info, ERR_LIMIT, "ca", 0, "%s: more than %d lines", path, CRL_ENTRIES_MAX);
    }
    revoked->entries = calloc(lines + 1, sizeof(*revoked->entries));
    if (revoked->entries == NULL) {
        return errinfo_set(info, ERR_NOMEM, "ca", 0, "out of memory");
    }
    for (size_t i = 0; text.len > 0; i++) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : 0;
        if (end == NULL || parse_line(view_n(text.ptr, len), &revoked->entries[i]) != ERR_OK) {
            return errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s:%zu: damaged line", path, i + 1);
        }
        revoked->len++;
        text = view_n(end + 1, text.len - len - 1);
    }
    return ERR_OK;
}

enum err revoked_load(const char *path, struct revoked *ret_revoked, struct errinfo *info)
{
    char *text;
    size_t len;
    enum err err = file_read(path, REVOKED_FILE_MAX, &text, &len);
    if (err == ERR_NOTFOUND) {
        *ret_revoked = (struct revoked){0};
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ca", 0, "%s: %s", path, err_text(err));
    }
    struct revoked revoked = {0};
    err = parse_text(path, view_n(text, len), &revoked, info);
    free(text);
    if (err != ERR_OK) {
        revoked_deinit(&revoked);
        return err;
    }
    *ret_revoked = revoked;
    return ERR_OK;
}

void revoked_deinit(struct revoked *revoked)
{
    free(revoked->entries);
    *revoked = (struct revoked){0};
}

static enum err format(const struct revoked *revoked, struct strbuf *out)
{
    for (size_t i = 0; i < revoked->len; i++) {
        char hex[2 * CRL_SERIAL_MAX + 1];
        crypto_hex(revoked->entries[i].serial, revoked->entries[i].serial_len, hex);
        (void)strbuf_addf(out, "%s %" PRId64 "\n", hex, revoked->entries[i].revoked_s); /* the error sticks */
    }
    return strbuf_error(out);
}

/** Grows @p revoked by one. */
static enum err append(struct revoked *revoked, struct view serial, int64_t now_s)
{
    if (serial.len == 0 || serial.len > CRL_SERIAL_MAX || now_s < 0) {
        return ERR_INVALID;
    }
    struct crl_entry *grown = realloc(revoked->entries, (revoked->len + 1) * sizeof(*grown));
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    revoked->entries = grown;
    struct crl_entry *entry = &grown[revoked->len++];
    *entry = (struct crl_entry){.serial_len = (uint8_t)serial.len, .revoked_s = now_s};
    memcpy(entry->serial, serial.ptr, serial.len);
    return ERR_OK;
}

enum err revoked_add(const char *path, struct view serial, int64_t now_s, struct errinfo *info)
{
    struct revoked revoked = {0};
    struct strbuf text;
    enum err err = revoked_load(path, &revoked, info);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < revoked.len; i++) {
        if (view_equal(view_n((const char *)revoked.entries[i].serial, revoked.entries[i].serial_len), serial)) {
            revoked_deinit(&revoked);
            return errinfo_set(info, ERR_EXISTS, "ca", 0, "%s: the certificate is revoked already", path);
        }
    }
    strbuf_init(&text, REVOKED_FILE_MAX);
    err = revoked.len < CRL_ENTRIES_MAX ? append(&revoked, serial, now_s) : ERR_LIMIT;
    if (err == ERR_OK) {
        err = format(&revoked, &text);
    }
    if (err == ERR_OK) {
        err = file_replace(path, strbuf_view(&text), 0644);
    }
    strbuf_deinit(&text);
    revoked_deinit(&revoked);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "ca", 0, "%s: %s", path, err_text(err));
}
