/* SPDX-License-Identifier: Apache-2.0 */
/* A config with everything that is made from it, loaded whole before anything is swapped. */
#include "coordinator/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/config_checks.h"
#include "base/file.h"
#include "providers/catalogue.h"
#include "provisioning/keypair.h"
#include "provisioning/pemfile.h"

#define CONFIG_ARENA_MAX ((size_t)64 << 20)
#define STAMP_KEY_BYTES  32
#define STAMP_FILE_MAX   256

void settings_tell_account(struct strbuf *report, const char *path, const struct engine_account_config *account,
                           const struct errinfo *info)
{
    char named[ACCOUNT_NAME_SIZE + sizeof("account : ")];
    int len = snprintf(named, sizeof(named), "account %s: ", account->name); /* names fit */
    const char *text = strncmp(info->text, named, (size_t)len) == 0 ? info->text + len : info->text;
    (void)strbuf_addf(report, "%s:%u:%u: accounts: %s: %s\n", path, account->position.line, account->position.column,
                      account->name, text); /* full: the first errors are enough */
}

/* Who serves each account; what is found here is found again without an error. */
static enum err find_providers(const struct settings *settings, const char *path, struct strbuf *report)
{
    const struct engine_account_config *accounts = settings->config.accounts.items;
    enum err all = ERR_OK;
    for (size_t i = 0; i < settings->config.accounts.len && all != ERR_NOMEM; i++) {
        const struct provider_ops *ops;
        const struct template *template;
        struct errinfo info = {0};
        enum err err = catalogue_get(settings->config.catalogue, accounts[i].provider, &ops, &template, &info);
        if (err != ERR_OK) {
            settings_tell_account(report, path, &accounts[i], &info);
            all = err;
        }
    }
    return all;
}

enum err settings_read(const char *path, struct settings **ret_settings, struct strbuf *report)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    if (settings == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&settings->arena, CONFIG_ARENA_MAX);
    enum err err = config_load(&coordinator_config_schema, path, &settings->arena, &settings->config, report);
    if (err == ERR_OK) {
        err = catalogue_new(settings->config.providers_dir, &settings->config.catalogue, report);
    }
    if (err == ERR_OK) {
        err = find_providers(settings, path, report);
    }
    if (err == ERR_OK) {
        err = registry_load(&settings->config, path, settings->config.registry, &settings->registry, report);
    }
    if (err != ERR_OK) {
        if (strbuf_view(report).len == 0) {
            (void)strbuf_addf(report, "%s: %s\n", settings->config.registry != NULL ? settings->config.registry : path,
                              err_text(err));
        }
        settings_free(settings);
        return err;
    }
    *ret_settings = settings;
    return ERR_OK;
}

/* One line "config: key: what". */
static void tell(struct strbuf *report, const char *path, const char *key, const struct errinfo *info)
{
    (void)strbuf_addf(report, "%s: %s: %s\n", path, key, info->text); /* full: the first errors are enough */
}

/* Certificate and key as the session will use them; both files are there. */
static bool check_pair(const struct settings *settings, const char *path, struct strbuf *report)
{
    struct errinfo info = {0};
    struct keypair pair;
    const char *id = settings->config.broker.client_id;
    if (keypair_check(settings->config.broker.cert_file, settings->config.broker.key_file, &pair, &info) != ERR_OK) {
        tell(report, path, "broker.key_file", &info);
        return false;
    }
    if (pair.known && strcmp(pair.common_name, id) != 0) {
        (void)strbuf_addf(report, "%s: broker.cert_file: %s: is of '%s', but client_id is '%s'; make them equal\n",
                          path, settings->config.broker.cert_file, pair.common_name, id); /* as tell */
        return false;
    }
    if (pair.known && pair.server_only) {
        (void)strbuf_addf(report, "%s: broker.cert_file: %s: is a server's; issue one with --profile service\n", path,
                          settings->config.broker.cert_file); /* as tell */
        return false;
    }
    return true;
}

static bool check_broker_files(const struct settings *settings, const char *path, struct strbuf *report)
{
    const struct {
        const char *key, *file;
    } rows[] = {{"broker.ca_file", settings->config.broker.ca_file},
                {"broker.cert_file", settings->config.broker.cert_file},
                {"broker.key_file", settings->config.broker.key_file}};
    bool good = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errinfo info = {0};
        if (pemfile_check(rows[i].file, &info) != ERR_OK) {
            tell(report, path, rows[i].key, &info);
            good = false;
        }
    }
    good = good && check_pair(settings, path, report);
    struct crypto_hmac *key = NULL;
    good = settings_stamp_key(settings, &key, report) == ERR_OK && good;
    crypto_hmac_free(key);
    return good;
}

