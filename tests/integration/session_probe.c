/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_probe: one session of mqtt/session, driven by lines on stdin, telling by lines on stdout.
 *   session_probe id=ID ca=F cert=F key=F endpoint=H:P [endpoint=...] [will=TOPIC] [tick=TOPIC,MS] [window=N]
 *                 [base=MS] [cap=MS] [timeout=S]
 * Commands: publish QOS RETAIN COUNT TOPIC PAYLOAD | subscribe QOS FILTER | reconnect | cut | gap | shortened | stop
 * DRAIN_MS `cut` ends the connection's socket and reconnects in the same turn of the loop, as the agent does, `gap`
 * tells the longest time that the loop was kept from its 20 ms timer since the last `gap`, `shortened` how many waits
 * of Paho's mqtt/paho_poll.h has shortened.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "mqtt/paho_poll.h"
#include "mqtt/session.h"

#define LINE_MAX_LEN  512
#define ENDPOINTS_MAX 4
#define BEAT_MS       20

struct probe {
    struct loop *loop;
    struct loop_poll *input;
    struct loop_timer *beat;
    struct session *session;
    uint64_t beat_due_ns, gap_ns;
    uint64_t cookie;
    unsigned attempts;
    char line[LINE_MAX_LEN];
    size_t line_len;
};

static void say(const char *format, ...) PRINTF_LIKE(1, 2);
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flockfile(stdout);
    (void)vprintf(format, args);
    (void)printf("\n");
    (void)fflush(stdout);
    funlockfile(stdout);
    va_end(args);
}

static void on_prepare(void *context, struct strbuf *will)
{
    struct probe *probe = context;
    probe->attempts++;
    (void)strbuf_addf(will, "{\"v\":1,\"boot\":1,\"conn\":%u}", probe->attempts); /* strbuf keeps its failure */
    say("prepare %u", probe->attempts);
}

static void on_connected(void *context, const char *endpoint)
{
    (void)context;
    say("up %s", endpoint);
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    (void)context;
    say("down %s %s", err_name(err), reason);
}

static void on_message(void *context, const struct session_message *message)
{
    (void)context;
    say("message %.*s %.*s retained=%d observed=%.*s", VIEW_ARG(message->topic), VIEW_ARG(message->payload),
        message->retained, VIEW_ARG(message->observed));
}

static void on_delivered(void *context, uint64_t cookie, enum err err)
{
    (void)context;
    say("delivered %llu %s", (unsigned long long)cookie, err_name(err));
}

static void on_subscribed(void *context, const char *filter, enum err err)
{
    (void)context;
    say("subscribed %s %s", filter, err_name(err));
}

static void on_stopped(void *context)
{
    struct probe *probe = context;
    say("stopped");
    loop_stop(probe->loop);
}

static void on_beat(void *context)
{
    struct probe *probe = context;
    uint64_t now = clock_mono_ns();
    if (now > probe->beat_due_ns && now - probe->beat_due_ns > probe->gap_ns) {
        probe->gap_ns = now - probe->beat_due_ns;
    }
    probe->beat_due_ns = now + BEAT_MS * UINT64_C(1000000);
    loop_timer_after(probe->beat, BEAT_MS);
}

static void publish(struct probe *probe, const char *line)
{
    unsigned qos;
    unsigned retain;
    unsigned count;
    char topic[200];
    char payload[200];
    if (sscanf(line, "publish %u %u %u %199s %199s", &qos, &retain, &count, topic, payload) != 5) {
        say("error bad publish");
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        enum err err = session_publish(probe->session, &(struct session_publish){.topic = topic,
                                                                                 .payload = view_of(payload),
                                                                                 .qos = (uint8_t)qos,
                                                                                 .retain = retain != 0,
                                                                                 .cookie = ++probe->cookie});
        if (err != ERR_OK) {
            say("refused %llu %s", (unsigned long long)probe->cookie, err_name(err));
        }
    }
}

static void cut(struct probe *probe)
{
    session_hurry(probe->session);
    for (int fd = STDERR_FILENO + 1; fd < 64; fd++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.ss_family == AF_INET) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
    session_reconnect(probe->session);
}

