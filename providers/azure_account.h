/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * azure_account: who an Azure account is and how it gets its access tokens: by a service principal's secret, or by the
 * managed identity of the virtual machine that Muster runs on.
 * Source: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
 * https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token, read
 * 2026-11-23. One thread at a time.
 */
#include "providers/httpjson.h"
#include "providers/oauth.h"

#define AZURE_NAME_SIZE     256  /* tenant, client, subscription, resource group */
#define AZURE_KEY_FILE_MAX  8192 /* what `az ad sp create-for-rbac` writes is 1 KiB */
#define AZURE_STAGE_TOKEN   PROVIDER_STAGE_ACCOUNT
#define AZURE_DEFAULT_LOGIN "https://login.microsoftonline.com"

/** Who, from a key file, options and fields of the account. Secret: azure_account_deinit. */
struct azure_who {
    char tenant[AZURE_NAME_SIZE], client[AZURE_NAME_SIZE], subscription[AZURE_NAME_SIZE];
    char group[AZURE_NAME_SIZE]; /* resource group of the zones */
    char secret[ACCOUNT_SECRET_MAX];
};

struct azure_account {
    char *url, *login; /* owned; without a slash at their ends */
    bool managed;      /* by the machine's identity: no secret */
    struct azure_who who;
    struct oauth_token token;
};

extern const struct httpjson_api azure_api;
extern const struct provider_option azure_options[];

/** Reads what `az ad sp create-for-rbac` writes, with --sdk-auth or without, or the same in snake_case with
 * `resource_group`. @return ERR_PARSE, ERR_LIMIT; info says
 * which member, never its value. */
enum err azure_who_parse(struct view json, struct azure_who *who, struct errinfo *info) MUST_CHECK;

enum err azure_account_new(const struct engine_account_config *config, const char *default_url,
                           struct azure_account **ret_account, struct errinfo *info) MUST_CHECK;
void azure_account_free(struct azure_account *account); /* NULL allowed */
enum err azure_account_build_token(const struct azure_account *account, struct provider_request *request) MUST_CHECK;
