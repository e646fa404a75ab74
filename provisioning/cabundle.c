/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <unistd.h>

#include "provisioning/ca_private.h"
#include "provisioning/pem.h"

static const struct bundle_row {
    const char *file;
    enum cert_profile members[3];
    size_t members_len;
} bundles[] = {
    {"bundle-clients.pem", {CERT_ROOT_CA, CERT_DEVICE_CA, CERT_SERVICE_CA}, 3},
    {"bundle-server.pem", {CERT_ROOT_CA, CERT_SERVER_CA}, 2},
    {"bundle-claims.pem", {CERT_ROOT_CA, CERT_CLAIM_CA, CERT_SERVICE_CA}, 3},
    {"issuers-devices.pem", {CERT_DEVICE_CA}, 1},
    {"issuers-services.pem", {CERT_SERVICE_CA}, 1},
    {"issuers-claims.pem", {CERT_CLAIM_CA}, 1},
};

/** A CA and the generations before it. */
static enum err add_member(const char *dir, enum cert_profile member, struct strbuf *text, struct errinfo *info)
{
    struct ca_generations generations;
    enum err err = ca_generations(dir, ca_base_of(member), ".pem", &generations, info);
    for (size_t i = 0; err == ERR_OK && i < generations.len; i++) {
        uint8_t der[CERT_DER_MAX];
        size_t len;
        struct certread cert;
        err = ca_read_certificate(dir, generations.base[i], der, &len, &cert, info);
        if (err == ERR_OK) {
            err = pem_write(text, PEM_CERTIFICATE, view_n((const char *)der, len));
        }
    }
    return err;
}

static enum err write_bundle(const char *dir, const char *out, const struct bundle_row *bundle, struct errinfo *info)
{
    struct strbuf text;
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = ERR_OK;
    for (size_t m = 0; err == ERR_OK && m < bundle->members_len; m++) {
        err = add_member(dir, bundle->members[m], &text, info);
    }
    if (err == ERR_OK) {
        err = ca_write(out, bundle->file, "", &text, 0644, info);
    }
    strbuf_deinit(&text);
    return err;
}

/** A folder of before there were claims has no such CA, and needs no bundle with it. */
static bool lacks_claims(const char *dir)
{
    char path[PATH_MAX];
    return ca_path(dir, ca_base_of(CERT_CLAIM_CA), ".pem", path, NULL) == ERR_OK && access(path, F_OK) != 0;
}

static bool has_claims(const struct bundle_row *bundle)
{
    for (size_t m = 0; m < bundle->members_len; m++) {
        if (bundle->members[m] == CERT_CLAIM_CA) {
            return true;
        }
    }
    return false;
}

enum err ca_bundle(const char *dir, const char *out, struct errinfo *info)
{
    enum err err = ERR_OK;
    bool without_claims = lacks_claims(dir);
    for (size_t b = 0; err == ERR_OK && b < ARRAY_LEN(bundles); b++) {
        if (!without_claims || !has_claims(&bundles[b])) {
            err = write_bundle(dir, out, &bundles[b], info);
        }
    }
    return err;
}
