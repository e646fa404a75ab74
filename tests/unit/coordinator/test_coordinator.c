/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon as a whole without a broker: what its parts do to each other when it ends. Seen by a sanitizer. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "coordinator/coordinator_private.h"
#include "mqtt/topics.h"
#include "tests/lib/scarce.h"

#define CAM "cam-1"
#define NAT "93.184.216.34"

#define REPLY_MAX 2047

static const char stamp_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char pem[] = "-----BEGIN NOTHING-----\n-----END NOTHING-----\n"; /* no connection is ever made with it */

static char folder[] = "/tmp/muster-life-XXXXXX";
static char config_path[64];
static struct coordinator *coordinator;
static int silent_fd;

static void write_file(const char *name, const char *text)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* fits */
    assert_int_equal(file_replace(path, view_of(text), 0600), ERR_OK);
}

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd); /* the daemon opens it anew */
    return ntohs(address.sin_port);
}

/* A DNS server that takes connections and says nothing; open as long as the program runs. */
static unsigned black_hole(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    silent_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(silent_fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(silent_fd, 16), 0);
    assert_int_equal(getsockname(silent_fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

static void write_config(void)
{
    char text[2048];
    int len = snprintf(text, sizeof(text),
                       "broker:\n  endpoints: [\"127.0.0.1:1\"]\n  client_id: svc-life\n  ca_file: %1$s/pem\n"
                       "  cert_file: %1$s/pem\n  key_file: %1$s/pem\n  stamp_key_file: %1$s/stamp\n"
                       "store:\n  path: %1$s/store.db\ncontrol:\n  socket: %1$s/control.sock\n"
                       "metrics:\n  listen: \"127.0.0.1:%2$u\"\nlog:\n  level: error\nregistry: %1$s/registry.yaml\n"
                       "accounts:\n  - name: dns\n    provider: rfc2136\n    server: \"127.0.0.1:%3$u\"\n"
                       "    key_file: %1$s/tsig\n"
                       "zones:\n  - name: example.net\n    account: dns\n  - name: sub.example.net\n    account: dns\n"
                       "groups:\n  - name: cameras\n    names:\n      - name: \"{id}.example.net\"\n",
                       folder, free_port(), black_hole());
    assert_true(len > 0 && (size_t)len < sizeof(text));
    write_file("coordinator.yaml", text);
}

static int make_folder(void **state)
{
    (void)state;
    (void)umask(0022); /* what a shell has */
    assert_non_null(mkdtemp(folder));
    (void)snprintf(config_path, sizeof(config_path), "%s/coordinator.yaml", folder); /* fits */
    write_file("pem", pem);
    write_file("stamp", stamp_key);
    write_file("tsig", "hmac-sha256:life:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0");
    write_file("registry.yaml", "devices:\n  - match: \"cam-*\"\n    group: cameras\n");
    write_config();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)close(silent_fd); /* nothing was ever written to it */
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* "." and ".." refuse */
    }
    if (dir != NULL) {
        (void)closedir(dir); /* only read from */
    }
    return rmdir(folder);
}

static enum err make(struct coordinator **ret_coordinator, struct strbuf *report)
{
    strbuf_init(report, 64 * 1024);
    return coordinator_new(config_path, ret_coordinator, report);
}

static int start(void **state)
{
    (void)state;
    struct strbuf report;
    enum err err = make(&coordinator, &report);
    if (err != ERR_OK) {
        print_error("%s\n", strbuf_str(&report));
    }
    strbuf_deinit(&report);
    return err == ERR_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    coordinator_free(coordinator);
    return 0;
}

/* A state of a device that is stored with the same address: nothing but its pair is to be committed. */
static void take_state(void)
{
    char topic[TOPIC_SIZE];
    char stamp[128];
    uint8_t mac[SHA256_SIZE];
    assert_int_equal(topic_build(TOPIC_UP_STATE, VIEW_LITERAL(CAM), topic), ERR_OK);
    const struct view parts[] = {view_of(topic), VIEW_LITERAL("|"), VIEW_LITERAL(NAT)};
    assert_int_equal(crypto_hmac_sha256(coordinator->stamp_key, parts, ARRAY_LEN(parts), mac), ERR_OK);
    int len = snprintf(stamp, sizeof(stamp), "%s ", NAT);
    for (size_t i = 0; i < sizeof(mac); i++) {
        len += snprintf(stamp + len, sizeof(stamp) - (size_t)len, "%02x", mac[i]);
    }
    const struct core_message message = {
        .topic = view_of(topic),
        .payload = VIEW_LITERAL("{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":2,\"seq\":2,\"ts\":0,\"tsq\":\"none\","
                                "\"src\":\"interface\",\"why\":\"change\",\"agent\":\"1\"}"),
        .observed = view_of(stamp)};
    core_message(coordinator->core, coordinator_now(), &message);
    core_flush(coordinator->core, coordinator_now());
}

/* The commit is worked and nobody has heard of it when the daemon ends: its ack must not go to a session that is gone.
 */
static void a_commit_that_ends_with_the_daemon_harms_nobody(void **state)
{
    (void)state;
    const struct store_device stored = {.id = CAM, .boot = 1, .conn = 1, .seq = 1};
    struct store_device device = stored;
    assert_int_equal(ip_parse(VIEW_LITERAL(NAT), &device.ip4.ips[0]), ERR_OK);
    device.ip4.len = 1;
    device.observed = device.ip4.ips[0];
    assert_int_equal(core_load_device(coordinator->core, &device), ERR_OK);
    core_connected(coordinator->core, coordinator_now(), true); /* as if: the session itself knows better */
    take_state();
    assert_false(core_is_durable(coordinator->core));
}

static void a_second_coordinator_on_the_store_is_refused(void **state)
{
    (void)state;
    struct coordinator *second = NULL;
    struct strbuf report;
    assert_int_equal(make(&second, &report), ERR_AGAIN);
    assert_null(second);
    assert_non_null(strstr(strbuf_str(&report), "another process runs with this store"));
    strbuf_deinit(&report);
    coordinator_free(coordinator);
    coordinator = NULL;
    assert_int_equal(make(&coordinator, &report), ERR_OK); /* the first one is gone */
    strbuf_deinit(&report);
}

static void the_store_is_its_owners_alone(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    unsigned seen = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat status;
        if (strncmp(entry->d_name, "store.db", 8) == 0 && fstatat(dirfd(dir), entry->d_name, &status, 0) == 0) {
            assert_int_equal(status.st_mode & 0777, 0600);
            seen++;
        }
    }
    (void)closedir(dir);    /* only read from */
    assert_true(seen >= 3); /* database, log, lock */
}

