/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Runs a fuzz target over files and folders of inputs, so that every preset and compiler replays the corpus.
 * usage: fuzz_x PATH...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_file(const char *path)
{
    char *data = NULL;
    size_t len = 0;
    enum err err = file_read(path, INPUT_MAX, &data, &len);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", path, err_text(err));
        return false;
    }
    uint8_t *exact = malloc(len > 0 ? len : 1); /* without file_read's NUL: a sanitizer sees one byte too many */
    if (exact == NULL) {
        free(data);
        return false;
    }
    memcpy(exact, data, len);
    free(data);
    (void)LLVMFuzzerTestOneInput(exact, len); /* always 0: a finding aborts */
    free(exact);
    return true;
}

static bool replay_folder(DIR *folder, const char *path, unsigned *count)
{
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char file[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        int n = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (n < 0 || (size_t)n >= sizeof(file) || !replay_file(file)) {
            return false;
        }
        ++*count;
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder == NULL) {
            good = replay_file(argv[i]);
            count++;
            continue;
        }
        good = replay_folder(folder, argv[i], &count);
        (void)closedir(folder); /* was only read */
    }
    (void)printf("replayed %u inputs\n", count);
    return good && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
