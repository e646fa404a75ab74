/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * hostport: "host:port", "192.0.2.1:port", "[2001:db8::1]:port", as config files and command lines give endpoints.
 * Pure.
 */
#include "base/err.h"
#include "base/view.h"

/** @param ret_host borrowed from @p text, an IPv6 address without its brackets. @param ret_port 1 to 65535.
 *  @return ERR_INVALID with the reason in @p info. */
enum err hostport_parse(struct view text, struct view *ret_host, uint16_t *ret_port, struct errinfo *info) MUST_CHECK;

/** The same as the check of a config's row. */
enum err hostport_check(struct view text, struct errinfo *info) MUST_CHECK;
