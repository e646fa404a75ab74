/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/pcplisten.h"

#include <stdlib.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "net/datagram.h"

#define BURST       4   /* announcements that are told at once */
#define MILLI_PER_S 100 /* then one in ten seconds */
#define SPREAD_MS   100 /* all cameras of a site hear it at the same moment; the router shall not hear all of them so */

enum { V4, V6, FAMILIES };

struct pcplisten {
    struct loop *loop;           /* borrowed */
    struct pcp_routers *routers; /* borrowed */
    loop_fn announced;
    void *context;
    struct datagram *datagrams[FAMILIES]; /* NULL until joined */
    struct bucket bucket;
    struct loop_timer *timer;
    bool waiting; /* one is to be told when the timer comes */
    enum err err; /* of the last attempt to open */
};

static void on_timer(void *context)
{
    struct pcplisten *listen = context;
    uint64_t now = clock_mono_ms();
    if (!bucket_take(&listen->bucket, 1, now)) {
        loop_timer_after(listen->timer, bucket_wait_ms(&listen->bucket, 1, now));
        return;
    }
    listen->waiting = false;
    listen->announced(listen->context);
}

static void on_received(void *context, struct view data, const struct ip *from, uint16_t port)
{
    struct pcplisten *listen = context;
    struct pcp_reply reply;
    (void)port; /* the standards fix the listener's port only */
    if (pcp_parse_announcement(data, &reply) != ERR_OK ||
        !pcp_routers_announced(listen->routers, from, &reply, clock_boot_ms()) || listen->waiting) {
        return;
    }
    listen->waiting = true;
    loop_timer_after(listen->timer, crypto_random_u64() % SPREAD_MS);
}

enum err pcplisten_new(struct loop *loop, struct pcp_routers *routers, loop_fn announced, void *context,
                       struct pcplisten **ret_listen)
{
    struct pcplisten *listen = calloc(1, sizeof(*listen));
    if (listen == NULL) {
        return ERR_NOMEM;
    }
    *listen = (struct pcplisten){.loop = loop, .routers = routers, .announced = announced, .context = context};
    bucket_init(&listen->bucket, BURST, MILLI_PER_S, clock_mono_ms());
    enum err err = loop_timer_new(loop, on_timer, listen, &listen->timer);
    if (err != ERR_OK) {
        free(listen);
        return err;
    }
    *ret_listen = listen;
    return ERR_OK;
}

void pcplisten_free(struct pcplisten *listen)
{
    if (listen != NULL) {
        for (size_t i = 0; i < FAMILIES; i++) {
            datagram_free(listen->datagrams[i]);
        }
        loop_timer_free(listen->timer);
        free(listen);
    }
}

static enum err open_socket(struct pcplisten *listen, uint8_t family, struct datagram **datagram)
{
    const struct datagram_options options = {
        .family = family,
        .local_port = PCP_ANNOUNCE_PORT,
        .share_port = true,
        .longest = PCP_MAX + 1, /* what is longer is cut to a length that is refused */
        .received_from = on_received,
        .context = listen,
    };
    return datagram_new(listen->loop, &options, datagram);
}

void pcplisten_join(struct pcplisten *listen, uint8_t family, const char *uplink)
{
    static const struct ip groups[FAMILIES] = {
        [V4] = {.family = IP_V4, .bytes = {224, 0, 0, 1}},
        [V6] = {.family = IP_V6, .bytes = {0xff, 0x02, [15] = 1}},
    };
    size_t index = family == IP_V6 ? V6 : V4;
    if (listen == NULL) {
        return;
    }
    if (listen->datagrams[index] == NULL) {
        listen->err = open_socket(listen, family, &listen->datagrams[index]);
    }
    if (listen->datagrams[index] != NULL && uplink[0] != '\0') {
        enum err err = datagram_join(listen->datagrams[index], &groups[index], uplink);
        (void)err; /* fails when it was joined before; and every host hears these two groups of all hosts unasked */
    }
}

const char *pcplisten_trouble(const struct pcplisten *listen)
{
    if (listen == NULL || listen->err == ERR_OK) {
        return "";
    }
    return listen->err == ERR_EXISTS ? "another program has taken port 5350 for itself" : err_text(listen->err);
}
