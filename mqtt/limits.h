/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** limits: a number on everything that the broker brings in. */

#define MQTT_TOPIC_MAX 128 /* longest topic of the contract is under 90 bytes */
#define MQTT_PAYLOAD_MAX                                                                                               \
    8192 /* a state with 8 uplinks and 4 prefixes is under 4 KiB; a dns ack of 32 names of usual length is under 8 KiB \
          */
#define MQTT_JSON_DEPTH   4
#define MQTT_UPLINKS_MAX  8
#define MQTT_ALSO_MAX     3 /* prefixes beside the first: as many addresses as one name may have (RRSET_VALUES_MAX) */
#define MQTT_CAPS_MAX     16
#define MQTT_NAMES_MAX    32  /* names of one device in one dns ack */
#define MQTT_TEXT_MAX     64  /* agent, fw, cfg, src, why, error ids */
#define MQTT_OBSERVED_MAX 160 /* "muster-observed" value: address, blank, 64 hex digits, and room */
#define DEVICE_ID_MAX     40
