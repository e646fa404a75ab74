/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ledgerfile: a ledger (provisioning/ledger.h) on a station's disk. A line is on the disk before the call that adds it
 * returns, so what a label is printed for is never lost; the line that a power cut tore is set aside at the next start
 * and its device, for which no label exists, comes again. Serial numbers and keys are kept in memory: neither is
 * written down twice. One process (a lock on the file), one thread; blocks on the disk.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/ledger.h"

struct ledgerfile;

/** Opens, or with @p head begins, the file.
 * @param station its key; borrowed until ledgerfile_close; NULL: for reading alone, no lock, nothing is mended.
 * @param head what the first line of a new file says, and must say in an old one (batch, station, manifest); NULL: the
 * file must be there.
 * @param ret_torn bytes of a torn last line that were moved to "<path>.torn"; NULL allowed.
 * @return ERR_AGAIN (another process has it), ERR_CONFLICT (of another batch, station, manifest or key; or a broken
 * chain), ERR_CORRUPT and what ledger_read returns, with "path:line: what" in @p info; what files return. */
enum err ledgerfile_open(const char *path, const struct ledger_line *head, struct key *station, size_t *ret_torn,
                         struct ledgerfile **ret_file, struct errinfo *info) MUST_CHECK;
void ledgerfile_close(struct ledgerfile *file); /* NULL allowed */

/** What the ledger knows of one device. */
struct ledger_device {
    char serial[LEDGER_SERIAL_MAX + 1];
    char id[IDENTITY_MAX + 1];
    uint8_t key[KEY_POINT_SIZE];
    uint8_t owner[SHA256_SIZE];
    bool tested, voided;
};

/** NULL when there is none. Lives until the next ledgerfile_add. */
const struct ledger_device *ledgerfile_find(const struct ledgerfile *file, struct view serial);
const struct ledger_device *ledgerfile_find_key(const struct ledgerfile *file,
                                                const uint8_t point[static KEY_POINT_SIZE]);
size_t ledgerfile_count(const struct ledgerfile *file);                                 /* devices made */
size_t ledgerfile_voided(const struct ledgerfile *file);                                /* of these, void */
const struct ledger_device *ledgerfile_at(const struct ledgerfile *file, size_t index); /* in the order of the file */
const struct ledger_line *ledgerfile_head(const struct ledgerfile *file);
const struct ledger_chain *ledgerfile_chain(const struct ledgerfile *file);

/** Adds a line (MADE, TESTED, VOID) durably. @return ERR_EXISTS (the serial or the key was made before), ERR_NOTFOUND
 * (TESTED or VOID of a serial that was not made), ERR_STATE (tested after void; opened for reading), ERR_INVALID, and
 * what writing returns: then nothing was added, and if the disk holds a part of it, it is cut off. */
enum err ledgerfile_add(struct ledgerfile *file, const struct ledger_line *line, struct errinfo *info) MUST_CHECK;
