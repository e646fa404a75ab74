/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/detect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/detect/detect_private.h"
#include "base/crypto.h"
#include "base/log.h"

uint64_t detect_now(const struct detect *detect)
{
    return detect->options.now != NULL ? detect->options.now(detect->options.context) : loop_now_ms(detect->loop);
}

void detect_wake(struct detect *detect)
{
    detect->changed = true;
    loop_timer_after(detect->timer, 0);
}

bool detect_is_event(const struct slot *slot, enum source_view view)
{
    return slot->ops->open == NULL && slot->ops->view == view;
}

static const char *shown_name(const struct slot *slot)
{
    return slot->config.name != NULL && slot->config.name[0] != '\0' ? slot->config.name : slot->ops->type;
}

static void log_state(const struct path *path, const struct slot *slot)
{
    char value[IP_TEXT_SIZE] = "none";
    if (path->fusion.value.family != IP_NONE) {
        (void)ip_format(&path->fusion.value, value);
    }
    log_event(path->fusion.state == FUSION_DISAGREE ? LOG_LEVEL_WARN : LOG_LEVEL_NOTICE, "detected",
              "uplink=%s family=%d state=%s address=%s source=%s unstable=%d", path->uplink, path->family,
              fusion_state_name(path->fusion.state), value, slot != NULL ? shown_name(slot) : "-",
              path->fusion.unstable);
}

/* A host's own addresses change within its /64 without anybody renumbering (RFC 8981): what the internet sees of one of
 * them vouches for the one that is reported. */
static bool is_own_link(const struct path *path, const struct ip *ip)
{
    const struct ip *own = &path->own.ip;
    return ip->family == IP_V6 && path->own.presence == FIELD_SET && own->family == IP_V6 && ip_is_public(own) &&
           !ip_equal(ip, own) && memcmp(ip->bytes, own->bytes, 8) == 0;
}

static void vouch(const struct path *path, struct source_answer *answer)
{
    char seen[IP_TEXT_SIZE], said[SOURCE_DETAIL_SIZE];
    (void)ip_format(&answer->ip, seen);
    memcpy(said, answer->detail, sizeof(said));
    (void)snprintf(answer->detail, sizeof(answer->detail), "sees %s of the same /64; %.50s", seen,
                   said); /* may be cut */
    answer->ip = path->own.ip;
}

static void note_word(struct path *path, const struct slot *slot, const struct source_answer *answer, uint64_t now)
{
    struct word *word = &path->words[slot->index];
    bool address = answer->status == SOURCE_ANSWER_ADDRESS && answer->ip.family == path->family;
    if (address || answer->no_outside) {
        *word = (struct word){.has = true,
                              .at_ms = now,
                              .ip = address ? answer->ip : (struct ip){0},
                              .port_control = answer->port_control,
                              .no_outside = answer->no_outside};
    } else if (path->fusion.sources[slot->index].fresh_ms == 0) {
        word->has = false; /* it speaks by events: "I no longer know" */
    }
}

static bool wants_a_second_look(enum fusion_state state)
{
    return state == FUSION_CHANGING || state == FUSION_DISAGREE;
}

void detect_vote(struct detect *detect, struct path *path, const struct slot *slot, const struct source_answer *given,
                 bool event)
{
    struct source_answer answer = *given;
    uint64_t now = detect_now(detect);
    bool seen = slot->ops->view == SOURCE_VIEW_PATH && answer.status == SOURCE_ANSWER_ADDRESS;
    if (seen && is_own_link(path, &answer.ip)) {
        vouch(path, &answer);
    }
    note_word(path, slot, &answer, now);
    enum fusion_state before = path->fusion.state;
    if (fusion_answer(&path->fusion, slot->index, &answer, event, now)) {
        log_state(path, slot);
    }
    if (path->fusion.state != before && wants_a_second_look(path->fusion.state)) {
        detect_want(detect, path, now, false);
    }
    detect_wake(detect);
}

/* The router had an address, and has it no more. */
static void note_stranded(struct detect *detect, const struct path *path, const struct slot *slot,
                          const struct source_answer *answer)
{
    const struct word *before = &path->words[slot->index];
    bool had = slot->ops->view == SOURCE_VIEW_ROUTER && before->has && before->ip.family != IP_NONE;
    bool another = answer->status == SOURCE_ANSWER_ADDRESS ? !ip_equal(&answer->ip, &before->ip) : answer->no_outside;
    bool seen = ip_equal(&before->ip, &path->observed);
    if (had && another && (seen || path->observed.family == IP_NONE)) {
        detect->stranded = true;
        detect->stranded_seen = detect->stranded_seen || seen;
    }
}

