/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** config_checks: checks of config rows that several daemons have. Each says in @p info what is wrong and what would be
 * right. Pure. */
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"

/** A service's name: starts with "svc-". @return ERR_INVALID. */
enum err config_check_service(struct view value, struct errinfo *info) MUST_CHECK;
/** The path of a unix socket. @return ERR_INVALID (too long). */
enum err config_check_socket(struct view value, struct errinfo *info) MUST_CHECK;
/** Octal permission bits. @return ERR_INVALID. */
enum err config_check_mode(struct view value, struct errinfo *info) MUST_CHECK;
/** Address and port. @return ERR_INVALID. */
enum err config_check_listen(struct view value, struct errinfo *info) MUST_CHECK;
/** A loopback address and port, for what only this machine may ask. @return ERR_INVALID. */
enum err config_loopback(const char *text, struct ip *ret_ip, uint16_t *ret_port, struct errinfo *info) MUST_CHECK;
