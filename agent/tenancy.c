/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tenancy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/credentials.h"
#include "agent/enrolment.h"
#include "agent/floor.h"
#include "agent/tenure.h"
#include "base/crypto.h"
#include "base/log.h"

struct tenancy {
    struct loop *loop;                /* borrowed */
    const struct agent_config *first; /* borrowed; of the start */
    const struct agent_config *live;  /* borrowed; of the last reload, else first */
    struct agent_config effective;    /* `first` with what the provisioner said */
    const char *endpoints[PROV_CORE_MAX];
    struct credentials credentials;
    struct tenure tenure;
    struct agent *agent;                /* owned; one of both, or neither between them */
    struct enrolment *enrolment;        /* owned */
    struct loop_timer *timer;           /* owned; of the tenure */
    struct prov_answer_message *answer; /* owned; NULL but while one is taken */
    char cid[PROV_CID_SIZE + 1];        /* of the renewal that is asked for */
    char error[ERRINFO_TEXT_MAX];
    const char *trouble;
    uint64_t started_ms;
    bool leaving;    /* the agent was told to stop */
    loop_fn stopped; /* set while stopping */
    void *stopped_context;
};

static void feed(struct tenancy *tenancy, const struct tenure_event *event);

static void feed_kind(struct tenancy *tenancy, enum tenure_event_kind kind)
{
    feed(tenancy, &(struct tenure_event){.kind = kind});
}

static void note_error(struct tenancy *tenancy, const char *what, const char *text)
{
    char quoted[LOG_QUOTED_SIZE];
    (void)snprintf(tenancy->error, sizeof(tenancy->error), "%s", view_is_utf8(view_of(text)) ? text : what); /* cut */
    log_event(LOG_LEVEL_WARN, what, "device=%s version=%" PRIu32 " error=%s", tenancy->credentials.identity.id,
              tenancy->credentials.identity.version, log_quote(tenancy->error, strlen(tenancy->error), quoted));
}

static void note_identity(struct tenancy *tenancy)
{
    const struct credentials *credentials = &tenancy->credentials;
    const struct credentials_identity *identity = &credentials->identity;
    tenure_identity(&tenancy->tenure, identity->id, identity->not_before_ms, identity->renew_ms,
                    credentials_on_trial(credentials), credentials_may_return(credentials));
}

/* Posted: what is freed is never freed under its own feet. Memory is short: the daemon ends, and its manager starts it
 * again. */
static void later(struct tenancy *tenancy, loop_fn fn)
{
    if (loop_post(tenancy->loop, fn, tenancy) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "tenancy-stuck", "error=%s", err_name(ERR_NOMEM));
        loop_stop(tenancy->loop);
    }
}

/* ---- the agent at work ---- */

static void on_connected(void *context)
{
    feed_kind(context, TENURE_EV_CONNECTED);
}

static void on_disconnected(void *context, enum err err)
{
    feed_kind(context, err == ERR_AUTH || err == ERR_DENIED ? TENURE_EV_REFUSED : TENURE_EV_DISCONNECTED);
}

static void take_answer(struct tenancy *tenancy, const struct prov_answer_message *answer)
{
    if (answer->op == PROV_CERT) {
        feed_kind(tenancy, TENURE_EV_CERT);
    } else if (answer->op == PROV_NO) {
        note_error(tenancy, "renewal-refused", prov_refusal_name(answer->refusal));
        feed(tenancy, &(struct tenure_event){.kind = TENURE_EV_NO, .retry_after_s = answer->retry_after_s});
    }
}

static void on_certificate(void *context, struct view payload)
{
    struct tenancy *tenancy = context;
    struct errinfo info = {0};
    tenancy->answer = malloc(sizeof(*tenancy->answer));
    if (tenancy->answer == NULL) {
        return; /* asked for again */
    }
    if (credentials_answer(&tenancy->credentials, payload, tenancy->cid, tenancy->answer, &info) == ERR_OK) {
        take_answer(tenancy, tenancy->answer);
    } else {
        note_error(tenancy, "renewal-answer-ignored", info.text);
    }
    free(tenancy->answer);
    tenancy->answer = NULL;
}

