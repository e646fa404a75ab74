/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * brokerconf: judges the text of a mosquitto.conf and of an ACL file as mosquitto 2.0.11 reads them, before it does:
 * there a line that it does not like is logged and left out, and an ACL file with one bad line is left out whole. Pure.
 */
#include "base/json.h"
#include "base/view.h"
#include "cli/brokerdesc.h"

/** What was found, as an array of {"file", "line", "text"}; line 0 is the file as a whole. */
struct brokerfindings {
    json_t *list; /* owned by the user of this struct; NULL: out of memory, which counts as a finding */
};
void brokerfindings_add(struct brokerfindings *findings, const char *file, unsigned line, const char *format, ...)
    PRINTF_LIKE(4, 5);

#define BROKERCONF_LINES_MAX 256 /* ours have about 50 */

struct brokerconf_line {
    struct view name, value; /* borrowed from the text */
    unsigned line;
};
struct brokerconf {
    struct brokerconf_line lines[BROKERCONF_LINES_MAX];
    size_t len;
};

/** Takes a configuration apart and judges each line, and whether what a broker of that @p kind needs is there. */
void brokerconf_lint(struct view text, const char *file, enum broker_kind kind, struct brokerconf *ret_conf,
                     struct brokerfindings *findings);
/** The first line of an option; NULL without one. */
const struct brokerconf_line *brokerconf_find(const struct brokerconf *conf, const char *name);
/** Whether the option's value is the path of a file that must be there. */
bool brokerconf_is_file(struct view name);

/** @param names services that may stand there. */
void brokerconf_lint_acl(struct view text, const char *file, const struct config_strings *names,
                         struct brokerfindings *findings);
