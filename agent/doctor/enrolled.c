/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/enrolled.h"

#include <inttypes.h>

#include "base/clock.h"

#define MS_PER_S 1000

static struct finding judge(const struct credentials_identity *identity, int64_t now_s)
{
    char renewal[CLOCK_RFC3339_SIZE];
    clock_rfc3339(identity->renew_ms, renewal);
    int64_t now_ms = now_s * MS_PER_S;
    int64_t late_ms = identity->renew_ms + (identity->not_after_ms - identity->renew_ms) / 2;
    if (now_ms > late_ms) {
        return finding_of(CHECK_WARN,
                          "the agent asks over its core broker: see its log for renewal-failed or renewal-refused",
                          "version %" PRIu32 ", the next one is overdue since %s", identity->version, renewal);
    }
    return finding_of(CHECK_OK, NULL, "version %" PRIu32 ", the next one is asked for about %s", identity->version,
                      renewal);
}

static void use_identity(struct agent_config *config, struct enrolled *enrolled)
{
    struct credentials_identity *identity = &enrolled->credentials.identity;
    config->tls.ca_file = identity->ca_file;
    config->tls.cert_file = identity->cert_file;
    config->tls.key_file = identity->key_file;
    if (config->broker.endpoints.len == 0) {
        for (size_t i = 0; i < identity->core_len; i++) {
            enrolled->endpoints[i] = identity->core[i];
        }
        config->broker.endpoints = (struct config_strings){.items = enrolled->endpoints, .len = identity->core_len};
    }
}

/* What it connects with until then. */
static void use_claim(struct agent_config *config, struct enrolled *enrolled)
{
    struct credentials *credentials = &enrolled->credentials;
    credentials->config = config;
    config->tls.ca_file = config->tls.cert_file = config->tls.key_file = "";
    if (credentials_claim_path(credentials, CREDENTIALS_CLAIM_ROOT, enrolled->ca_file) == ERR_OK &&
        credentials_claim_path(credentials, CREDENTIALS_CLAIM_CERT, enrolled->cert_file) == ERR_OK) {
        config->tls.ca_file = enrolled->ca_file;
        config->tls.cert_file = enrolled->cert_file;
    }
}

bool enrolled_check(struct checks *checks, struct agent_config *config, int64_t now_s, struct enrolled *ret_enrolled)
{
    struct errinfo info = {0};
    struct finding finding;
    enum err err = credentials_look(config, &ret_enrolled->credentials, &info);
    if (err == ERR_OK) {
        finding = judge(&ret_enrolled->credentials.identity, now_s);
        (void)checks_add(checks, "enrolment", config->provisioning.serial, &finding); /* its verdict is known */
        use_identity(config, ret_enrolled);
        return true;
    }
    finding = finding_of(err == ERR_NOTFOUND ? CHECK_WARN : CHECK_FAIL,
                         "muster-agent status says what the enrolment waits for; run as root or as the agent's user",
                         "no identity yet: %s", info.text);
    (void)checks_add(checks, "enrolment", config->provisioning.serial, &finding); /* as above */
    use_claim(config, ret_enrolled);
    config->broker.endpoints = config->provisioning.endpoints;
    return false;
}
