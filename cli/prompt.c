/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* PKCS8_PASSWORD_MAX */

/** One line of the terminal. @param line zeroised by the caller. */
static enum err read_line(int fd, char line[static LINE_MAX_BYTES + 1], size_t *ret_len)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = read(fd, line + len, 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_from_errno(errno);
        }
        if (n == 0) {
            return ERR_CLOSED;
        }
        if (line[len] == '\n') {
            *ret_len = len;
            return len > 0 ? ERR_OK : ERR_INVALID;
        }
        if (++len > LINE_MAX_BYTES) {
            return ERR_INVALID;
        }
    }
}

static enum err ask(int fd, const char *before, const char *what, struct secret *ret_password)
{
    struct termios shown;
    struct termios hidden;
    char line[LINE_MAX_BYTES + 1];
    size_t len = 0;
    if (tcgetattr(fd, &shown) != 0) {
        return ERR_DENIED;
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    if (dprintf(fd, "%s%s: ", before, what) < 0 || tcsetattr(fd, TCSAFLUSH, &hidden) != 0) {
        return ERR_IO;
    }
    enum err err = read_line(fd, line, &len);
    (void)tcsetattr(fd, TCSAFLUSH, &shown); /* if it fails, the terminal is gone */
    (void)dprintf(fd, "\n");
    if (err == ERR_OK) {
        err = secret_set(ret_password, view_n(line, len));
    }
    crypto_zeroise(line, sizeof(line));
    return err;
}

enum err prompt_password(void *context, const char *what, struct secret *ret_password)
{
    (void)context; /* a terminal is a terminal */
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return ERR_DENIED;
    }
    enum err err = ask(fd, "Enter ", what, ret_password);
    (void)close(fd); /* nothing is buffered */
    return err;
}

enum err prompt_new_password(const char *what, struct secret *ret_password)
{
    struct secret again = {0};
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return ERR_DENIED;
    }
    enum err err = ask(fd, "Choose ", what, ret_password);
    if (err == ERR_OK) {
        err = ask(fd, "Once more ", what, &again);
    }
    if (err == ERR_OK && !view_equal(secret_view(ret_password), secret_view(&again))) {
        err = ERR_CONFLICT;
    }
    secret_deinit(&again);
    (void)close(fd); /* nothing is buffered */
    return err;
}
