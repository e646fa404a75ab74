/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dnsname: names as canonical text: lower case, no trailing dot, labels of 1 to 63 bytes, 253 in all (RFC 1035 2.3.4,
 * RFC 1123 2.1).
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/view.h"

#define DNSNAME_MAX  253
#define DNSNAME_SIZE (DNSNAME_MAX + 1)
#define DNSLABEL_MAX 63

/** What a name may hold: a host name is LDH labels; a record name also allows labels that start with "_" and a first
 * label "*". */
enum dnsname_kind { DNSNAME_HOST, DNSNAME_RECORD };

/** Checks and lower-cases @p text (one trailing dot allowed) into @p ret_name. @param info names the offending label.
 * @return ERR_INVALID, ERR_LIMIT. */
enum err dnsname_parse(struct view text, enum dnsname_kind kind, char ret_name[static DNSNAME_SIZE],
                       struct errinfo *info) MUST_CHECK;

/** @p name equals @p zone or lies below it; both canonical. */
bool dnsname_in_zone(struct view name, struct view zone);

/** The part of @p name before @p zone without the dot between; empty at the apex. Requires dnsname_in_zone. */
struct view dnsname_relative(struct view name, struct view zone);
