/* SPDX-License-Identifier: Apache-2.0 */
/* template_reply: from what a reply says of each host to outcomes and a verdict. */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "providers/template_internal.h"

/** What a reply is judged in. */
struct judgement {
    struct template_account *account;
    struct provider_zone *zone;
    struct batch *batch;
    enum template_kind kind;
    struct template_reading *reading;
    struct verdict *verdict;
};

static void tell(const struct judgement *judgement, enum verdict_kind kind, const struct template_code *code)
{
    if (judgement->reading->status == 200) {
        verdict_set(judgement->verdict, kind, code->code, "%s: %s", code->code, code->detail);
    } else {
        verdict_set(judgement->verdict, kind, code->code, "HTTP %ld, %s: %s", judgement->reading->status, code->code,
                    code->detail);
    }
}

/** How long a code asks to wait. What the reply's head says is about this very time: it goes before what is usual. */
static uint64_t wait_of(const struct judgement *judgement, const struct template_code *code, uint64_t wait_ms)
{
    const struct template_reading *reading = judgement->reading;
    bool waits = code->then == TEMPLATE_WAIT_ACCOUNT || code->then == TEMPLATE_WAIT_HOST;
    wait_ms = !waits ? 0 : reading->retry_after_ms != 0 ? reading->retry_after_ms : wait_ms;
    return waits && wait_ms == 0 && reading->status == 429 ? judgement->account->template->config.limits.wait : wait_ms;
}

/* ---- one item ---- */

static void stop(struct batch_item *item, const struct template_code *code, enum batch_stop stop)
{
    item->outcome = OUTCOME_REFUSED;
    item->stop = stop;
    item->stop_detail = code->detail;
}

/** The record is not there. A CREATE that is told so has written nothing: the zone is not there, or the name refused.
 */
static void judge_missing(const struct judgement *judgement, struct batch_item *item, const struct template_code *code)
{
    if (judgement->kind == TEMPLATE_DELETE) {
        item->outcome = OUTCOME_APPLIED;
        item->error = NULL;
    } else {
        stop(item, code, BATCH_STOP_HOST);
    }
}

static void set_outcome(const struct judgement *judgement, struct batch_item *item, const struct template_code *code,
                        uint64_t wait_ms)
{
    struct verdict *verdict = judgement->verdict;
    switch (code->then) {
    case TEMPLATE_APPLIED:
    case TEMPLATE_UNCHANGED:
        judgement->account->taken = true;
        item->outcome = OUTCOME_APPLIED;
        item->error = NULL;
        break;
    case TEMPLATE_MISSING:
        judge_missing(judgement, item, code);
        break;
    case TEMPLATE_STOP_FAMILY:
        stop(item, code, BATCH_STOP_FAMILY);
        break;
    case TEMPLATE_STOP_HOST:
    case TEMPLATE_SPLIT: /* about this line's host: it cannot be made smaller */
    case TEMPLATE_MALFORMED:
        stop(item, code, BATCH_STOP_HOST);
        break;
    case TEMPLATE_STOP_SERVICE:
    case TEMPLATE_STOP_ACCOUNT:
        verdict->stop = true;
        verdict->everywhere |= code->then == TEMPLATE_STOP_SERVICE;
        item->alarm = code->code;
        item->outcome = OUTCOME_RETRY;
        break;
    case TEMPLATE_WAIT_ACCOUNT:
        verdict->wait_ms = MAX(verdict->wait_ms, wait_ms);
        item->outcome = OUTCOME_RETRY;
        break;
    case TEMPLATE_WAIT_HOST:
        item->outcome = OUTCOME_RETRY;
        break;
    case TEMPLATE_UNKNOWN:
    case TEMPLATE_THENS:
        item->outcome = OUTCOME_UNKNOWN;
        break;
    }
}

