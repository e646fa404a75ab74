/* SPDX-License-Identifier: Apache-2.0 */
/* provider_show: one provider as JSON and as lines for people. */
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "cli/api.h"
#include "cli/providers.h"
#include "providers/template.h"

static const struct {
    enum provider_field field;
    const char *name;
} fields[] = {
    {PROVIDER_SERVER, "server"},          {PROVIDER_URL, "url"},      {PROVIDER_USERNAME, "username"},
    {PROVIDER_PASSWORD, "password_file"}, {PROVIDER_KEY, "key_file"}, {PROVIDER_SECRETS, "secrets_file"},
};

static json_t *field_names(unsigned set)
{
    json_t *names = json_array();
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if ((set & fields[i].field) != 0) {
            (void)json_array_append_new(names, json_string(fields[i].name)); /* json_pack sees a lack */
        }
    }
    return names;
}

static json_t *option_list(const struct provider_option *option)
{
    json_t *list = json_array();
    for (; option != NULL && option->name != NULL; option++) {
        json_t *choices = option->choices != NULL ? json_array() : json_null();
        for (size_t i = 0; option->choices != NULL && option->choices[i] != NULL; i++) {
            (void)json_array_append_new(choices, json_string(option->choices[i])); /* as above */
        }
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}", "name", option->name, "help", option->help,
                                                    "required", option->required, "choices", choices)); /* as above */
    }
    return list;
}

static json_t *rate_list(const struct template_config *config)
{
    static const char *const ofs[] = {"account", "zone", "host"}; /* enum template_rate_of */
    const struct template_rate *rates = config->limits.rates.items;
    json_t *list = json_array();
    for (size_t i = 0; i < config->limits.rates.len; i++) {
        (void)json_array_append_new(list, json_pack("{s:I, s:I, s:s}", "calls", (json_int_t)rates[i].calls, "per_s",
                                                    (json_int_t)(rates[i].per / 1000), "of",
                                                    ofs[rates[i].of])); /* as above */
    }
    return list;
}

/** What a template says of its service's ways; what is written in C says it in its own file. */
static json_t *describe_template(const struct template *template)
{
    static const char *const sends[] = {"a request a family", "both in one request", "both in one request", "IPv4 only",
                                        "as the account's `ipv6` says"}; /* enum template_send */
    const struct template_config *config = &template->config;
    return json_pack("{s:I, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "hosts_max",
                     (json_int_t)config->hosts.max, "families", sends[config->families.send], "deletes",
                     config->delete.position.line != 0, "idempotent", !template->ops.asks, "requests",
                     (json_int_t)config->limits.requests, "interval_s", (json_int_t)(config->limits.interval / 1000),
                     "refresh_s", (json_int_t)(config->limits.refresh / 1000), "ttl", (json_int_t)config->limits.ttl,
                     "ttl_min", (json_int_t)config->limits.ttl_min, "ttl_max", (json_int_t)config->limits.ttl_max,
                     "rates", rate_list(config));
}

json_t *provider_describe(const struct catalogue_service *service)
{
    const struct provider_ops *ops = service->ops;
    json_t *account =
        ops == NULL ? json_null()
                    : json_pack("{s:o, s:o, s:o, s:s?}", "needs", field_names(ops->needs), "takes",
                                field_names(ops->takes), "options", option_list(ops->options), "url", ops->default_url);
    json_t *ways = service->template != NULL ? describe_template(service->template) : json_null();
    return json_pack("{s:s?, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:b, s:o, s:o}", "provider",
                     ops != NULL ? ops->about.name : NULL, "name", service->service, "class", service->class, "status",
                     catalogue_status_name(service->status), "since", service->since, "source", service->source, "read",
                     service->read, "note", service->note, "template", service->template != NULL, "account", account,
                     "ways", ways);
}

/* ---- lines ---- */

static void line(struct strbuf *out, const char *key, const char *value)
{
    if (value[0] != '\0') {
        (void)strbuf_addf(out, "%-10s %s\n", key, value); /* provider_print looks at the sticky error */
    }
}

static void line_texts(struct strbuf *out, const char *key, const json_t *texts)
{
    for (size_t i = 0; i < json_array_size(texts); i++) {
        line(out, i == 0 ? key : "", json_string_value(json_array_get(texts, i)));
    }
}

static void line_duration(struct strbuf *out, const char *key, uint64_t seconds, const char *what)
{
    char text[UNITS_TEXT_SIZE];
    if (seconds != 0) {
        (void)strbuf_addf(out, "%-10s %s %s\n", key, units_format_duration(seconds * 1000, text), what); /* as above */
    }
}

static void add_options(struct strbuf *out, const json_t *options)
{
    for (size_t i = 0; i < json_array_size(options); i++) {
        const json_t *option = json_array_get(options, i);
        (void)strbuf_addf(out, "%-10s %s%s: %s\n", "option", api_text(option, "name"),
                          api_bool(option, "required") ? " (needed)" : "", api_text(option, "help")); /* as above */
    }
}

static void add_ways(struct strbuf *out, const json_t *ways)
{
    const json_t *rates = json_object_get(ways, "rates");
    char text[UNITS_TEXT_SIZE];
    (void)strbuf_addf(out, "%-10s %llu in one request, %llu request%s at once\n", "hosts",
                      (unsigned long long)api_u64(ways, "hosts_max"), (unsigned long long)api_u64(ways, "requests"),
                      api_u64(ways, "requests") == 1 ? "" : "s"); /* as above */
    line(out, "families", api_text(ways, "families"));
    line(out, "no answer", api_bool(ways, "idempotent") ? "sent again" : "looked up in DNS before it is sent again");
    line(out, "removes", api_bool(ways, "deletes") ? "addresses, too" : "nothing: do it at the service");
    for (size_t i = 0; i < json_array_size(rates); i++) {
        const json_t *rate = json_array_get(rates, i);
        (void)strbuf_addf(out, "%-10s %llu requests in %s of one %s\n", "limit",
                          (unsigned long long)api_u64(rate, "calls"),
                          units_format_duration(api_u64(rate, "per_s") * 1000, text), api_text(rate, "of"));
    }
    line_duration(out, "limit", api_u64(ways, "interval_s"), "between two updates of a name");
    line_duration(out, "refresh", api_u64(ways, "refresh_s"), "without a change, then it is sent again");
    line_duration(out, "ttl", api_u64(ways, "ttl"), "whatever is asked for");
    line_duration(out, "ttl", api_u64(ways, "ttl_min"), "at least");
    line_duration(out, "ttl", api_u64(ways, "ttl_max"), "at most");
}

enum err provider_print(const json_t *about, FILE *stream)
{
    const json_t *account = json_object_get(about, "account"), *ways = json_object_get(about, "ways");
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    line(&out, "provider", api_text(about, "provider"));
    line(&out, "service", api_text(about, "name"));
    line(&out, "class", api_text(about, "class"));
    line(&out, "status", api_text(about, "status"));
    line(&out, "since", api_text(about, "since"));
    line(&out, "source", api_text(about, "source"));
    line(&out, "read", api_text(about, "read"));
    line(&out, "note", api_text(about, "note"));
    line_texts(&out, "needs", json_object_get(account, "needs"));
    line_texts(&out, "takes", json_object_get(account, "takes"));
    add_options(&out, json_object_get(account, "options"));
    if (json_is_object(ways)) {
        add_ways(&out, ways);
    }
    enum err err = strbuf_error(&out);
    err = err == ERR_OK && (fputs(strbuf_str(&out), stream) < 0 || fflush(stream) != 0) ? ERR_IO : err;
    strbuf_deinit(&out);
    return err;
}
