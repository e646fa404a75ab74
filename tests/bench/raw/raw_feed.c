/* SPDX-License-Identifier: Apache-2.0 */
/**
 * raw-feed: the baseline of every DNS figure: a hand-written client that frames, signs and counts DNS UPDATE messages
 * (RFC 2136, TSIG hmac-sha256 of RFC 8945) over one TCP connection and does nothing else: no store, no retry, replies
 * are judged by id and RCODE only. Uses none of Muster's libraries.
 *
 * raw-feed --server A:P --zone Z --key NAME:BASE64 [--prefix cam-]
 * Commands, one a line on standard input, each answered by one JSON object:
 *   feed N GENERATION K P   the records of N devices, K changes a message, P messages in flight
 *   one DEVICE GENERATION   one change alone: milliseconds to the reply, and until UDP answers it
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX  65535
#define IN_FLIGHT    256
#define NETWORK      0x2d000000u /* 45.0.0.0/8, as the swarm's */
#define TIMEOUT_MS   30000
#define TTL          60
#define ASK_EVERY_NS 200000

struct feed {
    int tcp, udp;
    const char *zone, *prefix;
    uint8_t zone_wire[256], key_wire[256], algorithm_wire[64], secret[128];
    size_t zone_len, key_len, algorithm_len, secret_len;
    uint16_t id;
    bool open[UINT16_MAX + 1]; /* ids of UPDATE messages without a reply yet */
    uint8_t in[MESSAGE_MAX + 2];
    size_t in_len;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static size_t name_to_wire(const char *text, uint8_t *out)
{
    size_t len = 0;
    while (*text != '\0') {
        size_t label = strcspn(text, ".");
        out[len++] = (uint8_t)label;
        memcpy(out + len, text, label);
        len += label;
        text += label + (text[label] == '.');
    }
    out[len++] = 0;
    return len;
}

static void put16(uint8_t **at, unsigned value)
{
    *(*at)++ = (uint8_t)(value >> 8);
    *(*at)++ = (uint8_t)value;
}

static void put32(uint8_t **at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at, value & 0xffff);
}

static void put_bytes(uint8_t **at, const uint8_t *bytes, size_t len)
{
    memcpy(*at, bytes, len);
    *at += len;
}

static uint32_t address_of(unsigned device, unsigned generation)
{
    return NETWORK | ((device + 1 + generation * 1048583u) & 0xffffffu);
}

/** Deletes the RRset and adds the new record: RFC 2136 2.5.2 and 2.5.1. The zone's name stands at offset 12. */
static void put_change(const struct feed *feed, const uint8_t *message, uint8_t **at, unsigned device,
                       unsigned generation)
{
    char label[64];
    size_t offset = (size_t)(*at - message);
    int len = snprintf(label, sizeof(label), "%s%06u", feed->prefix, device);
    *(*at)++ = (uint8_t)len;
    put_bytes(at, (const uint8_t *)label, (size_t)len);
    put16(at, 0xc00c);
    put16(at, 1);   /* A */
    put16(at, 255); /* ANY */
    put32(at, 0);
    put16(at, 0);
    if (offset < 0x4000) {
        put16(at, 0xc000 | (unsigned)offset);
    } else {
        *(*at)++ = (uint8_t)len;
        put_bytes(at, (const uint8_t *)label, (size_t)len);
        put16(at, 0xc00c);
    }
    put16(at, 1);
    put16(at, 1);
    put32(at, TTL);
    put16(at, 4);
    put32(at, address_of(device, generation));
}

/** RFC 8945 4.2 and 5.2. */
static void sign(const struct feed *feed, uint8_t *message, uint8_t **at)
{
    uint8_t *start = *at;
    uint64_t when = (uint64_t)time(NULL);
    uint8_t variables[512];
    uint8_t *v = variables;
    put_bytes(&v, feed->key_wire, feed->key_len);
    put16(&v, 255);
    put32(&v, 0);
    put_bytes(&v, feed->algorithm_wire, feed->algorithm_len);
    put16(&v, (unsigned)(when >> 32));
    put32(&v, (uint32_t)when);
    put16(&v, 300);
    put32(&v, 0); /* error, other length */
    memcpy(start, variables, (size_t)(v - variables));
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    (void)HMAC(EVP_sha256(), feed->secret, (int)feed->secret_len, message,
               (size_t)(start - message) + (size_t)(v - variables), mac,
               &mac_len); /* only fails without memory; the server would refuse the message */
    *at = start;
    put_bytes(at, feed->key_wire, feed->key_len);
    put16(at, 250);
    put16(at, 255);
    put32(at, 0);
    put16(at, (unsigned)(feed->algorithm_len + 16 + mac_len));
    put_bytes(at, feed->algorithm_wire, feed->algorithm_len);
    put16(at, (unsigned)(when >> 32));
    put32(at, (uint32_t)when);
    put16(at, 300);
    put16(at, mac_len);
    put_bytes(at, mac, mac_len);
    put_bytes(at, message, 2); /* original id */
    put32(at, 0);
    message[11] = 1; /* one additional record */
}

