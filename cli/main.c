/* SPDX-License-Identifier: Apache-2.0 */
/** muster: the operator's command. */
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/table.h"

int main(int argc, char *argv[])
{
    (void)umask(022); /* modes are set per file; a stricter mask of the caller must not hide bundles from the broker */
    return (int)command_run(cli_commands, cli_nouns, argc, argv);
}
