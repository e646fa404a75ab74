/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * echobody: what an echo service answered, as one address or as nothing. A body comes from anybody who stands between
 * us and the service: captive portals answer everything with pages full of numbers that look like addresses. Nothing is
 * searched for: either the whole body has the one form that the format names, or it is refused. Pure, any thread.
 * Sources: Cloudflare's /cdn-cgi/trace; help.dyn.com, "CheckIP tool" (page and policy of checkip.dyndns.com); both as
 * read in November 2026.
 */
#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"

#define ECHO_BODY_MAX   4096 /* the largest honest one, Cloudflare's, has 300 bytes */
#define ECHO_FIELD_SIZE 64
#define ECHO_HOST_SIZE  256

enum echo_form {
    ECHO_TEXT,   /* blanks around it aside, the body is one address */
    ECHO_TRACE,  /* Cloudflare: lines key=value; ip=, with h= our host and no tunnel (warp, gateway) on the way */
    ECHO_JSON,   /* an object in which the named field is a string that is one address */
    ECHO_DYNDNS, /* checkip.dyndns.com's page, which has one place for an address, with one address in it */
};

/** Open value. */
struct echo_format {
    enum echo_form form;
    char field[ECHO_FIELD_SIZE]; /* ECHO_JSON */
};

/** "text", "trace", "json:<field>" or "dyndns"; "" is "text". @return ERR_INVALID with the reason. */
enum err echo_format_parse(struct view text, struct echo_format *ret_format, struct errinfo *info) MUST_CHECK;

/** Host of an http:// or https:// URL, without port and brackets. @return ERR_INVALID (another scheme, a user part, no
 * host, a character that no URL has), ERR_LIMIT (too long), with the reason. */
enum err echo_url_host(struct view url, char host[static ECHO_HOST_SIZE], struct errinfo *info) MUST_CHECK;

/** @param host that was asked. @param family enum ip_family that was asked for. @param ret_ip of any class but
 *  IPv4-mapped. @return ERR_PARSE with the reason, ERR_LIMIT (over ECHO_BODY_MAX), ERR_NOMEM. */
enum err echo_body_parse(const struct echo_format *format, struct view host, uint8_t family, struct view body,
                         struct ip *ret_ip, struct errinfo *info) MUST_CHECK;
