/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/network.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent/doctor/judge.h"
#include "base/hostport.h"
#include "base/ip.h"
#include "mqtt/session.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/sockaddr.h"
#include "provisioning/tlspeer.h"

#define STEP_S      5    /* connect, and each read and write of the handshake */
#define SESSION_S   10   /* one attempt */
#define GRACE_MS    5000 /* Paho looks at its time-outs every 3 s */
#define BACKOFF_MS  200
#define KEEPALIVE_S 30
#define DEPENDS     "needs what failed above"

struct question {
    struct loop *loop;
    struct resolve_result result;
    struct errinfo info;
};

static void on_resolved(void *context, const struct resolve_result *result, const struct errinfo *info)
{
    struct question *question = context;
    question->result = *result;
    if (result->len == 0) {
        question->info = *info;
    }
    loop_stop(question->loop);
}

static enum err ask_resolver(struct question *question, const char *host, uint16_t port)
{
    struct resolve *resolve = NULL;
    if (resolve_numeric(host, port, &question->result)) {
        return ERR_OK;
    }
    enum err err = loop_new(&question->loop);
    err = err != ERR_OK ? err : resolve_start(question->loop, host, port, on_resolved, question, &resolve);
    if (err != ERR_OK) {
        (void)errinfo_set(&question->info, err, "dns", 0, "%s", err_text(err)); /* told by the caller */
    } else {
        loop_run(question->loop);
        err = question->result.len > 0 ? ERR_OK : question->info.err;
    }
    loop_free(question->loop);
    return err;
}

static bool check_resolver(struct checks *checks, const char *endpoint, const char *host, uint16_t port,
                           struct resolve_result *ret_result)
{
    struct question question = {0};
    if (ask_resolver(&question, host, port) != ERR_OK) {
        struct finding finding = finding_of(
            CHECK_FAIL, "is the name in broker.endpoints right, and does /etc/resolv.conf name a server that answers?",
            "%s: %s", host, question.info.text);
        (void)checks_add(checks, "resolver", endpoint, &finding); /* its verdict is known */
        return false;
    }
    char text[IP_TEXT_SIZE];
    struct ip first = sockaddr_ip(&question.result.addresses[0]);
    (void)ip_format(&first, text); /* the length is not needed */
    struct finding finding = question.result.len > 1
                                 ? finding_of(CHECK_OK, NULL, "%s and %zu more", text, question.result.len - 1)
                                 : finding_of(CHECK_OK, NULL, "%s", text);
    *ret_result = question.result;
    (void)checks_add(checks, "resolver", endpoint, &finding); /* as above */
    return true;
}

int network_dial(const struct sockaddr_storage *address)
{
    const struct timeval timeout = {.tv_sec = STEP_S};
    socklen_t len = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
        connect(fd, (const struct sockaddr *)address, len) != 0) {
        int saved = errno == EINPROGRESS ? ETIMEDOUT : errno; /* what SO_SNDTIMEO makes of it, socket(7) */
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static const char *dial_hint(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "the machine is there and nothing listens on this port: is the broker running, and the port right?";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "no way there: is there a default route (ip route), and the address right?";
    default:
        return "no answer: a firewall in between, or the machine is off";
    }
}

static int check_tcp(struct checks *checks, const char *endpoint, const struct resolve_result *addresses)
{
    char text[IP_TEXT_SIZE], failed[IP_TEXT_SIZE] = "";
    int error = 0, fd = -1;
    for (size_t i = 0; i < addresses->len && fd < 0; i++) {
        struct ip ip = sockaddr_ip(&addresses->addresses[i]);
        (void)ip_format(&ip, text); /* the length is not needed */
        fd = network_dial(&addresses->addresses[i]);
        if (fd < 0) {
            error = errno;
            memcpy(failed, text, sizeof(failed));
        }
    }
    struct finding finding;
    if (fd < 0) {
        finding = finding_of(CHECK_FAIL, dial_hint(error), "%s: %s", failed, strerror(error));
    } else if (failed[0] != '\0') {
        finding =
            finding_of(CHECK_WARN, dial_hint(error), "connected to %s, not to %s: %s", text, failed, strerror(error));
    } else {
        finding = finding_of(CHECK_OK, NULL, "connected to %s", text);
    }
    (void)checks_add(checks, "tcp", endpoint, &finding); /* the descriptor tells */
    return fd;
}

static bool check_tls(struct checks *checks, const char *endpoint, const char *host, int fd, const char *ca_file,
                      int64_t now_s)
{
    struct tlspeer peer = {0};
    struct errinfo info = {0};
    if (tlspeer_look(fd, host, ca_file, &peer, &info) != ERR_OK) {
        struct finding finding =
            finding_of(CHECK_FAIL, "tls.ca_file must hold the server authority as PEM", "%s", info.text);
        (void)checks_add(checks, "tls", endpoint, &finding); /* its verdict is known */
        (void)checks_skip(checks, "server-cert", endpoint, DEPENDS);
        return false;
    }
    struct finding finding = judge_tls(&peer, host);
    bool good = checks_add(checks, "tls", endpoint, &finding) != CHECK_FAIL;
    if (!peer.has_validity) {
        (void)checks_skip(checks, "server-cert", endpoint, good ? "its dates cannot be read here" : DEPENDS);
        return good;
    }
    const struct cert_validity validity = {.not_before_s = peer.not_before_s, .not_after_s = peer.not_after_s};
    finding = judge_validity(now_s, &validity);
    finding.hint =
        "the broker's certificate: renew it on the broker (muster ca issue --profile server), or set the clock";
    return checks_add(checks, "server-cert", endpoint, &finding) != CHECK_FAIL && good;
}

