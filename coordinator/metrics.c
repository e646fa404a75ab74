/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics in Prometheus' text format 0.0.4, and /healthz. No label has a device in it: the number of series is that of
 * the zones. */
#include "coordinator/metrics.h"

#include <string.h>

#include "base/log.h"
#include "coordinator/coordinator_private.h"
#include "coordinator/whoami.h"

struct family {
    const char *name, *type, *help;
};

static void head(struct strbuf *out, const struct family *family)
{
    (void)strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                      family->type); /* sticks */
}

static void one(struct strbuf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, &(const struct family){name, type, help});
    (void)strbuf_addf(out, "%s %llu\n", name, (unsigned long long)value); /* sticks */
}

static void add_states(struct strbuf *out, const struct core_stats *stats)
{
    static const struct family family = {"muster_states_total", "counter", "State messages by what they meant"};
    const struct {
        const char *verdict;
        uint64_t value;
    } rows[] = {{"same", stats->same},
                {"changed", stats->changed},
                {"lower", stats->lower},
                {"stale", stats->stale},
                {"unregistered", stats->unregistered_states}};
    head(out, &family);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)strbuf_addf(out, "%s{verdict=\"%s\"} %llu\n", family.name, rows[i].verdict,
                          (unsigned long long)rows[i].value);
    }
}

static void add_bad_input(struct strbuf *out, const struct core_stats *stats, uint64_t overflows)
{
    static const struct family family = {"muster_messages_refused_total", "counter",
                                         "Messages not taken in, by reason"};
    const struct {
        const char *reason;
        uint64_t value;
    } rows[] = {{"topic", stats->bad_topic},    {"payload", stats->bad_payload}, {"stamp", stats->bad_stamp},
                {"unstamped", stats->no_stamp}, {"oversized", stats->oversized}, {"overflow", overflows}};
    head(out, &family);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)strbuf_addf(out, "%s{reason=\"%s\"} %llu\n", family.name, rows[i].reason,
                          (unsigned long long)rows[i].value);
    }
}

static void add_devices(struct strbuf *out, const struct core_stats *stats)
{
    static const struct family family = {"muster_devices", "gauge", "Devices by presence"};
    const struct {
        const char *presence;
        uint64_t value;
    } rows[] = {{"online", stats->online}, {"late", stats->late}, {"lost", stats->lost}, {"off", stats->off}};
    head(out, &family);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)strbuf_addf(out, "%s{presence=\"%s\"} %llu\n", family.name, rows[i].presence,
                          (unsigned long long)rows[i].value);
    }
    one(out, "muster_devices_known", "gauge", "Devices that reported at least once, or that the ledger names",
        stats->devices);
    one(out, "muster_devices_registered", "gauge", "Known devices that the registry names", stats->registered);
}

static void add_nat(struct strbuf *out, const struct core_stats *stats)
{
    static const struct family family = {"muster_devices_nat", "gauge",
                                         "Devices by what their last state since the start said of NAT"};
    head(out, &family);
    for (size_t i = NAT_UNKNOWN + 1; i < NAT_CLASSES; i++) {
        (void)strbuf_addf(out, "%s{class=\"%s\"} %u\n", family.name, nat_class_name((enum nat_class)i), stats->nat[i]);
    }
    one(out, "muster_devices_no_inbound", "gauge", "Devices without an A record, since nobody outside can come in",
        stats->no_inbound);
}

