/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * properties: the stamp in a message's list of MQTT 5 properties, through mosquitto's property functions. mosquitto has
 * no function that removes one, so a list with a forged stamp is copied without it.
 */
#include <mosquitto.h>

#include "base/err.h"

/** Removes every user property "muster-observed"; the others keep their order. The list is replaced only when there is
 *  one to remove. @return ERR_NOMEM (list unchanged). */
enum err properties_drop_stamps(mosquitto_property **properties) MUST_CHECK;
/** Appends the stamp. @return ERR_NOMEM. */
enum err properties_add_stamp(mosquitto_property **properties, const char *value) MUST_CHECK;
