/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ca.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/report.h"
#include "provisioning/ca.h"

#define LINE_SIZE 128 /* an id and its newline; longer lines are refused whole */

static const char *const profile_choices[] = {"device", "service", "server", "claim", NULL};
static const enum cert_profile profile_of_choice[] = {CERT_DEVICE, CERT_SERVICE, CERT_SERVER, CERT_CLAIM};

const struct args_row ca_init_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct ca_init_options, dir), .help = "Folder of the CA, made if absent"},
    {"name", 'n', "NAME", ARGS_STRING, offsetof(struct ca_init_options, name),
     .help = "Start of the CAs' names (default: muster)"},
    {0},
};
const struct ca_init_options ca_init_defaults = {.name = "muster"};

const struct args_row ca_issue_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct ca_issue_options, dir), .help = "Folder of the CA"},
    {"profile", 'p', NULL, ARGS_ENUM, offsetof(struct ca_issue_options, profile), .choices = profile_choices,
     .help = "What the certificate is for"},
    {"cn", 'c', "ID", ARGS_STRING, offsetof(struct ca_issue_options, common_name),
     .help = "Device id, service id (svc-...), claim (claim-...) or a server's name"},
    {"dns", 0, "NAME", ARGS_STRINGS, offsetof(struct ca_issue_options, dns),
     .help = "DNS name of a server; may be repeated"},
    {"ip", 0, "ADDR", ARGS_STRINGS, offsetof(struct ca_issue_options, ips),
     .help = "Address of a server; may be repeated"},
    {"out", 'o', "PREFIX", ARGS_STRING, offsetof(struct ca_issue_options, out),
     .help = "Writes PREFIX.key and PREFIX.pem; with --stdin a folder"},
    {"days", 0, "N", ARGS_U32, offsetof(struct ca_issue_options, days), .min = 1, .max = CA_VALIDITY_MAX_DAYS,
     .help = "Life (default: device 1095, others 397)"},
    {"stdin", 0, NULL, ARGS_FLAG, offsetof(struct ca_issue_options, from_stdin),
     .help = "One id a line from standard input; writes PREFIX/ID.key and PREFIX/ID.pem"},
    {"force", 0, NULL, ARGS_FLAG, offsetof(struct ca_issue_options, force), .help = "Replace existing files"},
    {0},
};
const struct ca_issue_options ca_issue_defaults = {.profile = -1};

const struct args_row ca_bundle_rows[] = {
    {"dir", 'd', "DIR", ARGS_STRING, offsetof(struct ca_bundle_options, dir), .help = "Folder of the CA"},
    {"out", 'o', "FOLDER", ARGS_STRING, offsetof(struct ca_bundle_options, out),
     .help = "Where to write (default: the folder of the CA)"},
    {0},
};

/* What is missing decides what to do about it: "path: what" begins with the path. */
static const char *hint_of_missing(const char *cause)
{
    static const struct {
        const char *ending, *hint;
    } rows[] = {
        {"/devices.key", "bring back this key of the CA from its backup; a new CA would replace every certificate"},
        {"/services.key", "bring back this key of the CA from its backup; a new CA would replace every certificate"},
        {"/claims.key", "bring back this key of the CA from its backup; a new CA would replace every certificate"},
        {"/server-ca.key", "bring back this key of the CA from its backup; a new CA would replace every certificate"},
        {"/root.pem", "name the folder of the CA with --dir, or make one first: muster ca init --dir DIR"},
        {"/devices.pem", "name the folder of the CA with --dir, or make one first: muster ca init --dir DIR"},
        {"/services.pem", "name the folder of the CA with --dir, or make one first: muster ca init --dir DIR"},
        {"/claims.pem", "name the folder of the CA with --dir; a CA of before 0.2 has no claim CA"},
        {"/server-ca.pem", "name the folder of the CA with --dir, or make one first: muster ca init --dir DIR"},
    };
    struct view path = view_of(cause);
    const char *end = strstr(cause, ": ");
    path.len = end != NULL ? (size_t)(end - cause) : path.len;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (view_ends_with(path, view_of(rows[i].ending))) {
            return rows[i].hint;
        }
    }
    return "correct the path that the cause names, or make its folder";
}

static const char *hint_of(const struct errinfo *info)
{
    switch (info->err) {
    case ERR_EXISTS:
        return "choose another place; issued files are replaced with --force, a CA never is";
    case ERR_NOTFOUND:
        return hint_of_missing(info->text);
    case ERR_DENIED:
        return "run the command as the owner of the files; keys have mode 0600";
    case ERR_INVALID:
    case ERR_RANGE:
    case ERR_LIMIT:
        return "correct the option that the cause names";
    case ERR_CONFLICT:
    case ERR_CORRUPT:
        return "restore the folder of the CA from its backup";
    case ERR_FULL:
        return "make room on the disk and run the command again";
    default:
        return "mend the cause and run the command again";
    }
}

