/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pemfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/limits.h"

enum err pemfile_check(const char *path, struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(path, PEM_BUNDLE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "tls", 0, "%s: %s", path, err_text(err));
    }
    bool framed = strstr(text, "-----BEGIN ") != NULL; /* a NUL follows the last byte */
    crypto_zeroise(text, len);                         /* it may be a key */
    free(text);
    return framed ? ERR_OK : errinfo_set(info, ERR_PARSE, "tls", 0, "%s: holds nothing in PEM", path);
}
