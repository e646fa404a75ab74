/* SPDX-License-Identifier: Apache-2.0 */
/**
 * source pcp: asks the router what its outside is: PCP (RFC 6887), and NAT-PMP (RFC 6886) where that is refused or gets
 * no answer in half of the question's time. It costs nobody but the router anything, tells double NAT and CGNAT by a
 * private address, and routers announce changes of it by themselves.
 *
 * PCP tells the outer address only with a mapping: one for the port of the question's own socket, deleted as soon as
 * the question ends, and for two minutes at most where the deletion is lost. The socket is connected: the kernel drops
 * what others than the router send, and an answer of PCP must have our nonce.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/detect/asking.h"
#include "agent/detect/pcplisten.h"
#include "agent/detect/rows.h"
#include "agent/detect/sources.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/hostport.h"
#include "net/datagram.h"

#define NEVER UINT64_MAX

struct source {
    struct askings askings; /* first: asking_cancel, asking_close */
    struct ip server;       /* of the config; IP_NONE: the default gateway is asked */
    uint16_t port;
    struct pcp_routers routers;
    struct pcplisten *listen;
};

/* The sends of one protocol. */
struct sends {
    uint64_t due_ms; /* mono; NEVER */
    uint32_t wait_ms;
};

struct pcp_asking {
    struct asking base;
    struct source *source;
    struct ip server;
    struct datagram *datagram; /* NULL until the first turn of the loop */
    struct sends pcp, natpmp;
    struct pcp_map map;
    bool may_be_mapped;       /* a MAP is out and was not refused */
    struct pcp_reply refusal; /* of PCP; its result 0 = none */
};

static enum err parse_server(const char *text, struct ip *ret_ip, uint16_t *ret_port, struct errinfo *info)
{
    struct view host;
    enum err err = hostport_parse(view_of(text), &host, ret_port, info);
    if (err == ERR_OK && ip_parse(host, ret_ip) != ERR_OK) {
        err = errinfo_set(info, ERR_INVALID, "detect", 0, "server: \"%.60s\" is no address; left out, it is the router",
                          text);
    }
    return err;
}

static bool has_server(const struct source_config *config)
{
    return config->server != NULL && config->server[0] != '\0';
}

static enum err check(const struct source_config *config, struct errinfo *info)
{
    struct ip ip;
    uint16_t port;
    enum err err = rows_check(config, ROWS_SERVER, 0, info);
    return err == ERR_OK && has_server(config) ? parse_server(config->server, &ip, &port, info) : err;
}

static void send_bytes(const struct pcp_asking *pcp, const uint8_t *bytes, size_t len)
{
    enum err err = datagram_send(pcp->datagram, view_n((const char *)bytes, len));
    (void)err; /* lost, as any datagram may be */
}

static void send_map(const struct pcp_asking *pcp, uint32_t lifetime_s)
{
    uint8_t request[PCP_MAP_SIZE];
    struct pcp_map map = pcp->map;
    map.lifetime_s = lifetime_s;
    send_bytes(pcp, request, pcp_write_map(&map, request));
}

static void release(struct asking *asking)
{
    struct pcp_asking *pcp = (struct pcp_asking *)asking;
    if (pcp->datagram != NULL && pcp->may_be_mapped) {
        send_map(pcp, 0);
    }
    datagram_free(TAKE(pcp->datagram));
}

static void fail(struct pcp_asking *pcp, const char *why)
{
    char server[IP_TEXT_SIZE];
    (void)ip_format(&pcp->server, server);
    asking_fail(&pcp->base, "%s: %s", server, why);
}

static bool says_no_outside(const struct pcp_reply *reply)
{
    return reply->result == (reply->version == PCP_V2 ? PCP_NETWORK_FAILURE : NATPMP_NETWORK_FAILURE);
}

static void fail_with(struct pcp_asking *pcp, const struct pcp_reply *reply)
{
    struct source_answer answer = {.status = SOURCE_ANSWER_FAILED, .no_outside = says_no_outside(reply)};
    char server[IP_TEXT_SIZE];
    (void)ip_format(&pcp->server, server);
    asking_detail(&answer, "%s: %s %s: %s", server, pcp_version_name(reply->version),
                  pcp_result_name(reply->version, reply->result), pcp_result_remedy(reply->version, reply->result));
    asking_end(&pcp->base, &answer);
}

/* The first refusal says more than "no answer" to what was tried after it. */
static void fail_late(struct pcp_asking *pcp)
{
    if (pcp->refusal.result != PCP_SUCCESS) {
        fail_with(pcp, &pcp->refusal);
        return;
    }
    char server[IP_TEXT_SIZE];
    (void)ip_format(&pcp->server, server);
    asking_fail(&pcp->base, "%s: no answer in %u ms; it has no PCP or NAT-PMP, or it is switched off there", server,
                (unsigned)pcp->base.question.timeout_ms);
}