static void tell_identity(void *context, struct status_identity *ret_identity)
{
    const struct tenancy *tenancy = context;
    *ret_identity = (struct status_identity){.version = tenancy->credentials.identity.version,
                                             .on_trial = credentials_on_trial(&tenancy->credentials),
                                             .not_after_ms = tenancy->credentials.identity.not_after_ms,
                                             .renew_ms = tenancy->tenure.renew_ms,
                                             .error = tenancy->error};
}

static void fill_config(struct tenancy *tenancy)
{
    struct credentials_identity *identity = &tenancy->credentials.identity;
    tenancy->effective = *tenancy->first;
    tenancy->effective.tls.ca_file = identity->ca_file;
    tenancy->effective.tls.cert_file = identity->cert_file;
    tenancy->effective.tls.key_file = identity->key_file;
    if (tenancy->first->broker.endpoints.len == 0) {
        for (size_t i = 0; i < identity->core_len; i++) {
            tenancy->endpoints[i] = identity->core[i];
        }
        tenancy->effective.broker.endpoints =
            (struct config_strings){.items = tenancy->endpoints, .len = identity->core_len};
    }
}

static enum err run(struct tenancy *tenancy, struct errinfo *info)
{
    fill_config(tenancy);
    note_identity(tenancy);
    enum err err = agent_new(tenancy->loop, &tenancy->effective, &tenancy->agent, info);
    if (err != ERR_OK) {
        tenancy->agent = NULL;
        return err;
    }
    agent_keep(tenancy->agent, &(struct agent_keeper){.connected = on_connected,
                                                      .disconnected = on_disconnected,
                                                      .certificate = on_certificate,
                                                      .identity = tell_identity,
                                                      .context = tenancy});
    if (tenancy->live != tenancy->first) {
        agent_reload(tenancy->agent, tenancy->live);
    }
    return ERR_OK;
}

/* ---- enrolment ---- */

static void on_enrolled(void *context);

static enum err enrol(struct tenancy *tenancy, const char *trouble)
{
    return enrolment_new(&(struct enrolment_options){.loop = tenancy->loop,
                                                     .config = tenancy->first,
                                                     .credentials = &tenancy->credentials,
                                                     .trouble = trouble,
                                                     .ended = on_enrolled,
                                                     .context = tenancy},
                         &tenancy->enrolment);
}

static void end_enrolment(void *context)
{
    struct tenancy *tenancy = context;
    struct errinfo info = {0};
    if (tenancy->enrolment == NULL || tenancy->stopped != NULL) {
        return; /* a stop came between */
    }
    enrolment_free(tenancy->enrolment);
    tenancy->enrolment = NULL;
    feed(tenancy,
         &(struct tenure_event){.kind = TENURE_EV_ENDED, .on_trial = credentials_on_trial(&tenancy->credentials)});
    if (run(tenancy, &info) != ERR_OK) {
        note_error(tenancy, "identity-unusable", info.text);
        loop_stop(tenancy->loop); /* a fault of the machine: its manager starts it again */
    }
}

static void on_enrolled(void *context)
{
    later(context, end_enrolment);
}

static void end_agent(void *context)
{
    struct tenancy *tenancy = context;
    if (tenancy->agent == NULL || tenancy->stopped != NULL) {
        return;
    }
    agent_free(tenancy->agent);
    tenancy->agent = NULL;
    tenancy->leaving = false;
    if (enrol(tenancy, tenancy->trouble) != ERR_OK) {
        note_error(tenancy, "enrolment-failed", err_text(ERR_NOMEM));
        loop_stop(tenancy->loop);
    }
}

static void on_agent_stopped(void *context)
{
    struct tenancy *tenancy = context;
    if (tenancy->stopped != NULL) {
        tenancy->stopped(tenancy->stopped_context);
    } else {
        later(tenancy, end_agent);
    }
}

