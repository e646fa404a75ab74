/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: form and family; the rest is the body. An address comes out only of the asked family, never IPv4-mapped,
 * and only where its text stands in the body. The same bytes are read as format and as URL.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "agent/detect/echobody.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_body(uint8_t choice, struct view body)
{
    struct echo_format format = {.form = (enum echo_form)(choice % (ECHO_DYNDNS + 1)), .field = "ip"};
    uint8_t family = choice & 0x80 ? IP_V6 : IP_V4;
    struct ip ip;
    struct errinfo info = {0};
    enum err err = echo_body_parse(&format, view_of("h"), family, body, &ip, &info);
    if (err == ERR_OK) {
        char text[IP_TEXT_SIZE];
        assert(ip.family == family && ip_unmap(ip).family == family && body.len <= ECHO_BODY_MAX);
        assert(ip_format(&ip, text) > 0);
        assert(family == IP_V6 || memmem(body.ptr, body.len, text, strlen(text)) != NULL);
    } else {
        assert(info.text[0] != '\0' || err == ERR_NOMEM);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct view rest = view_n((const char *)data + 1, size - 1);
    struct echo_format format;
    char host[ECHO_HOST_SIZE] = "";
    check_body(data[0], rest);
    if (echo_format_parse(rest, &format, NULL) == ERR_OK) {
        assert(format.form != ECHO_JSON || format.field[0] != '\0');
    }
    if (echo_url_host(rest, host, NULL) == ERR_OK) {
        assert(host[0] != '\0' && strpbrk(host, "/?#@ \r\n") == NULL);
    }
    return 0;
}
