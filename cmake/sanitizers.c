/* SPDX-License-Identifier: Apache-2.0 */
/* Part of every program in the sanitizer presets: what they may leave unsaid, so that it holds however a program is
 * started. TSAN_OPTIONS, ASAN_OPTIONS and LSAN_OPTIONS still add to it. */
#include <stddef.h>

const char *__tsan_default_suppressions(void);
const char *__lsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return
        /* Paho's threads are detached: MQTTAsync_destroy waits for their end by looking at a state, not by joining, and
         * neither Paho nor libcrypto is instrumented. libcrypto frees its locks at exit, long after those threads. */
        "race:CRYPTO_THREAD_lock_free\n";
}

/* Only programs with Paho have it; unit tests of what calls libcrypto directly are to be told of every leak. */
extern char paho __asm__("MQTTAsync_create") __attribute__((weak));

const char *__lsan_default_suppressions(void)
{
    /* The other side of it: libcrypto's own state of such a thread is lost when the process ends at the same moment. */
    return &paho != NULL ? "leak:libcrypto.so\n" : "";
}