static void note_result(void *context, const struct sweep_result *result)
{
    *(enum err *)context = result->err;
}

/* A server that accepts and never answers holds a listing up; the reload that would mend it must not wait for that. */
static void a_reload_does_not_wait_for_a_listing(void **state)
{
    (void)state;
    enum err swept = ERR_OK;
    assert_int_equal(
        sweeper_run(coordinator->sweeper, 0, &(const struct sweep_order){.apply = true}, note_result, &swept), ERR_OK);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(raise(SIGTERM), 0); /* taken in this order, in one turn */
    assert_int_equal(coordinator_run(coordinator), ERR_OK);
    assert_int_equal(coordinator->reloads, 1);
    assert_int_equal(swept, ERR_CLOSED);
}

/* Another coordinator has taken the zone, for a reason: only a person may take it back. */
static void a_reload_does_not_take_a_zone_back(void **state)
{
    (void)state;
    struct engine_zone_status status;
    coordinator->zones[0].deposed = true; /* as on_deposed does */
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(coordinator_run(coordinator), ERR_OK);
    assert_int_equal(coordinator->reloads, 1);
    engine_zone_status(coordinator->zones[0].engine_zone, &status);
    assert_string_equal(status.state, "deposed");
    assert_true(coordinator->zones[0].deposed);
    engine_zone_resume(coordinator->zones[0].engine_zone);
    engine_zone_status(coordinator->zones[0].engine_zone, &status);
    assert_string_equal(status.state, "claiming");
}

/* The worker notes the registry of one comparison while the next begins. Seen by the thread sanitizer. */
static void comparisons_that_follow_closely_share_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        loader_reconcile(coordinator->loader);
    }
}

static void store(const struct store_batch *batch)
{
    struct errinfo info = {0};
    assert_int_equal(coordinator->store_ops->commit(coordinator->store, batch, &info), ERR_OK);
}

static void store_device(void)
{
    struct store_device device = {.id = CAM, .shard = topic_shard(VIEW_LITERAL(CAM)), .boot = 1, .conn = 1, .seq = 1};
    assert_int_equal(ip_parse(VIEW_LITERAL(NAT), &device.ip4.ips[0]), ERR_OK);
    device.ip4.len = 1;
    device.observed = device.ip4.ips[0];
    store(&(struct store_batch){.devices = &device, .devices_len = 1});
}