static void judge_item(const struct judgement *judgement, struct batch_item *item, const struct template_code *code,
                       uint64_t wait_ms)
{
    bool stopped = judgement->verdict->stop, everywhere = judgement->verdict->everywhere;
    item->error = code->code;
    item->wait_ms = wait_of(judgement, code, wait_ms);
    item->repeat = code->repeats != 0 ? code->code : NULL;
    item->repeat_max = code->repeats;
    set_outcome(judgement, item, code, item->wait_ms);
    item->repeat_stop = code->repeats != 0 && item->outcome == OUTCOME_APPLIED; /* what stands there is right */
    if (item->repeat_stop) {
        item->stop_detail = code->detail;
    }
    /* Once a line has stopped the account its words are the reason; only one that stops every account goes before. */
    bool graver = !stopped || (judgement->verdict->everywhere && !everywhere);
    if (graver && (item->error != NULL || item->repeat != NULL)) {
        tell(judgement, VERDICT_SETTLED, code);
    }
}

/* ---- the whole reply ---- */

static bool is_alone(const struct judgement *judgement)
{
    return template_hosts_of(judgement->batch) == 1;
}

/** A code that is about the whole request. False: it is about its host. */
static bool judge_whole(const struct judgement *judgement, const struct template_code *code, uint64_t wait_ms)
{
    bool alone = is_alone(judgement);
    enum verdict_kind kind;
    switch (code->then) {
    case TEMPLATE_STOP_SERVICE:
    case TEMPLATE_STOP_ACCOUNT:
        kind = VERDICT_STOP;
        break;
    case TEMPLATE_WAIT_ACCOUNT:
        kind = VERDICT_RETRY;
        break;
    case TEMPLATE_SPLIT:
    case TEMPLATE_MALFORMED:
        if (alone && (code->then == TEMPLATE_SPLIT || judgement->account->taken)) {
            return false;
        }
        kind = alone ? VERDICT_STOP : VERDICT_SPLIT;
        break;
    case TEMPLATE_UNKNOWN:
        if (judgement->reading->status == 200) {
            return false; /* line by line */
        }
        kind = VERDICT_UNKNOWN;
        break;
    default:
        return false;
    }
    tell(judgement, kind, code);
    judgement->verdict->everywhere = code->then == TEMPLATE_STOP_SERVICE;
    judgement->verdict->wait_ms = wait_of(judgement, code, wait_ms);
    return true;
}

/** One line stands for all hosts of the request. */
static bool is_for_all(const struct judgement *judgement)
{
    return judgement->reading->lines_len == 1 &&
           judgement->account->template->config.reply.one_line == TEMPLATE_ONE_LINE_ALL;
}

/** The line about the host of item @p i; NULL: nobody can say which it is. */
static const struct view *line_of(const struct judgement *judgement, size_t i)
{
    const struct template_reading *reading = judgement->reading;
    size_t hosts = template_hosts_of(judgement->batch), host = hosts == 1 || is_for_all(judgement) ? 0 : i;
    return reading->lines_len == hosts || is_for_all(judgement) ? &reading->lines[host] : NULL;
}

/** Every line says the same: as if it stood alone. NULL: they differ. */
static const struct template_code *only_code(const struct judgement *judgement, uint64_t *ret_wait_ms)
{
    const struct template_code *only = NULL;
    const struct template_reading *reading = judgement->reading;
    size_t lines = reading->lines_len <= template_hosts_of(judgement->batch) ? reading->lines_len : 0;
    for (size_t i = 0; i < MAX(lines, 1u); i++) {
        const struct view *line = i < lines ? &reading->lines[i] : NULL;
        const struct template_code *code =
            template_find(judgement->reading, line, &judgement->batch->items[i], ret_wait_ms);
        if (only != NULL && only != code) {
            return NULL;
        }
        only = code;
    }
    return only;
}

