/* SPDX-License-Identifier: Apache-2.0 */
/* What open finds: older and newer schemas, files of others, rubbish; a full and a read-only file system for real; and
 * a writer that is killed. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/dnsname.h"
#include "base/file.h"
#include "tests/lib/store_script.h"

#define UUID_1 "6f1c2c1e-0c0b-4b7e-9a55-1f0d3c2b1a00" /* of store_schema_1.sql */

static char folder[] = "/tmp/muster-files-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/muster-files-XXXXXX"); /* same size */
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/store.db", folder); /* the folder's name is 24 bytes */
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)umount2(folder, MNT_DETACH); /* only some tests mount */
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* "." and ".." refuse */
    }
    if (dir != NULL) {
        (void)closedir(dir); /* only read from */
    }
    return rmdir(folder);
}

static enum err open_store(struct store **ret_store, struct errinfo *info)
{
    return store_sqlite.open(&(struct store_options){.path = path}, ret_store, info);
}

static void sql(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static enum err see(void *context, const struct store_record *record)
{
    (*(unsigned *)context)++;
    assert_string_equal(record->name, "cam-1.cams.example.net");
    assert_string_equal(record->device, "cam-1");
    assert_string_equal(record->error, "SERVFAIL");
    assert_int_equal(record->want_rev, 77);
    assert_int_equal(record->have_rev, 70);
    assert_true(record->have_known && record->have.ips[0].bytes[3] == 2 && record->want.ips[0].bytes[3] == 1);
    return ERR_OK;
}

static void an_older_store_is_brought_up(void **state)
{
    (void)state;
    char *text;
    size_t len;
    assert_int_equal(file_read(MUSTER_SOURCE_DIR "/tests/contract/store_schema_1.sql", 65536, &text, &len), ERR_OK);
    sql(text);
    free(text);
    struct store *store;
    struct store_facts facts;
    char uuid[STORE_UUID_SIZE];
    for (uint32_t from = 1; from <= 7; from += 6) { /* the second time there is nothing left to do */
        assert_int_equal(open_store(&store, NULL), ERR_OK);
        store_sqlite.facts(store, &facts);
        store_sqlite.uuid(store, uuid);
        assert_int_equal(facts.schema_from, from);
        assert_int_equal(facts.schema, 7);
        assert_true(facts.was_clean);
        assert_string_equal(uuid, UUID_1);
        unsigned seen = 0;
        uint64_t number;
        assert_int_equal(
            store_sqlite.each_record(store, &(struct store_record_query){.pending_only = true}, see, &seen), ERR_OK);
        assert_int_equal(seen, 1);
        assert_int_equal(store_sqlite.zone_epoch(store, "cams.example.net", &number), ERR_OK);
        assert_int_equal(number, 12);
        assert_int_equal(store_sqlite.last_rev(store, &number), ERR_OK);
        assert_int_equal(number, 77);
        struct store_audit audit = {.event = "published", .subject = "x", .detail = ""};
        assert_int_equal(store_sqlite.commit(store, &(struct store_batch){.audits = &audit, .audits_len = 1}, NULL),
                         ERR_OK);
        store_sqlite.close(store);
    }
}

/* Until schema 4 the counter of starts had a row that a zone's epoch could have had, too. */
static void the_counter_of_starts_is_no_zones(void **state)
{
    (void)state;
    char name[DNSNAME_SIZE];
    assert_int_equal(dnsname_parse(VIEW_LITERAL(STORE_TERM_NAME), DNSNAME_RECORD, name, NULL), ERR_INVALID);
    static const struct {
        const char *before;
        uint64_t term, zone;
    } rows[] = {
        {"", 0, 0},
        {"INSERT INTO zone VALUES(2, 'coordinator', 9)", 9, 0},
        {"INSERT INTO zone VALUES(2, 'coordinator', 9); UPDATE record SET zone = 2", 9, 9}, /* a zone had it as well */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text;
        size_t len;
        assert_int_equal(file_read(MUSTER_SOURCE_DIR "/tests/contract/store_schema_1.sql", 65536, &text, &len), ERR_OK);
        sql(text);
        free(text);
        sql(rows[i].before);
        struct store *store;
        uint64_t number;
        assert_int_equal(open_store(&store, NULL), ERR_OK);
        assert_int_equal(store_sqlite.zone_epoch(store, STORE_TERM_NAME, &number), ERR_OK);
        assert_int_equal(number, rows[i].term);
        assert_int_equal(store_sqlite.zone_epoch(store, "coordinator", &number), ERR_OK);
        assert_int_equal(number, rows[i].zone);
        assert_int_equal(store_sqlite.claim_zone(store, STORE_TERM_NAME, 0, &number, NULL), ERR_OK);
        assert_int_equal(number, rows[i].term + 1);
        assert_int_equal(store_sqlite.claim_zone(store, "coordinator", 0, &number, NULL), ERR_OK);
        assert_int_equal(number, rows[i].zone + 1);
        store_sqlite.close(store);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_newer_store_is_refused(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct errinfo info = {0};
    assert_int_equal(open_store(&store, NULL), ERR_OK);
    store_sqlite.close(store);
    sql("PRAGMA user_version = 99");
    store = NULL;
    assert_int_equal(open_store(&store, &info), ERR_UNSUPPORTED);
    assert_null(store);
    assert_non_null(strstr(info.text, "schema 99, made by a newer Muster"));
    sql("PRAGMA user_version = 7"); /* untouched by the attempt */
    assert_int_equal(open_store(&store, NULL), ERR_OK);
    store_sqlite.close(store);
}

static void files_of_others_are_refused(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct errinfo info = {0};
    sql("CREATE TABLE theirs(x)");
    assert_int_equal(open_store(&store, &info), ERR_INVALID);
    assert_non_null(strstr(info.text, "not a Muster store"));
    static const char rubbish[] =
        "this has never been a database, and it is longer than a hundred bytes so that SQLite "
        "gives it a thorough look before it says no";
    assert_int_equal(file_replace(path, view_of(rubbish), 0600), ERR_OK);
    assert_int_equal(open_store(&store, &info), ERR_CORRUPT);
    assert_true(info.native != 0 && info.text[0] != '\0');
    (void)snprintf(path, sizeof(path), "%s/none/store.db", folder); /* the folder's name is 24 bytes */
    assert_int_equal(open_store(&store, &info), ERR_NOTFOUND);
    assert_null(store);
}

/* A small file system of our own. Skips where the kernel does not let us. */
static void mount_small(void)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        skip();
    }
    (void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL); /* else the next one fails or stays among ourselves */
    if (mount("tmpfs", folder, "tmpfs", 0, "size=1m") != 0) {
        skip();
    }
}

static void fill(void)
{
    char name[64], block[4096] = {0};
    (void)snprintf(name, sizeof(name), "%s/filler", folder); /* the folder's name is 24 bytes */
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0) {
    }
    assert_int_equal(close(fd), 0);
}

