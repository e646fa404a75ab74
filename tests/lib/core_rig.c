/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/core_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "mqtt/topics.h"

#define PAYLOAD_SIZE 2048

static const char config_head[] =
    "broker:\n  endpoints: [\"127.0.0.1:1\"]\n  client_id: svc-rig\n  ca_file: /dev/null\n"
    "  cert_file: /dev/null\n  key_file: /dev/null\n  stamp_key_file: /dev/null\n"
    "accounts:\n  - {name: dns, provider: rfc2136,\n     server: \"127.0.0.1:1\", key_file: /dev/null}\n"
    "  - {name: one, provider: dyndns2, url: \"https://127.0.0.1:1/nic/update\",\n" /* holds one address a name */
    "     username: u, password_file: /dev/null}\n";
static const char default_zones[] = "  - name: example.net\n    account: dns\n";
static const char default_groups[] =
    "  - name: cameras\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n";
static const char default_devices[] = "devices:\n  - match: \"cam-*\"\n    group: cameras\n";

static void write_file(const char *path, const char *text)
{
    assert_int_equal(file_replace(path, view_of(text), 0600), ERR_OK);
}

enum err rig_load(struct rig *rig, const struct rig_config *config, struct settings **ret_settings,
                  struct strbuf *report)
{
    char config_path[128], registry_path[128];
    (void)snprintf(config_path, sizeof(config_path), "%s/coordinator.yaml", rig->folder);  /* fits */
    (void)snprintf(registry_path, sizeof(registry_path), "%s/registry.yaml", rig->folder); /* fits */
    struct strbuf text;
    strbuf_init(&text, 256 * 1024);
    (void)strbuf_addf(&text, "%sregistry: %s\nzones:\n%sgroups:\n%s%s", config_head, registry_path,
                      config->zones != NULL ? config->zones : default_zones,
                      config->groups != NULL ? config->groups : default_groups,
                      config->more != NULL ? config->more : ""); /* checked below */
    assert_int_equal(strbuf_error(&text), ERR_OK);
    write_file(config_path, strbuf_str(&text));
    strbuf_deinit(&text);
    write_file(registry_path, config->devices != NULL ? config->devices : default_devices);
    return settings_read(config_path, ret_settings, report);
}

static struct settings *must_load(struct rig *rig, const struct rig_config *config)
{
    struct strbuf report;
    strbuf_init(&report, 64 * 1024);
    struct settings *settings = NULL;
    enum err err = rig_load(rig, config, &settings, &report);
    if (err != ERR_OK) {
        print_error("%s\n", strbuf_str(&report));
    }
    assert_int_equal(err, ERR_OK);
    strbuf_deinit(&report);
    return settings;
}

static void keep_ack(struct rig *rig, const struct core_publish *publish)
{
    struct topic topic;
    struct errinfo info = {0};
    assert_int_equal(topic_parse(view_of(publish->topic), &topic), ERR_OK);
    assert_int_equal(dns_decode(publish->payload, &rig->ack, &info), ERR_OK);
    assert_int_equal(view_copy(topic.id, rig->ack_device, sizeof(rig->ack_device)), ERR_OK);
    rig->ack_retained = publish->retain;
    rig->acks++;
}

static void in_core(const struct rig *rig, bool inside)
{
    if (rig->in_core != NULL) {
        rig->in_core(inside);
    }
}

static enum err on_publish(void *context, const struct core_publish *publish)
{
    struct rig *rig = context;
    if (rig->publish_err != ERR_OK) {
        return rig->publish_err;
    }
    in_core(rig, false);
    if (strstr(publish->topic, "/fleet/feed") != NULL) {
        struct errinfo info = {0};
        assert_int_equal(feed_decode(publish->payload, &rig->feed, &info), ERR_OK);
        rig->feeds++;
    } else if (strstr(publish->topic, "/fleet/summary") != NULL) {
        rig->summaries++;
    } else if (strstr(publish->topic, "/coord/svc-rig/reg") != NULL) {
        assert_int_equal(regask_decode(publish->payload, &rig->ask, NULL), ERR_OK);
        rig->asks++;
    } else if (strstr(publish->topic, "/coord/svc-rig/suspect") != NULL) {
        assert_int_equal(suspect_decode(publish->payload, &rig->suspect, NULL), ERR_OK);
        rig->suspects++;
    } else {
        keep_ack(rig, publish);
    }
    in_core(rig, true);
    return ERR_OK;
}

