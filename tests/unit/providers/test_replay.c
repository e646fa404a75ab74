/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every tests/replay/<provider>/<case>.json holds. Files are found by pattern, so a new provider adds files only. The
 * format is in tests/replay/README.md, the runner in tests/lib/replay.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>

#include "base/file.h"
#include "base/macros.h"
#include "providers/provider.h"
#include "tests/lib/replay.h"

enum { CASE_MAX = 1 << 20, FAULTS_MAX = 1 << 16 };

/** Name of the folder that a path's file is in. */
static void provider_of(const char *path, char *provider, size_t size)
{
    struct view rest = view_of(path), part, last = {0}, folder = {0};
    while (view_next(&rest, '/', &part)) {
        folder = last;
        last = part;
    }
    assert_int_equal(view_copy(folder, provider, size), ERR_OK);
}

static bool holds(const char *path)
{
    char *text = NULL, provider[64];
    size_t len = 0;
    struct strbuf faults;
    strbuf_init(&faults, FAULTS_MAX);
    provider_of(path, provider, sizeof(provider));
    assert_int_equal(file_read(path, CASE_MAX, &text, &len), ERR_OK);
    replay_run(view_n(text, len), provider, &faults);
    bool fine = faults.len == 0;
    if (!fine) {
        print_error("%s:\n%s", path, strbuf_str(&faults));
    }
    strbuf_deinit(&faults);
    free(text);
    return fine;
}

static void every_case_holds(void **state)
{
    (void)state;
    size_t failed = 0;
    glob_t found;
    assert_int_equal(glob(MUSTER_SOURCE_DIR "/tests/replay/*/*.json", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        failed += !holds(found.gl_pathv[i]);
    }
    globfree(&found);
    assert_int_equal(failed, 0);
}

static void every_provider_has_cases(void **state)
{
    (void)state;
    for (const struct provider_ops *const *ops = provider_registry; *ops != NULL; ops++) {
        char pattern[1024];
        glob_t found;
        (void)snprintf(pattern, sizeof(pattern), "%s/tests/replay/%s/*.json", MUSTER_SOURCE_DIR, (*ops)->about.name);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0); /* a pattern that was cut finds nothing */
        globfree(&found);
    }
}

/** A case that holds, in parts: one part of it is planted anew in each line below. */
#define SOURCE "\"source\":\"https://example.org/\",\"read\":\"2026-11-22\",\"about\":\"a\","
#define ACCOUNT                                                                                                        \
    "\"account\":{\"url\":\"https://h.example/u\",\"username\":\"u\",\"password_file\":\"p\","                         \
    "\"verify_server\":\"127.0.0.1:53\"},\"zone\":{\"name\":\"example\"},"
#define CHANGE "{\"name\":\"a.example\",\"type\":\"A\",\"ttl\":60,\"want\":[\"192.0.2.1\"]}"
#define REQUEST                                                                                                        \
    "\"request\":{\"method\":\"GET\",\"url\":\"https://h.example/"                                                     \
    "u?hostname=a.example&myip=192.0.2.1\",\"login\":\"u:p\"}"
#define REPLY   "\"reply\":{\"status\":200,\"body\":\"good\"}"
#define OUTCOME "\"outcomes\":[\"applied\"]"
#define CASE(source, account, change, request, reply, outcome)                                                         \
    "{" source account "\"steps\":[{\"changes\":[" change "],\"exchanges\":[{" request "," reply "}]," outcome "}]}"

static void planted_faults_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault; /* "" = none */
    } cases[] = {
        {CASE(SOURCE, ACCOUNT, CHANGE, REQUEST, REPLY, OUTCOME), ""},
        {CASE("", ACCOUNT, CHANGE, REQUEST, REPLY, OUTCOME), "\"source\" must be"},
        {CASE(SOURCE "\"mistyped\":1,", ACCOUNT, CHANGE, REQUEST, REPLY, OUTCOME), "unknown key \"mistyped\""},
        {CASE(SOURCE, "\"zone\":{\"name\":\"example\"},", CHANGE, REQUEST, REPLY, OUTCOME), "needs `url`"},
        {CASE(SOURCE, ACCOUNT, "{}", REQUEST, REPLY, OUTCOME), "a change needs"},
        {CASE(SOURCE, ACCOUNT, CHANGE "," CHANGE, REQUEST, REPLY, OUTCOME), "url is"},
        {CASE(SOURCE, ACCOUNT, CHANGE, "\"request\":{\"method\":\"GET\"}", REPLY, OUTCOME), "url is"},
        {CASE(SOURCE, ACCOUNT, CHANGE, REQUEST, "\"reply\":{\"status\":200,\"body\":\"911\"}", OUTCOME),
         "verdict is \"retry\""},
        {CASE(SOURCE, ACCOUNT, CHANGE, REQUEST, "\"reply\":{\"status\":200,\"body\":\"\"}", OUTCOME),
         "a.example is \"unknown\""},
        {CASE(SOURCE, ACCOUNT, CHANGE, REQUEST, REPLY, "\"outcomes\":[]"), "outcomes is 0"},
        {CASE(SOURCE, ACCOUNT, CHANGE, REQUEST, REPLY, "\"outcomes\":[{\"outcome\":\"applied\",\"alarm\":\"x\"}]"),
         "alarm is"},
        {CASE(SOURCE, ACCOUNT, CHANGE, REQUEST, REPLY, "\"outcomes\":[\"applied\"],\"stop\":true"), "stop is 0"},
        {CASE(SOURCE, ACCOUNT, CHANGE, REQUEST, REPLY, "\"unsent\":\"nohost\""), "unsent is"},
        {"{", "byte"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf faults;
        strbuf_init(&faults, FAULTS_MAX);
        replay_run(view_of(cases[i].text), "dyndns2", &faults);
        if ((cases[i].fault[0] == '\0') != (faults.len == 0) || strstr(strbuf_str(&faults), cases[i].fault) == NULL) {
            fail_msg("case %zu should say '%s', says '%s'", i, cases[i].fault, strbuf_str(&faults));
        }
        strbuf_deinit(&faults);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_holds),
        cmocka_unit_test(every_provider_has_cases),
        cmocka_unit_test(planted_faults_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