static void leave_agent(void *context)
{
    struct tenancy *tenancy = context;
    if (tenancy->agent != NULL && tenancy->stopped == NULL && !tenancy->leaving) {
        tenancy->leaving = true;
        agent_stop(tenancy->agent, on_agent_stopped, tenancy);
    }
}

/* ---- what the tenure asks for ---- */

static void ask(struct tenancy *tenancy)
{
    uint8_t random[PROV_CID_SIZE / 2];
    struct strbuf text;
    struct errinfo info = {0};
    crypto_random(random, sizeof(random));
    crypto_hex(random, sizeof(random), tenancy->cid);
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    enum err err = credentials_renewal(&tenancy->credentials, tenancy->cid, &text, &info);
    if (err == ERR_OK) {
        err = agent_send_renewal(tenancy->agent, strbuf_view(&text));
    }
    strbuf_deinit(&text);
    if (err != ERR_OK) { /* asked again by and by */
        note_error(tenancy, "renewal-failed", info.text[0] != '\0' ? info.text : err_text(err));
    } else {
        log_event(LOG_LEVEL_NOTICE, "renewal-asked", "device=%s cid=%s", tenancy->credentials.identity.id,
                  tenancy->cid);
    }
}

static void store(struct tenancy *tenancy)
{
    struct errinfo info = {0};
    enum err err = credentials_install(&tenancy->credentials, tenancy->answer, &info);
    if (err != ERR_OK) {
        note_error(tenancy, "renewal-not-stored", info.text);
    } else {
        note_identity(tenancy);
    }
    feed_kind(tenancy, err == ERR_OK ? TENURE_EV_STORED : TENURE_EV_UNSTORED);
}

static void change(struct tenancy *tenancy)
{
    const struct credentials_identity *identity = &tenancy->credentials.identity;
    log_event(LOG_LEVEL_NOTICE, "identity-changed", "device=%s version=%" PRIu32 " trial=%s", identity->id,
              identity->version, credentials_on_trial(&tenancy->credentials) ? "yes" : "no");
    enum err err = agent_use_files(tenancy->agent, identity->ca_file, identity->cert_file, identity->key_file);
    if (err != ERR_OK) {
        note_error(tenancy, "identity-not-changed", err_text(err));
        loop_stop(tenancy->loop); /* a start takes the version that the folder names */
    }
}

static void promote(struct tenancy *tenancy)
{
    struct errinfo info = {0};
    if (credentials_promote(&tenancy->credentials, &info) != ERR_OK) {
        note_error(tenancy, "identity-not-promoted", info.text); /* on trial still; the next start tries again */
        return;
    }
    tenancy->error[0] = '\0';
    note_identity(tenancy);
    log_event(LOG_LEVEL_NOTICE, "identity-proven", "device=%s version=%" PRIu32, tenancy->credentials.identity.id,
              tenancy->credentials.identity.version);
}

static void go_back(struct tenancy *tenancy)
{
    struct errinfo info = {0};
    note_error(tenancy, "identity-refused", "the brokers do not take the new certificate; back to the one before");
    if (credentials_return(&tenancy->credentials, &info) != ERR_OK) {
        note_error(tenancy, "identity-not-returned", info.text);
        return;
    }
    note_identity(tenancy);
    change(tenancy);
}

static void act(struct tenancy *tenancy, const struct tenure_actions *actions)
{
    if (actions->promote) {
        promote(tenancy);
    }
    if (actions->go_back) {
        go_back(tenancy);
    }
    if (actions->ask) {
        ask(tenancy);
    }
    if (actions->store) {
        store(tenancy);
    }
    if (actions->change) {
        change(tenancy);
    }
    if (actions->recover && tenancy->credentials.claim[0] != '\0') {
        log_event(LOG_LEVEL_WARN, "refused", "device=%s times=%d next=enrolment", tenancy->credentials.identity.id,
                  TENURE_REFUSALS);
        tenancy->trouble = "core-refused";
        later(tenancy, leave_agent);
    }
}

