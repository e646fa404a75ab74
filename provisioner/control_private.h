/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** control_private: what the control_*.c files share: a call of an operator on its way through the worker. */
#include "base/json.h"
#include "provisioner/provisioner_private.h"

#define CONTROL_REPLY_MAX  (8u << 20)
#define CONTROL_PAGE_MAX   1000 /* items of one answer */
#define CONTROL_PAGE_ITEMS 200  /* when not asked for */
#define CONTROL_TEXT       160  /* a name, a pattern, an owner */

struct call;
/** Runs on the worker, inside a transaction when it writes. Members of the answer go into @p json. */
typedef enum err (*call_fn)(struct call *call, struct jsonout *json);

struct call {
    struct provisioner *provisioner;
    struct httpd_request *request; /* its views live until the reply */
    call_fn fn;
    bool writes, dry;
    struct desk_caller caller;
    struct desk_reply reply;
    char actor[32];
    char id[CONTROL_TEXT], after[CONTROL_TEXT], match[CONTROL_TEXT], device[CONTROL_TEXT];
    size_t limit;
    int life; /* -1 = any */
    uint64_t number;
    int act;
    json_t *body; /* owned; NULL: none */
    struct strbuf out;
    enum err err;
};

/** A call with actor and the n-th path parameter as its id; NULL after an error reply. */
struct call *control_call(struct provisioner *provisioner, struct httpd_request *request, call_fn fn, bool writes);
/** limit=, after=, match= of the query; false after an error reply, then the call is gone. */
bool control_page(struct call *call);
/** A page being written: one item more, named by @p key in the next question. */
struct page {
    struct call *call;
    struct jsonout *json;
    size_t len;
    char last[CONTROL_TEXT];
};
void control_item(struct page *page, struct view key);
/** Behind the list: "next", when there may be more. */
void control_page_end(struct page *page);
/** Hands it to the worker; the reply comes from there. */
void control_submit(struct call *call);
/** Answers with an error, and frees the call. */
void control_refuse(struct call *call, unsigned status, const char *id, const char *message);

/* control_batches.c */
void control_get_batches(void *context, struct httpd_request *request);
void control_get_batch(void *context, struct httpd_request *request);
void control_post_batch(void *context, struct httpd_request *request);
void control_close_batch(void *context, struct httpd_request *request);
void control_quota_batch(void *context, struct httpd_request *request);
void control_disable_batch(void *context, struct httpd_request *request);
void control_enable_batch(void *context, struct httpd_request *request);
void control_post_ledger(void *context, struct httpd_request *request);

/* control_devices.c */
void control_get_devices(void *context, struct httpd_request *request);
void control_get_device(void *context, struct httpd_request *request);
void control_claim(void *context, struct httpd_request *request);
void control_transfer(void *context, struct httpd_request *request);
void control_undo(void *context, struct httpd_request *request);
void control_suspend(void *context, struct httpd_request *request);
void control_resume(void *context, struct httpd_request *request);
void control_revoke(void *context, struct httpd_request *request);
void control_rekey(void *context, struct httpd_request *request);
void control_scrap(void *context, struct httpd_request *request);
void control_post_orders(void *context, struct httpd_request *request);
void control_get_events(void *context, struct httpd_request *request);
