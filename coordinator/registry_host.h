/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * registry_host: `hosts` of a device in the file that coordinator/registry.c loads: rows, checks, and what becomes of
 * one. For registry.c only.
 */
#include "base/config.h"
#include "coordinator/hostaddr.h"

/** One element as read. */
struct host_row {
    struct config_position position;
    const char *name;
    struct ip suffix;
    const char *mac; /* NULL when it is not given */
    uint32_t subnet;
    bool ip4;
};

extern const struct config_row host_rows[];

/** One label of a host name: the check of names of hosts and sites. */
enum err registry_check_label(struct view value, struct errinfo *info);

/** Reports what is wrong across the rows of a device. */
void host_rows_check(const struct host_row *hosts, size_t len, struct config_errors *errors);

/** No suffix where the row's MAC address is wrong, which its check has reported. */
struct host_id host_row_id(const struct host_row *row);
