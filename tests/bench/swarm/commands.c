/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/bench/swarm/misbehave.h"
#include "tests/bench/swarm/swarm.h"

#define SERIAL_EVERY_NS 4000000u   /* between two questions for the zone's serial */
#define ADDRESS_NEXT_NS 200000u    /* between two questions for one address */
#define ADDRESS_LOST_NS 100000000u /* then the question is asked again */
#define QUIET_NS        300000000u /* without a new serial: nothing more is coming */
#define SAMPLES         64
#define ARGUMENTS_MAX   4

struct arguments {
    uint64_t values[ARGUMENTS_MAX];
    size_t len;
};

struct command {
    const char *name;
    size_t needs; /* arguments */
    const char *help;
    bool (*run)(struct swarm *swarm, const struct arguments *arguments); /* @return false: failed or timed out */
};

static uint64_t deadline_of(const struct swarm *swarm)
{
    return clock_mono_ns() + swarm->options->timeout_ms * 1000000;
}

/** A device repeats what nobody has acknowledged. */
static void repeat_unacknowledged(struct swarm *swarm, uint64_t now)
{
    for (size_t i = 0; i < swarm->fleet.len; i++) {
        const struct fleet_device *device = &swarm->fleet.devices[i];
        if (device->reported && !device->acked && !device->due && now >= device->repeat_ns) {
            swarm->counts.repeats++;
            swarm_report(swarm, i);
        }
    }
}

/** Serves the links for a moment, asks for the zone's serial, brings back what was lost. */
static void turn(struct swarm *swarm)
{
    static uint64_t asked, looked; /* one swarm a process */
    uint64_t now = clock_mono_ns();
    if (swarm->probe.fd >= 0 && now - asked >= SERIAL_EVERY_NS) {
        asked = now;
        probe_ask(&swarm->probe, VIEW_LITERAL(""));
    }
    if (now - looked >= 1000000000u) {
        looked = now;
        if (!swarm->options->no_repeats) {
            repeat_unacknowledged(swarm, now);
        }
        swarm_connect_some(swarm);
    }
    (void)swarm_serve(swarm, 2, -1); /* no further descriptor */
    if (swarm->job.open_max != 0 && swarm->job_open_devices < swarm->job.open_max / 2) {
        swarm_fill(swarm);
    }
}

static bool await(struct swarm *swarm, bool (*done)(const struct swarm *swarm))
{
    uint64_t deadline = deadline_of(swarm);
    while (!done(swarm)) {
        if (clock_mono_ns() > deadline) {
            return false;
        }
        turn(swarm);
    }
    return true;
}

/** Milliseconds granularity is the caller's: waits until @p device's name has its address or @p deadline. */
static bool await_address(struct swarm *swarm, size_t device, uint64_t deadline, uint64_t *ret_ns)
{
    char id[DEVICE_ID_MAX + 1];
    fleet_id(&swarm->fleet, device, id);
    uint32_t want = fleet_address(&swarm->fleet.devices[device]);
    uint64_t asked = 0;
    bool open = false;
    for (;;) {
        struct probe_answer answer;
        uint64_t now = clock_mono_ns();
        if (open && probe_take(&swarm->address_probe, &answer) == ERR_OK) {
            if (!answer.is_soa && answer.answers == 1 && answer.value == want) {
                *ret_ns = now;
                return true;
            }
            open = false;
        }
        if (now > deadline) {
            return false;
        }
        if ((!open && now - asked >= ADDRESS_NEXT_NS) || now - asked >= ADDRESS_LOST_NS) {
            probe_ask(&swarm->address_probe, view_of(id));
            asked = now;
            open = true;
        }
        if (!swarm->fleet.devices[device].acked && now >= swarm->fleet.devices[device].repeat_ns) {
            swarm->counts.repeats++;
            swarm_report(swarm, device);
        }
        const struct timespec moment = {.tv_nsec = 30000};
        (void)nanosleep(&moment, NULL);  /* woken early is fine */
        (void)swarm_serve(swarm, 0, -1); /* no further descriptor */
    }
}

static bool all_acked(const struct swarm *swarm)
{
    return swarm_done(swarm) && swarm->acked == swarm->fleet.len;
}

