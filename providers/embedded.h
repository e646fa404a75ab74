/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** embedded: files of the source tree that are part of the program, made at build time by cmake/EmbedFiles.cmake. */
#include <stddef.h>

struct embedded_file {
    const char *name; /* "noip.yaml"; NULL ends the array */
    const char *text; /* NUL-terminated */
    size_t len;
};
extern const struct embedded_file embedded_templates[]; /* providers/templates/, by name */
extern const struct embedded_file embedded_lists[];     /* providers/catalogue.yaml */
