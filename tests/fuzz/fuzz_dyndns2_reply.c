/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: number of hosts (1 to 20); the rest is the body of a 200 reply. Whatever it says, each host must end with
 * an outcome, and only a line that names the address asked for, or none, may count as applied.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "providers/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct provider_ops *ops;

static void *account(void)
{
    static void *state;
    static struct catalogue *catalogue;
    const struct template *template = NULL;
    if (state == NULL) {
        struct strbuf report;
        strbuf_init(&report, 4096);
        enum err made = catalogue_new(NULL, &catalogue, &report);
        assert(made == ERR_OK);
        strbuf_deinit(&report);
        ops = catalogue_find(catalogue, "dyndns2", &template);
        char path[] = "/tmp/muster-fuzz-XXXXXX";
        int fd = mkstemp(path);
        assert(fd >= 0 && write(fd, "x", 1) == 1);
        struct engine_account_config config = {.name = "fuzz",
                                               .url = "https://h.example/nic/update",
                                               .username = "u",
                                               .password_file = path,
                                               .verify_server = "127.0.0.1:53"};
        enum err err = ops->open(&config, template, &state, NULL);
        assert(err == ERR_OK);
        close(fd);
        unlink(path);
    }
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct batch_item items[20];
    struct batch batch = {.items = items, .len = data[0] % 20u + 1};
    struct provider_zone zone = {.name = "example"};
    struct provider_request request = {0};
    struct provider_reply reply = {.status = 200, .body = view_n((const char *)data + 1, size - 1)};
    struct verdict verdict = {0};
    for (size_t i = 0; i < batch.len; i++) {
        items[i] = (struct batch_item){.name = "a.example", .type = RRTYPE_A, .outcome = OUTCOME_UNKNOWN};
        items[i].want = (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, 1}}}};
    }
    void *state = account();
    enum err err = ops->parse_reply(state, &zone, &batch, &request, &reply, &verdict);
    assert(err == ERR_OK && verdict.kind < VERDICT_KINDS);
    for (size_t i = 0; verdict.kind == VERDICT_SETTLED && i < batch.len; i++) {
        assert((items[i].outcome == OUTCOME_APPLIED) == (items[i].error == NULL));
    }
    return 0;
}
