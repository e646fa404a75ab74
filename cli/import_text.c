/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as the files of a coordinator. */
#include <stdio.h>
#include <string.h>

#include "cli/import_plan_private.h"

#define DEVICE_GROUP "imported"

bool import_secret_name(const struct import_account *account, char *buffer, size_t size)
{
    bool hosts = account->service->secret == IMPORT_HOSTS;
    int len = snprintf(buffer, size, "%s.%s", account->name, hosts ? "hosts" : "password");
    return account->service->secret != IMPORT_KEY_FILE && len > 0 && (size_t)len < size;
}

static void add(struct strbuf *out, const char *indent, const char *key, const char *text)
{
    (void)strbuf_addf(out, "%s%s: ", indent, key); /* sticky, here and below */
    (void)strbuf_add_json(out, view_of(text));     /* a JSON text is a YAML one */
    (void)strbuf_addc(out, '\n');
}

static void add_path(struct strbuf *out, const char *indent, const char *key, const char *folder, const char *file)
{
    struct strbuf path;
    strbuf_init(&path, IMPORT_TEXT_MAX);
    (void)strbuf_addf(&path, "%s/%s", folder, file); /* sticky: a path too long for memory is an empty one */
    add(out, indent, key, strbuf_str(&path));
    strbuf_deinit(&path);
}

static void add_account(const struct import_account *account, const struct import_options *options, struct strbuf *out)
{
    char file[64];
    const struct {
        const char *key, *value;
    } texts[] = {{"username", account->username},    {"url", account->url},
                 {"server", account->server},        {"ca_file", account->ca_file},
                 {"verify_server", account->verify}, {"key_file", account->server != NULL ? account->password : NULL}};
    add(out, "  - ", "name", account->name);
    add(out, "    ", "provider", account->provider);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].value != NULL) {
            add(out, "    ", texts[i].key, texts[i].value);
        }
    }
    if (account->proxied || account->ttl_auto) {
        (void)strbuf_addf(out, "    options: {%s%s%s}\n", account->proxied ? "proxied: \"true\"" : "",
                          account->proxied && account->ttl_auto ? ", " : "", account->ttl_auto ? "ttl: auto" : "");
    }
    if (import_secret_name(account, file, sizeof(file))) {
        add_path(out, "    ", account->service->secret == IMPORT_HOSTS ? "secrets_file" : "password_file",
                 options->folder, file);
    }
}

static void add_zone(const struct import_plan *plan, const struct import_zone *zone, struct strbuf *out)
{
    add(out, "  - ", "name", zone->name);
    add(out, "    ", "account", plan->accounts[zone->account].name);
    if (plan->accounts[zone->account].shares) { /* else whatever stands at a name of ours is replaced */
        (void)strbuf_adds(
            out, "    mode: shared # a name that stands there stays as it is until: muster record adopt NAME\n");
    }
    if (zone->refresh_s != 0) {
        (void)strbuf_addf(out, "    refresh_every: %llus\n", (unsigned long long)zone->refresh_s);
    }
}

static void add_name(const struct import_name *name, const char *text, struct strbuf *out)
{
    add(out, "      - ", "name", text);
    (void)strbuf_addf(out, "        types: [%s]\n", name->v4 && name->v6 ? "A, AAAA" : name->v4 ? "A" : "AAAA");
    if (name->ttl != 0) {
        (void)strbuf_addf(out, "        ttl: %u\n", (unsigned)name->ttl);
    }
}

static const char *parent(const char *name)
{
    return strchr(name, '.') + 1; /* every name has one */
}

static bool same_group(const struct import_name *a, const struct import_name *b)
{
    return strcmp(parent(a->name), parent(b->name)) == 0 && a->v4 == b->v4 && a->v6 == b->v6 && a->ttl == b->ttl;
}

/* Index of the first name that is kept in the same way. */
static size_t group_of(const struct import_plan *plan, size_t index)
{
    size_t i = 0;
    while (!same_group(&plan->names[i], &plan->names[index])) {
        i++; /* at the latest, the name itself */
    }
    return i;
}