static void skip_from(struct checks *checks, const char *endpoint, size_t first)
{
    static const char *const names[] = {"tcp", "tls", "server-cert"};
    for (size_t i = first; i < ARRAY_LEN(names); i++) {
        (void)checks_skip(checks, names[i], endpoint, DEPENDS); /* its verdict is known */
    }
}

bool network_check(struct checks *checks, const char *endpoint, const char *ca_file, int64_t now_s)
{
    struct view host_view;
    char host[RESOLVE_HOST_MAX + 1];
    uint16_t port = 0;
    struct errinfo info = {0};
    struct resolve_result addresses;
    enum err err = hostport_parse(view_of(endpoint), &host_view, &port, &info);
    err = err != ERR_OK ? err : view_copy(host_view, host, sizeof(host));
    if (err != ERR_OK) {
        struct finding finding = finding_of(CHECK_FAIL, "correct broker.endpoints", "%s", err_text(err));
        (void)checks_add(checks, "resolver", endpoint, &finding); /* its verdict is known */
        skip_from(checks, endpoint, 0);
        return false;
    }
    if (!check_resolver(checks, endpoint, host, port, &addresses)) {
        skip_from(checks, endpoint, 0);
        return false;
    }
    int fd = check_tcp(checks, endpoint, &addresses);
    if (fd < 0 || ca_file == NULL) {
        skip_from(checks, endpoint, 1);
    }
    bool good = fd >= 0 && ca_file != NULL && check_tls(checks, endpoint, host, fd, ca_file, now_s);
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

struct attempt {
    struct loop *loop;
    struct session *session;
    size_t left; /* failures until it counts as failed */
    bool connected, ending;
    enum err err;
    char reason[CHECK_TEXT_MAX];
};

static void on_ended(void *context)
{
    struct attempt *attempt = context;
    loop_stop(attempt->loop);
}

static void end(struct attempt *attempt)
{
    if (!attempt->ending) {
        attempt->ending = true;
        session_stop(attempt->session, 0, on_ended, attempt);
    }
}

static void on_connected(void *context, const char *endpoint)
{
    struct attempt *attempt = context;
    (void)endpoint;
    attempt->connected = true;
    end(attempt);
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    struct attempt *attempt = context;
    if (attempt->ending) {
        return;
    }
    attempt->err = err;
    (void)snprintf(attempt->reason, sizeof(attempt->reason), "%s", reason != NULL ? reason : ""); /* cut */
    attempt->left--;
    if (attempt->left == 0) {
        end(attempt);
    }
}

static void on_deadline(void *context)
{
    struct attempt *attempt = context;
    if (attempt->reason[0] == '\0') {
        attempt->err = ERR_TIMEOUT;
    }
    end(attempt);
}

static enum err connect_once(struct attempt *attempt, const struct session_options *base, size_t endpoints_len)
{
    struct session_options options = *base;
    struct loop_timer *deadline = NULL;
    enum err err = loop_new(&attempt->loop);
    options.loop = attempt->loop;
    err = err != ERR_OK ? err : loop_timer_new(attempt->loop, on_deadline, attempt, &deadline);
    err = err != ERR_OK ? err : session_new(&options, &attempt->session);
    if (err == ERR_OK) {
        loop_timer_after(deadline, endpoints_len * SESSION_S * 1000 + GRACE_MS);
        session_start(attempt->session);
        loop_run(attempt->loop);
    }
    session_free(attempt->session);
    loop_free(attempt->loop);
    return err;
}

void network_session(struct checks *checks, const struct agent_config *config, const char *device_id,
                     const char *const *endpoints, size_t len)
{
    struct attempt attempt = {.left = len, .err = ERR_TIMEOUT};
    bool own_key = config->tls.key_file != NULL && config->tls.key_file[0] != '\0';
    const struct session_options options = {
        .client_id = device_id,
        .endpoints = endpoints,
        .endpoints_len = len,
        .ca_file = config->tls.ca_file,
        .cert_file = config->tls.cert_file,
        .key_file = own_key ? config->tls.key_file : NULL,
        .keepalive_s = KEEPALIVE_S,
        .connect_timeout_s = SESSION_S,
        .backoff_base_ms = BACKOFF_MS,
        .backoff_cap_ms = BACKOFF_MS,
        .queue_max = 1,
        .callbacks = {.connected = on_connected, .disconnected = on_disconnected},
        .context = &attempt,
    };
    enum err err = connect_once(&attempt, &options, len);
    struct finding finding = judge_session(err != ERR_OK       ? err
                                           : attempt.connected ? ERR_OK
                                                               : attempt.err,
                                           attempt.connected ? "" : attempt.reason);
    (void)checks_add(checks, "connack", device_id, &finding); /* nothing depends on it */
}
