/* SPDX-License-Identifier: Apache-2.0 */
/* template_use: what a template's requests say and where. What it declares and they never say: it loads, and the
 * service is asked about nothing. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "providers/template_internal.h"

enum { REQUESTS = 4, PLACEHOLDER_MAX = 128 };

static bool map_says(const struct config_map *map, const char *what)
{
    bool found = false;
    for (size_t i = 0; i < map->len; i++) {
        found = found || strstr(map->items[i].value, what) != NULL;
    }
    return found;
}

/** Whether @p what stands in one of a request's texts. */
static bool request_says(const struct template_request *request, const char *what)
{
    const char *texts[] = {request->url.text, request->url6.text, request->json.text, request->auth_user.text,
                           request->auth_secret.text};
    bool found = map_says(&request->query, what) || map_says(&request->form, what) || map_says(&request->headers, what);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        found = found || (texts[i] != NULL && strstr(texts[i], what) != NULL);
    }
    return found;
}

static void list_requests(const struct template_config *config, const struct template_request *ret_requests[REQUESTS])
{
    ret_requests[0] = &config->request;
    ret_requests[1] = &config->delete;
    ret_requests[2] = &config->create;
    ret_requests[3] = &config->lookup.request;
}

static bool any_says(const struct template_config *config, const char *what)
{
    const struct template_request *requests[REQUESTS];
    list_requests(config, requests);
    bool found = map_says(&config->lookup.where, what);
    for (size_t i = 0; i < REQUESTS; i++) {
        found = found || request_says(requests[i], what);
    }
    return found;
}

static void check_declared(const struct template_config *config, const struct config_map *map, const char *name,
                           struct strbuf *report)
{
    for (size_t i = 0; i < map->len; i++) {
        const struct config_pair *option = &map->items[i];
        char placeholder[PLACEHOLDER_MAX];
        (void)snprintf(placeholder, sizeof(placeholder), "{option.%s}", option->key); /* keys are short */
        if (!any_says(config, placeholder)) {
            (void)strbuf_addf(
                report, "%s:%u:%u: no request says %s: write it where the service wants it, or leave %s out here\n",
                name, option->position.line, option->position.column, placeholder,
                option->key); /* a report that was cut still helps */
        }
    }
}

/** By what the service knows which name is meant. */
static bool says_which(const struct template_config *config)
{
    static const char *const which[] = {"{hosts}", "{host}", "{fqdn}", "{label}", "{capture.", "{option."};
    bool said = config->hosts.per_account != 0 || config->account.host_secrets != TEMPLATE_NONE; /* the login does */
    for (size_t i = 0; i < ARRAY_LEN(which); i++) {
        said = said || request_says(&config->request, which[i]);
    }
    return said;
}

bool template_lint(const struct template *template, const char *name, struct strbuf *report)
{
    const struct template_config *config = &template->config;
    size_t before = report->len;
    check_declared(config, &config->account.options, name, report);
    check_declared(config, &config->account.optional_options, name, report);
    if (!says_which(config)) {
        (void)strbuf_addf(
            report,
            "%s:%u:%u: `request` never says which name is meant: write {host}; where the login stands for "
            "one name, `hosts: {per_account: 1}`\n",
            name, config->request.position.line, config->request.position.column); /* as above */
    }
    return report->len == before;
}

bool template_json_says_secret(const struct template *template)
{
    const struct template_request *requests[REQUESTS];
    bool found = false;
    list_requests(&template->config, requests);
    for (size_t i = 0; i < REQUESTS; i++) {
        const char *json = requests[i]->json.text;
        found = found || (json != NULL && (template_text_uses(json, TEMPLATE_SLOT_SECRET) ||
                                           template_text_uses(json, TEMPLATE_SLOT_PASSWORD)));
    }
    return found;
}

bool template_basic_says_user(const struct template *template)
{
    const struct template_request *requests[REQUESTS];
    bool found = false;
    list_requests(&template->config, requests);
    for (size_t i = 0; i < REQUESTS; i++) {
        const char *user = requests[i]->auth_user.text;
        found = found || (requests[i]->auth == TEMPLATE_AUTH_BASIC &&
                          (user == NULL || template_text_uses(user, TEMPLATE_SLOT_USERNAME)));
    }
    return found;
}