/** Fewer lines than hosts, and they refuse: whom, each host is asked alone to find out. */
static bool split_few(const struct judgement *judgement, const struct template_code *code)
{
    const struct template_reading *reading = judgement->reading;
    bool few = judgement->account->template->config.reply.lines == TEMPLATE_LINES_HOSTS && reading->lines_len > 0 &&
               reading->lines_len < template_hosts_of(judgement->batch) && !is_for_all(judgement);
    bool refuses = code->then == TEMPLATE_STOP_HOST || code->then == TEMPLATE_STOP_FAMILY ||
                   code->then == TEMPLATE_WAIT_HOST || code->then == TEMPLATE_MISSING;
    if (few && refuses) {
        tell(judgement, VERDICT_SPLIT, code);
    }
    return few && refuses;
}

/** The record is not there, and the template knows how to make it: the next request does. */
static bool turn_to_create(const struct judgement *judgement, const struct template_code *code)
{
    char key[TEMPLATE_KEY_SIZE];
    if (code == NULL || code->then != TEMPLATE_MISSING || judgement->kind != TEMPLATE_UPDATE ||
        judgement->account->template->config.create.position.line == 0 || judgement->batch->len != 1) {
        return false;
    }
    template_missing_key(&judgement->batch->items[0], key);
    if (template_cache_add(judgement->zone->cache, key) == NULL) {
        return false;
    }
    judgement->verdict->kind = VERDICT_CONTINUE;
    return true;
}

static void judge(const struct judgement *judgement)
{
    struct batch *batch = judgement->batch;
    uint64_t wait_ms = 0;
    const struct template_code *only = only_code(judgement, &wait_ms);
    if (turn_to_create(judgement, only) ||
        (only != NULL && (judge_whole(judgement, only, wait_ms) || split_few(judgement, only)))) {
        return;
    }
    judgement->verdict->kind = VERDICT_SETTLED;
    for (size_t i = 0; i < batch->len; i++) {
        const struct template_code *code =
            template_find(judgement->reading, line_of(judgement, i), &batch->items[i], &wait_ms);
        judge_item(judgement, &batch->items[i], code, wait_ms);
    }
}

/* ---- lookups ---- */

static bool element_holds(const struct judgement *judgement, struct template_scene *scene, const json_t *element)
{
    const struct config_map *where = &judgement->account->template->config.lookup.where;
    struct strbuf want;
    char text[1024];
    bool holds = true;
    strbuf_init(&want, sizeof(text));
    for (size_t i = 0; holds && i < where->len; i++) {
        strbuf_clear(&want);
        holds =
            template_text_expand(where->items[i].value, TEMPLATE_PLACE_PLAIN, template_fill, scene, &want) == ERR_OK &&
            template_json_text(template_json_at(element, where->items[i].key), text, sizeof(text)) &&
            view_equal_nocase(strbuf_view(&want), view_of(text));
    }
    strbuf_deinit(&want);
    return holds;
}

/** The elements of the answer that captures are taken from, the first one in @p ret_element. @return how many. */
static size_t find_elements(const struct judgement *judgement, struct template_scene *scene, const json_t *json,
                            const json_t **ret_element)
{
    const struct template_lookup *lookup = &judgement->account->template->config.lookup;
    size_t found = 0;
    if (lookup->list.text == NULL) {
        *ret_element = json;
        return element_holds(judgement, scene, json) ? 1 : 0;
    }
    const json_t *list = template_json_at(json, lookup->list.text);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);
        if (element_holds(judgement, scene, each) && found++ == 0) {
            *ret_element = each;
        }
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)list, key, value)
    { /* jansson's macro wants it writable and does not write */
        if (element_holds(judgement, scene, value) && found++ == 0) {
            *ret_element = value;
        }
    }
    return found;
}

/** A request changes one record: with another beside it the name would go on answering with an old address too. */
static void refuse_several(const struct judgement *judgement)
{
    static const struct template_code several = {
        .code = "several",
        .detail = "several records of this name and type stand there, and a request changes one: delete the others at "
                  "the service, then muster record retry"};
    for (size_t i = 0; i < judgement->batch->len; i++) {
        judgement->batch->items[i].outcome = OUTCOME_REFUSED;
        judgement->batch->items[i].error = several.code;
    }
    tell(judgement, VERDICT_SETTLED, &several);
}

