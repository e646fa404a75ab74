/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * catalogue: every DNS service that is known: what is written in C (provider_registry), the templates that are part of
 * the program, those of a folder of the user's (which override the former by name), and services that nothing is there
 * for (providers/catalogue.yaml). Counted: a reload makes a new one while accounts of the old one live. Templates that
 * are part of the program are read when somebody asks for them; one thread.
 */
#include "providers/provider.h"

#define CATALOGUE_FOLDER "/etc/muster/providers.d"

struct catalogue;

enum catalogue_status { CATALOGUE_OK, CATALOGUE_PLANNED, CATALOGUE_DEAD, CATALOGUE_UNDOCUMENTED };
const char *catalogue_status_name(enum catalogue_status status);

/** A service, whatever serves it. Texts live as long as the catalogue. */
struct catalogue_service {
    const char *service, *class, *since, *source, *read;
    const char *note; /* NULL = none */
    enum catalogue_status status;
    const struct provider_ops *ops;  /* NULL: there is nothing to serve it */
    const struct template *template; /* NULL: written in C */
};

/**
 * @param folder *.yaml of it are templates; NULL or not there = none; not to be read = an error. @param report one line
 * an error, with the file.
 * @return ERR_INVALID (report filled), ERR_NOMEM, ERR_LIMIT, ERR_IO. Blocks on the disk.
 */
enum err catalogue_new(const char *folder, struct catalogue **ret_catalogue, struct strbuf *report) MUST_CHECK;
struct catalogue *catalogue_ref(struct catalogue *catalogue);
void catalogue_unref(struct catalogue *catalogue); /* NULL allowed */

/** What serves the accounts of a provider. @param catalogue NULL: only what is written in C. @param ret_template
 * borrowed from the catalogue; NULL for what is written in C. @return ERR_INVALID: unknown, with "did you mean" or the
 * note of a service that cannot be served; ERR_NOMEM. */
enum err catalogue_get(struct catalogue *catalogue, const char *name, const struct provider_ops **ret_ops,
                       const struct template **ret_template, struct errinfo *info) MUST_CHECK;
/** The same for a name that catalogue_get has found. NULL = unknown, or out of memory. */
const struct provider_ops *catalogue_find(struct catalogue *catalogue, const char *name,
                                          const struct template **ret_template);

/** Every service, by name; one that several providers serve stands several times, together. Texts live as long as the
 * catalogue. @return as catalogue_new. */
enum err catalogue_services(struct catalogue *catalogue, const struct catalogue_service **ret_services, size_t *ret_len,
                            struct strbuf *report) MUST_CHECK;
