/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** template_rig: an account of a template that a test writes, and what it sends and makes of a reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "providers/template_internal.h"

#define TEMPLATE_HEAD "format: 1\nname: t\nservice: T\nclass: G\nsource: s\nread: 2026-11-23\n"

struct rig {
    struct template *template;
    void *account;
    struct provider_zone zone;
    struct provider_request request;
};

static inline char *rig_file(const char *text, char path[static 32])
{
    (void)snprintf(path, 32, "/tmp/muster-template-XXXXXX"); /* fits */
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

static inline enum err rig_try(struct rig *rig, const char *text, struct engine_account_config config,
                               const char *password, const char *secrets, struct errinfo *info)
{
    char first[32], second[32];
    struct strbuf report;
    *rig = (struct rig){.zone = {.name = "example.org"}};
    strbuf_init(&report, 1 << 16);
    enum err err = template_load_text("t.yaml", view_of(text), &rig->template, &report);
    if (err != ERR_OK) {
        print_error("%s", strbuf_str(&report));
    }
    assert_int_equal(err, ERR_OK);
    strbuf_deinit(&report);
    config.name = "t";
    config.verify_server = "127.0.0.1:53";
    config.password_file = password != NULL ? rig_file(password, first) : NULL;
    config.secrets_file = secrets != NULL ? rig_file(secrets, second) : NULL;
    err = provider_open(&rig->template->ops, &config, rig->template, &rig->account, info);
    (void)(password != NULL && unlink(first));
    (void)(secrets != NULL && unlink(second));
    provider_request_init(&rig->request);
    return err;
}

static inline void rig_open(struct rig *rig, const char *text, struct engine_account_config config,
                            const char *password, const char *secrets)
{
    struct errinfo info = {0};
    if (rig_try(rig, text, config, password, secrets, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

static inline void rig_close(struct rig *rig)
{
    provider_request_deinit(&rig->request);
    template_cache_free(rig->zone.cache);
    if (rig->account != NULL) {
        rig->template->ops.close(rig->account);
    }
    template_unref(rig->template);
}

/** @param address NULL = a deletion of the type that @p other has. */
static inline struct batch_item rig_item(const char *name, const char *address)
{
    struct batch_item item = {.name = name, .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
    if (address != NULL) {
        item.want.len = 1;
        assert_int_equal(ip_parse(view_of(address), &item.want.ips[0]), ERR_OK);
        item.type = item.want.ips[0].family == IP_V4 ? RRTYPE_A : RRTYPE_AAAA;
    }
    return item;
}

/** The request as lines: "METHOD url", "login u:p", headers, an empty line and the body. */
static inline const char *rig_build(struct rig *rig, struct batch *batch)
{
    static const char *const verbs[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    static char text[8192];
    provider_request_reset(&rig->request, 1700000000000, 1000);
    assert_int_equal(rig->template->ops.build_request(rig->account, &rig->zone, batch, &rig->request), ERR_OK);
    int len = snprintf(text, sizeof(text), "%s %s\n", verbs[rig->request.verb], strbuf_str(&rig->request.url));
    if (rig->request.user.len > 0) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "login %.*s:%.*s\n", VIEW_ARG(rig->request.user),
                        VIEW_ARG(rig->request.secret));
    }
    (void)snprintf(text + len, sizeof(text) - (size_t)len, "%s%s", strbuf_str(&rig->request.headers),
                   strbuf_str(&rig->request.body)); /* compared whole: a cut is seen */
    return text;
}

static inline struct verdict rig_reply(struct rig *rig, struct batch *batch, long status, const char *body)
{
    struct provider_reply reply = {.status = status, .body = view_of(body), .now_ms = 1000};
    struct verdict verdict = {0};
    assert_int_equal(rig->template->ops.parse_reply(rig->account, &rig->zone, batch, &rig->request, &reply, &verdict),
                     ERR_OK);
    return verdict;
}
