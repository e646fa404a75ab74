/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/suggest.h"
#include "providers/embedded.h"
#include "providers/template.h"

enum { PART_MIN = 3 /* letters of a service's name */ };

struct catalogue {
    atomic_uint refs;
    struct arena arena;          /* of the rows */
    struct template **templates; /* owned; those that were asked for, and all of the folder */
    size_t templates_len;
    struct config_list rows;            /* struct row; of catalogue_services */
    struct catalogue_service *services; /* owned */
    size_t services_len;
};

/* ---- services without a provider ---- */

struct row {
    struct config_position position;
    const char *service, *class, *source, *read, *note;
    int status; /* enum catalogue_status */
};
static const char *const statuses[] = {"ok", "planned", "dead", "undocumented", NULL};

const char *catalogue_status_name(enum catalogue_status status)
{
    return statuses[status];
}

#define TEXT(row_name, field, longest)                                                                                 \
    .name = row_name, .type = CONFIG_STRING, .offset = offsetof(struct row, field), .flags = CONFIG_REQUIRED,          \
    .min = 1, .max = longest

static const struct config_row row_rows[] = {
    {TEXT("service", service, 64), .help = "as people call it"},
    {TEXT("class", class, 16), .help = "kind of interface"},
    {.name = "status",
     .type = CONFIG_ENUM,
     .offset = offsetof(struct row, status),
     .flags = CONFIG_REQUIRED,
     .choices = statuses,
     .help = "why there is nothing for it"},
    {TEXT("source", source, 300), .help = "page that says so"},
    {TEXT("read", read, 10), .help = "day on which it was read"},
    {.name = "note", .type = CONFIG_STRING, .offset = offsetof(struct row, note), .max = 400, .help = "for people"},
    {.name = NULL},
};
static const struct config_row list_rows[] = {
    {.name = "services",
     .type = CONFIG_LIST,
     .max = CATALOGUE_FILES_MAX,
     .rows = row_rows,
     .element_size = sizeof(struct row),
     .position_offset = offsetof(struct row, position),
     .help = "services that nothing is there for"},
    {.name = NULL},
};
static const struct config_schema list_schema = {
    .title = "catalogue", .rows = list_rows, .size = sizeof(struct config_list)};

/* ---- templates ---- */

