/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * check: the lines of `muster-agent doctor` and what becomes of them: text, JSON, exit status. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strbuf.h"

enum check_verdict {
    CHECK_OK,
    CHECK_WARN, /* works, or will not for long */
    CHECK_FAIL, /* names do not follow the addresses while this stands */
    CHECK_SKIP, /* not looked at, as it needs what failed before, or a running agent */
};
#define CHECK_VERDICTS (CHECK_SKIP + 1)
const char *check_verdict_name(enum check_verdict verdict); /* "ok", "warn", "FAIL", "skip" */

#define CHECK_TEXT_MAX    320
#define CHECK_SUBJECT_MAX 280 /* "host:port" */

struct check {
    const char *name;                /* static storage: "config", "clock", ... */
    char subject[CHECK_SUBJECT_MAX]; /* endpoint or uplink; "" for none */
    enum check_verdict verdict;
    char detail[CHECK_TEXT_MAX]; /* what was seen; printable ASCII */
    const char *hint;            /* what to do; static storage; "" for none */
};

#define CHECKS_MAX 128 /* 16 endpoints of 4 lines, 8 uplinks of 3, and the dozen of the agent */

struct checks {
    struct check items[CHECKS_MAX];
    size_t len;
    size_t left_out; /* lines beyond CHECKS_MAX */
};

/** What a judgement says; the caller says of whom. */
struct finding {
    enum check_verdict verdict;
    const char *hint; /* static storage; NULL for none */
    char detail[CHECK_TEXT_MAX];
};

/** A finding with its text, cut where it is too long; what is not printable ASCII becomes '?'. */
struct finding finding_of(enum check_verdict verdict, const char *hint, const char *format, ...) PRINTF_LIKE(3, 4);

/** Appends a line. @param name static. @param subject copied; NULL for none. @return its verdict, so that what depends
 * on it can be skipped. */
enum check_verdict checks_add(struct checks *checks, const char *name, const char *subject,
                              const struct finding *finding);
enum check_verdict checks_skip(struct checks *checks, const char *name, const char *subject, const char *why);

/** 0 when all is ok (what was skipped does not count), 1 when something warns, 2 when something failed. */
int checks_status(const struct checks *checks);

/** One line each, the hint below what is not ok. @return the buffer's error. */
enum err checks_text(const struct checks *checks, struct strbuf *out) MUST_CHECK;
/** One object: "version", "status", "checks". @return the buffer's error. */
enum err checks_json(const struct checks *checks, struct strbuf *out) MUST_CHECK;
