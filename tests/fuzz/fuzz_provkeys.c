/* SPDX-License-Identifier: Apache-2.0 */
/** What names and frames keys and signed payloads: PKCS#11 URIs, envelopes in files, keys under a password, constraints
 * on names, chains. The first byte chooses. Nothing that is read reaches outside, and nothing unsigned is opened. */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "provisioning/certchain.h"
#include "provisioning/certpermit.h"
#include "provisioning/der.h"
#include "provisioning/envelope.h"
#include "provisioning/pkcs11uri.h"
#include "provisioning/pkcs8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void read_uri(struct view text)
{
    struct pkcs11_uri uri;
    if (pkcs11_uri_parse(text, &uri, NULL) == ERR_OK) {
        require(uri.module_path[0] == '/' && (uri.pin_source[0] == '/' || uri.pin_source[0] == '\0'));
        require(uri.token[0] != '\0' || uri.has_slot);
        require(uri.object[0] != '\0' || (uri.id_len > 0 && uri.id_len <= PKCS11_ID_MAX));
    }
}

/** The generator's point of P-256, whose private key is 1: no input is signed by it but by chance. */
static void read_envelope(struct view text)
{
    static const char point[] =
        "\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb"
        "\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c"
        "\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";
    struct strbuf payload;
    strbuf_init(&payload, ENVELOPE_PAYLOAD_MAX);
    require(envelope_open(text, view_n(point, KEY_POINT_SIZE), ENVELOPE_MANIFEST, &payload, NULL) != ERR_OK);
    require(payload.len == 0);
    strbuf_deinit(&payload);
}

/** Only frames whose number of rounds is small: the others are right and slow. */
static void read_sealed(struct view der)
{
    uint8_t plain[PKCS8_KEY_MAX];
    size_t len = 0;
    for (size_t i = 0; i + 2 < der.len; i++) {
        if (der.ptr[i] == DER_INTEGER && der.ptr[i + 1] > 1) {
            return;
        }
    }
    if (pkcs8_unseal(der, VIEW_LITERAL("correct horse"), plain, &len) == ERR_OK) {
        require(len <= sizeof(plain));
    }
}

static void read_constraints(struct view body)
{
    static const char *const name = "broker.example.net";
    const struct ip ip = {.family = IP_V4, .bytes = {192, 0, 2, 1}};
    const struct cert_subject subject = {.profile = CERT_SERVER, .dns = &name, .dns_len = 1, .ips = &ip, .ips_len = 1};
    enum err err = certpermit_check(body, &subject, NULL);
    require(err == ERR_OK || err == ERR_DENIED || err == ERR_CORRUPT);
}

/** Two certificates, their lengths told by two bytes, which trust themselves: nothing else is needed to get far. */
static void read_chain(struct view both)
{
    if (both.len < 2) {
        return;
    }
    size_t first = MIN((size_t)(uint8_t)both.ptr[0] * 256 + (uint8_t)both.ptr[1], both.len - 2);
    const struct view chain[] = {view_n(both.ptr + 2, first), view_n(both.ptr + 2 + first, both.len - 2 - first)};
    const struct certchain_rules rules = {
        .profile = CERT_SERVICE, .roots = chain, .roots_len = 2, .now_s = INT64_C(1795365780), .clock_lags = true};
    struct certread leaf;
    if (certchain_verify(chain, CERTCHAIN_LEN, &rules, &leaf, NULL, NULL) == ERR_OK) {
        require(view_starts_with(leaf.common_name, VIEW_LITERAL("svc-")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct view) = {read_uri, read_envelope, read_sealed, read_constraints, read_chain};
    if (size > 0) {
        readers[data[0] % ARRAY_LEN(readers)](view_n((const char *)data + 1, size - 1));
    }
    return 0;
}
