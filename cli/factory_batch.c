/* SPDX-License-Identifier: Apache-2.0 */
/** `muster factory batch create`: the manifest of a batch, its claim certificate, and nothing twice. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/ca.h"
#include "cli/factory.h"
#include "provisioning/ca.h"
#include "provisioning/keyopen.h"
#include "provisioning/manifest.h"
#include "provisioning/pem.h"

#define DAY_MS        INT64_C(86400000)
#define DAYS_MAX      3650
#define ACTIVATION_MS (90 * (uint64_t)DAY_MS)
#define CLAIM_MARGIN  2 /* days: a claim does not end while the batch is open */

const struct args_row factory_create_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct factory_create_options, dir),
     .help = "Folder of all batches; the batch gets DIR/BATCH"},
    {"batch", 'b', "BATCH", ARGS_STRING, offsetof(struct factory_create_options, batch), .help = "Its name: [a-z0-9-]"},
    {"model", 'm', "TEXT", ARGS_STRING, offsetof(struct factory_create_options, model), .help = "What is made"},
    {"count", 'n', "N", ARGS_U32, offsetof(struct factory_create_options, count), .min = 1, .max = MANIFEST_COUNT_MAX,
     .help = "How many devices"},
    {"quota", 'q', "N", ARGS_U32, offsetof(struct factory_create_options, quota), .min = 1, .max = MANIFEST_COUNT_MAX,
     .help = "How many of them may get a first certificate (default: --count)"},
    {"serials", 0, "RANGE", ARGS_STRING, offsetof(struct factory_create_options, serials),
     .help = "PREFIX:FIRST:LAST, as in A7-:00001:01000 (default: any serial number)"},
    {"id", 0, "TEMPLATE", ARGS_STRING, offsetof(struct factory_create_options, id),
     .help = "A device's id, with {serial} in it (default: cam-{serial})"},
    {"days", 0, "N", ARGS_U32, offsetof(struct factory_create_options, days), .min = 1, .max = DAYS_MAX,
     .help = "How long devices may be made and enrol for the first time (default: 365)"},
    {"activation", 0, "DURATION", ARGS_DURATION, offsetof(struct factory_create_options, activation_ms), .min = 1,
     .max = (uint64_t)DAYS_MAX * (uint64_t)DAY_MS,
     .help = "How long after the batch is closed a certificate that was never used lives on (default: 90d)"},
    {"station", 0, "FILE", ARGS_STRINGS, offsetof(struct factory_create_options, stations),
     .help = "Public key of a station; once for each"},
    {"ca", 0, "DIR", ARGS_STRING, offsetof(struct factory_create_options, ca), .help = "Folder of the CA"},
    {"factory-key", 0, "KEY", ARGS_STRING, offsetof(struct factory_create_options, factory_key),
     .help = "Key that signs the manifest (default: factory.key in the CA's folder)"},
    {"dry-run", 0, NULL, ARGS_FLAG, offsetof(struct factory_create_options, dry_run),
     .help = "Check everything, make nothing"},
    {"json", 'j', NULL, ARGS_FLAG, offsetof(struct factory_create_options, json), .help = "Print JSON"},
    {0},
};
const struct factory_create_options factory_create_defaults = {
    .id = "cam-{serial}", .days = 365, .activation_ms = ACTIVATION_MS};

struct creating {
    const struct factory_create_options *options;
    struct key_rng *rng;
    struct key *factory; /* owned */
    struct manifest manifest;
    char folder[PATH_MAX], path[PATH_MAX], claim[PATH_MAX]; /* DIR/BATCH, its manifest.json, its claim/claim */
    bool there;                                             /* an equal manifest was signed before */
    struct errinfo *info;
};

static enum err wrong(struct creating *creating, const char *what)
{
    return errinfo_set(creating->info, ERR_INVALID, "factory", 0, "%s", what);
}

/* ---- options ---- */

