/* SPDX-License-Identifier: Apache-2.0 */
/**
 * source stun: asks one STUN server, or two from one socket (RFC 8489 over UDP; RFC 5780 4.3 for what two tell).
 *
 * Each server has its own transaction: an id of 96 random bits, up to 7 sends. An answer counts from the address that
 * was asked, with the id. The first server's answer is the address; the second one's tells whether the NAT maps each
 * destination anew, and stands in where the first one is silent. Once one has answered, the other has SECOND_MS more.
 * A resolver that fails, or takes longer than RESOLVER_MS, is not waited for where the server's last address is known:
 * it may be behind another path than the one that is asked about.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/detect/asking.h"
#include "agent/detect/rows.h"
#include "agent/detect/sources.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/hostport.h"
#include "net/datagram.h"
#include "net/stun.h"

#define SERVERS      2
#define SECOND_MS    1600 /* three sends and an answer */
#define RESOLVER_MS  1000
#define TROUBLE_SIZE 64

struct source {
    struct askings askings;       /* first: asking_cancel, asking_close */
    const char *servers[SERVERS]; /* host:port, of the config; the second may be NULL */
    size_t servers_len;
    struct ip known4[SERVERS], known6[SERVERS]; /* where they were when last looked up; IP_NONE = never seen */
};

enum state { STATE_RESOLVING, STATE_ASKING, STATE_ANSWERED, STATE_FAILED };

/* One server's part in a question. */
struct transaction {
    struct stun_asking *stun;
    enum state state;
    char host[RESOLVE_HOST_MAX + 1];
    struct resolve *resolve;
    struct ip server;
    uint16_t port;
    uint8_t id[STUN_ID_SIZE];
    unsigned sent;
    uint64_t due_ms; /* of the next send, or of giving up */
    struct ip mapped;
    uint16_t mapped_port;
    char trouble[TROUBLE_SIZE]; /* FAILED, or the network's last word */
};

struct stun_asking {
    struct asking base;
    struct source *source;
    struct datagram *datagram; /* NULL until the first address is known */
    bool begun;
    struct transaction transactions[SERVERS];
};

static void release(struct asking *asking)
{
    struct stun_asking *stun = (struct stun_asking *)asking;
    datagram_free(TAKE(stun->datagram));
    for (size_t i = 0; i < SERVERS; i++) {
        resolve_cancel(TAKE(stun->transactions[i].resolve));
    }
}

static void trouble(struct transaction *transaction, const char *format, ...) PRINTF_LIKE(2, 3);
static void trouble(struct transaction *transaction, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(transaction->trouble, sizeof(transaction->trouble), format, args); /* cut at worst */
    va_end(args);
}

static size_t count(const struct stun_asking *stun, enum state state)
{
    size_t found = 0;
    for (size_t i = 0; i < stun->source->servers_len; i++) {
        found += stun->transactions[i].state == state;
    }
    return found;
}

static void answer_address(struct stun_asking *stun)
{
    const struct transaction *first = &stun->transactions[0];
    const struct transaction *second = &stun->transactions[1];
    const struct transaction *said = first->state == STATE_ANSWERED ? first : second;
    struct source_answer answer = {.status = SOURCE_ANSWER_ADDRESS, .ip = said->mapped};
    char text[IP_TEXT_SIZE];
    (void)ip_format(&said->mapped, text);
    if (count(stun, STATE_ANSWERED) < 2) {
        asking_detail(&answer, "%.48s says %s port %u", said->host, text, (unsigned)said->mapped_port);
    } else if (!ip_equal(&first->mapped, &second->mapped)) {
        char other[IP_TEXT_SIZE];
        (void)ip_format(&second->mapped, other);
        answer.mapping_varies = true;
        asking_detail(&answer, "%.32s says %s, %.32s says %s: the NAT has several", first->host, text, second->host,
                      other);
    } else {
        answer.mapping_varies = first->mapped_port != second->mapped_port;
        asking_detail(&answer, "%.32s and %.32s say %s, port %s", first->host, second->host, text,
                      answer.mapping_varies ? "depends on the server" : "the same");
    }
    asking_end(&stun->base, &answer);
}

static void answer_failure(struct stun_asking *stun)
{
    const struct transaction *all = stun->transactions;
    for (size_t i = 0; i < stun->source->servers_len; i++) {
        if (all[i].trouble[0] == '\0') {
            trouble(&stun->transactions[i], "no answer in %u ms", (unsigned)stun->base.question.timeout_ms);
        }
    }
    bool two = stun->source->servers_len > 1;
    asking_fail(&stun->base, "%.32s: %s%s%.32s%s%s", all[0].host, all[0].trouble, two ? "; " : "",
                two ? all[1].host : "", two ? ": " : "", two ? all[1].trouble : "");
}

