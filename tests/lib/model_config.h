/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * model_config: random configurations of a few cameras and sites, as texts: names by id and by site, with and without
 * damping, a device that claims another one's name, and a part of the zone that is a zone of its own, or not.
 */
#include "tests/lib/model_dns.h"

#define MODEL_DEVICES 5 /* cam-0 and so on */

struct model_config {
    struct strbuf zones, devices;
};

/** The first one: every camera by its id. @param ret_config borrows the texts until the next one is made. */
void model_config_first(struct model_config *config, struct model_dns *dns, const char *mode, bool splits,
                        struct rig_config *ret_config);
/** Another one, that loads. */
void model_config_make(struct model_config *config, struct model_dns *dns, const char *mode, bool splits,
                       struct rig_config *ret_config);
void model_config_deinit(struct model_config *config);
