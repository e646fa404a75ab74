/* SPDX-License-Identifier: Apache-2.0 */
/* template_build: the requests of a template. Pure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "providers/httpjson.h"
#include "providers/template_internal.h"

/** Hosts of a batch are one after the other with one type, or one host has an item of each type. */
size_t template_hosts_of(const struct batch *batch)
{
    return batch->items[0].type != batch->items[batch->len - 1].type ? 1 : batch->len;
}

bool template_label(const struct template *template, const struct provider_zone *zone, const char *name,
                    struct view *ret_label)
{
    const char *domain = template->config.hosts.domain != NULL ? template->config.hosts.domain : zone->name;
    if (!dnsname_in_zone(view_of(name), view_of(domain))) {
        return false;
    }
    *ret_label = dnsname_relative(view_of(name), view_of(domain));
    return true;
}

void template_cache_key(const struct template *template, const struct batch_item *item,
                        char key[static TEMPLATE_KEY_SIZE])
{
    bool by_type = template->uses_type_in_lookup;
    if (template->config.lookup.per == TEMPLATE_PER_ZONE) {
        memcpy(key, "", 1);
        return;
    }
    (void)snprintf(key, TEMPLATE_KEY_SIZE, "%s%s%s", item->name, by_type ? " " : "",
                   by_type ? rrtype_name(item->type) : ""); /* fits: 253 and 5 */
}

void template_missing_key(const struct batch_item *item, char key[static TEMPLATE_KEY_SIZE])
{
    (void)snprintf(key, TEMPLATE_KEY_SIZE, "!%s %s", item->name, rrtype_name(item->type)); /* as above */
}

void template_page_key(const struct template *template, const struct batch_item *item,
                       char key[static TEMPLATE_KEY_SIZE])
{
    char own[TEMPLATE_KEY_SIZE];
    template_cache_key(template, item, own);
    (void)snprintf(key, TEMPLATE_KEY_SIZE, "?%.*s", TEMPLATE_KEY_SIZE - 2, own); /* fits: 253, 5 and the mark */
}

/* ---- what placeholders stand for ---- */

static bool add_host(const struct template_scene *scene, const char *name, bool label, struct strbuf *out)
{
    const struct template *template = scene->account->template;
    struct view text = view_of(name);
    if (label) {
        if (!template_label(template, scene->zone, name, &text)) {
            return false;
        }
        text = text.len > 0 ? text : view_of(template->config.hosts.apex);
    }
    (void)strbuf_add(out, text); /* the caller looks at the sticky error */
    return true;
}

static bool add_hosts(const struct template_scene *scene, struct strbuf *out)
{
    const struct template *template = scene->account->template;
    bool good = true;
    for (size_t i = 0; i < template_hosts_of(scene->batch) && good; i++) {
        (void)strbuf_adds(out, i > 0 ? template->config.hosts.separator : ""); /* as above */
        good = add_host(scene, scene->batch->items[i].name, template->config.hosts.form == TEMPLATE_LABEL, out);
    }
    return good;
}

/** The item of that family of a request's host; NULL when it does not change. */
static const struct batch_item *item_of(const struct template_scene *scene, enum rrtype type)
{
    const struct batch *batch = scene->batch;
    const struct batch_item *first = &batch->items[scene->first], *last = &batch->items[batch->len - 1];
    return first->type == type ? first : last->type == type && strcmp(last->name, first->name) == 0 ? last : NULL;
}

static void add_family(const struct template_scene *scene, enum rrtype type, bool or_unchanged, struct strbuf *out)
{
    char address[IP_TEXT_SIZE];
    const struct batch_item *item = item_of(scene, type);
    if (item != NULL && item->want.len > 0) {
        (void)ip_format(&item->want.ips[0], address);
        (void)strbuf_adds(out, address); /* as above */
    } else if (item == NULL && or_unchanged) {
        (void)strbuf_adds(out, scene->account->unchanged);
    }
}

static void add_list(const struct template_scene *scene, struct strbuf *out)
{
    size_t before = out->len;
    add_family(scene, RRTYPE_A, false, out);
    size_t v4 = out->len;
    if (v4 > before && item_of(scene, RRTYPE_AAAA) != NULL) {
        (void)strbuf_addc(out, ','); /* as above */
    }
    add_family(scene, RRTYPE_AAAA, false, out);
}

static bool add_option(const struct template_scene *scene, struct view key, struct strbuf *out)
{
    for (size_t i = 0; i < scene->account->options_len; i++) {
        if (view_equals(key, scene->account->options[i].key)) {
            (void)strbuf_adds(out, scene->account->options[i].value); /* as above */
            return true;
        }
    }
    return true; /* optional, and not given */
}

