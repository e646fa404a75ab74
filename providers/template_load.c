/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/macros.h"
#include "providers/template_internal.h"

struct regex_list {
    struct regex_list *next;
    regex_t regex;
};

static enum err keep_regex(struct template *template, const struct config_text *text, regex_t **ret_regex)
{
    if (text->text == NULL) {
        return ERR_OK;
    }
    struct regex_list *kept = malloc(sizeof(*kept));
    if (kept == NULL) {
        return ERR_NOMEM;
    }
    enum err err = template_regex_compile(view_of(text->text), &kept->regex, NULL);
    if (err != ERR_OK) {
        free(kept);
        return err;
    }
    kept->next = template->regexes;
    template->regexes = kept;
    *ret_regex = &kept->regex;
    return ERR_OK;
}

static enum err finish_rule(struct template *template, struct template_rule *rule)
{
    const struct template_code *usual = template_default_code((enum template_then)rule->then);
    rule->found = (struct template_code){.code = rule->code != NULL ? rule->code : usual->code,
                                         .detail = rule->detail != NULL ? rule->detail : usual->detail,
                                         .then = (enum template_then)rule->then,
                                         .wait_ms = rule->wait,
                                         .repeats = (uint8_t)rule->repeats};
    enum err err = keep_regex(template, &rule->line, &rule->line_regex);
    if (err == ERR_OK) {
        err = keep_regex(template, &rule->body, &rule->body_regex);
    }
    return err == ERR_OK ? keep_regex(template, &rule->matches, &rule->matches_regex) : err;
}

