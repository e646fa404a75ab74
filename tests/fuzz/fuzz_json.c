/* SPDX-License-Identifier: Apache-2.0 */
/** The hot-path scanner and jansson judge every text alike; only the scanner's own caps may part them. */
#include <stdlib.h>

#include "base/json.h"
#include "base/jsonscan.h"

#define DEPTH   4
#define LEN_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

struct seen {
    struct view text;
    size_t members;
};

static enum err count_member(void *context, const struct jsonscan_member *member)
{
    struct seen *seen = context;
    seen->members++;
    require(member->value.len > 0 && member->value.ptr > member->key.ptr);
    require(member->value.ptr + member->value.len <= seen->text.ptr + seen->text.len);
    uint32_t number;
    if (member->kind != '0') {
        require(jsonscan_u32(member, &number) == ERR_PARSE);
    }
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > LEN_MAX) {
        return 0;
    }
    struct seen seen = {.text = view_n((const char *)data, size)};
    enum err scanned = jsonscan_object(seen.text, DEPTH, count_member, &seen);
    CLEANUP(json_decref_p) json_t *json = NULL;
    struct errinfo info;
    enum err parsed = json_parse(seen.text, LEN_MAX, DEPTH, &json, &info);
    bool is_object = parsed == ERR_OK && json_is_object(json);
    if (scanned == ERR_OK) {
        require(is_object && json_object_size(json) == seen.members);
    } else {
        require(!is_object || scanned == ERR_LIMIT);
    }
    return 0;
}
