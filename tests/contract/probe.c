/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: the batch engine under a command line, for the contract suite and for measurements. Reads commands from
 * standard input, writes one JSON object a line. It stands in the place of the coordinator: its "store" is one epoch.
 *
 *   muster-probe CONFIG ZONE dedicated|shared [EPOCH]     one zone
 *   muster-probe -                                       as many as are opened; each line begins with the zone's ID
 *   open CONFIG ZONE dedicated|shared [EPOCH] | close
 *   submit NAME TYPE TTL REV WANT HAVE [adopt]   WANT, HAVE: addresses with commas, "-" = none; HAVE "?" = not known
 *   bulk COUNT BASE REV [AAAA]   COUNT changes of nNNNNNN.ZONE to addresses from BASE on (a number); IPv6 ones are
 *                                2001:db8::/32, BASE + i, and a host part that looks like chance (bulk_address)
 *   list | status | resume | quit
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "net/loop.h"
#include "providers/account.h"
#include "providers/catalogue.h"
#include "providers/engine.h"

enum { LINE_MAX_LEN = 4096, FIELDS_MAX = 8 };

struct probe;

/** One zone with an account of its own. */
struct session {
    struct session *next;
    struct probe *probe;
    char id[32]; /* "" = the only one */
    struct engine_account *account;
    struct engine_zone *zone;
    char zone_name[DNSNAME_SIZE];
    uint64_t epoch;
    uint64_t bulk_rev, bulk_left, bulk_start_ns;
    size_t listed;
};

struct probe {
    struct loop *loop;
    struct engine *engine;
    struct session *sessions;
    char input[1 << 16];
    size_t input_len;
    bool many;
};

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail for RUSAGE_SELF */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void emit(struct strbuf *line)
{
    strbuf_addc(line, '\n');
    fputs(strbuf_str(line), stdout);
    (void)fflush(stdout); /* a broken pipe ends the probe by its signal */
    strbuf_deinit(line);
}

static void add_string(struct strbuf *line, const char *key, const char *value)
{
    strbuf_addf(line, ",\"%s\":", key);
    strbuf_add_json(line, view_of(value != NULL ? value : ""));
}

/** Whose event it is, where there are several. */
static void add_id(struct strbuf *line, const struct session *session)
{
    if (session->id[0] != '\0') {
        add_string(line, "id", session->id);
    }
}

static void add_value(struct strbuf *line, const struct rrset_value *value)
{
    char text[IP_TEXT_SIZE];
    strbuf_adds(line, ",\"value\":[");
    for (size_t i = 0; value != NULL && i < value->len; i++) {
        ip_format(&value->ips[i], text);
        strbuf_addf(line, "%s\"%s\"", i > 0 ? "," : "", text);
    }
    strbuf_addc(line, ']');
}

static void bulk_settled(struct session *session, const struct engine_result *result)
{
    if (result->outcome != OUTCOME_APPLIED && result->outcome != OUTCOME_REFUSED) {
        return;
    }
    if (--session->bulk_left == 0) {
        struct strbuf line;
        struct engine_zone_status status;
        engine_zone_status(session->zone, &status);
        strbuf_init(&line, LINE_MAX_LEN);
        strbuf_addf(&line,
                    "{\"event\":\"bulk\",\"seconds\":%.6f,\"cpu\":%.6f,\"messages\":%" PRIu64
                    ",\"batch\":%u,\"depth\":%u",
                    (double)(clock_mono_ns() - session->bulk_start_ns) / 1e9, cpu_seconds(), status.messages,
                    status.batch_size, status.depth);
        add_id(&line, session);
        strbuf_addc(&line, '}');
        emit(&line);
    }
}

