/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"

#define CHUNK         4096 /* bytes of one read */
#define CHUNKS_MAX    17 /* a turn: all that a pipe holds, so that who never stops printing does not hold up the loop */
#define CLOSE_TRIES   100 /* of a millisecond each, for killed children to be gone */
#define OWN_VARIABLES 2

enum child_state {
    CHILD_WAITING, /* for its turn, or to be told that it could not be started */
    CHILD_RUNNING,
    CHILD_DYING, /* killed and answered for; only to be reaped */
};

/* One of the two pipes: what the child prints. */
struct outlet {
    struct child *child;
    int fd; /* -1: closed */
    struct loop_poll *poll;
    struct strbuf text;
    bool drop; /* what is over the cap is dropped instead of ending the child */
};

struct child {
    struct child_pool *pool;
    struct child *next;
    enum child_state state;
    pid_t pid;                                       /* 0: not started, or reaped. Also its process group */
    char *texts[CHILD_ARGS_MAX + OWN_VARIABLES + 2]; /* owned: arguments, NULL, variables, NULL */
    size_t variables;                                /* index of the first variable */
    struct outlet output, errors;
    struct loop_timer *timer;
    uint64_t began_ms;
    enum err failed; /* why it could not be started */
    int native;
    void (*done)(void *context, const struct child_result *result);
    void *context;
};

struct child_pool {
    struct loop *loop;
    struct loop_signal *signal;
    unsigned running_max;
    size_t len;
    struct child *children; /* in order of their start */
};

static void outlet_close(struct outlet *outlet)
{
    loop_poll_free(TAKE(outlet->poll)); /* before its descriptor */
    if (outlet->fd >= 0) {
        (void)close(outlet->fd); /* was only read */
        outlet->fd = -1;
    }
}

static void child_free(struct child *child)
{
    outlet_close(&child->output);
    outlet_close(&child->errors);
    strbuf_deinit(&child->output.text);
    strbuf_deinit(&child->errors.text);
    loop_timer_free(child->timer);
    for (size_t i = 0; i < ARRAY_LEN(child->texts); i++) {
        free(child->texts[i]);
    }
    free(child);
}

static void child_remove(struct child *child)
{
    struct child_pool *pool = child->pool;
    struct child **link = &pool->children;
    while (*link != child) {
        link = &(*link)->next;
    }
    *link = child->next;
    pool->len--;
    child_free(child);
}

static void kill_group(const struct child *child)
{
    (void)kill(-child->pid, SIGKILL); /* ESRCH: all of it is gone already */
}

/* Reaps @p child if it has ended: while it is a zombie its number still names its group and nothing else. */
static bool child_reap(struct child *child, siginfo_t *ret_info)
{
    *ret_info = (siginfo_t){0};
    if (waitid(P_PID, (id_t)child->pid, ret_info, WEXITED | WNOHANG | WNOWAIT) != 0 || ret_info->si_pid != child->pid) {
        return false;
    }
    kill_group(child);
    (void)waitid(P_PID, (id_t)child->pid, ret_info, WEXITED | WNOHANG); /* it is there: seen above */
    child->pid = 0;
    return true;
}

static void start_waiting(struct child_pool *pool);

/* Answers for @p child; what of it still runs is killed and stays in the list until it is reaped. */
static void child_finish(struct child *child, struct child_result *result)
{
    struct child_pool *pool = child->pool;
    result->elapsed_ms = loop_now_ms(pool->loop) - child->began_ms;
    result->output = strbuf_view(&child->output.text);
    result->errors = strbuf_view(&child->errors.text);
    loop_timer_stop(child->timer);
    outlet_close(&child->output);
    outlet_close(&child->errors);
    if (child->pid != 0) {
        kill_group(child);
    }
    child->state = CHILD_DYING;
    child->done(child->context, result);
    if (child->pid == 0) {
        child_remove(child);
    }
    start_waiting(pool);
}

