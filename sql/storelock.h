/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * storelock: one process a store file. The lock is on a file beside it, "<path>.lock": SQLite's own locks must stay
 * free for backups, and a process that closes any descriptor of the database loses those. It ends with the process,
 * however that ends; the file stays and says nothing by itself.
 */
#include "base/err.h"

/** @param ret_fd the lock, until storelock_release. @return ERR_AGAIN: another process has it (info says so); what open
 * says of the lock's file. Does not wait. */
enum err storelock_take(const char *store_path, int *ret_fd, struct errinfo *info) MUST_CHECK;
/** @p fd -1 allowed. */
void storelock_release(int fd);