static int find_index(const struct catalogue *catalogue, const char *name)
{
    for (size_t i = 0; i < catalogue->templates_len; i++) {
        if (strcmp(catalogue->templates[i]->ops.about.name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/** Takes @p template over, in place of one of the same name. */
static enum err add_template(struct catalogue *catalogue, struct template *template)
{
    const char *name = template->ops.about.name;
    int index = find_index(catalogue, name);
    if (index >= 0) {
        template_unref(catalogue->templates[index]);
        catalogue->templates[index] = template;
        return ERR_OK;
    }
    struct template **grown = realloc(catalogue->templates, (catalogue->templates_len + 1) * sizeof(struct template *));
    if (grown == NULL) {
        template_unref(template);
        return ERR_NOMEM;
    }
    catalogue->templates = grown;
    grown[catalogue->templates_len++] = template;
    return ERR_OK;
}

/** One file more; errors of files are told together. */
static enum err worse(enum err before, enum err err)
{
    return before == ERR_OK || (before == ERR_INVALID && err != ERR_OK) ? err : before;
}

static bool is_of(const struct embedded_file *file, const char *name)
{
    size_t len = strlen(name);
    return strncmp(file->name, name, len) == 0 && strcmp(file->name + len, ".yaml") == 0;
}

static enum err load_one(struct catalogue *catalogue, const struct embedded_file *file, struct strbuf *report)
{
    struct template *template = NULL;
    enum err err = template_load_text(file->name, view_n(file->text, file->len), &template, report);
    return err == ERR_OK ? add_template(catalogue, template) : err;
}

/** Those that nobody asked for yet, and that the user did not describe anew. */
static enum err load_embedded(struct catalogue *catalogue, struct strbuf *report)
{
    enum err all = ERR_OK;
    char name[64];
    for (const struct embedded_file *file = embedded_templates; file->name != NULL; file++) {
        struct view stem = view_n(file->name, strlen(file->name) - strlen(".yaml"));
        bool known = view_copy(stem, name, sizeof(name)) == ERR_OK && find_index(catalogue, name) >= 0;
        all = known ? all : worse(all, load_one(catalogue, file, report));
    }
    for (const struct embedded_file *file = embedded_lists; file->name != NULL; file++) {
        all = worse(all, config_load_text(&list_schema, file->name, view_n(file->text, file->len), &catalogue->arena,
                                          &catalogue->rows, report));
    }
    return all;
}

/** A folder that is there and cannot be read would be as good as empty to glob: the user's own templates would be
 * passed over in silence, and what they override used in their place. */
static enum err check_folder(const char *folder, struct strbuf *report)
{
    DIR *opened = opendir(folder);
    int code = opened == NULL ? errno : 0;
    if (opened != NULL) {
        (void)closedir(opened); /* it was only tried */
    }
    if (code == 0 || code == ENOENT) {
        return ERR_OK;
    }
    (void)strbuf_addf(report, "%s: the folder of templates cannot be read: %s\n", folder,
                      code == ENOTDIR ? "it is a file" : err_text(err_from_errno(code))); /* as above */
    return ERR_INVALID;
}

static enum err load_folder(struct catalogue *catalogue, const char *folder, struct strbuf *report)
{
    char pattern[PATH_MAX + 8];
    glob_t found;
    enum err all = check_folder(folder, report);
    (void)snprintf(pattern, sizeof(pattern), "%s/*.yaml", folder); /* cut: finds nothing */
    int code = all == ERR_OK ? glob(pattern, 0, NULL, &found) : GLOB_NOMATCH;
    if (code != 0) {
        return code == GLOB_NOMATCH ? all : code == GLOB_NOSPACE ? ERR_NOMEM : ERR_IO;
    }
    if (found.gl_pathc > CATALOGUE_FILES_MAX) {
        (void)strbuf_addf(report, "%s: more than %d templates\n", folder, CATALOGUE_FILES_MAX); /* as above */
        all = ERR_INVALID;
    }
    for (size_t i = 0; i < found.gl_pathc && i < CATALOGUE_FILES_MAX; i++) {
        struct template *template = NULL;
        enum err err = template_load(found.gl_pathv[i], &template, report);
        err = err == ERR_OK ? add_template(catalogue, template) : err;
        all = worse(all, err);
    }
    globfree(&found);
    return all;
}

/* ---- services ---- */

static enum catalogue_status status_of(const struct template *template)
{
    static const enum catalogue_status map[] = {[TEMPLATE_OK] = CATALOGUE_OK,
                                                [TEMPLATE_UNDOCUMENTED] = CATALOGUE_UNDOCUMENTED,
                                                [TEMPLATE_DEAD] = CATALOGUE_DEAD};
    return map[template->config.status];
}

static struct catalogue_service service_of(const struct provider_ops *ops, const struct template *template)
{
    return (struct catalogue_service){.service = ops->about.service,
                                      .class = ops->about.class,
                                      .since = ops->about.since,
                                      .source = ops->about.source,
                                      .read = ops->about.read,
                                      .note = ops->about.note,
                                      .status = template != NULL ? status_of(template) : CATALOGUE_OK,
                                      .ops = ops,
                                      .template = template};
}

/** By service; of several providers first what is written in C, then by state and name. */
static int by_service(const void *left, const void *right)
{
    const struct catalogue_service *a = left;
    const struct catalogue_service *b = right;
    int order = strcasecmp(a->service, b->service);
    if (order == 0) {
        order = (a->template != NULL) - (b->template != NULL);
    }
    if (order == 0) {
        order = (int)a->status - (int)b->status;
    }
    return order != 0 || a->ops == NULL || b->ops == NULL ? order : strcmp(a->ops->about.name, b->ops->about.name);
}

static bool is_served(const struct catalogue *catalogue, const char *service)
{
    for (size_t i = 0; i < catalogue->services_len; i++) {
        if (strcmp(catalogue->services[i].service, service) == 0) {
            return true;
        }
    }
    return false;
}

static enum err list_services(struct catalogue *catalogue)
{
    const struct row *rows = catalogue->rows.items;
    size_t natives = 0, served;
    while (provider_registry[natives] != NULL) {
        natives++;
    }
    catalogue->services =
        calloc(natives + catalogue->templates_len + catalogue->rows.len + 1, sizeof(*catalogue->services));
    if (catalogue->services == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < natives; i++) {
        catalogue->services[catalogue->services_len++] = service_of(provider_registry[i], NULL);
    }
    for (size_t i = 0; i < catalogue->templates_len; i++) {
        const struct template *template = catalogue->templates[i];
        catalogue->services[catalogue->services_len++] = service_of(&template->ops, template);
    }
    served = catalogue->services_len;
    for (size_t i = 0; i < catalogue->rows.len; i++) {
        if (!is_served(catalogue, rows[i].service)) { /* a template of the user's may serve it */
            catalogue->services[served++] = (struct catalogue_service){.service = rows[i].service,
                                                                       .class = rows[i].class,
                                                                       .since = "",
                                                                       .source = rows[i].source,
                                                                       .read = rows[i].read,
                                                                       .note = rows[i].note,
                                                                       .status = (enum catalogue_status)rows[i].status};
        }
    }
    catalogue->services_len = served;
    qsort(catalogue->services, served, sizeof(*catalogue->services), by_service);
    return ERR_OK;
}

/* ---- life ---- */

enum err catalogue_new(const char *folder, struct catalogue **ret_catalogue, struct strbuf *report)
{
    struct catalogue *catalogue = calloc(1, sizeof(*catalogue));
    if (catalogue == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&catalogue->refs, 1);
    arena_init(&catalogue->arena, TEMPLATE_ARENA_MAX);
    enum err err = folder != NULL ? load_folder(catalogue, folder, report) : ERR_OK;
    if (err != ERR_OK) {
        catalogue_unref(catalogue);
        return err;
    }
    *ret_catalogue = catalogue;
    return ERR_OK;
}

struct catalogue *catalogue_ref(struct catalogue *catalogue)
{
    (void)atomic_fetch_add(&catalogue->refs, 1);
    return catalogue;
}

void catalogue_unref(struct catalogue *catalogue)
{
    if (catalogue == NULL || atomic_fetch_sub(&catalogue->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < catalogue->templates_len; i++) {
        template_unref(catalogue->templates[i]);
    }
    free(catalogue->templates);
    free(catalogue->services);
    arena_deinit(&catalogue->arena);
    free(catalogue);
}

/* ---- looking up ---- */

/** A service that nothing serves, by its name as people write it. */
static const struct catalogue_service *find_unserved(const struct catalogue *catalogue, const char *name)
{
    for (size_t i = 0; i < catalogue->services_len; i++) {
        const struct catalogue_service *service = &catalogue->services[i];
        if (service->ops == NULL && strcasecmp(service->service, name) == 0) {
            return service;
        }
    }
    return NULL;
}

/** What is called so among other words: "bunny" for Bunny DNS. NULL = none, or too little to go by. */
static const char *find_part(const struct catalogue_service *services, size_t len, const char *name)
{
    for (size_t i = 0; i < len && strlen(name) >= PART_MIN; i++) {
        if (strcasestr(services[i].service, name) != NULL) {
            return services[i].ops != NULL ? services[i].ops->about.name : services[i].service;
        }
    }
    return NULL;
}

/** Cause and remedy for a name that nobody has. */
static enum err complain(struct catalogue *catalogue, const char *name, struct errinfo *info)
{
    const struct catalogue_service *services = NULL, *unserved = NULL;
    struct strbuf report;
    struct suggest suggest;
    size_t len = 0;
    strbuf_init(&report, CONFIG_FILE_MAX);
    enum err err = catalogue != NULL ? catalogue_services(catalogue, &services, &len, &report) : ERR_OK;
    strbuf_deinit(&report);
    if (err == ERR_NOMEM) {
        return err;
    }
    suggest_init(&suggest, view_of(name));
    for (size_t i = 0; i < len; i++) {
        if (services[i].ops != NULL) {
            suggest_offer(&suggest, services[i].ops->about.name);
        }
    }
    unserved = len > 0 ? find_unserved(catalogue, name) : NULL;
    if (unserved != NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "%s is %s: %s", unserved->service,
                           catalogue_status_name(unserved->status), unserved->note != NULL ? unserved->note : "");
    }
    const char *best = suggest.best != NULL ? suggest.best : find_part(services, len, name);
    if (best != NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "unknown provider %s; did you mean `%s`?", name, best);
    }
    return errinfo_set(info, ERR_INVALID, "config", 0,
                       "unknown provider %s: muster provider list shows them; a template of your own goes to %s", name,
                       CATALOGUE_FOLDER);
}

enum err catalogue_get(struct catalogue *catalogue, const char *name, const struct provider_ops **ret_ops,
                       const struct template **ret_template, struct errinfo *info)
{
    *ret_template = NULL;
    *ret_ops = provider_find(view_of(name));
    if (*ret_ops != NULL) {
        return ERR_OK;
    }
    int index = catalogue != NULL ? find_index(catalogue, name) : -1;
    for (const struct embedded_file *file = embedded_templates; catalogue != NULL && index < 0 && file->name != NULL;
         file++) {
        if (is_of(file, name)) {
            struct strbuf report;
            strbuf_init(&report, CONFIG_FILE_MAX);
            enum err err = load_one(catalogue, file, &report);
            err = err != ERR_OK ? errinfo_set(info, err, "config", 0, "%.200s", strbuf_str(&report)) : ERR_OK;
            strbuf_deinit(&report);
            if (err != ERR_OK) {
                return err;
            }
            index = find_index(catalogue, name);
        }
    }
    if (index < 0) {
        return complain(catalogue, name, info);
    }
    *ret_template = catalogue->templates[index];
    *ret_ops = &catalogue->templates[index]->ops;
    return ERR_OK;
}

const struct provider_ops *catalogue_find(struct catalogue *catalogue, const char *name,
                                          const struct template **ret_template)
{
    const struct provider_ops *ops = NULL;
    return catalogue_get(catalogue, name, &ops, ret_template, NULL) == ERR_OK ? ops : NULL;
}

enum err catalogue_services(struct catalogue *catalogue, const struct catalogue_service **ret_services, size_t *ret_len,
                            struct strbuf *report)
{
    if (catalogue->services == NULL) {
        enum err err = load_embedded(catalogue, report);
        if (err == ERR_OK) {
            err = list_services(catalogue);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_services = catalogue->services;
    *ret_len = catalogue->services_len;
    return ERR_OK;
}
