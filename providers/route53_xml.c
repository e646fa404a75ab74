/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/route53_xml.h"

#include <string.h>

#include "base/xml.h"

enum { DEPTH_MAX = 8, MESSAGES_MAX = 65536, VALUES_MAX = 65536 };

/** The hosted zone or the RRset whose elements are being read. */
struct walk {
    struct route53_reading *reading;
    char zone_id[ROUTE53_ID_SIZE], zone_name[DNSNAME_SIZE];
    bool zone_private;
    char name[DNSNAME_SIZE]; /* "" = not one that we could own */
    bool is_a, is_aaaa, plain;
    uint32_t ttl;
    struct strbuf values;
};

/** "\052" is how the service writes a byte that is no letter, digit, "-" or "_". */
static enum err unescape(struct view text, char ret_name[static DNSNAME_SIZE])
{
    char plain[DNSNAME_SIZE];
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\') {
            unsigned code = 0;
            for (size_t digit = 1; digit <= 3; digit++) {
                char octal = i + digit < text.len ? text.ptr[i + digit] : '\0';
                if (octal < '0' || octal > '7') {
                    return ERR_PARSE;
                }
                code = code * 8 + (unsigned)(octal - '0');
            }
            c = (char)code; /* anything else than a name's character is refused below */
            i += 3;
        }
        if (len == sizeof(plain)) {
            return ERR_LIMIT;
        }
        plain[len++] = c;
    }
    return dnsname_parse(view_n(plain, len), DNSNAME_RECORD, ret_name, NULL);
}

/** Ids come with the path that they are found under. */
static void take_id(struct view text, const char *prefix, char ret_id[static ROUTE53_ID_SIZE])
{
    if (view_starts_with(text, view_of(prefix))) {
        text = view_n(text.ptr + strlen(prefix), text.len - strlen(prefix));
    }
    for (size_t i = 0; i < text.len; i++) { /* it becomes part of a path */
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_')) {
            return;
        }
    }
    if (view_copy(text, ret_id, ROUTE53_ID_SIZE) != ERR_OK) {
        ret_id[0] = '\0';
    }
}

static enum err on_open(void *context, const struct xml_element *element)
{
    struct walk *walk = context;
    if (element->depth == 1) {
        return view_copy(element->name, walk->reading->root, ROUTE53_ID_SIZE);
    }
    if (view_equals(element->name, "HostedZone")) {
        walk->zone_id[0] = walk->zone_name[0] = '\0';
        walk->zone_private = false;
    } else if (view_equals(element->name, "ResourceRecordSet")) {
        walk->name[0] = '\0';
        walk->is_a = walk->is_aaaa = false;
        walk->plain = true;
        walk->ttl = 0;
        strbuf_clear(&walk->values);
    }
    return ERR_OK;
}

static enum err end_zone(struct walk *walk)
{
    struct route53_reading *reading = walk->reading;
    if (reading->zone != NULL && !walk->zone_private && walk->zone_id[0] != '\0' &&
        strcmp(walk->zone_name, reading->zone) == 0) {
        memcpy(reading->zone_id, walk->zone_id, sizeof(reading->zone_id));
        reading->zones++;
    }
    return ERR_OK;
}

static enum err end_rrset(struct walk *walk)
{
    struct route53_reading *reading = walk->reading;
    if (reading->each == NULL || walk->name[0] == '\0' || !(walk->is_a || walk->is_aaaa)) {
        return ERR_OK;
    }
    const struct route53_rrset rrset = {.name = walk->name,
                                        .type = walk->is_a ? RRTYPE_A : RRTYPE_AAAA,
                                        .ttl = walk->ttl,
                                        .values = walk->plain ? strbuf_view(&walk->values) : (struct view){0},
                                        .plain = walk->plain && walk->values.len > 0};
    return reading->each(reading->context, &rrset);
}

static enum err in_zone(struct walk *walk, const struct xml_element *element)
{
    if (view_equals(element->name, "Id")) {
        take_id(element->text, "/hostedzone/", walk->zone_id);
    } else if (view_equals(element->name, "Name") && unescape(element->text, walk->zone_name) != ERR_OK) {
        walk->zone_name[0] = '\0';
    }
    return ERR_OK;
}

/** Elements of RRsets that are more than their values: a deletion must name them too, and nothing writes them anew. */
static bool is_special(struct view name)
{
    static const char *const names[] = {"AliasTarget", "SetIdentifier", "HealthCheckId", "TrafficPolicyInstanceId"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (view_equals(name, names[i])) {
            return true;
        }
    }
    return false;
}

