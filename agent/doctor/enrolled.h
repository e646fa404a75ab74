/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * enrolled: the doctor's look at a device that gets its identity over the air. Blocks on the disk.
 */
#include "agent/config.h"
#include "agent/credentials.h"
#include "agent/doctor/check.h"

/** What follows from an identity, for a config with the block `provisioning`: then @p config names its files and
 * brokers, which point into this. */
struct enrolled {
    struct credentials credentials;
    const char *endpoints[PROV_CORE_MAX];
    char ca_file[PATH_MAX], cert_file[PATH_MAX]; /* of the claim */
};

/** Adds the line `enrolment` and fills @p config: with the identity's files, or, before there is one, with what leads
 * to the broker for provisioning. @p ret_enrolled lives as long as the config. @return there is an identity. */
bool enrolled_check(struct checks *checks, struct agent_config *config, int64_t now_s, struct enrolled *ret_enrolled);
