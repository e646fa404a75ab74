/* SPDX-License-Identifier: Apache-2.0 */
/* A preview of a change: what would be sent, of every template, and never a secret. */
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
#include "providers/account.h"
#include "providers/catalogue.h"
#include "providers/engine.h"
#include "providers/template.h"

#define MARK   "s3Kr1t" /* no encoding changes it */
#define SECRET MARK "+/\"&%1"
#define HOST   "h.example.net"

static char folder[64], password[96], secrets[96];

static int make_files(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/muster-preview-XXXXXX"); /* all fit */
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(password, sizeof(password), "%s/password", folder);
    (void)snprintf(secrets, sizeof(secrets), "%s/secrets", folder);
    bool good = file_replace(password, VIEW_LITERAL(SECRET "\n"), 0600) == ERR_OK &&
                file_replace(secrets, VIEW_LITERAL(HOST " " SECRET "\n"), 0600) == ERR_OK;
    return good ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    return unlink(password) == 0 && unlink(secrets) == 0 ? rmdir(folder) : -1;
}

static void on_settled(void *context, const struct engine_result *results, size_t len)
{
    (void)context;
    (void)results;
    (void)len;
    fail_msg("something was sent");
}

static void on_claim(void *context, struct engine_zone *zone, uint64_t seen)
{
    (void)context;
    (void)zone;
    (void)seen;
}

static void on_trouble(void *context, struct engine_zone *zone, const char *error, const char *detail)
{
    (void)context;
    (void)zone;
    (void)error;
    (void)detail;
}

static void on_deposed(void *context, struct engine_zone *zone)
{
    (void)context;
    (void)zone;
}

/* @return whether the change could be built. */
static bool preview_one(struct engine *engine, struct engine_account *account, const char *address, enum rrtype type)
{
    const struct engine_zone_options options = {
        .name = "example.net",
        .mode = ZONE_DEDICATED,
        .account = account,
        .callbacks = {.settled = on_settled, .claim = on_claim, .trouble = on_trouble, .deposed = on_deposed}};
    struct engine_zone *zone = NULL;
    struct engine_preview preview;
    struct ip ip;
    assert_int_equal(engine_zone_new(engine, &options, &zone), ERR_OK);
    assert_int_equal(ip_parse(view_of(address), &ip), ERR_OK);
    const struct rrset_change change = {.name = HOST, .type = type, .ttl = 60, .want = rrset_value_of(ip)};
    enum err err = engine_zone_preview(zone, &change, &preview);
    if (err == ERR_OK) {
        assert_true(preview.url.len > 0 && preview.method[0] != '\0');
        assert_null(strstr(strbuf_str(&preview.url), MARK));
        assert_null(strstr(strbuf_str(&preview.headers), MARK));
        assert_null(strstr(strbuf_str(&preview.body), MARK));
        assert_null(strstr(strbuf_str(&preview.headers), "Authorization: Basic ZmxlZX")); /* base64 of the login */
    } else {
        assert_true(err == ERR_UNSUPPORTED || err == ERR_INVALID || err == ERR_LIMIT);
    }
    engine_preview_deinit(&preview);
    engine_zone_free(zone);
    return err == ERR_OK;
}

static struct engine_account_config config_of(const struct catalogue_service *service)
{
    const struct provider_ops *ops = service->ops;
    bool key = service->template->config.account.username == TEMPLATE_SECRET;
    unsigned fields = ops->needs | ops->takes;
    return (struct engine_account_config){
        .name = "t",
        .provider = ops->about.name,
        .username = (fields & PROVIDER_USERNAME) != 0 ? (key ? SECRET : "fleet") : NULL,
        .password_file = (fields & PROVIDER_PASSWORD) != 0 ? password : NULL,
        .secrets_file = (fields & PROVIDER_SECRETS) != 0 ? secrets : NULL,
        .url = (ops->needs & PROVIDER_URL) != 0 ? "https://dyn.example/nic/update" : NULL,
        .verify_server = "127.0.0.1:53",
        .timeout = 10000,
        .retry_min = 1000,
        .retry_max = 60000,
        .burst = 1,
    };
}

static void test_no_template_shows_a_secret(void **state)
{
    (void)state;
    struct catalogue *catalogue = NULL;
    struct loop *loop = NULL;
    struct engine *engine = NULL;
    struct strbuf report;
    const struct catalogue_service *services = NULL;
    size_t len, opened = 0, built = 0;
    strbuf_init(&report, 1 << 16);
    assert_int_equal(catalogue_new(NULL, &catalogue, &report), ERR_OK);
    assert_int_equal(loop_new(&loop), ERR_OK);
    assert_int_equal(engine_new(loop, &engine), ERR_OK);
    engine_use_catalogue(engine, catalogue);
    assert_int_equal(catalogue_services(catalogue, &services, &len, &report), ERR_OK);
    for (size_t i = 0; i < len; i++) {
        if (services[i].template == NULL) {
            continue;
        }
        struct errinfo info = {0};
        struct engine_account *account = NULL;
        const struct engine_account_config config = config_of(&services[i]);
        if (engine_account_new(engine, &config, &account, &info) != ERR_OK) {
            continue; /* it needs an option */
        }
        opened++;
        built += preview_one(engine, account, "192.0.2.1", RRTYPE_A);
        (void)preview_one(engine, account, "2001:db8::1", RRTYPE_AAAA); /* not every service has IPv6 */
        engine_account_free(account);
    }
    print_message("%zu accounts, %zu requests\n", opened, built);
    assert_true(opened >= 80 && built * 10 >= opened * 9); /* DuckDNS and the like want a name of their own domain */
    engine_free(engine);
    loop_free(loop);
    catalogue_unref(catalogue);
    strbuf_deinit(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_template_shows_a_secret)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
