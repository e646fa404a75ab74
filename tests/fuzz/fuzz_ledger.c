/* SPDX-License-Identifier: Apache-2.0 */
/** Ledgers from stations: a whole file, line by line. The chain moves by good lines alone, and what is read may be
 * written again. */
#include <stdlib.h>
#include <string.h>

#include "provisioning/ledger.h"
#include "provisioning/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const struct ledger_chain *before, const struct ledger_chain *after, const struct ledger_line *line)
{
    require(after->begun && after->next == before->next + 1 && line->n == before->next);
    require((line->event == LEDGER_HEAD) == !before->begun);
    require(line->event == LEDGER_HEAD || ledger_serial_valid(view_of(line->serial)));
    require(line->event != LEDGER_MADE || line->key[0] == 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t point[KEY_POINT_SIZE] = {4};
    struct ledger_chain chain = {.begun = false};
    struct view rest = view_n((const char *)data, size);
    struct view text;
    struct errinfo info = {0};
    while (view_next(&rest, '\n', &text)) {
        const struct ledger_chain before = chain;
        struct ledger_line line;
        if (ledger_read(&chain, text, &line, &info) == ERR_OK) {
            check(&before, &chain, &line);
        } else {
            require(memcmp(&before, &chain, sizeof(chain)) == 0);
        }
        require(sealed_verify(text, point, &info) != ERR_OK); /* no key has that point */
    }
    return 0;
}
