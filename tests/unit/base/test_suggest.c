/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void suggests_the_nearest_within_two_edits(void **state)
{
    (void)state;
    static const char *const words[] = {"endpoint", "endpoints", "keepalive", "ttl", "id"};
    static const struct {
        const char *word, *best;
    } rows[] = {
        {"endpoint", "endpoint"},
        {"endpiont", "endpoint"},
        {"endpoint_", "endpoint"},
        {"endpointss", "endpoints"},
        {"keep_alive", "keepalive"},
        {"keepaliv", "keepalive"},
        {"tll", "ttl"},
        {"tt", "ttl"},
        {"idd", "id"},
        {"xx", NULL},
        {"", NULL},
        {"something", NULL},
        {"keepaabbc", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct suggest suggest;
        suggest_init(&suggest, view_of(rows[i].word));
        for (size_t k = 0; k < ARRAY_LEN(words); k++) {
            suggest_offer(&suggest, words[k]);
        }
        if (rows[i].best == NULL) {
            assert_null(suggest.best);
        } else {
            assert_non_null(suggest.best);
            assert_string_equal(suggest.best, rows[i].best);
        }
    }
}

static void leaves_long_words_alone(void **state)
{
    (void)state;
    char word[SUGGEST_LEN_MAX + 2];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    struct suggest suggest;
    suggest_init(&suggest, view_of(word));
    suggest_offer(&suggest, word);
    assert_null(suggest.best);
    word[SUGGEST_LEN_MAX] = '\0';
    suggest_init(&suggest, view_of(word));
    suggest_offer(&suggest, word);
    assert_ptr_equal(suggest.best, word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggests_the_nearest_within_two_edits),
        cmocka_unit_test(leaves_long_words_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
