/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/factory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/report.h"
#include "provisioning/limits.h"

static const char *hint_of(const struct errinfo *info)
{
    switch (info->err) {
    case ERR_NOTFOUND:
        return "name the folder or file that is meant; a batch begins with: muster factory batch create";
    case ERR_EXISTS:
        return "choose another name: what was signed or made is never replaced";
    case ERR_DENIED:
        return "mend what the cause says; keys have mode 0600 and belong to who runs the command";
    case ERR_AUTH:
    case ERR_CONFLICT:
        return "look into it before anything else: keys, files or devices were mixed up or changed";
    case ERR_AGAIN:
        return "one station program a ledger: wait for the other one, or use another station key";
    case ERR_CLOSED:
    case ERR_TIMEOUT:
        return "look at the device and at the command that reaches it, then give the serial number again";
    case ERR_STATE:
        return "a device that cannot go on is declared void: muster factory station --void SERIAL --why TEXT";
    case ERR_INVALID:
    case ERR_RANGE:
    case ERR_LIMIT:
    case ERR_PARSE:
        return "correct what the cause names";
    default:
        return "mend the cause and run the command again: it goes on where it stopped";
    }
}

enum exit_code factory_failed(const struct command_call *call, bool json, const char *what, const struct errinfo *info)
{
    const struct report report = {.error = what,
                                  .cause = info->text[0] != '\0' ? info->text : err_text(info->err),
                                  .hint = hint_of(info),
                                  .docs = call->name,
                                  .id = err_name(info->err)};
    if (json) {
        report_print_json(&report, stderr);
    } else {
        report_print(&report, stderr);
    }
    return exit_code_of(info->err);
}

enum exit_code factory_print(json_t *object)
{
    bool good = object != NULL && json_dumpf(object, stdout, JSON_COMPACT) == 0 && fputc('\n', stdout) != EOF &&
                fflush(stdout) == 0; /* a line at a time: programs wait for it */
    json_decref(object);
    return good ? EXIT_OK : EXIT_FAILED;
}

enum err factory_public_key(const char *path, uint8_t ret_point[static KEY_POINT_SIZE], struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err == ERR_OK) {
        err = key_parse_public(view_n(text, len), ret_point);
        free(text);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "factory", 0, "%s: %s", path, err_text(err));
}

/* ---- muster factory station-key ---- */

const struct args_row factory_key_rows[] = {
    {"out", 'o', "PREFIX", ARGS_STRING, offsetof(struct factory_key_options, out),
     .help = "Writes PREFIX.key, which stays on the station, and PREFIX.pub"},
    {"json", 'j', NULL, ARGS_FLAG, offsetof(struct factory_key_options, json), .help = "Print JSON"},
    {0},
};

/** The public half last: with it the pair is whole. A private half that is there is kept. */
static enum err make_pair(const char *private_path, const char *public_path, struct errinfo *info)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    struct key_rng *rng = NULL;
    struct strbuf pem;
    strbuf_init(&pem, PEM_FILE_MAX);
    enum err err = key_rng_new(&rng);
    if (err == ERR_OK && access(private_path, F_OK) == 0) {
        err = access(public_path, F_OK) == 0 ? ERR_EXISTS : key_load(private_path, rng, &key, info);
    } else if (err == ERR_OK) {
        err = key_make(rng, &key);
        err = err == ERR_OK ? key_save(key, private_path) : err;
    }
    if (err == ERR_OK) {
        err = key_write_public(key, &pem);
    }
    if (err == ERR_OK) {
        err = file_replace(public_path, strbuf_view(&pem), 0644);
    }
    strbuf_deinit(&pem);
    key_free(TAKE(key)); /* it borrows the generator */
    key_rng_free(rng);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "factory", 0, "%s: %s", private_path, err_text(err));
}

enum exit_code factory_key_run(const struct command_call *call)
{
    const struct factory_key_options *options = call->options;
    char private_path[PATH_MAX], public_path[PATH_MAX];
    struct errinfo info = {0};
    if (options->out == NULL) {
        return command_misuse(call, "--out is missing");
    }
    int n = snprintf(private_path, sizeof(private_path), "%s.key", options->out);
    int m = snprintf(public_path, sizeof(public_path), "%s.pub", options->out);
    if (n < 0 || (size_t)n >= sizeof(private_path) || m < 0 || (size_t)m >= sizeof(public_path)) {
        return command_misuse(call, "--out: path too long");
    }
    if (make_pair(private_path, public_path, &info) != ERR_OK) {
        return factory_failed(call, options->json, "no station key was made", &info);
    }
    if (options->json) {
        return factory_print(json_pack("{s:s, s:s}", "key", private_path, "public", public_path));
    }
    (void)printf("%s\n%s\n", private_path, public_path); /* flushed below */
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}
