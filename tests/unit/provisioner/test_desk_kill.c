/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process ends before its n-th change of the disk, for every n until it comes through: while a device enrols, while
 * a ledger is imported, while a device is revoked. What was said before the end must be true after it, what is asked
 * again must give the same, and nothing is there twice.
 */
#include "provisioner/desk.h"

#include <dlfcn.h>
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
#include "mqtt/messages_prov.h"
#include "provisioning/ca.h"
#include "provisioning/csr.h"
#include "provisioning/manifest.h"
#include "provisioning/pem.h"
#include "provisioning/proof.h"

#define NOW_MS  INT64_C(1795365780000) /* 2026-11-22T16:43:00Z */
#define KILLED  9
#define DEVICES 120
#define CLAIM   "claim-b1"
#define CID     "0123456789abcdef0123456789abcdef"

static char work[] = "/tmp/muster-desk-XXXXXX";
static char path[8][96];
enum { CA_DIR, STORE, SIGNER, DENY, CRL, REVOKED };
static struct settings settings;
static struct key_rng *rng;
static struct key *device_keys[DEVICES], *tls_keys[DEVICES];
static struct strbuf manifest_text, ledger_text;
static struct awaited *awaited;

/* ---- the process ends before the n-th change of the disk ---- */

static long steps_left = -1; /* of this process; -1: no end */

static void step(void)
{
    if (steps_left == 0) {
        _exit(KILLED);
    }
    steps_left -= steps_left > 0;
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    step();
    return REAL(pwrite64)(fd, data, len, at);
}

int fdatasync(int fd)
{
    step();
    return REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    step();
    return REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    step();
    return REAL(rename)(from, to);
}

int unlink(const char *name)
{
    step();
    return REAL(unlink)(name);
}

/* ---- a factory, an authority, a configuration ---- */

static void write_ca(const char *name, struct key *key, const uint8_t *der, size_t len)
{
    char file[128];
    struct strbuf pem;
    strbuf_init(&pem, 8192);
    (void)snprintf(file, sizeof(file), "%s/%s.key", path[CA_DIR], name);
    assert_int_equal(key_save(key, file), ERR_OK);
    (void)snprintf(file, sizeof(file), "%s/%s.pem", path[CA_DIR], name);
    assert_int_equal(pem_write(&pem, PEM_CERTIFICATE, view_n((const char *)der, len)), ERR_OK);
    assert_int_equal(file_replace(file, strbuf_view(&pem), 0644), ERR_OK);
    strbuf_deinit(&pem);
}

static void make_authority(void)
{
    struct key *root = NULL, *ca = NULL;
    uint8_t point[KEY_POINT_SIZE], der[CERT_DER_MAX];
    size_t len = 0;
    assert_int_equal(key_make(rng, &root), ERR_OK);
    assert_int_equal(key_make(rng, &ca), ERR_OK);
    key_public(ca, point);
    uint8_t root_id[CERT_KEY_ID_SIZE], root_point[KEY_POINT_SIZE];
    key_public(root, root_point);
    cert_key_id(root_point, root_id);
    const struct cert_subject subject = {.profile = CERT_DEVICE_CA, .common_name = VIEW_LITERAL("test device CA")};
    struct cert_request request = {
        .subject = &subject, .point = point, .validity = cert_validity_of(NOW_MS / 1000, 3650)};
    cert_serial_make(request.serial);
    static const char name[] = "\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04root";
    const struct cert_signer signer = {.name = view_n(name, sizeof(name) - 1),
                                       .key_id = view_n((const char *)root_id, sizeof(root_id)),
                                       .validity = cert_validity_of(NOW_MS / 1000, 4000),
                                       .key = root};
    assert_int_equal(cert_build(&request, &signer, der, &len, NULL), ERR_OK);
    write_ca("devices", ca, der, len);
    assert_int_equal(key_save(root, path[SIGNER]), ERR_OK); /* signs answers; nobody verifies them here */
    memcpy(settings.signer[0].bytes, der, len);
    settings.signer[0].len = len;
    settings.signer[1] = settings.signer[0];
    settings.trust[0] = settings.signer[0];
    settings.trust_len = 1;
    key_free(root);
    key_free(ca);
}

static void add_line(struct ledger_chain *chain, struct key *station, const struct ledger_line *line)
{
    assert_int_equal(ledger_write(chain, line, station, &ledger_text), ERR_OK);
}

