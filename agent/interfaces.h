/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * interfaces: this host's interfaces as they are now: netlink feeds the table of agent/addresses.h, all events of one
 * turn of the loop are one change, and a socket that failed is opened again. Threading: loop thread. Logs netlink's
 * failures.
 */
#include "agent/addresses.h"
#include "net/loop.h"

struct interfaces;

struct interfaces_options {
    /** The table changed, or a hold ended: select anew. Never while a dump is under way. */
    void (*changed)(void *context);
    /** The first picture is complete, or there will be none for now; told again after each dump. */
    void (*ready)(void *context);
    void *context;
};

/** @return ERR_NOMEM. A netlink socket that cannot be opened is logged, lived with and tried again. */
enum err interfaces_new(struct loop *loop, const struct interfaces_options *options,
                        struct interfaces **ret_interfaces) MUST_CHECK;
void interfaces_free(struct interfaces *interfaces); /* NULL allowed */
/** Begins to listen; the callbacks come from the loop, but `ready` at once when there is no socket. */
void interfaces_start(struct interfaces *interfaces);
void interfaces_stop(struct interfaces *interfaces); /* no more calls follow */

/** addresses_select, and `changed` is called when its result can change by time alone. */
void interfaces_select(struct interfaces *interfaces, const struct address_policy *policy, struct address_set *ret_set);
/** `changed` is called soon: patterns and families may count differently now. */
void interfaces_select_soon(struct interfaces *interfaces);
/** Dumps again: after a suspend. */
void interfaces_resync(struct interfaces *interfaces);

const struct addresses *interfaces_table(const struct interfaces *interfaces);