static enum err in_rrset(struct walk *walk, const struct xml_element *element)
{
    uint64_t ttl = 0;
    if (view_equals(element->name, "Name")) {
        if (unescape(element->text, walk->name) != ERR_OK) {
            walk->name[0] = '\0';
        }
    } else if (view_equals(element->name, "Type")) {
        walk->is_a = view_equals(element->text, "A");
        walk->is_aaaa = view_equals(element->text, "AAAA");
    } else if (view_equals(element->name, "TTL")) {
        enum err err = view_to_u64(element->text, UINT32_MAX, &ttl);
        walk->ttl = (uint32_t)ttl;
        return err;
    } else if (is_special(element->name)) {
        walk->plain = false;
    }
    return ERR_OK;
}

static enum err add_line(struct strbuf *lines, struct view text)
{
    strbuf_adds(lines, lines->len > 0 ? "\n" : "");
    return strbuf_add(lines, text);
}

/** What stands at the top of a list: where its next page begins. */
static enum err in_root(struct walk *walk, const struct xml_element *element)
{
    struct route53_reading *reading = walk->reading;
    if (view_equals(element->name, "IsTruncated")) {
        reading->truncated = view_equals(element->text, "true");
    } else if (view_equals(element->name, "NextDNSName") && unescape(element->text, reading->next_zone) != ERR_OK) {
        reading->next_zone[0] = '\0';
    } else if (view_equals(element->name, "NextHostedZoneId")) {
        take_id(element->text, "/hostedzone/", reading->next_zone_id);
    } else if (view_equals(element->name, "NextRecordName")) {
        return view_copy(element->text, reading->next_name, sizeof(reading->next_name));
    } else if (view_equals(element->name, "NextRecordType")) {
        return view_copy(element->text, reading->next_type, sizeof(reading->next_type));
    } else if (view_equals(element->name, "NextRecordIdentifier")) {
        return view_copy(element->text, reading->next_identifier, sizeof(reading->next_identifier));
    }
    return ERR_OK;
}

static enum err on_close(void *context, const struct xml_element *element)
{
    struct walk *walk = context;
    struct route53_reading *reading = walk->reading;
    if (view_equals(element->name, "HostedZone")) {
        return end_zone(walk);
    }
    if (view_equals(element->name, "ResourceRecordSet")) {
        return end_rrset(walk);
    }
    if (view_equals(element->parent, "ResourceRecordSet")) {
        return in_rrset(walk, element);
    }
    if (view_equals(element->parent, "HostedZone")) {
        return in_zone(walk, element);
    }
    if (view_equals(element->parent, "ResourceRecord") && view_equals(element->name, "Value")) {
        return add_line(&walk->values, element->text);
    }
    if (view_equals(element->parent, "Config") && view_equals(element->name, "PrivateZone")) {
        walk->zone_private = view_equals(element->text, "true");
    } else if (view_equals(element->parent, "ChangeInfo") && view_equals(element->name, "Id")) {
        take_id(element->text, "/change/", reading->id);
    } else if (view_equals(element->parent, "ChangeInfo") && view_equals(element->name, "Status")) {
        reading->insync = view_equals(element->text, "INSYNC");
    } else if (view_equals(element->parent, "Error") && view_equals(element->name, "Code")) {
        return view_copy(element->text, reading->code, sizeof(reading->code));
    } else if (view_equals(element->name, "Message")) {
        return add_line(&reading->messages, element->text);
    }
    return element->depth == 2 ? in_root(walk, element) : ERR_OK;
}

enum err route53_read(struct view body, struct route53_reading *reading)
{
    struct walk walk = {.reading = reading, .plain = true};
    const struct xml_handler handler = {.open = on_open, .close = on_close, .context = &walk};
    strbuf_init(&walk.values, VALUES_MAX);
    strbuf_init(&reading->messages, MESSAGES_MAX);
    enum err err = xml_parse(body, ROUTE53_REPLY_MAX, DEPTH_MAX, &handler, NULL);
    strbuf_deinit(&walk.values);
    if (err == ERR_OK && strcmp(reading->root, "InvalidChangeBatch") == 0 && reading->code[0] == '\0') {
        memcpy(reading->code, reading->root, sizeof(reading->code)); /* the document that has no Error in it */
    }
    return err;
}

void route53_reading_deinit(struct route53_reading *reading)
{
    strbuf_deinit(&reading->messages);
}