static void store_row(const char *zone, const char *device, const char *name)
{
    struct store_want want = {
        .zone = zone, .name = name, .type = RRTYPE_A, .device = device, .ttl = 60, .want = {.len = 1}, .want_rev = 1};
    assert_int_equal(ip_parse(VIEW_LITERAL(NAT), &want.want.ips[0]), ERR_OK);
    store(&(struct store_batch){.wants = &want, .wants_len = 1});
}

struct loaded {
    struct loop_timer *timer;
    bool failed;             /* an allocation */
    unsigned kept, given_up; /* rows */
};

static enum err see_row(void *context, const struct store_record *record)
{
    struct loaded *loaded = context;
    loaded->kept += !record->want_null;
    loaded->given_up += record->want_null;
    return ERR_OK;
}

static void end_when_loaded(void *context)
{
    struct loaded *loaded = context;
    if (strcmp(loader_state(coordinator->loader), "live") != 0 || !core_is_durable(coordinator->core)) {
        loop_timer_after(loaded->timer, 1);
        return;
    }
    loaded->failed = scarce_disarm();
    loop_stop(coordinator->loop);
}

static struct loaded run_until_loaded(void)
{
    struct loaded loaded = {0};
    struct errinfo info = {0};
    assert_int_equal(coordinator->store_ops->set_reconciled(coordinator->store, 0, &info), ERR_OK); /* to be made */
    const struct store_record_query all = {.device = NULL};
    assert_int_equal(loop_timer_new(coordinator->loop, end_when_loaded, &loaded, &loaded.timer), ERR_OK);
    loop_timer_after(loaded.timer, 1);
    assert_int_equal(coordinator_run(coordinator), ERR_OK);
    loop_timer_free(loaded.timer);
    assert_int_equal(coordinator->store_ops->each_record(coordinator->store, &all, see_row, &loaded), ERR_OK);
    return loaded;
}

/* The table of devices cannot grow: its rows must not count as nobody's in the reconcile that follows. */
static void a_device_that_found_no_memory_loses_no_record(void **state)
{
    (void)state;
    store_device();
    store_row("example.net", CAM, CAM ".example.net");
    scarce_arm_large(1024 * sizeof(struct device)); /* a chunk of the table; nothing else on this thread comes near */
    struct loaded loaded = run_until_loaded();
    assert_true(loaded.failed);
    assert_int_equal(loaded.kept, 1);
}

/* One entry moves a name, in one zone after the other: the comparison is not over before. */
static void a_name_left_behind_in_two_zones_is_given_up_in_both(void **state)
{
    (void)state;
    store_row("example.net", "gone-1", "gone-1.sub.example.net");
    store_row("sub.example.net", "gone-1", "gone-1.sub.example.net");
    struct loaded loaded = run_until_loaded();
    assert_int_equal(loaded.given_up, 2);
    assert_int_equal(loaded.kept, 1); /* the test before's */
}

/* On the store's worker, which cannot load anything meanwhile. */
static void ask_for_sweep(void *context)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char request[] =
        "POST /v1/zones/example.net/sweep HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char *reply = context;
    size_t len = 0;
    ssize_t got;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", folder); /* fits */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        write(fd, request, sizeof(request) - 1) == (ssize_t)sizeof(request) - 1) {
        while (len < REPLY_MAX && (got = read(fd, reply + len, REPLY_MAX - len)) > 0) {
            len += (size_t)got;
        }
    }
    reply[len] = '\0';
    (void)close(fd); /* answered, or the reply says nothing */
    (void)kill(getpid(), SIGTERM);
}

static void nobody_sweeps_while_devices_are_loaded(void **state)
{
    (void)state;
    char reply[REPLY_MAX + 1] = "";
    assert_int_equal(loop_worker_submit(coordinator->worker, ask_for_sweep, NULL, reply), ERR_OK);
    assert_int_equal(coordinator_run(coordinator), ERR_OK);
    assert_non_null(strstr(reply, "503"));
    assert_non_null(strstr(reply, "\"busy\""));
    assert_non_null(strstr(reply, "loading"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_commit_that_ends_with_the_daemon_harms_nobody),
        TEST(a_second_coordinator_on_the_store_is_refused),
        TEST(the_store_is_its_owners_alone),
        TEST(a_reload_does_not_wait_for_a_listing),
        TEST(a_reload_does_not_take_a_zone_back),
        TEST(comparisons_that_follow_closely_share_nothing),
        TEST(a_device_that_found_no_memory_loses_no_record),
        TEST(a_name_left_behind_in_two_zones_is_given_up_in_both),
        TEST(nobody_sweeps_while_devices_are_loaded),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
