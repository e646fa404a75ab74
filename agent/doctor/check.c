/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/view.h"

const char *check_verdict_name(enum check_verdict verdict)
{
    static const char *const names[CHECK_VERDICTS] = {
        [CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "FAIL", [CHECK_SKIP] = "skip"};
    return names[verdict];
}

/* Much of it comes from outside: certificates, resolvers, the network. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        *text = *text >= ' ' && *text <= '~' ? *text : '?';
    }
}

struct finding finding_of(enum check_verdict verdict, const char *hint, const char *format, ...)
{
    struct finding finding = {.verdict = verdict, .hint = hint};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding.detail, sizeof(finding.detail), format, args); /* cut where it is too long */
    va_end(args);
    make_printable(finding.detail);
    return finding;
}

enum check_verdict checks_add(struct checks *checks, const char *name, const char *subject,
                              const struct finding *finding)
{
    if (checks->len == CHECKS_MAX) {
        checks->left_out++;
        return finding->verdict;
    }
    struct check *check = &checks->items[checks->len++];
    *check =
        (struct check){.name = name, .verdict = finding->verdict, .hint = finding->hint != NULL ? finding->hint : ""};
    (void)snprintf(check->subject, sizeof(check->subject), "%s", subject != NULL ? subject : ""); /* as above */
    (void)snprintf(check->detail, sizeof(check->detail), "%s", finding->detail);                  /* as above */
    make_printable(check->subject);
    return check->verdict;
}

enum check_verdict checks_skip(struct checks *checks, const char *name, const char *subject, const char *why)
{
    struct finding finding = finding_of(CHECK_SKIP, NULL, "%s", why);
    return checks_add(checks, name, subject, &finding);
}

int checks_status(const struct checks *checks)
{
    int status = 0;
    for (size_t i = 0; i < checks->len; i++) {
        enum check_verdict verdict = checks->items[i].verdict;
        int one = verdict == CHECK_FAIL ? 2 : verdict == CHECK_WARN ? 1 : 0;
        status = MAX(status, one);
    }
    return status;
}

enum err checks_text(const struct checks *checks, struct strbuf *out)
{
    for (size_t i = 0; i < checks->len; i++) {
        const struct check *check = &checks->items[i];
        (void)strbuf_addf(out, "%-4s  %-12s %s%s%s\n", check_verdict_name(check->verdict), check->name, check->subject,
                          check->subject[0] != '\0' ? ": " : "", check->detail); /* sticky, as below */
        if (check->hint[0] != '\0' && check->verdict != CHECK_OK) {
            (void)strbuf_addf(out, "                   -> %s\n", check->hint);
        }
    }
    if (checks->left_out > 0) {
        (void)strbuf_addf(out, "and %zu more\n", checks->left_out);
    }
    return strbuf_error(out);
}

static void add_pair(struct strbuf *out, const char *key, const char *text)
{
    (void)strbuf_addf(out, "\"%s\":", key); /* sticky, as below */
    (void)strbuf_add_json(out, view_of(text));
}

enum err checks_json(const struct checks *checks, struct strbuf *out)
{
    (void)strbuf_addf(out, "{\"version\":\"%s\",\"status\":%d,\"left_out\":%zu,\"checks\":[", MUSTER_VERSION,
                      checks_status(checks), checks->left_out);
    for (size_t i = 0; i < checks->len; i++) {
        const struct check *check = &checks->items[i];
        (void)strbuf_adds(out, i > 0 ? ",{" : "{");
        add_pair(out, "check", check->name);
        (void)strbuf_addc(out, ',');
        add_pair(out, "subject", check->subject);
        (void)strbuf_addc(out, ',');
        add_pair(out, "verdict", check_verdict_name(check->verdict));
        (void)strbuf_addc(out, ',');
        add_pair(out, "detail", check->detail);
        (void)strbuf_addc(out, ',');
        add_pair(out, "hint", check->verdict != CHECK_OK ? check->hint : "");
        (void)strbuf_addc(out, '}');
    }
    (void)strbuf_adds(out, "]}\n");
    return strbuf_error(out);
}