static bool all_ready(const struct swarm *swarm)
{
    return swarm->links_ready == swarm->links_len || swarm->links_failed > 0;
}

static bool quiet(const struct swarm *swarm)
{
    return clock_mono_ns() - swarm->serial_ns > QUIET_NS;
}

/** Samples spread over the fleet answer as they should; the whole is compared by a separate program. */
static bool samples_answer(struct swarm *swarm, uint64_t deadline)
{
    size_t step = MAX(swarm->fleet.len / SAMPLES, 1u);
    for (size_t i = step - 1; i < swarm->fleet.len; i += step) {
        uint64_t at = 0;
        if (!await_address(swarm, i, deadline, &at)) {
            return false;
        }
    }
    return true;
}

static double seconds_since(uint64_t from_ns, uint64_t to_ns)
{
    return from_ns == 0 || to_ns < from_ns ? -1.0 : (double)(to_ns - from_ns) / 1e9;
}

static void print_job(struct swarm *swarm, const char *name, bool complete)
{
    const struct swarm_counts *counts = &swarm->counts;
    (void)printf("{\"did\":\"%s\",\"complete\":%s,\"published\":%" PRIu64 ",\"refused\":%" PRIu64
                 ",\"acked\":%zu,\"repeats\":%" PRIu64 ",\"disconnects\":%" PRIu64 ",\"bad_codec\":%" PRIu64
                 ",\"unexpected\":%" PRIu64
                 ",\"first_s\":%.6f,\"published_s\":%.6f,\"ack_s\":%.6f,\"answer_s\":%.6f,\"serial\":%u}\n",
                 name, complete ? "true" : "false", counts->published, counts->refused, swarm->acked, counts->repeats,
                 counts->disconnects, counts->bad_codec, counts->unexpected,
                 seconds_since(swarm->fleet.began_ns, swarm->job_first_ns),
                 seconds_since(swarm->job_first_ns, swarm->job_last_ns),
                 seconds_since(swarm->job_first_ns, swarm->ack_last_ns),
                 seconds_since(swarm->job_first_ns, swarm->serial_ns), swarm->serial); /* ferror: command_run_line */
}

/* ---- the commands ---- */

static bool run_connect(struct swarm *swarm, const struct arguments *arguments)
{
    (void)arguments;
    uint64_t began = clock_mono_ns();
    uint64_t deadline = deadline_of(swarm);
    while (!all_ready(swarm) && clock_mono_ns() < deadline) {
        swarm_connect_some(swarm);
        (void)swarm_serve(swarm, 5, -1); /* no further descriptor */
    }
    bool ok = swarm->links_ready == swarm->links_len;
    (void)printf("{\"did\":\"connect\",\"complete\":%s,\"devices\":%zu,\"connections\":%zu,\"seconds\":%.3f}\n",
                 ok ? "true" : "false", swarm->fleet.len, swarm->links_ready,
                 seconds_since(began, clock_mono_ns())); /* ferror: command_run_line */
    return ok;
}

/** Every device has a new address, reports it, and waits for its ack and, when the DNS is watched, its answer. */
static bool renumber(struct swarm *swarm, const char *name, size_t limit, uint32_t rounds)
{
    const struct job job = {.why = "change", .limit = limit, .rounds = rounds, .renumber = true};
    swarm->serial_ns = clock_mono_ns();
    swarm_begin(swarm, &job);
    bool ok = await(swarm, all_acked);
    if (ok && swarm->probe.fd >= 0) {
        ok = samples_answer(swarm, deadline_of(swarm)) && await(swarm, quiet);
    }
    print_job(swarm, name, ok);
    return ok;
}

static bool run_storm(struct swarm *swarm, const struct arguments *arguments)
{
    (void)arguments;
    return renumber(swarm, "storm", swarm->fleet.len, 1);
}

static bool run_flap(struct swarm *swarm, const struct arguments *arguments)
{
    return renumber(swarm, "flap", MIN(arguments->values[0], swarm->fleet.len),
                    (uint32_t)MIN(MAX(arguments->values[1], 1u), 1000u));
}

