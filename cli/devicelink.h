/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * devicelink: a device on the factory line, reached through a command whose standard input and output are the device's
 * (provisioning/factoryline.h): `muster-agent factory` itself, or ssh, adb, a program for a serial console around it.
 * The command is started without a shell. Main thread; blocks, each answer for as long as the link allows.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/factoryline.h"

#define DEVICELINK_COMMAND_MAX   1024
#define DEVICELINK_ARGUMENTS_MAX 32

struct devicelink;

/** Starts the command. @param command words parted by blanks; "{serial}" in them is replaced.
 * @param timeout_ms how long an answer may take. @return ERR_LIMIT (command), ERR_INVALID (no word), ERR_NOMEM,
 * ERR_IO. A program that is not there is noticed at the first question. */
enum err devicelink_open(const char *command, const char *serial, uint64_t timeout_ms, struct devicelink **ret_link,
                         struct errinfo *info) MUST_CHECK;

/** Asks and waits for the answer to that question. @return ERR_DENIED (the device says no; @p info has its reason),
 * ERR_CLOSED (the command ended), ERR_TIMEOUT, ERR_PARSE and what factory_answer_read returns, ERR_IO. */
enum err devicelink_ask(struct devicelink *link, const struct factory_request *request,
                        struct factory_answer *ret_answer, struct errinfo *info) MUST_CHECK;

/** Ends the command: its input is closed, and what has not ended a while later is killed. NULL allowed. */
void devicelink_close(struct devicelink *link);
