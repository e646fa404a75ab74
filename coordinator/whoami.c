/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/whoami.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/hostport.h"
#include "base/log.h"
#include "coordinator/limits.h"
#include "coordinator/netlimit.h"
#include "net/httpd.h"
#include "net/stun.h"
#include "net/udpserver.h"

_Static_assert((int)STUN_WRITE_MAX <= (int)UDPSERVER_REPLY_MAX, "an answer fits");

struct limits {
    struct netlimit *stun, *https; /* owned */
};

/* Certificate and key as they were read; the key is secret. */
struct pair {
    char *cert, *key; /* owned */
    size_t cert_len, key_len;
};

struct whoami {
    struct loop *loop;
    struct udpserver *stun[WHOAMI_LISTEN_MAX];
    struct httpd *https[WHOAMI_LISTEN_MAX];
    size_t stun_len, https_len;
    uint32_t rate, burst;
    struct limits limits;
    uint8_t cert_digest[SHA256_SIZE], key_digest[SHA256_SIZE]; /* of what is served */
    struct whoami_stats stats;
};

/* ---- the question ---- */

static bool pass(struct netlimit *limit, struct whoami_count *count, const struct ip *peer, uint32_t tokens,
                 uint64_t now_ms)
{
    enum netlimit_verdict verdict = netlimit_take(limit, peer, tokens, now_ms);
    count->asked++;
    count->limited += verdict == NETLIMIT_NETWORK;
    count->overload += verdict == NETLIMIT_TOTAL;
    return verdict == NETLIMIT_PASS;
}

size_t whoami_answer_stun(struct whoami *whoami, const struct ip *peer, uint16_t peer_port, struct view datagram,
                          uint64_t now_ms, uint8_t *reply)
{
    struct stun_message request;
    if (stun_parse(datagram, &request) != ERR_OK) {
        whoami->stats.stun_malformed++;
        return 0;
    }
    if (request.msg_class != STUN_REQUEST || request.method != STUN_BINDING) {
        whoami->stats.stun_method++;
        return 0;
    }
    if (!pass(whoami->limits.stun, &whoami->stats.stun, peer, 1, now_ms)) {
        return 0;
    }
    if (request.unknown_len > 0) {
        whoami->stats.stun_attribute++;
    } else {
        whoami->stats.stun.answered++;
    }
    return stun_write_answer(&request, peer, peer_port, reply);
}

static size_t on_datagram(void *context, const struct ip *peer, uint16_t peer_port, struct view data, uint8_t *reply)
{
    struct whoami *whoami = context;
    return whoami_answer_stun(whoami, peer, peer_port, data, loop_now_ms(whoami->loop), reply);
}

static bool on_admit(void *context, const struct ip *peer)
{
    struct whoami *whoami = context;
    return pass(whoami->limits.https, &whoami->stats.https, peer, WHOAMI_TLS_COST, loop_now_ms(whoami->loop));
}

/** Of "text/html, application/json;q=0.9" the names alone: whoever names JSON can read it. */
static bool accepts_json(struct view accept)
{
    struct view range, name;
    while (view_next(&accept, ',', &range)) {
        if (view_next(&range, ';', &name) && view_equal_nocase(view_trim(name), VIEW_LITERAL("application/json"))) {
            return true;
        }
    }
    return false;
}

static void get_whoami(void *context, struct httpd_request *request)
{
    struct whoami *whoami = context;
    struct view format = httpd_request_query(request, "format");
    bool json =
        format.ptr != NULL ? view_equals(format, "json") : accepts_json(httpd_request_header(request, "accept"));
    if (format.ptr != NULL && !json && !view_equals(format, "text")) {
        httpd_reply_error(request, 400, "bad-query", "format is text or json");
        return;
    }
    char address[IP_TEXT_SIZE], body[IP_TEXT_SIZE + 16];
    struct ip peer = httpd_request_peer(request).ip;
    (void)ip_format(&peer, address); /* its length is of no interest */
    int len = snprintf(body, sizeof(body), json ? "{\"ip\":\"%s\"}\n" : "%s\n", address);
    assert(len > 0 && (size_t)len < sizeof(body));
    whoami->stats.https.answered++;
    httpd_reply(request, &(struct httpd_reply){.status = 200,
                                               .content_type = json ? "application/json" : "text/plain",
                                               .body = view_n(body, (size_t)len)});
}