/** One framed message with changes first..first+count-1; its bytes. */
static size_t build(struct feed *feed, uint8_t *frame, unsigned first, unsigned count, unsigned generation)
{
    uint8_t *message = frame + 2;
    uint8_t *at = message;
    put16(&at, ++feed->id);
    feed->open[feed->id] = true;
    put16(&at, 5 << 11); /* UPDATE */
    put16(&at, 1);
    put16(&at, 0);
    put16(&at, 2 * count);
    put16(&at, 0);
    put_bytes(&at, feed->zone_wire, feed->zone_len);
    put16(&at, 6); /* SOA */
    put16(&at, 1);
    for (unsigned i = 0; i < count; i++) {
        put_change(feed, message, &at, first + i, generation);
    }
    sign(feed, message, &at);
    size_t len = (size_t)(at - message);
    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    return len + 2;
}

/** Takes whole replies off the buffer. @return how many; -1 for a broken stream or a refusal. */
static int take_replies(struct feed *feed)
{
    ssize_t got = recv(feed->tcp, feed->in + feed->in_len, sizeof(feed->in) - feed->in_len, 0);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    feed->in_len += (size_t)got;
    int replies = 0;
    size_t used = 0;
    while (feed->in_len - used >= 2) {
        size_t len = (size_t)feed->in[used] << 8 | feed->in[used + 1];
        if (len < 12 || feed->in_len - used - 2 < len) {
            break;
        }
        unsigned id = (unsigned)feed->in[used + 2] << 8 | feed->in[used + 3];
        if (!feed->open[id]) {
            (void)fprintf(stderr, "raw-feed: a reply to nothing, id %u\n", id); /* message only */
            return -1;
        }
        feed->open[id] = false;
        if ((feed->in[used + 2 + 3] & 15) != 0) {
            (void)fprintf(stderr, "raw-feed: refused, rcode %d\n", feed->in[used + 2 + 3] & 15); /* message only */
            return -1;
        }
        replies++;
        used += len + 2;
    }
    feed->in_len -= used;
    memmove(feed->in, feed->in + used, feed->in_len);
    return replies;
}

/** @return seconds, negative when it failed. */
static double feed_all(struct feed *feed, unsigned devices, unsigned generation, unsigned batch, unsigned depth,
                       unsigned *ret_messages)
{
    static uint8_t frame[MESSAGE_MAX + 2];
    size_t frame_len = 0;
    size_t frame_sent = 0;
    unsigned next = 0;
    unsigned in_flight = 0;
    double began = now_s();
    *ret_messages = 0;
    while (next < devices || in_flight > 0 || frame_sent < frame_len) {
        if (frame_sent == frame_len && next < devices && in_flight < depth) {
            unsigned count = devices - next < batch ? devices - next : batch;
            frame_len = build(feed, frame, next, count, generation);
            frame_sent = 0;
            next += count;
            in_flight++;
            ++*ret_messages;
        }
        struct pollfd poller = {.fd = feed->tcp, .events = (short)(POLLIN | (frame_sent < frame_len ? POLLOUT : 0))};
        if (poll(&poller, 1, TIMEOUT_MS) <= 0) {
            return -1;
        }
        if ((poller.revents & POLLOUT) != 0) {
            ssize_t sent = send(feed->tcp, frame + frame_sent, frame_len - frame_sent, MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN) {
                return -1;
            }
            frame_sent += sent > 0 ? (size_t)sent : 0;
        }
        if ((poller.revents & ~POLLOUT) != 0) {
            int replies = take_replies(feed);
            if (replies < 0) {
                return -1;
            }
            in_flight -= (unsigned)replies;
        }
    }
    return now_s() - began;
}

/** Whether the server answers the device's address now. */
static bool answers(struct feed *feed, unsigned device, uint32_t address)
{
    uint8_t message[1500] = {0};
    char name[320];
    uint8_t *at = message;
    put16(&at, ++feed->id);
    put16(&at, 0);
    put16(&at, 1);
    at += 6;
    (void)snprintf(name, sizeof(name), "%s%06u.%s", feed->prefix, device,
                   feed->zone); /* fits: both are capped by DNS */
    at += name_to_wire(name, at);
    size_t question_end = (size_t)(at - message) + 4;
    put16(&at, 1);
    put16(&at, 1);
    uint8_t reply[1500];
    struct pollfd poller = {.fd = feed->udp, .events = POLLIN};
    if (send(feed->udp, message, question_end, 0) < 0 || poll(&poller, 1, 100) <= 0) {
        return false;
    }
    ssize_t len = recv(feed->udp, reply, sizeof(reply), 0);
    uint8_t wanted[4];
    uint8_t *w = wanted;
    put32(&w, address);
    return len >= (ssize_t)question_end + 16 && memcmp(reply, message, 2) == 0 && reply[7] == 1 &&
           memcmp(reply + question_end + 12, wanted, sizeof(wanted)) == 0;
}