static void on_answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    struct slot *slot = context;
    struct detect *detect = slot->detect;
    struct path *path = detect_path(detect, question->uplink, question->family);
    struct schedule *schedule = &path->schedules[slot->index]; /* a path that is asked about is never forgotten */
    bool event = schedule->event, good = answer->status != SOURCE_ANSWER_FAILED;
    uint64_t asked_ms = schedule->asked_ms;
    detect->under_way--;
    path->under_way--;
    schedule_ended(schedule, good, detect_now(detect), crypto_random_u64());
    if (!path->present) {
        detect_let_go(path);
    }
    bool same = path->present && path->own.presence == FIELD_SET && ip_equal(&question->local, &path->own.ip) &&
                ip_equal(&question->gateway, &path->gateway);
    if (same) {                  /* else it tells of a path that is no more, and the event that ended it asked anew */
        if (answer->restarted) { /* its own answer is new: a router that counts nonsense would be asked for ever */
            const struct schedule asked = *schedule;
            detect_moved(detect, path, true);
            detect_want(detect, path, detect_now(detect), true);
            *schedule = asked;
        }
        note_stranded(detect, path, slot, answer);
        detect_vote(detect, path, slot, answer, event);
        detect_heard(detect, path, slot, good, asked_ms);
    }
    detect_wake(detect);
}

static void on_announced(void *context)
{
    struct slot *slot = context;
    log_event(LOG_LEVEL_INFO, "announced", "source=%s", shown_name(slot));
    detect_trigger(slot->detect, DETECT_ANNOUNCED);
}

/* A family that the source does not know it will not know in a minute: it rests until an event, which costs nothing. */
static void fail_at_once(struct detect *detect, struct path *path, struct slot *slot, enum err err)
{
    struct source_answer answer = {.status = SOURCE_ANSWER_FAILED};
    struct schedule *schedule = &path->schedules[slot->index];
    if (err == ERR_UNSUPPORTED) {
        (void)snprintf(answer.detail, sizeof(answer.detail), "knows nothing of IPv%u", path->family); /* fits */
        schedule_declined(schedule);
    } else {
        (void)snprintf(answer.detail, sizeof(answer.detail), "cannot be asked now: %s", err_text(err)); /* fits */
        schedule_ended(schedule, false, detect_now(detect), crypto_random_u64());
    }
    detect_vote(detect, path, slot, &answer, false);
}

static void ask(struct detect *detect, struct path *path, struct slot *slot)
{
    struct source_question question = {.family = path->family,
                                       .local = path->own.ip,
                                       .gateway = path->gateway,
                                       .timeout_ms = detect->options.timeout_ms};
    memcpy(question.uplink, path->uplink, sizeof(question.uplink));
    schedule_asked(&path->schedules[slot->index], detect_now(detect));
    enum err err = slot->ops->ask(slot->source, &question);
    if (err != ERR_OK) {
        fail_at_once(detect, path, slot, err);
        return;
    }
    detect->under_way++;
    path->under_way++;
}

/* Asks one question that is due, the oldest first. @return there was one. */
static bool ask_next(struct detect *detect, bool along)
{
    uint64_t now = detect_now(detect), first = SCHEDULE_NEVER;
    struct path *path = NULL;
    struct slot *slot = NULL;
    for (size_t p = 0; p < detect->paths_len; p++) {
        for (size_t i = 0; i < detect->slots_len; i++) {
            struct schedule *schedule = &detect->paths[p]->schedules[i];
            if (!detect_may_ask(&detect->slots[i], detect->paths[p])) {
                schedule_rest(schedule); /* the interface has lost the family, or another uplink is the first now */
            } else if (schedule_is_due(schedule, now, along) && schedule_due(schedule) < first) {
                first = schedule_due(schedule);
                path = detect->paths[p];
                slot = &detect->slots[i];
            }
        }
    }
    if (path != NULL) {
        ask(detect, path, slot);
    }
    return path != NULL;
}

static void ask_what_is_due(struct detect *detect)
{
    bool along = false;
    while (detect->under_way < DETECT_UNDER_WAY && ask_next(detect, along)) {
        along = true;
    }
}

static uint64_t next_deadline(const struct detect *detect)
{
    uint64_t next = SCHEDULE_NEVER;
    for (size_t p = 0; p < detect->paths_len; p++) {
        const struct path *path = detect->paths[p];
        next = MIN(next, path->fusion.deadline_ms);
        next = path->present ? MIN(next, path->health.deadline_ms) : next;
        for (size_t i = 0; i < detect->slots_len && detect->under_way < DETECT_UNDER_WAY; i++) {
            next = MIN(next, schedule_due(&path->schedules[i]));
        }
    }
    return next;
}