static void make_factory(void)
{
    struct key *factory = NULL, *station = NULL;
    struct ledger_chain chain = {.begun = false};
    struct ledger_line head = {.event = LEDGER_HEAD, .batch = "b1", .station = "line-1", .ts = NOW_MS};
    struct manifest manifest = {.batch = "b1",
                                .model = "m",
                                .count = DEVICES,
                                .quota = DEVICES,
                                .id = "cam-{serial}",
                                .claim_cn = CLAIM,
                                .from_ms = NOW_MS - 1000,
                                .to_ms = NOW_MS + 1000000,
                                .activation_s = 60,
                                .stations_len = 1,
                                .made_ms = NOW_MS};
    assert_int_equal(key_make(rng, &factory), ERR_OK);
    assert_int_equal(key_make(rng, &station), ERR_OK);
    key_public(factory, settings.factory);
    key_public(station, manifest.stations[0]);
    assert_int_equal(manifest_write(&manifest, factory, &manifest_text, NULL), ERR_OK);
    manifest_digest(strbuf_view(&manifest_text), head.manifest);
    add_line(&chain, station, &head);
    for (unsigned i = 0; i < DEVICES; i++) {
        struct ledger_line line = {.event = LEDGER_MADE, .ts = NOW_MS};
        (void)snprintf(line.serial, sizeof(line.serial), "%u", i);
        (void)snprintf(line.id, sizeof(line.id), "cam-%u", i);
        assert_int_equal(key_make(rng, &device_keys[i]), ERR_OK);
        assert_int_equal(key_make(rng, &tls_keys[i]), ERR_OK);
        key_public(device_keys[i], line.key);
        add_line(&chain, station, &line);
    }
    key_free(factory);
    key_free(station);
}

static int set_up(void **state)
{
    (void)state;
    static const char *core[] = {"core.example.net:8883"};
    static const char *const names[] = {"ca", "p.db", "signer.key", "denied", "list.crl", "ca/devices.revoked"};
    assert_non_null(mkdtemp(work));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path[i], sizeof(path[i]), "%s/%s", work, names[i]);
    }
    assert_int_equal(mkdir(path[CA_DIR], 0700), 0);
    strbuf_init(&manifest_text, 8192);
    strbuf_init(&ledger_text, 1 << 20);
    struct provisioner_config *config = &settings.config;
    config->store.path = path[STORE];
    config->ca.dir = path[CA_DIR];
    config->prov.key_file = path[SIGNER];
    config->issue.days = 365;
    config->issue.renew_share = 66;
    config->issue.rate = 1000;
    config->issue.burst = 1000;
    config->activation_ms = 3600000;
    config->recovery = true;
    config->core_endpoints = (struct config_strings){core, 1};
    config->config_roots = (struct config_strings){core, 1}; /* one root, of zeros */
    config->revocation.deny_file = path[DENY];
    config->revocation.crl_file = path[CRL];
    assert_int_equal(key_rng_new(&rng), ERR_OK);
    assert_int_equal(awaited_new(&awaited), ERR_OK);
    make_authority();
    make_factory();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char *const argv[] = {(char[]){"rm"}, (char[]){"-rf"}, work, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
    for (size_t i = 0; i < DEVICES; i++) {
        key_free(device_keys[i]);
        key_free(tls_keys[i]);
    }
    key_rng_free(rng);
    awaited_free(awaited);
    strbuf_deinit(&manifest_text);
    strbuf_deinit(&ledger_text);
    return 0;
}

/* ---- what is done ---- */

static const struct desk_time now = {.mono_ms = 1000, .wall_ms = NOW_MS};
static struct desk_reply reply;
static const struct desk_caller caller = {.actor = "test", .now = now, .reply = &reply};

static struct desk *open_desk(void)
{
    struct desk *desk = NULL;
    struct errinfo info = {0};
    enum err err = desk_new(&settings, awaited, now, &desk, &info);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "%s\n", info.text);
        abort();
    }
    return desk;
}

static void must(enum err err)
{
    if (err != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", err_name(err), reply.info.text);
        abort();
    }
}

/** The first @p lines lines of the ledger behind its head. */
static struct view first_lines(size_t lines)
{
    const char *at = strbuf_str(&ledger_text);
    for (size_t i = 0; i <= lines; i++) {
        at = strchr(at, '\n') + 1;
    }
    return view_n(strbuf_str(&ledger_text), (size_t)(at - strbuf_str(&ledger_text)));
}