static const char *missing_option(const struct factory_create_options *options)
{
    const struct {
        bool missing;
        const char *says;
    } rows[] = {
        {options->dir == NULL, "--dir is missing"},           {options->batch == NULL, "--batch is missing"},
        {options->model == NULL, "--model is missing"},       {options->count == 0, "--count is missing"},
        {options->stations.len == 0, "--station is missing"}, {options->ca == NULL, "--ca is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].missing) {
            return rows[i].says;
        }
    }
    return NULL;
}

/** "A7-:00001:01000": the digits of the last say how many each has. */
static enum err parse_serials(struct creating *creating, const char *text)
{
    struct view rest = view_of(text);
    struct view prefix, first, last;
    struct manifest_serials *serials = &creating->manifest.serials;
    if (!view_next(&rest, ':', &prefix) || !view_next(&rest, ':', &first) || !view_next(&rest, ':', &last) ||
        view_next(&rest, ':', &rest) || view_copy(prefix, serials->prefix, sizeof(serials->prefix)) != ERR_OK) {
        return wrong(creating, "--serials: not PREFIX:FIRST:LAST");
    }
    serials->width = (uint32_t)MIN(last.len, (size_t)UINT32_MAX);
    char *end = NULL;
    serials->first = strtoull(first.ptr, &end, 10);
    bool good = first.len > 0 && end == first.ptr + first.len;
    serials->last = strtoull(last.ptr, &end, 10);
    if (!good || last.len == 0 || end != last.ptr + last.len || first.ptr[0] == '-' || last.ptr[0] == '-') {
        return wrong(creating, "--serials: FIRST and LAST are numbers");
    }
    creating->manifest.has_serials = true;
    return ERR_OK;
}

static enum err read_stations(struct creating *creating)
{
    const struct args_strings *files = &creating->options->stations;
    struct manifest *m = &creating->manifest;
    enum err err = files->len <= MANIFEST_STATIONS_MAX ? ERR_OK : wrong(creating, "--station: too many");
    for (size_t i = 0; err == ERR_OK && i < files->len; i++) {
        err = factory_public_key(files->items[i], m->stations[i], creating->info);
        m->stations_len = i + 1;
    }
    return err;
}

static enum err copy_text(struct creating *creating, const char *text, char *buffer, size_t size, const char *says)
{
    return view_copy(view_of(text), buffer, size) == ERR_OK ? ERR_OK : wrong(creating, says);
}

static enum err fill(struct creating *creating, int64_t now_ms)
{
    const struct factory_create_options *options = creating->options;
    struct manifest *m = &creating->manifest;
    *m = (struct manifest){.count = options->count,
                           .quota = options->quota != 0 ? options->quota : options->count,
                           .from_ms = now_ms,
                           .to_ms = now_ms + (int64_t)options->days * DAY_MS,
                           .activation_s = (uint32_t)(options->activation_ms / 1000),
                           .made_ms = now_ms};
    enum err err = copy_text(creating, options->batch, m->batch, sizeof(m->batch), "--batch: too long");
    if (err == ERR_OK) {
        err = copy_text(creating, options->model, m->model, sizeof(m->model), "--model: too long");
    }
    if (err == ERR_OK) {
        err = copy_text(creating, options->id, m->id, sizeof(m->id), "--id: too long");
    }
    if (err == ERR_OK && options->serials != NULL) {
        err = parse_serials(creating, options->serials);
    }
    (void)snprintf(m->claim_cn, sizeof(m->claim_cn), "claim-%s", m->batch); /* fits: 6 and 32 of 40 */
    key_public(creating->factory, m->factory);
    err = err == ERR_OK ? read_stations(creating) : err;
    return err == ERR_OK ? manifest_check(m, creating->info) : err;
}

static enum err set_paths(struct creating *creating)
{
    const struct factory_create_options *options = creating->options;
    int n = snprintf(creating->folder, PATH_MAX - 32, "%s/%s", options->dir, creating->manifest.batch);
    if (n < 0 || n >= PATH_MAX - 32) {
        return wrong(creating, "--dir: path too long");
    }
    (void)snprintf(creating->path, PATH_MAX, "%.*s/manifest.json", PATH_MAX - 32, creating->folder); /* 32 are left */
    (void)snprintf(creating->claim, PATH_MAX, "%.*s/claim/claim", PATH_MAX - 32, creating->folder);
    return ERR_OK;
}

