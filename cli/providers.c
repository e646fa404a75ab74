/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/providers.h"

#include <stdio.h>

#include "providers/template.h"

enum { REPORT_MAX = 1 << 20 };

static bool lint(const char *path, struct strbuf *report)
{
    struct template *template = NULL;
    enum err err = template_load(path, &template, report);
    template_unref(template);
    return err == ERR_OK;
}

enum exit_code provider_lint_run(const struct command_call *call)
{
    struct strbuf report;
    size_t wrong = 0;
    strbuf_init(&report, REPORT_MAX);
    for (size_t i = 0; i < call->operands_len; i++) {
        wrong += !lint(call->operands[i], &report);
    }
    (void)fputs(strbuf_str(&report), stderr); /* the exit code says it, too */
    strbuf_deinit(&report);
    return wrong == 0 ? EXIT_OK : wrong < call->operands_len ? EXIT_PARTLY : EXIT_FAILED;
}
