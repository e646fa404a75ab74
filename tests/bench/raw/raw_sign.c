/* SPDX-License-Identifier: Apache-2.0 */
/**
 * raw-sign: the floor of every figure about certificates: wolfCrypt signs a body of a certificate's size with one P-256
 * key (ECDSA with SHA-256), one after the other, and does nothing else. Uses none of Muster's libraries.
 *
 * raw-sign
 * Commands, one a line on standard input, each answered by one JSON object:
 *   sign N      N signatures
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BODY_SIZE      400 /* bytes that are signed of a device's certificate: 390 to 440 */
#define SIGNATURE_SIZE 80

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/** @return false when wolfCrypt refuses. */
static int sign_one(WC_RNG *rng, ecc_key *key, const uint8_t *body)
{
    uint8_t digest[WC_SHA256_DIGEST_SIZE];
    uint8_t signature[SIGNATURE_SIZE];
    word32 len = sizeof(signature);
    return wc_Sha256Hash(body, BODY_SIZE, digest) == 0 &&
           wc_ecc_sign_hash(digest, sizeof(digest), signature, &len, rng, key) == 0;
}

static void sign(WC_RNG *rng, ecc_key *key, unsigned long count)
{
    uint8_t body[BODY_SIZE] = {0};
    double began = now_s();
    double cpu = cpu_s();
    int good = 1;
    for (unsigned long i = 0; good && i < count; i++) {
        memcpy(body, &i, sizeof(i));
        good = sign_one(rng, key, body);
    }
    (void)printf("{\"ok\":%s,\"count\":%lu,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", good ? "true" : "false", count,
                 now_s() - began, cpu_s() - cpu); /* flushed next */
    (void)fflush(stdout);
}

int main(void)
{
    static WC_RNG rng;
    static ecc_key key;
    char line[64];
    if (wc_InitRng(&rng) != 0 || wc_ecc_init(&key) != 0 || wc_ecc_make_key_ex(&rng, 32, &key, ECC_SECP256R1) != 0 ||
        wc_ecc_set_rng(&key, &rng) != 0) {
        (void)fprintf(stderr, "raw-sign: no key\n");
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strncmp(line, "sign ", 5) != 0) {
            (void)fprintf(stderr, "raw-sign: not a command: %s", line);
            return EXIT_FAILURE;
        }
        sign(&rng, &key, strtoul(line + 5, NULL, 10));
    }
    return EXIT_SUCCESS;
}
