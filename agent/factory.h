/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * factory: the device's end of the factory line (provisioning/factoryline.h): makes the device's key, proves it, takes
 * the claim's files and the serial number, and tests what came of it. No network, no config, no daemon. What it writes
 * is on the disk before it answers, and what is there already is never made anew, so a station may ask again after a
 * power cut of either side. Blocks on the disk; one thread.
 */
#include <stdbool.h>

#include "base/err.h"
#include "provisioning/factoryline.h"

#define FACTORY_STATE_DIR "/var/lib/muster-agent" /* state_dir of the agent, which looks there */
#define FACTORY_CLAIM_DIR "/etc/muster/claim"

/** Where the device keeps what it gets. */
struct factory_device {
    const char *key;         /* reference of the device's key, as key_open takes it; made as a file when absent */
    const char *serial_file; /* "A7-00001\n" */
    const char *claim_dir;
    struct key_rng *rng;
};

/** Does what @p request asks for. Always fills the answer: what fails is FACTORY_NO with the reason. */
void factory_serve(const struct factory_device *device, const struct factory_request *request,
                   struct factory_answer *ret_answer);

/** `muster-agent factory`: requests on stdin, answers on stdout, until stdin ends. @param argv starts with the
 * command's own name. @return of sysexits.h. */
int factory_command(int argc, char *const argv[]);