static void import(struct desk *desk, size_t lines)
{
    struct strbuf out;
    struct jsonout json = {.out = &out};
    strbuf_init(&out, 4096);
    reply = (struct desk_reply){.status = 200};
    must(desk_begin(desk));
    enum err err = desk_add_batch(desk, &caller, strbuf_view(&manifest_text), &json);
    err = err == ERR_OK ? desk_add_ledger(desk, &caller, first_lines(lines), &json) : err;
    must(desk_end(desk, err));
    strbuf_deinit(&out);
}

static void post(struct desk *desk, const struct prov_request_message *message, struct prov_answer_message *answer)
{
    static struct envelope_message envelope;
    struct strbuf body;
    struct outbox outbox;
    struct desk_letter letter = {.topic = VIEW_LITERAL("muster/v1/prov/" CLAIM "/" CID "/req")};
    strbuf_init(&body, PROV_PAYLOAD_MAX);
    outbox_init(&outbox);
    must(prov_request_encode(message, &body));
    letter.payload = strbuf_view(&body);
    must(desk_begin(desk));
    must(desk_end(desk, desk_letter(desk, now, &letter, &outbox)));
    struct outgoing *outgoing = outbox_take(&outbox);
    must(envelope_decode(strbuf_view(&outgoing->body), &envelope, NULL));
    must(prov_answer_decode(envelope.payload, answer, NULL));
    outgoing_free(outgoing);
    strbuf_deinit(&body);
}

/** A whole enrolment; the certificate's digest. */
static void enrol(struct desk *desk, unsigned n, uint8_t ret_digest[static SHA256_SIZE])
{
    static struct prov_answer_message hello, answer;
    struct prov_request_message message = {.op = PROV_HELLO};
    uint8_t csr[CSR_DER_MAX], signature[KEY_SIGNATURE_MAX];
    size_t csr_len = 0, len = 0;
    (void)snprintf(message.serial, sizeof(message.serial), "%u", n);
    post(desk, &message, &hello);
    must(csr_build(tls_keys[n], VIEW_LITERAL("x"), csr, &csr_len));
    message.op = PROV_CSR;
    message.nonce = hello.nonce;
    message.csr = view_n((const char *)csr, csr_len);
    must(proof_sign(device_keys[n], "csr", hello.nonce, message.csr, signature, &len));
    message.signature = view_n((const char *)signature, len);
    post(desk, &message, &answer);
    if (answer.op != PROV_CERT) {
        abort();
    }
    crypto_sha256(answer.chain[0], ret_digest);
}

static void revoke_device(struct desk *desk, unsigned n)
{
    struct strbuf out;
    struct jsonout json = {.out = &out};
    const struct desk_owner nobody = {.owner = NULL};
    char id[DEVICE_ID_MAX + 1];
    strbuf_init(&out, 4096);
    reply = (struct desk_reply){.status = 200};
    (void)snprintf(id, sizeof(id), "cam-%u", n);
    must(desk_begin(desk));
    must(desk_end(desk, desk_change_device(desk, &caller, id, DEVICE_REVOKE, &nobody, &json)));
    strbuf_deinit(&out);
}

static void finish_revocations(struct desk *desk)
{
    struct desk_revocations revocations;
    bool lists = false;
    do {
        must(desk_revoke_lists(desk, now, &revocations, &lists, NULL));
        must(desk_begin(desk));
        must(desk_end(desk, desk_revoke_done(desk, &revocations)));
    } while (revocations.len > 0);
}

/* ---- loops ---- */

/** Runs @p act in a child that ends before its @p n-th change. @param said what it said before. @return whether it came
 * through. */
static bool run(long n, void (*act)(struct desk *desk, unsigned n, uint8_t said[static SHA256_SIZE]),
                uint8_t said[static SHA256_SIZE], bool *ret_said)
{
    int fds[2], status = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint8_t words[SHA256_SIZE] = {0};
        steps_left = n;
        struct desk *desk = open_desk();
        act(desk, (unsigned)n, words);
        if (write(fds[1], words, sizeof(words)) != (ssize_t)sizeof(words)) {
            _exit(1);
        }
        desk_free(desk);
        _exit(0);
    }
    (void)close(fds[1]);
    *ret_said = read(fds[0], said, SHA256_SIZE) == SHA256_SIZE;
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED));
    return WEXITSTATUS(status) == 0;
}