static void tell_owner(struct detect *detect)
{
    bool changed = detect->changed, stranded = detect->stranded, seen = detect->stranded_seen;
    detect->changed = detect->stranded = detect->stranded_seen = false;
    if (stranded && detect->options.stranded != NULL) {
        detect->options.stranded(detect->options.context, seen);
    }
    if (changed) {
        detect->options.changed(detect->options.context);
    }
}

uint64_t detect_run(struct detect *detect)
{
    uint64_t now = detect_now(detect);
    for (size_t p = 0; p < detect->paths_len; p++) {
        if (fusion_tick(&detect->paths[p]->fusion, now)) {
            log_state(detect->paths[p], NULL);
            detect->changed = true;
        }
        if (detect->paths[p]->present && now >= detect->paths[p]->health.deadline_ms) {
            detect_check_health(detect, detect->paths[p]);
        }
    }
    ask_what_is_due(detect);
    uint64_t next = next_deadline(detect);
    if (next == SCHEDULE_NEVER) {
        loop_timer_stop(detect->timer);
    } else {
        loop_timer_after(detect->timer, next > now ? next - now : 0);
    }
    tell_owner(detect);
    return next;
}

static void on_timer(void *context)
{
    (void)detect_run(context); /* it arms the timer itself */
}

bool detect_is_idle(const struct detect *detect)
{
    return detect->under_way == 0 && next_deadline(detect) > detect_now(detect);
}

/* A source that cannot be opened must not keep the others from their work. */
static enum err open_slot(struct detect *detect, struct slot *slot, struct errinfo *info)
{
    const struct source_callbacks callbacks = {.answered = on_answered, .announced = on_announced, .context = slot};
    if (slot->ops->open == NULL) {
        return ERR_OK;
    }
    struct errinfo trouble = {0};
    enum err err = slot->ops->open(detect->loop, &slot->config, &callbacks, &slot->source, &trouble);
    if (err == ERR_NOMEM) {
        return errinfo_set(info, err, "detect", 0, "%s", err_text(err));
    }
    if (err != ERR_OK) {
        slot->source = NULL;
        (void)snprintf(slot->trouble, sizeof(slot->trouble), "%.120s", /* the log has it in full */
                       trouble.text[0] != '\0' ? trouble.text : err_text(err));
        log_event(LOG_LEVEL_WARN, "source-failed", "source=%s error=\"%s\"", shown_name(slot), trouble.text);
    }
    return ERR_OK;
}

static enum err make_slot(struct detect *detect, const struct source_config *config, struct errinfo *info)
{
    bool left_out = false;
    struct slot *slot = &detect->slots[detect->slots_len];
    const struct source_ops *ops =
        (detect->options.find != NULL ? detect->options.find : source_find)(config->type, &left_out);
    if (ops == NULL) {
        return errinfo_set(info, ERR_UNSUPPORTED, "detect", 0, "%s: %s", config->type,
                           left_out ? "left out of this build" : "no such source");
    }
    *slot = (struct slot){.detect = detect, .index = detect->slots_len, .config = *config, .ops = ops};
    detect->slots_len++;
    return open_slot(detect, slot, info);
}

enum err detect_new(struct loop *loop, const struct detect_options *options, struct detect **ret_detect,
                    struct errinfo *info)
{
    struct detect *detect = calloc(1, sizeof(*detect));
    if (detect == NULL) {
        return errinfo_set(info, ERR_NOMEM, "detect", 0, "%s", err_text(ERR_NOMEM));
    }
    detect->loop = loop;
    detect->options = *options;
    detect->made_ms = detect_now(detect);
    enum err err = loop_timer_new(loop, on_timer, detect, &detect->timer);
    if (options->sources_len > FUSION_SOURCES_MAX) {
        err = errinfo_set(info, ERR_LIMIT, "detect", 0, "more than %d sources", FUSION_SOURCES_MAX);
    }
    for (size_t i = 0; err == ERR_OK && i < options->sources_len; i++) {
        err = make_slot(detect, &options->sources[i], info);
    }
    detect->options.sources = NULL; /* borrowed for this call only */
    if (err != ERR_OK) {
        detect_free(detect);
        return err;
    }
    *ret_detect = detect;
    return ERR_OK;
}

void detect_free(struct detect *detect)
{
    if (detect == NULL) {
        return;
    }
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (detect->slots[i].source != NULL) {
            detect->slots[i].ops->cancel(detect->slots[i].source);
            detect->slots[i].ops->close(detect->slots[i].source);
        }
    }
    for (size_t p = 0; p < detect->paths_len; p++) {
        free(detect->paths[p]);
    }
    loop_timer_free(detect->timer);
    free(detect);
}