static bool run_one(struct feed *feed, unsigned device, unsigned generation)
{
    static uint8_t frame[MESSAGE_MAX + 2];
    double began = now_s();
    size_t len = build(feed, frame, device, 1, generation);
    if (send(feed->tcp, frame, len, MSG_NOSIGNAL) != (ssize_t)len) {
        return false;
    }
    int replies = 0;
    while (replies == 0) {
        struct pollfd poller = {.fd = feed->tcp, .events = POLLIN};
        if (poll(&poller, 1, TIMEOUT_MS) <= 0) {
            return false;
        }
        replies = take_replies(feed);
    }
    double replied = now_s();
    while (replies == 1 && !answers(feed, device, address_of(device, generation))) {
        const struct timespec moment = {.tv_nsec = ASK_EVERY_NS};
        (void)nanosleep(&moment, NULL); /* woken early is fine */
        if (now_s() - replied > TIMEOUT_MS / 1e3) {
            return false;
        }
    }
    (void)printf("{\"ok\":true,\"reply_ms\":%.3f,\"ms\":%.3f}\n", (replied - began) * 1e3, (now_s() - began) * 1e3);
    return replies == 1;
}

static bool run_feed(struct feed *feed, unsigned devices, unsigned generation, unsigned batch, unsigned depth)
{
    unsigned messages = 0;
    double cpu = cpu_s();
    double seconds = feed_all(feed, devices, generation, batch, depth, &messages);
    if (seconds < 0) {
        return false;
    }
    (void)printf("{\"ok\":true,\"changes\":%u,\"messages\":%u,\"seconds\":%.6f,\"per_s\":%.1f,\"cpu_s\":%.3f}\n",
                 devices, messages, seconds, devices / seconds, cpu_s() - cpu);
    return true;
}

static int open_socket(int kind, const struct sockaddr_in *server)
{
    int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0 || connect(fd, (const struct sockaddr *)server, sizeof(*server)) != 0) {
        perror("raw-feed");
        exit(1);
    }
    if (kind == SOCK_STREAM) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* slower without, not wrong */
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return fd;
}

static bool set_key(struct feed *feed, char *text)
{
    char *secret = strchr(text, ':');
    if (secret == NULL || strlen(secret + 1) > 160) {
        return false;
    }
    *secret++ = '\0';
    uint8_t bytes[128];
    int len = EVP_DecodeBlock(bytes, (const uint8_t *)secret, (int)strlen(secret));
    for (size_t i = strlen(secret); len > 0 && i > 0 && secret[i - 1] == '='; i--) {
        len--;
    }
    if (len <= 0) {
        return false;
    }
    memcpy(feed->secret, bytes, (size_t)len);
    feed->secret_len = (size_t)len;
    feed->key_len = name_to_wire(text, feed->key_wire);
    feed->algorithm_len = name_to_wire("hmac-sha256", feed->algorithm_wire);
    return true;
}

static bool set_server(char *text, struct sockaddr_in *server)
{
    char *port = strchr(text, ':');
    if (port == NULL) {
        return false;
    }
    *port++ = '\0';
    *server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    return inet_pton(AF_INET, text, &server->sin_addr) == 1;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {{"server", required_argument, NULL, 's'},
                                            {"zone", required_argument, NULL, 'z'},
                                            {"key", required_argument, NULL, 'k'},
                                            {"prefix", required_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    static struct feed feed = {.prefix = "cam-"};
    struct sockaddr_in server = {0};
    bool have_server = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's') {
            have_server = set_server(optarg, &server);
        } else if (c == 'z') {
            feed.zone = optarg;
            feed.zone_len = name_to_wire(optarg, feed.zone_wire);
        } else if (c == 'k') {
            (void)set_key(&feed, optarg); /* looked at below */
        } else if (c == 'p') {
            feed.prefix = optarg;
        }
    }
    if (!have_server || feed.zone == NULL || feed.secret_len == 0) {
        (void)fputs("usage: raw-feed --server A:P --zone Z --key NAME:BASE64 [--prefix TEXT]\n", stderr);
        return 2;
    }
    feed.tcp = open_socket(SOCK_STREAM, &server);
    feed.udp = open_socket(SOCK_DGRAM, &server);
    char line[128];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        unsigned a = 0;
        unsigned b = 0;
        unsigned batch = 0;
        unsigned depth = 0;
        bool ok = false;
        if (sscanf(line, "feed %u %u %u %u", &a, &b, &batch, &depth) == 4 && batch > 0 && depth > 0 &&
            depth <= IN_FLIGHT) {
            ok = run_feed(&feed, a, b, batch, depth);
        } else if (sscanf(line, "one %u %u", &a, &b) == 2) {
            ok = run_one(&feed, a, b);
        }
        if (!ok) {
            (void)puts("{\"ok\":false}");
        }
        if (fflush(stdout) != 0 || !ok) {
            return 1;
        }
    }
    return 0;
}
