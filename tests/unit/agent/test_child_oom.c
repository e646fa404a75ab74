/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that ends at each allocation of a question to a program: one answer or a refusal, and nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/detect/sources.h"
#include "tests/lib/scarce.h"

static struct {
    struct loop *loop;
    unsigned answers, addresses;
} seen;

static void answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    (void)context;
    (void)question;
    seen.answers++;
    seen.addresses += answer->status == SOURCE_ANSWER_ADDRESS;
    loop_stop(seen.loop);
}

/* Opens, asks, waits, closes. */
static enum err question(void)
{
    static const char *const command[] = {"/bin/sh", "-c", "echo trying >&2; echo 198.41.0.4"};
    static const struct source_config config = {.type = "exec", .command = command, .command_len = 3};
    static const struct source_callbacks callbacks = {.answered = answered};
    const struct source_question asked = {.family = IP_V4, .timeout_ms = 30000};
    struct source *source = NULL;
    enum err err = source_exec.open(seen.loop, &config, &callbacks, &source, NULL);
    if (err != ERR_OK) {
        return err;
    }
    err = source_exec.ask(source, &asked);
    if (err == ERR_OK) {
        loop_run(seen.loop);
    }
    source_exec.close(source);
    return err;
}

static bool run(void *context, unsigned long n)
{
    (void)context;
    scarce_arm(n);
    scarce_pause();
    assert_int_equal(loop_new(&seen.loop), ERR_OK);
    assert_int_equal(question(), ERR_OK); /* libuv's tables have grown by then: it ends the process when they cannot */
    seen.answers = seen.addresses = 0;
    scarce_resume();
    enum err err = question();
    bool failed = scarce_disarm();
    assert_true(err == ERR_OK || err == ERR_NOMEM);
    assert_int_equal(seen.answers, err == ERR_OK ? 1 : 0);
    assert_true(failed || seen.addresses == 1);
    loop_free(seen.loop);
    return failed;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(scarce_each(run, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
