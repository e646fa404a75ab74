/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/pem.h"

void ca_pair_init(struct ca_pair *pair)
{
    strbuf_init(&pair->key_pem, PEM_FILE_MAX);
    strbuf_init(&pair->chain_pem, PEM_FILE_MAX);
}

void ca_pair_deinit(struct ca_pair *pair)
{
    crypto_zeroise(pair->key_pem.ptr, pair->key_pem.size);
    strbuf_deinit(&pair->key_pem);
    strbuf_deinit(&pair->chain_pem);
    ca_pair_init(pair);
}

static enum err write_all(int fd, struct view content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        size_t done = n > 0 ? (size_t)n : 0;
        content = view_n(content.ptr + done, content.len - done);
    }
    return ERR_OK;
}

/** A file that must not exist before; removed again when it cannot be written whole. */
static enum err write_new(const char *path, struct view content, mode_t mode, bool replace)
{
    if (replace && unlink(path) != 0 && errno != ENOENT) {
        return err_from_errno(errno);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    enum err err = fchmod(fd, mode) == 0 ? write_all(fd, content) : err_from_errno(errno);
    if (close(fd) != 0 && err == ERR_OK) {
        err = err_from_errno(errno);
    }
    if (err != ERR_OK) {
        (void)unlink(path); /* best effort: the first failure is what the caller must hear */
    }
    return err;
}

static enum err make_path(const char *prefix, const char *ending, char path[static PATH_MAX], struct errinfo *info)
{
    int n = snprintf(path, PATH_MAX, "%s%s", prefix, ending);
    return n >= 0 && n < PATH_MAX ? ERR_OK : errinfo_set(info, ERR_LIMIT, "ca", 0, "path too long: %s", prefix);
}

/** Whether a CA's own certificate stands at @p path: a device may be called as the files of the CA beside which it
 * goes. */
static bool holds_ca(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    uint8_t der[CERT_DER_MAX];
    struct certread cert = {0};
    bool found = file_read(path, PEM_FILE_MAX, &text, &len) == ERR_OK &&
                 pem_find(view_n(text, len), PEM_CERTIFICATE, der, sizeof(der), &len) == ERR_OK &&
                 certread_parse(view_n((const char *)der, len), &cert) == ERR_OK && cert.is_ca;
    free(text);
    return found;
}

enum err ca_pair_save(const struct ca_pair *pair, const char *prefix, bool replace, struct errinfo *info)
{
    char key_path[PATH_MAX];
    char chain_path[PATH_MAX];
    enum err err = make_path(prefix, ".key", key_path, info);
    if (err == ERR_OK) {
        err = make_path(prefix, ".pem", chain_path, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (!replace && access(chain_path, F_OK) == 0) { /* before the key is written beside a foreign certificate */
        return errinfo_set(info, ERR_EXISTS, "ca", 0, "%s: already exists", chain_path);
    }
    if (replace && holds_ca(chain_path)) {
        return errinfo_set(info, ERR_EXISTS, "ca", 0, "%s: is a certificate authority's", chain_path);
    }
    err = write_new(key_path, strbuf_view(&pair->key_pem), 0600, replace);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ca", 0, "%s: %s", key_path, err_text(err));
    }
    err = write_new(chain_path, strbuf_view(&pair->chain_pem), 0644, replace);
    if (err != ERR_OK) {
        (void)unlink(key_path); /* a key without certificate is of no use, and would stop the next try */
        return errinfo_set(info, err, "ca", 0, "%s: %s", chain_path, err_text(err));
    }
    return ERR_OK;
}

enum err ca_sync(const char *prefix, struct errinfo *info)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(prefix, '/');
    int n = slash == NULL ? snprintf(folder, sizeof(folder), ".")
                          : snprintf(folder, sizeof(folder), "%.*s", (int)MAX(slash - prefix, 1), prefix);
    if (n < 0 || (size_t)n >= sizeof(folder)) {
        return errinfo_set(info, ERR_LIMIT, "ca", 0, "path too long: %s", prefix);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0) {
        int error = errno;
        if (fd >= 0) {
            (void)close(fd); /* nothing was written through it */
        }
        return errinfo_set(info, err_from_errno(error), "ca", error, "%s: %s", folder, err_text(err_from_errno(error)));
    }
    (void)close(fd); /* nothing was written through it */
    return ERR_OK;
}
