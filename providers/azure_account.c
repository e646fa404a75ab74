/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/azure_account.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonscan.h"

/* The address of the metadata service is the same on every machine, and plain HTTP: it ends at the hypervisor. */
#define METADATA "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"

static const char *const identities[] = {"secret", "managed", NULL};
const struct provider_option azure_options[] = {
    {"resource_group", "resource group of the zones; if left out, the key file's", NULL, false},
    {"subscription", "id of the subscription; if left out, the key file's", NULL, false},
    {"tenant", "id of the directory; if left out, the key file's", NULL, false},
    {"identity", "secret: of a service principal (default); managed: that of the virtual machine", identities, false},
    {"login_url", "where tokens come from in another cloud than the public one: https://login.chinacloudapi.cn", NULL,
     false},
    {NULL, NULL, NULL, false},
};

const struct httpjson_api azure_api = {
    .name = "Azure",
    .login = "give the identity the role DNS Zone Contributor for the zone, and check its secret",
    .wait_ms = 5000,
    .text = "/message",           /* of Azure DNS */
    .text_too = "/error/message", /* of the Resource Manager before it */
    .depth_max = 12,
};

static enum err each_member(void *context, const struct jsonscan_member *member)
{
    struct azure_who *who = context;
    const struct {
        const char *key;
        char *buffer;
        size_t size;
    } rows[] = {
        {"tenantId", who->tenant, AZURE_NAME_SIZE},
        {"tenant_id", who->tenant, AZURE_NAME_SIZE},
        {"tenant", who->tenant, AZURE_NAME_SIZE},
        {"clientId", who->client, AZURE_NAME_SIZE},
        {"client_id", who->client, AZURE_NAME_SIZE},
        {"appId", who->client, AZURE_NAME_SIZE},
        {"subscriptionId", who->subscription, AZURE_NAME_SIZE},
        {"subscription_id", who->subscription, AZURE_NAME_SIZE},
        {"resource_group", who->group, AZURE_NAME_SIZE},
        {"clientSecret", who->secret, ACCOUNT_SECRET_MAX},
        {"client_secret", who->secret, ACCOUNT_SECRET_MAX},
        {"password", who->secret, ACCOUNT_SECRET_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (view_equals(member->key, rows[i].key)) {
            size_t len = 0;
            return jsonscan_text(member, rows[i].buffer, rows[i].size, &len);
        }
    }
    return ERR_OK; /* names and addresses of other services */
}

enum err azure_who_parse(struct view json, struct azure_who *who, struct errinfo *info)
{
    enum err err = json.len > AZURE_KEY_FILE_MAX ? ERR_LIMIT : jsonscan_object(json, 2, each_member, who);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "config", 0,
                           "Azure key file: not the JSON object that `az ad sp create-for-rbac` writes");
    }
    return ERR_OK;
}

static char *copy_url(const char *url)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return strndup(url, len);
}

static enum err copy_option(const struct engine_account_config *config, const char *name, char buffer[AZURE_NAME_SIZE])
{
    const char *value = provider_option(config, name);
    return value != NULL ? view_copy(view_of(value), buffer, AZURE_NAME_SIZE) : ERR_OK;
}

static enum err read_key(struct azure_who *who, const struct engine_account_config *config, struct errinfo *info)
{
    struct secret text = {0};
    enum err err = ERR_OK;
    if (config->key_file != NULL) {
        err = account_read_file(config->key_file, AZURE_KEY_FILE_MAX, &text, info);
        err = err == ERR_OK ? azure_who_parse(secret_view(&text), who, info) : err;
    } else if (config->password_file != NULL) {
        err = account_read_secret(config->password_file, &text, info);
        err = err == ERR_OK ? view_copy(secret_view(&text), who->secret, sizeof(who->secret)) : err;
    }
    secret_deinit(&text);
    return err;
}

