/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/device.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "coordinator/limits.h"
#include "mqtt/topics.h"

#define CHUNK_DEVICES  4096u
#define CHUNKS_MAX     (DEVICES_MAX / CHUNK_DEVICES)
#define ID_BLOCK_BYTES (1u << 16)
#define ID_BLOCKS_MAX  (1u << 16)
#define FIRST_SLOTS    1024u

struct prefix_entry {
    uint32_t index;
    struct ip_prefix prefix;
    struct also6 also;
};

struct more_entry {
    uint32_t index;
    struct device_addresses addresses;
};

struct device_table {
    struct device *chunks[CHUNKS_MAX];
    uint32_t count;
    uint32_t *slots; /* index + 1, 0 = free; linear probing; a power of two */
    uint32_t slots_len;
    uint64_t seed;
    char *id_blocks[ID_BLOCKS_MAX];
    uint32_t id_blocks_len;
    uint32_t id_used;              /* bytes of the newest block */
    struct prefix_entry *prefixes; /* sorted by index; gateways are few beside devices */
    size_t prefixes_len, prefixes_size;
    int64_t also_due_ms, also_seen_ms; /* the first end of all; of those seen in a round of device_also6_ended */
    struct more_entry *more;           /* sorted by index; devices with several uplinks in groups that publish all */
    size_t more_len, more_size;
};

static const char *const presence_names[] = {"unknown", "online", "off", "lost", "late"};

const char *presence_name(enum presence presence)
{
    return (size_t)presence < ARRAY_LEN(presence_names) ? presence_names[presence] : "unknown";
}

enum err device_table_new(struct device_table **ret_table)
{
    struct device_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return ERR_NOMEM;
    }
    table->slots_len = FIRST_SLOTS;
    table->slots = calloc(table->slots_len, sizeof(*table->slots));
    if (table->slots == NULL) {
        free(table);
        return ERR_NOMEM;
    }
    table->seed = crypto_random_u64();
    table->also_due_ms = table->also_seen_ms = ALSO6_NO_END;
    *ret_table = table;
    return ERR_OK;
}

void device_table_free(struct device_table *table)
{
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 0; i * CHUNK_DEVICES < table->count; i++) {
        free(table->chunks[i]);
    }
    for (uint32_t i = 0; i < table->id_blocks_len; i++) {
        free(table->id_blocks[i]);
    }
    free(table->prefixes);
    free(table->more);
    free(table->slots);
    free(table);
}

struct device *device_at(const struct device_table *table, uint32_t index)
{
    assert(index < table->count);
    return &table->chunks[index / CHUNK_DEVICES][index % CHUNK_DEVICES];
}

struct view device_id(const struct device_table *table, const struct device *device)
{
    return view_n(table->id_blocks[device->id_ref / ID_BLOCK_BYTES] + device->id_ref % ID_BLOCK_BYTES, device->id_len);
}

/* A seeded mix over FNV: a device chooses nothing about its id, so this need only spread. */
static uint32_t first_slot(const struct device_table *table, struct view id)
{
    uint64_t hash = (view_hash(id) ^ table->seed) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32) & (table->slots_len - 1);
}

uint32_t device_find(const struct device_table *table, struct view id)
{
    for (uint32_t slot = first_slot(table, id);; slot = (slot + 1) & (table->slots_len - 1)) {
        uint32_t entry = table->slots[slot];
        if (entry == 0) {
            return DEVICE_NONE;
        }
        if (view_equal(device_id(table, device_at(table, entry - 1)), id)) {
            return entry - 1;
        }
    }
}

static void put_slot(struct device_table *table, uint32_t index)
{
    uint32_t slot = first_slot(table, device_id(table, device_at(table, index)));
    while (table->slots[slot] != 0) {
        slot = (slot + 1) & (table->slots_len - 1);
    }
    table->slots[slot] = index + 1;
}