/* As the engine opens it, without a connection. */
static enum err check_account(struct catalogue *catalogue, const struct engine_account_config *account,
                              struct errinfo *info)
{
    const struct provider_ops *ops = NULL;
    const struct template *template = NULL;
    void *state = NULL;
    enum err err = catalogue_get(catalogue, account->provider, &ops, &template, info);
    if (err == ERR_OK) {
        err = provider_open(ops, account, template, &state, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    ops->close(state);
    return account->ca_file != NULL ? pemfile_check(account->ca_file, info) : ERR_OK;
}

static bool check_accounts(const struct settings *settings, const char *path, struct strbuf *report)
{
    const struct engine_account_config *accounts = settings->config.accounts.items;
    bool good = true;
    for (size_t i = 0; i < settings->config.accounts.len; i++) {
        struct errinfo info = {0};
        if (check_account(settings->config.catalogue, &accounts[i], &info) != ERR_OK) {
            settings_tell_account(report, path, &accounts[i], &info);
            good = false;
        }
    }
    return good;
}

static const struct provider_ops *ops_of(const struct settings *settings, const char *account)
{
    const struct engine_account_config *accounts = settings->config.accounts.items;
    const struct template *template = NULL;
    size_t i = 0;
    while (strcmp(accounts[i].name, account) != 0) {
        i++; /* the config's check has found it */
    }
    return catalogue_find(settings->config.catalogue, accounts[i].provider, &template); /* as find_providers has */
}

/* A promise that nobody would keep. */
static bool check_modes(const struct settings *settings, const char *path, struct strbuf *report)
{
    const struct zone_config *zones = settings->config.zones.items;
    bool good = true;
    for (size_t i = 0; i < settings->config.zones.len; i++) {
        const struct provider_ops *ops = ops_of(settings, zones[i].account);
        if (zones[i].mode == ZONE_SHARED && !ops->shared) {
            (void)strbuf_addf(report,
                              "%s:%u:%u: zones: %s: mode: shared: %s cannot tell who wrote a name before it writes it: "
                              "leave `mode` out; names that no device has stay as they are all the same\n",
                              path, zones[i].position.line, zones[i].position.column, zones[i].name,
                              ops->about.name); /* as tell */
            good = false;
        }
    }
    return good;
}

/* Only what this project issues is known to be a server's or not. */
static bool check_whoami(const struct settings *settings, const char *path, struct strbuf *report)
{
    struct errinfo info = {0};
    struct keypair pair;
    const char *cert = settings->config.whoami.cert_file, *key = settings->config.whoami.key_file;
    if (settings->config.whoami.listen.len == 0) {
        return true;
    }
    if (pemfile_check(cert, &info) != ERR_OK) {
        tell(report, path, "whoami.cert_file", &info);
        return false;
    }
    if (keypair_check(cert, key, &pair, &info) != ERR_OK) {
        tell(report, path, "whoami.key_file", &info);
        return false;
    }
    if (pair.known && !pair.server_only) {
        (void)strbuf_addf(report, "%s: whoami.cert_file: %s: is no server's; issue one with --profile server\n", path,
                          cert); /* as tell */
        return false;
    }
    return true;
}

static bool check_store_folder(const struct settings *settings, const char *path, struct strbuf *report)
{
    const char *file = settings->config.store.path;
    const char *slash = strrchr(file, '/'); /* a path of the config is absolute */
    char folder[PATH_MAX];
    struct stat status;
    if (view_copy(view_n(file, slash == file ? 1 : (size_t)(slash - file)), folder, sizeof(folder)) == ERR_OK &&
        stat(folder, &status) == 0 && S_ISDIR(status.st_mode)) {
        return true;
    }
    (void)strbuf_addf(report, "%s: store.path: %s: its folder is missing; make it, owned by the daemon's user\n", path,
                      file); /* as tell */
    return false;
}

static enum err check_named(const struct settings *settings, const char *path, struct strbuf *report)
{
    struct ip ip;
    uint16_t port;
    struct errinfo info = {0};
    bool good = check_broker_files(settings, path, report);
    good = check_accounts(settings, path, report) && good;
    good = check_modes(settings, path, report) && good;
    good = check_whoami(settings, path, report) && good;
    good = check_store_folder(settings, path, report) && good;
    if (config_loopback(settings->config.metrics.listen, &ip, &port, &info) != ERR_OK) {
        tell(report, path, "metrics.listen", &info);
        good = false;
    }
    return good ? ERR_OK : ERR_INVALID;
}

enum err settings_load(const char *path, struct settings **ret_settings, struct strbuf *report)
{
    struct settings *settings = NULL;
    enum err err = settings_read(path, &settings, report);
    if (err == ERR_OK) {
        err = check_named(settings, path, report);
    }
    if (err != ERR_OK) {
        settings_free(settings);
        return err;
    }
    *ret_settings = settings;
    return ERR_OK;
}

void settings_free(struct settings *settings)
{
    if (settings != NULL) {
        registry_free(settings->registry);
        catalogue_unref(settings->config.catalogue);
        arena_deinit(&settings->arena);
        free(settings);
    }
}

enum err settings_stamp_key(const struct settings *settings, struct crypto_hmac **ret_key, struct strbuf *report)
{
    const char *path = settings->config.broker.stamp_key_file;
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        (void)strbuf_addf(report, "%s: broker.stamp_key_file: anyone may read it; chmod o-r it\n", path);
        return ERR_INVALID;
    }
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(path, STAMP_FILE_MAX, &text, &len);
    uint8_t key[STAMP_KEY_BYTES];
    if (err == ERR_OK) {
        err = crypto_unhex(view_trim(view_n(text, len)), key, sizeof(key));
        crypto_zeroise(text, len);
        free(text);
    }
    if (err == ERR_OK) {
        err = crypto_hmac_new(key, sizeof(key), ret_key);
    }
    crypto_zeroise(key, sizeof(key));
    if (err != ERR_OK) {
        (void)strbuf_addf(report, "%s: broker.stamp_key_file: %s; it must hold 64 hex digits, the plugin's key\n", path,
                          err_text(err));
    }
    return err;
}
