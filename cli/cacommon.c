/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cacommon.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/api.h"
#include "cli/prompt.h"
#include "cli/report.h"
#include "provisioning/ca.h"
#include "provisioning/ceremony.h"

/* What is missing decides what to do about it: "path: what" begins with the path. */
static const char *hint_of_missing(const char *cause)
{
    static const char restore[] =
        "bring back this key of the CA from its backup; a new CA would replace every certificate";
    static const char make[] = "name the folder of the CA with --dir, or make one first: muster ca init --dir DIR";
    static const struct {
        const char *ending, *hint;
    } rows[] = {
        {"/devices.key", restore},
        {"/services.key", restore},
        {"/claims.key", restore},
        {"/server-ca.key", restore},
        {"/root.key", "the root's key is kept elsewhere: name it with --root-key"},
        {"/root.pem", make},
        {"/devices.pem", make},
        {"/services.pem", make},
        {"/server-ca.pem", make},
        {"/lock", make},
        {"/claims.pem", "name the folder of the CA with --dir; a CA that has none of its own for claims gets it by: "
                        "muster ca rotate claims"},
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
    case ERR_AUTH:
        return "give the password or PIN that belongs to the key, or the certificate that this CA issued";
    case ERR_DENIED:
        return "run the command as the owner of the files; keys have mode 0600, and those under a password need it";
    case ERR_INVALID:
    case ERR_RANGE:
    case ERR_LIMIT:
        return "correct the option that the cause names";
    case ERR_CONFLICT:
    case ERR_CORRUPT:
        return "repeat a rotation that was interrupted (muster ca rotate), else restore the folder of the CA from its "
               "backup";
    case ERR_FULL:
        return "make room on the disk and run the command again";
    default:
        return "mend the cause and run the command again";
    }
}

/** The same for scripts. */
static const char *id_of(enum err err)
{
    switch (err) {
    case ERR_EXISTS:
        return "exists";
    case ERR_NOTFOUND:
        return "absent";
    case ERR_AUTH:
    case ERR_DENIED:
        return "denied";
    case ERR_CONFLICT:
    case ERR_CORRUPT:
        return "damaged";
    default:
        return "failed";
    }
}

enum exit_code ca_session_failed(const struct ca_session *session, const char *what)
{
    const struct report report = {.error = what,
                                  .cause = session->info.text,
                                  .hint = hint_of(&session->info),
                                  .docs = session->call->name,
                                  .id = id_of(session->info.err)};
    if (session->common->json) {
        report_print_json(&report, stderr);
    } else {
        report_print(&report, stderr);
    }
    return exit_code_of(session->info.err);
}

enum err ca_prepare(int64_t *ret_now_s, struct key_rng **ret_rng, struct errinfo *info)
{
    /* Certificates need a true date: a machine that believes in 1970 must not guess one. */
    if (!clock_wall_is_set()) {
        return errinfo_set(info, ERR_STATE, "ca", 0, "the clock of this machine is not set");
    }
    *ret_now_s = clock_wall_ms() / 1000;
    enum err err = key_rng_new(ret_rng);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "ca", 0, "no random numbers: %s", err_text(err));
}

static void name_operator(struct ca_session *session)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[1024];
    const char *by = session->common->by;
    if (by == NULL && getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) == 0 && found != NULL) {
        by = entry.pw_name;
    }
    (void)snprintf(session->by, sizeof(session->by), "%s", by != NULL ? by : "unknown"); /* a long name is cut */
}

static enum err take_new_password(struct ca_session *session)
{
    if (session->common->password_file != NULL) {
        return key_password(&session->opening, "the password", &session->password, &session->info);
    }
    if (!session->common->ask_password) {
        return ERR_OK;
    }
    enum err err = prompt_new_password("a password for new keys", &session->password);
    if (err != ERR_OK) {
        (void)errinfo_set(&session->info, err, "ca", 0, "no password: %s",
                          err == ERR_CONFLICT ? "the two differ" : err_text(err)); /* returned below */
    }
    return err;
}

enum err ca_session_begin(struct ca_session *session, const struct command_call *call, const struct ca_common *common,
                          bool new_keys)
{
    *session = (struct ca_session){.call = call, .common = common};
    session->opening = (struct key_opening){.password_file = common->password_file, .ask = prompt_password};
    name_operator(session);
    enum err err = ca_prepare(&session->now_s, &session->rng, &session->info);
    if (err != ERR_OK) {
        return err;
    }
    session->opening.rng = session->rng;
    return new_keys ? take_new_password(session) : ERR_OK;
}

void ca_session_end(struct ca_session *session)
{
    secret_deinit(&session->password);
    key_rng_free(session->rng);
}

enum err ca_session_log(struct ca_session *session, const char *act, const char *what, const uint8_t *sha256)
{
    const struct ceremony_act line = {.by = session->by, .act = act, .what = what, .sha256 = sha256};
    return ceremony_append(session->common->dir, &line, session->now_s, &session->info);
}

enum exit_code ca_session_files(const struct ca_session *session, const char *act, const char *prefix,
                                const char *const *names, size_t names_len)
{
    json_t *files = json_array();
    for (size_t i = 0; i < names_len; i++) {
        if (!session->common->json) {
            (void)printf("%s%s\n", prefix, names[i]); /* flushed below */
        } else {
            (void)json_array_append_new(files, json_sprintf("%s%s", prefix, names[i])); /* json_pack sees a lack */
        }
    }
    json_t *body = json_pack("{s:s, s:b, s:o}", "act", act, "dry_run", session->common->dry_run, "files", files);
    enum exit_code code = EXIT_FAILED;
    if (session->common->json && body != NULL) {
        code = api_print_json(body);
    } else if (!session->common->json) {
        code = fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    json_decref(body);
    return code;
}
