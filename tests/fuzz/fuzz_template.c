/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A template from a stranger: it loads or is refused with a reason; what loads builds a request for each family and
 * makes something of replies, with secrets and options that it asked for, and none of it ends in a header of its own.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "providers/template_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *secret_file(void)
{
    static char path[] = "/tmp/muster-fuzz-XXXXXX";
    static bool made;
    if (!made) {
        int fd = mkstemp(path);
        assert(fd >= 0 && write(fd, "a.example.org s&\"%\n", 19) == 19);
        close(fd);
        made = true;
    }
    return path;
}

static void check_headers(struct view headers)
{
    struct view line;
    while (view_next(&headers, '\n', &line)) {
        for (size_t i = 0; i < line.len; i++) {
            assert((unsigned char)line.ptr[i] >= 0x20);
        }
    }
}

static void use(const struct template *template, void *account, struct batch_item *item)
{
    static const char *const bodies[] = {"good 192.0.2.1", "{\"status\":\"ok\",\"id\":1}", "<a>0</a>"};
    struct provider_zone zone = {.name = "example.org"};
    struct batch batch = {.items = item, .len = 1};
    char detail[PROVIDER_DETAIL_MAX];
    struct provider_request request;
    provider_request_init(&request);
    for (size_t i = 0; template->ops.impossible(account, item, detail) == NULL && i < 3; i++) {
        struct provider_reply reply = {.status = i == 1 ? 404 : 200, .body = view_of(bodies[i])};
        struct verdict verdict = {0};
        provider_request_reset(&request, 0, 0);
        if (template->ops.build_request(account, &zone, &batch, &request) != ERR_OK) {
            break;
        }
        check_headers(strbuf_view(&request.headers));
        enum err err = template->ops.parse_reply(account, &zone, &batch, &request, &reply, &verdict);
        assert(err != ERR_OK || verdict.kind < VERDICT_KINDS);
    }
    provider_request_deinit(&request);
    template_cache_free(zone.cache);
}

static void open_and_use(const struct template *template)
{
    const struct provider_ops *ops = &template->ops;
    unsigned known = ops->needs | ops->takes;
    struct config_pair options[PROVIDER_OPTIONS_MAX * 2] = {0};
    struct engine_account_config config = {
        .name = "f",
        .verify_server = "127.0.0.1:53",
        .url = (known & PROVIDER_URL) != 0 ? "https://own.example/u" : NULL,
        .username = (known & PROVIDER_USERNAME) != 0 ? "u" : NULL,
        .password_file = (known & PROVIDER_PASSWORD) != 0 ? secret_file() : NULL,
        .secrets_file = (known & PROVIDER_SECRETS) != 0 ? secret_file() : NULL,
        .options = {.items = options},
    };
    for (const struct provider_option *option = ops->options; option != NULL && option->name != NULL; option++) {
        options[config.options.len++] = (struct config_pair){.key = option->name, .value = "o/%"};
    }
    void *account = NULL;
    if (provider_open(ops, &config, template, &account, NULL) != ERR_OK) {
        return;
    }
    struct batch_item items[3] = {{.name = "a.example.org", .type = RRTYPE_A, .want = {.len = 1}},
                                  {.name = "a.example.org", .type = RRTYPE_AAAA, .want = {.len = 1}},
                                  {.name = "a.example.org", .type = RRTYPE_A}};
    items[0].want.ips[0] = (struct ip){.family = IP_V4, .bytes = {192, 0, 2, 1}};
    items[1].want.ips[0] = (struct ip){.family = IP_V6, .bytes = {0x20, 1}};
    for (size_t i = 0; i < 3; i++) {
        use(template, account, &items[i]);
    }
    ops->close(account);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct template *template = NULL;
    struct strbuf report;
    strbuf_init(&report, 1 << 16);
    enum err err = template_load_text("fuzz", view_n((const char *)data, size), &template, &report);
    assert((err == ERR_OK) == (template != NULL));
    assert(err != ERR_INVALID || report.len > 0); /* a reason */
    if (template != NULL) {
        open_and_use(template);
    }
    template_unref(template);
    strbuf_deinit(&report);
    return 0;
}
