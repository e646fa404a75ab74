/* SPDX-License-Identifier: Apache-2.0 */
/**
 * factory-certs: certifies the devices of a ledger with a device CA as the provisioner does, and writes what came of it
 * as PEM where it is asked to.
 *
 * factory-certs CA-DIR LEDGER
 * Commands, one a line on standard input, each answered by one JSON object:
 *   read           the ledger, every digest and signature of it
 *   certify        one certificate for each device
 *   write FILE     the certificates
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file.h"
#include "provisioning/ca.h"
#include "provisioning/keyopen.h"
#include "provisioning/ledgerfile.h"
#include "provisioning/pem.h"

#define LINE_SIZE 1024
#define TEXT_MAX  ((size_t)256 << 20)

struct bench {
    const char *path;
    struct ca *ca;
    struct ledgerfile *file;
    struct ca_signed *certificates; /* one a device */
    struct errinfo info;
};

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static enum err read_ledger(struct bench *bench, size_t *ret_count)
{
    ledgerfile_close(bench->file);
    bench->file = NULL;
    enum err err = ledgerfile_open(bench->path, NULL, NULL, NULL, &bench->file, &bench->info);
    *ret_count = err == ERR_OK ? (size_t)ledgerfile_chain(bench->file)->next : 0;
    return err;
}

static enum err certify(struct bench *bench, size_t *ret_count)
{
    size_t len = bench->file != NULL ? ledgerfile_count(bench->file) : 0;
    int64_t now_s = clock_wall_ms() / 1000;
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < len; i++) {
        const struct ledger_device *device = ledgerfile_at(bench->file, i);
        const struct cert_subject subject = {.profile = CERT_DEVICE, .common_name = view_of(device->id)};
        err = ca_sign(bench->ca, &subject, device->key, now_s, 0, &bench->certificates[i], &bench->info);
    }
    *ret_count = err == ERR_OK ? len : 0;
    return err;
}

static enum err write_all(struct bench *bench, const char *path, size_t *ret_count)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    enum err err = ERR_OK;
    size_t len = bench->certificates != NULL ? ledgerfile_count(bench->file) : 0;
    for (size_t i = 0; err == ERR_OK && i < len; i++) {
        const struct ca_signed *one = &bench->certificates[i];
        err = pem_write(&text, PEM_CERTIFICATE, view_n((const char *)one->der, one->der_len));
    }
    if (err == ERR_OK) {
        err = file_replace(path, strbuf_view(&text), 0644);
    }
    strbuf_deinit(&text);
    *ret_count = len;
    return err;
}

/** Room for the certificates is no part of the figure. */
static enum err make_room(struct bench *bench)
{
    if (bench->certificates == NULL && bench->file != NULL) {
        bench->certificates = calloc(ledgerfile_count(bench->file), sizeof(*bench->certificates));
    }
    return bench->certificates != NULL ? ERR_OK : ERR_STATE;
}

static enum err run(struct bench *bench, const char *line, size_t *ret_count)
{
    if (strcmp(line, "read") == 0) {
        return read_ledger(bench, ret_count);
    }
    if (strcmp(line, "certify") == 0) {
        return certify(bench, ret_count);
    }
    return strncmp(line, "write ", 6) == 0 ? write_all(bench, line + 6, ret_count) : ERR_INVALID;
}

static void answer(struct bench *bench, const char *line)
{
    size_t count = 0;
    enum err err = strcmp(line, "certify") == 0 ? make_room(bench) : ERR_OK;
    uint64_t began_ns = clock_mono_ns();
    double cpu = cpu_s();
    if (err == ERR_OK) {
        err = run(bench, line, &count);
    }
    if (err != ERR_OK) {
        (void)fprintf(stderr, "factory-certs: %s: %s %s\n", line, err_text(err),
                      bench->info.text); /* said below, too */
    }
    (void)printf("{\"ok\":%s,\"count\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", err == ERR_OK ? "true" : "false",
                 count, (double)(clock_mono_ns() - began_ns) / 1e9, cpu_s() - cpu); /* flushed next */
    (void)fflush(stdout);
}

int main(int argc, char *argv[])
{
    struct bench bench = {.path = argc == 3 ? argv[2] : NULL};
    struct key_rng *rng = NULL;
    char line[LINE_SIZE];
    const struct key_opening opening = {.rng = argc == 3 && key_rng_new(&rng) == ERR_OK ? rng : NULL};
    if (rng == NULL || ca_open(argv[1], CERT_DEVICE, &opening, &bench.ca, &bench.info) != ERR_OK) {
        (void)fprintf(stderr, "usage: factory-certs CA-DIR LEDGER; %s\n", bench.info.text);
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        answer(&bench, line);
    }
    ledgerfile_close(bench.file);
    free(bench.certificates);
    ca_free(bench.ca);
    key_rng_free(rng);
    return EXIT_SUCCESS;
}
