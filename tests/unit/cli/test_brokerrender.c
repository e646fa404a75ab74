/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerrender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void templates(void **state)
{
    (void)state;
    static const struct brokerword words[] = {
        {"PORT", "8883"}, {"ADDRESS", ""}, {"FILE", "/x y"}, {"NONE", ""}, {NULL, NULL}};
    static const struct {
        const char *template, *text; /* NULL: refused */
    } rows[] = {
        {"a\nb\n", "a\nb\n"},
        {"a", "a\n"},
        {"\n\na\n", "\n\na\n"},
        {"listener @PORT@ @ADDRESS@\n", "listener 8883 \n"},
        {"crlfile @NONE@\nkeep\n", "keep\n"},
        {"@NONE@@ADDRESS@\n", ""},
        {"x @FILE@-@PORT@\n", "x /x y-8883\n"},
        {"@UNKNOWN@\n", NULL},
        {"a@b\n", NULL},
        {"@@\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        enum err err = brokerrender_fill(view_of(rows[i].template), words, &out);
        assert_int_equal(err, rows[i].text != NULL ? ERR_OK : ERR_INVALID);
        if (rows[i].text != NULL) {
            assert_string_equal(strbuf_str(&out), rows[i].text);
        }
        strbuf_deinit(&out);
    }
}

static void acl_blocks(void **state)
{
    (void)state;
    const struct view template =
        VIEW_LITERAL("# head\npattern read a\n\nuser svc-coord\ntopic read b\n\nuser svc-prov\ntopic read c\n");
    const char *names[] = {"svc-coord-1", "svc-coord-2", "svc-prov"};
    const struct config_strings services = {.items = names, .len = ARRAY_LEN(names)};
    struct strbuf out;
    strbuf_init(&out, 1000);
    assert_int_equal(brokerrender_acl(template, &services, &out, NULL), ERR_OK);
    assert_string_equal(strbuf_str(&out),
                        "# head\npattern read a\n\nuser svc-coord-1\ntopic read b\n\nuser svc-coord-2\n"
                        "topic read b\n\nuser svc-prov\ntopic read c\n");
    names[2] = "svc-viewer";
    strbuf_clear(&out);
    assert_int_equal(brokerrender_acl(template, &services, &out, NULL), ERR_INVALID);
    strbuf_deinit(&out);
}

/* Each kind of service that a description may name has its block in the file that is shipped. */
static void the_shipped_file_knows_every_service(void **state)
{
    (void)state;
    const char *names[] = {"svc-coord", "svc-viewer", "svc-prov", "svc-signer", "svc-bridge"};
    const struct config_strings services = {.items = names, .len = ARRAY_LEN(names)};
    struct strbuf out;
    strbuf_init(&out, 100000);
    for (size_t i = 0; broker_files[i].name != NULL; i++) {
        if (strcmp(broker_files[i].name, "muster.acl") == 0) {
            assert_int_equal(brokerrender_acl(view_of(broker_files[i].text), &services, &out, NULL), ERR_OK);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_non_null(strstr(strbuf_str(&out), names[i]));
    }
    strbuf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates),
        cmocka_unit_test(acl_blocks),
        cmocka_unit_test(the_shipped_file_knows_every_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