static void group_name(const struct import_plan *plan, size_t index, char *buffer, size_t size)
{
    (void)snprintf(buffer, size, DEVICE_GROUP "-%zu", group_of(plan, index) + 1); /* two numbers fit */
}

/* A group for all names of a domain that are kept in the same way. */
static void add_groups(const struct import_plan *plan, struct strbuf *out)
{
    for (size_t i = 0; i < plan->names_len; i++) {
        char group[32], pattern[300];
        if (group_of(plan, i) == i) {
            group_name(plan, i, group, sizeof(group));
            (void)snprintf(pattern, sizeof(pattern), "{id}.%s", parent(plan->names[i].name)); /* fits */
            add(out, "  - ", "name", group);
            (void)strbuf_adds(out, "    names:\n");
            add_name(&plan->names[i], pattern, out);
        }
    }
}

static void add_broker(const struct import_options *options, struct strbuf *out)
{
    (void)strbuf_adds(out, "broker:\n  endpoints: [");
    (void)strbuf_add_json(out, view_of(options->broker));
    (void)strbuf_adds(out, "]\n  client_id: svc-coord1\n");
    add_path(out, "  ", "ca_file", options->certs, "bundle-server.pem");
    add_path(out, "  ", "cert_file", options->certs, "svc-coord1.pem");
    add_path(out, "  ", "key_file", options->certs, "svc-coord1.key");
    add_path(out, "  ", "stamp_key_file", options->certs, "stamp.key");
}

enum err import_plan_coordinator(const struct import_plan *plan, const struct import_client *client,
                                 const struct import_options *options, struct strbuf *out)
{
    (void)strbuf_addf(
        out,
        "# Made by muster import %s. Broker and certificates are those of docs/small-deployment.md: make\n"
        "# them yours. What was not taken over, by line of the imported file:\n",
        client->name);
    for (size_t i = 0; i < plan->notes_len; i++) {
        const struct import_note *note = &plan->notes[i];
        char path[300];
        (void)snprintf(path, sizeof(path), "%s", note->path != NULL ? note->path : ""); /* cut is fine */
        import_defuse(path);
        (void)strbuf_addf(out, "#   %s%s%u: %s\n", path, path[0] != '\0' ? ":" : "", (unsigned)note->line, note->text);
    }
    add_broker(options, out);
    add_path(out, "", "registry", options->folder, "registry.yaml");
    (void)strbuf_adds(out, "accounts:\n");
    for (size_t i = 0; i < plan->accounts_len; i++) {
        add_account(&plan->accounts[i], options, out);
    }
    (void)strbuf_adds(out, "zones:\n");
    for (size_t i = 0; i < plan->zones_len; i++) {
        add_zone(plan, &plan->zones[i], out);
    }
    (void)strbuf_adds(out, "groups:\n");
    if (options->each) {
        add_groups(plan, out);
        return strbuf_error(out);
    }
    (void)strbuf_adds(out, "  - name: " DEVICE_GROUP "\n    names:\n");
    for (size_t i = 0; i < plan->names_len; i++) {
        add_name(&plan->names[i], plan->names[i].name, out);
    }
    return strbuf_error(out);
}

enum err import_plan_registry(const struct import_plan *plan, const struct import_options *options, struct strbuf *out)
{
    (void)strbuf_adds(out, "# The id of a device is the common name of its certificate.\ndevices:\n");
    if (!options->each) {
        add(out, "  - ", "id", options->device);
        (void)strbuf_adds(out, "    group: " DEVICE_GROUP "\n");
    }
    for (size_t i = 0; options->each && i < plan->names_len; i++) {
        char id[64], group[32];
        struct view name = view_of(plan->names[i].name);
        (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(name.ptr, "."), name.ptr); /* a label fits */
        group_name(plan, i, group, sizeof(group));
        add(out, "  - ", "id", id);
        add(out, "    ", "group", group);
    }
    return strbuf_error(out);
}
