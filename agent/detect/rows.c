/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/rows.h"

#include <stddef.h>

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

enum err rows_check(const struct source_config *config, unsigned known, unsigned required, struct errinfo *info)
{
    const struct {
        unsigned row;
        const char *name;
        bool set;
    } rows[] = {
        {ROWS_SERVER, "server", is_set(config->server)},       {ROWS_SERVER2, "server2", is_set(config->server2)},
        {ROWS_SERVICE, "service", is_set(config->service)},    {ROWS_QUERY, "query", is_set(config->query)},
        {ROWS_RRTYPE, "rrtype", is_set(config->rrtype)},       {ROWS_URL, "url", is_set(config->url)},
        {ROWS_FORMAT, "format", is_set(config->format)},       {ROWS_CA_FILE, "ca_file", is_set(config->ca_file)},
        {ROWS_COMMAND, "command", config->command_len > 0},    {ROWS_ADDRESS4, "address4", is_set(config->address4)},
        {ROWS_ADDRESS6, "address6", is_set(config->address6)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].set && (known & rows[i].row) == 0) {
            return errinfo_set(info, ERR_INVALID, "detect", 0, "%s: a source of type %s does not know it", rows[i].name,
                               config->type);
        }
        if (!rows[i].set && (required & rows[i].row) != 0) {
            return errinfo_set(info, ERR_INVALID, "detect", 0, "%s: missing; a source of type %s needs it",
                               rows[i].name, config->type);
        }
    }
    return ERR_OK;
}
