/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * brokerversion: the versions of a broker's files on the disk. <directory>/<broker>/v1, v2, ... are whole and never
 * changed; the symbolic link `current` names the one that mosquitto reads. A version is written beside, made durable
 * and renamed, so a power cut leaves all of it or none. Blocks on the disk; one user at a time.
 */
#include "cli/brokerrender.h"

#define BROKERVERSION_PATH_MAX 512
#define BROKERVERSION_FOLDER_MAX                                                                                       \
    (BROKERVERSION_PATH_MAX - 64) /* room for "/v4294967295/mosquitto.conf" and its like                               \
                                   */
#define BROKERVERSION_KEEP 10     /* versions left beside the one in use: a list a day is a week and more */

struct brokerversion {
    char folder[BROKERVERSION_FOLDER_MAX]; /* <directory>/<broker> */
    unsigned newest;                       /* 0: none */
    unsigned current;                      /* 0: none */
};

/** @return ERR_LIMIT (path), ERR_IO, ERR_DENIED; a folder that is not there has no versions. */
enum err brokerversion_look(const char *directory, enum broker_kind kind, struct brokerversion *ret_version,
                            struct errinfo *info) MUST_CHECK;
/** Path of a file of version @p number. */
void brokerversion_path(const struct brokerversion *version, unsigned number, const char *file,
                        char ret_path[static BROKERVERSION_PATH_MAX]);
/** Whether version @p number holds exactly these files. */
bool brokerversion_same(const struct brokerversion *version, unsigned number, const struct brokerfiles *files);
/** Writes them as the next version, which becomes `newest`; the first one also `current`. Old ones are removed. */
enum err brokerversion_add(struct brokerversion *version, const struct brokerfiles *files,
                           struct errinfo *info) MUST_CHECK;
/** Lets `current` name version @p number: in one step, durably. */
enum err brokerversion_use(struct brokerversion *version, unsigned number, struct errinfo *info) MUST_CHECK;
