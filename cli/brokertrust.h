/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * brokertrust: authorities and revocation lists from PEM files, taken apart: what a broker's bundle is made of, and
 * what it is judged by. Blocks on the disk; one thread.
 */
#include "base/strbuf.h"
#include "cli/brokerdesc.h"
#include "provisioning/certread.h"
#include "provisioning/crlread.h"

#define BROKERTRUST_MAX 256 /* authorities, and lists; a rotation has a dozen */

struct brokertrust_cert {
    struct certread cert; /* points into `der` */
    struct view der;      /* owned */
};
struct brokertrust_list {
    struct crlread crl; /* points into `der` */
    struct view der;    /* owned */
};

/** Zero is empty. */
struct brokertrust {
    struct brokertrust_cert *certs; /* owned */
    size_t certs_len;
    struct brokertrust_list *lists; /* owned */
    size_t lists_len;
};

/** Adds every certificate of a file. @return ERR_NOTFOUND, ERR_PARSE (none in it, or a damaged one), ERR_UNSUPPORTED,
 * ERR_LIMIT, ...; @p info names the file. */
enum err brokertrust_add_certs(struct brokertrust *trust, const char *path, struct errinfo *info) MUST_CHECK;
/** Adds every revocation list of a file; as brokertrust_add_certs. */
enum err brokertrust_add_lists(struct brokertrust *trust, const char *path, struct errinfo *info) MUST_CHECK;
void brokertrust_deinit(struct brokertrust *trust);

/** The newest list of @p issuer; NULL without one. */
const struct brokertrust_list *brokertrust_newest(const struct brokertrust *trust, const struct certread *issuer);
/** Appends the certificates as PEM. */
enum err brokertrust_write_certs(const struct brokertrust *trust, struct strbuf *out) MUST_CHECK;