static enum err on_submit(void *context, uint16_t zone, const struct rrset_change *change)
{
    struct rig *rig = context;
    if (rig->submit_err != ERR_OK) {
        return rig->submit_err;
    }
    in_core(rig, false);
    if (rig->changes_len == rig->changes_size) {
        rig->changes_size = rig->changes_size == 0 ? 64 : rig->changes_size * 2;
        rig->changes = realloc(rig->changes, rig->changes_size * sizeof(*rig->changes));
        assert_non_null(rig->changes);
    }
    struct rig_change *kept = &rig->changes[rig->changes_len++];
    *kept = (struct rig_change){.zone = zone, .change = *change};
    assert_int_equal(view_copy(view_of(change->name), kept->name, sizeof(kept->name)), ERR_OK);
    in_core(rig, true);
    return ERR_OK;
}

static void on_commit(void *context, struct store_batch *batch)
{
    struct rig *rig = context;
    assert_null(rig->batch); /* one at a time */
    rig->batch = batch;
}

static void on_reconcile(void *context, uint32_t device)
{
    struct rig *rig = context;
    assert_true(rig->reconciled_len < ARRAY_LEN(rig->reconciled));
    rig->reconciled[rig->reconciled_len++] = device;
}

static void on_replay(void *context, uint8_t shard)
{
    struct rig *rig = context;
    rig->replayed[shard] = true;
}

static uint64_t on_dropped(void *context)
{
    const struct rig *rig = context;
    return rig->dropped;
}

static uint64_t on_random(void *context)
{
    (void)context;
    return 4;
}

static void make_core(struct rig *rig, uint64_t last_rev)
{
    const struct core_options options = {
        .config = &rig->settings->config,
        .registry = rig->settings->registry,
        .stamp_key = rig->key,
        .term = RIG_TERM,
        .last_rev = last_rev,
        .kid = "svc-rig",
        .feed = rig->feed_position,
        .ops = {.publish = on_publish,
                .submit = on_submit,
                .commit = on_commit,
                .random = on_random,
                .reconcile = on_reconcile,
                .replay = on_replay,
                .dropped = on_dropped},
        .context = rig,
    };
    assert_int_equal(core_new(&options, &rig->core), ERR_OK);
    core_connected(rig->core, rig->now, true);
}

void rig_start(struct rig *rig, const struct rig_config *config)
{
    static const uint8_t key[32] = "the key of broker and core";
    *rig = (struct rig){.epoch = 1, .now = {.mono_ms = 1000000, .wall_ms = INT64_C(1780000000000)}};
    (void)snprintf(rig->folder, sizeof(rig->folder), "/tmp/muster-rig-XXXXXX"); /* fits */
    assert_non_null(mkdtemp(rig->folder));
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(crypto_hmac_new(key, sizeof(key), &rig->key), ERR_OK);
    rig->settings = must_load(rig, config);
    make_core(rig, 100);
    core_reconciled(rig->core);
}

void rig_restart(struct rig *rig, uint64_t last_rev)
{
    core_free(rig->core);
    rig->batch = NULL;
    rig->changes_len = 0;
    make_core(rig, last_rev);
}

void rig_stop(struct rig *rig)
{
    static const char *const files[] = {"coordinator.yaml", "registry.yaml"};
    core_free(rig->core);
    settings_free(rig->settings);
    settings_free(rig->retired);
    crypto_hmac_free(rig->key);
    free(rig->changes);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", rig->folder, files[i]); /* fits */
        (void)unlink(path);                                                 /* may be missing */
    }
    (void)rmdir(rig->folder); /* a leftover shows itself in /tmp */
}