static bool add_capture(const struct template_scene *scene, struct view key, struct strbuf *out)
{
    const struct config_map *capture = &scene->account->template->config.lookup.capture;
    for (size_t i = 0; scene->entry != NULL && i < capture->len; i++) {
        if (view_equals(key, capture->items[i].key) && scene->entry->values[i] != NULL) {
            (void)strbuf_adds(out, scene->entry->values[i]); /* as above */
            return true;
        }
    }
    return false;
}

static void add_ttl(const struct template_scene *scene, struct strbuf *out)
{
    const struct template_config *config = &scene->account->template->config;
    uint32_t ttl = MAX(scene->batch->items[scene->first].ttl, config->limits.ttl_min);
    ttl = config->limits.ttl_max != 0 ? MIN(ttl, config->limits.ttl_max) : ttl;
    (void)strbuf_addf(out, "%u", config->limits.ttl != 0 ? config->limits.ttl : ttl); /* as above */
}

static bool add_secret(const struct template_scene *scene, bool own, struct strbuf *out)
{
    const struct template_account *account = scene->account;
    const struct secret *secret =
        own ? template_account_secret(account, scene->batch->items[scene->first].name) : &account->secret;
    if (secret == NULL) {
        return false;
    }
    (void)strbuf_add(out, secret_view(secret)); /* as above */
    return true;
}

bool template_fill(void *context, enum template_slot slot, struct view key, struct strbuf *out)
{
    const struct template_scene *scene = context;
    const struct template_account *account = scene->account;
    const struct template_config *config = &account->template->config;
    const struct batch_item *first = &scene->batch->items[scene->first];
    switch (slot) {
    case TEMPLATE_SLOT_HOSTS:
        return add_hosts(scene, out);
    case TEMPLATE_SLOT_HOST:
        return add_host(scene, first->name, config->hosts.form == TEMPLATE_LABEL, out);
    case TEMPLATE_SLOT_FQDN:
        return add_host(scene, first->name, false, out);
    case TEMPLATE_SLOT_LABEL:
        return add_host(scene, first->name, true, out);
    case TEMPLATE_SLOT_ZONE:
        (void)strbuf_adds(out, scene->zone->name); /* the caller looks at the sticky error, here and below */
        return true;
    case TEMPLATE_SLOT_DOMAIN:
        (void)strbuf_adds(out, config->hosts.domain != NULL ? config->hosts.domain : scene->zone->name);
        return true;
    case TEMPLATE_SLOT_IP:
        add_family(scene, first->type, false, out);
        return true;
    case TEMPLATE_SLOT_IPS:
        add_list(scene, out);
        return true;
    case TEMPLATE_SLOT_IP4:
        add_family(scene, RRTYPE_A, true, out);
        return true;
    case TEMPLATE_SLOT_IP6:
        add_family(scene, RRTYPE_AAAA, true, out);
        return true;
    case TEMPLATE_SLOT_MYIP:
        if (account->both_in_myip) {
            add_list(scene, out);
        } else {
            add_family(scene, RRTYPE_A, true, out);
        }
        return true;
    case TEMPLATE_SLOT_MYIPV6:
        if (!account->both_in_myip) {
            add_family(scene, RRTYPE_AAAA, true, out);
        }
        return true;
    case TEMPLATE_SLOT_TYPE:
        (void)strbuf_adds(out, rrtype_name(first->type));
        return true;
    case TEMPLATE_SLOT_TTL:
        add_ttl(scene, out);
        return true;
    case TEMPLATE_SLOT_VERSION:
        (void)strbuf_adds(out, MUSTER_VERSION);
        return true;
    case TEMPLATE_SLOT_USERNAME:
        (void)strbuf_adds(out, account->user);
        return true;
    case TEMPLATE_SLOT_SECRET:
        return add_secret(scene, true, out);
    case TEMPLATE_SLOT_PASSWORD:
        return add_secret(scene, false, out);
    case TEMPLATE_SLOT_OPTION:
        return add_option(scene, key, out);
    case TEMPLATE_SLOT_CAPTURE:
        return add_capture(scene, key, out);
    case TEMPLATE_SLOTS:
        break;
    }
    return false;
}

/* ---- the parts of a request ---- */

/** Appends "key=value" for each parameter that has a value. @param first what stands before the first one. */
/** A parameter without a value is not sent, but for that which names the host: where the zone itself has the empty
 * name, it is the name. */
static bool is_sent(const char *text, const struct strbuf *value)
{
    return value->len > 0 || template_text_uses(text, TEMPLATE_SLOT_HOST) ||
           template_text_uses(text, TEMPLATE_SLOT_HOSTS);
}

static enum err add_parameters(const struct config_map *map, enum template_place place, const char *first,
                               struct template_scene *scene, struct strbuf *out)
{
    struct strbuf value;
    enum err err = ERR_OK;
    strbuf_init(&value, out->cap);
    for (size_t i = 0; err == ERR_OK && i < map->len; i++) {
        strbuf_clear(&value);
        err = template_text_expand(map->items[i].value, place, template_fill, scene, &value);
        if (err == ERR_OK && is_sent(map->items[i].value, &value)) {
            (void)strbuf_adds(out, first); /* looked at below */
            first = "&";
            err = template_text_expand(map->items[i].key, place, template_fill, scene, out);
            (void)strbuf_addc(out, '='); /* as above */
            (void)strbuf_add(out, strbuf_view(&value));
        }
    }
    if (value.ptr != NULL) {
        crypto_zeroise(value.ptr, value.size);
    }
    strbuf_deinit(&value);
    return err == ERR_OK ? strbuf_error(out) : err;
}

static enum err add_url(const struct template_request *form, struct template_scene *scene, struct strbuf *out)
{
    bool v6 = form->url6.text != NULL && scene->batch->items[scene->first].type == RRTYPE_AAAA;
    const char *url = v6 ? form->url6.text : form->url.text;
    const char *own = scene->account->url;
    const char *query = url != NULL ? strchr(url, '?') : NULL;
    if (own != NULL) {               /* the service's own query stays */
        (void)strbuf_adds(out, own); /* looked at below */
        if (query != NULL && strchr(own, '?') == NULL) {
            enum err err = template_text_expand(query, TEMPLATE_PLACE_URL, template_fill, scene, out);
            if (err != ERR_OK) {
                return err;
            }
        }
    } else {
        enum err err = template_text_expand(url, TEMPLATE_PLACE_URL, template_fill, scene, out);
        if (err != ERR_OK) {
            return err;
        }
    }
    const char *first = strchr(strbuf_str(out), '?') != NULL ? "&" : "?";
    return add_parameters(&form->query, TEMPLATE_PLACE_QUERY, first, scene, out);
}

static enum err add_header(const char *name, const char *text, struct template_scene *scene, struct strbuf *out)
{
    (void)strbuf_addf(out, "%s: ", name); /* looked at below */
    enum err err = template_text_expand(text, TEMPLATE_PLACE_PLAIN, template_fill, scene, out);
    (void)strbuf_addc(out, '\n');
    return err == ERR_OK ? strbuf_error(out) : err;
}

/** A login with the request's host in it is not the account's own, which the request could borrow. */
static enum err add_basic(const char *user, const char *secret, struct template_scene *scene, struct strbuf *out)
{
    struct strbuf login;
    strbuf_init(&login, ACCOUNT_SECRET_MAX + 512);
    enum err err = template_text_expand(user, TEMPLATE_PLACE_PLAIN, template_fill, scene, &login);
    (void)strbuf_addc(&login, ':'); /* looked at below */
    if (err == ERR_OK) {
        err = template_text_expand(secret, TEMPLATE_PLACE_PLAIN, template_fill, scene, &login);
    }
    char *coded = err == ERR_OK ? malloc((login.len + 2) / 3 * 4 + 1) : NULL;
    if (coded != NULL) {
        crypto_base64_encode((const uint8_t *)login.ptr, login.len, coded);
        (void)strbuf_addf(out, "Authorization: Basic %s\n", coded); /* as above */
        crypto_zeroise(coded, strlen(coded));
    } else if (err == ERR_OK) {
        err = ERR_NOMEM;
    }
    free(coded);
    if (login.ptr != NULL) {
        crypto_zeroise(login.ptr, login.size);
    }
    strbuf_deinit(&login);
    return err == ERR_OK ? strbuf_error(out) : err;
}