/** @return ERR_NOTFOUND: something to capture is not there. */
static enum err capture(const struct judgement *judgement, const json_t *element, struct template_entry *entry)
{
    const struct config_map *captures = &judgement->account->template->config.lookup.capture;
    char text[1024];
    for (size_t i = 0; i < captures->len; i++) {
        if (element == NULL ||
            !template_json_text(template_json_at(element, captures->items[i].value), text, sizeof(text)) ||
            text[0] == '\0') {
            return ERR_NOTFOUND;
        }
        free(entry->values[i]);
        entry->values[i] = strdup(text);
        if (entry->values[i] == NULL) {
            return ERR_NOMEM;
        }
    }
    return ERR_OK;
}

static void settle_missing(const struct judgement *judgement, struct batch_item *item)
{
    const struct template_code *code = template_default_code(TEMPLATE_MISSING);
    struct judgement change = *judgement;
    change.kind = item->want.len == 0 ? TEMPLATE_DELETE : TEMPLATE_UPDATE;
    if (turn_to_create(&change, code)) {
        return;
    }
    change.verdict->kind = VERDICT_SETTLED;
    for (size_t i = 0; i < change.batch->len; i++) {
        judge_item(&change, &change.batch->items[i], code, 0);
    }
}

/** It is not on this page, and there is another: that is asked for next. */
static bool turn_page(const struct judgement *judgement, const struct batch_item *item, const json_t *json)
{
    const struct template *template = judgement->account->template;
    char text[1024], key[TEMPLATE_KEY_SIZE];
    if (template->config.lookup.next.text == NULL ||
        !template_json_text(template_json_at(json, template->config.lookup.next.text), text, sizeof(text)) ||
        text[0] == '\0' || strcmp(text, "0") == 0) {
        return false;
    }
    template_page_key(template, item, key);
    struct template_entry *page = template_cache_add(judgement->zone->cache, key);
    char *copy = strdup(text);
    if (page == NULL || copy == NULL) {
        free(copy);
        template_cache_forget(judgement->zone->cache, key);
        verdict_set(judgement->verdict, VERDICT_RETRY, "internal", "no memory for the next page of the lookup");
        return true;
    }
    free(page->values[0]);
    page->values[0] = copy;
    judgement->verdict->kind = VERDICT_CONTINUE;
    return true;
}

static enum err take_answer(const struct judgement *judgement, struct batch_item *item, size_t index, bool missing)
{
    char key[TEMPLATE_KEY_SIZE];
    struct template_scene scene = {
        .account = judgement->account, .zone = judgement->zone, .batch = judgement->batch, .first = index};
    const json_t *json = missing ? NULL : template_reading_json(judgement->reading);
    if (json == NULL && !missing) {
        verdict_set(judgement->verdict, VERDICT_RETRY, "unknown-reply",
                    "the answer to the lookup before the change is not JSON");
        return ERR_OK;
    }
    const json_t *element = NULL;
    size_t found = missing ? 0 : find_elements(judgement, &scene, json, &element);
    if (found == 0 && !missing && turn_page(judgement, item, json)) {
        return ERR_OK;
    }
    if (found > 1 && judgement->account->template->config.lookup.per == TEMPLATE_PER_HOST) {
        refuse_several(judgement);
        return ERR_OK;
    }
    template_cache_key(judgement->account->template, item, key);
    struct template_entry *entry = template_cache_add(judgement->zone->cache, key);
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    entry->fresh = true;
    enum err err = capture(judgement, found > 0 ? element : NULL, entry);
    judgement->verdict->kind = VERDICT_CONTINUE;
    if (err != ERR_OK) {
        bool creates = judgement->account->template->config.create.position.line != 0 && item->want.len > 0;
        if (err == ERR_NOTFOUND) {
            settle_missing(judgement, item);
        }
        if (err != ERR_NOTFOUND || !creates) {
            template_cache_forget(judgement->zone->cache, key); /* somebody may make the record before the next try */
        }
        return err == ERR_NOTFOUND ? ERR_OK : err;
    }
    return ERR_OK;
}