bool rig_reload(struct rig *rig, const struct rig_config *config)
{
    struct settings *fresh = must_load(rig, config);
    bool replay = false;
    assert_int_equal(core_reconfigure(rig->core, &fresh->config, fresh->registry, &replay), ERR_OK);
    settings_free(rig->retired);
    rig->retired = NULL;
    settings_free(rig->settings); /* at once: nothing may look into the old one any more */
    rig->settings = fresh;
    return replay;
}

static void add_address(struct strbuf *out, const char *key, const char *text)
{
    if (text != NULL && strcmp(text, "null") == 0) {
        (void)strbuf_addf(out, ",\"%s\":null", key); /* fits */
    } else if (text != NULL) {
        (void)strbuf_addf(out, ",\"%s\":\"%s\"", key, text); /* fits */
    }
}

static void stamp(struct rig *rig, const char *topic, const char *observed, char *ret_text, size_t size)
{
    uint8_t mac[SHA256_SIZE];
    const struct view parts[] = {view_of(topic), VIEW_LITERAL("|"), view_of(observed)};
    assert_int_equal(crypto_hmac_sha256(rig->key, parts, ARRAY_LEN(parts), mac), ERR_OK);
    int len = snprintf(ret_text, size, "%s ", observed);
    for (size_t i = 0; i < sizeof(mac); i++) {
        len += snprintf(ret_text + len, size - (size_t)len, "%02x", mac[i]);
    }
}

static void deliver(struct rig *rig, const char *topic, struct view payload, const char *observed, bool retained,
                    bool forged)
{
    char text[128] = "";
    if (observed != NULL) {
        stamp(rig, topic, observed, text, sizeof(text));
        text[strlen(text) - 1] = forged ? (text[strlen(text) - 1] == '0' ? '1' : '0') : text[strlen(text) - 1];
    }
    const struct core_message message = {.topic = view_of(topic),
                                         .payload = payload,
                                         .observed = view_of(text),
                                         .retained = retained,
                                         .received_ms = rig->now.mono_ms};
    in_core(rig, true);
    core_message(rig->core, rig->now, &message);
    core_flush(rig->core, rig->now);
    in_core(rig, false);
}

void rig_message(struct rig *rig, const char *topic, struct view payload, const char *observed)
{
    deliver(rig, topic, payload, observed, false, false);
}

void rig_reg(struct rig *rig, const char *id, uint64_t rev, const char *state, bool owned)
{
    char topic[TOPIC_SIZE], body[256];
    assert_int_equal(topic_build(TOPIC_REG, view_of(id), topic), ERR_OK);
    (void)snprintf(body, sizeof(body), "{\"v\":1,\"feed\":\"f-1\",\"rev\":%llu,\"state\":\"%s\",\"owned\":%s}",
                   (unsigned long long)rev, state, owned ? "true" : "false"); /* fits */
    rig_message(rig, topic, view_of(body), NULL);
}

void rig_reg_done(struct rig *rig, const char *feed, uint64_t rev)
{
    char body[128];
    (void)snprintf(body, sizeof(body), "{\"v\":1,\"feed\":\"%s\",\"rev\":%llu}", feed,
                   (unsigned long long)rev); /* fits */
    rig_message(rig, TOPIC_ROOT "/coord/svc-rig/reg-done", view_of(body), NULL);
}