static void succeed(struct pcp_asking *pcp, const struct pcp_reply *reply)
{
    struct source_question *question = &pcp->base.question;
    struct source_answer answer = {.status = SOURCE_ANSWER_ADDRESS, .ip = reply->external};
    char server[IP_TEXT_SIZE];
    (void)ip_format(&pcp->server, server);
    struct pcp_router *router = pcp_router_get(&pcp->source->routers, question->uplink, &pcp->server, clock_boot_ms());
    answer.restarted = pcp_router_answered(router, reply, clock_boot_ms());
    router->natpmp = reply->version == PCP_NATPMP;
    answer.port_control = pcp->refusal.result == PCP_SUCCESS || pcp->refusal.result == PCP_UNSUPP_VERSION;
    const char *heard = pcplisten_trouble(pcp->source->listen);
    if (answer.port_control) {
        asking_detail(&answer, "%s by %s%s%s%s", server, pcp_version_name(reply->version),
                      answer.restarted ? "; it restarted" : "", heard[0] != '\0' ? "; announcements: " : "", heard);
    } else {
        asking_detail(&answer, "%s by NAT-PMP; PCP %s: %s", server, pcp_result_name(PCP_V2, pcp->refusal.result),
                      pcp_result_remedy(PCP_V2, pcp->refusal.result));
    }
    asking_end(&pcp->base, &answer);
}

/* Whatever PCP cannot do, NAT-PMP may still tell the address; unless the router has none. */
static void take_refusal(struct pcp_asking *pcp, const struct pcp_reply *reply)
{
    pcp->may_be_mapped = false;
    pcp->pcp.due_ms = NEVER;
    pcp->refusal = *reply;
    bool natpmp_failed = pcp->natpmp.due_ms == NEVER; /* or, over IPv6, there is none */
    if (natpmp_failed || says_no_outside(reply)) {
        fail_with(pcp, reply);
        return;
    }
    if (pcp->natpmp.wait_ms == 0) { /* not under way */
        pcp->natpmp.due_ms = 0;
        asking_wake_at(&pcp->base, 0);
    }
}

static void take_reply(struct pcp_asking *pcp, const struct pcp_reply *reply)
{
    if (reply->result != PCP_SUCCESS) {
        fail_with(pcp, reply);
    } else if (reply->external.family == IP_NONE) { /* 0.0.0.0: the same in other words */
        const struct pcp_reply none = {.version = PCP_V2, .result = PCP_NETWORK_FAILURE};
        fail_with(pcp, &none);
    } else if (reply->external.family != pcp->base.question.family) {
        fail(pcp, "it told an address of the other family");
    } else {
        succeed(pcp, reply);
    }
}

static void on_received(void *context, struct view data)
{
    struct pcp_asking *pcp = context;
    struct pcp_reply reply;
    if (pcp->pcp.wait_ms != 0 && pcp_parse_map(data, &pcp->map, &reply) == ERR_OK) {
        if (reply.result != PCP_SUCCESS && pcp->pcp.due_ms != NEVER) {
            take_refusal(pcp, &reply);
        } else if (reply.result == PCP_SUCCESS) {
            take_reply(pcp, &reply);
        }
    } else if (pcp->natpmp.wait_ms != 0 && natpmp_parse(data, &reply) == ERR_OK) {
        if (reply.result == PCP_SUCCESS || pcp->pcp.due_ms == NEVER) {
            take_reply(pcp, &reply);
        } else { /* PCP may know better */
            pcp->natpmp.due_ms = NEVER;
            pcp->pcp.due_ms = pcp->pcp.wait_ms == 0 ? 0 : pcp->pcp.due_ms;
            asking_wake_at(&pcp->base, pcp->pcp.due_ms);
        }
    }
}

static void on_failed(void *context, int errno_value)
{
    struct pcp_asking *pcp = context;
    fail(pcp, errno_value == ECONNREFUSED ? "port closed; switch PCP, NAT-PMP or UPnP on in the router"
                                          : err_text(err_from_errno(errno_value)));
}

static enum err open_socket(struct pcp_asking *pcp)
{
    const struct source_question *question = &pcp->base.question;
    const struct source *source = pcp->source;
    const struct datagram_options options = {
        .peer = pcp->server,
        .port = source->server.family != IP_NONE ? source->port : PCP_PORT,
        .bind_device = question->uplink,
        .local = question->local,
        .received = on_received,
        .failed = on_failed,
        .context = pcp,
    };
    enum err err = datagram_new(source->askings.loop, &options, &pcp->datagram);
    return err == ERR_OK ? datagram_local(pcp->datagram, &pcp->map.client, &pcp->map.internal_port) : err;
}