/** As a storm, but no faster than it is acknowledged: to fill broker, store and zone with a fleet before something is
 * measured. */
static bool run_populate(struct swarm *swarm, const struct arguments *arguments)
{
    const struct job job = {.why = "change",
                            .limit = swarm->fleet.len,
                            .rounds = 1,
                            .renumber = true,
                            .open_max = (size_t)MAX(arguments->values[0], 1u)};
    swarm_begin(swarm, &job);
    bool ok = await(swarm, all_acked);
    swarm->job.open_max = 0;
    print_job(swarm, "populate", ok);
    return ok;
}

/** As a storm, but nobody waits for more than the broker's confirmation. */
static bool run_publish(struct swarm *swarm, const struct arguments *arguments)
{
    (void)arguments;
    const struct job job = {.why = "change", .limit = swarm->fleet.len, .rounds = 1, .renumber = true};
    swarm_begin(swarm, &job);
    bool ok = await(swarm, swarm_done);
    print_job(swarm, "publish", ok);
    return ok;
}

static bool run_heartbeat(struct swarm *swarm, const struct arguments *arguments)
{
    const struct job job = {.why = "heartbeat",
                            .limit = swarm->fleet.len,
                            .rounds = (uint32_t)MIN(MAX(arguments->values[0], 1u), 1000000u)};
    swarm_begin(swarm, &job);
    bool ok = await(swarm, swarm_done);
    print_job(swarm, "heartbeat", ok);
    return ok;
}

/** Heartbeats at their pace: seconds, and the interval of one device in seconds, each time +-10 %. */
static bool run_steady(struct swarm *swarm, const struct arguments *arguments)
{
    uint64_t interval_ns = MAX(arguments->values[1], 1u) * 1000000000u;
    uint64_t end = clock_mono_ns() + arguments->values[0] * 1000000000u;
    uint64_t *next = calloc(swarm->fleet.len, sizeof(*next));
    if (next == NULL) {
        return false;
    }
    for (size_t i = 0; i < swarm->fleet.len; i++) {
        next[i] = clock_mono_ns() + fleet_random(&swarm->fleet) % interval_ns;
    }
    swarm->job_open = false;
    swarm->counts.published = swarm->counts.confirmed = swarm->counts.refused = swarm->counts.repeats = 0;
    swarm->job_first_ns = clock_mono_ns();
    for (uint64_t now; (now = clock_mono_ns()) < end;) {
        for (size_t i = 0; i < swarm->fleet.len; i++) {
            if (next[i] <= now) {
                next[i] += interval_ns * 9 / 10 + fleet_random(&swarm->fleet) % (interval_ns / 5 + 1);
                swarm_report(swarm, i);
            }
        }
        turn(swarm);
    }
    free(next);
    bool ok = await(swarm, swarm_done);
    print_job(swarm, "steady", ok);
    return ok;
}

/** Every connection breaks at once; all come back, report, and are acknowledged. */
static bool run_reconnect(struct swarm *swarm, const struct arguments *arguments)
{
    (void)arguments;
    swarm->job_open = false;
    swarm->counts.published = swarm->counts.confirmed = swarm->counts.refused = swarm->counts.repeats = 0;
    swarm->job_first_ns = clock_mono_ns();
    swarm->ack_last_ns = 0;
    swarm_drop_all(swarm);
    uint64_t deadline = deadline_of(swarm);
    while (!all_ready(swarm) && clock_mono_ns() < deadline) {
        swarm_connect_some(swarm);
        (void)swarm_serve(swarm, 5, -1); /* no further descriptor */
    }
    bool ok = swarm->links_ready == swarm->links_len && await(swarm, all_acked);
    print_job(swarm, "reconnect", ok);
    return ok;
}

/** One device changes: milliseconds until the server answers the new address. */
static bool run_change(struct swarm *swarm, const struct arguments *arguments)
{
    size_t device = arguments->values[0] % swarm->fleet.len;
    uint64_t began = clock_mono_ns();
    uint64_t at = 0;
    if (swarm->probe.fd < 0) {
        return false;
    }
    swarm->acked -= swarm->fleet.devices[device].acked;
    fleet_renumber(&swarm->fleet, device);
    swarm_report(swarm, device);
    bool ok = await_address(swarm, device, deadline_of(swarm), &at);
    (void)printf("{\"did\":\"change\",\"complete\":%s,\"ms\":%.3f}\n", ok ? "true" : "false",
                 seconds_since(began, at) * 1e3); /* ferror: command_run_line */
    return ok;
}

