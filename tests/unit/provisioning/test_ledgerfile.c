/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ledgerfile.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macros.h"

#define NOW    INT64_C(1795365780000) /* 2026-11-22T16:43:00Z */
#define KILLED 9

static char work[] = "/tmp/muster-ledger-XXXXXX";
static char path[64];
static struct key_rng *rng;
static struct key *station, *other;

static const struct ledger_line head = {
    .event = LEDGER_HEAD, .batch = "b2026-11", .station = "line-1", .manifest = {1, 2, 3}, .ts = NOW};

/* ---- the disk fails, or the process ends, at the n-th change of the disk ---- */

enum fault { FAULT_NONE, FAULT_KILL, FAULT_SHORT_AND_KILL, FAULT_FULL, FAULT_STUCK };
static enum fault fault;
static long steps_left;

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static bool strikes(void)
{
    if (fault == FAULT_NONE || steps_left-- > 0) {
        return false;
    }
    if (fault == FAULT_KILL) {
        _exit(KILLED);
    }
    return true;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    if (fd > 2 && strikes()) {
        if (fault == FAULT_SHORT_AND_KILL) {
            (void)!REAL(write)(fd, bytes, len / 2);
            _exit(KILLED);
        }
        ssize_t n = REAL(write)(fd, bytes, len / 2); /* half of it fits */
        if (fault == FAULT_FULL) {
            fault = FAULT_NONE;
        }
        (void)n;
        errno = ENOSPC;
        return -1;
    }
    return REAL(write)(fd, bytes, len);
}

int fdatasync(int fd)
{
    if (strikes()) {
        if (fault == FAULT_SHORT_AND_KILL) {
            _exit(KILLED);
        }
        if (fault == FAULT_FULL) {
            fault = FAULT_NONE;
        }
        errno = EIO;
        return -1;
    }
    return REAL(fdatasync)(fd);
}

int ftruncate(int fd, off_t len)
{
    if (fault == FAULT_STUCK) {
        errno = EIO;
        return -1;
    }
    return REAL(ftruncate)(fd, len);
}

static void no_fault(void)
{
    fault = FAULT_NONE;
}

static void plan(enum fault what, long step)
{
    fault = what;
    steps_left = step;
}

/* ---- rig ---- */

static int set_up_all(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "%s", "");
    return mkdtemp(work) != NULL && key_rng_new(&rng) == ERR_OK && key_make(rng, &station) == ERR_OK &&
                   key_make(rng, &other) == ERR_OK
               ? 0
               : -1;
}

static int tear_down_all(void **state)
{
    (void)state;
    key_free(station);
    key_free(other);
    key_rng_free(rng);
    return rmdir(work);
}

static int set_up(void **state)
{
    (void)state;
    no_fault();
    (void)snprintf(path, sizeof(path), "%s/b.ledger", work);
    return 0;
}

static int tear_down(void **state)
{
    char torn[80];
    (void)state;
    no_fault();
    (void)snprintf(torn, sizeof(torn), "%s.torn", path);
    (void)unlink(path); /* not every test makes both */
    (void)unlink(torn);
    return 0;
}

