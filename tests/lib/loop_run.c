/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/loop_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DEADLINE_MS 30000

static void give_up(void *context)
{
    (void)context;
    fail_msg("what the test waits for did not come in %d ms", DEADLINE_MS);
}

void loop_run_or_fail(struct loop *loop)
{
    struct loop_timer *deadline;
    assert_int_equal(loop_timer_new(loop, give_up, NULL, &deadline), ERR_OK);
    loop_timer_after(deadline, DEADLINE_MS);
    loop_run(loop);
    loop_timer_free(deadline);
}
