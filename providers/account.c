/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "providers/provider.h"
#include "providers/template.h"

/** Whether http:// will do is the provider's to say (provider_open). */
static enum err check_url(struct view value, struct errinfo *info)
{
    return view_starts_with(value, VIEW_LITERAL("https://")) || view_starts_with(value, VIEW_LITERAL("http://"))
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "config", 0, "must start with https://: the login travels with it");
}

static enum err check_word(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "must be letters and digits: it stands in the URL");
        }
    }
    return ERR_OK;
}

static const char *const ipv6_ways[] = {"myip", "list", "myipv6", "none", NULL}; /* enum account_ipv6 */

#define AT(field) .offset = offsetof(struct engine_account_config, field)

const struct config_row engine_account_rows[] = {
    {.name = "name",
     .type = CONFIG_STRING,
     AT(name),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = 64,
     .help = "name by which zones refer to the account"},
    {.name = "provider",
     .type = CONFIG_STRING,
     AT(provider),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = 32,
     .help = "what serves it: muster provider list shows all, muster provider show NAME what an account needs"},
    {.name = "server",
     .type = CONFIG_HOSTPORT,
     AT(server),
     .flags = CONFIG_RELOADABLE,
     .help = "rfc2136: primary server of the zones; without it each zone's is found by its SOA record"},
    {.name = "key_file",
     .type = CONFIG_PATH,
     AT(key_file),
     .flags = CONFIG_RELOADABLE,
     .help = "key of more than one part, not readable by all users. rfc2136: TSIG key as tsig-keygen writes it or "
             "algorithm:name:base64; route53: AWS credentials file; google: JSON key of a service account; "
             "azure: what `az ad sp create-for-rbac` writes"},
    {.name = "url",
     .type = CONFIG_STRING,
     AT(url),
     .flags = CONFIG_RELOADABLE,
     .max = 512,
     .check = check_url,
     .help =
         "https://...; dyndns2: update URL without query; powerdns: the server's API, also http:// on this machine; "
         "elsewhere in place of the service's own"},
    {.name = "username",
     .type = CONFIG_STRING,
     AT(username),
     .flags = CONFIG_RELOADABLE,
     .max = 128,
     .help = "login, where the provider has one: muster provider show NAME says what it is"},
    {.name = "password_file",
     .type = CONFIG_PATH,
     AT(password_file),
     .flags = CONFIG_RELOADABLE,
     .help = "file that holds the password, token or API key alone"},
    {.name = "ipv6",
     .type = CONFIG_ENUM,
     AT(ipv6),
     .flags = CONFIG_RELOADABLE,
     .choices = ipv6_ways,
     .def = "myip",
     .help = "dyndns2: how the service takes an IPv6 address; myip: alone, in a request of its own; list: myip=v4,v6 "
             "where both change; myipv6: in that parameter; none: not at all"},
    {.name = "unchanged",
     .type = CONFIG_STRING,
     AT(unchanged),
     .flags = CONFIG_RELOADABLE,
     .min = 1,
     .max = 16,
     .check = check_word,
     .help = "dyndns2 with ipv6: myipv6: what the service reads as \"leave this family alone\" (Dynu: no, deSEC: "
             "preserve); without it the family's parameter is left out"},
    {.name = "ca_file",
     .type = CONFIG_PATH,
     AT(ca_file),
     .flags = CONFIG_RELOADABLE,
     .help = "trusted roots instead of the system's, for HTTPS and for rfc2136 with transport: tls"},
    {.name = "verify_server",
     .type = CONFIG_HOSTPORT,
     AT(verify_server),
     .flags = CONFIG_RELOADABLE,
     .help =
         "services whose updates may not be repeated: authoritative server that is asked when the outcome of one is "
         "unknown; without it the primary or the name servers of the zone are found"},
    {.name = "secrets_file",
     .type = CONFIG_PATH,
     AT(secrets_file),
     .flags = CONFIG_RELOADABLE,
     .help = "services with a key for each host: file of lines \"host key\""},
    {.name = "connect_to",
     .type = CONFIG_HOSTPORT,
     AT(connect_to),
     .flags = CONFIG_RELOADABLE,
     .help =
         "connect here whatever host the provider's URL names, which the certificate must still name: for a gateway "
         "on the way"},
    {.name = "options",
     .type = CONFIG_MAP,
     AT(options),
     .flags = CONFIG_RELOADABLE,
     .max = PROVIDER_OPTIONS_MAX,
     .help = "what else the provider takes: muster provider show NAME lists it"},
    {.name = "timeout",
     .type = CONFIG_DURATION,
     AT(timeout),
     .flags = CONFIG_RELOADABLE,
     .min = 100,
     .max = 300000,
     .def = "10s",
     .help = "absolute deadline of one transaction"},
    {.name = "retry_min",
     .type = CONFIG_DURATION,
     AT(retry_min),
     .flags = CONFIG_RELOADABLE,
     .min = 10,
     .max = 3600000,
     .def = "500ms",
     .help = "base of the exponential backoff"},
    {.name = "retry_max",
     .type = CONFIG_DURATION,
     AT(retry_max),
     .flags = CONFIG_RELOADABLE,
     .min = 10,
     .max = 86400000,
     .def = "60s",
     .help = "longest backoff"},
    {.name = "rate",
     .type = CONFIG_U32,
     AT(rate),
     .flags = CONFIG_RELOADABLE,
     .unit = "calls a minute",
     .max = 1000000,
     .def = "0",
     .help = "most calls a minute over all zones of the account; 0 = no limit"},
    {.name = "burst",
     .type = CONFIG_U32,
     AT(burst),
     .flags = CONFIG_RELOADABLE,
     .unit = "calls",
     .min = 1,
     .max = 100000,
     .def = "10",
     .help = "calls that may go at once before the rate applies"},
    {.name = "quota",
     .type = CONFIG_U32,
     AT(quota),
     .flags = CONFIG_RELOADABLE,
     .unit = "times",
     .min = 1,
     .max = 100000,
     .def = "1",
     .help = "how many times its documented rates the service grants this account; muster provider limits shows them"},
    {.name = "batch_max",
     .type = CONFIG_U32,
     AT(batch_max),
     .flags = CONFIG_RELOADABLE,
     .unit = "changes",
     .max = PROVIDER_BATCH_MAX,
     .def = "0",
     .help = "most changes a message; 0 = as many as the provider takes"},
    {.name = "depth_max",
     .type = CONFIG_U32,
     AT(depth_max),
     .flags = CONFIG_RELOADABLE,
     .unit = "messages",
     .max = PROVIDER_DEPTH_MAX,
     .def = "0",
     .help = "most messages in flight a zone; 0 = as many as the provider takes"},
    {.name = NULL},
};