static void on_settled(void *context, const struct engine_result *results, size_t results_len)
{
    struct session *session = context;
    for (size_t i = 0; i < results_len; i++) {
        const struct engine_result *result = &results[i];
        if (session->bulk_left > 0 && result->rev == session->bulk_rev) {
            bulk_settled(session, result);
            continue;
        }
        struct strbuf line;
        strbuf_init(&line, LINE_MAX_LEN);
        uint64_t now = loop_now_ms(session->probe->loop);
        strbuf_addf(&line, "{\"event\":\"settled\",\"rev\":%" PRIu64 ",\"attempts\":%u,\"wait_ms\":%" PRIu64,
                    result->rev, result->attempts, result->retry_ms > now ? result->retry_ms - now : 0);
        add_string(&line, "name", result->name);
        add_string(&line, "type", rrtype_name(result->type));
        add_string(&line, "outcome", outcome_name(result->outcome));
        add_string(&line, "error", result->error);
        add_string(&line, "alarm", result->alarm);
        add_string(&line, "detail", result->detail);
        add_value(&line, result->value);
        add_id(&line, session);
        strbuf_addc(&line, '}');
        emit(&line);
    }
}

static void event(const struct session *session, const char *name)
{
    struct strbuf line;
    strbuf_init(&line, LINE_MAX_LEN);
    strbuf_addf(&line, "{\"event\":\"%s\",\"epoch\":%" PRIu64, name, session->epoch);
    add_id(&line, session);
    strbuf_addc(&line, '}');
    emit(&line);
}

static void on_claim(void *context, struct engine_zone *zone, uint64_t seen)
{
    struct session *session = context;
    session->epoch = (seen > session->epoch ? seen : session->epoch) + 1;
    event(session, "claim");
    engine_zone_claimed(zone, session->epoch, ERR_OK);
}

static void on_deposed(void *context, struct engine_zone *zone)
{
    (void)zone;
    event(context, "deposed");
}

static void on_record(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct rrset_value *value)
{
    struct session *session = context;
    struct strbuf line;
    session->listed++;
    strbuf_init(&line, LINE_MAX_LEN);
    strbuf_addf(&line, "{\"event\":\"record\",\"ttl\":%u", ttl);
    add_string(&line, "name", name);
    add_string(&line, "type", rrtype_name(type));
    add_value(&line, value);
    add_id(&line, session);
    strbuf_addc(&line, '}');
    emit(&line);
}

static void on_listed(void *context, enum err err, const char *detail)
{
    struct session *session = context;
    struct strbuf line;
    strbuf_init(&line, LINE_MAX_LEN);
    strbuf_addf(&line, "{\"event\":\"listed\",\"count\":%zu", session->listed);
    add_string(&line, "err", err_name(err));
    add_string(&line, "detail", detail);
    add_id(&line, session);
    strbuf_addc(&line, '}');
    emit(&line);
}

static bool parse_value(struct view text, enum rrtype type, struct rrset_value *ret_value)
{
    struct view field;
    struct ip ip;
    *ret_value = (struct rrset_value){0};
    if (view_equals(text, "-") || view_equals(text, "?")) {
        return true;
    }
    while (view_next(&text, ',', &field)) {
        if (ip_parse(field, &ip) != ERR_OK || !rrset_value_add(ret_value, type, &ip)) {
            return false;
        }
    }
    return true;
}

static enum err submit(struct session *session, const struct view *fields, size_t len)
{
    char name[DNSNAME_SIZE];
    uint64_t ttl = 0, rev = 0;
    struct rrset_change change = {.name = name};
    if (len < 7 || view_copy(fields[1], name, sizeof(name)) != ERR_OK ||
        view_to_u64(fields[3], UINT32_MAX, &ttl) != ERR_OK || view_to_u64(fields[4], UINT64_MAX, &rev) != ERR_OK) {
        return ERR_PARSE;
    }
    change.type = view_equals(fields[2], "AAAA") ? RRTYPE_AAAA : RRTYPE_A;
    change.ttl = (uint32_t)ttl;
    change.rev = rev;
    change.have_known = !view_equals(fields[6], "?");
    change.adopt = len > 7 && view_equals(fields[7], "adopt");
    if (!parse_value(fields[5], change.type, &change.want) || !parse_value(fields[6], change.type, &change.have)) {
        return ERR_PARSE;
    }
    return engine_zone_submit(session->zone, &change);
}

