/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>

#include "cli/ca.h"
#include "cli/crl.h"

static enum exit_code version_run(const struct command_call *call)
{
    (void)call; /* no options */
    return puts("muster " MUSTER_VERSION) >= 0 ? EXIT_OK : EXIT_FAILED;
}

const struct command_noun cli_nouns[] = {
    {"ca", "Certificates of devices, services and servers"},
    {0},
};

const struct command cli_commands[] = {
    {.noun = "ca",
     .verb = "init",
     .help = "Make a certificate authority: a root and one CA each for devices, services and servers",
     .rows = ca_init_rows,
     .options_size = sizeof(struct ca_init_options),
     .defaults = &ca_init_defaults,
     .run = ca_init_run},
    {.noun = "ca",
     .verb = "issue",
     .help = "Make a key and certify it: PREFIX.key and PREFIX.pem, or many from standard input",
     .rows = ca_issue_rows,
     .options_size = sizeof(struct ca_issue_options),
     .defaults = &ca_issue_defaults,
     .run = ca_issue_run},
    {.noun = "ca",
     .verb = "bundle",
     .help = "Write bundle-clients.pem (for brokers) and bundle-server.pem (for agents and the coordinator)",
     .rows = ca_bundle_rows,
     .options_size = sizeof(struct ca_bundle_options),
     .run = ca_bundle_run},
    {.noun = "ca",
     .verb = "revoke",
     .help = "Put a certificate on the list of the revoked",
     .rows = ca_revoke_rows,
     .options_size = sizeof(struct ca_revoke_options),
     .run = ca_revoke_run},
    {.noun = "ca",
     .verb = "crl",
     .help = "Write the revocation lists of devices and services for a broker (mosquitto's crlfile)",
     .rows = ca_crl_rows,
     .options_size = sizeof(struct ca_crl_options),
     .defaults = &ca_crl_defaults,
     .run = ca_crl_run},
    {.noun = "version", .help = "Show the version", .run = version_run},
    {0},
};
