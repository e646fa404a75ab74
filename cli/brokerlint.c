/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerlint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/brokertrust.h"
#include "mqtt/denyline.h"
#include "provisioning/keypair.h"

#define FILE_CAP   (16u << 20)
#define AHEAD_S    300 /* clocks of two machines */
#define OWN_PREFIX "current/"

struct lint {
    const struct brokerdesc *desc;
    enum broker_kind kind;
    const struct brokerversion *version;
    unsigned number;
    int64_t now_s;
    struct brokerfindings *findings;
    struct brokerconf conf;
};

/** Where a file of the configuration is while its version is not in use yet: what stands below current/ is taken from
 * the version itself. False when there is no such line. */
static bool path_of(const struct lint *lint, const char *option, char ret_path[static BROKERVERSION_PATH_MAX])
{
    const struct brokerconf_line *line = brokerconf_find(&lint->conf, option);
    struct view folder = view_of(lint->version->folder);
    if (line == NULL || line->value.len >= BROKERVERSION_PATH_MAX) {
        return false;
    }
    struct view value = line->value;
    struct view rest = view_n(value.ptr + folder.len + 1, value.len > folder.len ? value.len - folder.len - 1 : 0);
    if (view_starts_with(value, folder) && view_starts_with(rest, VIEW_LITERAL(OWN_PREFIX))) {
        char name[64];
        struct view own = view_n(rest.ptr + strlen(OWN_PREFIX), rest.len - strlen(OWN_PREFIX));
        if (view_copy(own, name, sizeof(name)) != ERR_OK) {
            return false;
        }
        brokerversion_path(lint->version, lint->number, name, ret_path);
        return true;
    }
    return view_copy(value, ret_path, BROKERVERSION_PATH_MAX) == ERR_OK;
}

static void check_files(const struct lint *lint, const char *file)
{
    for (size_t i = 0; i < lint->conf.len; i++) {
        const struct brokerconf_line *line = &lint->conf.lines[i];
        char name[64];
        char path[BROKERVERSION_PATH_MAX];
        if (brokerconf_is_file(line->name) && view_copy(line->name, name, sizeof(name)) == ERR_OK &&
            path_of(lint, name, path) && access(path, R_OK) != 0) {
            brokerfindings_add(lint->findings, file, line->line, "%s: %s cannot be read", name, path);
        }
    }
}

static void check_pair(const struct lint *lint, const char *cert_option, const char *key_option)
{
    char cert[BROKERVERSION_PATH_MAX];
    char key[BROKERVERSION_PATH_MAX];
    struct keypair pair;
    struct errinfo info = {0};
    struct brokertrust trust = {.certs = NULL};
    if (!path_of(lint, cert_option, cert) || !path_of(lint, key_option, key)) {
        return; /* said already */
    }
    if (keypair_check(cert, key, &pair, &info) != ERR_OK) {
        brokerfindings_add(lint->findings, key, 0, "%s", info.text);
    }
    if (brokertrust_add_certs(&trust, cert, &info) == ERR_OK) {
        const struct cert_validity *validity = &trust.certs[0].cert.validity;
        if (lint->now_s < validity->not_before_s || lint->now_s >= validity->not_after_s) {
            brokerfindings_add(lint->findings, cert, 0, "the certificate is not valid today");
        }
    } else if (info.err != ERR_UNSUPPORTED) { /* others' certificates are for the TLS library */
        brokerfindings_add(lint->findings, cert, 0, "%s", info.text);
    }
    brokertrust_deinit(&trust);
}

static void check_list(const struct lint *lint, const struct brokertrust *trust, const struct certread *cert,
                       const char *path)
{
    const struct brokertrust_list *list = brokertrust_newest(trust, cert);
    char until[CLOCK_RFC3339_SIZE];
    if (list == NULL) {
        brokerfindings_add(lint->findings, path, 0,
                           "%.*s has no list: mosquitto refuses every client of an authority without one",
                           VIEW_ARG(cert->common_name));
        return;
    }
    clock_rfc3339(list->crl.next_update_s * 1000, until);
    if (list->crl.next_update_s - lint->now_s <= BROKERLINT_LIST_LEFT_S) {
        brokerfindings_add(lint->findings, path, 0, "the list of %.*s ends %s: %s", VIEW_ARG(cert->common_name), until,
                           list->crl.next_update_s <= lint->now_s ? "mosquitto refuses every client of it"
                                                                  : "less than three days are left");
    }
    if (list->crl.this_update_s > lint->now_s + AHEAD_S) {
        brokerfindings_add(lint->findings, path, 0, "the list of %.*s begins in the future",
                           VIEW_ARG(cert->common_name));
    }
}