/** The same at every run; the host part is as long in text as those of real devices mostly are. */
static struct ip bulk_address(enum rrtype type, uint32_t number)
{
    uint64_t host = number * 0x9E3779B97F4A7C15ull;
    if (type == RRTYPE_A) {
        return (struct ip){
            .family = IP_V4,
            .bytes = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
    }
    struct ip ip = {.family = IP_V6, .bytes = {0x20, 0x01, 0x0d, 0xb8}};
    for (unsigned i = 0; i < 4; i++) {
        ip.bytes[4 + i] = (uint8_t)(number >> (24 - 8 * i));
    }
    for (unsigned i = 0; i < 8; i++) {
        ip.bytes[8 + i] = (uint8_t)(host >> (56 - 8 * i));
    }
    return ip;
}

static enum err bulk(struct session *session, const struct view *fields, size_t len)
{
    uint64_t count = 0, base = 0, rev = 0;
    enum rrtype type = len > 4 && view_equals(fields[4], "AAAA") ? RRTYPE_AAAA : RRTYPE_A;
    enum err err = ERR_OK;
    if (len < 4 || view_to_u64(fields[1], 10000000, &count) != ERR_OK ||
        view_to_u64(fields[2], UINT32_MAX, &base) != ERR_OK || view_to_u64(fields[3], UINT64_MAX, &rev) != ERR_OK) {
        return ERR_PARSE;
    }
    session->bulk_rev = rev;
    session->bulk_left = count;
    session->bulk_start_ns = clock_mono_ns();
    for (uint64_t i = 0; i < count && err == ERR_OK; i++) {
        char name[DNSNAME_SIZE + sizeof("n0000000.")];
        struct rrset_change change = {.name = name, .type = type, .ttl = 60, .rev = rev};
        (void)snprintf(name, sizeof(name), "n%06u.%s", (unsigned)i,
                       session->zone_name); /* fits: the zone name is short */
        change.want.len = 1;
        change.want.ips[0] = bulk_address(type, (uint32_t)(base + i));
        err = engine_zone_submit(session->zone, &change);
    }
    return err;
}

static void print_status(struct session *session)
{
    struct engine_zone_status status;
    struct strbuf line;
    engine_zone_status(session->zone, &status);
    strbuf_init(&line, LINE_MAX_LEN);
    strbuf_addf(&line,
                "{\"event\":\"status\",\"waiting\":%zu,\"in_flight\":%zu,\"epoch\":%" PRIu64 ",\"messages\":%" PRIu64
                ",\"changes\":%" PRIu64 ",\"failures\":%" PRIu64 ",\"lookups\":%" PRIu64
                ",\"batch\":%u,\"depth\":%u,\"service_ms\":%.3f",
                status.waiting, status.in_flight, status.epoch, status.messages, status.changes, status.failures,
                status.lookups, status.batch_size, status.depth, status.service_ms);
    add_string(&line, "state", status.state);
    add_string(&line, "last_error", status.last_error);
    add_id(&line, session);
    strbuf_addc(&line, '}');
    emit(&line);
}

static enum err list(struct session *session)
{
    struct engine_listing listing = {.each = on_record, .done = on_listed, .context = session};
    session->listed = 0;
    return engine_zone_list(session->zone, &listing);
}

static struct session *find_session(struct probe *probe, struct view id)
{
    struct session *session = probe->sessions;
    while (session != NULL && !view_equals(id, session->id)) {
        session = session->next;
    }
    return session;
}

static void close_session(struct session *session)
{
    struct session **at = &session->probe->sessions;
    while (*at != session) {
        at = &(*at)->next;
    }
    *at = session->next;
    engine_zone_free(session->zone);
    engine_account_free(session->account);
    free(session);
}

/** The account is made from the file, which is not needed afterwards. */
static enum err open_account(struct session *session, const char *path, struct strbuf *report)
{
    struct engine_account_config *config = calloc(1, engine_account_config_size());
    struct config_schema schema = {.title = "probe", .rows = engine_account_rows, .size = engine_account_config_size()};
    struct arena arena;
    struct errinfo info = {0};
    arena_init(&arena, 1 << 20);
    enum err err = config == NULL ? ERR_NOMEM : config_load(&schema, path, &arena, config, report);
    if (err == ERR_OK) {
        err = engine_account_new(session->probe->engine, config, &session->account, &info);
        strbuf_adds(report, info.text);
    }
    arena_deinit(&arena);
    free(config);
    return err;
}

/** Takes over what the session has. */
static enum err open_session(struct probe *probe, const char *id, const char *path, const char *zone, bool shared,
                             uint64_t epoch, struct strbuf *report)
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return ERR_NOMEM;
    }
    session->probe = probe;
    session->epoch = epoch;
    session->next = probe->sessions;
    probe->sessions = session;
    (void)snprintf(session->id, sizeof(session->id), "%s", id);                 /* the suite's are short */
    (void)snprintf(session->zone_name, sizeof(session->zone_name), "%s", zone); /* a zone's name */
    enum err err = open_account(session, path, report);
    struct engine_zone_options options = {
        .name = session->zone_name,
        .mode = shared ? ZONE_SHARED : ZONE_DEDICATED,
        .account = session->account,
        .callbacks = {.settled = on_settled, .claim = on_claim, .deposed = on_deposed},
        .context = session};
    if (err == ERR_OK) {
        err = engine_zone_new(probe->engine, &options, &session->zone);
    }
    if (err != ERR_OK) {
        close_session(session);
        return err;
    }
    event(session, "ready");
    return ERR_OK;
}

