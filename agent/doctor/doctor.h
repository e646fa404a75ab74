/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * doctor: `muster-agent doctor`: walks what lies between this device and its DNS names, and says of each step whether
 * it is good and what to do. Looks only, but for one report now that it asks of the running agent, and one connection
 * with the device's id where none runs.
 */

/** @param config_path what stood before the command; NULL for nothing. @param argv starts with the command's name.
 * @return the exit status: 0 all is good, 1 something warns, 2 something failed; 64, 71, 74 as the daemon's. */
int doctor_command(const char *config_path, int argc, char *const argv[]);