static enum err finish_rules(struct template *template)
{
    struct template_rule *rules = template->config.reply.rules.items;
    for (size_t i = 0; i < template->config.reply.rules.len; i++) {
        enum err err = finish_rule(template, &rules[i]);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* ---- what provider_open reads ---- */

static void take_field(struct provider_ops *ops, int need, enum provider_field field)
{
    ops->needs |= need == TEMPLATE_REQUIRED || need == TEMPLATE_SECRET ? (unsigned)field : 0;
    ops->takes |= need == TEMPLATE_OPTIONAL ? (unsigned)field : 0;
}

static enum err fill_options(struct template *template)
{
    const struct config_map *required = &template->config.account.options;
    const struct config_map *optional = &template->config.account.optional_options;
    size_t len = 0;
    struct provider_option *options =
        arena_alloc(&template->arena, (required->len + optional->len + 1) * sizeof(*options));
    if (options == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < required->len; i++) {
        options[len++] = (struct provider_option){
            .name = required->items[i].key, .help = required->items[i].value, .required = true};
    }
    for (size_t i = 0; i < optional->len; i++) {
        options[len++] = (struct provider_option){.name = optional->items[i].key, .help = optional->items[i].value};
    }
    template->ops.options = len > 0 ? options : NULL;
    return ERR_OK;
}

/** A URL whose host is only known with the account's options is no default for others to read. */
static const char *default_url(const struct template_config *config)
{
    const char *url = config->request.url.text;
    const char *brace = url != NULL ? strchr(url, '{') : NULL;
    const char *path = url != NULL ? strchr(url + strlen("https://"), '/') : NULL;
    return brace != NULL && (path == NULL || brace < path) ? NULL : url;
}

static enum err fill_ops(struct template *template)
{
    const struct template_config *config = &template->config;
    struct provider_ops *ops = &template->ops;
    *ops = provider_template;
    ops->about = (struct provider_about){.name = config->name.text,
                                         .service = config->service,
                                         .class = config->class,
                                         .since = config->since,
                                         .source = config->source,
                                         .read = config->read,
                                         .note = config->note};
    take_field(ops, config->account.username, PROVIDER_USERNAME);
    take_field(ops, config->account.password, PROVIDER_PASSWORD);
    take_field(ops, config->account.host_secrets, PROVIDER_SECRETS);
    take_field(ops, config->account.url, PROVIDER_URL);
    ops->default_url = default_url(config);
    ops->asks = !config->request.idempotent;
    return fill_options(template);
}

static bool map_uses(const struct config_map *map, enum template_slot slot)
{
    bool found = false;
    for (size_t i = 0; i < map->len; i++) {
        found = found || template_text_uses(map->items[i].value, slot);
    }
    return found;
}

static bool request_uses(const struct template_request *request, enum template_slot slot)
{
    return template_text_uses(request->url.text, slot) || template_text_uses(request->url6.text, slot) ||
           template_text_uses(request->json.text, slot) || map_uses(&request->query, slot) ||
           map_uses(&request->form, slot) || map_uses(&request->headers, slot);
}

static enum err finish(struct template *template)
{
    const struct template_lookup *lookup = &template->config.lookup;
    template->uses_ttl = request_uses(&template->config.request, TEMPLATE_SLOT_TTL);
    template->uses_type_in_lookup =
        request_uses(&lookup->request, TEMPLATE_SLOT_TYPE) || map_uses(&lookup->where, TEMPLATE_SLOT_TYPE);
    enum err err = finish_rules(template);
    return err == ERR_OK ? fill_ops(template) : err;
}

/* ---- examples ---- */

const struct template_code *template_example_code(const struct template *template,
                                                  const struct template_example *example)
{
    struct batch_item item = {.name = "example.org", .type = RRTYPE_A, .want = {.len = 1}};
    struct provider_reply reply = {.status = (long)example->status, .body = view_of(example->body)};
    struct template_reading reading;
    uint64_t wait_ms = 0;
    item.want.ips[0] = (struct ip){.family = IP_V4, .bytes = {192, 0, 2, 1}};
    template_reading_init(&reading, template, &reply);
    const struct template_code *found =
        template_find(&reading, reading.lines_len == 1 ? reading.lines : NULL, &item, &wait_ms);
    template_reading_deinit(&reading);
    return found;
}

static void try_example(const struct template *template, const struct template_example *example, const char *name,
                        struct strbuf *report)
{
    const struct template_code *found = template_example_code(template, example);
    if (found->then != (enum template_then)example->then ||
        (example->code != NULL && strcmp(example->code, found->code) != 0)) {
        (void)strbuf_addf(report, "%s:%u:%u: examples: the rules make %s (%s) of this reply, not %s%s%s\n", name,
                          example->position.line, example->position.column, template_thens[found->then], found->code,
                          template_thens[example->then], example->code != NULL ? " with code " : "",
                          example->code != NULL ? example->code : ""); /* a report that was cut still helps */
    }
}

static enum err try_examples(const struct template *template, const char *name, struct strbuf *report)
{
    size_t before = report->len;
    const struct template_example *examples = template->config.examples.items;
    for (size_t i = 0; i < template->config.examples.len; i++) {
        try_example(template, &examples[i], name, report);
    }
    return report->len == before ? ERR_OK : ERR_INVALID;
}

/** An account finds a template by its name, a person finds it by its file's. */
static enum err check_file_name(const struct template *template, const char *name, struct strbuf *report)
{
    const char *slash = strrchr(name, '/');
    struct view file = view_of(slash != NULL ? slash + 1 : name), suffix = VIEW_LITERAL(".yaml");
    if (!view_ends_with(file, suffix) ||
        view_equals(view_n(file.ptr, file.len - suffix.len), template->config.name.text)) {
        return ERR_OK;
    }
    (void)strbuf_addf(report, "%s:%u:%u: name: the file of this template must be called %s.yaml\n", name,
                      template->config.name.position.line, template->config.name.position.column,
                      template->config.name.text); /* as above */
    return ERR_INVALID;
}

/* ---- */

enum err template_load_text(const char *name, struct view text, struct template **ret_template, struct strbuf *report)
{
    struct template *template = calloc(1, sizeof(*template));
    if (template == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&template->refs, 1);
    arena_init(&template->arena, TEMPLATE_ARENA_MAX);
    enum err err = config_load_text(&template_schema, name, text, &template->arena, &template->config, report);
    if (err == ERR_OK) {
        err = finish(template);
    }
    if (err == ERR_OK) {
        enum err file = check_file_name(template, name, report);
        err = try_examples(template, name, report);
        err = err == ERR_OK ? file : err;
    }
    if (err != ERR_OK) {
        template_unref(template);
        return err;
    }
    *ret_template = template;
    return ERR_OK;
}

enum err template_load(const char *path, struct template **ret_template, struct strbuf *report)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(path, CONFIG_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        (void)strbuf_addf(report, "%s: %s\n", path,
                          err == ERR_LIMIT ? "the file is larger than 256 KiB" : err_text(err)); /* as above */
        return err;
    }
    err = template_load_text(path, view_n(text, len), ret_template, report);
    if (err == ERR_OK) {
        (*ret_template)->file_hash = view_hash(view_n(text, len)) | 1;
    }
    free(text);
    return err;
}

struct template *template_ref(const struct template *template)
{
    struct template *counted = (struct template *)(uintptr_t) template; /* the count is all that ever changes */
    (void)atomic_fetch_add(&counted->refs, 1);
    return counted;
}

void template_unref(struct template *template)
{
    if (template == NULL || atomic_fetch_sub(&template->refs, 1) != 1) {
        return;
    }
    while (template->regexes != NULL) {
        struct regex_list *kept = template->regexes;
        template->regexes = kept->next;
        regfree(&kept->regex);
        free(kept);
    }
    arena_deinit(&template->arena);
    free(template);
}