/* Which of the two is asked first, and from when on the other. */
static void plan_sends(struct pcp_asking *pcp)
{
    const struct source_question *question = &pcp->base.question;
    const struct pcp_router *router =
        pcp_router_get(&pcp->source->routers, question->uplink, &pcp->server, clock_boot_ms());
    uint64_t half = pcp->base.started_ms + question->timeout_ms / 2;
    pcp->pcp.due_ms = router->natpmp ? half : 0;
    pcp->natpmp.due_ms = router->natpmp ? 0 : pcp->server.family == IP_V4 ? half : NEVER;
    crypto_random(pcp->map.nonce, sizeof(pcp->map.nonce));
}

/* @return false: it has failed, and the asking is gone. */
static bool begin(struct pcp_asking *pcp)
{
    const struct source_question *question = &pcp->base.question;
    pcp->server = pcp->source->server.family != IP_NONE ? pcp->source->server : question->gateway;
    if (pcp->server.family != question->family) {
        asking_fail(&pcp->base, "no default gateway with an address; if the router has one, configure server");
        return false;
    }
    enum err err = open_socket(pcp);
    if (err != ERR_OK) {
        fail(pcp, err == ERR_DENIED ? "not permitted; to bind to an interface takes Linux 5.7 or CAP_NET_RAW"
                                    : err_text(err));
        return false;
    }
    pcplisten_join(pcp->source->listen, pcp->server.family, question->uplink);
    plan_sends(pcp);
    return true;
}

static void on_timer(void *context)
{
    struct pcp_asking *pcp = context;
    uint64_t now = clock_mono_ms();
    if (pcp->datagram == NULL && !begin(pcp)) {
        return;
    }
    if (asking_is_late(&pcp->base)) {
        fail_late(pcp);
        return;
    }
    if (pcp->pcp.due_ms <= now) {
        pcp->may_be_mapped = true;
        pcp->pcp.wait_ms = pcp_wait_ms(pcp->pcp.wait_ms, crypto_random_u64());
        pcp->pcp.due_ms = now + pcp->pcp.wait_ms;
        send_map(pcp, PCP_LIFETIME_S);
    }
    if (pcp->natpmp.due_ms <= now) {
        uint8_t request[NATPMP_REQUEST_SIZE];
        pcp->natpmp.wait_ms = natpmp_wait_ms(pcp->natpmp.wait_ms);
        pcp->natpmp.due_ms = now + pcp->natpmp.wait_ms;
        send_bytes(pcp, request, natpmp_write_request(request));
    }
    asking_wake_at(&pcp->base, MIN(pcp->pcp.due_ms, pcp->natpmp.due_ms));
}

static enum err open_pcp(struct loop *loop, const struct source_config *config,
                         const struct source_callbacks *callbacks, struct source **ret_source, struct errinfo *info)
{
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return errinfo_set(info, ERR_NOMEM, "detect", 0, "%s", err_text(ERR_NOMEM));
    }
    source->askings = (struct askings){.loop = loop, .callbacks = *callbacks, .on_timer = on_timer, .release = release};
    enum err err = has_server(config) ? parse_server(config->server, &source->server, &source->port, info) : ERR_OK;
    if (err == ERR_OK && callbacks->announced != NULL) {
        err = pcplisten_new(loop, &source->routers, callbacks->announced, callbacks->context, &source->listen);
        (void)errinfo_set(info, err, "detect", 0, "%s", err_text(err)); /* the error is returned below */
    }
    if (err != ERR_OK) {
        free(source);
        return err;
    }
    *ret_source = source;
    return ERR_OK;
}

static enum err ask(struct source *source, const struct source_question *question)
{
    if (source->server.family != IP_NONE && source->server.family != question->family) {
        return ERR_UNSUPPORTED;
    }
    struct pcp_asking *pcp = calloc(1, sizeof(*pcp));
    if (pcp == NULL) {
        return ERR_NOMEM;
    }
    pcp->source = source;
    return asking_begin(&source->askings, question, &pcp->base);
}

static void close_pcp(struct source *source)
{
    if (source != NULL) {
        pcplisten_free(source->listen);
        asking_close(source);
    }
}

const struct source_ops source_pcp = {
    .type = "pcp",
    .view = SOURCE_VIEW_ROUTER,
    .min_every_ms = 250, /* four datagrams on the link */
    .default_every_ms = 15 * 60 * 1000,
    .check = check,
    .open = open_pcp,
    .ask = ask,
    .cancel = asking_cancel,
    .close = close_pcp,
};
