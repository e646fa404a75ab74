/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** limits: every number that bounds what comes into the providers from outside, with its reason. */

#define DNSMSG_MAX        65535 /* RFC 1035 4.2.2: two-byte length of a message over TCP */
#define DNSMSG_MAC_MAX    64    /* HMAC-SHA512 */
#define TSIG_KEY_FILE_MAX 4096  /* one key with comments */

#define PROVIDER_BATCH_MAX        3500 /* changes a message: what Cloudflare takes at most; DNS messages are full at 1,300 */
#define PROVIDER_RATES_MAX        7  /* documented limits of one service; deSEC has the most */
#define ACCOUNT_NAME_SIZE         65 /* 64 bytes, as the config allows */
#define PROVIDER_OPTIONS_MAX      16 /* keys of an account's `options` */
#define PROVIDER_DEPTH_MAX        16 /* messages in flight: beyond it neither BIND nor Knot got faster when measured */
#define PROVIDER_HTTP_BODY_MAX    65536           /* largest reply read: a reply line a host of 20, or an error page */
#define PROVIDER_DETAIL_MAX       256             /* one line for a person */
#define PROVIDER_ROUNDS_MAX       4096            /* lookups that one batch may ask for before it counts as failed */
#define ENGINE_AXFR_BYTES_MAX     (1024ull << 20) /* a zone of ten million addresses */
#define ENGINE_RETRY_AFTER_MAX_MS (24ull * 3600 * 1000) /* a server that asks for more is asked again after a day */
#define ENGINE_SCAN_MAX           512        /* waiting changes looked at to fill one message that groups by address */
#define ACCOUNT_SECRET_MAX        4096       /* a password or token */
#define ACCOUNT_FILE_MAX          (1u << 20) /* a file of keys: some ten thousand hosts */

#define TEMPLATE_URL_MAX        1024 /* bytes of a URL before its placeholders are filled */
#define TEMPLATE_PARAMETERS_MAX 32   /* of a query or form: the longest known has 14 */
#define TEMPLATE_HEADERS_MAX    8
#define TEMPLATE_HOSTS_MAX      20 /* host names in one request: Dyn's rule, and nobody documents more */
#define TEMPLATE_RULES_MAX      64
#define TEMPLATE_EXAMPLES_MAX   64
#define TEMPLATE_CAPTURES_MAX   8
#define TEMPLATE_WHERE_MAX      4
#define TEMPLATE_REGEX_MAX      256        /* bytes of a regular expression */
#define TEMPLATE_GROUPS_MAX     9          /* groups in it */
#define TEMPLATE_REPEAT_MAX     64         /* the number in {n,m}: the C library copies the part so often */
#define TEMPLATE_MATCH_MAX      8192       /* bytes of reply that a regular expression looks at: time grows with them */
#define TEMPLATE_JSON_DEPTH_MAX 32         /* of a reply */
#define TEMPLATE_ARENA_MAX      (1u << 20) /* memory of one template */
#define CATALOGUE_FILES_MAX     1000       /* templates of a directory */
