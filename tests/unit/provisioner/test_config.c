/* SPDX-License-Identifier: Apache-2.0 */
/* The example that is shipped, and what a config must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "provisioner/config.h"
#include "provisioner/settings.h"

#define BROKER " {endpoints: [\"h:1\"], client_id: %s, ca_file: /a, cert_file: /b, key_file: /c}\n"
#define REST   "ca: {dir: /ca}\nfactory_key: /f\ncore_endpoints: [\"h:1\"]\nserver_trust: /t\nconfig_roots: [/r]\n"

static enum err load(const char *text, struct provisioner_config *config, struct arena *arena, struct strbuf *report)
{
    return config_load_text(&provisioner_config_schema, "p.yaml", view_of(text), arena, config, report);
}

static void example_is_good(void **state)
{
    (void)state;
    struct settings *settings = NULL;
    struct strbuf report;
    strbuf_init(&report, 4096);
    assert_int_equal(settings_read(MUSTER_SOURCE_DIR "/deploy/examples/provisioner.yaml", &settings, &report), ERR_OK);
    assert_true(settings_has_core(settings));
    assert_int_equal(settings->config.activation_ms, 3600000);
    assert_true(settings->config.recovery);
    settings_free(settings);
    assert_int_equal(settings_load(MUSTER_SOURCE_DIR "/deploy/examples/provisioner.yaml", &settings, &report),
                     ERR_INVALID); /* its files are not on this machine */
    assert_non_null(strstr(strbuf_str(&report), "bundle-server.pem"));
    strbuf_deinit(&report);
}

static void check(const char *prov, const char *core, const char *more, const char *want)
{
    struct provisioner_config config;
    struct arena arena;
    struct strbuf report, text;
    arena_init(&arena, 1 << 20);
    strbuf_init(&report, 4096);
    strbuf_init(&text, 4096);
    assert_int_equal(strbuf_addf(&text, "prov:" BROKER, prov), ERR_OK);
    if (core != NULL) {
        assert_int_equal(strbuf_addf(&text, "core:" BROKER, core), ERR_OK);
    }
    assert_int_equal(strbuf_addf(&text, REST "%s", more), ERR_OK);
    enum err err = load(strbuf_str(&text), &config, &arena, &report);
    if (want == NULL) {
        assert_string_equal(strbuf_str(&report), "");
        assert_int_equal(err, ERR_OK);
        assert_int_equal(config.core.position.line != 0, core != NULL);
    } else {
        assert_int_equal(err, ERR_INVALID);
        assert_non_null(strstr(strbuf_str(&report), want));
    }
    strbuf_deinit(&text);
    strbuf_deinit(&report);
    arena_deinit(&arena);
}

static void rules(void **state)
{
    (void)state;
    check("svc-prov", NULL, "", NULL);
    check("svc-prov-2", "svc-prov", "", NULL);
    check("svc-coord1", NULL, "", "client_id must begin with svc-prov");
    check("svc-prov", "svc-signer", "", "client_id must begin with svc-prov");
    check("svc-prov", NULL, "activation: 1s\n", "activation");
    check("svc-prov", NULL, "issue: {renew_share: 99}\n", "renew_share");
    check("svc-prov", NULL, "control: {mode: \"0x60\"}\n", "not octal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(example_is_good), cmocka_unit_test(rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