static struct ledgerfile *open_file(size_t *ret_torn)
{
    struct ledgerfile *file = NULL;
    struct errinfo info = {0};
    if (ledgerfile_open(path, &head, station, ret_torn, &file, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return file;
}

static enum err refusal(const struct ledger_line *first, struct key *key, struct errinfo *info)
{
    struct ledgerfile *file = NULL;
    enum err err = ledgerfile_open(path, first, key, NULL, &file, info);
    ledgerfile_close(file);
    return err;
}

/** A made device; its key is a point by its form only, which is all that a ledger asks. */
static struct ledger_line made(unsigned number)
{
    struct ledger_line line = {.event = LEDGER_MADE, .key = {4, (uint8_t)(number >> 8), (uint8_t)number}, .ts = NOW};
    (void)snprintf(line.serial, sizeof(line.serial), "A-%u", number);
    (void)snprintf(line.id, sizeof(line.id), "cam-%u", number);
    return line;
}

static struct ledger_line event(enum ledger_event kind, unsigned number)
{
    struct ledger_line line = {.event = kind, .why = "no picture", .ts = NOW};
    (void)snprintf(line.serial, sizeof(line.serial), "A-%u", number);
    return line;
}

static void add(struct ledgerfile *file, struct ledger_line line)
{
    struct errinfo info = {0};
    if (ledgerfile_add(file, &line, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

static enum err add_refused(struct ledgerfile *file, struct ledger_line line, struct errinfo *info)
{
    return ledgerfile_add(file, &line, info);
}

static void append_text(const char *text)
{
    char *old = NULL;
    size_t len = 0;
    char whole[8192];
    assert_int_equal(file_read(path, sizeof(whole) / 2, &old, &len), ERR_OK);
    (void)snprintf(whole, sizeof(whole), "%s%s", old, text);
    assert_int_equal(file_replace(path, view_of(whole), 0640), ERR_OK);
    free(old);
}

/* ---- tests ---- */

static void what_was_added_is_there_again(void **state)
{
    (void)state;
    struct ledgerfile *file = open_file(NULL);
    for (unsigned i = 0; i < 1500; i++) { /* more than the first tables hold */
        add(file, made(i));
    }
    add(file, event(LEDGER_TESTED, 7));
    add(file, event(LEDGER_VOID, 8));
    ledgerfile_close(file);
    file = open_file(NULL);
    assert_int_equal(ledgerfile_count(file), 1500);
    assert_string_equal(ledgerfile_head(file)->station, "line-1");
    for (unsigned i = 0; i < 1500; i++) {
        const struct ledger_line line = made(i);
        const struct ledger_device *device = ledgerfile_find(file, view_of(line.serial));
        assert_non_null(device);
        assert_ptr_equal(device, ledgerfile_at(file, i));
        assert_ptr_equal(device, ledgerfile_find_key(file, line.key));
        assert_string_equal(device->id, line.id);
        assert_int_equal(device->tested, i == 7);
        assert_int_equal(device->voided, i == 8);
    }
    assert_null(ledgerfile_find(file, VIEW_LITERAL("A-1500")));
    assert_null(ledgerfile_find_key(file, made(1500).key));
    ledgerfile_close(file);
}

static void nothing_is_written_down_twice(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct ledgerfile *file = open_file(NULL);
    add(file, made(1));
    assert_int_equal(add_refused(file, made(1), &info), ERR_EXISTS);
    assert_string_equal(info.text, "serial A-1 was made before");
    struct ledger_line same_key = made(1);
    (void)snprintf(same_key.serial, sizeof(same_key.serial), "B-1");
    assert_int_equal(add_refused(file, same_key, &info), ERR_EXISTS);
    assert_string_equal(info.text, "the key of B-1 is that of A-1");
    assert_int_equal(add_refused(file, event(LEDGER_TESTED, 2), &info), ERR_NOTFOUND);
    add(file, event(LEDGER_VOID, 1));
    assert_int_equal(add_refused(file, event(LEDGER_TESTED, 1), &info), ERR_STATE);
    ledgerfile_close(file);
    file = open_file(NULL);
    assert_int_equal(ledgerfile_count(file), 1);
    ledgerfile_close(file);
}

static void one_station_and_batch_a_file(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct ledger_line elsewhere = head;
    struct ledgerfile *file = open_file(NULL);
    assert_int_equal(refusal(&head, station, &info), ERR_AGAIN);
    assert_non_null(strstr(info.text, "another station program has it"));
    ledgerfile_close(file);
    assert_int_equal(refusal(&head, other, &info), ERR_CONFLICT);
    (void)snprintf(elsewhere.station, sizeof(elsewhere.station), "line-2");
    assert_int_equal(refusal(&elsewhere, station, &info), ERR_CONFLICT);
    elsewhere = head;
    elsewhere.manifest[31] = 1;
    assert_int_equal(refusal(&elsewhere, station, &info), ERR_CONFLICT);
    assert_int_equal(refusal(&head, station, &info), ERR_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(refusal(NULL, NULL, &info), ERR_NOTFOUND);
}

static void a_reader_changes_nothing(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct ledgerfile *file = open_file(NULL);
    add(file, made(1));
    ledgerfile_close(file);
    append_text("{\"v\":1,");
    size_t torn = 0;
    char *before = NULL;
    char *after = NULL;
    size_t before_len = 0;
    size_t after_len = 0;
    assert_int_equal(file_read(path, 8192, &before, &before_len), ERR_OK);
    assert_int_equal(ledgerfile_open(path, NULL, NULL, &torn, &file, &info), ERR_OK);
    assert_int_equal(torn, 7);
    assert_int_equal(ledgerfile_count(file), 1);
    assert_int_equal(add_refused(file, made(2), &info), ERR_STATE);
    ledgerfile_close(file);
    assert_int_equal(file_read(path, 8192, &after, &after_len), ERR_OK);
    assert_true(view_equal(view_n(before, before_len), view_n(after, after_len)));
    free(before);
    free(after);
}

static void a_torn_line_is_set_aside(void **state)
{
    (void)state;
    char torn_path[80];
    char *text = NULL;
    size_t len = 0;
    size_t torn = 0;
    struct ledgerfile *file = open_file(&torn);
    assert_int_equal(torn, 0);
    add(file, made(1));
    ledgerfile_close(file);
    append_text("{\"v\":1,\"t\":\"made\"");
    file = open_file(&torn);
    assert_int_equal(torn, 17);
    (void)snprintf(torn_path, sizeof(torn_path), "%s.torn", path);
    assert_int_equal(file_read(torn_path, 8192, &text, &len), ERR_OK);
    assert_string_equal(text, "{\"v\":1,\"t\":\"made\"");
    free(text);
    add(file, made(2));
    ledgerfile_close(file);
    file = open_file(&torn);
    assert_int_equal(torn, 0);
    assert_int_equal(ledgerfile_count(file), 2);
    ledgerfile_close(file);
}

static void damage_names_its_line(void **state)
{
    (void)state;
    struct errinfo info = {0};
    char want[100];
    struct ledgerfile *file = open_file(NULL);
    add(file, made(1));
    ledgerfile_close(file);
    append_text("{}\n");
    assert_int_equal(refusal(&head, station, &info), ERR_INVALID);
    (void)snprintf(want, sizeof(want), "%s:3: ", path);
    assert_true(view_starts_with(view_of(info.text), view_of(want)));
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    for (long step = 0; step < 2; step++) { /* the write, the sync */
        struct errinfo info = {0};
        struct ledgerfile *file = open_file(NULL);
        add(file, made(1));
        plan(FAULT_FULL, step);
        enum err err = add_refused(file, made(2), &info);
        assert_true(err == ERR_FULL || err == ERR_IO);
        add(file, made(2)); /* there is room again */
        add(file, made(3));
        ledgerfile_close(file);
        file = open_file(NULL);
        assert_int_equal(ledgerfile_count(file), 3);
        ledgerfile_close(file);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_stuck_disk_ends_it(void **state)
{
    (void)state;
    struct errinfo info = {0};
    size_t torn = 0;
    struct ledgerfile *file = open_file(NULL);
    add(file, made(1));
    plan(FAULT_STUCK, 0);
    assert_int_equal(add_refused(file, made(2), &info), ERR_FULL);
    no_fault();
    assert_int_equal(add_refused(file, made(2), &info), ERR_IO);
    assert_non_null(strstr(info.text, "start again"));
    ledgerfile_close(file);
    file = open_file(&torn);
    assert_true(torn > 0);
    assert_int_equal(ledgerfile_count(file), 1);
    add(file, made(2));
    ledgerfile_close(file);
}

/** A station that makes three devices, killed at its n-th change of the disk; each serial goes into the pipe when its
 * label would be printed. @return true when it came to its end. */
static bool station_killed(enum fault how, long n, int out)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct ledgerfile *file = NULL;
        struct key_rng *own;
        if (key_rng_new(&own) != ERR_OK) {
            _exit(1);
        }
        plan(how, n);
        if (ledgerfile_open(path, &head, station, NULL, &file, NULL) != ERR_OK) {
            _exit(1);
        }
        for (unsigned i = 0; i < 3; i++) {
            const struct ledger_line line = made(i);
            uint8_t number = (uint8_t)i;
            if (ledgerfile_find(file, view_of(line.serial)) == NULL && ledgerfile_add(file, &line, NULL) != ERR_OK) {
                _exit(1);
            }
            if (REAL(write)(out, &number, 1) != 1) {
                _exit(1);
            }
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
    return WEXITSTATUS(status) == 0;
}

static void killed_at_every_step(void **state)
{
    (void)state;
    static const enum fault ways[] = {FAULT_KILL, FAULT_SHORT_AND_KILL};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
        bool ended = false;
        long n;
        for (n = 0; !ended; n++) {
            int ends[2];
            uint8_t labels[3];
            assert_int_equal(pipe(ends), 0);
            ended = station_killed(ways[way], n, ends[1]);
            assert_int_equal(close(ends[1]), 0);
            ssize_t printed = read(ends[0], labels, sizeof(labels));
            assert_int_equal(close(ends[0]), 0);
            struct ledgerfile *file = open_file(NULL);
            for (ssize_t i = 0; i < printed; i++) { /* what has a label is written down */
                assert_non_null(ledgerfile_find(file, view_of(made(labels[i]).serial)));
            }
            assert_true(ledgerfile_count(file) >= (size_t)printed && ledgerfile_count(file) <= (size_t)printed + 1);
            for (unsigned i = (unsigned)ledgerfile_count(file); i < 3; i++) {
                add(file, made(i));
            }
            ledgerfile_close(file);
            file = open_file(NULL);
            assert_int_equal(ledgerfile_count(file), 3);
            ledgerfile_close(file);
            assert_int_equal(unlink(path), 0);
        }
        assert_true(n > 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_added_is_there_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_down_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_station_and_batch_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_line_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_names_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stuck_disk_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_every_step, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