static const struct httpd_route ROUTES[] = {
    {.method = "GET", .path = "/whoami", .handler = get_whoami, .query = "format"},
};

/* ---- life ---- */

static void limits_deinit(struct limits *limits)
{
    netlimit_free(limits->stun);
    netlimit_free(limits->https);
    *limits = (struct limits){0};
}

static enum err limits_init(struct limits *limits, const struct coordinator_config *config, uint64_t now_ms)
{
    struct netlimit_options options = {
        .per_s = config->whoami.rate,
        .burst = config->whoami.burst,
        .total_per_s = WHOAMI_STUN_PER_S,
        .total_burst = WHOAMI_STUN_PER_S,
        .networks_max = WHOAMI_NETWORKS_MAX,
        .seed = crypto_random_u64(),
    };
    enum err err = netlimit_new(&options, now_ms, &limits->stun);
    if (err == ERR_OK) {
        options.total_per_s = WHOAMI_TLS_PER_S * WHOAMI_TLS_COST;
        options.total_burst = options.total_per_s * WHOAMI_TLS_BURST_S;
        err = netlimit_new(&options, now_ms, &limits->https);
    }
    if (err != ERR_OK) {
        limits_deinit(limits);
    }
    return err;
}

static void pair_deinit(struct pair *pair)
{
    if (pair->key != NULL) {
        crypto_zeroise(pair->key, pair->key_len);
    }
    free(pair->key);
    free(pair->cert);
}

static enum err pair_read(struct pair *pair, const struct coordinator_config *config, struct errinfo *info)
{
    const char *path = config->whoami.cert_file;
    enum err err = file_read(path, WHOAMI_PEM_MAX, &pair->cert, &pair->cert_len);
    if (err == ERR_OK) {
        path = config->whoami.key_file;
        err = file_read(path, WHOAMI_PEM_MAX, &pair->key, &pair->key_len);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "whoami", 0, "%s: %s", path, err_text(err));
}

/** @return whether they are others than before. */
static bool note_pair(struct whoami *whoami, const struct pair *pair)
{
    uint8_t cert[SHA256_SIZE], key[SHA256_SIZE];
    crypto_sha256(view_n(pair->cert, pair->cert_len), cert);
    crypto_sha256(view_n(pair->key, pair->key_len), key);
    bool same =
        crypto_equal(cert, whoami->cert_digest, sizeof(cert)) && crypto_equal(key, whoami->key_digest, sizeof(key));
    memcpy(whoami->cert_digest, cert, sizeof(cert));
    memcpy(whoami->key_digest, key, sizeof(key));
    return !same;
}

/* The config's check has read it before. */
static enum err read_address(const char *text, struct ip *ret_ip, uint16_t *ret_port, struct errinfo *info)
{
    struct view host;
    enum err err = hostport_parse(view_of(text), &host, ret_port, info);
    return err == ERR_OK ? ip_parse(host, ret_ip) : err;
}

static enum err open_stun(struct whoami *whoami, const struct coordinator_config *config, struct errinfo *info)
{
    for (size_t i = 0; i < config->whoami.stun_listen.len; i++) {
        const char *address = config->whoami.stun_listen.items[i];
        struct udpserver_options options = {.answer = on_datagram, .context = whoami};
        enum err err = read_address(address, &options.ip, &options.port, info);
        if (err == ERR_OK) {
            err = udpserver_new(whoami->loop, &options, &whoami->stun[i], info);
        }
        if (err != ERR_OK) {
            return err;
        }
        whoami->stun_len++;
        log_event(LOG_LEVEL_NOTICE, "whoami-listening", "via=stun address=%s", address);
    }
    return ERR_OK;
}

/** @param old NULL, or the server that this one follows on the same socket. */
static enum err open_one_https(struct whoami *whoami, const struct pair *pair, const char *address,
                               const struct httpd *old, struct httpd **ret_httpd, struct errinfo *info)
{
    const struct httpd_public open = {
        .cert_pem = pair->cert, .key_pem = pair->key, .admit = on_admit, .successor_of = old};
    struct httpd_options options = {
        .open = &open, .routes = ROUTES, .routes_len = ARRAY_LEN(ROUTES), .context = whoami};
    enum err err = address != NULL ? read_address(address, &options.ip, &options.port, info) : ERR_OK;
    return err == ERR_OK ? httpd_new(whoami->loop, &options, ret_httpd, info) : err;
}

