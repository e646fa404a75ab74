/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pubfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "provisioning/limits.h"
#include "provisioning/pem.h"

#define SPKI_MAX 256 /* 44 bytes */

/* SubjectPublicKeyInfo with id-Ed25519 and a BIT STRING of 32 bytes (RFC 8410 4). */
static const uint8_t ED25519_HEAD[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static enum err read_text(const char *path, char **ret_text, size_t *ret_len, struct errinfo *info)
{
    enum err err = file_read(path, PEM_FILE_MAX, ret_text, ret_len);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "key", 0, "%s: %s", path, err_text(err));
}

enum err pubfile_p256(const char *path, uint8_t ret_point[static KEY_POINT_SIZE], struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = read_text(path, &text, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    err = key_parse_public(view_n(text, len), ret_point);
    free(text);
    return err == ERR_OK ? ERR_OK
                         : errinfo_set(info, ERR_INVALID, "key", 0, "%s: no public key on P-256 in PEM form", path);
}

enum err pubfile_ed25519(const char *path, uint8_t ret_point[static ED25519_POINT_SIZE], struct errinfo *info)
{
    uint8_t spki[SPKI_MAX];
    char *text = NULL;
    size_t text_len = 0, len = 0;
    enum err err = read_text(path, &text, &text_len, info);
    if (err != ERR_OK) {
        return err;
    }
    err = pem_find(view_n(text, text_len), PEM_PUBLIC, spki, SPKI_MAX, &len);
    free(text);
    if (err != ERR_OK || len != sizeof(ED25519_HEAD) + ED25519_POINT_SIZE ||
        memcmp(spki, ED25519_HEAD, sizeof(ED25519_HEAD)) != 0) {
        return errinfo_set(info, ERR_INVALID, "key", 0, "%s: no Ed25519 public key in PEM form", path);
    }
    memcpy(ret_point, spki + sizeof(ED25519_HEAD), ED25519_POINT_SIZE);
    return ERR_OK;
}