static void add_ledger(const struct coordinator *coordinator, struct strbuf *out, const struct core_stats *stats)
{
    static const struct family family = {"muster_ledger_devices", "gauge", "Devices by what the ledger says of them"};
    one(out, "muster_devices_cloned_suspect", "gauge", "Devices that seem to be one of two with their identity",
        stats->suspects);
    one(out, "muster_clone_suspicions_total", "counter", "Suspicions that arose", stats->suspicions);
    if (coordinator->settings->config.ownership != OWNERSHIP_REQUIRED) {
        return;
    }
    head(out, &family);
    for (size_t i = 0; i < REG_STATES; i++) {
        (void)strbuf_addf(out, "%s{state=\"%s\"} %u\n", family.name, reg_state_name((enum reg_state)i),
                          stats->ledger[i]);
    }
    one(out, "muster_ledger_owned", "gauge", "Devices that the ledger calls owned", stats->owned);
    one(out, "muster_ledger_words_total", "counter", "News of devices from the ledger", stats->reg_words);
    one(out, "muster_ledger_rev", "gauge", "Position in the ledger's feed", core_feed_position(coordinator->core)->rev);
    one(out, "muster_ledger_late", "gauge", "1 when the provisioner answered nothing for half an hour",
        core_reg_is_late(coordinator->core, coordinator_now()));
}

static void add_records(struct strbuf *out, const struct core_stats *stats)
{
    one(out, "muster_records_open", "gauge", "Records whose wanted value is not served yet", stats->records_open);
    one(out, "muster_records_refused", "gauge", "Records that their provider refused", stats->records_refused);
    one(out, "muster_records_held", "gauge", "Records held back by flap damping", stats->records_held);
    one(out, "muster_changes_total", "counter", "Record changes planned", stats->changes);
    one(out, "muster_changes_applied_total", "counter", "Record changes confirmed by the authoritative side",
        stats->applied);
    one(out, "muster_changes_refused_total", "counter", "Record changes refused", stats->refused);
    one(out, "muster_acks_total", "counter", "Acks published to devices", stats->acks);
    one(out, "muster_acks_waiting", "gauge", "Acks that wait for a DNS result or for room", stats->acks_waiting);
    one(out, "muster_feed_dropped_total", "counter", "Feed messages left out by the rate limit", stats->feed_dropped);
}

static void add_store(struct strbuf *out, const struct core_stats *stats)
{
    one(out, "muster_store_commits_total", "counter", "Group commits started", stats->commits);
    one(out, "muster_store_rows_total", "counter", "Rows given to group commits", stats->commit_rows);
    one(out, "muster_store_failures_total", "counter", "Group commits that failed and were tried again",
        stats->commit_failures);
    one(out, "muster_store_ok", "gauge", "1 while the last group commit worked", strcmp(stats->store_state, "ok") == 0);
}

static void add_zones(struct coordinator *coordinator, struct strbuf *out)
{
    static const struct family families[] = {
        {"muster_zone_up", "gauge", "1 while the zone's writer runs"},
        {"muster_zone_messages_total", "counter", "Messages or calls sent to the provider"},
        {"muster_zone_changes_total", "counter", "Changes sent to the provider"},
        {"muster_zone_failures_total", "counter", "Messages or calls that failed"},
        {"muster_zone_waiting", "gauge", "Changes in the queue"},
        {"muster_zone_in_flight", "gauge", "Changes in unanswered messages"},
        {"muster_zone_batch_size", "gauge", "Changes a message that the adaptation settled on"},
        {"muster_zone_depth", "gauge", "Messages in flight that the adaptation settled on"},
        {"muster_zone_epoch", "gauge", "Epoch of the writer"},
    };
    const struct zone_config *zones = coordinator->settings->config.zones.items;
    for (size_t f = 0; f < ARRAY_LEN(families); f++) {
        head(out, &families[f]);
        for (size_t i = 0; i < coordinator->zones_len; i++) {
            struct engine_zone_status status;
            engine_zone_status(coordinator->zones[i].engine_zone, &status);
            const uint64_t values[] = {strcmp(status.state, "running") == 0,
                                       status.messages,
                                       status.changes,
                                       status.failures,
                                       status.waiting,
                                       status.in_flight,
                                       status.batch_size,
                                       status.depth,
                                       status.epoch};
            (void)strbuf_addf(out, "%s{zone=\"%s\"} %llu\n", families[f].name, zones[i].name,
                              (unsigned long long)values[f]);
        }
    }
}

