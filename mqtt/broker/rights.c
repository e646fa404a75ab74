/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/rights.h"

#include <string.h>

#include "base/macros.h"

enum { READ = 1, WRITE = 2, RETAIN = 4, WILL = 8 };

#define ROOT       "muster/v1/"
#define BLOB_LEVEL 64 /* hex digits of a SHA-256 */

/**
 * A pattern is compared level by level below "muster/v1/" (from the start when it begins with '$'):
 * %s own shard, %i own name, %c own client id, %h 64 lower-case hex digits, + any one level, # all that follows (one
 * level at least).
 */
struct row {
    uint8_t may;
    const char *pattern;
};

/* No will on `state`: the broker stamps no will, so one could carry a stamp of an address that the device once had. */
static const struct row device_rows[] = {
    {WRITE | RETAIN, "up/%s/%i/state"},
    {WRITE | RETAIN | WILL, "up/%s/%i/gone"},
    {WRITE, "up/%s/%i/config"},
    {WRITE, "up/%s/%i/rsp"},
    {WRITE, "up/%s/%i/csr"},
    {READ, "dn/%s/%i/#"},
    {READ, "bc/#"},
    {READ, "blob/%h"},
};

/* coord/<own name>/ holds the state with the leases, and the tick that keeps Paho's receive thread awake. */
static const struct row coord_rows[] = {
    {READ, "up/#"},
    {WRITE | RETAIN, "dn/+/+/dns"},
    {WRITE | RETAIN, "dn/+/+/config"},
    {WRITE, "dn/+/+/cmd"},
    {READ | WRITE | RETAIN, "blob/%h"},
    {WRITE, "bc/sync"},
    {READ, "bc/#"},
    {READ | WRITE | RETAIN, "fleet/#"},
    {WRITE | RETAIN | WILL, "coord/%i/#"},
    {READ, "coord/#"},
    {READ, "seen/#"},
    {READ, "reg/#"},
    {READ, "$SYS/broker/#"},
};

static const struct row viewer_rows[] = {
    {READ, "up/#"}, {READ, "dn/#"}, {READ, "bc/#"}, {READ, "fleet/#"}, {READ, "coord/#"}, {READ, "$SYS/broker/#"},
};

static const struct row prov_rows[] = {
    {READ, "up/+/+/csr"},  {READ, "up/+/+/state"},      {READ, "seen/#"},
    {READ, "coord/+/reg"}, {READ, "coord/+/suspect"},   {WRITE, "dn/+/+/cert"},
    {WRITE, "reg/+/+"},    {WRITE, "coord/+/reg-done"}, {WRITE, "$CONTROL/muster/v1"},
};

static const struct row signer_rows[] = {
    {READ | WRITE | RETAIN, "blob/%h"},
    {READ | WRITE | RETAIN, "bc/keys"},
};

static const struct row bridge_rows[] = {
    {READ, "fleet/#"},
    {WRITE, "fleet/query/+/req"},
};

static const struct row watch_fleet_rows[] = {
    {READ, "fleet/#"},
};

static const struct row watch_all_rows[] = {
    {READ, "fleet/#"}, {READ, "up/#"}, {READ, "dn/#"}, {READ, "bc/#"}, {READ, "coord/#"}, {READ, "$SYS/broker/#"},
};

static const struct row claim_rows[] = {
    {WRITE, "prov/%i/%c/req"},
    {READ, "prov/%i/%c/rsp"},
};

static const struct row enroller_rows[] = {
    {READ, "prov/+/+/req"},
    {WRITE, "prov/+/+/rsp"},
    {WRITE, "$CONTROL/muster/v1"},
};

static const struct row swarm_rows[] = {
    {WRITE | RETAIN, "up/+/+/state"},
    {WRITE | RETAIN | WILL, "up/+/+/gone"},
    {READ, "dn/#"},
    {READ, "bc/#"},
};

#define ROWS(table) .rows = (table), .rows_len = ARRAY_LEN(table)

static const struct {
    const struct row *rows;
    size_t rows_len;
    size_t payload_max;  /* 0: the broker's own limit */
    const char *service; /* prefix of the names of a service; NULL for other roles */
    enum broker_mode mode;
} roles[] = {
    [ROLE_NONE] = {.rows = NULL},
    [ROLE_DEVICE] = {ROWS(device_rows), .payload_max = RIGHTS_UP_PAYLOAD_MAX},
    [ROLE_COORD] = {ROWS(coord_rows), .service = "svc-coord"},
    [ROLE_VIEWER] = {ROWS(viewer_rows), .service = "svc-viewer"},
    [ROLE_PROV] = {ROWS(prov_rows), .service = "svc-prov"},
    [ROLE_SIGNER] = {ROWS(signer_rows), .service = "svc-signer"},
    [ROLE_BRIDGE] = {ROWS(bridge_rows), .service = "svc-bridge"},
    [ROLE_WATCH_FLEET] = {ROWS(watch_fleet_rows)},
    [ROLE_WATCH_ALL] = {ROWS(watch_all_rows)},
    [ROLE_CLAIM] = {ROWS(claim_rows), .payload_max = RIGHTS_UP_PAYLOAD_MAX, .mode = BROKER_PROV},
    [ROLE_ENROLLER] = {ROWS(enroller_rows), .service = "svc-prov", .mode = BROKER_PROV},
    [ROLE_SWARM] = {ROWS(swarm_rows), .payload_max = RIGHTS_UP_PAYLOAD_MAX},
};