enum exit_code ca_failed(const struct command_call *call, const char *what, const struct errinfo *info)
{
    const struct report report = {.error = what, .cause = info->text, .hint = hint_of(info), .docs = call->name};
    report_print(&report, stderr);
    return exit_code_of(info->err);
}

/** Certificates need a true date: a machine that believes in 1970 must not guess one. */
static enum err wall_now(int64_t *ret_now_s, struct errinfo *info)
{
    if (!clock_wall_is_set()) {
        return errinfo_set(info, ERR_STATE, "ca", 0, "the clock of this machine is not set");
    }
    *ret_now_s = clock_wall_ms() / 1000;
    return ERR_OK;
}

enum err ca_prepare(int64_t *ret_now_s, struct key_rng **ret_rng, struct errinfo *info)
{
    enum err err = wall_now(ret_now_s, info);
    if (err != ERR_OK) {
        return err;
    }
    err = key_rng_new(ret_rng);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "ca", 0, "no random numbers: %s", err_text(err));
}

enum exit_code ca_init_run(const struct command_call *call)
{
    const struct ca_init_options *options = call->options;
    struct errinfo info = {0};
    struct key_rng *rng = NULL;
    int64_t now_s;
    if (options->dir == NULL) {
        return command_misuse(call, "--dir is missing");
    }
    enum err err = ca_prepare(&now_s, &rng, &info);
    if (err == ERR_OK) {
        err = ca_init(options->dir, view_of(options->name), now_s, rng, &info);
    }
    key_rng_free(rng);
    if (err != ERR_OK) {
        return ca_failed(call, "no certificate authority was made", &info);
    }
    (void)printf("%s/bundle-clients.pem\n%s/bundle-server.pem\n%s/bundle-claims.pem\n", options->dir, options->dir,
                 options->dir); /* flushed below */
    (void)fprintf(stderr, "Made a certificate authority in %s. Move root.key to a safe place off this machine.\n",
                  options->dir); /* advice only */
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code ca_bundle_run(const struct command_call *call)
{
    const struct ca_bundle_options *options = call->options;
    struct errinfo info = {0};
    if (options->dir == NULL) {
        return command_misuse(call, "--dir is missing");
    }
    const char *out = options->out != NULL ? options->out : options->dir;
    enum err err = ca_bundle(options->dir, out, &info);
    if (err != ERR_OK) {
        return ca_failed(call, "the bundles were not written", &info);
    }
    (void)printf("%s/bundle-clients.pem\n%s/bundle-server.pem\n", out, out); /* flushed below */
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

/** One call of `ca issue`. */
struct issuing {
    const struct command_call *call;
    const struct ca_issue_options *options;
    enum cert_profile profile;
    struct ip ips[CERT_SAN_MAX];
    size_t ips_len;
    struct ca *ca; /* owned */
    int64_t now_s;
    struct ca_pair pair;
};

static const char *missing_option(const struct ca_issue_options *options)
{
    if (options->dir == NULL) {
        return "--dir is missing";
    }
    if (options->profile < 0) {
        return "--profile is missing";
    }
    if (options->out == NULL) {
        return "--out is missing";
    }
    if ((options->common_name != NULL) == options->from_stdin) {
        return "give either --cn or --stdin";
    }
    if (options->from_stdin && profile_of_choice[options->profile] == CERT_SERVER) {
        return "--stdin is for devices and services; a server has names of its own";
    }
    return NULL;
}

static enum err parse_ips(struct issuing *issuing, struct errinfo *info)
{
    const struct args_strings *texts = &issuing->options->ips;
    for (size_t i = 0; i < texts->len; i++) {
        if (i == CERT_SAN_MAX || ip_parse(view_of(texts->items[i]), &issuing->ips[i]) != ERR_OK) {
            return errinfo_set(info, ERR_INVALID, "ca", 0, "--ip: %s is not an address, or one too many",
                               texts->items[i]);
        }
        issuing->ips_len++;
    }
    return ERR_OK;
}

static enum err issue_one(struct issuing *issuing, struct view id, const char *prefix, struct errinfo *info)
{
    const struct cert_subject subject = {
        .profile = issuing->profile,
        .common_name = id,
        .dns = issuing->options->dns.items,
        .dns_len = issuing->options->dns.len,
        .ips = issuing->ips,
        .ips_len = issuing->ips_len,
    };
    enum err err = ca_issue(issuing->ca, &subject, issuing->now_s, issuing->options->days, &issuing->pair, info);
    if (err == ERR_OK) {
        err = ca_pair_save(&issuing->pair, prefix, issuing->options->force, info);
    }
    return err;
}

static enum exit_code issue_single(struct issuing *issuing, struct errinfo *info)
{
    const struct ca_issue_options *options = issuing->options;
    enum err err = issue_one(issuing, view_of(options->common_name), options->out, info);
    if (err == ERR_OK) {
        err = ca_sync(options->out, info);
    }
    if (err != ERR_OK) {
        return ca_failed(issuing->call, "no certificate was issued", info);
    }
    return printf("%s.pem\n", options->out) >= 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

/** The next line without its newline. Control characters become "?", so that it can be shown; of an overlong line come
 * LINE_SIZE - 1 bytes, which no id is. @return false at the end. */
static bool read_line(char line[static LINE_SIZE], struct view *ret_text)
{
    size_t len = 0;
    int c = fgetc(stdin);
    bool any = c != EOF;
    for (; c != EOF && c != '\n'; c = fgetc(stdin)) {
        if (len < LINE_SIZE - 1) {
            bool control = (c < ' ' && c != '\t' && c != '\r') || c == 0x7f;
            line[len++] = control ? '?' : (char)c;
        }
    }
    *ret_text = view_trim(view_n(line, len));
    return any;
}

static enum err issue_line(struct issuing *issuing, struct view id, struct errinfo *info)
{
    char prefix[PATH_MAX];
    const struct cert_subject subject = {.profile = issuing->profile, .common_name = id};
    enum err err = cert_subject_check(&subject, info); /* before it becomes a file name */
    if (err != ERR_OK) {
        return err;
    }
    int n = snprintf(prefix, sizeof(prefix), "%s/%.*s", issuing->options->out, VIEW_ARG(id));
    if (n < 0 || (size_t)n >= sizeof(prefix)) {
        return errinfo_set(info, ERR_LIMIT, "ca", 0, "path too long");
    }
    err = issue_one(issuing, id, prefix, info);
    if (err == ERR_OK) {
        (void)printf("%s.pem\n", prefix); /* ferror is looked at when all is done */
    }
    return err;
}

/** Every line is tried; failures are named one a line on stderr, so that they can be fed back in. */
static enum exit_code issue_many(struct issuing *issuing, struct errinfo *info)
{
    char line[LINE_SIZE];
    char marker[PATH_MAX];
    struct view id;
    size_t done = 0;
    size_t wrong = 0;
    int n = snprintf(marker, sizeof(marker), "%s/", issuing->options->out);
    enum err err = n > 0 && (size_t)n < sizeof(marker) ? file_make_parents(marker) : ERR_LIMIT;
    if (err != ERR_OK) {
        (void)errinfo_set(info, err, "ca", 0, "%s: %s", issuing->options->out, err_text(err)); /* reported next */
        return ca_failed(issuing->call, "no certificate was issued", info);
    }
    while (read_line(line, &id)) {
        if (id.len == 0) {
            continue;
        }
        if (issue_line(issuing, id, info) == ERR_OK) {
            done++;
        } else {
            wrong++;
            (void)fprintf(stderr, "muster: %.*s: %s\n", VIEW_ARG(id), info->text); /* counted as well */
        }
    }
    err = ca_sync(marker, info);
    (void)fprintf(stderr, "Issued %zu certificates, %zu refused.\n", done, wrong); /* message only */
    if (err != ERR_OK || ferror(stdin) != 0 || fflush(stdout) != 0) {
        return ca_failed(issuing->call, "the certificates may not be on the disk", info);
    }
    return wrong == 0 ? EXIT_OK : done > 0 ? EXIT_PARTLY : EXIT_USAGE;
}

enum exit_code ca_issue_run(const struct command_call *call)
{
    const struct ca_issue_options *options = call->options;
    const char *missing = missing_option(options);
    if (missing != NULL) {
        return command_misuse(call, missing);
    }
    struct issuing issuing = {.call = call, .options = options, .profile = profile_of_choice[options->profile]};
    struct errinfo info = {0};
    struct key_rng *rng = NULL;
    ca_pair_init(&issuing.pair);
    enum err err = parse_ips(&issuing, &info);
    if (err == ERR_OK) {
        err = ca_prepare(&issuing.now_s, &rng, &info);
    }
    if (err == ERR_OK) {
        err = ca_open(options->dir, issuing.profile, &(struct key_opening){.rng = rng}, &issuing.ca, &info);
    }
    enum exit_code code;
    if (err != ERR_OK) {
        code = ca_failed(call, "no certificate was issued", &info);
    } else if (options->from_stdin) {
        code = issue_many(&issuing, &info);
    } else {
        code = issue_single(&issuing, &info);
    }
    ca_pair_deinit(&issuing.pair);
    ca_free(issuing.ca);
    key_rng_free(rng);
    return code;
}
