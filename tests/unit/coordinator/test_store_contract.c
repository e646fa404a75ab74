/* SPDX-License-Identifier: Apache-2.0 */
/* The store contract over SQLite on the real file system. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/contract/store_suite.h"

static char folder[] = "/tmp/muster-store-XXXXXX";
static char path[64];

static void fresh(struct store_options *ret_options)
{
    static unsigned number;
    (void)snprintf(path, sizeof(path), "%s/%u.db", folder, number++); /* the folder's name is 24 bytes */
    *ret_options = (struct store_options){.path = path};
}

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* "." and ".." refuse */
    }
    if (dir != NULL) {
        (void)closedir(dir); /* only read from */
    }
    (void)rmdir(folder); /* what stays is in /tmp */
}

int main(void)
{
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    int failed = store_suite_run(&(struct store_backend){.ops = &store_sqlite, .fresh = fresh});
    remove_folder();
    return failed;
}
