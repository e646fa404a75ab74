/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct view label(const void *context, struct view key)
{
    (void)context;
    if (view_equals(key, "dots")) {
        return VIEW_LITERAL("a.b");
    }
    return view_equals(key, "role") ? VIEW_LITERAL("gate") : (struct view){0};
}

static const struct template_values full = {.id = {.ptr = "cam-1", .len = 5},
                                            .site = {.ptr = "berlin", .len = 6},
                                            .host = {.ptr = "nvr", .len = 3},
                                            .label = label};

static enum err render(const char *text, const struct template_values *values, char *ret_name, struct errinfo *info)
{
    struct name_template parsed;
    enum err err = template_parse(view_of(text), &parsed, info);
    return err != ERR_OK ? err : template_render(&parsed, values, ret_name, info);
}

static void renders(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"{id}.cams.example.net", "cam-1.cams.example.net"},
        {"{id}.{site}.example.net", "cam-1.berlin.example.net"},
        {"{site}-{id}.example.net", "berlin-cam-1.example.net"},
        {"{host}.{id}.example.net", "nvr.cam-1.example.net"},
        {"{labels.role}.example.net", "gate.example.net"},
        {"{labels.none}.example.net", NULL},
        {"{labels.dots}.example.net", NULL},
        {"{labels.}.example.net", NULL},
        {"{name}.example.net", NULL},
        {"{id.example.net", NULL},
        {"id}.example.net", NULL},
        {"{}.example.net", NULL},
        {"{id}..example.net", NULL},
        {"-{id}.example.net", NULL},
        {"{id}-.example.net", NULL},
        {"{id}_x.example.net", NULL},
        {"{ID}.example.net", NULL},
        {"Cam.example.net", NULL},
        {"{{id}}.example.net", NULL},
        {"", NULL},
        {"{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}", NULL}, /* 17 parts */
        {"{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}", NULL},                 /* a label of 65 */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[DNSNAME_SIZE] = "";
        struct errinfo info = {0};
        enum err err = render(rows[i].text, &full, name, &info);
        if ((err == ERR_OK) != (rows[i].want != NULL) || (err == ERR_OK && strcmp(name, rows[i].want) != 0)) {
            fail_msg("%s: %s %s", rows[i].text, err_name(err), name);
        }
        assert_true(err == ERR_OK || info.text[0] != '\0'); /* a person is told why */
    }
}

static void a_missing_value_is_named(void **state)
{
    (void)state;
    static const struct template_values bare = {.id = {.ptr = "cam-1", .len = 5}};
    char name[DNSNAME_SIZE];
    struct errinfo info = {0};
    assert_int_equal(render("{id}.{site}.example.net", &bare, name, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "{site}"));
    assert_int_equal(render("{labels.role}.example.net", &bare, name, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "role"));
}

static void knows_where_the_id_stands(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int label;
        const char *tail;
    } rows[] = {
        {"{id}.example.net", 0, "example.net"},         {"{site}.{id}.example.net", 1, "example.net"},
        {"a.b.{id}.example.net", 2, "example.net"},     {"x{id}.example.net", -1, "example.net"},
        {"{id}x.example.net", -1, "example.net"},       {"{site}{id}.example.net", -1, "example.net"},
        {"{id}{site}.example.net", -1, "example.net"},  {"{id}", 0, ""},
        {"fixed.example.net", -1, "fixed.example.net"}, {"{site}.cams-x.example.net", -1, "cams-x.example.net"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name_template parsed;
        assert_int_equal(template_parse(view_of(rows[i].text), &parsed, NULL), ERR_OK);
        if (template_id_label(&parsed) != rows[i].label) {
            fail_msg("%s: id at %d", rows[i].text, template_id_label(&parsed));
        }
        struct view tail = template_tail(&parsed);
        if (!view_equals(tail, rows[i].tail)) {
            fail_msg("%s: tail %.*s", rows[i].text, VIEW_ARG(tail));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders),
        cmocka_unit_test(a_missing_value_is_named),
        cmocka_unit_test(knows_where_the_id_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