size_t engine_account_config_size(void)
{
    return sizeof(struct engine_account_config);
}

enum err account_split_hostport(const char *text, char *ret_host, size_t size, uint16_t *ret_port)
{
    struct view all = view_of(text), host, port;
    size_t colon = all.len;
    while (colon > 0 && all.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2) {
        return ERR_PARSE;
    }
    host = view_n(all.ptr, colon - 1);
    port = view_n(all.ptr + colon, all.len - colon);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = view_n(host.ptr + 1, host.len - 2);
    }
    uint64_t number = 0;
    if (view_to_u64(port, UINT16_MAX, &number) != ERR_OK || number == 0) {
        return ERR_PARSE;
    }
    enum err err = view_copy(host, ret_host, size);
    if (err == ERR_OK) {
        *ret_port = (uint16_t)number;
    }
    return err;
}

enum err account_read_file(const char *path, size_t max, struct secret *ret_secret, struct errinfo *info)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return errinfo_set(info, err_from_errno(errno), "config", errno, "%s: %s", path,
                           err_text(err_from_errno(errno)));
    }
    if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return errinfo_set(info, ERR_DENIED, "config", 0, "%s is open to all users: chmod 0640 or 0600", path);
    }
    char *data = NULL;
    size_t len = 0;
    enum err err = file_read(path, max, &data, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "config", 0, "%s: %s", path, err_text(err));
    }
    struct view text = view_trim(view_n(data, len));
    err =
        text.len > 0 ? secret_set(ret_secret, text) : errinfo_set(info, ERR_INVALID, "config", 0, "%s is empty", path);
    crypto_zeroise(data, len);
    free(data);
    return err;
}

enum err account_read_secret(const char *path, struct secret *ret_secret, struct errinfo *info)
{
    return account_read_file(path, ACCOUNT_SECRET_MAX, ret_secret, info);
}

static void digest_text(struct strbuf *all, const char *name, const char *text)
{
    strbuf_addf(all, "%s=%zu:%s\n", name, text != NULL ? strlen(text) : (size_t)0, text != NULL ? text : "");
}

static void digest_file(struct strbuf *all, const char *name, const char *path)
{
    char *data = NULL;
    size_t len = 0;
    digest_text(all, name, path);
    if (path != NULL && file_read(path, ACCOUNT_FILE_MAX, &data, &len) == ERR_OK) { /* unreadable: as if empty */
        uint8_t digest[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];
        crypto_sha256(view_n(data, len), digest);
        crypto_hex(digest, sizeof(digest), hex);
        strbuf_adds(all, hex);
        crypto_zeroise(data, len);
        free(data);
    }
}

void engine_account_fingerprint(const struct engine_account_config *config, const struct template *template,
                                uint8_t ret_digest[static 32])
{
    struct strbuf all;
    strbuf_init(&all, CONFIG_FILE_MAX);
    digest_text(&all, "provider", config->provider);
    digest_text(&all, "server", config->server);
    digest_text(&all, "url", config->url);
    digest_text(&all, "username", config->username);
    digest_text(&all, "unchanged", config->unchanged);
    strbuf_addf(&all, "ipv6=%d\n", config->ipv6);
    for (size_t i = 0; i < config->options.len; i++) {
        digest_text(&all, config->options.items[i].key, config->options.items[i].value);
    }
    digest_file(&all, "password_file", config->password_file);
    digest_file(&all, "key_file", config->key_file);
    digest_file(&all, "secrets_file", config->secrets_file);
    if (template != NULL && template->file_hash != 0) {
        strbuf_addf(&all, "template=%016llx\n", (unsigned long long)template->file_hash);
    }
    crypto_sha256(strbuf_view(&all), ret_digest);
    strbuf_deinit(&all);
}