static void add_whoami(const struct whoami *whoami, struct strbuf *out)
{
    static const struct family asked = {"muster_whoami_questions_total", "counter",
                                        "Binding requests and HTTPS connections that came in"};
    static const struct family answered = {"muster_whoami_answers_total", "counter", "Addresses told"};
    static const struct family refused = {"muster_whoami_refused_total", "counter", "What was not answered, by reason"};
    struct whoami_stats stats;
    whoami_stats(whoami, &stats);
    head(out, &asked);
    (void)strbuf_addf(out, "%s{via=\"stun\"} %llu\n%s{via=\"https\"} %llu\n", asked.name,
                      (unsigned long long)stats.stun.asked, asked.name, (unsigned long long)stats.https.asked);
    head(out, &answered);
    (void)strbuf_addf(out, "%s{via=\"stun\"} %llu\n%s{via=\"https\"} %llu\n", answered.name,
                      (unsigned long long)stats.stun.answered, answered.name, (unsigned long long)stats.https.answered);
    const struct {
        const char *via, *reason;
        uint64_t value;
    } rows[] = {{"stun", "limited", stats.stun.limited},     {"stun", "overload", stats.stun.overload},
                {"stun", "malformed", stats.stun_malformed}, {"stun", "method", stats.stun_method},
                {"stun", "attribute", stats.stun_attribute}, {"stun", "unsent", stats.stun_unsent},
                {"https", "limited", stats.https.limited},   {"https", "overload", stats.https.overload}};
    head(out, &refused);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)strbuf_addf(out, "%s{via=\"%s\",reason=\"%s\"} %llu\n", refused.name, rows[i].via, rows[i].reason,
                          (unsigned long long)rows[i].value);
    }
}

static void add_change_time(struct strbuf *out, const struct core_stats *stats)
{
    static const struct family family = {"muster_change_seconds", "summary",
                                         "From taking a report in to the authoritative answer, last 5 to 10 minutes"};
    static const double quantiles[] = {0.5, 0.95, 0.99};
    head(out, &family);
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        (void)strbuf_addf(out, "%s{quantile=\"%g\"} %.6f\n", family.name, quantiles[i],
                          histogram_quantile(&stats->change_ms, quantiles[i]) / 1000);
    }
    (void)strbuf_addf(out, "%s_sum %.6f\n%s_count %llu\n", family.name, stats->change_ms.sum_ms / 1000, family.name,
                      (unsigned long long)stats->change_ms.count);
}

enum err metrics_write(struct coordinator *coordinator, struct strbuf *out)
{
    struct core_stats stats;
    core_stats(coordinator->core, &stats);
    add_states(out, &stats);
    add_bad_input(out, &stats, intake_overflows(coordinator->intake));
    add_devices(out, &stats);
    add_nat(out, &stats);
    add_ledger(coordinator, out, &stats);
    add_records(out, &stats);
    add_store(out, &stats);
    add_zones(coordinator, out);
    add_change_time(out, &stats);
    add_whoami(coordinator->whoami, out);
    one(out, "muster_broker_connected", "gauge", "1 while the broker session is up",
        session_is_connected(coordinator->session));
    one(out, "muster_intake_bytes", "gauge", "Bytes of messages that wait for the loop",
        intake_used(coordinator->intake));
    one(out, "muster_device_table_bytes", "gauge", "Memory of the device table",
        device_table_bytes(core_devices(coordinator->core)));
    one(out, "muster_log_lines_suppressed_total", "counter", "Log lines held back by the rate limit", log_suppressed());
    one(out, "muster_reloads_total", "counter", "Config reloads taken", coordinator->reloads);
    return strbuf_error(out);
}

const char *metrics_health(struct coordinator *coordinator)
{
    struct core_stats stats;
    core_stats(coordinator->core, &stats);
    if (!session_is_connected(coordinator->session)) {
        return "broker-disconnected";
    }
    if (strcmp(stats.store_state, "ok") != 0) {
        return "store-failing";
    }
    for (size_t i = 0; i < coordinator->zones_len; i++) {
        if (coordinator->zones[i].deposed) {
            return "zone-deposed";
        }
    }
    return NULL;
}