static enum err read_who(struct azure_who *who, const struct engine_account_config *config, struct errinfo *info)
{
    enum err err = read_key(who, config, info);
    if (err == ERR_OK && config->username != NULL) {
        err = view_copy(view_of(config->username), who->client, AZURE_NAME_SIZE);
    }
    err = err == ERR_OK ? copy_option(config, "tenant", who->tenant) : err;
    err = err == ERR_OK ? copy_option(config, "resource_group", who->group) : err;
    return err == ERR_OK ? copy_option(config, "subscription", who->subscription) : err;
}

static enum err check(const struct azure_account *account, const struct engine_account_config *config,
                      struct errinfo *info)
{
    const struct azure_who *who = &account->who;
    const char *missing = NULL;
    if (who->group[0] == '\0') {
        missing = "the option `resource_group`, or a key file that has it";
    } else if (who->subscription[0] == '\0') {
        missing = "the option `subscription`, or a key file that has it";
    } else if (!account->managed && (who->client[0] == '\0' || who->secret[0] == '\0')) {
        missing = "`key_file`, or `username` (client id) and `password_file` (client secret), or `identity: managed`";
    } else if (!account->managed && who->tenant[0] == '\0') {
        missing = "the option `tenant`, or a key file that has it";
    } else if (!view_starts_with(view_of(account->login), VIEW_LITERAL("https://"))) {
        missing = "an https URL as `login_url`: the secret goes there";
    }
    return missing == NULL
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "config", 0, "account %s: azure needs %s", config->name, missing);
}

enum err azure_account_new(const struct engine_account_config *config, const char *default_url,
                           struct azure_account **ret_account, struct errinfo *info)
{
    struct azure_account *account = calloc(1, sizeof(*account));
    if (account == NULL) {
        return ERR_NOMEM;
    }
    const char *identity = provider_option(config, "identity"), *login = provider_option(config, "login_url");
    account->managed = identity != NULL && strcmp(identity, "managed") == 0;
    account->url = copy_url(config->url != NULL ? config->url : default_url);
    account->login = copy_url(login != NULL ? login : AZURE_DEFAULT_LOGIN);
    enum err err = account->url != NULL && account->login != NULL ? ERR_OK : ERR_NOMEM;
    err = err == ERR_OK ? read_who(&account->who, config, info) : err;
    err = err == ERR_OK ? check(account, config, info) : err;
    if (err != ERR_OK) {
        azure_account_free(account);
        return err;
    }
    *ret_account = account;
    return ERR_OK;
}

void azure_account_free(struct azure_account *account)
{
    if (account != NULL) {
        oauth_deinit(&account->token);
        crypto_zeroise(&account->who, sizeof(account->who));
        free(account->url);
        free(account->login);
        free(account);
    }
}

static enum err build_managed(const struct azure_account *account, struct provider_request *request)
{
    strbuf_adds(&request->headers, "Accept: application/json\nMetadata: true\n");
    strbuf_adds(&request->url, METADATA "&resource=");
    httpjson_encode(&request->url, view_of(account->url));
    httpjson_encode(&request->url, VIEW_LITERAL("/"));
    if (account->who.client[0] != '\0') { /* one of several that the machine has */
        httpjson_query(&request->url, "client_id", view_of(account->who.client));
    }
    return httpjson_built(request);
}

enum err azure_account_build_token(const struct azure_account *account, struct provider_request *request)
{
    request->stage = AZURE_STAGE_TOKEN;
    if (account->managed) {
        request->verb = HTTP_VERB_GET;
        return build_managed(account, request);
    }
    request->verb = HTTP_VERB_POST;
    strbuf_adds(&request->headers, "Accept: application/json\nContent-Type: application/x-www-form-urlencoded\n");
    strbuf_adds(&request->url, account->login);
    httpjson_path(&request->url, view_of(account->who.tenant));
    strbuf_adds(&request->url, "/oauth2/v2.0/token");
    strbuf_adds(&request->body, "grant_type=client_credentials&client_id=");
    httpjson_encode(&request->body, view_of(account->who.client));
    strbuf_adds(&request->body, "&client_secret=");
    httpjson_encode(&request->body, view_of(account->who.secret));
    strbuf_adds(&request->body, "&scope=");
    httpjson_encode(&request->body, view_of(account->url));
    strbuf_adds(&request->body, "%2F.default");
    return httpjson_built(request);
}