static enum err count_cert(void *context, const struct cert_row *cert)
{
    (void)cert;
    ++*(unsigned *)context;
    return ERR_OK;
}

static void import_act(struct desk *desk, unsigned n, uint8_t said[static SHA256_SIZE])
{
    (void)said;
    import(desk, MIN(2 * (size_t)n + 2, DEVICES));
}

static uint64_t held(struct desk *desk)
{
    struct batch_row batch = {.id = ""};
    struct ledger_chain chain = {.begun = false};
    enum err err = store_get_batch(desk_store(desk), "b1", &batch, NULL);
    assert_true(err == ERR_OK || err == ERR_NOTFOUND);
    if (store_get_chain(desk_store(desk), "b1", "line-1", &chain) == ERR_OK) {
        assert_int_equal(batch.devices, chain.next - 1); /* each line once, and none without its device */
    }
    return batch.devices;
}

static void import_is_all_or_nothing(void **state)
{
    (void)state;
    uint8_t said[SHA256_SIZE];
    bool has_said = false, through = false;
    uint64_t before = 0;
    for (long n = 0; !through && n < DEVICES / 2 - 1; n++) {
        through = run(n, import_act, said, &has_said);
        uint64_t want = 2 * (uint64_t)n + 2;
        struct desk *desk = open_desk();
        uint64_t now_held = held(desk);
        assert_true(now_held == want || (now_held == before && !has_said));
        import(desk, (size_t)want);
        assert_int_equal(held(desk), want);
        before = want;
        desk_free(desk);
    }
    assert_true(through);
    struct desk *desk = open_desk();
    import(desk, DEVICES);
    assert_int_equal(held(desk), DEVICES);
    desk_free(desk);
}

static void enrolment_gives_one_certificate(void **state)
{
    (void)state;
    uint8_t said[SHA256_SIZE], again[SHA256_SIZE];
    bool has_said = false, through = false;
    for (long n = 0; !through && n < DEVICES; n++) {
        through = run(n, enrol, said, &has_said);
        struct desk *desk = open_desk();
        enrol(desk, (unsigned)n, again);
        if (has_said) {
            assert_memory_equal(again, said, SHA256_SIZE);
        }
        unsigned certs = 0;
        char id[DEVICE_ID_MAX + 1];
        (void)snprintf(id, sizeof(id), "cam-%ld", n);
        assert_int_equal(store_each_cert(desk_store(desk), id, false, count_cert, &certs), ERR_OK);
        assert_int_equal(certs, 1);
        desk_free(desk);
    }
    assert_true(through);
}

static void revoke_act(struct desk *desk, unsigned n, uint8_t said[static SHA256_SIZE])
{
    (void)said;
    revoke_device(desk, n);
    finish_revocations(desk);
}

static size_t times(const char *file, const char *word)
{
    char *text = NULL;
    size_t len = 0, count = 0;
    assert_int_equal(file_read(file, 1 << 20, &text, &len), ERR_OK);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    free(text);
    return count;
}

static enum err check_listed(void *context, const struct cert_row *cert)
{
    (void)context;
    assert_int_equal(cert->state, CERT_REVOKED);
    assert_int_equal(times(path[DENY], cert->serial), 1);
    assert_int_equal(times(path[REVOKED], cert->serial), 1);
    return ERR_OK;
}

static void revocation_is_brought_to_its_end(void **state)
{
    (void)state;
    uint8_t said[SHA256_SIZE];
    bool has_said = false, through = false;
    for (long n = 0; !through && n < DEVICES; n++) {
        struct desk *desk = open_desk();
        enrol(desk, (unsigned)n, said);
        desk_free(desk);
        through = run(n, revoke_act, said, &has_said);
        desk = open_desk();
        revoke_device(desk, (unsigned)n); /* where it was done before, nothing changes */
        finish_revocations(desk);
        char id[DEVICE_ID_MAX + 1];
        (void)snprintf(id, sizeof(id), "cam-%ld", n);
        assert_int_equal(store_each_cert(desk_store(desk), id, false, check_listed, NULL), ERR_OK);
        desk_free(desk);
    }
    assert_true(through);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import_is_all_or_nothing),
        cmocka_unit_test(enrolment_gives_one_certificate),
        cmocka_unit_test(revocation_is_brought_to_its_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
