/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * punycode: names that a service shows in Unicode, as the DNS has them (RFC 3492, "xn--" of RFC 5890 2.3.2.1). Letters
 * are encoded as they come: what is shown was made from a name in the DNS, so it is lower case and normalised already.
 * Pure; any thread.
 */
#include "base/dnsname.h"

/** dnsname_parse of @p text with each label beyond ASCII encoded. @return as dnsname_parse; ERR_INVALID: no UTF-8. */
enum err punycode_parse(struct view text, enum dnsname_kind kind, char ret_name[static DNSNAME_SIZE]) MUST_CHECK;
