/* SPDX-License-Identifier: Apache-2.0 */
/* Part of every program in the sanitizer presets: what they may leave unsaid, so that it holds however a program is
 * started. TSAN_OPTIONS, ASAN_OPTIONS and LSAN_OPTIONS still add to it. */
#include <stddef.h>

const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return
        /* Paho's threads are detached: MQTTAsync_destroy waits for their end by looking at a state, not by joining, and
         * neither Paho nor libcrypto is instrumented. libcrypto frees its locks at exit, long after those threads. */
        "race:CRYPTO_THREAD_lock_free\n";
}
