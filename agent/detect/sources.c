/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/sources.h"

#include <string.h>

#include "base/macros.h"

/* Of a period: two polls, which come up to a fifth late but are repeated soon after a failure. */
#define FRESH_THIRDS 7

/* interface and observed are events, not questions: the shell makes their answers from netlink and from the
 * coordinator's answer. They have no rows beyond those that every source has. */
static enum err check_event(const struct source_config *config, struct errinfo *info)
{
    if (config->every_ms != 0) {
        return errinfo_set(info, ERR_INVALID, "detect", 0, "every: %s comes by event and is never asked; leave it out",
                           config->type);
    }
    if (config->uplink != NULL && config->uplink[0] != '\0') {
        return errinfo_set(info, ERR_INVALID, "detect", 0, "uplink: %s tells of each uplink by itself; leave it out",
                           config->type);
    }
    return ERR_OK;
}

static const struct source_ops source_interface = {
    .type = "interface", .view = SOURCE_VIEW_LOCAL, .check = check_event};

static const struct source_ops source_observed = {.type = "observed", .view = SOURCE_VIEW_PATH, .check = check_event};

struct row {
    const char *type;
    const struct source_ops *ops; /* NULL: not in this build */
};

/* agent/CMakeLists.txt defines MUSTER_SOURCE_<TYPE> as 1 or 0. */
#define ROW_1(name)                                                                                                    \
    {                                                                                                                  \
        .type = #name, .ops = &source_##name                                                                           \
    }
#define ROW_0(name)                                                                                                    \
    {                                                                                                                  \
        .type = #name                                                                                                  \
    }
#define ROW_IF(on, name) ROW_##on(name)
#define ROW(on, name)    ROW_IF(on, name)

static const struct row rows[] = {
    ROW(1, interface),
    ROW(1, observed),
    ROW(MUSTER_SOURCE_DNS, dns),
    ROW(MUSTER_SOURCE_EXEC, exec),
    ROW(MUSTER_SOURCE_HTTP, http),
    ROW(MUSTER_SOURCE_PCP, pcp),
    ROW(MUSTER_SOURCE_STATIC, static),
    ROW(MUSTER_SOURCE_STUN, stun),
    ROW(MUSTER_SOURCE_UPNP, upnp),
};

const char *source_type_at(size_t index, const struct source_ops **ret_ops)
{
    if (index >= ARRAY_LEN(rows)) {
        return NULL;
    }
    *ret_ops = rows[index].ops;
    return rows[index].type;
}

const struct source_ops *source_find(const char *type, bool *ret_left_out)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].type, type) == 0) {
            *ret_left_out = rows[i].ops == NULL;
            return rows[i].ops;
        }
    }
    *ret_left_out = false;
    return NULL;
}

uint64_t source_period_ms(const struct source_ops *ops, const struct source_config *config)
{
    uint64_t every = config->every_ms != 0 ? config->every_ms : ops->default_every_ms;
    return every != 0 ? MAX(every, (uint64_t)ops->min_every_ms) : 0;
}

uint64_t source_fresh_ms(const struct source_ops *ops, const struct source_config *config, uint32_t timeout_ms)
{
    uint64_t period = source_period_ms(ops, config);
    return period != 0 ? period * FRESH_THIRDS / 3 + timeout_ms : 0;
}