static void send_request(struct transaction *transaction, uint64_t now)
{
    uint8_t request[STUN_WRITE_MAX];
    size_t len = stun_write_request(transaction->id, request);
    struct datagram *datagram = transaction->stun->datagram;
    struct view data = view_n((const char *)request, len);
    enum err err = transaction->stun->source->servers_len == 1
                       ? datagram_send(datagram, data)
                       : datagram_send_to(datagram, &transaction->server, transaction->port, data);
    if (err != ERR_OK) { /* as good as lost on the way */
        trouble(transaction, "%s", err_text(err));
    }
    transaction->due_ms = now + stun_wait_ms(++transaction->sent);
}

static struct ip *known_of(const struct transaction *transaction)
{
    const struct stun_asking *stun = transaction->stun;
    struct source *source = stun->source;
    size_t i = (size_t)(transaction - stun->transactions);
    return stun->base.question.family == IP_V4 ? &source->known4[i] : &source->known6[i];
}

static void take_address(struct transaction *transaction, const struct resolve_result *result, enum err why);

/* @return when the resolver has been waited for long enough; UINT64_MAX: nothing is known without it. */
static uint64_t hurry_resolver(struct transaction *transaction, uint64_t now)
{
    uint64_t due = transaction->stun->base.started_ms + RESOLVER_MS;
    if (transaction->state != STATE_RESOLVING || known_of(transaction)->family == IP_NONE) {
        return UINT64_MAX;
    }
    if (now < due) {
        return due;
    }
    resolve_cancel(TAKE(transaction->resolve));
    take_address(transaction, &(struct resolve_result){.len = 0}, ERR_TIMEOUT);
    return UINT64_MAX;
}

/* Sends what is due, ends what can be ended, and arms the timer for what comes next. The asking may be gone after. */
static void go_on(struct stun_asking *stun)
{
    uint64_t now = clock_mono_ms();
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < stun->source->servers_len; i++) {
        struct transaction *transaction = &stun->transactions[i];
        next = MIN(next, hurry_resolver(transaction, now));
        if (transaction->state == STATE_ASKING && transaction->due_ms <= now) {
            if (transaction->sent < STUN_SENDS) {
                send_request(transaction, now);
            } else {
                transaction->state = STATE_FAILED;
            }
        }
        next = transaction->state == STATE_ASKING ? MIN(next, transaction->due_ms) : next;
    }
    bool late = asking_is_late(&stun->base);
    size_t answered = count(stun, STATE_ANSWERED);
    bool open = count(stun, STATE_ASKING) + count(stun, STATE_RESOLVING) > 0;
    if (answered > 0 && (late || !open)) {
        answer_address(stun);
    } else if (late || !open) {
        answer_failure(stun);
    } else {
        asking_wake_at(&stun->base, next);
    }
}

static void take_answer(struct transaction *transaction, struct view data)
{
    struct stun_asking *stun = transaction->stun;
    struct stun_message message;
    enum err err = stun_answer_parse(data, transaction->id, &message);
    if (err == ERR_PARSE || err == ERR_STATE) {
        return; /* anybody can send such */
    }
    transaction->state = STATE_FAILED;
    if (err == ERR_DENIED) {
        trouble(transaction, "refuses with error %u", (unsigned)message.error_code);
    } else if (err != ERR_OK) {
        trouble(transaction, "answers without an address");
    } else if (message.mapped.family != stun->base.question.family) {
        trouble(transaction, "says an address of the other family");
    } else {
        transaction->state = STATE_ANSWERED;
        transaction->mapped = message.mapped;
        transaction->mapped_port = message.mapped_port;
        stun->base.deadline_ms = MIN(stun->base.deadline_ms, clock_mono_ms() + SECOND_MS);
    }
    go_on(stun);
}

static void on_received(void *context, struct view data)
{
    struct stun_asking *stun = context;
    if (stun->transactions[0].state == STATE_ASKING) {
        take_answer(&stun->transactions[0], data);
    }
}

static void on_received_from(void *context, struct view data, const struct ip *from, uint16_t port)
{
    struct stun_asking *stun = context;
    struct stun_message message;
    if (stun_parse(data, &message) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < SERVERS; i++) { /* both may be one server: the id tells them apart then */
        struct transaction *transaction = &stun->transactions[i];
        if (transaction->state == STATE_ASKING && port == transaction->port && ip_equal(from, &transaction->server) &&
            memcmp(message.id, transaction->id, sizeof(message.id)) == 0) {
            take_answer(transaction, data);
            return;
        }
    }
}

static void on_failed(void *context, int errno_value)
{
    struct stun_asking *stun = context;
    trouble(&stun->transactions[0], "%s",
            strerror(errno_value)); /* of one server's socket only; told if none answers */
}