static enum err open_command(struct probe *probe, const char *id, const struct view *fields, size_t len,
                             struct strbuf *report)
{
    char path[512], zone[DNSNAME_SIZE];
    uint64_t epoch = 0;
    if (len < 4 || view_copy(fields[1], path, sizeof(path)) != ERR_OK ||
        view_copy(fields[2], zone, sizeof(zone)) != ERR_OK ||
        (len > 4 && view_to_u64(fields[4], UINT64_MAX, &epoch) != ERR_OK)) {
        return ERR_PARSE;
    }
    return open_session(probe, id, path, zone, view_equals(fields[3], "shared"), epoch, report);
}

static enum err zone_command(struct session *session, const struct view *fields, size_t len)
{
    if (view_equals(fields[0], "submit")) {
        return submit(session, fields, len);
    }
    if (view_equals(fields[0], "bulk")) {
        return bulk(session, fields, len);
    }
    if (view_equals(fields[0], "list")) {
        return list(session);
    }
    if (view_equals(fields[0], "status")) {
        print_status(session);
    } else if (view_equals(fields[0], "resume")) {
        engine_zone_resume(session->zone);
    } else if (view_equals(fields[0], "close")) {
        close_session(session);
    } else {
        return ERR_PARSE;
    }
    return ERR_OK;
}

