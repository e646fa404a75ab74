/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macros.h"
#include "providers/account.h"
#include "providers/embedded.h"
#include "providers/engine.h"
#include "providers/template.h"

#define MINE(name, service)                                                                                            \
    "format: 1\nname: " name "\nservice: " service "\nclass: G\nsource: s\nread: 2026-11-23\n"                         \
    "request: {url: \"https://t.example/u\", query: {h: \"{host}\", ip: \"{ip}\"}}\n"                                  \
    "reply: {rules: [{line: ok, then: applied}]}\n"

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* fits */
    assert_int_equal(file_replace(path, view_of(text), 0644), ERR_OK);
}

static void remove_file(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* fits */
    assert_int_equal(unlink(path), 0);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/muster-catalogue-XXXXXX"); /* fits */
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct catalogue *make(enum err expected, const char *says)
{
    struct catalogue *catalogue = NULL;
    struct strbuf report;
    strbuf_init(&report, 1 << 16);
    assert_int_equal(catalogue_new(folder, &catalogue, &report), expected);
    if (says != NULL && strstr(strbuf_str(&report), says) == NULL) {
        fail_msg("report: %s", strbuf_str(&report));
    }
    strbuf_deinit(&report);
    return catalogue;
}

static void every_template_of_the_program_loads(void **state)
{
    (void)state;
    struct catalogue *catalogue = make(ERR_OK, NULL);
    const struct catalogue_service *services = NULL;
    struct strbuf report;
    size_t len = 0, templates = 0;
    strbuf_init(&report, 1 << 16);
    enum err err = catalogue_services(catalogue, &services, &len, &report);
    if (err != ERR_OK) {
        print_error("%s", strbuf_str(&report));
    }
    assert_int_equal(err, ERR_OK);
    for (size_t i = 0; i < len; i++) {
        const struct template *template = NULL;
        templates += services[i].template != NULL;
        if (services[i].ops != NULL) { /* what is listed is found, and is the same */
            assert_ptr_equal(catalogue_find(catalogue, services[i].ops->about.name, &template), services[i].ops);
            assert_ptr_equal(template, services[i].template);
        } else {
            assert_int_not_equal(services[i].status, CATALOGUE_OK);
        }
    }
    assert_true(templates > 90);
    strbuf_deinit(&report);
    catalogue_unref(catalogue);
}

/** Nothing that ships names a version that is not there yet, and no request one that is written down. */
static void what_ships_is_of_this_version(void **state)
{
    (void)state;
    struct catalogue *catalogue = make(ERR_OK, NULL);
    const struct catalogue_service *services = NULL;
    struct strbuf report;
    size_t len = 0;
    strbuf_init(&report, 1 << 16);
    assert_int_equal(catalogue_services(catalogue, &services, &len, &report), ERR_OK);
    for (size_t i = 0; i < len; i++) {
        if (strverscmp(services[i].since, MUSTER_VERSION) > 0) {
            fail_msg("%s: since %s, this is %s", services[i].service, services[i].since, MUSTER_VERSION);
        }
    }
    for (const struct embedded_file *file = embedded_templates; file->name != NULL; file++) {
        const char *agent = strstr(file->text, "muster/");
        if (agent != NULL && agent[7] >= '0' && agent[7] <= '9') {
            fail_msg("%s: write muster/{version}, not %.10s", file->name, agent);
        }
    }
    strbuf_deinit(&report);
    catalogue_unref(catalogue);
}

/** A row of catalogue.yaml whose service something serves would be hidden, and go stale. */
static void each_row_of_the_list_is_of_a_service_that_nothing_serves(void **state)
{
    (void)state;
    struct catalogue *catalogue = make(ERR_OK, NULL);
    const struct catalogue_service *services = NULL;
    struct strbuf report;
    size_t len = 0, rows = 0;
    strbuf_init(&report, 1 << 16);
    assert_int_equal(catalogue_services(catalogue, &services, &len, &report), ERR_OK);
    for (const struct embedded_file *file = embedded_lists; file->name != NULL; file++) {
        struct view text = view_n(file->text, file->len), line;
        while (view_next(&text, '\n', &line)) {
            const struct view key = VIEW_LITERAL("  - service: ");
            const struct catalogue_service *found = NULL;
            if (!view_starts_with(line, key)) {
                continue;
            }
            rows++;
            line = view_trim(view_n(line.ptr + key.len, line.len - key.len));
            for (size_t i = 0; i < len && found == NULL; i++) {
                found = view_equal_nocase(line, view_of(services[i].service)) ? &services[i] : NULL;
            }
            if (found == NULL || found->ops != NULL) {
                fail_msg("%s: %.*s is served by %s: delete its row", file->name, VIEW_ARG(line),
                         found != NULL ? found->ops->about.name : "nothing, and not listed");
            }
        }
    }
    assert_true(rows > 20);
    strbuf_deinit(&report);
    catalogue_unref(catalogue);
}

static void a_file_of_the_folder_adds_or_overrides(void **state)
{
    (void)state;
    const struct template *template = NULL;
    write_file("mine.yaml", MINE("mine", "Mine"));
    write_file("noip.yaml", MINE("noip", "No-IP"));
    write_file("notes.txt", "not a template");
    struct catalogue *catalogue = make(ERR_OK, NULL);
    assert_string_equal(catalogue_find(catalogue, "mine", &template)->about.service, "Mine");
    assert_string_equal(catalogue_find(catalogue, "noip", &template)->about.class, "G");
    assert_string_equal(catalogue_find(catalogue, "dynu", &template)->about.class, "D2"); /* the program's */
    catalogue_unref(catalogue);
    remove_file("mine.yaml");
    remove_file("noip.yaml");
    remove_file("notes.txt");
}

static void a_broken_file_is_named_with_all_its_neighbours(void **state)
{
    (void)state;
    write_file("a.yaml", MINE("b", "B"));
    write_file("rfc2136.yaml", MINE("rfc2136", "R"));
    assert_null(make(ERR_INVALID, "/a.yaml:2:7: name: the file of this template must be called b.yaml"));
    assert_null(make(ERR_INVALID, "/rfc2136.yaml:2:7: name: `rfc2136`: is built in: choose another name"));
    remove_file("a.yaml");
    remove_file("rfc2136.yaml");
}

static void a_folder_that_cannot_be_read_is_no_empty_one(void **state)
{
    (void)state;
    char path[128];
    struct catalogue *catalogue = NULL;
    struct strbuf report;
    write_file("file", "");
    (void)snprintf(path, sizeof(path), "%s/file", folder); /* fits */
    strbuf_init(&report, 1 << 16);
    assert_int_equal(catalogue_new(path, &catalogue, &report), ERR_INVALID);
    assert_non_null(strstr(strbuf_str(&report), "/file: the folder of templates cannot be read"));
    strbuf_deinit(&report);
    remove_file("file");
    assert_int_equal(catalogue_new(path, &catalogue, NULL), ERR_OK); /* not there */
    catalogue_unref(catalogue);
}

/** A stop that a user's own template brought about ends when that is mended; what is part of the program may change
 * with a version, and ends none. */
static void a_users_template_counts_in_the_accounts_fingerprint(void **state)
{
    (void)state;
    const struct engine_account_config config = {.name = "a", .provider = "mine", .username = "u"};
    uint8_t prints[4][32];
    for (size_t i = 0; i < ARRAY_LEN(prints); i++) {
        const struct template *template = NULL;
        write_file("mine.yaml", i < 2 ? MINE("mine", "Mine") : MINE("mine", "Other"));
        struct catalogue *catalogue = make(ERR_OK, NULL);
        assert_non_null(catalogue_find(catalogue, i < 3 ? "mine" : "noip", &template));
        engine_account_fingerprint(&config, template, prints[i]);
        catalogue_unref(catalogue);
        remove_file("mine.yaml");
    }
    uint8_t none[32];
    engine_account_fingerprint(&config, NULL, none);
    assert_memory_equal(prints[0], prints[1], 32);
    assert_memory_not_equal(prints[0], prints[2], 32);
    assert_memory_equal(prints[3], none, 32);
}

static void an_unknown_provider_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"noipp", "did you mean `noip`?"},
        {"rfc2163", "did you mean `rfc2136`?"},
        {"google domains (dead)", "is dead: all domains moved"},
        {"bunny", "did you mean `Bunny DNS`?"},
        {"afraid", "did you mean `freedns`?"},
        {"completely-unknown", "muster provider list shows them"},
    };
    struct catalogue *catalogue = make(ERR_OK, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct provider_ops *ops = NULL;
        const struct template *template = NULL;
        struct errinfo info = {0};
        assert_int_equal(catalogue_get(catalogue, cases[i].name, &ops, &template, &info), ERR_INVALID);
        if (strstr(info.text, cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].name, info.text);
        }
        assert_null(ops);
    }
    catalogue_unref(catalogue);
}

