/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/jsonvalue.h"

void jsonout_value(struct jsonout *json, const char *key, const struct rrset_value *value)
{
    jsonout_open(json, key, '[');
    for (uint8_t i = 0; i < value->len; i++) {
        jsonout_ip(json, NULL, &value->ips[i]);
    }
    jsonout_close(json, ']');
}