void rig_seen(struct rig *rig, const char *id, const char *serial, const char *peer)
{
    char topic[TOPIC_SIZE];
    struct seen_message seen = {.issuer = "00112233445566778899aabbccddeeff00112233", .ip = rig_ip(peer), .port = 4711};
    assert_int_equal(topic_build(TOPIC_SEEN, view_of(id), topic), ERR_OK);
    assert_int_equal(view_copy(view_of(serial), seen.serial, sizeof(seen.serial)), ERR_OK);
    struct strbuf body;
    strbuf_init(&body, 512);
    assert_int_equal(seen_encode(&seen, &body), ERR_OK);
    rig_message(rig, topic, strbuf_view(&body), NULL);
    strbuf_deinit(&body);
}

void rig_state(struct rig *rig, const struct rig_state *state)
{
    char topic[TOPIC_SIZE];
    struct strbuf body;
    strbuf_init(&body, PAYLOAD_SIZE);
    assert_int_equal(topic_build(TOPIC_UP_STATE, view_of(state->id), topic), ERR_OK);
    (void)strbuf_addf(&body, "{\"v\":1,\"s\":\"%s\",\"boot\":%u,\"conn\":%u,\"seq\":%u,\"ts\":0,\"tsq\":\"none\"",
                      state->off ? "off" : "on", state->boot, state->conn, state->seq); /* fits */
    add_address(&body, "ip4", state->ip4);
    add_address(&body, "ip6", state->ip6);
    add_address(&body, "prefix6", state->prefix6);
    if (state->also6 != NULL) {
        (void)strbuf_addf(&body, ",\"prefix6_also\":%s", state->also6); /* fits */
    }
    if (state->uplinks != NULL) {
        (void)strbuf_addf(&body, ",\"uplinks\":%s", state->uplinks); /* fits */
    }
    (void)strbuf_addf(&body, ",\"src\":\"interface\",\"why\":\"%s\",\"agent\":\"1\"}",
                      state->why != NULL ? state->why : "change"); /* fits */
    deliver(rig, topic, strbuf_view(&body), state->observed, state->retained, state->forged);
    strbuf_deinit(&body);
}

void rig_gone(struct rig *rig, const char *id, uint32_t boot, uint32_t conn)
{
    char topic[TOPIC_SIZE], text[80];
    assert_int_equal(topic_build(TOPIC_UP_GONE, view_of(id), topic), ERR_OK);
    (void)snprintf(text, sizeof(text), "{\"v\":1,\"boot\":%u,\"conn\":%u}", boot, conn); /* fits */
    deliver(rig, topic, view_of(text), NULL, false, false);
}

static uint64_t tick(struct rig *rig)
{
    in_core(rig, true);
    uint64_t next = core_tick(rig->core, rig->now);
    in_core(rig, false);
    return next;
}

void rig_pass(struct rig *rig, uint64_t ms)
{
    uint64_t end = rig->now.mono_ms + ms;
    while (rig->now.mono_ms < end) {
        uint64_t next = tick(rig);
        assert_true(next > rig->now.mono_ms);
        next = MIN(next, end);
        rig->now.wall_ms += (int64_t)(next - rig->now.mono_ms);
        rig->now.mono_ms = next;
    }
    (void)tick(rig); /* what is due at the end */
}

void rig_commit(struct rig *rig, enum err err)
{
    assert_non_null(rig->batch);
    rig->batch = NULL;
    struct errinfo info = {0};
    in_core(rig, true);
    core_committed(rig->core, rig->now, err, &info);
    in_core(rig, false);
}

void rig_commit_all(struct rig *rig)
{
    in_core(rig, true);
    core_flush(rig->core, rig->now);
    in_core(rig, false);
    while (rig->batch != NULL) {
        rig_commit(rig, ERR_OK);
    }
}

struct rig_change *rig_change(struct rig *rig, const char *name, enum rrtype type)
{
    for (size_t i = rig->changes_len; i > 0; i--) {
        struct rig_change *change = &rig->changes[i - 1];
        if (!change->settled && change->change.type == type && strcmp(change->name, name) == 0) {
            return change;
        }
    }
    return NULL;
}

