/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-address: what the coordinator makes of the lines on its standard input, "<prefix> suffix|mac <text> <subnet>":
 * an address, "none" or "refused" a line. Judged by test_host_address.py.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/hostaddr.h"

static bool read_id(struct view kind, struct view text, struct host_id *id)
{
    if (view_equals(kind, "mac")) {
        return host_id_of_mac(text, id) == ERR_OK;
    }
    id->is_64 = id->subnet != 0; /* as the registry reads it */
    return ip_parse(text, &id->suffix) == ERR_OK;
}

static void answer(struct view line)
{
    struct view prefix_text = {0}, kind = {0}, text = {0};
    struct ip_prefix prefix;
    struct host_id id = {.subnet = 0};
    uint64_t subnet = 0;
    char shown[IP_TEXT_SIZE] = "none";
    if (!view_next(&line, ' ', &prefix_text) || !view_next(&line, ' ', &kind) || !view_next(&line, ' ', &text) ||
        view_to_u64(line, UINT32_MAX, &subnet) != ERR_OK || ip_prefix_parse(prefix_text, &prefix) != ERR_OK) {
        (void)puts("refused");
        return;
    }
    id.subnet = (uint32_t)subnet;
    if (!read_id(kind, text, &id)) {
        (void)puts("refused");
        return;
    }
    struct ip ip = host_address(&prefix, &id);
    if (ip.family != IP_NONE) {
        (void)ip_format(&ip, shown);
    }
    (void)puts(shown);
}

int main(void)
{
    char line[256];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        answer(view_n(line, strcspn(line, "\n")));
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
