/* SPDX-License-Identifier: Apache-2.0 */
/**
 * muster-swarm: a fleet of simulated devices against a real broker. Commands come as operands ("storm" "flap 10 5"), or
 * one a line from standard input; each prints one JSON object. `help` lists them.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/args.h"
#include "base/clock.h"
#include "tests/bench/swarm/swarm.h"

#define LINE_MAX_BYTES 256
#define FIELD_OF(name) offsetof(struct swarm_options, name)

static const struct args_row rows[] = {
    {"broker", 'b', "ADDRESS:PORT", ARGS_STRING, FIELD_OF(broker), .help = "The broker, by its IPv4 address"},
    {"ca", 0, "FILE", ARGS_STRING, FIELD_OF(ca), .help = "Authority of the broker's certificate"},
    {"certs", 0, "DIR", ARGS_STRING, FIELD_OF(certs),
     .help = "Certificates: swarm-NNN.pem and .key, or one pair a device with --own-connections"},
    {"devices", 'n', "N", ARGS_U32, FIELD_OF(devices), .min = 1, .max = 10000000, .help = "Size of the fleet"},
    {"connections", 'm', "M", ARGS_U32, FIELD_OF(connections), .min = 1, .max = 1000,
     .help = "Connections that the fleet shares (default 100)"},
    {"own-connections", 0, NULL, ARGS_FLAG, FIELD_OF(own), .help = "A connection for each device"},
    {"no-repeats", 0, NULL, ARGS_FLAG, FIELD_OF(no_repeats),
     .help = "Nobody acknowledges at this broker: devices repeat nothing"},
    {"prefix", 0, "TEXT", ARGS_STRING, FIELD_OF(prefix), .help = "Start of the device ids (default cam-)"},
    {"boot", 0, "N", ARGS_U32, FIELD_OF(boot), .min = 1, .help = "Boot counter of every device (default 1)"},
    {"window", 0, "N", ARGS_U32, FIELD_OF(window), .min = 1, .max = 65535,
     .help = "Unconfirmed messages a connection (default 100; the broker may ask for less)"},
    {"log", 0, "FILE", ARGS_STRING, FIELD_OF(log), .help = "What every device reported: the oracle"},
    {"dns", 0, "ADDRESS:PORT", ARGS_STRING, FIELD_OF(dns), .help = "Authoritative server to watch"},
    {"zone", 0, "ZONE", ARGS_STRING, FIELD_OF(zone), .help = "Zone to watch; the device's id is a label in it"},
    {"serials", 0, "FILE", ARGS_STRING, FIELD_OF(serials), .help = "When each serial of the zone was first seen"},
    {"seed", 0, "N", ARGS_U64, FIELD_OF(seed), .help = "Of all choices by chance (default: from the clock)"},
    {"timeout", 0, "TIME", ARGS_DURATION, FIELD_OF(timeout_ms), .min = 1000, .help = "Of a command (default 120s)"},
    {0},
};

static const struct args_schema schema = {
    .program = "muster-swarm",
    .operands = "[COMMAND...]",
    .summary = "Play a fleet of devices against a broker",
    .rows = rows,
    .operands_max = ARGS_OPERANDS_MAX,
};

static bool run_operand(struct swarm *swarm, const char *text)
{
    char line[LINE_MAX_BYTES];
    if (view_copy(view_of(text), line, sizeof(line)) != ERR_OK) {
        return false;
    }
    return command_run_line(swarm, line);
}

/** Serves the links while no command comes. @return whether every command succeeded. */
static bool run_stdin(struct swarm *swarm)
{
    char line[LINE_MAX_BYTES];
    size_t len = 0;
    bool ok = true;
    for (;;) {
        if (!swarm_serve(swarm, 1000, STDIN_FILENO)) {
            continue;
        }
        ssize_t got = read(STDIN_FILENO, line + len, 1); /* by bytes: nothing may wait in a buffer of ours */
        if (got <= 0) {
            return ok;
        }
        if (line[len] != '\n') {
            len += len < sizeof(line) - 2;
            continue;
        }
        line[len] = '\0';
        len = 0;
        if (strcmp(line, "quit") == 0) {
            return ok;
        }
        ok = command_run_line(swarm, line) && ok;
    }
}

int main(int argc, char *argv[])
{
    struct swarm_options options = {.connections = 100,
                                    .window = 100,
                                    .boot = 1,
                                    .prefix = "cam-",
                                    .zone = "example.net",
                                    .timeout_ms = 120000,
                                    .seed = clock_mono_ns()};
    struct args_result arguments;
    struct strbuf report;
    strbuf_init(&report, 64 * 1024);
    enum err err = args_parse(&schema, argc, argv, &options, &arguments, &report);
    if (err == ERR_OK && arguments.action == ARGS_RUN &&
        (options.broker == NULL || options.ca == NULL || options.certs == NULL || options.devices == 0)) {
        (void)strbuf_adds(&report, "muster-swarm: --broker, --ca, --certs and --devices are required\n"); /* message */
        err = ERR_INVALID;
    }
    if (err != ERR_OK || arguments.action != ARGS_RUN) {
        (void)fputs(strbuf_str(&report), err != ERR_OK ? stderr : stdout); /* message only */
        strbuf_deinit(&report);
        return err != ERR_OK ? 2 : 0;
    }
    strbuf_deinit(&report);
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
    static struct swarm swarm;
    err = swarm_init(&swarm, &options);
    bool ok = err == ERR_OK;
    if (!ok) {
        (void)fprintf(stderr, "muster-swarm: %s\n", err_text(err)); /* message only */
    } else {
        (void)fprintf(stderr, "muster-swarm: devices=%u connections=%zu seed=%" PRIu64 "\n", options.devices,
                      swarm.links_len, options.seed); /* message only */
    }
    for (size_t i = 0; ok && i < arguments.operands_len; i++) {
        ok = run_operand(&swarm, arguments.operands[i]);
    }
    if (ok && arguments.operands_len == 0) {
        ok = run_stdin(&swarm);
    }
    swarm_deinit(&swarm);
    return ok ? 0 : 1;
}
