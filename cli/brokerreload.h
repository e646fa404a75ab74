/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * brokerreload: lets a broker that runs take the newest version of its files, and takes that back when it does not
 * work: switch, SIGHUP, watch the log, probe; on any failure the version before it, SIGHUP again, probe again. Blocks.
 */
#include "cli/brokerprobe.h"
#include "cli/brokerversion.h"

enum brokerreload_end {
    BROKERRELOAD_DONE,
    BROKERRELOAD_RESTORED,   /* the version before it is in use again, and works */
    BROKERRELOAD_LEFT_WRONG, /* and that does not work either, or there was none: a person must look */
};

struct brokerreload {
    enum brokerreload_end end;
    unsigned before, after; /* versions in use */
    bool restart;           /* mosquitto.conf is another one: listeners and the plugin's options want a restart */
    char cause[320];        /* why it was taken back; "" */
    bool probed;            /* `probe` holds the last one's words */
    struct brokerprobe probe;
};

/** @param timeout_ms for the broker's reaction, and for each probe. @return ERR_NOTFOUND (no such process), ERR_DENIED,
 * ERR_IO, ...: nothing was switched. */
enum err brokerreload_run(const struct brokerdesc *desc, enum broker_kind kind, struct brokerversion *version,
                          uint64_t timeout_ms, struct brokerreload *ret_reload, struct errinfo *info) MUST_CHECK;
