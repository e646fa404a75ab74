/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ca.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "base/file.h"
#include "provisioning/ca.h"
#include "provisioning/pem.h"

#define LINE_SIZE 128 /* an id and its newline; longer lines are refused whole */

static const char *const profile_choices[] = {"device", "service", "server", "claim", NULL};
static const enum cert_profile profile_of_choice[] = {CERT_DEVICE, CERT_SERVICE, CERT_SERVER, CERT_CLAIM};

const struct args_row ca_issue_rows[] = {
    CA_ROW_DIR(struct ca_issue_options),
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
    CA_ROW_PASSWORD(struct ca_issue_options),
    CA_ROW_BY(struct ca_issue_options),
    CA_ROW_DRY_RUN(struct ca_issue_options),
    CA_ROW_JSON(struct ca_issue_options),
    {0},
};
const struct ca_issue_options ca_issue_defaults = {.profile = -1};

/** One call of `ca issue`. */
struct issuing {
    struct ca_session session;
    const struct ca_issue_options *options;
    enum cert_profile profile;
    struct ip ips[CERT_SAN_MAX];
    size_t ips_len;
    struct ca *ca; /* owned */
    struct ca_pair pair;
};

static const char *missing_option(const struct ca_issue_options *options)
{
    if (options->common.dir == NULL) {
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

static struct cert_subject subject_of(const struct issuing *issuing, struct view id)
{
    return (struct cert_subject){
        .profile = issuing->profile,
        .common_name = id,
        .dns = issuing->options->dns.items,
        .dns_len = issuing->options->dns.len,
        .ips = issuing->ips,
        .ips_len = issuing->ips_len,
    };
}

static enum err issue_one(struct issuing *issuing, struct view id, const char *prefix, struct errinfo *info)
{
    const struct cert_subject subject = subject_of(issuing, id);
    enum err err =
        ca_issue(issuing->ca, &subject, issuing->session.now_s, issuing->options->days, &issuing->pair, info);
    if (err == ERR_OK) {
        err = ca_pair_save(&issuing->pair, prefix, issuing->options->force, info);
    }
    return err;
}

/** Devices are many and in the provisioner's books; the others are each worth a line. */
static enum err log_issue(struct issuing *issuing, const char *what)
{
    uint8_t der[CERT_DER_MAX];
    uint8_t digest[SHA256_SIZE];
    size_t len;
    enum err err = pem_find(strbuf_view(&issuing->pair.chain_pem), PEM_CERTIFICATE, der, sizeof(der), &len);
    if (err != ERR_OK) {
        return err;
    }
    crypto_sha256(view_n((const char *)der, len), digest);
    return ca_session_log(&issuing->session, "issue", what, digest);
}

static enum exit_code issue_single(struct issuing *issuing)
{
    const struct ca_issue_options *options = issuing->options;
    static const char *const endings[] = {".pem"};
    struct errinfo *info = &issuing->session.info;
    if (options->common.dry_run) {
        const struct cert_subject subject = subject_of(issuing, view_of(options->common_name));
        enum err judged = cert_subject_check(&subject, info);
        return judged == ERR_OK ? ca_session_files(&issuing->session, "issue", options->out, endings, 1)
                                : ca_session_failed(&issuing->session, "no certificate would be issued");
    }
    enum err err = issue_one(issuing, view_of(options->common_name), options->out, info);
    if (err == ERR_OK) {
        err = ca_sync(options->out, info);
    }
    if (err == ERR_OK && issuing->profile != CERT_DEVICE) {
        err = log_issue(issuing, options->common_name);
    }
    return err == ERR_OK ? ca_session_files(&issuing->session, "issue", options->out, endings, 1)
                         : ca_session_failed(&issuing->session, "no certificate was issued");
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
    if (!issuing->options->common.dry_run) {
        err = issue_one(issuing, id, prefix, info);
    }
    if (err == ERR_OK && issuing->options->common.json) {
        (void)printf("{\"id\":\"%.*s\",\"dry_run\":%s}\n", VIEW_ARG(id), /* an id needs no escapes */
                     issuing->options->common.dry_run ? "true" : "false");
    } else if (err == ERR_OK) {
        (void)printf("%s.pem\n", prefix); /* ferror is looked at when all is done */
    }
    return err;
}

/** Every line is tried; failures are named one a line on stderr, so that they can be fed back in. */
static void issue_lines(struct issuing *issuing, size_t *ret_done, size_t *ret_wrong)
{
    char line[LINE_SIZE];
    struct view id;
    while (read_line(line, &id)) {
        if (id.len == 0) {
            continue;
        }
        if (issue_line(issuing, id, &issuing->session.info) == ERR_OK) {
            ++*ret_done;
        } else {
            ++*ret_wrong;
            (void)fprintf(stderr, "muster: %.*s: %s\n", VIEW_ARG(id), issuing->session.info.text); /* counted as well */
        }
    }
}

static enum exit_code issue_many(struct issuing *issuing)
{
    char marker[PATH_MAX];
    char many[64];
    struct errinfo *info = &issuing->session.info;
    bool writes = !issuing->options->common.dry_run;
    size_t done = 0;
    size_t wrong = 0;
    int n = snprintf(marker, sizeof(marker), "%s/", issuing->options->out);
    enum err err = n > 0 && (size_t)n < sizeof(marker) ? ERR_OK : ERR_LIMIT;
    if (err == ERR_OK && writes) {
        err = file_make_parents(marker);
    }
    if (err != ERR_OK) {
        (void)errinfo_set(info, err, "ca", 0, "%s: %s", issuing->options->out, err_text(err)); /* reported next */
        return ca_session_failed(&issuing->session, "no certificate was issued");
    }
    issue_lines(issuing, &done, &wrong);
    if (writes) {
        err = ca_sync(marker, info);
    }
    if (err == ERR_OK && writes && done > 0) {
        (void)snprintf(many, sizeof(many), "%zu of profile %s", done, cert_profile_name(issuing->profile)); /* short */
        err = ca_session_log(&issuing->session, "issue", many, NULL);
    }
    (void)fprintf(stderr, "Issued %zu certificates, %zu refused.\n", writes ? done : 0, wrong); /* message only */
    if (err != ERR_OK || ferror(stdin) != 0 || fflush(stdout) != 0) {
        return ca_session_failed(&issuing->session, "the certificates may not be on the disk");
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
    struct issuing issuing = {.options = options, .profile = profile_of_choice[options->profile]};
    ca_pair_init(&issuing.pair);
    enum err err = ca_session_begin(&issuing.session, call, &options->common, false);
    struct errinfo *info = &issuing.session.info;
    if (err == ERR_OK) {
        err = parse_ips(&issuing, info);
    }
    if (err == ERR_OK && !options->common.dry_run) {
        err = ca_open(options->common.dir, issuing.profile, &issuing.session.opening, &issuing.ca, info);
    }
    enum exit_code code;
    if (err != ERR_OK) {
        code = ca_session_failed(&issuing.session, "no certificate was issued");
    } else if (options->from_stdin) {
        code = issue_many(&issuing);
    } else {
        code = issue_single(&issuing);
    }
    ca_pair_deinit(&issuing.pair);
    ca_free(issuing.ca);
    ca_session_end(&issuing.session);
    return code;
}
