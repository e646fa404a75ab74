/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/control.h"
#include "agent/floor.h"
#include "agent/identity.h"
#if MUSTER_PROVISIONING /* agent/CMakeLists.txt */
#include "agent/tenancy.h"
#endif
#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/notify.h"

#define REPORT_TEXT_MAX (256 * 1024) /* of all errors of one config file */

struct daemon {
    const char *config_path;
    struct daemon_config first;   /* of the start; lives as long as the process */
    struct daemon_config *latest; /* owned; of the last reload, NULL before the first */
    struct loop *loop;            /* all owned */
    struct agent *agent;
#if MUSTER_PROVISIONING
    struct tenancy *tenancy; /* in the agent's place, where the config has the block `provisioning` */
#endif
    struct control *control;
    struct loop_signal *signals[3];
    struct notify_watchdog *watchdog; /* NULL: the manager asks for none; it is a wake-up */
    uint64_t started_ms;              /* mono */
    bool stopping;
};

enum err daemon_config_load(struct daemon_config *config, const char *path)
{
    struct strbuf report;
    strbuf_init(&report, REPORT_TEXT_MAX);
    arena_init(&config->arena, AGENT_CONFIG_ARENA_MAX);
    enum err err = config_load(agent_config_schema(), path, &config->arena, &config->config, &report);
    if (err != ERR_OK) {
        if (report.len > 0) {
            (void)fputs(strbuf_str(&report), stderr); /* nowhere else to say it */
        } else {
            (void)fprintf(stderr, "%s: %s\n", path, err_text(err));
        }
        arena_deinit(&config->arena);
    }
    strbuf_deinit(&report);
    return err;
}

enum err daemon_config_load_whole(struct daemon_config *config, const char *path)
{
    enum err err = daemon_config_load(config, path);
    if (err != ERR_OK) {
        return err;
    }
    struct strbuf report;
    strbuf_init(&report, REPORT_TEXT_MAX);
    err = agent_config_is_provisioned(&config->config) ? ERR_OK : identity_check(&config->config, path, &report);
    if (err != ERR_OK) {
        (void)fputs(strbuf_str(&report), stderr); /* nowhere else to say it */
        daemon_config_deinit(config);
    }
    strbuf_deinit(&report);
    return err;
}

void daemon_config_deinit(struct daemon_config *config)
{
    arena_deinit(&config->arena);
}

/* What --check-config would have said of a config that is in use now. */
static void log_warnings(const struct agent_config *config)
{
    struct strbuf text;
    struct view line;
    strbuf_init(&text, REPORT_TEXT_MAX);
    enum err err = detect_settings_warn(&config->detect, &text);
    struct view rest = err == ERR_OK ? strbuf_view(&text) : (struct view){0};
    while (view_next(&rest, '\n', &line)) {
        if (line.len > 0) {
            log_event(LOG_LEVEL_WARN, "config-doubtful", "detail=\"%.*s\"", VIEW_ARG(line));
        }
    }
    strbuf_deinit(&text);
}

static void on_stopped(void *context)
{
    struct daemon *daemon = context;
    loop_stop(daemon->loop);
}

/* An agent, or what keeps its identity and runs it. */

#if MUSTER_PROVISIONING

static enum err new_agent(struct daemon *daemon, struct errinfo *info)
{
    const struct agent_config *config = &daemon->first.config;
    return agent_config_is_provisioned(config) ? tenancy_new(daemon->loop, config, &daemon->tenancy, info)
                                               : agent_new(daemon->loop, config, &daemon->agent, info);
}

static void reload_agent(struct daemon *daemon, const struct agent_config *config)
{
    if (daemon->tenancy != NULL) {
        tenancy_reload(daemon->tenancy, config);
    } else {
        agent_reload(daemon->agent, config);
    }
}

static void stop_agent(struct daemon *daemon)
{
    if (daemon->tenancy != NULL) {
        tenancy_stop(daemon->tenancy, on_stopped, daemon);
    } else {
        agent_stop(daemon->agent, on_stopped, daemon);
    }
}

static struct control_calls calls_of(const struct daemon *daemon)
{
    if (daemon->tenancy != NULL) {
        return (struct control_calls){
            .status = tenancy_write_status, .report_now = tenancy_report_now, .context = daemon->tenancy};
    }
    return (struct control_calls){
        .status = agent_write_status, .report_now = agent_report_now, .context = daemon->agent};
}

static void free_agent(struct daemon *daemon)
{
    tenancy_free(daemon->tenancy);
    agent_free(daemon->agent);
}

#else

static enum err new_agent(struct daemon *daemon, struct errinfo *info)
{
    return agent_new(daemon->loop, &daemon->first.config, &daemon->agent, info);
}

static void reload_agent(struct daemon *daemon, const struct agent_config *config)
{
    agent_reload(daemon->agent, config);
}

static void stop_agent(struct daemon *daemon)
{
    agent_stop(daemon->agent, on_stopped, daemon);
}

static struct control_calls calls_of(const struct daemon *daemon)
{
    return (struct control_calls){
        .status = agent_write_status, .report_now = agent_report_now, .context = daemon->agent};
}

static void free_agent(struct daemon *daemon)
{
    agent_free(daemon->agent);
}

#endif

