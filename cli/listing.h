/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * listing: answers that come in pages, fetched and printed page by page, so a million rows need the memory of one page.
 * `--json` is one object of the answers' shape, an item a line; `--ndjson` is an item a line. A listing that breaks off
 * exits with the code of the failure, and its JSON then has no end.
 */
#include <stddef.h>

#include "cli/api.h"
#include "cli/grid.h"

#define LISTING_PAGE_MAX 1000 /* what the coordinator gives at most */

struct listing_options {
    struct api_options api;
    bool ndjson;
    uint32_t limit; /* 0 = all */
};
_Static_assert(offsetof(struct listing_options, api) == 0, "rows of the shared options count from here");

#define LISTING_ROWS                                                                                                   \
    API_ROWS, {"ndjson",                                                                                               \
               0,                                                                                                      \
               NULL,                                                                                                   \
               ARGS_FLAG,                                                                                              \
               offsetof(struct listing_options, ndjson),                                                               \
               .help = "Print one JSON object a line"},                                                                \
    {                                                                                                                  \
        "limit", 'n', "N", ARGS_U32, offsetof(struct listing_options, limit),                                          \
            .min = 1, .help = "Stop after N rows (default: all)"                                                       \
    }

struct listing {
    const char *what;   /* first line of a failure's report */
    const char *member; /* of the answer: "devices" */
    const char *none;   /* said on stderr, to people, when nothing was found */
    const struct grid_column *columns;
    void (*row)(struct grid *grid, const json_t *item); /* one cell a column */
};

/** @param path with its filters, without limit= and after=. @return EXIT_OK also when there is nothing. */
enum exit_code listing_run(const struct command_call *call, const struct listing_options *options,
                           const struct listing *listing, const struct strbuf *path);