static void an_account_outlives_the_catalogue(void **state)
{
    (void)state;
    const struct template *template = NULL;
    void *account = NULL;
    write_file("mine.yaml", MINE("mine", "Mine"));
    struct catalogue *catalogue = make(ERR_OK, NULL);
    const struct provider_ops *ops = catalogue_find(catalogue, "mine", &template);
    struct template *held = template_ref(template);
    struct engine_account_config config = {.name = "t", .verify_server = "127.0.0.1:53"};
    assert_int_equal(provider_open(ops, &config, template, &account, NULL), ERR_OK);
    catalogue_unref(catalogue); /* a reload */
    struct batch_item item = {.name = "a.example", .type = RRTYPE_A, .want = {.len = 1}};
    char detail[PROVIDER_DETAIL_MAX];
    assert_null(ops->impossible(account, &item, detail));
    ops->close(account);
    template_unref(held);
    remove_file("mine.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_of_the_program_loads),
        cmocka_unit_test(what_ships_is_of_this_version),
        cmocka_unit_test(each_row_of_the_list_is_of_a_service_that_nothing_serves),
        cmocka_unit_test(a_file_of_the_folder_adds_or_overrides),
        cmocka_unit_test(a_broken_file_is_named_with_all_its_neighbours),
        cmocka_unit_test(a_folder_that_cannot_be_read_is_no_empty_one),
        cmocka_unit_test(a_users_template_counts_in_the_accounts_fingerprint),
        cmocka_unit_test(an_unknown_provider_is_explained),
        cmocka_unit_test(an_account_outlives_the_catalogue),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