/* Reads what is there, a turn's worth. @return ERR_OK, ERR_CLOSED at its end, ERR_LIMIT, ERR_NOMEM. */
static enum err outlet_read(struct outlet *outlet)
{
    char chunk[CHUNK];
    for (int chunks = 0; chunks < CHUNKS_MAX; chunks++) {
        ssize_t n = read(outlet->fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN ? ERR_OK : ERR_CLOSED;
        }
        if (n == 0) {
            return ERR_CLOSED;
        }
        size_t room = outlet->text.cap - outlet->text.len, len = (size_t)n;
        if (len > room && !outlet->drop) {
            return ERR_LIMIT;
        }
        enum err err = strbuf_add(&outlet->text, view_n(chunk, MIN(len, room)));
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static void on_readable(void *context, int events)
{
    (void)events; /* a poll error shows in the read */
    struct outlet *outlet = context;
    enum err err = outlet_read(outlet);
    if (err == ERR_CLOSED) {
        outlet_close(outlet);
    } else if (err != ERR_OK) {
        child_finish(outlet->child, &(struct child_result){.err = err});
    }
}

static void on_ended(struct child *child, const siginfo_t *info)
{
    struct child_result result = {0};
    if (child->output.fd >= 0) {
        enum err err = outlet_read(&child->output); /* what it printed last; a stray writer is not waited for */
        result.err = err == ERR_CLOSED ? ERR_OK : err;
    }
    if (child->errors.fd >= 0) {
        (void)outlet_read(&child->errors); /* for people only */
    }
    if (result.err == ERR_OK && info->si_code == CLD_EXITED) {
        result.status = info->si_status;
    } else if (result.err == ERR_OK) {
        result.signal = info->si_status;
    }
    child_finish(child, &result);
}

static bool reap_one(struct child_pool *pool)
{
    for (struct child *child = pool->children; child != NULL; child = child->next) {
        siginfo_t info;
        if (child->pid == 0 || !child_reap(child, &info)) {
            continue;
        }
        if (child->state == CHILD_RUNNING) {
            on_ended(child, &info);
        } else {
            child_remove(child);
            start_waiting(pool);
        }
        return true;
    }
    return false;
}

static void on_sigchld(void *context)
{
    while (reap_one(context)) {
        /* a completion may have changed the list: from its head again */
    }
}

static void on_timer(void *context)
{
    struct child *child = context;
    enum err err = child->failed != ERR_OK ? child->failed : ERR_TIMEOUT;
    child_finish(child, &(struct child_result){.err = err, .native = child->native});
}

/* A pipe whose reading end does not block. The writing end is above 2, so that no dup2 in the child overwrites it. */
static int open_pipe(struct outlet *outlet, int *ret_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    outlet->fd = ends[0];
    *ret_write = fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = *ret_write < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ? errno : 0;
    (void)close(ends[1]); /* its copy is used */
    return error;
}

/* Every descriptor but 0, 1 and 2: libraries open some without O_CLOEXEC, on threads of their own. */
static int close_others(posix_spawn_file_actions_t *actions)
{
#ifdef __GLIBC__
    return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#else
    (void)actions;
    long end = sysconf(_SC_OPEN_MAX);
    for (int fd = STDERR_FILENO + 1; fd < end; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* EBADF: none there */
    }
    return 0;
#endif
}

static int set_actions(posix_spawn_file_actions_t *actions, int output, int errors)
{
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(actions, errors, STDERR_FILENO);
    error = error != 0 ? error : posix_spawn_file_actions_addchdir_np(actions, "/");
    return error != 0 ? error : close_others(actions);
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    (void)sigemptyset(&none); /* neither can fail */
    (void)sigfillset(&all);
    int error =
        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = error != 0 ? error : posix_spawnattr_setsigmask(attributes, &none);
    return error != 0 ? error : posix_spawnattr_setsigdefault(attributes, &all);
}

static int spawn(struct child *child, int output, int errors)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_actions(&actions, output, errors);
        error = error != 0 ? error : set_attributes(&attributes);
        pid_t pid = 0;
        error = error != 0 ? error
                           : posix_spawn(&pid, child->texts[0], &actions, &attributes, child->texts,
                                         &child->texts[child->variables]);
        child->pid = error == 0 ? pid : 0;
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions); /* of no consequence: memory of the C library */
    return error;
}

static enum err watch(struct outlet *outlet)
{
    enum err err = loop_poll_new(outlet->child->pool->loop, outlet->fd, on_readable, outlet, &outlet->poll);
    return err == ERR_OK ? loop_poll_events(outlet->poll, LOOP_READABLE) : err;
}

