/* SPDX-License-Identifier: Apache-2.0 */
/**
 * paho-empty: the baseline of every MQTT figure: a subscriber on the same Paho library, over the same mutual TLS, with
 * the same subscriptions as a coordinator, whose callback only counts. Uses none of Muster's libraries.
 *
 * paho-empty --broker A:P --ca FILE --cert FILE --key FILE --id NAME [--filter F] [--keepalive S]
 * Commands, one a line on standard input, each answered by one JSON object:
 *   mark        counts from here
 *   await N     until N messages have come since the mark
 */
#include <MQTTAsync.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SHARDS     256
#define TIMEOUT_S  600
#define POLL_US    1000
#define FILTER_MAX 128

struct client {
    const char *broker, *ca, *cert, *key, *id, *filter;
    int keepalive_s;
    MQTTAsync handle;
    _Atomic uint64_t received, first_ns, last_ns;
    _Atomic int subscribed; /* confirmed filters; -1: failed */
};

static struct client client = {.keepalive_s = 600};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int on_message(void *context, char *topic, int topic_len, MQTTAsync_message *message)
{
    (void)context;
    (void)topic_len;
    uint64_t now = now_ns();
    if (atomic_fetch_add_explicit(&client.received, 1, memory_order_relaxed) == 0) {
        atomic_store_explicit(&client.first_ns, now, memory_order_relaxed);
    }
    atomic_store_explicit(&client.last_ns, now, memory_order_release);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void on_lost(void *context, char *cause)
{
    (void)context;
    (void)cause;
    (void)fputs("paho-empty: connection lost\n", stderr); /* message only */
    atomic_store(&client.subscribed, -1);
}

static void on_failure(void *context, MQTTAsync_failureData5 *data)
{
    (void)context;
    (void)fprintf(stderr, "paho-empty: refused: %d %s\n", data->code,
                  data->message != NULL ? data->message : ""); /* same */
    atomic_store(&client.subscribed, -1);
}

static void on_subscribed(void *context, MQTTAsync_successData5 *data)
{
    (void)context;
    (void)data;
    atomic_fetch_add(&client.subscribed, 1);
}

static void subscribe(const char *filter)
{
    MQTTAsync_callOptions options = MQTTAsync_callOptions_initializer;
    options.onSuccess5 = on_subscribed;
    options.onFailure5 = on_failure;
    options.subscribeOptions.retainHandling = 2;
    if (MQTTAsync_subscribe(client.handle, filter, 0, &options) != MQTTASYNC_SUCCESS) {
        atomic_store(&client.subscribed, -1);
    }
}

static void on_connected(void *context, MQTTAsync_successData5 *data)
{
    (void)context;
    (void)data;
    if (client.filter != NULL) {
        subscribe(client.filter);
        return;
    }
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        char filter[FILTER_MAX];
        (void)snprintf(filter, sizeof(filter), "muster/v1/up/%02x/#", shard); /* fits */
        subscribe(filter);
    }
}

static bool start(void)
{
    char uri[256];
    (void)snprintf(uri, sizeof(uri), "ssl://%s", client.broker); /* a cut URI does not connect */
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    if (MQTTAsync_createWithOptions(&client.handle, uri, client.id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create) !=
            MQTTASYNC_SUCCESS ||
        MQTTAsync_setCallbacks(client.handle, NULL, on_lost, on_message, NULL) != MQTTASYNC_SUCCESS) {
        return false;
    }
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    tls.trustStore = client.ca;
    tls.keyStore = client.cert;
    tls.privateKey = client.key;
    tls.enableServerCertAuth = 1;
    tls.verify = 1;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    options.ssl = &tls;
    options.keepAliveInterval = client.keepalive_s;
    options.cleanstart = 1;
    options.onSuccess5 = on_connected;
    options.onFailure5 = on_failure;
    return MQTTAsync_connect(client.handle, &options) == MQTTASYNC_SUCCESS;
}

static bool wait_for(bool (*done)(uint64_t wanted), uint64_t wanted)
{
    uint64_t end = now_ns() + TIMEOUT_S * 1000000000ull;
    while (!done(wanted)) {
        if (atomic_load(&client.subscribed) < 0 || now_ns() > end) {
            return false;
        }
        (void)usleep(POLL_US); /* woken early is fine */
    }
    return true;
}

static bool enough(uint64_t wanted)
{
    return atomic_load(&client.received) >= wanted;
}

static bool ready(uint64_t wanted)
{
    return atomic_load(&client.subscribed) == (int)wanted;
}

static void report(bool ok, double cpu)
{
    uint64_t received = atomic_load(&client.received);
    double seconds = received > 0 ? (double)(atomic_load(&client.last_ns) - atomic_load(&client.first_ns)) / 1e9 : 0;
    (void)printf("{\"ok\":%s,\"received\":%llu,\"seconds\":%.6f,\"per_s\":%.1f,\"cpu_s\":%.4f}\n",
                 ok ? "true" : "false", (unsigned long long)received, seconds,
                 seconds > 0 ? (double)received / seconds : 0, cpu);
}

static bool parse(int argc, char *argv[])
{
    static const struct option options[] = {
        {"broker", required_argument, NULL, 'b'},    {"ca", required_argument, NULL, 'a'},
        {"cert", required_argument, NULL, 'c'},      {"key", required_argument, NULL, 'k'},
        {"id", required_argument, NULL, 'i'},        {"filter", required_argument, NULL, 'f'},
        {"keepalive", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'b':
            client.broker = optarg;
            break;
        case 'a':
            client.ca = optarg;
            break;
        case 'c':
            client.cert = optarg;
            break;
        case 'k':
            client.key = optarg;
            break;
        case 'i':
            client.id = optarg;
            break;
        case 'f':
            client.filter = optarg;
            break;
        case 's':
            client.keepalive_s = (int)strtol(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    }
    return client.broker != NULL && client.ca != NULL && client.cert != NULL && client.key != NULL && client.id != NULL;
}

int main(int argc, char *argv[])
{
    if (!parse(argc, argv)) {
        (void)fputs(
            "usage: paho-empty --broker A:P --ca FILE --cert FILE --key FILE --id NAME [--filter F] [--keepalive S]\n",
            stderr);
        return 2;
    }
    MQTTAsync_init_options init = MQTTAsync_init_options_initializer;
    init.do_openssl_init = 1;
    MQTTAsync_global_init(&init);
    if (!start() || !wait_for(ready, client.filter != NULL ? 1 : SHARDS)) {
        return 1;
    }
    (void)puts("{\"ok\":true,\"did\":\"connect\"}");
    double marked = cpu_s();
    char line[64];
    while (fflush(stdout) == 0 && fgets(line, sizeof(line), stdin) != NULL) {
        unsigned long long wanted = 0;
        if (sscanf(line, "await %llu", &wanted) == 1) {
            bool ok = wait_for(enough, wanted);
            report(ok, cpu_s() - marked);
        } else if (strcmp(line, "mark\n") == 0) {
            atomic_store(&client.received, 0);
            marked = cpu_s();
            report(true, 0);
        }
    }
    return 0;
}
