/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/provider.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"

const struct provider_ops *const provider_registry[] = {
    &provider_rfc2136,
    &provider_dyndns2,
    NULL,
};

const struct provider_ops *provider_find(struct view name)
{
    for (const struct provider_ops *const *ops = provider_registry; *ops != NULL; ops++) {
        if (view_equals(name, (*ops)->name)) {
            return *ops;
        }
    }
    return NULL;
}

void provider_names(char *buffer, size_t size)
{
    size_t len = 0;
    buffer[0] = '\0';
    for (const struct provider_ops *const *ops = provider_registry; *ops != NULL && len < size; ops++) {
        int wrote = snprintf(buffer + len, size - len, "%s%s", len > 0 ? ", " : "", (*ops)->name);
        len += wrote > 0 ? (size_t)wrote : 0;
    }
}

enum { URL_MAX = 8192, HEADERS_MAX = 8192, BODY_MAX = 4 << 20 };

void provider_request_init(struct provider_request *request)
{
    *request = (struct provider_request){0};
    strbuf_init(&request->body, BODY_MAX);
    strbuf_init(&request->url, URL_MAX);
    strbuf_init(&request->headers, HEADERS_MAX);
}

static void wipe(struct strbuf *buf)
{
    if (buf->ptr != NULL) {
        crypto_zeroise(buf->ptr, buf->size);
    }
    strbuf_deinit(buf);
}

void provider_request_deinit(struct provider_request *request)
{
    strbuf_deinit(&request->body);
    wipe(&request->url);
    wipe(&request->headers);
}
