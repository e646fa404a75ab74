/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioner/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_checks.h"
#include "base/file.h"
#include "provisioning/keypair.h"
#include "provisioning/limits.h"
#include "provisioning/pem.h"
#include "provisioning/pemfile.h"
#include "provisioning/pubfile.h"

#define CONFIG_ARENA_MAX ((size_t)1 << 20)

enum err settings_read(const char *path, struct settings **ret_settings, struct strbuf *report)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    if (settings == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&settings->arena, CONFIG_ARENA_MAX);
    enum err err = config_load(&provisioner_config_schema, path, &settings->arena, &settings->config, report);
    if (err != ERR_OK) {
        if (strbuf_view(report).len == 0) {
            (void)strbuf_addf(report, "%s: %s\n", path, err_text(err)); /* full: nothing to be done */
        }
        settings_free(settings);
        return err;
    }
    *ret_settings = settings;
    return ERR_OK;
}

/* One line "config: key: what". */
static enum err tell(struct strbuf *report, const char *path, const char *key, const struct errinfo *info)
{
    (void)strbuf_addf(report, "%s: %s: %s\n", path, key, info->text); /* full: the first errors are enough */
    return ERR_INVALID;
}

/* All certificates of a PEM file. */
static enum err load_ders(const char *file, struct settings_der *ders, size_t max, size_t *ret_len,
                          struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0, count = 0;
    enum err err = file_read(file, PEM_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "config", 0, "%s: %s", file, err_text(err));
    }
    struct view rest = view_n(text, len), label;
    struct settings_der der;
    while ((err = pem_next(&rest, &label, der.bytes, sizeof(der.bytes), &der.len)) == ERR_OK) {
        if (!view_equals(label, PEM_CERTIFICATE)) {
            continue;
        }
        if (count == max) {
            err = ERR_LIMIT;
            break;
        }
        ders[count++] = der;
    }
    free(text);
    if (err != ERR_NOTFOUND || count == 0) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "%s: must hold 1 to %zu certificates of at most %d bytes",
                           file, max, PROV_CERT_MAX);
    }
    *ret_len = count;
    return ERR_OK;
}

static enum err check_broker(const struct provisioner_broker *broker, const char *name, const char *path,
                             struct strbuf *report)
{
    struct errinfo info = {0};
    struct keypair pair;
    char key[32];
    enum err err = pemfile_check(broker->ca_file, &info);
    (void)snprintf(key, sizeof(key), "%s.%s", name, err != ERR_OK ? "ca_file" : "key_file"); /* fits */
    if (err == ERR_OK) {
        err = keypair_check(broker->cert_file, broker->key_file, &pair, &info);
    }
    if (err == ERR_OK && pair.known && strcmp(pair.common_name, broker->client_id) != 0) {
        err = errinfo_set(&info, ERR_INVALID, "config", 0, "the certificate is of '%s', but client_id is '%s'",
                          pair.common_name, broker->client_id);
    }
    return err == ERR_OK ? ERR_OK : tell(report, path, key, &info);
}

static enum err load_told(struct settings *settings, const char *path, struct strbuf *report)
{
    struct errinfo info = {0};
    const struct provisioner_config *config = &settings->config;
    enum err err = load_ders(config->server_trust, settings->trust, TRUST_MAX, &settings->trust_len, &info);
    if (err != ERR_OK) {
        return tell(report, path, "server_trust", &info);
    }
    for (size_t i = 0; i < config->config_roots.len; i++) {
        err = pubfile_ed25519(config->config_roots.items[i], settings->roots[i], &info);
        if (err != ERR_OK) {
            return tell(report, path, "config_roots", &info);
        }
    }
    err = pubfile_p256(config->factory_key, settings->factory, &info);
    return err == ERR_OK ? ERR_OK : tell(report, path, "factory_key", &info);
}

static enum err load_named(struct settings *settings, const char *path, struct strbuf *report)
{
    struct errinfo info = {0};
    struct ip ip;
    uint16_t port;
    size_t len = 0;
    const struct provisioner_config *config = &settings->config;
    enum err err = check_broker(&config->prov, "prov", path, report);
    if (err == ERR_OK && settings_has_core(settings)) {
        err = check_broker(&config->core, "core", path, report);
    }
    if (err == ERR_OK && (err = load_ders(config->prov.cert_file, settings->signer, 2, &len, &info)) != ERR_OK) {
        err = tell(report, path, "prov.cert_file", &info);
    }
    if (err == ERR_OK && len != 2) {
        (void)errinfo_set(&info, ERR_INVALID, "config", 0, "must hold the service certificate and its CA's");
        err = tell(report, path, "prov.cert_file", &info);
    }
    if (err == ERR_OK) {
        err = load_told(settings, path, report);
    }
    if (err == ERR_OK && config_loopback(config->metrics.listen, &ip, &port, &info) != ERR_OK) {
        err = tell(report, path, "metrics.listen", &info);
    }
    return err;
}

enum err settings_load(const char *path, struct settings **ret_settings, struct strbuf *report)
{
    struct settings *settings = NULL;
    enum err err = settings_read(path, &settings, report);
    if (err == ERR_OK) {
        err = load_named(settings, path, report);
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
        arena_deinit(&settings->arena);
        free(settings);
    }
}

bool settings_has_core(const struct settings *settings)
{
    return settings->config.core.position.line != 0;
}