/** JSON without the list is no answer: taken for one that knows no such record, it would be made a second time. An
 * empty object is how some services write that there are none. */
static bool lacks_list(const struct judgement *judgement)
{
    const char *pointer = judgement->account->template->config.lookup.list.text;
    const json_t *json = template_reading_json(judgement->reading);
    const json_t *list = pointer != NULL && json != NULL ? template_json_at(json, pointer) : NULL;
    bool empty = json_is_object(json) && json_object_size(json) == 0;
    return pointer != NULL && json != NULL && !empty && !json_is_array(list) && !json_is_object(list) &&
           !json_is_null(list);
}

/** A lookup changed nothing: whatever went wrong, the change can be tried again. */
static enum err judge_lookup(struct judgement *judgement, size_t index)
{
    struct batch_item *item = &judgement->batch->items[index < judgement->batch->len ? index : 0];
    uint64_t wait_ms = 0;
    const struct template_code *code = template_find(
        judgement->reading, judgement->reading->lines_len > 0 ? judgement->reading->lines : NULL, item, &wait_ms);
    bool answered = judgement->reading->status >= 200 && judgement->reading->status < 300;
    switch (code->then) {
    case TEMPLATE_MISSING:
        return take_answer(judgement, item, index, true);
    case TEMPLATE_APPLIED:
    case TEMPLATE_UNCHANGED:
    case TEMPLATE_UNKNOWN:
        if (answered && !lacks_list(judgement)) {
            return take_answer(judgement, item, index, false);
        }
        tell(judgement, VERDICT_RETRY, &template_unknown);
        return ERR_OK;
    default:
        break;
    }
    judge(judgement);
    return ERR_OK;
}

/* ---- */

static void forget(const struct judgement *judgement)
{
    char key[TEMPLATE_KEY_SIZE];
    for (size_t i = 0; i < judgement->batch->len; i++) {
        template_cache_key(judgement->account->template, &judgement->batch->items[i], key);
        template_cache_forget(judgement->zone->cache, key);
    }
}

/** What the reply shows to be stale is forgotten. False: ask again and send again. */
static bool age_cache(const struct judgement *judgement)
{
    const struct template_lookup *lookup = &judgement->account->template->config.lookup;
    char key[TEMPLATE_KEY_SIZE];
    if (lookup->request.position.line == 0) {
        return true;
    }
    template_cache_key(judgement->account->template, &judgement->batch->items[0], key);
    struct template_entry *entry = template_cache_find(judgement->zone->cache, key);
    bool stale = judgement->reading->status == 404 && entry != NULL && !entry->fresh;
    if (entry != NULL) {
        entry->fresh = false;
    }
    if (judgement->reading->status == 404 || (judgement->kind != TEMPLATE_UPDATE && lookup->per == TEMPLATE_PER_HOST)) {
        forget(judgement);
    }
    return !stale;
}

enum err template_parse_reply(void *context, struct provider_zone *zone, struct batch *batch,
                              const struct provider_request *request, const struct provider_reply *reply,
                              struct verdict *ret_verdict)
{
    struct template_account *account = context;
    struct template_reading reading;
    struct judgement judgement = {account, zone, batch, (enum template_kind)request->index, &reading, ret_verdict};
    enum err err = ERR_OK;
    *ret_verdict = (struct verdict){0};
    if (zone->cache == NULL &&
        (account->template->config.lookup.request.position.line != 0 ||
         account->template->config.create.position.line != 0) &&
        (zone->cache = calloc(1, sizeof(struct template_cache))) == NULL) {
        return ERR_NOMEM;
    }
    template_reading_init(&reading, account->template, reply);
    if (request->stage != PROVIDER_STAGE_CHANGE) {
        judgement.kind = TEMPLATE_LOOKUP;
        err = judge_lookup(&judgement, request->index);
    } else if (age_cache(&judgement)) {
        judge(&judgement);
    } else {
        ret_verdict->kind = VERDICT_CONTINUE;
    }
    template_reading_deinit(&reading);
    return err;
}
