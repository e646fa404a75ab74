/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * report: what a person reads when a command fails, always these four lines on stderr:
 *
 *     muster: error: no certificate for cam-1
 *       cause: /srv/ca/devices.key: permission denied
 *       hint:  run the command as the owner of the CA's folder
 *       docs:  muster ca issue --help
 */
#include <stdio.h>

#include "base/strbuf.h"
#include "base/view.h"

struct report {
    const char *error; /* what was not done */
    const char *cause; /* why, in the words of whoever refused */
    const char *hint;  /* what to do now */
    const char *docs;  /* where to read on: a command, without its "--help" */
    const char *id;    /* for scripts: [a-z0-9-]+; shown in JSON only; NULL for none */
};

/** Control characters (a peer's or a file's words may hold any) are shown as "?". */
void report_format(const struct report *report, struct strbuf *out);
void report_print(const struct report *report, FILE *stream);
/** {"error":{"id":..,"message":..,"cause":..,"hint":..,"docs":..}} on one line, for commands that were asked for JSON.
 */
void report_print_json(const struct report *report, FILE *stream);
