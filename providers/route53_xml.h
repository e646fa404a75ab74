/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * route53_xml: the documents that Route 53 answers with, read in one pass whichever it is.
 * Source: https://docs.aws.amazon.com/Route53/latest/APIReference/ (ChangeResourceRecordSets, GetChange,
 * ListHostedZonesByName, ListResourceRecordSets), read 2026-11-23. Any thread.
 */
#include "base/strbuf.h"
#include "providers/rrset.h"

#define ROUTE53_ID_SIZE   64
#define ROUTE53_REPLY_MAX (2u << 20) /* a page of 300 RRsets, each of several values */

/** An address RRset of a page. Borrowed for the call. */
struct route53_rrset {
    const char *name; /* canonical */
    enum rrtype type;
    uint32_t ttl;
    struct view values; /* one a line */
    bool plain;         /* false: an alias, or one of several with a routing policy: `values` is empty */
};

struct route53_reading {
    /* in */
    const char *zone; /* canonical; whose id is looked for. NULL = none */
    enum err (*each)(void *context, const struct route53_rrset *rrset); /* NULL allowed */
    void *context;
    /* out */
    char root[ROUTE53_ID_SIZE];    /* name of the document */
    char code[ROUTE53_ID_SIZE];    /* of an error; "" = none */
    struct strbuf messages;        /* of an error, one a line */
    char id[ROUTE53_ID_SIZE];      /* of the change, without "/change/" */
    bool insync;                   /* of the change */
    char zone_id[ROUTE53_ID_SIZE]; /* of the public zone of that name, without "/hostedzone/" */
    unsigned zones;                /* how many such zones there are */
    bool truncated;                /* more pages */
    /* where the next page of zones begins: a name ("" = none that is canonical) and one of its zones */
    char next_zone[DNSNAME_SIZE], next_zone_id[ROUTE53_ID_SIZE];
    char next_name[4 * DNSNAME_SIZE], next_type[16], next_identifier[160]; /* where the next one begins */
};

/** @p reading's inputs are set, the rest is zero; deinit whatever comes. @return ERR_PARSE, ERR_LIMIT, ERR_NOMEM, or
 * what `each` returned. */
enum err route53_read(struct view body, struct route53_reading *reading) MUST_CHECK;
void route53_reading_deinit(struct route53_reading *reading);
