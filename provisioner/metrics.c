/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics in Prometheus' text format 0.0.4, and /healthz. No label has a device or a batch in it. */
#include "base/log.h"
#include "provisioner/provisioner_private.h"

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
    (void)strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type); /* sticks */
}

static void one(struct strbuf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    (void)strbuf_addf(out, "%s %llu\n", name, (unsigned long long)value); /* sticks */
}

static void verdicts(struct strbuf *out, const char *name, const char *help,
                     const uint64_t counts[static ENROL_VERDICTS])
{
    head(out, name, "counter", help);
    for (int i = 0; i < ENROL_VERDICTS; i++) {
        (void)strbuf_addf(out, "%s{verdict=\"%s\"} %llu\n", name, enrol_verdict_name((enum enrol_verdict)i),
                          (unsigned long long)counts[i]); /* sticks */
    }
}

static void states(const struct provisioner *provisioner, struct strbuf *out)
{
    head(out, "muster_prov_devices", "gauge", "Devices of the ledger by state");
    for (int i = 0; i < LIVES; i++) {
        (void)strbuf_addf(out, "muster_prov_devices{state=\"%s\"} %llu\n", life_name((enum life)i),
                          (unsigned long long)provisioner->lives[i]); /* sticks */
    }
    head(out, "muster_prov_certificates", "gauge", "Certificates by state");
    for (int i = 0; i < CERT_STATES; i++) {
        (void)strbuf_addf(out, "muster_prov_certificates{state=\"%s\"} %llu\n", cert_state_name((enum cert_state)i),
                          (unsigned long long)provisioner->certs[i]); /* sticks */
    }
}

static void links(const struct provisioner *provisioner, struct strbuf *out)
{
    head(out, "muster_prov_connected", "gauge", "1 while the session with the broker is up");
    (void)strbuf_addf(out, "muster_prov_connected{broker=\"prov\"} %d\n",
                      session_is_connected(provisioner->prov.session)); /* sticks */
    if (provisioner->core.session != NULL) {
        (void)strbuf_addf(out, "muster_prov_connected{broker=\"core\"} %d\n",
                          session_is_connected(provisioner->core.session)); /* sticks */
    }
}

enum err metrics_write(struct provisioner *provisioner, struct strbuf *out)
{
    const struct desk_stats *stats = &provisioner->stats;
    uint64_t dropped = inbox_dropped(provisioner->prov.inbox);
    dropped += provisioner->core.inbox != NULL ? inbox_dropped(provisioner->core.inbox) : 0;
    verdicts(out, "muster_prov_enrolments_total", "Requests for a first certificate or a recovery", stats->enrolments);
    verdicts(out, "muster_prov_renewals_total", "Requests for the next certificate", stats->renewals);
    one(out, "muster_prov_malformed_total", "counter", "Messages that could not be read, or with a false nonce",
        stats->malformed);
    one(out, "muster_prov_stale_total", "counter", "Requests whose nonce was too old", stats->stale);
    one(out, "muster_prov_confirmed_total", "counter", "Certificates confirmed by a first report", stats->confirmed);
    one(out, "muster_prov_lapsed_total", "counter", "Certificates revoked since nobody used them", stats->lapsed);
    one(out, "muster_prov_revoked_total", "counter", "Certificates revoked", stats->revoked);
    one(out, "muster_prov_troubles_total", "counter", "Devices that came back since the core broker refused them",
        stats->troubles);
    one(out, "muster_prov_told_total", "counter", "Devices told to coordinators", stats->told);
    one(out, "muster_prov_revoking", "gauge", "Revocations that the core broker does not know of yet",
        provisioner->revoking);
    one(out, "muster_prov_waiting", "gauge", "Messages that wait for the store", provisioner->letters_len);
    one(out, "muster_prov_dropped_total", "counter", "Messages for which there was no room", dropped);
    one(out, "muster_prov_store_ok", "gauge", "1 while transactions succeed", provisioner->store_err == ERR_OK);
    one(out, "muster_prov_reloads_total", "counter", "Config reloads taken", provisioner->reloads);
    one(out, "muster_prov_log_lines_suppressed_total", "counter", "Log lines held back by the rate limit",
        log_suppressed());
    states(provisioner, out);
    links(provisioner, out);
    return strbuf_error(out);
}

const char *metrics_health(const struct provisioner *provisioner)
{
    if (!session_is_connected(provisioner->prov.session)) {
        return "prov-disconnected\n";
    }
    if (provisioner->core.session != NULL && !session_is_connected(provisioner->core.session)) {
        return "core-disconnected\n";
    }
    return provisioner->store_err == ERR_OK ? NULL : "store-failing\n";
}
