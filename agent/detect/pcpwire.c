/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/pcpwire.h"

#include <string.h>

#include "base/macros.h"

#define HEADER_SIZE         24 /* RFC 6887 7.1, 7.2 */
#define RESPONSE            0x80
#define OPCODE_ANNOUNCE     0
#define OPCODE_MAP          1
#define NATPMP_HEADER_SIZE  8
#define NATPMP_ADDRESS_SIZE 12

#define PCP_FIRST_MS    3000 /* RFC 6887 8.1.1: IRT */
#define PCP_LAST_MS     (1024 * 1000)
#define NATPMP_FIRST_MS 250
#define NATPMP_LAST_MS  64000

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

/* Addresses take 16 bytes, IPv4 ones mapped (RFC 6887 5). */
static void put_address(uint8_t *at, const struct ip *ip)
{
    if (ip->family == IP_V6) {
        memcpy(at, ip->bytes, 16);
        return;
    }
    memset(at, 0, 10);
    at[10] = at[11] = 0xff;
    memcpy(at + 12, ip->bytes, 4);
}

/* IP_NONE for an unspecified one: a router without an outer address says 0.0.0.0. */
static struct ip get_address(const uint8_t *at, size_t len)
{
    struct ip ip = {.family = len == 4 ? IP_V4 : IP_V6};
    memcpy(ip.bytes, at, len);
    ip = ip_unmap(ip);
    static const uint8_t zero[16];
    return memcmp(ip.bytes, zero, sizeof(zero)) == 0 ? (struct ip){0} : ip;
}

size_t pcp_write_map(const struct pcp_map *map, uint8_t buffer[static PCP_MAP_SIZE])
{
    static const struct ip any = {.family = IP_V4}, any6 = {.family = IP_V6};
    memset(buffer, 0, PCP_MAP_SIZE);
    buffer[0] = PCP_V2;
    buffer[1] = OPCODE_MAP;
    put32(buffer + 4, map->lifetime_s);
    put_address(buffer + 8, &map->client);
    memcpy(buffer + 24, map->nonce, PCP_NONCE_SIZE);
    buffer[36] = PCP_PROTOCOL_UDP;
    put16(buffer + 40, map->internal_port);
    put_address(buffer + 44, map->client.family == IP_V6 ? &any6 : &any); /* no wish (RFC 6887 11.1) */
    return PCP_MAP_SIZE;
}

size_t natpmp_write_request(uint8_t buffer[static NATPMP_REQUEST_SIZE])
{
    memset(buffer, 0, NATPMP_REQUEST_SIZE); /* version 0, opcode 0 */
    return NATPMP_REQUEST_SIZE;
}

/* What every PCP answer has. */
static enum err parse_header(const uint8_t *data, size_t len, uint8_t opcode, struct pcp_reply *reply)
{
    if (len < HEADER_SIZE || len > PCP_MAX || len % 4 != 0) { /* RFC 6887 8.3 */
        return ERR_PARSE;
    }
    if (data[0] != PCP_V2 || data[1] != (RESPONSE | opcode)) {
        return ERR_STATE;
    }
    *reply = (struct pcp_reply){
        .version = PCP_V2, .result = data[3], .lifetime_s = get32(data + 4), .epoch = get32(data + 8)};
    return ERR_OK;
}

/* @param opcode of the request; a version that is refused names it, or none (RFC 6886 3.5). */
static enum err parse_natpmp(const uint8_t *data, size_t len, uint8_t opcode, struct pcp_reply *reply)
{
    if (len < NATPMP_HEADER_SIZE) {
        return ERR_PARSE;
    }
    if (data[0] != PCP_NATPMP || data[1] != (RESPONSE | opcode)) {
        return ERR_STATE;
    }
    *reply = (struct pcp_reply){.version = PCP_NATPMP, .result = get16(data + 2), .epoch = get32(data + 4)};
    return ERR_OK;
}

