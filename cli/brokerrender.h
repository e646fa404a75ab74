/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * brokerrender: from the description to a broker's files: the configuration that mqtt/broker/ has as a template, the
 * ACL file, and the bundles of authorities and revocation lists. Reads authorities and lists from the disk, writes
 * nothing.
 */
#include "base/strbuf.h"
#include "cli/brokerdesc.h"
#include "providers/embedded.h"

#define BROKERFILES_MAX 8
#define BROKERFILE_CONF "mosquitto.conf"

/** *.conf.in and muster.acl of mqtt/broker/, by name. */
extern const struct embedded_file broker_files[];

struct brokerfile {
    const char *name; /* static storage */
    struct strbuf text;
};

/** Files of one version. Zero is empty. */
struct brokerfiles {
    struct brokerfile file[BROKERFILES_MAX];
    size_t len;
};
void brokerfiles_deinit(struct brokerfiles *files);

struct brokerword {
    const char *word; /* between two at signs in the template */
    const char *value;
};

/** Fills a template: a line whose words are all empty is left out. @param words ended by a NULL word.
 * @return ERR_INVALID (a word without value, an @ that belongs to none), ERR_LIMIT, ERR_NOMEM. */
enum err brokerrender_fill(struct view template, const struct brokerword *words, struct strbuf *out) MUST_CHECK;

/** Appends the ACL file for these services: @p template's head, and for each name the block of its kind.
 * @return ERR_INVALID (a kind without a block; info names it), ERR_LIMIT, ERR_NOMEM. */
enum err brokerrender_acl(struct view template, const struct config_strings *names, struct strbuf *out,
                          struct errinfo *info) MUST_CHECK;

/** All files of the broker @p kind. @param ret_files deinit after success. */
enum err brokerrender_files(const struct brokerdesc *desc, enum broker_kind kind, struct brokerfiles *ret_files,
                            struct errinfo *info) MUST_CHECK;