/* ---- claim ---- */

/** SHA-256 of the certificate that is in DIR/BATCH/claim. */
static enum err digest_claim(struct creating *creating)
{
    char path[PATH_MAX];
    uint8_t der[CERT_DER_MAX];
    char *text = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof(path), "%.*s.pem", PATH_MAX - 8, creating->claim); /* 8 are left, see set_paths */
    enum err err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err == ERR_OK) {
        err = pem_find(view_n(text, len), PEM_CERTIFICATE, der, sizeof(der), &len);
        free(text);
    }
    if (err != ERR_OK) {
        return errinfo_set(creating->info, err, "factory", 0, "%s: %s", path, err_text(err));
    }
    crypto_sha256(view_n((const char *)der, len), creating->manifest.claim_sha256);
    return ERR_OK;
}

static enum err copy_root(struct creating *creating)
{
    char from[PATH_MAX], to[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    int n = snprintf(from, sizeof(from), "%s/root.pem", creating->options->ca);
    (void)snprintf(to, sizeof(to), "%.*s/claim/root.pem", PATH_MAX - 32, creating->folder); /* as above */
    enum err err = n > 0 && (size_t)n < sizeof(from) ? file_read(from, PEM_FILE_MAX, &text, &len) : ERR_LIMIT;
    if (err != ERR_OK) {
        return errinfo_set(creating->info, err, "factory", 0, "%s: %s", from, err_text(err));
    }
    err = file_replace(to, view_n(text, len), 0644);
    free(text);
    return err == ERR_OK ? ERR_OK : errinfo_set(creating->info, err, "factory", 0, "%s: %s", to, err_text(err));
}

static enum err issue_claim(struct creating *creating)
{
    const struct key_opening opening = {.rng = creating->rng};
    const struct cert_subject subject = {.profile = CERT_CLAIM, .common_name = view_of(creating->manifest.claim_cn)};
    struct ca *ca = NULL;
    struct ca_pair pair;
    ca_pair_init(&pair);
    enum err err = ca_open(creating->options->ca, CERT_CLAIM, &opening, &ca, creating->info);
    if (err == ERR_OK) {
        err = ca_issue(ca, &subject, creating->manifest.made_ms / 1000, creating->options->days + CLAIM_MARGIN, &pair,
                       creating->info);
    }
    if (err == ERR_OK) { /* a power cut may have left the key: the certificate comes last */
        err = ca_pair_save(&pair, creating->claim, true, creating->info);
    }
    ca_pair_deinit(&pair);
    ca_free(ca);
    return err;
}

static enum err make_claim(struct creating *creating)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%.*s.pem", PATH_MAX - 8, creating->claim); /* as above */
    if (access(path, F_OK) == 0) {
        return digest_claim(creating);
    }
    enum err err = file_make_parents(path);
    if (err == ERR_OK && chmod(creating->folder, 0700) != 0) {
        err = err_from_errno(errno);
    }
    if (err != ERR_OK) {
        return errinfo_set(creating->info, err, "factory", 0, "%s: %s", creating->folder, err_text(err));
    }
    err = copy_root(creating);
    err = err == ERR_OK ? issue_claim(creating) : err;
    err = err == ERR_OK ? ca_sync(path, creating->info) : err;
    return err == ERR_OK ? digest_claim(creating) : err;
}

/* ---- manifest ---- */

