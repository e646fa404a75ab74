/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * openssl: the one place that includes OpenSSL's headers in the broker plugin, since OpenSSL declares a type ERR_STATE
 * and `enum err` has a value of that name. The type is renamed for the length of the includes; nothing here uses it.
 */
#define ERR_STATE openssl_err_state
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE
