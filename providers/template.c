/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/template.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/macros.h"
#include "providers/template_internal.h"

static void account_close(void *context)
{
    struct template_account *account = context;
    for (size_t i = 0; i < account->secrets_len; i++) {
        free(account->secrets[i].host);
        secret_deinit(&account->secrets[i].secret);
    }
    for (size_t i = 0; i < account->options_len; i++) {
        free((char *)(uintptr_t)account->options[i].key); /* ours, const for readers */
        free((char *)(uintptr_t)account->options[i].value);
    }
    free(account->secrets);
    free(account->options);
    secret_deinit(&account->secret);
    free(account->url);
    free(account->user);
    free(account->unchanged);
    free(account->only_host);
    template_unref(account->template);
    free(account);
}

/* ---- secrets ---- */

static int by_host(const void *left, const void *right)
{
    const struct template_host_secret *a = left;
    const struct template_host_secret *b = right;
    return strcmp(a->host, b->host);
}

const struct secret *template_account_secret(const struct template_account *account, const char *host)
{
    struct template_host_secret key = {.host = (char *)(uintptr_t)host}; /* only read */
    const struct template_host_secret *found =
        account->secrets_len > 0
            ? bsearch(&key, account->secrets, account->secrets_len, sizeof(*account->secrets), by_host)
            : NULL;
    if (found != NULL) {
        return &found->secret;
    }
    return account->template->config.account.host_secrets == TEMPLATE_REQUIRED || account->secret.len == 0
               ? NULL
               : &account->secret;
}

static enum err add_host_secret(struct template_account *account, struct view line, size_t number, const char *path,
                                struct errinfo *info)
{
    char name[DNSNAME_SIZE];
    struct errinfo why = {0};
    size_t end = 0;
    while (end < line.len && line.ptr[end] != ' ' && line.ptr[end] != '\t') {
        end++;
    }
    struct view host = view_n(line.ptr, end), secret = view_trim(view_n(line.ptr + end, line.len - end));
    if (secret.len == 0) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "%s:%zu: a line is \"host secret\"", path, number);
    }
    if (dnsname_parse(host, DNSNAME_RECORD, name, &why) != ERR_OK) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "%s:%zu: not a host name: %s", path, number, why.text);
    }
    struct template_host_secret *grown =
        realloc(account->secrets, (account->secrets_len + 1) * sizeof(*account->secrets));
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    account->secrets = grown;
    struct template_host_secret *added = &grown[account->secrets_len];
    *added = (struct template_host_secret){.host = strdup(name)};
    if (added->host == NULL) {
        return ERR_NOMEM;
    }
    account->secrets_len++;
    return secret_set(&added->secret, secret);
}

static enum err read_lines(struct template_account *account, struct view text, const char *path, struct errinfo *info)
{
    struct view line;
    enum err err = ERR_OK;
    for (size_t number = 1; err == ERR_OK && view_next(&text, '\n', &line); number++) {
        line = view_trim(line);
        if (line.len > 0 && line.ptr[0] != '#') {
            err = add_host_secret(account, line, number, path, info);
        }
    }
    if (err == ERR_OK && account->secrets_len == 0) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "%s holds no line \"host secret\"", path);
    }
    if (err == ERR_OK) {
        qsort(account->secrets, account->secrets_len, sizeof(*account->secrets), by_host);
    }
    for (size_t i = 1; err == ERR_OK && i < account->secrets_len; i++) {
        if (strcmp(account->secrets[i - 1].host, account->secrets[i].host) == 0) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "%s: %s stands twice", path, account->secrets[i].host);
        }
    }
    return err;
}

static enum err read_secrets(struct template_account *account, const char *path, struct errinfo *info)
{
    struct stat status;
    char *text = NULL;
    size_t len = 0;
    if (stat(path, &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return errinfo_set(info, ERR_DENIED, "config", 0, "%s is open to all users: chmod 0640 or 0600", path);
    }
    enum err err = file_read(path, ACCOUNT_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "config", 0, "%s: %s", path, err_text(err));
    }
    err = read_lines(account, view_n(text, len), path, info);
    crypto_zeroise(text, len);
    free(text);
    return err;
}

static bool is_clean(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

typedef bool (*fits_fn)(struct view secret);

static bool all_fit(const struct template_account *account, fits_fn fits)
{
    bool good = fits(secret_view(&account->secret));
    for (size_t i = 0; good && i < account->secrets_len; i++) {
        good = fits(secret_view(&account->secrets[i].secret));
    }
    return good;
}

/** A secret with a line end in it would end a header; JSON is UTF-8 (RFC 8259 8.1). */
static enum err check_secrets(const struct template_account *account, const struct engine_account_config *config,
                              struct errinfo *info)
{
    if (!all_fit(account, is_clean)) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: a secret holds a control character",
                           config->name);
    }
    if (template_json_says_secret(account->template) && !all_fit(account, view_is_utf8)) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: a secret is not UTF-8, and %s takes it as JSON: save its file as UTF-8",
                           config->name, account->template->config.name.text);
    }
    return ERR_OK;
}

/** RFC 7617 2: the first colon ends the user name, the rest would be read as part of the password. */
static enum err check_user(const struct template_account *account, const struct engine_account_config *config,
                           struct errinfo *info)
{
    return strchr(account->user, ':') == NULL || !template_basic_says_user(account->template)
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "config", 0,
                             "account %s: username holds a colon, where HTTP's Basic login would cut it: write the "
                             "user name alone, the password goes into its file",
                             config->name);
}

/* ---- opening ---- */

static enum err copy_options(struct template_account *account, const struct config_map *options)
{
    account->options = calloc(options->len + 1, sizeof(*account->options));
    for (size_t i = 0; account->options != NULL && i < options->len; i++) {
        struct config_pair pair = {.key = strdup(options->items[i].key), .value = strdup(options->items[i].value)};
        account->options[account->options_len++] = pair;
        if (pair.key == NULL || pair.value == NULL) {
            return ERR_NOMEM;
        }
    }
    return account->options != NULL ? ERR_OK : ERR_NOMEM;
}

/** How families travel where the account says so. */
static enum err take_families(struct template_account *account, const struct engine_account_config *config,
                              struct errinfo *info)
{
    static const enum template_send ways[] = {[ACCOUNT_IPV6_MYIP] = TEMPLATE_SEPARATE,
                                              [ACCOUNT_IPV6_LIST] = TEMPLATE_LIST,
                                              [ACCOUNT_IPV6_MYIPV6] = TEMPLATE_PAIR,
                                              [ACCOUNT_IPV6_NONE] = TEMPLATE_IPV4};
    const struct template_config *template = &account->template->config;
    const char *unchanged = template->families.unchanged;
    account->send = (enum template_send) template->families.send;
    if (account->send == TEMPLATE_ACCOUNT) {
        account->send = ways[config->ipv6];
        account->both_in_myip = account->send != TEMPLATE_PAIR;
        unchanged = config->unchanged;
        if (unchanged != NULL && account->send != TEMPLATE_PAIR) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: `unchanged` goes with `ipv6: myipv6` only",
                               config->name);
        }
    } else if (config->unchanged != NULL || config->ipv6 != ACCOUNT_IPV6_MYIP) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: %s knows by itself how IPv6 is sent: remove `ipv6` and `unchanged`",
                           config->name, template->name.text);
    }
    account->unchanged = strdup(unchanged != NULL ? unchanged : "");
    return account->unchanged != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err fill(struct template_account *account, const struct engine_account_config *config, struct errinfo *info)
{
    enum err err = take_families(account, config, info);
    account->user = strdup(config->username != NULL ? config->username : "");
    account->url = config->url != NULL ? strdup(config->url) : NULL;
    if (err == ERR_OK && (account->user == NULL || (config->url != NULL && account->url == NULL))) {
        err = ERR_NOMEM;
    }
    if (err == ERR_OK) {
        err = copy_options(account, &config->options);
    }
    if (err == ERR_OK && config->password_file != NULL) {
        err = account_read_secret(config->password_file, &account->secret, info);
    }
    if (err == ERR_OK && config->secrets_file != NULL) {
        err = read_secrets(account, config->secrets_file, info);
    }
    err = err == ERR_OK ? check_user(account, config, info) : err;
    return err == ERR_OK ? check_secrets(account, config, info) : err;
}

static enum err account_open(const struct engine_account_config *config, const struct template *template,
                             void **ret_state, struct errinfo *info)
{
    const struct template_config *about = &template->config;
    if (about->status == TEMPLATE_DEAD) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: the service %s has ended%s%s", config->name,
                           about->service, about->note != NULL ? ": " : "", about->note != NULL ? about->note : "");
    }
    struct template_account *account = calloc(1, sizeof(*account));
    if (account == NULL) {
        return ERR_NOMEM;
    }
    account->template = template_ref(template);
    enum err err = fill(account, config, info);
    if (err != ERR_OK) {
        account_close(account);
        return err;
    }
    *ret_state = account;
    return ERR_OK;
}

/* ---- limits ---- */

static void add_rate(struct provider_limits *limits, enum rate_of of, uint64_t units, uint64_t period_ms)
{
    if (limits->rates_len < PROVIDER_RATES_MAX) {
        limits->rates[limits->rates_len++] =
            (struct provider_rate){.of = of,
                                   .what = of == RATE_OF_HOST ? RATE_WRITES : RATE_CALLS,
                                   .units = (uint32_t)units,
                                   .period_ms = (uint32_t)MIN(period_ms, UINT32_MAX)};
    }
}

static void account_limits(const void *context, struct provider_limits *ret_limits)
{
    static const enum rate_of ofs[] = {RATE_OF_ACCOUNT, RATE_OF_ZONE, RATE_OF_HOST}; /* enum template_rate_of */
    const struct template_account *account = context;
    const struct template_config *config = &account->template->config;
    const struct template_rate *rates = config->limits.rates.items;
    bool pairs = account->send == TEMPLATE_LIST || account->send == TEMPLATE_PAIR;
    *ret_limits = (struct provider_limits){.batch_max = MAX(config->hosts.max, pairs ? 2u : 1u),
                                           .depth_max = config->limits.requests,
                                           .account_max = config->limits.requests,
                                           .ttl_min = config->limits.ttl_min,
                                           .ttl_max = config->limits.ttl_max,
                                           .refresh_s = (uint32_t)(config->limits.refresh / 1000)};
    if (config->limits.ttl != 0) {
        ret_limits->ttl_min = ret_limits->ttl_max = config->limits.ttl;
    }
    for (size_t i = 0; i < config->limits.rates.len; i++) {
        add_rate(ret_limits, ofs[rates[i].of], rates[i].calls, rates[i].per);
    }
    if (config->limits.interval != 0) {
        add_rate(ret_limits, RATE_OF_HOST, 1, config->limits.interval);
    }
}

/* ---- what cannot be, and what goes together ---- */

static const char *account_impossible(const void *context, const struct batch_item *item,
                                      char detail[static PROVIDER_DETAIL_MAX])
{
    const struct template_account *account = context;
    const struct template_config *config = &account->template->config;
    struct provider_zone domain = {.name = config->hosts.domain};
    struct verdict verdict = {0};
    struct view label;
    if (item->want.len == 0 && config->delete.position.line == 0) {
        verdict_set(&verdict, VERDICT_SETTLED, "no-delete", "%s cannot remove an address: do it at the service",
                    config->name.text);
    } else if (item->want.len > 1) {
        verdict_set(&verdict, VERDICT_SETTLED, "one-address", "%s holds one address a name and family",
                    config->name.text);
    } else if (item->type == RRTYPE_AAAA && account->send == TEMPLATE_IPV4) {
        verdict_set(&verdict, VERDICT_SETTLED, "no-ipv6", "%s",
                    config->families.send == TEMPLATE_ACCOUNT ? "the account says `ipv6: none`"
                                                              : "the service takes IPv4 only, or IPv6 not by itself");
    } else if (domain.name != NULL && !template_label(account->template, &domain, item->name, &label)) {
        verdict_set(&verdict, VERDICT_SETTLED, "not-in-domain", "the service serves names of %s only", domain.name);
    } else if (config->account.host_secrets != TEMPLATE_NONE && template_account_secret(account, item->name) == NULL) {
        verdict_set(&verdict, VERDICT_SETTLED, "no-secret", "secrets_file has no line for this name: add it, reload");
    } else if (config->hosts.per_account != 0 && account->only_host != NULL &&
               strcmp(account->only_host, item->name) != 0) {
        verdict_set(&verdict, VERDICT_SETTLED, PROVIDER_ONE_HOST,
                    "the login stands for one name, and this account serves %.100s: give each name its own account",
                    account->only_host);
    }
    memcpy(detail, verdict.detail, sizeof(verdict.detail));
    return verdict.error;
}

/** One request is about several hosts with one address, or about one host with an address of each family. */
static bool account_together(const void *context, const struct batch *batch, const struct batch_item *item)
{
    const struct template_account *account = context;
    const struct batch_item *first = &batch->items[0], *last = &batch->items[batch->len - 1];
    bool pairs = account->send == TEMPLATE_LIST || account->send == TEMPLATE_PAIR;
    if (first->want.len == 0 || item->want.len == 0) {
        return false; /* one name is removed by one request */
    }
    if (first->type != item->type) {
        return pairs && batch->len == 1 && strcmp(first->name, item->name) == 0;
    }
    return account->template->config.hosts.max > batch->len && last->type == item->type &&
           rrset_value_equal(&first->want, &item->want) && (!account->template->uses_ttl || first->ttl == item->ttl);
}

/* ---- what people may see ---- */

enum { SECRET_PART_MIN = 4 /* bytes of a secret that a cut text may end with; fewer stand there by chance */ };

/** Marks each place where @p secret stands in @p text: one secret may begin another, so that nothing is written yet. */
static void mark(const char *text, size_t len, struct view secret, bool *hidden)
{
    const char *at = text;
    while (secret.len > 0 && (at = memmem(at, len - (size_t)(at - text), secret.ptr, secret.len)) != NULL) {
        memset(hidden + (at - text), true, secret.len);
        at++;
    }
    for (size_t left = MIN(len, secret.len); left >= SECRET_PART_MIN; left--) { /* the text was cut inside of it */
        if (memcmp(text + len - left, secret.ptr, left) == 0) {
            memset(hidden + (len - left), true, left);
        }
    }
}

static bool fill_secret(void *context, enum template_slot slot, struct view key, struct strbuf *out)
{
    (void)slot;
    (void)key;
    return strbuf_add(out, *(const struct view *)context) == ERR_OK;
}

/** As it is, and in each form that a request has it in. */
static void mark_all(const char *text, size_t len, struct view secret, bool *hidden)
{
    static const struct {
        const char *before; /* what the form depends on */
        enum template_place place;
    } forms[] = {{"", TEMPLATE_PLACE_QUERY},
                 {"", TEMPLATE_PLACE_FORM},
                 {"", TEMPLATE_PLACE_JSON},
                 {"https://h/", TEMPLATE_PLACE_URL}};
    struct strbuf coded;
    mark(text, len, secret, hidden);
    strbuf_init(&coded, (size_t)ACCOUNT_SECRET_MAX * 6 + 16);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t before = strlen(forms[i].before);
        strbuf_clear(&coded);
        (void)strbuf_adds(&coded, forms[i].before); /* short */
        if (template_text_expand("{secret}", forms[i].place, fill_secret, &secret, &coded) == ERR_OK) {
            mark(text, len, view_n(coded.ptr + before, coded.len - before), hidden);
        }
    }
    if (coded.ptr != NULL) {
        crypto_zeroise(coded.ptr, coded.size);
    }
    strbuf_deinit(&coded);
}

static void account_redact(const void *context, char *text)
{
    const struct template_account *account = context;
    size_t len = strlen(text);
    bool username_is_secret = account->template->config.account.username == TEMPLATE_SECRET;
    bool *hidden = calloc(len + 1, sizeof(*hidden));
    if (hidden != NULL) {
        mark_all(text, len, secret_view(&account->secret), hidden);
        mark_all(text, len, username_is_secret ? view_of(account->user) : (struct view){0}, hidden);
    }
    for (size_t i = 0; hidden != NULL && i < account->secrets_len; i++) {
        mark_all(text, len, secret_view(&account->secrets[i].secret), hidden);
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = hidden == NULL || hidden[i] ? '*' : text[i]; /* without memory nothing is told */
    }
    free(hidden);
}

const struct provider_ops provider_template = {
    .transport = PROVIDER_HTTP,
    .one_address = true,
    .open = account_open,
    .close = account_close,
    .limits = account_limits,
    .cache_free = template_cache_free,
    .impossible = account_impossible,
    .together = account_together,
    .redact = account_redact,
    .build_request = template_build_request,
    .parse_reply = template_parse_reply,
};
