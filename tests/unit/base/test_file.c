/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <signal.h>

#include <cmocka.h>

struct folder {
    char path[64];
    char file[128];
};

static int make_folder(void **state)
{
    static struct folder folder;
    (void)snprintf(folder.path, sizeof(folder.path), "/tmp/muster-file-XXXXXX");
    if (mkdtemp(folder.path) == NULL) {
        return -1;
    }
    (void)snprintf(folder.file, sizeof(folder.file), "%s/a", folder.path);
    *state = &folder;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    static const char *const names[] = {"a", "b/c/x", "b/c", "b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder->path, names[i]);
        (void)remove(path); /* most tests make only one of them */
    }
    return rmdir(folder->path); /* fails when a test left anything else behind */
}

static unsigned count_entries(const char *path)
{
    DIR *folder = opendir(path);
    assert_non_null(folder);
    unsigned count = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count;
}

static void what_is_written_is_read(void **state)
{
    struct folder *folder = *state;
    static char content[100000];
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8193, sizeof(content)};
    memset(content, 'x', sizeof(content));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *data = NULL;
        size_t len = 1;
        assert_int_equal(file_replace(folder->file, view_n(content, sizes[i]), 0600), ERR_OK);
        assert_int_equal(file_read(folder->file, sizes[i], &data, &len), ERR_OK);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(data, content, len);
        assert_int_equal(data[len], '\0');
        free(data);
        if (sizes[i] > 0) {
            assert_int_equal(file_read(folder->file, sizes[i] - 1, &data, &len), ERR_LIMIT);
        }
    }
    assert_int_equal(count_entries(folder->path), 1);
}

static void the_mode_is_the_one_asked_for(void **state)
{
    struct folder *folder = *state;
    struct stat stat_buffer;
    mode_t old = umask(0);
    assert_int_equal(file_replace(folder->file, VIEW_LITERAL("x"), 0640), ERR_OK);
    assert_int_equal(stat(folder->file, &stat_buffer), 0);
    assert_int_equal(stat_buffer.st_mode & 07777, 0640);
    assert_int_equal(file_replace(folder->file, VIEW_LITERAL("y"), 0600), ERR_OK);
    assert_int_equal(stat(folder->file, &stat_buffer), 0);
    assert_int_equal(stat_buffer.st_mode & 07777, 0600);
    (void)umask(old);
}

/* A write that fails half-way (file size limit) leaves the old content and no temporary file. */
static void a_failed_write_leaves_the_old_file(void **state)
{
    struct folder *folder = *state;
    static char content[20000];
    struct rlimit old;
    assert_int_equal(file_replace(folder->file, VIEW_LITERAL("old"), 0600), ERR_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 10000, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err err = file_replace(folder->file, view_n(content, sizeof(content)), 0600);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(err, ERR_IO);
    char *data = NULL;
    size_t len = 0;
    assert_int_equal(file_read(folder->file, 100, &data, &len), ERR_OK);
    assert_string_equal(data, "old");
    free(data);
    assert_int_equal(count_entries(folder->path), 1);
}

static void says_what_is_not_there(void **state)
{
    struct folder *folder = *state;
    char *data = NULL;
    size_t len = 0;
    char missing[128];
    assert_int_equal(file_read(folder->file, 10, &data, &len), ERR_NOTFOUND);
    assert_int_equal(file_read(folder->path, 10, &data, &len), ERR_IO); /* a folder */
    (void)snprintf(missing, sizeof(missing), "%s/no/a", folder->path);
    assert_int_equal(file_replace(missing, VIEW_LITERAL("x"), 0600), ERR_NOTFOUND);
    assert_null(data);
}

static void makes_the_folders_of_a_path(void **state)
{
    struct folder *folder = *state;
    char path[128];
    struct stat stat_buffer;
    (void)snprintf(path, sizeof(path), "%s/b/c/x", folder->path);
    assert_int_equal(file_make_parents(path), ERR_OK);
    assert_int_equal(file_make_parents(path), ERR_OK); /* again */
    assert_int_equal(file_replace(path, VIEW_LITERAL("x"), 0600), ERR_OK);
    assert_int_equal(stat(path, &stat_buffer), 0);
    assert_int_equal(file_make_parents("no-folder-part"), ERR_OK);
    assert_int_equal(file_make_parents(""), ERR_OK);
    assert_int_equal(file_make_parents("/"), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_mode_is_the_one_asked_for, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(says_what_is_not_there, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(makes_the_folders_of_a_path, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
