/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/cloudflare_reply.h"

#include <string.h>

#include "base/punycode.h"
#include "providers/cloudflare_plan.h"
#include "providers/httpjson.h"

int64_t cloudflare_code(const json_t *json)
{
    return (int64_t)json_integer_value(httpjson_at(json, "/errors/0/code"));
}

bool cloudflare_succeeded(const json_t *json)
{
    return json_is_true(json_object_get(json, "success"));
}

/** "Complete DNS record name, including the zone name, in Punycode", says the reference; zones whose name has other
 * letters than ASCII's are shown in Unicode as well. A name that is not known again would get a second address. */
static enum err read_name(const json_t *json, char ret_name[static DNSNAME_SIZE])
{
    return punycode_parse(httpjson_text_at(json, "/name"), DNSNAME_RECORD, ret_name);
}

enum err cloudflare_pick_zone(const json_t *json, const char *name, char ret_id[static CLOUDFLARE_ID_SIZE])
{
    const json_t *zones = json_object_get(json, "result"), *zone, *found = NULL;
    size_t i;
    json_array_foreach(zones, i, zone)
    {
        bool active = view_equals(httpjson_text_at(zone, "/status"), "active");
        char canonical[DNSNAME_SIZE];
        if (read_name(zone, canonical) != ERR_OK || strcmp(canonical, name) != 0) {
            continue;
        }
        if (found != NULL && active && view_equals(httpjson_text_at(found, "/status"), "active")) {
            return ERR_STATE;
        }
        found = found == NULL || active ? zone : found;
    }
    return found != NULL ? view_copy(httpjson_text_at(found, "/id"), ret_id, CLOUDFLARE_ID_SIZE) : ERR_NOTFOUND;
}

bool cloudflare_read_record(const json_t *json, char name[static DNSNAME_SIZE], struct zonecache_record *ret_record)
{
    struct view type = httpjson_text_at(json, "/type"), id = httpjson_text_at(json, "/id");
    double ttl = json_number_value(json_object_get(json, "ttl"));
    struct zonecache_record record = {.ttl = ttl >= 0 && ttl <= INT32_MAX ? (uint32_t)ttl : 0,
                                      .flags = json_is_true(json_object_get(json, "proxied")) ? CLOUDFLARE_PROXIED : 0};
    bool a = view_equals(type, "A"), aaaa = view_equals(type, "AAAA");
    if ((!a && !aaaa) || ip_parse(httpjson_text_at(json, "/content"), &record.ip) != ERR_OK || id.len == 0 ||
        record.ip.family != (a ? IP_V4 : IP_V6) || view_copy(id, record.id, sizeof(record.id)) != ERR_OK ||
        read_name(json, name) != ERR_OK) {
        return false;
    }
    *ret_record = record;
    return true;
}

bool cloudflare_more_pages(const json_t *json, unsigned page)
{
    const json_t *pages = httpjson_at(json, "/result_info/total_pages");
    size_t len = json_array_size(json_object_get(json, "result"));
    return len > 0 &&
           (json_is_integer(pages) ? json_integer_value(pages) > (json_int_t)page : len >= CLOUDFLARE_PAGE_RECORDS);
}

bool cloudflare_is_whole(const json_t *json, unsigned page, int64_t *total)
{
    const json_t *count = httpjson_at(json, "/result_info/total_count");
    int64_t here = json_is_integer(count) ? (int64_t)json_integer_value(count) : -1;
    *total = page == 1 ? here : *total;
    return here == *total;
}

bool cloudflare_is_of_zone(const json_t *json, const char *zone)
{
    char name[DNSNAME_SIZE];
    const json_t *first = httpjson_at(json, "/result/0");
    return first == NULL || read_name(first, name) != ERR_OK || dnsname_in_zone(view_of(name), view_of(zone));
}