bool rights_name_valid(struct view name)
{
    if (name.len == 0 || name.len > DEVICE_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

/** A level of @p len lower-case hexadecimal digits: a wildcard is none. */
static bool is_hex(struct view level, size_t len)
{
    for (size_t i = 0; i < level.len; i++) {
        if (!((level.ptr[i] >= '0' && level.ptr[i] <= '9') || (level.ptr[i] >= 'a' && level.ptr[i] <= 'f'))) {
            return false;
        }
    }
    return level.len == len;
}

bool rights_attempt_valid(struct view client_id)
{
    return is_hex(client_id, RIGHTS_ATTEMPT_LEN);
}

bool rights_name_is_service(struct view name)
{
    return view_starts_with(name, VIEW_LITERAL("svc-"));
}

enum role rights_service_role(enum broker_mode mode, struct view name)
{
    for (size_t role = 0; role < ARRAY_LEN(roles); role++) {
        if (roles[role].service != NULL && roles[role].mode == mode &&
            view_starts_with(name, view_of(roles[role].service))) {
            return (enum role)role;
        }
    }
    return ROLE_NONE;
}

void rights_init(struct rights *rights, enum role role, struct view name, uint8_t shard)
{
    static const char digits[] = "0123456789abcdef";
    bool watcher = role == ROLE_WATCH_FLEET || role == ROLE_WATCH_ALL;
    *rights = (struct rights){.role = ROLE_NONE};
    if (watcher) {
        rights->role = role;
    } else if (rights_name_valid(name)) {
        rights->role = role;
        memcpy(rights->id, name.ptr, name.len);
        rights->shard[0] = digits[shard >> 4];
        rights->shard[1] = digits[shard & 15];
    }
}

void rights_set_attempt(struct rights *rights, struct view client_id)
{
    if (rights_attempt_valid(client_id)) {
        memcpy(rights->attempt, client_id.ptr, client_id.len);
    } else {
        *rights = (struct rights){.role = ROLE_NONE};
    }
}

static bool level_covers(const struct rights *rights, struct view pattern, struct view level)
{
    if (view_equals(pattern, "+")) {
        return !view_equals(level, "#");
    }
    if (pattern.len == 2 && pattern.ptr[0] == '%') {
        switch (pattern.ptr[1]) {
        case 's':
            return view_equals(level, rights->shard);
        case 'i':
            return view_equals(level, rights->id);
        case 'c':
            return view_equals(level, rights->attempt);
        default:
            return is_hex(level, BLOB_LEVEL);
        }
    }
    return view_equal(pattern, level);
}

/** Whether @p pattern covers every topic that @p text, a topic or a filter, stands for. */
static bool covers(const struct rights *rights, struct view pattern, struct view text)
{
    struct view want;
    struct view level;
    while (view_next(&pattern, '/', &want)) {
        if (!view_next(&text, '/', &level)) {
            return false;
        }
        if (view_equals(want, "#")) {
            return true;
        }
        if (!level_covers(rights, want, level)) {
            return false;
        }
    }
    return !view_next(&text, '/', &level);
}

static bool allowed(const struct rights *rights, unsigned needed, struct view text)
{
    const struct view root = VIEW_LITERAL(ROOT);
    bool ours = view_starts_with(text, root);
    struct view below = ours ? view_n(text.ptr + root.len, text.len - root.len) : text;
    for (size_t i = 0; i < roles[rights->role].rows_len; i++) {
        const struct row *row = &roles[rights->role].rows[i];
        if ((row->may & needed) == needed && ours == (row->pattern[0] != '$') &&
            covers(rights, view_of(row->pattern), below)) {
            return true;
        }
    }
    return false;
}

bool rights_may_write(const struct rights *rights, struct view topic, bool retain, size_t payload_len)
{
    size_t payload_max = roles[rights->role].payload_max;
    if (payload_max != 0 && payload_len > payload_max) {
        return false;
    }
    unsigned needed = (retain ? WRITE | RETAIN : WRITE) | (rights->left ? WILL : 0u);
    return allowed(rights, needed, topic);
}

bool rights_may_read(const struct rights *rights, struct view topic)
{
    return allowed(rights, READ, topic);
}

bool rights_may_subscribe(const struct rights *rights, struct view filter)
{
    return allowed(rights, READ, filter);
}