static bool run_misbehave(struct swarm *swarm, const struct arguments *arguments)
{
    struct misbehaviour misbehaviour = {.fleet = &swarm->fleet};
    const struct job job = {.limit = swarm->fleet.len,
                            .rounds = (uint32_t)MIN(MAX(arguments->values[0], 1u), 1000u),
                            .body = misbehave,
                            .context = &misbehaviour};
    swarm_begin(swarm, &job);
    bool ok = await(swarm, swarm_done);
    swarm->job_open = false;
    print_job(swarm, "misbehave", ok);
    return ok;
}

/** Watches the zone's serial for so many milliseconds. */
static bool run_watch(struct swarm *swarm, const struct arguments *arguments)
{
    uint64_t end = clock_mono_ns() + arguments->values[0] * 1000000u;
    while (clock_mono_ns() < end) {
        turn(swarm);
    }
    print_job(swarm, "watch", true);
    return true;
}

static bool run_leave(struct swarm *swarm, const struct arguments *arguments)
{
    (void)arguments;
    swarm_leave(swarm);
    print_job(swarm, "leave", true);
    return true;
}

static const struct command commands[] = {
    {"connect", 0, "connect: open every connection", run_connect},
    {"storm", 0, "storm: every device changes; until acknowledged and answered", run_storm},
    {"populate", 1, "populate OPEN: every device changes, at most OPEN of them unacknowledged at a time", run_populate},
    {"publish", 0, "publish: every device changes; until the broker has confirmed", run_publish},
    {"heartbeat", 1, "heartbeat ROUNDS: unchanged states as fast as the broker takes them", run_heartbeat},
    {"steady", 2, "steady SECONDS INTERVAL: heartbeats at their pace", run_steady},
    {"flap", 2, "flap DEVICES ROUNDS: some devices change many times", run_flap},
    {"reconnect", 0, "reconnect: all connections break at once and come back", run_reconnect},
    {"misbehave", 1, "misbehave ROUNDS: messages that no device should send", run_misbehave},
    {"change", 1, "change DEVICE: one device changes; milliseconds to the answer", run_change},
    {"watch", 1, "watch MILLISECONDS: note the zone's serial", run_watch},
    {"leave", 0, "leave: disconnect in good order", run_leave},
};

static bool parse(char *line, const char **ret_name, struct arguments *ret_arguments)
{
    struct view rest = view_trim(view_of(line));
    struct view word;
    *ret_arguments = (struct arguments){0};
    for (bool first = true; view_next(&rest, ' ', &word); first = false) {
        if (first) {
            *ret_name = word.ptr;
            line[word.ptr - line + (ptrdiff_t)word.len] = '\0';
        } else if (ret_arguments->len == ARGUMENTS_MAX ||
                   view_to_u64(word, UINT32_MAX, &ret_arguments->values[ret_arguments->len++]) != ERR_OK) {
            return false;
        }
    }
    return *ret_name != NULL;
}

static bool unknown(void)
{
    (void)fprintf(stderr, "muster-swarm: commands are\n"); /* message only, as below */
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        (void)fprintf(stderr, "  %s\n", commands[i].help);
    }
    return false;
}

bool command_run_line(struct swarm *swarm, char *line)
{
    const char *name = NULL;
    struct arguments arguments;
    if (!parse(line, &name, &arguments)) {
        return unknown();
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0 && commands[i].needs == arguments.len) {
            bool ok = commands[i].run(swarm, &arguments);
            bool written = fflush(stdout) == 0;
            written = (swarm->fleet.log == NULL || fflush(swarm->fleet.log) == 0) && written;
            written = (swarm->serials == NULL || fflush(swarm->serials) == 0) && written;
            return ok && written;
        }
    }
    return unknown();
}