static void command(struct probe *probe, struct view line)
{
    struct view fields[FIELDS_MAX], id_view = VIEW_LITERAL("");
    char id[32] = "";
    size_t len = 0;
    struct strbuf report;
    if (probe->many && (!view_next(&line, ' ', &id_view) || view_copy(id_view, id, sizeof(id)) != ERR_OK)) {
        return;
    }
    while (len < FIELDS_MAX && view_next(&line, ' ', &fields[len])) {
        len++;
    }
    if (len == 0) {
        return;
    }
    if (view_equals(fields[0], "quit")) {
        loop_stop(probe->loop);
        return;
    }
    strbuf_init(&report, 1 << 16);
    struct session *session = find_session(probe, view_of(id));
    enum err err = probe->many && view_equals(fields[0], "open") ? open_command(probe, id, fields, len, &report)
                   : session != NULL                             ? zone_command(session, fields, len)
                                                                 : ERR_NOTFOUND;
    if (err != ERR_OK) {
        struct session nobody = {0};
        struct strbuf out;
        (void)snprintf(nobody.id, sizeof(nobody.id), "%s", id); /* same size */
        strbuf_init(&out, 1 << 17);
        strbuf_addf(&out, "{\"event\":\"error\",\"err\":\"%s\"", err_name(err));
        add_string(&out, "detail", strbuf_str(&report));
        add_id(&out, &nobody);
        strbuf_addc(&out, '}');
        emit(&out);
    }
    strbuf_deinit(&report);
}

static void on_input(void *context, int events)
{
    struct probe *probe = context;
    (void)events;
    ssize_t got = read(STDIN_FILENO, probe->input + probe->input_len, sizeof(probe->input) - probe->input_len);
    if (got <= 0) {
        loop_stop(probe->loop);
        return;
    }
    probe->input_len += (size_t)got;
    struct view rest = view_n(probe->input, probe->input_len);
    const char *end;
    while ((end = memchr(rest.ptr, '\n', rest.len)) != NULL) {
        size_t len = (size_t)(end - rest.ptr);
        command(probe, view_n(rest.ptr, len));
        rest = view_n(end + 1, rest.len - len - 1);
    }
    memmove(probe->input, rest.ptr, rest.len);
    probe->input_len = rest.len;
}

static int fail(const char *what, enum err err, const char *detail)
{
    fprintf(stderr, "probe: %s: %s: %s\n", what, err_text(err), detail);
    return 1;
}

static int run(struct probe *probe, int argc, char **argv)
{
    struct loop_poll *input = NULL;
    struct strbuf report;
    uint64_t epoch = 0;
    strbuf_init(&report, 1 << 16);
    struct catalogue *catalogue = NULL;
    enum err err = engine_new(probe->loop, &probe->engine);
    if (err == ERR_OK) {
        err = catalogue_new(NULL, &catalogue, &report);
    }
    if (err == ERR_OK) {
        engine_use_catalogue(probe->engine, catalogue);
    }
    catalogue_unref(catalogue); /* the engine has its own */
    if (err == ERR_OK && argc > 4) {
        err = view_to_u64(view_of(argv[4]), UINT64_MAX, &epoch);
    }
    if (err == ERR_OK && !probe->many) {
        err = open_session(probe, "", argv[1], argv[2], strcmp(argv[3], "shared") == 0, epoch, &report);
    }
    if (err == ERR_OK) {
        err = loop_poll_new(probe->loop, STDIN_FILENO, on_input, probe, &input);
    }
    if (err == ERR_OK) {
        err = loop_poll_events(input, LOOP_READABLE);
    }
    if (err == ERR_OK) {
        loop_run(probe->loop);
    }
    int status = err == ERR_OK ? 0 : fail(argv[1], err, strbuf_str(&report));
    loop_poll_free(input);
    while (probe->sessions != NULL) {
        close_session(probe->sessions);
    }
    engine_free(probe->engine);
    strbuf_deinit(&report);
    return status;
}

int main(int argc, char **argv)
{
    bool many = argc == 2 && strcmp(argv[1], "-") == 0;
    if (argc < 4 && !many) {
        fprintf(stderr, "usage: muster-probe CONFIG ZONE dedicated|shared [EPOCH] | muster-probe -\n");
        return 2;
    }
    struct probe *probe = calloc(1, sizeof(*probe));
    int status = 1;
    if (probe != NULL && loop_new(&probe->loop) == ERR_OK) {
        probe->many = many;
        status = run(probe, argc, argv);
        loop_free(probe->loop);
    }
    free(probe);
    return status;
}