static bool answers(const uint8_t *data, const struct pcp_map *map)
{
    return memcmp(data + 24, map->nonce, PCP_NONCE_SIZE) == 0 && data[36] == PCP_PROTOCOL_UDP &&
           get16(data + 40) == map->internal_port;
}

enum err pcp_parse_map(struct view datagram, const struct pcp_map *map, struct pcp_reply *ret_reply)
{
    const uint8_t *data = (const uint8_t *)datagram.ptr;
    struct pcp_reply reply;
    if (datagram.len > 0 && data[0] == PCP_NATPMP) {
        enum err err = parse_natpmp(data, datagram.len, OPCODE_MAP, &reply);
        if (err == ERR_STATE) {
            err = parse_natpmp(data, datagram.len, OPCODE_ANNOUNCE, &reply);
        }
        if (err != ERR_OK || reply.result != PCP_UNSUPP_VERSION) {
            return err != ERR_OK ? err : ERR_STATE; /* an address, maybe: natpmp_parse */
        }
        reply.version = PCP_V2; /* which is what it refuses */
        *ret_reply = reply;
        return ERR_OK;
    }
    enum err err = parse_header(data, datagram.len, OPCODE_MAP, &reply);
    if (err != ERR_OK) {
        return err;
    }
    if (reply.result != PCP_UNSUPP_VERSION) {
        if (datagram.len < PCP_MAP_SIZE) {
            return ERR_PARSE;
        }
        if (!answers(data, map)) {
            return ERR_STATE;
        }
        if (reply.result == PCP_SUCCESS) {
            reply.external_port = get16(data + 42);
            reply.external = get_address(data + 44, 16);
        }
    }
    *ret_reply = reply;
    return ERR_OK;
}

enum err natpmp_parse(struct view datagram, struct pcp_reply *ret_reply)
{
    const uint8_t *data = (const uint8_t *)datagram.ptr;
    struct pcp_reply reply;
    if (datagram.len > 0 && data[0] != PCP_NATPMP) {
        enum err err = parse_header(data, datagram.len, OPCODE_ANNOUNCE, &reply); /* our opcode 0, sent back */
        if (err != ERR_OK || reply.result != PCP_UNSUPP_VERSION) {
            return err != ERR_OK ? err : ERR_STATE;
        }
        reply.version = PCP_NATPMP;
        *ret_reply = reply;
        return ERR_OK;
    }
    enum err err = parse_natpmp(data, datagram.len, OPCODE_ANNOUNCE, &reply);
    if (err != ERR_OK) {
        return err;
    }
    if (reply.result == PCP_SUCCESS) {
        if (datagram.len < NATPMP_ADDRESS_SIZE) {
            return ERR_PARSE;
        }
        reply.external = get_address(data + NATPMP_HEADER_SIZE, 4);
    }
    *ret_reply = reply;
    return ERR_OK;
}

enum err pcp_parse_announcement(struct view datagram, struct pcp_reply *ret_reply)
{
    const uint8_t *data = (const uint8_t *)datagram.ptr;
    struct pcp_reply reply;
    if (datagram.len > 0 && data[0] == PCP_NATPMP) {
        enum err err = natpmp_parse(datagram, &reply);
        if (err == ERR_OK && reply.result == PCP_SUCCESS) {
            *ret_reply = reply;
            return ERR_OK;
        }
        return ERR_PARSE;
    }
    if (parse_header(data, datagram.len, OPCODE_ANNOUNCE, &reply) != ERR_OK || reply.result != PCP_SUCCESS) {
        return ERR_PARSE;
    }
    *ret_reply = reply;
    return ERR_OK;
}

