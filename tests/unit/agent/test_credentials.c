/* SPDX-License-Identifier: Apache-2.0 */
/* A device's enrolment and renewal on a disk, by the calls that the agent makes, with a provisioner in the same
 * process. The device is killed before each change of its disk in turn, and again while it makes good for that. */
#include "agent/credentials.h"

#include <dlfcn.h>
#include <fcntl.h>
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

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/cert.h"
#include "provisioning/certread.h"
#include "provisioning/csr.h"
#include "provisioning/keypair.h"
#include "provisioning/pem.h"
#include "provisioning/proof.h"

#define NOW_S     1795365780 /* 2026-11-22T16:43:00Z */
#define KILLED    9
#define STEPS_MAX 400
#define CID       "0123456789abcdef0123456789abcdef"
#define NONCE     VIEW_LITERAL("a nonce of the server")

static char work[] = "/tmp/muster-credentials-XXXXXX";
static char state_dir[64], claim_dir[64], certified[64];
static struct agent_config config;
static struct key_rng *rng;
static struct key *authority, *elsewhere;
static uint8_t authority_der[CERT_DER_MAX];
static size_t authority_len;

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

int rename(const char *from, const char *to)
{
    step();
    return REAL(rename)(from, to);
}

int fsync(int fd)
{
    step();
    return REAL(fsync)(fd);
}

int symlink(const char *target, const char *path)
{
    step();
    return REAL(symlink)(target, path);
}

int mkdir(const char *path, mode_t mode)
{
    step();
    return REAL(mkdir)(path, mode);
}

int rmdir(const char *path)
{
    step();
    return REAL(rmdir)(path);
}

int unlink(const char *path)
{
    step();
    return REAL(unlink)(path);
}

/* ---- the provisioner ---- */

static void build(const struct cert_subject *subject, const uint8_t *point, const struct cert_signer *signer,
                  uint8_t der[static CERT_DER_MAX], size_t *ret_len)
{
    struct cert_request request = {.subject = subject, .point = point, .validity = cert_validity_of(NOW_S, 90)};
    struct errinfo info = {0};
    cert_serial_make(request.serial);
    if (cert_build(&request, signer, der, ret_len, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

/* Which keys were asked about, in order; a file, for the device is another process. */
static void note_certified(struct view point)
{
    char hex[2 * KEY_POINT_SIZE + 2];
    crypto_hex((const uint8_t *)point.ptr, point.len, hex);
    hex[2 * KEY_POINT_SIZE] = '\n';
    int fd = open(certified, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, hex, 2 * KEY_POINT_SIZE + 1), 2 * KEY_POINT_SIZE + 1);
    (void)close(fd);
}

/* How many different keys. */
static size_t keys_certified(void)
{
    char *text = NULL;
    size_t len = 0, count = 0;
    if (file_read(certified, 1024 * 1024, &text, &len) != ERR_OK) {
        return 0;
    }
    for (size_t i = 0; i < len; i += 2 * KEY_POINT_SIZE + 1) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j += 2 * KEY_POINT_SIZE + 1) {
            seen = memcmp(text + i, text + j, 2 * KEY_POINT_SIZE) == 0;
        }
        count += !seen;
    }
    free(text);
    return count;
}

struct reply {
    struct prov_answer_message answer;
    uint8_t der[CERT_DER_MAX];
};

