/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** Object identifiers of keys and certificates as encoded bodies (RFC 5280, RFC 5480, RFC 5758, RFC 8410). */
#include "provisioning/der.h"

#define OID_EC_PUBLIC_KEY     DER_OID_BODY("\x2a\x86\x48\xce\x3d\x02\x01")         /* 1.2.840.10045.2.1 */
#define OID_PRIME256V1        DER_OID_BODY("\x2a\x86\x48\xce\x3d\x03\x01\x07")     /* 1.2.840.10045.3.1.7 */
#define OID_ECDSA_SHA256      DER_OID_BODY("\x2a\x86\x48\xce\x3d\x04\x03\x02")     /* 1.2.840.10045.4.3.2 */
#define OID_ED25519           DER_OID_BODY("\x2b\x65\x70")                         /* 1.3.101.112 */
#define OID_PBES2             DER_OID_BODY("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d") /* 1.2.840.113549.1.5.13 */
#define OID_PBKDF2            DER_OID_BODY("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c") /* 1.2.840.113549.1.5.12 */
#define OID_HMAC_SHA256       DER_OID_BODY("\x2a\x86\x48\x86\xf7\x0d\x02\x09")     /* 1.2.840.113549.2.9 */
#define OID_AES256_CBC        DER_OID_BODY("\x60\x86\x48\x01\x65\x03\x04\x01\x2a") /* 2.16.840.1.101.3.4.1.42 */
#define OID_COMMON_NAME       DER_OID_BODY("\x55\x04\x03")                         /* 2.5.4.3 */
#define OID_SUBJECT_KEY_ID    DER_OID_BODY("\x55\x1d\x0e")                         /* 2.5.29.14 */
#define OID_KEY_USAGE         DER_OID_BODY("\x55\x1d\x0f")                         /* 2.5.29.15 */
#define OID_SUBJECT_ALT_NAME  DER_OID_BODY("\x55\x1d\x11")                         /* 2.5.29.17 */
#define OID_BASIC_CONSTRAINTS DER_OID_BODY("\x55\x1d\x13")                         /* 2.5.29.19 */
#define OID_CRL_NUMBER        DER_OID_BODY("\x55\x1d\x14")                         /* 2.5.29.20 */
#define OID_NAME_CONSTRAINTS  DER_OID_BODY("\x55\x1d\x1e")                         /* 2.5.29.30 */
#define OID_AUTHORITY_KEY_ID  DER_OID_BODY("\x55\x1d\x23")                         /* 2.5.29.35 */
#define OID_EXT_KEY_USAGE     DER_OID_BODY("\x55\x1d\x25")                         /* 2.5.29.37 */
#define OID_SERVER_AUTH       DER_OID_BODY("\x2b\x06\x01\x05\x05\x07\x03\x01")     /* 1.3.6.1.5.5.7.3.1 */
#define OID_CLIENT_AUTH       DER_OID_BODY("\x2b\x06\x01\x05\x05\x07\x03\x02")     /* 1.3.6.1.5.5.7.3.2 */
