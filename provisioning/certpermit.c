/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/certpermit.h"

#include <string.h>

#include "base/dnsname.h"
#include "provisioning/der.h"

#define NAME_DNS  (DER_CONTEXT | 2)
#define NAME_IP   (DER_CONTEXT | 7)
#define PERMITTED (DER_CONTEXT_CONSTRUCTED | 0)
#define EXCLUDED  (DER_CONTEXT_CONSTRUCTED | 1)
#define NO_HOST   VIEW_LITERAL("invalid") /* RFC 6761 6.4; an empty name is not read by wolfSSL */

static void put_subtree(struct der_writer *w, uint8_t tag, struct view base)
{
    size_t subtree = der_open(w, DER_SEQUENCE);
    der_put(w, tag, base);
    der_close(w, subtree);
}

static size_t ip_size(const struct ip *ip)
{
    return ip->family == IP_V4 ? 4 : 16;
}

/** Address and mask, one behind the other. */
static void put_net(struct der_writer *w, const struct ip_prefix *net)
{
    uint8_t both[32] = {0};
    size_t size = ip_size(&net->ip);
    memcpy(both, net->ip.bytes, size);
    for (size_t bit = 0; bit < net->len; bit++) {
        both[size + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
    put_subtree(w, NAME_IP, view_n((const char *)both, 2 * size));
}

static enum err put_domains(struct der_writer *w, const struct certpermit *permit, struct errinfo *info)
{
    for (size_t i = 0; i < permit->dns_len; i++) {
        char name[DNSNAME_SIZE];
        enum err err = dnsname_parse(view_of(permit->dns[i]), DNSNAME_HOST, name, info);
        if (err != ERR_OK) {
            return err;
        }
        put_subtree(w, NAME_DNS, view_of(name));
    }
    if (permit->dns_len == 0) {
        put_subtree(w, NAME_DNS, NO_HOST);
    }
    return ERR_OK;
}

enum err certpermit_encode(const struct certpermit *permit, uint8_t der[static CERTPERMIT_DER_MAX], size_t *ret_len,
                           struct errinfo *info)
{
    static const char zeros[32]; /* address and mask: all of a family */
    struct der_writer w;
    if (permit->dns_len + permit->nets_len == 0) {
        *ret_len = 0;
        return ERR_OK;
    }
    if (permit->dns_len + permit->nets_len > CERTPERMIT_MAX) {
        return errinfo_set(info, ERR_LIMIT, "cert", 0, "at most %d permitted names and networks", CERTPERMIT_MAX);
    }
    der_writer_init(&w, der, CERTPERMIT_DER_MAX);
    size_t permitted = der_open(&w, PERMITTED);
    enum err err = put_domains(&w, permit, info);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < permit->nets_len; i++) {
        put_net(&w, &permit->nets[i]);
    }
    der_close(&w, permitted);
    if (permit->nets_len == 0) {
        size_t excluded = der_open(&w, EXCLUDED);
        put_subtree(&w, NAME_IP, view_n(zeros, 2 * 4));
        put_subtree(&w, NAME_IP, view_n(zeros, 2 * 16));
        der_close(&w, excluded);
    }
    err = der_writer_end(&w, ret_len);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "cert", 0, "the permitted names are too long");
}

/** @p base stands at the end of @p name, at a label's border. */
static bool domain_holds(struct view base, struct view name)
{
    return view_equal_nocase(base, name) || (name.len > base.len && name.ptr[name.len - base.len - 1] == '.' &&
                                             view_equal_nocase(view_n(name.ptr + name.len - base.len, base.len), base));
}

static bool net_holds(struct view base, struct view address)
{
    if (base.len != 2 * address.len) {
        return false;
    }
    for (size_t i = 0; i < address.len; i++) {
        if (((base.ptr[i] ^ address.ptr[i]) & base.ptr[address.len + i]) != 0) {
            return false;
        }
    }
    return true;
}

/** Whether @p list (subtrees) holds the name. @param ret_any there are subtrees of the name's kind. */
static enum err look(struct view list, uint8_t tag, struct view name, bool *ret_holds, bool *ret_any)
{
    *ret_holds = false;
    *ret_any = false;
    while (list.len > 0) {
        struct view subtree;
        struct der_item base;
        if (der_expect(&list, DER_SEQUENCE, &subtree) != ERR_OK || der_next(&subtree, &base) != ERR_OK ||
            subtree.len != 0) {
            return ERR_CORRUPT;
        }
        if (base.tag == tag) {
            *ret_any = true;
            *ret_holds = *ret_holds || (tag == NAME_DNS ? domain_holds(base.body, name) : net_holds(base.body, name));
        }
    }
    return ERR_OK;
}

static enum err judge(struct view constraints, uint8_t tag, struct view name)
{
    struct view permitted = {0};
    struct view excluded = {0};
    bool found;
    bool holds;
    bool any;
    if (der_optional(&constraints, PERMITTED, &permitted, &found) != ERR_OK ||
        der_optional(&constraints, EXCLUDED, &excluded, &found) != ERR_OK || constraints.len != 0 ||
        look(excluded, tag, name, &holds, &any) != ERR_OK) {
        return ERR_CORRUPT;
    }
    if (holds) {
        return ERR_DENIED;
    }
    if (look(permitted, tag, name, &holds, &any) != ERR_OK) {
        return ERR_CORRUPT;
    }
    return any && !holds ? ERR_DENIED : ERR_OK;
}

enum err certpermit_check(struct view constraints, const struct cert_subject *subject, struct errinfo *info)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < subject->dns_len; i++) {
        err = judge(constraints, NAME_DNS, view_of(subject->dns[i]));
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "cert", 0, "the server CA may not certify %s", subject->dns[i]); /* below */
        }
    }
    for (size_t i = 0; err == ERR_OK && i < subject->ips_len; i++) {
        const struct ip *ip = &subject->ips[i];
        err = judge(constraints, NAME_IP, view_n((const char *)ip->bytes, ip_size(ip)));
        if (err != ERR_OK) {
            char text[IP_TEXT_SIZE];
            (void)ip_format(ip, text);
            (void)errinfo_set(info, err, "cert", 0, "the server CA may not certify %s", text); /* returned below */
        }
    }
    return err;
}