static void answer_to(struct view csr_der, struct reply *reply)
{
    static const uint8_t root[PROV_ROOT_SIZE];
    struct certread ca;
    struct csr csr;
    size_t len = 0;
    assert_int_equal(certread_parse(view_n((const char *)authority_der, authority_len), &ca), ERR_OK);
    assert_int_equal(csr_parse(csr_der, &csr), ERR_OK);
    note_certified(csr.point);
    const struct cert_signer signer = {
        .name = ca.subject, .key_id = ca.key_id, .validity = ca.validity, .key = authority};
    build(&(struct cert_subject){.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam-1")},
          (const uint8_t *)csr.point.ptr, &signer, reply->der, &len);
    reply->answer = (struct prov_answer_message){
        .op = PROV_CERT,
        .id = "cam-1",
        .now = NOW_S * INT64_C(1000),
        .chain = {view_n((const char *)reply->der, len), view_n((const char *)authority_der, authority_len)},
        .chain_len = 2,
        .trust = {view_n((const char *)authority_der, authority_len)},
        .trust_len = 1,
        .roots = {view_n((const char *)root, sizeof(root))},
        .roots_len = 1,
        .core = {"broker.example.net:8883"},
        .core_len = 1,
        .renew = (NOW_S + 60 * 86400) * INT64_C(1000)};
}

/* ---- the device ---- */

static struct credentials *open_credentials(void)
{
    struct credentials *credentials = malloc(sizeof(*credentials));
    struct errinfo info = {0};
    assert_non_null(credentials);
    if (credentials_open(&config, credentials, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return credentials;
}

/* Asks as it does over the air, and stores the answer. */
static void obtain(struct credentials *credentials, bool renewal)
{
    struct strbuf text;
    struct errinfo info = {0};
    struct prov_request_message *request = malloc(sizeof(*request));
    struct renewal_message *renew = malloc(sizeof(*renew));
    struct reply *reply = malloc(sizeof(*reply));
    assert_true(request != NULL && renew != NULL && reply != NULL);
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    enum err err = renewal ? credentials_renewal(credentials, CID, &text, &info)
                           : credentials_csr(credentials, NONCE, &text, &info);
    if (err != ERR_OK) {
        fail_msg("%s", info.text);
    }
    if (renewal) {
        assert_int_equal(renewal_decode(strbuf_view(&text), renew, &info), ERR_OK);
    } else {
        assert_int_equal(prov_request_decode(strbuf_view(&text), request, &info), ERR_OK);
    }
    answer_to(renewal ? renew->csr : request->csr, reply);
    if (credentials_install(credentials, &reply->answer, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    strbuf_deinit(&text);
    free(request);
    free(renew);
    free(reply);
}

static void prove(struct credentials *credentials)
{
    struct errinfo info = {0};
    if (credentials_on_trial(credentials) && credentials_promote(credentials, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

/* What an agent does from its start until it has proven version @p wanted. */
static void live_until(uint32_t wanted)
{
    struct credentials *credentials = open_credentials();
    if (credentials->identity.version < wanted) {
        obtain(credentials, credentials->identity.version > 0);
    }
    prove(credentials);
    assert_int_equal(credentials->identity.version, wanted);
    free(credentials);
}

/* What a start finds can be connected with. */
static void assert_works(const struct credentials *credentials)
{
    struct keypair pair;
    struct errinfo info = {0};
    const struct credentials_identity *identity = &credentials->identity;
    if (keypair_check(identity->cert_file, identity->key_file, &pair, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    assert_string_equal(pair.common_name, "cam-1");
    assert_int_equal(access(identity->ca_file, R_OK), 0);
    assert_int_equal(identity->core_len, 1);
    assert_true(identity->renew_ms > identity->not_before_ms && identity->renew_ms < identity->not_after_ms);
}

/* ---- rig ---- */

static void write_file(const char *folder, const char *name, struct view content)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(file_replace(path, content, 0600), ERR_OK);
}

static void write_claim(void)
{
    struct certread ca;
    uint8_t der[CERT_DER_MAX], point[KEY_POINT_SIZE];
    size_t len = 0;
    struct strbuf pem;
    strbuf_init(&pem, PEM_FILE_MAX);
    assert_int_equal(certread_parse(view_n((const char *)authority_der, authority_len), &ca), ERR_OK);
    key_public(elsewhere, point);
    const struct cert_signer signer = {
        .name = ca.subject, .key_id = ca.key_id, .validity = ca.validity, .key = authority};
    build(&(struct cert_subject){.profile = CERT_CLAIM, .common_name = VIEW_LITERAL("claim-b1")}, point, &signer, der,
          &len);
    assert_int_equal(pem_write(&pem, PEM_CERTIFICATE, view_n((const char *)der, len)), ERR_OK);
    write_file(claim_dir, CREDENTIALS_CLAIM_CERT, strbuf_view(&pem));
    strbuf_deinit(&pem);
}

static int set_up_all(void **state)
{
    (void)state;
    if (mkdtemp(work) == NULL || key_rng_new(&rng) != ERR_OK || key_make(rng, &authority) != ERR_OK ||
        key_make(rng, &elsewhere) != ERR_OK) {
        return -1;
    }
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", work);
    (void)snprintf(claim_dir, sizeof(claim_dir), "%s/claim", work);
    (void)snprintf(certified, sizeof(certified), "%s/certified", work);
    config = (struct agent_config){.state_dir = state_dir, .provisioning = {.claim_dir = claim_dir, .serial = "SN-1"}};
    uint8_t point[KEY_POINT_SIZE];
    key_public(authority, point);
    build(&(struct cert_subject){.profile = CERT_ROOT_CA, .common_name = VIEW_LITERAL("test")}, point,
          &(struct cert_signer){.key = authority}, authority_der, &authority_len);
    return 0;
}

static void remove_tree(const char *path)
{
    const char *const words[] = {"rm", "-rf", path, NULL};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execvp(words[0], (char *const *)words);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(mkdir(state_dir, 0700), 0);
    assert_int_equal(mkdir(claim_dir, 0700), 0);
    write_claim();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(state_dir);
    remove_tree(claim_dir);
    remove_tree(certified);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    key_free(authority);
    key_free(elsewhere);
    key_rng_free(rng);
    return rmdir(work);
}

/* A device in a process of its own that is killed before change @p n of its disk. @return it came to its end. */
static bool live_killed(uint32_t wanted, long n)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        steps_left = n;
        live_until(wanted);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
    return WEXITSTATUS(status) == 0;
}

/* ---- tests ---- */

static void test_enrols_and_renews(void **state)
{
    (void)state;
    live_until(1);
    live_until(2);
    live_until(3);
    struct credentials *credentials = open_credentials();
    assert_int_equal(credentials->identity.version, 3);
    assert_works(credentials);
    assert_int_equal(keys_certified(), 3);
    free(credentials);
}

/* At every place of an enrolment: one key, and an identity in the end. */
static void test_killed_while_it_enrols(void **state)
{
    bool finished = false;
    for (long n = 0; !finished; n++) {
        assert_true(n < STEPS_MAX);
        finished = live_killed(1, n);
        (void)live_killed(1, n / 2); /* and while it makes good for that */
        live_until(1);
        struct credentials *credentials = open_credentials();
        assert_works(credentials);
        free(credentials);
        assert_int_equal(keys_certified(), 1);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

/* At every place of a renewal: there is a working identity at any moment, and one new key in all. */
static void test_killed_while_it_renews(void **state)
{
    bool finished = false;
    for (long n = 0; !finished; n++) {
        assert_true(n < STEPS_MAX);
        live_until(1);
        finished = live_killed(2, n);
        struct credentials *credentials = open_credentials();
        assert_true(credentials->identity.version == 1 || credentials->identity.version == 2);
        assert_works(credentials);
        free(credentials);
        live_until(2);
        credentials = open_credentials();
        assert_int_equal(credentials->dir.current, 2);
        assert_works(credentials);
        free(credentials);
        assert_int_equal(keys_certified(), 2);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void test_goes_back(void **state)
{
    (void)state;
    struct errinfo info = {0};
    live_until(1);
    struct credentials *credentials = open_credentials();
    obtain(credentials, true);
    assert_int_equal(credentials->identity.version, 2);
    assert_true(credentials_may_return(credentials));
    assert_int_equal(credentials_return(credentials, &info), ERR_OK);
    assert_int_equal(credentials->identity.version, 1);
    assert_works(credentials);
    free(credentials);
}

static void device_point(uint8_t ret_point[static KEY_POINT_SIZE])
{
    char path[PATH_MAX];
    struct key *key = NULL;
    (void)snprintf(path, sizeof(path), "%s/device.key", state_dir);
    assert_int_equal(key_load(path, rng, &key, NULL), ERR_OK);
    key_public(key, ret_point);
    key_free(key);
}

/* The device's own key signs, whatever key is to be certified; nobody else's does. */
static void test_proofs(void **state)
{
    (void)state;
    struct strbuf text;
    struct errinfo info = {0};
    uint8_t point[KEY_POINT_SIZE];
    struct prov_request_message *request = malloc(sizeof(*request));
    struct credentials *credentials = open_credentials();
    assert_non_null(request);
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    assert_int_equal(credentials_csr(credentials, NONCE, &text, &info), ERR_OK);
    assert_int_equal(prov_request_decode(strbuf_view(&text), request, &info), ERR_OK);
    device_point(point);
    struct view own = view_n((const char *)point, sizeof(point));
    assert_int_equal(proof_verify(own, "csr", NONCE, request->csr, request->signature), ERR_OK);
    struct csr csr;
    assert_int_equal(csr_parse(request->csr, &csr), ERR_OK);
    assert_false(view_equal(csr.point, own));
    assert_int_equal(request->old.len, 0);
    strbuf_clear(&text);
    assert_int_equal(credentials_trouble(credentials, NONCE, "core-refused", &text, &info), ERR_OK);
    assert_int_equal(prov_request_decode(strbuf_view(&text), request, &info), ERR_OK);
    assert_int_equal(proof_verify(own, "trouble", NONCE, (struct view){0}, request->signature), ERR_OK);
    strbuf_deinit(&text);
    free(request);
    free(credentials);
}

/* A device whose own key is lost proves itself by the certificate that it has. */
static void test_own_key_lost(void **state)
{
    (void)state;
    struct strbuf text;
    struct errinfo info = {0};
    struct certread old;
    char path[PATH_MAX];
    live_until(1);
    (void)snprintf(path, sizeof(path), "%s/device.key", state_dir);
    assert_int_equal(unlink(path), 0);
    struct prov_request_message *request = malloc(sizeof(*request));
    struct credentials *credentials = open_credentials();
    assert_non_null(request);
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    assert_int_equal(credentials_csr(credentials, NONCE, &text, &info), ERR_OK);
    assert_int_equal(access(path, F_OK), -1); /* nobody's ledger would know a new one */
    assert_int_equal(prov_request_decode(strbuf_view(&text), request, &info), ERR_OK);
    assert_int_equal(certread_parse(request->old, &old), ERR_OK);
    assert_int_equal(proof_verify(old.point, "csr", NONCE, request->csr, request->signature), ERR_OK);
    strbuf_deinit(&text);
    free(request);
    free(credentials);
}

/* A token that is not there: an error, and never a key in a file in its place. */
static void test_no_software_in_place_of_a_token(void **state)
{
    static const char uri[] = "pkcs11:token=none;object=device?module-path=/nonexistent/module.so\n";
    (void)state;
    struct strbuf text;
    struct errinfo info = {0};
    char path[PATH_MAX];
    char *left = NULL;
    size_t len = 0;
    write_file(state_dir, "device.key", view_of(uri));
    struct credentials *credentials = open_credentials();
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    assert_int_not_equal(credentials_csr(credentials, NONCE, &text, &info), ERR_OK);
    (void)snprintf(path, sizeof(path), "%s/device.key", state_dir);
    assert_int_equal(file_read(path, sizeof(uri), &left, &len), ERR_OK);
    assert_string_equal(left, uri);
    free(left);
    strbuf_deinit(&text);
    free(credentials);
}

static void test_what_came_is_judged(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct reply *reply = malloc(sizeof(*reply));
    struct credentials *credentials = open_credentials();
    uint8_t der[CSR_DER_MAX];
    size_t len = 0;
    assert_non_null(reply);
    assert_int_equal(csr_build(elsewhere, VIEW_LITERAL("SN-1"), der, &len), ERR_OK);
    answer_to(view_n((const char *)der, len), reply);
    assert_int_equal(credentials_install(credentials, &reply->answer, &info), ERR_STATE); /* nothing was asked */
    struct strbuf text;
    strbuf_init(&text, PROV_PAYLOAD_MAX);
    assert_int_equal(credentials_csr(credentials, NONCE, &text, &info), ERR_OK);
    assert_int_equal(credentials_install(credentials, &reply->answer, &info), ERR_INVALID); /* another key's */
    (void)snprintf(reply->answer.id, sizeof(reply->answer.id), "cam-2");
    assert_int_equal(credentials_install(credentials, &reply->answer, &info), ERR_INVALID); /* another name */
    reply->answer.chain[0] = reply->answer.chain[1];
    (void)snprintf(reply->answer.id, sizeof(reply->answer.id), "test root CA");
    assert_int_equal(credentials_install(credentials, &reply->answer, &info), ERR_INVALID); /* a CA */
    assert_int_equal(credentials->identity.version, 0);
    strbuf_deinit(&text);
    free(reply);
    free(credentials);
}

/* Whoever can go on does; whoever cannot says what is missing. */
static void test_without_claim(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct errinfo info = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", claim_dir, CREDENTIALS_CLAIM_CERT);
    live_until(1);
    assert_int_equal(unlink(path), 0);
    struct credentials *credentials = open_credentials();
    assert_string_equal(credentials->claim, "");
    assert_works(credentials);
    remove_tree(state_dir);
    assert_int_equal(mkdir(state_dir, 0700), 0);
    assert_int_equal(credentials_open(&config, credentials, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "claim.pem"));
    free(credentials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_enrols_and_renews, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_while_it_enrols, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_while_it_renews, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_goes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_proofs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_key_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_software_in_place_of_a_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_came_is_judged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_claim, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