static void empty(void)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s/filler", folder); /* the folder's name is 24 bytes */
    assert_int_equal(unlink(name), 0);
}

static void a_really_full_disk_loses_nothing(void **state)
{
    (void)state;
    mount_small();
    struct store *store;
    uint64_t epoch, k = 0;
    assert_int_equal(open_store(&store, NULL), ERR_OK);
    assert_int_equal(store_sqlite.claim_zone(store, SCRIPT_ZONE, 0, &epoch, NULL), ERR_OK);
    for (int round = 0; round < 3; round++) {
        fill();
        enum err err = ERR_OK;
        while (err == ERR_OK) {
            err = script_commit(&store_sqlite, store, ++k, epoch, NULL);
        }
        assert_int_equal(err, ERR_FULL);
        assert_int_equal(script_commit(&store_sqlite, store, k, epoch, NULL), ERR_FULL);
        assert_int_equal(script_check(&store_sqlite, store), k - 1);
        empty();
        assert_int_equal(script_commit(&store_sqlite, store, k, epoch, NULL), ERR_OK);
        assert_int_equal(script_check(&store_sqlite, store), k);
    }
    store_sqlite.close(store);
    assert_int_equal(open_store(&store, NULL), ERR_OK);
    assert_int_equal(script_check(&store_sqlite, store), k);
    store_sqlite.close(store);
}

static void a_really_read_only_file_system_is_told(void **state)
{
    (void)state;
    mount_small();
    struct store *store = NULL;
    struct errinfo info = {0};
    assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(open_store(&store, &info), ERR_READONLY); /* a new store */
    assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT, NULL), 0);
    assert_int_equal(open_store(&store, NULL), ERR_OK);
    assert_int_equal(script_commit(&store_sqlite, store, 1, 1, NULL), ERR_OK);
    store_sqlite.close(store);
    assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    store = NULL;
    assert_int_equal(open_store(&store, &info), ERR_READONLY); /* a standing one */
    assert_null(store);
    assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT, NULL), 0);
    assert_int_equal(open_store(&store, NULL), ERR_OK);
    assert_int_equal(script_check(&store_sqlite, store), 1);
    store_sqlite.close(store);
}

/* Commits without end; writes the number of each durable batch into the pipe. */
static void write_until_killed(int pipe_fd)
{
    struct store *store;
    uint64_t epoch, k;
    if (store_sqlite.open(&(struct store_options){.path = path, .checkpoint_pages = 24}, &store, NULL) != ERR_OK ||
        store_sqlite.claim_zone(store, SCRIPT_ZONE, 0, &epoch, NULL) != ERR_OK ||
        store_sqlite.last_rev(store, &k) != ERR_OK) {
        _exit(1);
    }
    for (k++; script_commit(&store_sqlite, store, k, epoch, NULL) == ERR_OK; k++) {
        if (write(pipe_fd, &k, sizeof(k)) != (ssize_t)sizeof(k)) {
            break;
        }
    }
    _exit(2);
}

static void a_killed_writer_loses_nothing(void **state)
{
    (void)state;
    uint64_t acked = 0;
    for (int round = 1; round <= 12; round++) {
        int ends[2], status;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            write_until_killed(ends[1]);
        }
        assert_int_equal(close(ends[1]), 0);
        for (int i = 0; i < round * 3; i++) {
            assert_int_equal(read(ends[0], &acked, sizeof(acked)), sizeof(acked));
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        while (read(ends[0], &acked, sizeof(acked)) == (ssize_t)sizeof(acked)) {
        }
        assert_int_equal(close(ends[0]), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct store *store;
        struct store_facts facts;
        assert_int_equal(open_store(&store, NULL), ERR_OK);
        store_sqlite.facts(store, &facts);
        assert_true(!facts.was_clean && facts.checked);
        uint64_t held = script_check(&store_sqlite, store);
        assert_true(held == acked || held == acked + 1);
        store_sqlite.close(store);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_older_store_is_brought_up),
        TEST(the_counter_of_starts_is_no_zones),
        TEST(a_newer_store_is_refused),
        TEST(files_of_others_are_refused),
        TEST(a_killed_writer_loses_nothing),
        TEST(a_really_full_disk_loses_nothing),
        TEST(a_really_read_only_file_system_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