static enum err open_https(struct whoami *whoami, const struct coordinator_config *config, struct errinfo *info)
{
    struct pair pair CLEANUP(pair_deinit) = {0};
    enum err err = config->whoami.listen.len > 0 ? pair_read(&pair, config, info) : ERR_OK;
    for (size_t i = 0; i < config->whoami.listen.len && err == ERR_OK; i++) {
        const char *address = config->whoami.listen.items[i];
        err = open_one_https(whoami, &pair, address, NULL, &whoami->https[i], info);
        if (err == ERR_OK) {
            whoami->https_len++;
            log_event(LOG_LEVEL_NOTICE, "whoami-listening", "via=https address=%s", address);
        }
    }
    if (err == ERR_OK && whoami->https_len > 0) {
        (void)note_pair(whoami, &pair); /* the first is always another */
    }
    return err;
}

enum err whoami_new(struct loop *loop, const struct coordinator_config *config, struct whoami **ret_whoami,
                    struct errinfo *info)
{
    struct whoami *whoami = calloc(1, sizeof(*whoami));
    if (whoami == NULL) {
        return errinfo_set(info, ERR_NOMEM, "whoami", 0, "out of memory");
    }
    whoami->loop = loop;
    whoami->rate = config->whoami.rate;
    whoami->burst = config->whoami.burst;
    enum err err = limits_init(&whoami->limits, config, loop_now_ms(loop));
    if (err == ERR_OK) {
        err = open_stun(whoami, config, info);
    }
    if (err == ERR_OK) {
        err = open_https(whoami, config, info);
    }
    if (err != ERR_OK) {
        whoami_free(whoami);
        return err;
    }
    *ret_whoami = whoami;
    return ERR_OK;
}

void whoami_free(struct whoami *whoami)
{
    if (whoami == NULL) {
        return;
    }
    for (size_t i = 0; i < whoami->stun_len; i++) {
        udpserver_free(whoami->stun[i]);
    }
    for (size_t i = 0; i < whoami->https_len; i++) {
        httpd_free(whoami->https[i]);
    }
    limits_deinit(&whoami->limits);
    free(whoami);
}

static enum err reload_pair(struct whoami *whoami, const struct coordinator_config *config, struct errinfo *info)
{
    struct pair pair CLEANUP(pair_deinit) = {0};
    enum err err = pair_read(&pair, config, info);
    if (err != ERR_OK || !note_pair(whoami, &pair)) {
        return err;
    }
    struct httpd *fresh[WHOAMI_LISTEN_MAX] = {0};
    for (size_t i = 0; i < whoami->https_len && err == ERR_OK; i++) {
        err = open_one_https(whoami, &pair, NULL, whoami->https[i], &fresh[i], info);
    }
    for (size_t i = 0; i < whoami->https_len; i++) {
        httpd_free(err == ERR_OK ? whoami->https[i] : fresh[i]);
        whoami->https[i] = err == ERR_OK ? fresh[i] : whoami->https[i];
    }
    if (err != ERR_OK) {
        memset(whoami->cert_digest, 0, sizeof(whoami->cert_digest)); /* the next reload tries again */
    } else {
        log_event(LOG_LEVEL_NOTICE, "whoami-certificate", "file=%s", config->whoami.cert_file);
    }
    return err;
}

enum err whoami_reload(struct whoami *whoami, const struct coordinator_config *config, struct errinfo *info)
{
    struct limits limits = {0};
    bool other = whoami->rate != config->whoami.rate || whoami->burst != config->whoami.burst;
    enum err err = other ? limits_init(&limits, config, loop_now_ms(whoami->loop)) : ERR_OK;
    if (err == ERR_OK && whoami->https_len > 0 && config->whoami.listen.len > 0) {
        err = reload_pair(whoami, config, info);
    }
    if (err != ERR_OK) {
        limits_deinit(&limits);
        return err;
    }
    if (limits.stun != NULL) {
        limits_deinit(&whoami->limits);
        whoami->limits = limits;
    }
    whoami->rate = config->whoami.rate;
    whoami->burst = config->whoami.burst;
    return ERR_OK;
}

void whoami_stats(const struct whoami *whoami, struct whoami_stats *ret_stats)
{
    *ret_stats = whoami->stats;
    for (size_t i = 0; i < whoami->stun_len; i++) {
        struct udpserver_stats stats;
        udpserver_stats(whoami->stun[i], &stats);
        ret_stats->stun_malformed += stats.oversized;
        ret_stats->stun_unsent += stats.unsent;
    }
}