/** Whose clients belong here: the plugin's authorities. Each needs its list, and must stand in the cafile. */
static void check_authorities(const struct lint *lint, const char *option)
{
    char path[BROKERVERSION_PATH_MAX];
    char lists[BROKERVERSION_PATH_MAX];
    char all[BROKERVERSION_PATH_MAX];
    struct errinfo info = {0};
    struct brokertrust trust = {.certs = NULL};
    struct brokertrust bundle = {.certs = NULL};
    if (!path_of(lint, option, path) || !path_of(lint, "crlfile", lists) || !path_of(lint, "cafile", all)) {
        return;
    }
    if (brokertrust_add_certs(&trust, path, &info) != ERR_OK || brokertrust_add_lists(&trust, lists, &info) != ERR_OK ||
        brokertrust_add_certs(&bundle, all, &info) != ERR_OK) {
        brokerfindings_add(lint->findings, path, 0, "%s", info.text);
    } else {
        for (size_t i = 0; i < trust.certs_len; i++) {
            const struct brokertrust_cert *one = &trust.certs[i];
            bool there = false;
            for (size_t k = 0; k < bundle.certs_len; k++) {
                there = there || view_equal(bundle.certs[k].der, one->der);
            }
            if (!there) {
                brokerfindings_add(lint->findings, all, 0, "%.*s is missing", VIEW_ARG(one->cert.common_name));
            }
            if (lint->now_s >= one->cert.validity.not_after_s) {
                brokerfindings_add(lint->findings, path, 0, "%.*s has expired", VIEW_ARG(one->cert.common_name));
            }
            check_list(lint, &trust, &one->cert, lists);
        }
    }
    brokertrust_deinit(&trust);
    brokertrust_deinit(&bundle);
}

static void check_deny_file(const struct lint *lint)
{
    char path[BROKERVERSION_PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    unsigned number = 0;
    if (!path_of(lint, "plugin_opt_deny_file", path) || file_read(path, FILE_CAP, &text, &len) != ERR_OK) {
        return; /* check_files says it */
    }
    struct view rest = view_n(text, len);
    struct view raw;
    while (view_next(&rest, '\n', &raw)) {
        struct deny_line line;
        struct view one = view_trim(raw);
        number++;
        if (one.len > 0 && one.ptr[0] != '#' && (deny_line_parse(one, &line) != ERR_OK || line.verb != DENY_ADD)) {
            brokerfindings_add(lint->findings, path, number,
                               "not \"deny ISSUER SERIAL\": the plugin keeps its old list");
        }
    }
    free(text);
}

static void check_acl(const struct lint *lint)
{
    char path[BROKERVERSION_PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    if (path_of(lint, "acl_file", path) && file_read(path, FILE_CAP, &text, &len) == ERR_OK) {
        brokerconf_lint_acl(view_n(text, len), path, &lint->desc->names, lint->findings);
        free(text);
    }
}

static void check_version(struct lint *lint, const char *file, struct view text)
{
    brokerconf_lint(text, file, lint->kind, &lint->conf, lint->findings);
    check_files(lint, file);
    check_pair(lint, "certfile", "keyfile");
    check_pair(lint, "bridge_certfile", "bridge_keyfile");
    check_authorities(lint, "plugin_opt_device_ca");
    check_authorities(lint, "plugin_opt_claim_ca");
    check_authorities(lint, "plugin_opt_service_ca");
    check_deny_file(lint);
    check_acl(lint);
}

void brokerlint_version(const struct brokerdesc *desc, enum broker_kind kind, const struct brokerversion *version,
                        unsigned number, int64_t now_s, struct brokerfindings *findings)
{
    char path[BROKERVERSION_PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    struct lint *lint = calloc(1, sizeof(*lint));
    brokerversion_path(version, number, BROKERFILE_CONF, path);
    enum err err = lint == NULL ? ERR_NOMEM : file_read(path, FILE_CAP, &text, &len);
    if (err != ERR_OK) {
        brokerfindings_add(findings, path, 0, "%s", err_text(err));
    } else {
        *lint = (struct lint){
            .desc = desc, .kind = kind, .version = version, .number = number, .now_s = now_s, .findings = findings};
        check_version(lint, path, view_n(text, len));
    }
    free(text);
    free(lint);
}
