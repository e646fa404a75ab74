/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/engine_find.h"

#include <stdlib.h>

#include "net/dnsask.h"
#include "net/dnsquery.h"
#include "providers/authority.h"

struct find {
    struct loop *loop; /* borrowed */
    find_fn fn;
    void *context;
    bool servers;
    struct dnsask *ask;         /* owned; NULL = no question is under way */
    char name[DNSNAME_SIZE];    /* asked about */
    struct authority authority; /* hosts_len 0 = nothing is known */
    size_t at;                  /* of its hosts */
    uint64_t until_ms;          /* monotonic: fresh until then */
};

enum err find_new(struct loop *loop, bool servers, find_fn fn, void *context, struct find **ret_find)
{
    struct find *find = calloc(1, sizeof(*find));
    if (find == NULL) {
        return ERR_NOMEM;
    }
    find->loop = loop;
    find->servers = servers;
    find->fn = fn;
    find->context = context;
    *ret_find = find;
    return ERR_OK;
}

void find_cancel(struct find *find)
{
    dnsask_cancel(find->ask);
    find->ask = NULL;
}

void find_free(struct find *find)
{
    if (find != NULL) {
        find_cancel(find);
        free(find);
    }
}

void find_forget(struct find *find)
{
    if (find != NULL) {
        find->authority.hosts_len = 0;
        find->at = 0;
    }
}

static void keep(struct find *find, uint32_t seconds)
{
    find->until_ms = loop_now_ms(find->loop) + seconds * 1000ull;
    find->at = 0;
}

/** Name servers that the resolver does not tell are done without: the primary is known. */
static void on_servers(void *context, struct view reply, const struct errinfo *info)
{
    struct find *find = context;
    (void)info;
    find->ask = NULL;
    authority_add_servers(&find->authority, reply);
    find->fn(find->context, NULL);
}

static void on_soa(void *context, struct view reply, const struct errinfo *info)
{
    struct find *find = context;
    struct errinfo why = *info;
    struct authority found;
    bool answered = reply.len > 0;
    find->ask = NULL;
    if (answered && authority_read(reply, find->name, &found, &why) == ERR_OK) {
        find->authority = found;
        keep(find, found.ttl_s);
        if (find->servers &&
            dnsask_start(find->loop, found.zone, DNS_TYPE_NS, on_servers, find, &find->ask) == ERR_OK) {
            return;
        }
        find->fn(find->context, NULL);
    } else if (!answered && find->authority.hosts_len > 0 &&
               dnsname_in_zone(view_of(find->name), view_of(find->authority.zone))) {
        keep(find, AUTHORITY_TTL_MIN_S); /* the resolvers are silent: where it was is the best guess */
        find->fn(find->context, NULL);
    } else {
        find_forget(find);
        find->fn(find->context, &why);
    }
}

enum err find_start(struct find *find, const char *name)
{
    find_cancel(find);
    enum err err = view_copy(view_of(name), find->name, sizeof(find->name));
    return err == ERR_OK ? dnsask_start(find->loop, find->name, DNS_TYPE_SOA, on_soa, find, &find->ask) : err;
}

bool find_known(const struct find *find, const char *name)
{
    return find->authority.hosts_len > 0 && loop_now_ms(find->loop) < find->until_ms &&
           dnsname_in_zone(view_of(name), view_of(find->authority.zone));
}

const char *find_zone(const struct find *find)
{
    return find->authority.hosts_len > 0 ? find->authority.zone : "";
}

const char *find_host(const struct find *find)
{
    return find->authority.hosts_len > 0 ? find->authority.hosts[find->at] : "";
}

bool find_next(struct find *find)
{
    if (find->at + 1 < find->authority.hosts_len) {
        find->at++;
        return true;
    }
    find_forget(find);
    return false;
}
