/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** Limits of the provisioning room: every number on what comes from a file, a peer or an operator, with its reason. */

#define IDENTITY_MAX          40   /* device and service ids: a DNS label with room for a prefix, and the CN's 64 */
#define CERT_COMMON_MAX       64   /* ub-common-name, RFC 5280 A.1 */
#define CERT_DER_MAX          4096 /* ours are 500 to 900 bytes; 16 names of 64 bytes still fit */
#define CSR_DER_MAX           2048 /* ours are 200 to 300 bytes; other makers put names into theirs */
#define CERT_SAN_MAX          16   /* names and addresses of one server */
#define CRL_DER_MAX           (4 << 20) /* CRL_ENTRIES_MAX of 37 bytes each and the frame */
#define CRL_ENTRIES_MAX       100000    /* a tenth of a fleet of a million */
#define REVOKED_FILE_MAX      (8 << 20) /* CRL_ENTRIES_MAX lines of at most 62 bytes */
#define PEM_FILE_MAX          65536     /* a chain or a bundle */
#define PEM_BUNDLE_MAX        (4 << 20) /* authorities of others: a system's bundle is 220 KiB */
#define PEM_LABEL_MAX         32        /* "EC PRIVATE KEY" and its like */
#define DER_DEPTH_MAX         12        /* a certificate nests 7 deep */
#define DER_INTEGER_MAX       20        /* serial numbers, RFC 5280 4.1.2.2 */
#define CA_NAME_MAX           40        /* leaves room for " services CA" in a CN of 64 */
#define CA_VALIDITY_MAX_DAYS  10950     /* 30 years, the root's own life */
#define LEDGER_LINE_MAX       1024      /* a device's line is under 600 bytes */
#define LEDGER_SERIAL_MAX     48        /* what fits on a label as Code 128 */
#define LEDGER_BATCH_MAX      32        /* with "claim-" before it the common name of a certificate */
#define LEDGER_STATION_MAX    32
#define LEDGER_WHY_MAX        128
#define LEDGER_FILE_MAX       (64 << 20) /* over 100,000 devices of one station and batch */
#define MANIFEST_MAX          4096       /* MANIFEST_STATIONS_MAX keys of 91 bytes, and under 1,000 bytes more */
#define MANIFEST_MODEL_MAX    64         /* as the wire's texts */
#define MANIFEST_ID_MAX       48         /* an id with "{serial}" in place of a short serial number */
#define MANIFEST_STATIONS_MAX 16         /* lines of one factory that make one batch */
#define MANIFEST_COUNT_MAX    1000000    /* ten stations' files, LEDGER_FILE_MAX */
#define FACTORY_FILE_MAX      4095       /* a claim's certificate with its CA's, PEM; a multiple of three, for base64 */
#define FACTORY_FILE_NAME_MAX 15
#define FACTORY_WHY_MAX       200
#define FACTORY_LINE_MAX      8192 /* FACTORY_FILE_MAX in base64, and a frame */