static enum err open_datagram(struct stun_asking *stun, const struct transaction *transaction)
{
    const struct source_question *question = &stun->base.question;
    bool one = stun->source->servers_len == 1;
    struct datagram_options options = {.peer = one ? transaction->server : (struct ip){0},
                                       .port = transaction->port,
                                       .family = question->family,
                                       .bind_device = question->uplink,
                                       .local = question->local,
                                       .longest = STUN_READ_MAX,
                                       .received = on_received,
                                       .received_from = on_received_from,
                                       .failed = on_failed,
                                       .context = stun};
    return stun->datagram != NULL ? ERR_OK : datagram_new(stun->base.askings->loop, &options, &stun->datagram);
}

static void take_address(struct transaction *transaction, const struct resolve_result *result, enum err why)
{
    struct stun_asking *stun = transaction->stun;
    struct ip *known = known_of(transaction);
    *known = result->len > 0 ? asking_address(&stun->base.question, result, &transaction->port) : *known;
    transaction->server = *known;
    transaction->state = STATE_FAILED;
    if (transaction->server.family == IP_NONE) {
        trouble(transaction, "%s", result->len > 0 ? "has no address of this family" : err_text(why));
    } else {
        enum err err = open_datagram(stun, transaction);
        transaction->state = err == ERR_OK ? STATE_ASKING : STATE_FAILED;
        if (err != ERR_OK) {
            trouble(transaction, "cannot send from here: %s", err_text(err));
        }
    }
}

static void on_resolved(void *context, const struct resolve_result *result, const struct errinfo *info)
{
    struct transaction *transaction = context;
    transaction->resolve = NULL;
    take_address(transaction, result, info->err);
    go_on(transaction->stun);
}

static void begin_transaction(struct stun_asking *stun, size_t index)
{
    struct transaction *transaction = &stun->transactions[index];
    struct resolve_result result = {.len = 0};
    struct view host;
    enum err err = hostport_parse(view_of(stun->source->servers[index]), &host, &transaction->port, NULL);
    assert(err == ERR_OK); /* checked when the config was read */
    err = view_copy(host, transaction->host, sizeof(transaction->host));
    assert(err == ERR_OK);
    transaction->stun = stun;
    crypto_random(transaction->id, sizeof(transaction->id));
    if (!resolve_numeric(transaction->host, transaction->port, &result)) {
        err = resolve_start(stun->base.askings->loop, transaction->host, transaction->port, on_resolved, transaction,
                            &transaction->resolve);
    }
    if (transaction->resolve == NULL) {
        take_address(transaction, &result, err);
    }
}

static void on_timer(void *context)
{
    struct stun_asking *stun = context;
    for (size_t i = 0; !stun->begun && i < stun->source->servers_len; i++) {
        begin_transaction(stun, i);
    }
    stun->begun = true;
    go_on(stun);
}

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static enum err check(const struct source_config *config, struct errinfo *info)
{
    struct errinfo why = {0};
    enum err err = rows_check(config, ROWS_SERVER | ROWS_SERVER2, ROWS_SERVER, info);
    if (err != ERR_OK) {
        return err;
    }
    if (hostport_check(view_of(config->server), &why) != ERR_OK) {
        return errinfo_set(info, ERR_INVALID, "detect", 0, "server: %s", why.text);
    }
    if (given(config->server2) && hostport_check(view_of(config->server2), &why) != ERR_OK) {
        return errinfo_set(info, ERR_INVALID, "detect", 0, "server2: %s", why.text);
    }
    return ERR_OK;
}

static enum err open_source(struct loop *loop, const struct source_config *config,
                            const struct source_callbacks *callbacks, struct source **ret_source, struct errinfo *info)
{
    enum err err = check(config, info);
    if (err != ERR_OK) {
        return err;
    }
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return errinfo_set(info, ERR_NOMEM, "detect", 0, "out of memory");
    }
    source->askings = (struct askings){.loop = loop, .callbacks = *callbacks, .on_timer = on_timer, .release = release};
    source->servers[0] = config->server;
    source->servers[1] = config->server2;
    source->servers_len = given(config->server2) ? 2 : 1;
    *ret_source = source;
    return ERR_OK;
}

static bool may_know(const struct source *source, uint8_t family)
{
    bool may = false;
    for (size_t i = 0; i < source->servers_len; i++) {
        may = may || asking_may_know(source->servers[i], family);
    }
    return may;
}

static enum err ask(struct source *source, const struct source_question *question)
{
    if (!may_know(source, question->family)) {
        return ERR_UNSUPPORTED;
    }
    struct stun_asking *stun = calloc(1, sizeof(*stun));
    if (stun == NULL) {
        return ERR_NOMEM;
    }
    stun->source = source;
    return asking_begin(&source->askings, question, &stun->base);
}

const struct source_ops source_stun = {
    .type = "stun",
    .view = SOURCE_VIEW_PATH,
    .min_every_ms = 2 * 1000,           /* 20 bytes there and 44 back at most */
    .default_every_ms = 15 * 60 * 1000, /* one datagram, two with server2 */
    .check = check,
    .open = open_source,
    .ask = ask,
    .cancel = asking_cancel,
    .close = asking_close,
};