static enum err grow_slots(struct device_table *table)
{
    if ((uint64_t)(table->count + 1) * 4 <= (uint64_t)table->slots_len * 3) {
        return ERR_OK;
    }
    uint32_t *slots = calloc((size_t)table->slots_len * 2, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    free(table->slots);
    table->slots = slots;
    table->slots_len *= 2;
    for (uint32_t i = 0; i < table->count; i++) {
        put_slot(table, i);
    }
    return ERR_OK;
}

static enum err store_id(struct device_table *table, struct view id, uint32_t *ret_ref)
{
    if (table->id_blocks_len == 0 || ID_BLOCK_BYTES - table->id_used < id.len) {
        if (table->id_blocks_len == ID_BLOCKS_MAX) {
            return ERR_LIMIT;
        }
        char *block = malloc(ID_BLOCK_BYTES);
        if (block == NULL) {
            return ERR_NOMEM;
        }
        table->id_blocks[table->id_blocks_len++] = block;
        table->id_used = 0;
    }
    uint32_t block = table->id_blocks_len - 1;
    memcpy(table->id_blocks[block] + table->id_used, id.ptr, id.len);
    *ret_ref = block * ID_BLOCK_BYTES + table->id_used;
    table->id_used += (uint32_t)id.len;
    return ERR_OK;
}

enum err device_add(struct device_table *table, struct view id, uint32_t *ret_index)
{
    uint32_t found = device_find(table, id);
    if (found != DEVICE_NONE) {
        *ret_index = found;
        return ERR_OK;
    }
    if (table->count >= DEVICES_MAX || id.len == 0 || id.len > DEVICE_ID_MAX) {
        return ERR_LIMIT;
    }
    enum err err = grow_slots(table);
    uint32_t ref = 0;
    if (err == ERR_OK && table->count % CHUNK_DEVICES == 0 && table->chunks[table->count / CHUNK_DEVICES] == NULL) {
        table->chunks[table->count / CHUNK_DEVICES] = calloc(CHUNK_DEVICES, sizeof(struct device));
        err = table->chunks[table->count / CHUNK_DEVICES] == NULL ? ERR_NOMEM : ERR_OK;
    }
    if (err == ERR_OK) {
        err = store_id(table, id, &ref);
    }
    if (err != ERR_OK) {
        return err;
    }
    uint32_t index = table->count++;
    struct device *device = device_at(table, index);
    device->id_ref = ref;
    device->id_len = (uint8_t)id.len;
    device->shard = topic_shard(id);
    device->registry_ref = DEVICE_NONE;
    put_slot(table, index);
    *ret_index = index;
    return ERR_OK;
}

uint32_t device_count(const struct device_table *table)
{
    return table->count;
}

size_t device_table_bytes(const struct device_table *table)
{
    size_t chunks = (table->count + CHUNK_DEVICES - 1) / CHUNK_DEVICES;
    return sizeof(*table) + chunks * CHUNK_DEVICES * sizeof(struct device) + table->slots_len * sizeof(*table->slots) +
           (size_t)table->id_blocks_len * ID_BLOCK_BYTES + table->prefixes_size * sizeof(*table->prefixes) +
           table->more_size * sizeof(*table->more);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static struct ip ip_from(enum ip_family family, const uint8_t *bytes, size_t len)
{
    struct ip ip = {0};
    if (!all_zero(bytes, len)) {
        ip.family = (uint8_t)family;
        memcpy(ip.bytes, bytes, len);
    }
    return ip;
}

/* Where the entry of a device stands in a side table, or would. */
static size_t more_position(const struct device_table *table, uint32_t index)
{
    size_t low = 0;
    size_t high = table->more_len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->more[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct device_addresses device_addresses(const struct device_table *table, uint32_t index)
{
    const struct device *device = device_at(table, index);
    if ((device->flags & DEVICE_HAS_MORE) != 0) {
        return table->more[more_position(table, index)].addresses;
    }
    return (struct device_addresses){.ip4 = rrset_value_of(ip_from(IP_V4, device->ip4, sizeof(device->ip4))),
                                     .ip6 = rrset_value_of(ip_from(IP_V6, device->ip6, sizeof(device->ip6)))};
}

static void drop_more(struct device_table *table, uint32_t index)
{
    size_t at = more_position(table, index);
    memmove(&table->more[at], &table->more[at + 1], (table->more_len - at - 1) * sizeof(*table->more));
    table->more_len--;
    device_at(table, index)->flags &= (uint16_t)~DEVICE_HAS_MORE;
}

static bool grow_more(struct device_table *table)
{
    if (table->more_len < table->more_size) {
        return true;
    }
    size_t size = MAX(table->more_size * 2, (size_t)16);
    struct more_entry *grown = realloc(table->more, size * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    table->more = grown;
    table->more_size = size;
    return true;
}

static void put_more(struct device_table *table, uint32_t index, const struct device_addresses *addresses)
{
    struct device *device = device_at(table, index);
    size_t at = more_position(table, index);
    if ((device->flags & DEVICE_HAS_MORE) == 0) {
        if (!grow_more(table)) {
            return; /* the first ones count alone until the next report */
        }
        memmove(&table->more[at + 1], &table->more[at], (table->more_len - at) * sizeof(*table->more));
        table->more_len++;
        device->flags |= DEVICE_HAS_MORE;
    }
    table->more[at] = (struct more_entry){.index = index, .addresses = *addresses};
}

void device_set_addresses(struct device_table *table, uint32_t index, const struct device_addresses *addresses)
{
    struct device *device = device_at(table, index);
    assert(addresses->ip4.len == 0 || addresses->ip4.ips[0].family == IP_V4);
    assert(addresses->ip6.len == 0 || addresses->ip6.ips[0].family == IP_V6);
    static const struct ip none = {0};
    memcpy(device->ip4, addresses->ip4.len > 0 ? addresses->ip4.ips[0].bytes : none.bytes, sizeof(device->ip4));
    memcpy(device->ip6, addresses->ip6.len > 0 ? addresses->ip6.ips[0].bytes : none.bytes, sizeof(device->ip6));
    if (addresses->ip4.len > 1 || addresses->ip6.len > 1) {
        put_more(table, index, addresses);
    } else if ((device->flags & DEVICE_HAS_MORE) != 0) {
        drop_more(table, index);
    }
}

static size_t prefix_position(const struct device_table *table, uint32_t index)
{
    size_t low = 0;
    size_t high = table->prefixes_len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->prefixes[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool device_prefix6(const struct device_table *table, uint32_t index, struct ip_prefix *ret_prefix)
{
    size_t at = prefix_position(table, index);
    if (at == table->prefixes_len || table->prefixes[at].index != index) {
        return false;
    }
    *ret_prefix = table->prefixes[at].prefix;
    return true;
}

void device_set_prefix6(struct device_table *table, uint32_t index, const struct ip_prefix *prefix)
{
    struct device *device = device_at(table, index);
    size_t at = prefix_position(table, index);
    bool present = at < table->prefixes_len && table->prefixes[at].index == index;
    if (prefix->ip.family == IP_NONE) {
        if (present) {
            memmove(&table->prefixes[at], &table->prefixes[at + 1],
                    (table->prefixes_len - at - 1) * sizeof(*table->prefixes));
            table->prefixes_len--;
        }
        device->flags &= (uint16_t)~DEVICE_HAS_PREFIX;
        return;
    }
    if (!present) {
        if (table->prefixes_len == table->prefixes_size) {
            size_t size = MAX(table->prefixes_size * 2, (size_t)16);
            struct prefix_entry *grown = realloc(table->prefixes, size * sizeof(*grown));
            if (grown == NULL) {
                return; /* without memory the old prefix stays away; the next report tries again */
            }
            table->prefixes = grown;
            table->prefixes_size = size;
        }
        memmove(&table->prefixes[at + 1], &table->prefixes[at], (table->prefixes_len - at) * sizeof(*table->prefixes));
        table->prefixes_len++;
    }
    const struct also6 also = present ? table->prefixes[at].also : (struct also6){.len = 0};
    table->prefixes[at] = (struct prefix_entry){.index = index, .prefix = *prefix, .also = also};
    device->flags |= DEVICE_HAS_PREFIX;
}

static struct prefix_entry *find_prefix(const struct device_table *table, uint32_t index)
{
    size_t at = prefix_position(table, index);
    return at < table->prefixes_len && table->prefixes[at].index == index ? &table->prefixes[at] : NULL;
}

void device_set_also6(struct device_table *table, uint32_t index, const struct also6 *also)
{
    struct prefix_entry *entry = find_prefix(table, index);
    if (entry != NULL) { /* else there was no memory for it: the next report tries again */
        entry->also = *also;
        table->also_due_ms = MIN(table->also_due_ms, also6_next_end(also));
        table->also_seen_ms = MIN(table->also_seen_ms, also6_next_end(also));
    }
}

void device_also6(const struct device_table *table, uint32_t index, struct also6 *ret_also)
{
    const struct prefix_entry *entry = find_prefix(table, index);
    *ret_also = entry != NULL ? entry->also : (struct also6){.len = 0};
}

int64_t device_also6_due(const struct device_table *table)
{
    return table->also_due_ms;
}

uint32_t device_also6_ended(struct device_table *table, int64_t now_ms, size_t *at)
{
    if (*at == 0) {
        table->also_seen_ms = ALSO6_NO_END;
    } else { /* what became of the one that was given last */
        table->also_seen_ms = MIN(table->also_seen_ms, also6_next_end(&table->prefixes[*at - 1].also));
    }
    while (*at < table->prefixes_len) {
        const struct prefix_entry *entry = &table->prefixes[(*at)++];
        int64_t end_ms = also6_next_end(&entry->also);
        if (end_ms <= now_ms) {
            return entry->index;
        }
        table->also_seen_ms = MIN(table->also_seen_ms, end_ms);
    }
    table->also_due_ms = table->also_seen_ms;
    return DEVICE_NONE;
}