/* A failure is told by the timer, so that nothing is told from inside child_start. */
static void child_run(struct child *child)
{
    int output = -1, errors = -1;
    child->native = open_pipe(&child->output, &output);
    child->native = child->native != 0 ? child->native : open_pipe(&child->errors, &errors);
    child->native = child->native != 0 ? child->native : spawn(child, output, errors);
    child->failed = child->native != 0 ? err_from_errno(child->native) : ERR_OK;
    if (output >= 0) {
        (void)close(output); /* the child's now */
    }
    if (errors >= 0) {
        (void)close(errors);
    }
    child->state = CHILD_RUNNING;
    if (child->failed == ERR_OK) {
        child->failed = watch(&child->output);
    }
    if (child->failed == ERR_OK) {
        child->failed = watch(&child->errors);
    }
    if (child->failed != ERR_OK) {
        loop_timer_after(child->timer, 0);
    }
}

static void start_waiting(struct child_pool *pool)
{
    unsigned running = 0;
    for (struct child *child = pool->children; child != NULL && running < pool->running_max; child = child->next) {
        if (child->state == CHILD_WAITING) {
            child_run(child);
        }
        running++;
    }
}

static enum err copy_texts(struct child *child, const char *const *texts, size_t len, size_t *at)
{
    for (size_t i = 0; i < len; i++) {
        child->texts[*at] = strdup(texts[i]);
        if (child->texts[(*at)++] == NULL) {
            return ERR_NOMEM;
        }
    }
    return ERR_OK;
}

static enum err child_init(struct child *child, const struct child_options *options)
{
    static const char *const own[OWN_VARIABLES] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    size_t at = 0;
    enum err err = copy_texts(child, options->arguments, options->arguments_len, &at);
    child->variables = ++at; /* behind the NULL that ends the arguments */
    err = err == ERR_OK ? copy_texts(child, own, OWN_VARIABLES, &at) : err;
    err = err == ERR_OK ? copy_texts(child, options->variables, options->variables_len, &at) : err;
    return err == ERR_OK ? loop_timer_new(child->pool->loop, on_timer, child, &child->timer) : err;
}

enum err child_start(struct child_pool *pool, const struct child_options *options, struct child **ret_child)
{
    if (options->arguments_len == 0 || options->arguments[0][0] != '/' || options->timeout_ms == 0 ||
        options->output_max == 0) {
        return ERR_INVALID;
    }
    if (options->arguments_len + options->variables_len > CHILD_ARGS_MAX || pool->len >= CHILD_WAITING_MAX) {
        return ERR_LIMIT;
    }
    struct child *child = calloc(1, sizeof(*child));
    if (child == NULL) {
        return ERR_NOMEM;
    }
    child->pool = pool;
    child->output = (struct outlet){.child = child, .fd = -1};
    child->errors = (struct outlet){.child = child, .fd = -1, .drop = true};
    strbuf_init(&child->output.text, options->output_max);
    strbuf_init(&child->errors.text, CHILD_ERRORS_MAX);
    child->done = options->done;
    child->context = options->context;
    child->began_ms = loop_now_ms(pool->loop);
    enum err err = child_init(child, options);
    if (err != ERR_OK) {
        child_free(child);
        return err;
    }
    struct child **end = &pool->children;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = child;
    pool->len++;
    loop_timer_after(child->timer, options->timeout_ms);
    start_waiting(pool);
    *ret_child = child;
    return ERR_OK;
}

void child_cancel(struct child *child)
{
    if (child == NULL) {
        return;
    }
    struct child_pool *pool = child->pool;
    if (child->pid != 0) {
        kill_group(child);
        child->state = CHILD_DYING;
        loop_timer_stop(child->timer);
        outlet_close(&child->output);
        outlet_close(&child->errors);
        return;
    }
    child_remove(child);
    start_waiting(pool);
}

enum err child_pool_new(struct loop *loop, unsigned running_max, struct child_pool **ret_pool)
{
    struct child_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return ERR_NOMEM;
    }
    *pool = (struct child_pool){.loop = loop, .running_max = running_max};
    enum err err = loop_signal_new(loop, SIGCHLD, on_sigchld, pool, &pool->signal);
    if (err != ERR_OK) {
        free(pool);
        return err;
    }
    *ret_pool = pool;
    return ERR_OK;
}

void child_pool_free(struct child_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (struct child *child = pool->children; child != NULL; child = child->next) {
        if (child->pid != 0) {
            kill_group(child);
        }
    }
    for (int tries = CLOSE_TRIES; pool->children != NULL; child_remove(pool->children)) {
        siginfo_t info;
        struct child *child = pool->children;
        while (child->pid != 0 && !child_reap(child, &info) && tries-- > 0) {
            (void)poll(NULL, 0, 1); /* a wait between two looks, nothing to be ready */
        }
    }
    loop_signal_free(pool->signal);
    free(pool);
}