void rig_settle(struct rig *rig, struct rig_change *change, enum outcome outcome, const char *error)
{
    assert_non_null(change);
    change->settled = outcome == OUTCOME_APPLIED || outcome == OUTCOME_REFUSED;
    char name[DNSNAME_SIZE]; /* the core may submit meanwhile, and the list move */
    memcpy(name, change->name, sizeof(name));
    struct rrset_value value = change->change.want;
    const struct engine_result result = {.name = name,
                                         .type = change->change.type,
                                         .rev = change->change.rev,
                                         .outcome = outcome,
                                         .value = outcome == OUTCOME_APPLIED ? &value : NULL,
                                         .error = error,
                                         .detail = "",
                                         .retry_ms = rig->now.mono_ms + 1000,
                                         .attempts = 1};
    in_core(rig, true);
    core_settled(rig->core, rig->now, change->zone, rig->epoch, &result, 1);
    in_core(rig, false);
}

void rig_settle_all(struct rig *rig)
{
    rig_commit_all(rig);
    for (size_t i = 0; i < rig->changes_len; i++) {
        if (!rig->changes[i].settled) {
            rig_settle(rig, &rig->changes[i], OUTCOME_APPLIED, NULL);
            rig_commit_all(rig);
        }
    }
}

struct core_stats rig_stats(const struct rig *rig)
{
    struct core_stats stats;
    core_stats(rig->core, &stats);
    return stats;
}

struct store_want *rig_batch_want(struct rig *rig, const char *name)
{
    for (size_t i = 0; rig->batch != NULL && i < rig->batch->wants_len; i++) {
        if (strcmp(rig->batch->wants[i].name, name) == 0) {
            return &rig->batch->wants[i];
        }
    }
    return NULL;
}

const struct store_have *rig_batch_have(const struct rig *rig, const char *name)
{
    for (size_t i = 0; rig->batch != NULL && i < rig->batch->haves_len; i++) {
        if (strcmp(rig->batch->haves[i].name, name) == 0) {
            return &rig->batch->haves[i];
        }
    }
    return NULL;
}

const struct name_status *rig_ack_name(const struct rig *rig, const char *name, const char *type)
{
    for (size_t i = 0; i < rig->ack.names_len; i++) {
        if (strcmp(rig->ack.names[i].name, name) == 0 && strcmp(rig->ack.names[i].type, type) == 0) {
            return &rig->ack.names[i];
        }
    }
    return NULL;
}

struct ip rig_ip(const char *text)
{
    struct ip ip = {0};
    assert_true(text == NULL || ip_parse(view_of(text), &ip) == ERR_OK);
    return ip;
}

struct rrset_value rig_value(const char *text)
{
    struct rrset_value value = {0};
    if (text != NULL) {
        value.ips[0] = rig_ip(text);
        value.len = 1;
    }
    return value;
}

void rig_report(struct rig *rig, const char *id, uint32_t seq, const char *observed)
{
    rig_state(rig, &(struct rig_state){.id = id, .boot = 1, .conn = 1, .seq = seq, .observed = observed});
}

bool rig_wants(struct rig *rig, const char *name, const char *address)
{
    const struct rig_change *change = rig_change(rig, name, RRTYPE_A);
    struct rrset_value value = rig_value(address);
    return change != NULL && rrset_value_equal(&change->change.want, &value);
}

struct store_record rig_record(const char *zone, const char *device, const char *name, const char *address)
{
    return (struct store_record){.zone = zone,
                                 .name = name,
                                 .type = RRTYPE_A,
                                 .device = device,
                                 .ttl = 60,
                                 .want = rig_value(address),
                                 .want_rev = 50,
                                 .have_known = true,
                                 .have = rig_value(address),
                                 .have_rev = 50,
                                 .error = ""};
}

bool rig_reconcile(struct rig *rig, const char *id, const struct store_record *records, size_t len)
{
    bool all = core_reconcile(rig->core, rig->now, device_find(core_devices(rig->core), view_of(id)), records, len);
    core_flush(rig->core, rig->now);
    return all;
}
