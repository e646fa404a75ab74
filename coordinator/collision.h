/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * collision: can two devices of a registry have one name? Used by registry.c while it loads.
 *
 * Certain is what stands in the file: two entries that name devices by id. That is an error of the load. Possible is
 * what depends on the devices that come: a pattern admits an id whose name another device has, or could have. That is a
 * warning with an example, once for each two templates; then the first device to report keeps the name, which the store
 * decides (store_want.taken). Where every template has {id} as a whole label at one place, nothing can collide and
 * nothing is searched.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "coordinator/registry.h"

struct collision;

#define COLLISION_WARNINGS_MAX 16 /* pairs of templates; then the search ends */

/** @param registry borrowed, its entries may still grow. @param config_path @param registry_path borrowed, for
 * messages. */
enum err collision_new(const struct registry *registry, const char *config_path, const char *registry_path,
                       struct collision **ret_collision) MUST_CHECK;
void collision_free(struct collision *collision); /* NULL allowed */

/** One name of one entry. */
struct collision_claim {
    uint32_t ref; /* entry number */
    const struct registry_entry *entry;
    size_t template_index; /* into the group's templates */
    size_t host_index;     /* into the entry's hosts; COLLISION_DEVICE: the device itself */
};
#define COLLISION_DEVICE ((size_t)-1)

/** Takes the name of an entry with an id. @param why what is wrong, for a person. @return ERR_EXISTS (why is filled):
 * another entry has it, or the same one with a type of its own; ERR_NOMEM. */
enum err collision_claim(struct collision *collision, const struct collision_claim *claim, struct view name,
                         struct strbuf *why) MUST_CHECK;

/** When all entries are known. @param report errors, one a line. @param warnings likewise. @return ERR_INVALID (report
 * is filled), ERR_NOMEM. Takes some 50 ms for 100,000 names, and is bounded. */
enum err collision_search(struct collision *collision, struct strbuf *report, struct strbuf *warnings) MUST_CHECK;
