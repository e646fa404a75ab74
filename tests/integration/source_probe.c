/* SPDX-License-Identifier: Apache-2.0 */
/**
 * source_probe: one address source on a loop of its own, driven by lines, for tests against real servers.
 * usage: source_probe TYPE [SERVER]
 * input:  "ask FAMILY UPLINK LOCAL GATEWAY TIMEOUT_MS" ("-" leaves a field out), "quit"
 * output: "answer FAMILY STATUS ADDRESS FLAGS: DETAIL" (FLAGS: port_control, restarted, varies, no_outside, or -),
 * "announced", "refused ERROR"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/detect/sources.h"
#include "net/bytes.h"

static struct {
    struct loop *loop;
    struct source *source;
    const struct source_ops *ops;
    struct loop_poll *poll;
    struct bytes input;
} probe;

static void on_answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    (void)context;
    static const char *const statuses[] = {"address", "absent", "failed"};
    char ip[IP_TEXT_SIZE];
    size_t len = ip_format(&answer->ip, ip);
    bool none = !answer->port_control && !answer->restarted && !answer->mapping_varies && !answer->no_outside;
    printf("answer %u %s %s %s%s%s%s%s: %s\n", question->family, statuses[answer->status], len > 0 ? ip : "-",
           answer->port_control ? "port_control," : "", answer->restarted ? "restarted," : "",
           answer->mapping_varies ? "varies," : "", answer->no_outside ? "no_outside," : "", none ? "-" : "",
           answer->detail);
}

static void on_announced(void *context)
{
    (void)context;
    printf("announced\n");
}

/* The next word; "" for "-" and where the line is over. */
static struct view word(struct view *line)
{
    struct view field = {0};
    bool more = view_next(line, ' ', &field);
    return more && !view_equals(field, "-") ? field : (struct view){0};
}

static struct ip address(struct view text)
{
    struct ip ip = {0};
    if (text.len > 0 && ip_parse(text, &ip) != ERR_OK) {
        printf("refused: no address\n");
    }
    return ip;
}

static void ask(struct view line)
{
    struct source_question question = {0};
    uint64_t family = 0, timeout_ms = 0;
    enum err err = view_to_u64(word(&line), 6, &family);
    if (err == ERR_OK) {
        err = view_copy(word(&line), question.uplink, sizeof(question.uplink));
    }
    question.family = (uint8_t)family;
    question.local = address(word(&line));
    question.gateway = address(word(&line));
    if (err == ERR_OK) {
        err = view_to_u64(word(&line), UINT32_MAX, &timeout_ms);
    }
    question.timeout_ms = (uint32_t)timeout_ms;
    if (err == ERR_OK) {
        err = probe.ops->ask(probe.source, &question);
    }
    if (err != ERR_OK) {
        printf("refused %s\n", err_name(err));
    }
}

static void on_line(struct view line)
{
    struct view rest = line;
    struct view command = word(&rest);
    if (view_equals(command, "ask")) {
        ask(rest);
    } else {
        loop_stop(probe.loop);
    }
}

static void on_input(void *context, int events)
{
    (void)context;
    (void)events;
    if (bytes_reserve(&probe.input, 256) != ERR_OK) {
        loop_stop(probe.loop);
        return;
    }
    ssize_t got = read(STDIN_FILENO, bytes_tail(&probe.input), 256);
    if (got <= 0) {
        loop_stop(probe.loop);
        return;
    }
    bytes_commit(&probe.input, (size_t)got);
    struct view alive = bytes_view(&probe.input);
    const char *end = NULL;
    while ((end = alive.len > 0 ? memchr(alive.ptr, '\n', alive.len) : NULL) != NULL) {
        size_t len = (size_t)(end - alive.ptr);
        on_line(view_n(alive.ptr, len));
        bytes_consume(&probe.input, len + 1);
        alive = bytes_view(&probe.input);
    }
}

static enum err run(const struct source_config *config, struct errinfo *info)
{
    const struct source_callbacks callbacks = {.answered = on_answered, .announced = on_announced};
    enum err err = loop_new(&probe.loop);
    if (err == ERR_OK) {
        err = probe.ops->check(config, info);
    }
    if (err == ERR_OK) {
        err = probe.ops->open(probe.loop, config, &callbacks, &probe.source, info);
    }
    if (err == ERR_OK) {
        err = loop_poll_new(probe.loop, STDIN_FILENO, on_input, NULL, &probe.poll);
    }
    if (err == ERR_OK) {
        err = loop_poll_events(probe.poll, LOOP_READABLE);
    }
    if (err == ERR_OK) {
        printf("ready\n");
        loop_run(probe.loop);
    }
    loop_poll_free(probe.poll);
    probe.ops->close(probe.source);
    loop_free(probe.loop);
    return err;
}

int main(int argc, char **argv)
{
    bool left_out = false;
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* fails only for a wrong mode */
    probe.ops = argc > 1 ? source_find(argv[1], &left_out) : NULL;
    if (probe.ops == NULL || probe.ops->ask == NULL) {
        (void)fprintf(stderr, "usage: source_probe TYPE [SERVER]\n");
        return EXIT_FAILURE;
    }
    bytes_init(&probe.input, 4096);
    const struct source_config config = {
        .type = argv[1], .name = "", .ip4 = true, .ip6 = true, .server = argc > 2 ? argv[2] : ""};
    struct errinfo info = {0};
    enum err err = run(&config, &info);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", err_name(err), info.text);
    }
    bytes_deinit(&probe.input);
    return err == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
