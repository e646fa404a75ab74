/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/paho_alert.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define NAME_SIZE    16 /* of a thread, prctl(2) */
#define PAHO_THREADS "MQTTAsync"

/* OpenSSL 3 by its public numbers: this file includes neither its headers nor those of wolfSSL. */
#define ERROR_SSL     1          /* SSL_ERROR_SSL, ssl.h */
#define ERROR_SYSCALL 5          /* SSL_ERROR_SYSCALL */
#define REASON_MASK   0x7fffffUL /* ERR_REASON_MASK, err.h */
#define REASON_ALERT  1000UL     /* SSL_AD_REASON_OFFSET, ssl.h: an alert of the peer is this and its number */
#define ALERT_MAX     255UL      /* RFC 8446 6: one byte */

typedef int (*get_error_fn)(const void *ssl, int rc);
typedef unsigned long (*peek_fn)(void);
typedef int (*read_fn)(void *ssl, void *buffer, int len);

static get_error_fn next_get_error;
static peek_fn next_peek;
static read_fn next_read;
static pthread_once_t next_once = PTHREAD_ONCE_INIT;
static atomic_int last_alert = -1;

static void find_next(void)
{
    void *symbol = dlsym(RTLD_NEXT, "SSL_get_error");
    memcpy(&next_get_error, &symbol, sizeof(symbol)); /* ISO C has no cast from object to function pointer */
    symbol = dlsym(RTLD_DEFAULT, "ERR_peek_last_error");
    memcpy(&next_peek, &symbol, sizeof(symbol));
    symbol = dlsym(RTLD_DEFAULT, "SSL_peek");
    memcpy(&next_read, &symbol, sizeof(symbol));
}

int SSL_get_error(const void *ssl, int rc);

/* By name, as in mqtt/paho_poll.c: other libraries' connections are their own business. */
static bool is_paho(void)
{
    char name[NAME_SIZE] = "";
    return prctl(PR_GET_NAME, name) == 0 && strncmp(name, PAHO_THREADS, sizeof(PAHO_THREADS) - 1) == 0;
}

static void note_alert(void)
{
    unsigned long reason = next_peek() & REASON_MASK;
    if (reason >= REASON_ALERT && reason <= REASON_ALERT + ALERT_MAX) {
        atomic_store(&last_alert, (int)(reason - REASON_ALERT));
    }
}

/* Found before libssl's by Paho. The error queue is this thread's and stays as it is. */
__attribute__((visibility("default"), used)) int SSL_get_error(const void *ssl, int rc)
{
    (void)pthread_once(&next_once, find_next); /* fails only for a bad argument */
    if (next_get_error == NULL) {
        return ERROR_SSL;
    }
    int error = next_get_error(ssl, rc);
    if ((error != ERROR_SSL && error != ERROR_SYSCALL) || !is_paho()) {
        return error;
    }
    if (error == ERROR_SYSCALL && next_read != NULL) { /* CONNECT met a closed socket: its last word is still unread */
        char byte;
        (void)next_read((void *)(uintptr_t)ssl, &byte, 1); /* what counts is what it leaves in the queue */
    }
    if (next_peek != NULL) {
        note_alert();
    }
    return error;
}

/* RFC 8446 6.2: those that judge a certificate. */
static const char *text_of(int alert)
{
    switch (alert) {
    case 42:
        return "bad certificate";
    case 43:
        return "unsupported certificate";
    case 44:
        return "certificate revoked";
    case 45:
        return "certificate expired";
    case 46:
        return "certificate unknown";
    case 48:
        return "unknown authority";
    case 49:
        return "access denied";
    case 116:
        return "certificate required";
    default:
        return "";
    }
}

void paho_alert_clear(void)
{
    atomic_store(&last_alert, -1);
}

bool paho_alert(char *buffer, size_t size)
{
    int alert = atomic_load(&last_alert);
    if (alert < 0 || text_of(alert)[0] == '\0') {
        return false; /* of the connection, not of who we are */
    }
    (void)snprintf(buffer, size, "the broker's TLS says %s (%d)", text_of(alert), alert); /* cut */
    return true;
}

struct view paho_alert_line(struct view text)
{
    struct view line = view_trim(text);
    const char *routine = memmem(line.ptr, line.len, "SSL routines", sizeof("SSL routines") - 1);
    return routine == NULL ? line : view_n(routine, line.len - (size_t)(routine - line.ptr));
}
