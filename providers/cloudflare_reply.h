/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * cloudflare_reply: what stands where in Cloudflare's replies. Pure; any thread.
 */
#include "base/dnsname.h"
#include "base/json.h"
#include "providers/zonecache.h"

#define CLOUDFLARE_ID_SIZE      64 /* documented: 32 characters */
#define CLOUDFLARE_PAGE_RECORDS 5000

/** errors[0].code; 0 = none. */
int64_t cloudflare_code(const json_t *json);
bool cloudflare_succeeded(const json_t *json);

/** Id of the zone of that name that is in use. @return ERR_NOTFOUND; ERR_STATE: several are; ERR_LIMIT: no id. */
enum err cloudflare_pick_zone(const json_t *json, const char *name, char ret_id[static CLOUDFLARE_ID_SIZE]);
/** One record that Muster could own. False: it is none. */
bool cloudflare_read_record(const json_t *json, char name[static DNSNAME_SIZE], struct zonecache_record *ret_record);
/** Is there a page behind @p page of a listing? */
bool cloudflare_more_pages(const json_t *json, unsigned page);
/** False: the number of records is not what the first page said, so they have moved between the pages, and one of them
 * may have been passed over. @param total the first page fills it. */
bool cloudflare_is_whole(const json_t *json, unsigned page, int64_t *total);
/** False: what is listed belongs to another zone. */
bool cloudflare_is_of_zone(const json_t *json, const char *zone);
