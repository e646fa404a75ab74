/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks one address source of the agent: detect_probe TYPE [key=value...] [-- COMMAND...]
 *   keys: family (4, 6), uplink, local, gateway, timeout (ms), times (1; each after the answer to the one before); url,
 *   format, ca_file, server, service, address4, ...
 * Prints for each "address IP", "absent" or "failed", then port-control, mapping-varies, no-outside or -, the
 * milliseconds and the detail, in one line; 2 for a refused config.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/detect/sources.h"

static struct {
    struct loop *loop;
    const struct source_ops *ops;
    struct source *source;
    struct source_config config;
    struct source_question question;
    unsigned long times;
} probe = {.question = {.family = IP_V4, .timeout_ms = 10000}, .times = 1};

static void answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    static const char *const statuses[] = {"address", "absent", "failed"};
    char text[IP_TEXT_SIZE];
    (void)context;
    (void)question;
    (void)ip_format(&answer->ip, text);
    (void)printf("%s%s%s\t%s\t%llu\t%s\n", statuses[answer->status], text[0] != '\0' ? " " : "", text,
                 answer->port_control     ? "port-control"
                 : answer->mapping_varies ? "mapping-varies"
                 : answer->no_outside     ? "no-outside"
                                          : "-",
                 (unsigned long long)answer->elapsed_ms, answer->detail);
    if (--probe.times == 0 || probe.ops->ask(probe.source, &probe.question) != ERR_OK) {
        loop_stop(probe.loop);
    }
}

static bool set_ip(struct ip *ip, const char *value)
{
    return ip_parse(view_of(value), ip) == ERR_OK;
}

static bool set(const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **text;
    } texts[] = {
        {"url", &probe.config.url},           {"format", &probe.config.format},   {"ca_file", &probe.config.ca_file},
        {"server", &probe.config.server},     {"server2", &probe.config.server2}, {"address4", &probe.config.address4},
        {"address6", &probe.config.address6}, {"service", &probe.config.service}, {"query", &probe.config.query},
        {"rrtype", &probe.config.rrtype},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(key, texts[i].key) == 0) {
            *texts[i].text = value;
            return true;
        }
    }
    if (strcmp(key, "family") == 0) {
        probe.question.family = (uint8_t)strtoul(value, NULL, 10);
    } else if (strcmp(key, "timeout") == 0) {
        probe.question.timeout_ms = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(key, "times") == 0) {
        probe.times = strtoul(value, NULL, 10);
    } else if (strcmp(key, "uplink") == 0) {
        return view_copy(view_of(value), probe.question.uplink, sizeof(probe.question.uplink)) == ERR_OK;
    } else if (strcmp(key, "local") == 0) {
        return set_ip(&probe.question.local, value);
    } else {
        return strcmp(key, "gateway") == 0 && set_ip(&probe.question.gateway, value);
    }
    return true;
}

static bool read_arguments(int argc, char **argv)
{
    probe.config.type = argv[1];
    for (int i = 2; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (strcmp(argv[i], "--") == 0) {
            probe.config.command = (const char *const *)&argv[i + 1];
            probe.config.command_len = (size_t)(argc - i - 1);
            return true;
        }
        if (equals == NULL) {
            return false;
        }
        *equals = '\0';
        if (!set(argv[i], equals + 1)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    const struct source_callbacks callbacks = {.answered = answered};
    struct errinfo info = {0};
    bool left_out = false;
    if (argc < 2 || !read_arguments(argc, argv)) {
        (void)fprintf(stderr, "detect_probe TYPE [key=value...] [-- COMMAND...]\n");
        return 64;
    }
    probe.ops = source_find(argv[1], &left_out);
    if (probe.ops == NULL) {
        (void)fprintf(stderr, "%s: %s\n", argv[1], left_out ? "left out" : "unknown");
        return 2;
    }
    if (probe.ops->check(&probe.config, &info) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", info.text);
        return 2;
    }
    enum err err = loop_new(&probe.loop);
    if (err == ERR_OK) {
        err = probe.ops->open(probe.loop, &probe.config, &callbacks, &probe.source, &info);
    }
    if (err == ERR_OK) {
        err = probe.ops->ask(probe.source, &probe.question);
    }
    if (err != ERR_OK) {
        (void)fprintf(stderr, "cannot ask: %s: %s\n", err_text(err), info.text);
        return 3;
    }
    loop_run(probe.loop);
    probe.ops->close(probe.source);
    loop_free(probe.loop);
    return 0;
}