static enum err add_auth(const struct template_request *form, struct template_scene *scene,
                         struct provider_request *request)
{
    const struct template_account *account = scene->account;
    const char *user = form->auth_user.text != NULL ? form->auth_user.text : "{username}";
    const char *secret = form->auth_secret.text != NULL ? form->auth_secret.text : "{secret}";
    switch ((enum template_auth)form->auth) {
    case TEMPLATE_AUTH_BASIC:
        if (form->auth_user.text == NULL && form->auth_secret.text == NULL && account->secrets_len == 0) {
            request->user = view_of(account->user);
            request->secret = secret_view(&account->secret);
            return ERR_OK;
        }
        return add_basic(user, secret, scene, &request->headers);
    case TEMPLATE_AUTH_BEARER: {
        (void)strbuf_adds(&request->headers, "Authorization: Bearer "); /* add_header looks at the sticky error */
        enum err err = template_text_expand(secret, TEMPLATE_PLACE_PLAIN, template_fill, scene, &request->headers);
        (void)strbuf_addc(&request->headers, '\n');
        return err == ERR_OK ? strbuf_error(&request->headers) : err;
    }
    case TEMPLATE_AUTH_NONE:
        break;
    }
    return ERR_OK;
}

static enum err add_body(const struct template_request *form, struct template_scene *scene,
                         struct provider_request *request)
{
    if (form->json.text != NULL) {
        enum err err = template_text_expand(form->json.text, TEMPLATE_PLACE_JSON, template_fill, scene, &request->body);
        return err == ERR_OK ? strbuf_adds(&request->headers, "Content-Type: application/json\n") : err;
    }
    if (form->form.len == 0) {
        return ERR_OK;
    }
    enum err err = add_parameters(&form->form, TEMPLATE_PLACE_FORM, "", scene, &request->body);
    return err == ERR_OK ? strbuf_adds(&request->headers, "Content-Type: application/x-www-form-urlencoded\n") : err;
}

static enum err build_form(const struct template_request *form, struct template_scene *scene,
                           struct provider_request *request)
{
    request->verb = (enum http_verb)form->method;
    enum err err = add_url(form, scene, &request->url);
    if (err == ERR_OK) {
        err = add_auth(form, scene, request);
    }
    for (size_t i = 0; err == ERR_OK && i < form->headers.len; i++) {
        err = add_header(form->headers.items[i].key, form->headers.items[i].value, scene, &request->headers);
    }
    return err == ERR_OK ? add_body(form, scene, request) : err;
}

/* ---- which request ---- */

/** The first page, or the one on which it goes on. */
static enum err build_lookup(const struct template_lookup *lookup, struct template_scene *scene,
                             struct provider_request *request)
{
    char key[TEMPLATE_KEY_SIZE];
    template_page_key(scene->account->template, &scene->batch->items[scene->first], key);
    const struct template_entry *page = template_cache_find(scene->zone->cache, key);
    request->stage = PROVIDER_STAGE_ZONE;
    request->index = scene->first;
    enum err err = build_form(&lookup->request, scene, request);
    if (err == ERR_OK && page != NULL) {
        httpjson_query(&request->url, lookup->next_param, view_of(page->values[0]));
        err = strbuf_error(&request->url);
        template_cache_forget(scene->zone->cache, key); /* whatever comes of it, the next lookup begins anew */
    }
    return err;
}

enum err template_build_request(void *context, struct provider_zone *zone, struct batch *batch,
                                struct provider_request *request)
{
    struct template_account *account = context;
    const struct template_config *config = &account->template->config;
    struct template_scene scene = {.account = account, .zone = zone, .batch = batch};
    bool looks = config->lookup.request.position.line != 0;
    char key[TEMPLATE_KEY_SIZE];
    account->only_host = account->only_host != NULL ? account->only_host : strdup(batch->items[0].name);
    for (size_t i = 0; looks && i < batch->len; i++) {
        template_cache_key(account->template, &batch->items[i], key);
        if (template_cache_find(zone->cache, key) == NULL) {
            scene.first = i;
            return build_lookup(&config->lookup, &scene, request);
        }
    }
    template_missing_key(&batch->items[0], key);
    bool missing = template_cache_find(zone->cache, key) != NULL;
    enum template_kind kind = batch->items[0].want.len == 0 ? TEMPLATE_DELETE
                              : missing                     ? TEMPLATE_CREATE
                                                            : TEMPLATE_UPDATE;
    template_cache_forget(zone->cache, key); /* whether that is still so nobody knows once the request is out */
    template_cache_key(account->template, &batch->items[0], key);
    scene.entry = looks ? template_cache_find(zone->cache, key) : NULL;
    request->stage = PROVIDER_STAGE_CHANGE;
    request->index = (size_t)kind;
    enum err err = build_form(kind == TEMPLATE_DELETE   ? &config->delete
                              : kind == TEMPLATE_CREATE ? &config->create
                                                        : &config->request,
                              &scene, request);
    if ((kind == TEMPLATE_CREATE && config->lookup.per == TEMPLATE_PER_HOST) || config->lookup.fresh) {
        template_cache_forget(zone->cache, key);
    }
    return err;
}