/** One that was signed before is kept when it says the same: its window began when it was made. */
static enum err look_for_manifest(struct creating *creating)
{
    struct manifest old;
    struct manifest *m = &creating->manifest;
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(creating->path, MANIFEST_MAX + 1, &text, &len);
    if (err == ERR_NOTFOUND) {
        return ERR_OK;
    }
    if (err == ERR_OK) {
        err = manifest_read(view_n(text, len), m->factory, &old, creating->info);
        free(text);
    } else {
        (void)errinfo_set(creating->info, err, "factory", 0, "%s: %s", creating->path, err_text(err)); /* returned */
    }
    if (err != ERR_OK) {
        return err;
    }
    m->to_ms += old.from_ms - m->from_ms;
    m->from_ms = old.from_ms;
    m->made_ms = old.made_ms;
    memcpy(m->claim_sha256, old.claim_sha256, sizeof(m->claim_sha256));
    creating->there = manifest_same(&old, m);
    return creating->there ? ERR_OK
                           : errinfo_set(creating->info, ERR_EXISTS, "factory", 0,
                                         "%s: batch %s was signed with other members", creating->path, m->batch);
}

static enum err write_manifest(struct creating *creating)
{
    struct strbuf text;
    strbuf_init(&text, MANIFEST_MAX + 1);
    enum err err = manifest_write(&creating->manifest, creating->factory, &text, creating->info);
    if (err == ERR_OK) {
        err = strbuf_addc(&text, '\n');
    }
    if (err == ERR_OK) {
        err = file_replace(creating->path, strbuf_view(&text), 0644);
        if (err != ERR_OK) {
            (void)errinfo_set(creating->info, err, "factory", 0, "%s: %s", creating->path,
                              err_text(err)); /* returned */
        }
    }
    strbuf_deinit(&text);
    return err;
}

static enum err open_factory(struct creating *creating)
{
    const struct factory_create_options *options = creating->options;
    const struct key_opening opening = {.rng = creating->rng};
    char path[PATH_MAX];
    int n = options->factory_key != NULL ? snprintf(path, sizeof(path), "%s", options->factory_key)
                                         : snprintf(path, sizeof(path), "%s/factory.key", options->ca);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return wrong(creating, "--factory-key: path too long");
    }
    return key_open(path, &opening, &creating->factory, creating->info);
}

static enum err create(struct creating *creating, int64_t now_ms)
{
    enum err err = open_factory(creating);
    if (err == ERR_OK) {
        err = fill(creating, now_ms);
    }
    if (err == ERR_OK) {
        err = set_paths(creating);
    }
    if (err == ERR_OK) {
        err = look_for_manifest(creating);
    }
    if (err != ERR_OK || creating->there || creating->options->dry_run) {
        return err;
    }
    err = make_claim(creating);
    return err == ERR_OK ? write_manifest(creating) : err;
}

static enum exit_code print_created(const struct creating *creating)
{
    const struct factory_create_options *options = creating->options;
    const char *state = creating->there ? "exists" : options->dry_run ? "would-make" : "made";
    if (options->json) {
        return factory_print(json_pack("{s:s, s:s, s:s+, s:I, s:I, s:s}", "batch", creating->manifest.batch, "manifest",
                                       creating->path, "claim", creating->claim, ".pem", "count",
                                       (json_int_t)creating->manifest.count, "quota",
                                       (json_int_t)creating->manifest.quota, "state", state));
    }
    (void)printf("%s\n", creating->path); /* flushed below */
    (void)fprintf(stderr,
                  creating->there    ? "The batch is there already, and is the same.\n"
                  : options->dry_run ? "The batch would be made.\n"
                                     : "Made the batch. Next: muster factory batch import %s\n",
                  creating->path); /* advice only */
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code factory_create_run(const struct command_call *call)
{
    const struct factory_create_options *options = call->options;
    const char *missing = missing_option(options);
    struct errinfo info = {0};
    struct creating creating = {.options = options, .info = &info};
    int64_t now_s = 0;
    if (missing != NULL) {
        return command_misuse(call, missing);
    }
    enum err err = ca_prepare(&now_s, &creating.rng, &info);
    if (err == ERR_OK) {
        err = create(&creating, clock_wall_ms());
    }
    enum exit_code code =
        err == ERR_OK ? print_created(&creating) : factory_failed(call, options->json, "no batch was made", &info);
    key_free(creating.factory);
    key_rng_free(creating.rng);
    return code;
}