static void run_line(struct probe *probe, const char *line)
{
    unsigned number;
    char text[200];
    if (strncmp(line, "publish ", 8) == 0) {
        publish(probe, line);
    } else if (sscanf(line, "subscribe %u %199s", &number, text) == 2) {
        enum err err =
            session_subscribe(probe->session, &(struct session_filter){.filter = text, .qos = (uint8_t)number});
        if (err != ERR_OK) {
            say("refused %s %s", text, err_name(err));
        }
    } else if (strcmp(line, "reconnect") == 0) {
        session_reconnect(probe->session);
    } else if (strcmp(line, "cut") == 0) {
        cut(probe);
    } else if (strcmp(line, "gap") == 0) {
        say("gap %llu", (unsigned long long)(probe->gap_ns / 1000000));
        probe->gap_ns = 0;
    } else if (strcmp(line, "shortened") == 0) {
        say("shortened %llu", (unsigned long long)paho_poll_shortened());
    } else if (sscanf(line, "stop %u", &number) == 1) {
        session_stop(probe->session, number, on_stopped, probe);
    } else {
        say("error what is %s", line);
    }
}

static void on_input(void *context, int events)
{
    struct probe *probe = context;
    (void)events;
    char buffer[256];
    ssize_t len = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (len <= 0) { /* the test is gone */
        loop_stop(probe->loop);
        return;
    }
    for (ssize_t i = 0; i < len; i++) {
        if (buffer[i] != '\n' && probe->line_len + 1 < LINE_MAX_LEN) {
            probe->line[probe->line_len++] = buffer[i];
        } else {
            probe->line[probe->line_len] = '\0';
            probe->line_len = 0;
            run_line(probe, probe->line);
        }
    }
}

/* Value of "key=value" in argv, NULL when absent; the nth one. */
static char *argument(int argc, char **argv, const char *key, int nth)
{
    size_t len = strlen(key);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], key, len) == 0 && argv[i][len] == '=' && nth-- == 0) {
            return argv[i] + len + 1;
        }
    }
    return NULL;
}

static uint32_t number(int argc, char **argv, const char *key, uint32_t def)
{
    const char *text = argument(argc, argv, key, 0);
    return text != NULL ? (uint32_t)strtoul(text, NULL, 10) : def;
}

static enum err start(struct probe *probe, int argc, char **argv)
{
    const char *endpoints[ENDPOINTS_MAX];
    size_t endpoints_len = 0;
    for (char *at; endpoints_len < ENDPOINTS_MAX && (at = argument(argc, argv, "endpoint", (int)endpoints_len));) {
        endpoints[endpoints_len++] = at;
    }
    char *tick = argument(argc, argv, "tick", 0);
    char *comma = tick != NULL ? strchr(tick, ',') : NULL;
    uint32_t tick_ms = 0;
    if (comma != NULL) {
        *comma = '\0';
        tick_ms = (uint32_t)strtoul(comma + 1, NULL, 10);
    }
    struct session_options options = {
        .loop = probe->loop,
        .client_id = argument(argc, argv, "id", 0),
        .endpoints = endpoints,
        .endpoints_len = endpoints_len,
        .ca_file = argument(argc, argv, "ca", 0),
        .cert_file = argument(argc, argv, "cert", 0),
        .key_file = argument(argc, argv, "key", 0),
        .keepalive_s = number(argc, argv, "keepalive", 30),
        .connect_timeout_s = number(argc, argv, "timeout", 0),
        .backoff_base_ms = number(argc, argv, "base", 100),
        .backoff_cap_ms = number(argc, argv, "cap", 500),
        .window = number(argc, argv, "window", 0),
        .queue_max = 100000,
        .tick_ms = tick_ms,
        .tick_topic = tick,
        .will_topic = argument(argc, argv, "will", 0),
        .callbacks = {on_prepare, on_connected, on_disconnected, on_message, on_delivered, on_subscribed},
        .context = probe,
    };
    return session_new(&options, &probe->session);
}

int main(int argc, char **argv)
{
    struct probe probe = {.beat_due_ns = UINT64_MAX};
    if (loop_new(&probe.loop) != ERR_OK || start(&probe, argc, argv) != ERR_OK ||
        loop_poll_new(probe.loop, STDIN_FILENO, on_input, &probe, &probe.input) != ERR_OK ||
        loop_poll_events(probe.input, LOOP_READABLE) != ERR_OK ||
        loop_timer_new(probe.loop, on_beat, &probe, &probe.beat) != ERR_OK) {
        say("error cannot start");
        return 1;
    }
    loop_timer_after(probe.beat, BEAT_MS);
    session_start(probe.session);
    loop_run(probe.loop);
    loop_poll_free(probe.input);
    loop_timer_free(probe.beat);
    session_free(probe.session);
    loop_free(probe.loop);
    say("freed");
    return 0;
}
