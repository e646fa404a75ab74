/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** control_private: what the control_*.c files share. */
#include "coordinator/coordinator_private.h"
#include "coordinator/jsonvalue.h"
#include "mqtt/limits.h"
#include "net/httpd.h"
#include "providers/account.h"

#define CONTROL_REPLY_MAX  (8u << 20)
#define CONTROL_PAGE_MAX   1000 /* items of one answer */
#define CONTROL_PAGE_ITEMS 200  /* when not asked for */

#define CONTROL_NO_SUCH_ZONE "no zone of this name is configured; muster zone list has those that are"

struct control {
    struct httpd *local, *metrics;
};

/** Sends the buffer as JSON and frees it; says so when it did not fit. */
void control_reply(struct httpd_request *request, struct strbuf *out);
/** Index of a zone by name, in any case and with or without the dot at its end; -1. */
int control_zone_index(const struct coordinator *coordinator, struct view name);
/** One log line for a call that changes something. */
void control_audit(struct httpd_request *request, const char *action, struct view subject);
/** limit= of the query, CONTROL_PAGE_ITEMS when absent; false after an error reply. */
bool control_limit(struct httpd_request *request, size_t *ret_limit);
/** True after an error reply: whose device is not known yet, its rows cannot be judged. */
bool control_is_loading(const struct coordinator *coordinator, struct httpd_request *request);
/** A yes of the query: exactly "1", absent is no; false after an error reply. */
bool control_flag(struct httpd_request *request, const char *name, bool *ret_set);

void control_get_status(void *context, struct httpd_request *request);
void control_get_devices(void *context, struct httpd_request *request);
void control_get_device(void *context, struct httpd_request *request);
void control_forget_device(void *context, struct httpd_request *request);
void control_get_records(void *context, struct httpd_request *request);
void control_adopt_record(void *context, struct httpd_request *request);
void control_retry_record(void *context, struct httpd_request *request);
void control_get_zones(void *context, struct httpd_request *request);
void control_diff_zone(void *context, struct httpd_request *request);
void control_sweep_zone(void *context, struct httpd_request *request);
void control_apply_zone(void *context, struct httpd_request *request);
void control_get_accounts(void *context, struct httpd_request *request);
/** Index of an account by name; -1. */
int control_account_index(const struct coordinator *coordinator, struct view name);
void control_test_account(void *context, struct httpd_request *request);
void control_get_stops(void *context, struct httpd_request *request);
void control_resume_account(void *context, struct httpd_request *request);
void control_resume_zone(void *context, struct httpd_request *request);
