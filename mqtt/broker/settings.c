/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/settings.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/view.h"
#include "mqtt/broker/openssl.h"

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum err key_from_hex(struct view text, uint8_t ret_key[static STAMP_KEY_LEN])
{
    if (text.len != (size_t)2 * STAMP_KEY_LEN) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < STAMP_KEY_LEN; i++) {
        int high = nibble(text.ptr[2 * i]);
        int low = nibble(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            return ERR_PARSE;
        }
        ret_key[i] = (uint8_t)(high << 4 | low);
    }
    return ERR_OK;
}

static enum err key_read(const char *path, uint8_t ret_key[static STAMP_KEY_LEN])
{
    char text[2 * STAMP_KEY_LEN + 8]; /* room for a line end; a longer file is no key */
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ERR_NOTFOUND;
    }
    setbuf(file, NULL); /* no copy of the key in stdio's buffer */
    struct stat status;
    enum err err = ERR_DENIED;
    if (fstat(fileno(file), &status) == 0 && (status.st_mode & S_IRWXO) == 0) {
        size_t len = fread(text, 1, sizeof(text), file);
        err = key_from_hex(view_trim(view_n(text, len)), ret_key);
        OPENSSL_cleanse(text, sizeof(text));
    }
    (void)fclose(file); /* only read */
    return err;
}

static enum err set_key(struct settings *settings, const char *value)
{
    uint8_t key[STAMP_KEY_LEN];
    enum err err = settings->stamp == NULL ? key_read(value, key) : ERR_EXISTS;
    if (err == ERR_OK) {
        err = stamp_new(key, &settings->stamp);
    }
    OPENSSL_cleanse(key, sizeof(key));
    return err;
}

static enum err load_once(const char *value, struct authorities *authorities)
{
    return authorities->list == NULL ? authorities_load(value, authorities) : ERR_EXISTS;
}

static enum err set_device_ca(struct settings *settings, const char *value)
{
    return load_once(value, &settings->trust.devices);
}

static enum err set_service_ca(struct settings *settings, const char *value)
{
    return load_once(value, &settings->trust.services);
}

static enum err set_claim_ca(struct settings *settings, const char *value)
{
    return load_once(value, &settings->trust.claims);
}

static enum err set_deny_file(struct settings *settings, const char *value)
{
    enum err err = settings->has_deny_file ? ERR_EXISTS : denied_load(value, &settings->denied);
    settings->has_deny_file = err == ERR_OK;
    return err;
}

static enum err set_mode(struct settings *settings, const char *value)
{
    static const char *const modes[] = {[BROKER_CORE] = "core", [BROKER_PROV] = "prov", [BROKER_DASH] = "dash"};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(value, modes[i]) == 0) {
            settings->trust.mode = (enum broker_mode)i;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

static enum err set_viewers(struct settings *settings, const char *value)
{
    if (strcmp(value, "none") == 0) {
        settings->watcher = ROLE_NONE;
    } else if (strcmp(value, "fleet") == 0) {
        settings->watcher = ROLE_WATCH_FLEET;
    } else if (strcmp(value, "all") == 0) {
        settings->watcher = ROLE_WATCH_ALL;
    } else {
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err set_file(struct settings *settings, const char *value)
{
    settings->file_agrees = strcmp(value, "agree") == 0;
    return settings->file_agrees || strcmp(value, "alone") == 0 ? ERR_OK : ERR_INVALID;
}

#ifdef MUSTER_BENCH_RIGHTS
static enum err set_swarm_ca(struct settings *settings, const char *value)
{
    return load_once(value, &settings->trust.swarm);
}
#endif

static const struct {
    const char *name;
    enum err (*set)(struct settings *settings, const char *value);
} option_rows[] = {
    {"key_file", set_key},      {"device_ca", set_device_ca}, {"service_ca", set_service_ca},
    {"claim_ca", set_claim_ca}, {"deny_file", set_deny_file}, {"mode", set_mode},
    {"viewers", set_viewers},   {"file", set_file},
#ifdef MUSTER_BENCH_RIGHTS
    {"swarm_ca", set_swarm_ca},
#endif
};

static enum err apply(struct settings *settings, const struct setting *option, struct errinfo *info)
{
    for (size_t i = 0; i < ARRAY_LEN(option_rows); i++) {
        if (strcmp(option_rows[i].name, option->name) == 0) {
            enum err err = option_rows[i].set(settings, option->value);
            return err == ERR_OK ? ERR_OK
                                 : errinfo_set(info, err, "broker", 0, "plugin_opt_%s %s: %s", option->name,
                                               option->value, err_text(err));
        }
    }
    return errinfo_set(info, ERR_INVALID, "broker", 0, "plugin_opt_%s: unknown option", option->name);
}

/** Which options a mode needs; each is needed or refused. */
static enum err check_presence(const struct settings *settings, struct errinfo *info)
{
    const struct trust *trust = &settings->trust;
    bool core = trust->mode == BROKER_CORE;
    bool prov = trust->mode == BROKER_PROV;
    const struct {
        bool wanted, there;
    } rows[] = {
        {core, settings->stamp != NULL},
        {core, trust->devices.list != NULL},
        {prov, trust->claims.list != NULL},
        {core || prov, trust->services.list != NULL},
    };
    bool other = (!core && settings->watcher != ROLE_NONE) || (!core && !prov && settings->has_deny_file);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].wanted && !rows[i].there) {
            return errinfo_set(
                info, ERR_INVALID, "broker", 0,
                prov ? "plugin_opt_claim_ca and plugin_opt_service_ca are required"
                     : "plugin_opt_key_file, plugin_opt_device_ca and plugin_opt_service_ca are required");
        }
        other = other || (rows[i].there && !rows[i].wanted);
    }
    return other ? errinfo_set(info, ERR_INVALID, "broker", 0, "an option of another plugin_opt_mode") : ERR_OK;
}

/** Whether a client can be told from another by its issuer. */
static enum err check(const struct settings *settings, struct errinfo *info)
{
    const struct trust *trust = &settings->trust;
    enum err err = check_presence(settings, info);
    if (err == ERR_OK && (authorities_overlap(&trust->devices, &trust->services) ||
                          authorities_overlap(&trust->claims, &trust->services))) {
        const char *kind = trust->mode == BROKER_PROV ? "claim" : "device";
        return errinfo_set(info, ERR_CONFLICT, "broker", 0,
                           "plugin_opt_%s_ca and plugin_opt_service_ca share a key: %ss would be services", kind, kind);
    }
    return err;
}

enum err settings_load(const struct setting *options, size_t options_len, struct settings *ret_settings,
                       struct errinfo *info)
{
    struct settings settings = {.watcher = ROLE_NONE};
    enum err err = ERR_OK;
    for (size_t i = 0; i < options_len && err == ERR_OK; i++) {
        err = apply(&settings, &options[i], info);
    }
    if (err == ERR_OK) {
        err = check(&settings, info);
    }
    if (err == ERR_OK && settings.trust.mode == BROKER_DASH) {
        settings.watcher = ROLE_WATCH_FLEET;
    }
    if (err != ERR_OK) {
        settings_deinit(&settings);
        return err;
    }
    *ret_settings = settings;
    return ERR_OK;
}

void settings_deinit(struct settings *settings)
{
    stamp_free(settings->stamp);
    authorities_deinit(&settings->trust.devices);
    authorities_deinit(&settings->trust.claims);
    authorities_deinit(&settings->trust.services);
    authorities_deinit(&settings->trust.swarm);
    denied_deinit(&settings->denied);
    *settings = (struct settings){.watcher = ROLE_NONE};
}
