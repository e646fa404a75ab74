/* SPDX-License-Identifier: Apache-2.0 */
/** What parses is built again byte for byte, and the two parsers differ in the shard check only. */
#include <stdlib.h>

#include "mqtt/topics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_prov(struct view text)
{
    struct prov_topic topic;
    char built[TOPIC_SIZE];
    if (prov_topic_parse(text, &topic) == ERR_OK) {
        require(prov_topic_build(&topic, built) == ERR_OK);
        require(view_equals(text, built));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_n((const char *)data, size);
    try_prov(text);
    struct topic checked;
    struct topic unchecked;
    enum err strict = topic_parse(text, &checked);
    enum err lax = topic_parse_unchecked(text, &unchecked);
    if (lax != ERR_OK) {
        require(strict == lax);
        return 0;
    }
    char built[TOPIC_SIZE];
    require(topic_build(unchecked.kind, unchecked.id, built) == ERR_OK);
    require(view_equals(text, built) == (strict == ERR_OK));
    if (strict == ERR_OK) {
        require(checked.kind == unchecked.kind && view_equal(checked.id, unchecked.id));
        require(checked.id.len == 0 || checked.shard == topic_shard(checked.id));
    } else {
        require(strict == ERR_INVALID && unchecked.shard != topic_shard(unchecked.id));
    }
    return 0;
}