static void take_config(struct daemon *daemon, struct daemon_config *fresh)
{
    struct strbuf names;
    strbuf_init(&names, 4096);
    if (agent_config_restart_rows(&daemon->first.config, &fresh->config, &names) == ERR_OK && names.len > 0) {
        log_event(LOG_LEVEL_WARN, "reload-needs-restart", "rows=\"%s\"", strbuf_str(&names));
    }
    strbuf_deinit(&names);
    struct daemon_config *old = daemon->latest;
    daemon->latest = fresh;
    log_set_level(agent_config_log_level(&fresh->config));
    reload_agent(daemon, &fresh->config);
    if (old != NULL) {
        daemon_config_deinit(old);
        free(old);
    }
    log_event(LOG_LEVEL_NOTICE, "reloaded", "file=%s", daemon->config_path);
    log_warnings(&fresh->config);
}

static void on_reload(void *context)
{
    struct daemon *daemon = context;
    if (daemon->stopping) {
        return; /* sources would be asked and connections made that nobody ends */
    }
    notify_reloading();
    struct daemon_config *fresh = calloc(1, sizeof(*fresh));
    enum err err = fresh == NULL ? ERR_NOMEM : daemon_config_load(fresh, daemon->config_path);
    if (err == ERR_OK) {
        take_config(daemon, fresh);
    } else {
        free(fresh);
        log_event(LOG_LEVEL_ERROR, "reload-refused", "file=%s error=%s", daemon->config_path, err_name(err));
    }
    notify_ready();
}

static void on_terminate(void *context)
{
    struct daemon *daemon = context;
    if (!daemon->stopping) {
        daemon->stopping = true;
        notify_stopping();
        log_event(LOG_LEVEL_NOTICE, "stopping", "uptime_ms=%" PRIu64, loop_now_ms(daemon->loop) - daemon->started_ms);
        stop_agent(daemon);
    }
}

static enum err watch_signals(struct daemon *daemon)
{
    static const struct {
        int number;
        loop_fn fn;
    } rows[] = {{SIGTERM, on_terminate}, {SIGINT, on_terminate}, {SIGHUP, on_reload}};
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(rows); i++) {
        err = loop_signal_new(daemon->loop, rows[i].number, rows[i].fn, daemon, &daemon->signals[i]);
    }
    return err;
}

static void open_control(struct daemon *daemon)
{
    const struct control_calls calls = calls_of(daemon);
    struct errinfo info = {0};
    /* Without the socket nobody can ask, but the names still follow the addresses. */
    if (control_new(daemon->loop, daemon->first.config.control_socket, &calls, &daemon->control, &info) != ERR_OK) {
        daemon->control = NULL;
        log_event(LOG_LEVEL_ERROR, "control-failed", "error=\"%s\"", info.text);
    }
}

static enum err set_up(struct daemon *daemon, struct errinfo *info)
{
    enum err err = loop_new(&daemon->loop);
    err = err != ERR_OK ? err : watch_signals(daemon);
    err = err != ERR_OK ? err : notify_watchdog_new(daemon->loop, &daemon->watchdog);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "loop", 0, "%s", err_text(err));
    }
    daemon->started_ms = loop_now_ms(daemon->loop);
    floor_start(daemon->first.config.state_dir);
    return new_agent(daemon, info);
}

static void tear_down(struct daemon *daemon)
{
    control_free(daemon->control);
    free_agent(daemon);
    notify_watchdog_free(daemon->watchdog);
    for (size_t i = 0; i < ARRAY_LEN(daemon->signals); i++) {
        if (daemon->signals[i] != NULL) {
            loop_signal_free(daemon->signals[i]);
        }
    }
    loop_free(daemon->loop);
    if (daemon->latest != NULL) {
        daemon_config_deinit(daemon->latest);
        free(daemon->latest);
    }
    daemon_config_deinit(&daemon->first);
}

/* A device's memory is small and Paho's threads allocate little: one arena instead of one a thread, no mmap slack. */
static void bound_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1);          /* a hint */
    (void)mallopt(M_TRIM_THRESHOLD, 65536); /* a hint */
    (void)mallopt(M_TOP_PAD, 16384);        /* a hint */
}

int daemon_run(const char *config_path)
{
    struct daemon daemon = {.config_path = config_path};
    struct errinfo info = {0};
    bound_heap();
    if (daemon_config_load_whole(&daemon.first, config_path) != ERR_OK) {
        return EX_CONFIG;
    }
    log_init("muster-agent", agent_config_log_level(&daemon.first.config));
    log_event(LOG_LEVEL_NOTICE, "starting", "version=%s config=%s", MUSTER_VERSION, config_path);
    log_warnings(&daemon.first.config);
    int status = EX_OSERR;
    if (set_up(&daemon, &info) == ERR_OK) {
        open_control(&daemon);
        notify_ready();
        loop_run(daemon.loop);
        status = EX_OK;
    } else {
        log_event(LOG_LEVEL_ERROR, "start-failed", "error=\"%s\"", info.text);
        status = info.err == ERR_NOMEM || info.err == ERR_IO ? EX_OSERR : EX_CONFIG;
    }
    tear_down(&daemon);
    log_event(LOG_LEVEL_NOTICE, "stopped", "status=%d", status);
    return status;
}