bool pcp_epoch_holds(const struct pcp_epoch *epoch, enum pcp_version version, uint32_t server_s, uint64_t now_ms)
{
    if (!epoch->known || epoch->version != version) {
        return true;
    }
    uint64_t client = now_ms > epoch->client_ms ? now_ms - epoch->client_ms : 0;
    if (version == PCP_NATPMP) { /* slower than ours by an eighth and 2 s at most; ahead of ours is no sign */
        return (uint64_t)server_s * 1000 + 2000 >= (uint64_t)epoch->server_s * 1000 + client * 7 / 8;
    }
    if (server_s < epoch->server_s) {
        return epoch->server_s - server_s <= 1; /* answers that overtook each other */
    }
    uint64_t server = (uint64_t)(server_s - epoch->server_s) * 1000;
    return client + 2000 >= server - server / 16 && server + 2000 >= client - client / 16;
}

void pcp_epoch_set(struct pcp_epoch *epoch, enum pcp_version version, uint32_t server_s, uint64_t now_ms)
{
    *epoch = (struct pcp_epoch){.known = true, .version = version, .server_s = server_s, .client_ms = now_ms};
}

struct words {
    const char *name, *remedy;
};

/* RFC 6887 7.4. */
static const struct words pcp_words[] = {
    {"SUCCESS", "the router opened a port"},
    {"UNSUPP_VERSION", "the router speaks another version; NAT-PMP is asked instead"},
    {"NOT_AUTHORIZED", "the router does not open ports for this device; allow it there"},
    {"MALFORMED_REQUEST", "the router does not understand the request; update the router"},
    {"UNSUPP_OPCODE", "the router opens no ports; switch port mapping on"},
    {"UNSUPP_OPTION", "the router misread the request; update the router"},
    {"MALFORMED_OPTION", "the router misread the request; update the router"},
    {"NETWORK_FAILURE", "the router has no outer address yet, or a private one; look at its WAN"},
    {"NO_RESOURCES", "the router has no room for a mapping, or its WAN is private"},
    {"UNSUPP_PROTOCOL", "the router opens no UDP ports"},
    {"USER_EX_QUOTA", "this device has too many mappings on the router; delete some"},
    {"CANNOT_PROVIDE_EXTERNAL", "the router cannot give an outer address; look at its WAN"},
    {"ADDRESS_MISMATCH", "another NAT stands between this device and the router"},
    {"EXCESSIVE_REMOTE_PEERS", "the router misread the request; update the router"},
};

/* RFC 6886 3.5. */
static const struct words natpmp_words[] = {
    {"success", "the router told its address"},
    {"unsupported version", "the router speaks PCP only"},
    {"not authorized", "the router has NAT-PMP switched off; switch it on"},
    {"network failure", "the router has no outer address yet, or a private one; look at its WAN"},
    {"out of resources", "the router has no room for more mappings"},
    {"unsupported opcode", "the router does not tell its address; update it"},
};

static const struct words *find_words(enum pcp_version version, uint16_t result)
{
    static const struct words unknown = {"unknown result", "not a result of the standard; see the router's log"};
    const struct words *table = version == PCP_V2 ? pcp_words : natpmp_words;
    size_t len = version == PCP_V2 ? ARRAY_LEN(pcp_words) : ARRAY_LEN(natpmp_words);
    return result < len ? &table[result] : &unknown;
}

const char *pcp_result_name(enum pcp_version version, uint16_t result)
{
    return find_words(version, result)->name;
}

const char *pcp_result_remedy(enum pcp_version version, uint16_t result)
{
    return find_words(version, result)->remedy;
}

const char *pcp_version_name(enum pcp_version version)
{
    return version == PCP_V2 ? "PCP" : "NAT-PMP";
}

uint32_t pcp_wait_ms(uint32_t previous_ms, uint64_t random)
{
    uint32_t base = previous_ms == 0 ? PCP_FIRST_MS : MIN(previous_ms, (uint32_t)PCP_LAST_MS / 2) * 2;
    uint32_t tenth = base / 10;
    return base - tenth + (uint32_t)(random % (2 * tenth + 1));
}

uint32_t natpmp_wait_ms(uint32_t previous_ms)
{
    return previous_ms == 0 ? NATPMP_FIRST_MS : MIN(previous_ms * 2, (uint32_t)NATPMP_LAST_MS);
}