static void feed(struct tenancy *tenancy, const struct tenure_event *event)
{
    if (tenancy->stopped != NULL) {
        return;
    }
    uint64_t now = loop_now_ms(tenancy->loop);
    struct tenure_actions actions = tenure_step(&tenancy->tenure, event, now, floor_now_ms(), crypto_random_u64());
    act(tenancy, &actions);
    loop_timer_at(tenancy->timer, tenure_deadline(&tenancy->tenure));
}

static void on_timer(void *context)
{
    feed_kind(context, TENURE_EV_TIMER);
}

/* ---- life ---- */

static enum err begin(struct tenancy *tenancy, struct errinfo *info)
{
    enum err err = credentials_open(tenancy->first, &tenancy->credentials, info);
    if (err != ERR_OK) {
        return err;
    }
    err = loop_timer_new(tenancy->loop, on_timer, tenancy, &tenancy->timer);
    bool placed = tenancy->first->broker.endpoints.len > 0 || tenancy->credentials.identity.core_len > 0;
    if (err == ERR_OK && (tenancy->credentials.identity.version == 0 || !placed)) {
        err = enrol(tenancy, NULL);
    } else if (err == ERR_OK) {
        return run(tenancy, info);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "identity", 0, "%s", err_text(err));
}

enum err tenancy_new(struct loop *loop, const struct agent_config *config, struct tenancy **ret_tenancy,
                     struct errinfo *info)
{
    struct tenancy *tenancy = calloc(1, sizeof(*tenancy));
    if (tenancy == NULL) {
        return errinfo_set(info, ERR_NOMEM, "identity", 0, "%s", err_text(ERR_NOMEM));
    }
    tenancy->loop = loop;
    tenancy->first = tenancy->live = config;
    tenancy->started_ms = loop_now_ms(loop);
    tenure_init(&tenancy->tenure);
    enum err err = begin(tenancy, info);
    if (err != ERR_OK) {
        tenancy_free(tenancy);
        return err;
    }
    *ret_tenancy = tenancy;
    return ERR_OK;
}

void tenancy_free(struct tenancy *tenancy)
{
    if (tenancy == NULL) {
        return;
    }
    agent_free(tenancy->agent);
    enrolment_free(tenancy->enrolment);
    loop_timer_free(tenancy->timer);
    free(tenancy);
}

void tenancy_reload(struct tenancy *tenancy, const struct agent_config *config)
{
    tenancy->live = config;
    if (tenancy->agent != NULL) {
        agent_reload(tenancy->agent, config);
    }
}

void tenancy_stop(struct tenancy *tenancy, loop_fn done, void *context)
{
    tenancy->stopped = done;
    tenancy->stopped_context = context;
    loop_timer_stop(tenancy->timer);
    if (tenancy->agent != NULL && !tenancy->leaving) {
        agent_stop(tenancy->agent, done, context);
    } else if (tenancy->enrolment != NULL) {
        enrolment_stop(tenancy->enrolment, done, context);
    } else if (tenancy->agent == NULL) { /* else on_agent_stopped says it */
        done(context);
    }
}

enum err tenancy_write_status(void *context, struct strbuf *out)
{
    const struct tenancy *tenancy = context;
    if (tenancy->agent != NULL) {
        return agent_write_status(tenancy->agent, out);
    }
    const struct enrolment_status status = {
        .serial = tenancy->credentials.serial,
        .version = MUSTER_VERSION,
        .now_ms = loop_now_ms(tenancy->loop),
        .started_ms = tenancy->started_ms,
        .state = tenancy->enrolment != NULL ? enrolment_state(tenancy->enrolment) : "idle",
        .error = tenancy->enrolment != NULL ? enrolment_error(tenancy->enrolment) : "",
    };
    return enrolment_status_json(&status, out);
}

enum err tenancy_report_now(void *context)
{
    struct tenancy *tenancy = context;
    return tenancy->agent != NULL ? agent_report_now(tenancy->agent) : ERR_STATE;
}
