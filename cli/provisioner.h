/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** provisioner: the options of commands that ask the provisioner over its unix socket, through cli/api.h. */
#include "cli/api.h"

#define PROVISIONER_SOCKET_DEFAULT "/run/muster-provisioner/control.sock"

/** For an options struct that begins with struct api_options; its defaults name PROVISIONER_SOCKET_DEFAULT. */
#define PROVISIONER_ROWS                                                                                               \
    {"socket",                                                                                                         \
     's',                                                                                                              \
     "PATH",                                                                                                           \
     ARGS_STRING,                                                                                                      \
     offsetof(struct api_options, socket),                                                                             \
     .help = "Control socket of the provisioner (default " PROVISIONER_SOCKET_DEFAULT ")"},                            \
        {"timeout",                                                                                                    \
         't',                                                                                                          \
         "DURATION",                                                                                                   \
         ARGS_DURATION,                                                                                                \
         offsetof(struct api_options, timeout_ms),                                                                     \
         .min = 1,                                                                                                     \
         .max = API_TIMEOUT_MAX_MS,                                                                                    \
         .help = "How long to wait for an answer (default 15s; imports 10m)"},                                         \
    {                                                                                                                  \
        "json", 'j', NULL, ARGS_FLAG, offsetof(struct api_options, json), .help = "Print the whole answer as JSON"     \
    }
