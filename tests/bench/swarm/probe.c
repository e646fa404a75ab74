/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/swarm/probe.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX 1500
#define TYPE_A      1
#define TYPE_SOA    6

enum err probe_open(struct probe *probe, const struct sockaddr_in *server, const char *zone)
{
    *probe = (struct probe){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .zone = zone};
    if (probe->fd < 0 || connect(probe->fd, (const struct sockaddr *)server, sizeof(*server)) != 0) {
        probe_close(probe);
        return ERR_IO;
    }
    return ERR_OK;
}

void probe_close(struct probe *probe)
{
    if (probe->fd >= 0) {
        (void)close(probe->fd); /* nothing to be done about a failure */
    }
    probe->fd = -1;
}

static size_t put_name(uint8_t *at, struct view name)
{
    size_t len = 0;
    struct view label;
    while (view_next(&name, '.', &label)) {
        if (label.len > 0) {
            at[len++] = (uint8_t)label.len;
            memcpy(at + len, label.ptr, label.len);
            len += label.len;
        }
    }
    return len;
}

void probe_ask(struct probe *probe, struct view label)
{
    uint8_t message[MESSAGE_MAX] = {0};
    probe->id++;
    message[0] = (uint8_t)(probe->id >> 8);
    message[1] = (uint8_t)probe->id;
    message[5] = 1; /* one question */
    size_t len = 12;
    len += put_name(message + len, label);
    len += put_name(message + len, view_of(probe->zone));
    len++; /* the root */
    message[len + 1] = label.len > 0 ? TYPE_A : TYPE_SOA;
    message[len + 3] = 1;                        /* IN */
    (void)!send(probe->fd, message, len + 4, 0); /* a lost question is asked again */
}

/** Past the name at @p at; @p len when it leaves the message. */
static size_t skip_name(const uint8_t *message, size_t len, size_t at)
{
    while (at < len && message[at] != 0) {
        if (message[at] >= 0xc0) {
            return at + 2;
        }
        at += (size_t)message[at] + 1;
    }
    return at + 1;
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void read_answers(const uint8_t *message, size_t len, struct probe_answer *answer)
{
    size_t at = skip_name(message, len, 12);
    unsigned type = at + 4 <= len ? message[at + 1] : 0u;
    unsigned count = (unsigned)message[6] << 8 | message[7];
    answer->is_soa = type == TYPE_SOA;
    at += 4;
    for (unsigned i = 0; i < count; i++) {
        at = skip_name(message, len, at);
        if (at + 10 > len) {
            return;
        }
        size_t size = (size_t)message[at + 8] << 8 | message[at + 9];
        const uint8_t *data = message + at + 10;
        at += 10 + size;
        if (at > len || message[at - size - 9] != type) {
            continue;
        }
        if (type == TYPE_A && size == 4) {
            answer->value = get_u32(data);
            answer->answers++;
        } else if (type == TYPE_SOA && size >= 20) {
            answer->value = get_u32(data + size - 20); /* serial: first of the five numbers at the end */
            answer->answers++;
        }
    }
}

enum err probe_take(struct probe *probe, struct probe_answer *ret_answer)
{
    for (;;) {
        uint8_t message[MESSAGE_MAX];
        ssize_t len = recv(probe->fd, message, sizeof(message), 0);
        if (len < 0) {
            return ERR_AGAIN;
        }
        if (len >= 12 && message[0] == (uint8_t)(probe->id >> 8) && message[1] == (uint8_t)probe->id) {
            struct probe_answer answer = {0};
            read_answers(message, (size_t)len, &answer);
            *ret_answer = answer;
            return ERR_OK;
        }
    }
}
