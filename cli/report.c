/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include "cli/exit.h"

#define REPORT_MAX 4096

enum exit_code exit_code_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return EXIT_OK;
    case ERR_INVALID:
    case ERR_PARSE:
    case ERR_RANGE:
    case ERR_LIMIT:
        return EXIT_USAGE;
    case ERR_AUTH:
    case ERR_DENIED:
        return EXIT_REFUSED;
    case ERR_NOTFOUND:
        return EXIT_ABSENT;
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_FENCED:
        return EXIT_CONFLICT;
    case ERR_TIMEOUT:
        return EXIT_TIMED_OUT;
    case ERR_AGAIN:
        return EXIT_PENDING;
    default:
        return EXIT_FAILED;
    }
}

static void add_line(struct strbuf *out, const char *key, const char *text, const char *end)
{
    (void)strbuf_adds(out, key); /* a full buffer cuts the report, which is all that can be done then */
    for (const char *p = text != NULL ? text : "unknown"; *p != '\0'; p++) {
        (void)strbuf_addc(out, (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
    }
    (void)strbuf_adds(out, end);
}

void report_format(const struct report *report, struct strbuf *out)
{
    add_line(out, "muster: error: ", report->error, "\n");
    add_line(out, "  cause: ", report->cause, "\n");
    add_line(out, "  hint:  ", report->hint, "\n");
    add_line(out, "  docs:  ", report->docs, " --help\n");
}

void report_print(const struct report *report, FILE *stream)
{
    struct strbuf text;
    strbuf_init(&text, REPORT_MAX);
    report_format(report, &text);
    (void)fputs(strbuf_str(&text), stream); /* nobody is left to hear that stderr is broken */
    strbuf_deinit(&text);
}

static void add_member(struct strbuf *out, const char *start, const char *text)
{
    (void)strbuf_adds(out, start); /* as above */
    struct view value = view_of(text != NULL ? text : "unknown");
    (void)strbuf_add_json(out, view_is_utf8(value) ? value : VIEW_LITERAL("(not UTF-8)"));
}

void report_print_json(const struct report *report, FILE *stream)
{
    struct strbuf text;
    strbuf_init(&text, REPORT_MAX);
    add_member(&text, "{\"error\":{\"id\":", report->id != NULL ? report->id : "failed");
    add_member(&text, ",\"message\":", report->error);
    add_member(&text, ",\"cause\":", report->cause);
    add_member(&text, ",\"hint\":", report->hint);
    add_member(&text, ",\"docs\":", report->docs);
    (void)strbuf_adds(&text, "}}\n");
    (void)fputs(strbuf_str(&text), stream); /* nobody is left to hear that stderr is broken */
    strbuf_deinit(&text);
}
