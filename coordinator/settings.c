/* SPDX-License-Identifier: Apache-2.0 */
/* A config with everything that is made from it, loaded whole before anything is swapped. */
#include "coordinator/settings.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

#define CONFIG_ARENA_MAX ((size_t)64 << 20)
#define STAMP_KEY_BYTES  32
#define STAMP_FILE_MAX   256

enum err settings_load(const char *path, struct settings **ret_settings, struct strbuf *report)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    if (settings == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&settings->arena, CONFIG_ARENA_MAX);
    enum err err = config_load(&coordinator_config_schema, path, &settings->arena, &settings->config, report);
    if (err == ERR_OK) {
        err = registry_load(&settings->config, settings->config.registry, &settings->registry, report);
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

void settings_free(struct settings *settings)
{
    if (settings != NULL) {
        registry_free(settings->registry);
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
