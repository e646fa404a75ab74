/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/drift.h"

#include "base/macros.h"

static const struct drift_verdict nothing = {.kind = DRIFT_NONE};

static struct drift_verdict leave(enum drift_kind kind)
{
    return (struct drift_verdict){.kind = kind};
}

/* Updates and deletions are guarded, unless an event wanted them that the server has refused so far. */
static struct drift_verdict mend(const struct drift_input *input, enum drift_kind kind)
{
    bool deletion = kind == DRIFT_DELETE;
    /* A tombstone whose record is seen is no event, refused or not: what gave it up may be a registry that lost it. */
    bool event = input->refused && !(input->listed && input->record->want_null);
    return (struct drift_verdict){.kind = kind, .write = true, .guarded = !event, .deletion = deletion && !event};
}

static bool is_foreign(const struct drift_input *input)
{
    const struct store_record *record = input->record;
    return input->shared && !(record->have_known && rrset_value_equal(input->found, &record->have));
}

/* A record that was written in the future was written before the clock was set back. */
static bool expires(const struct drift_input *input)
{
    int64_t age_ms = input->now_ms - input->record->applied_ms;
    bool due = age_ms > (int64_t)input->refresh_every_ms || age_ms < 0;
    return input->refresh_every_ms != 0 && input->record->applied_ms != 0 && due;
}

static bool is_newer_than_listing(const struct drift_input *input)
{
    return input->record->applied_ms >= input->started_ms && input->record->applied_ms <= input->now_ms;
}

static struct drift_verdict refresh_if_due(const struct drift_input *input)
{
    return expires(input) ? (struct drift_verdict){.kind = DRIFT_REFRESH, .write = true} : nothing;
}

static struct drift_verdict judge_unwanted(const struct drift_input *input)
{
    if (input->found == NULL) {
        return input->record->want_null ? (struct drift_verdict){.kind = DRIFT_FORGET, .write = true} : nothing;
    }
    return is_foreign(input) ? leave(DRIFT_FOREIGN) : mend(input, DRIFT_DELETE);
}

static struct drift_verdict judge_wanted(const struct drift_input *input)
{
    const struct store_record *record = input->record;
    if (input->found == NULL) {
        return (struct drift_verdict){.kind = DRIFT_MISSING, .write = true};
    }
    bool same = rrset_value_equal(input->found, &record->want);
    if (same && input->found_ttl == record->ttl) {
        return refresh_if_due(input);
    }
    if (is_foreign(input)) {
        return leave(DRIFT_FOREIGN);
    }
    return mend(input, same ? DRIFT_TTL : DRIFT_WRONG);
}

/* All that is known of the zone is what we wrote. */
static struct drift_verdict judge_unlisted(const struct drift_input *input)
{
    const struct store_record *record = input->record;
    bool exists = record->have_known && record->have.len > 0;
    struct drift_verdict verdict = nothing;
    if (record->want_null) {
        verdict = exists ? mend(input, DRIFT_DELETE) : (struct drift_verdict){.kind = DRIFT_FORGET, .write = true};
    } else if (record->want.len > 0) {
        verdict = refresh_if_due(input);
    }
    verdict.exists = exists;
    return verdict;
}

static struct drift_verdict judge(const struct drift_input *input)
{
    const struct store_record *record = input->record;
    if (record == NULL) {
        return input->moving ? nothing : leave(DRIFT_UNKNOWN);
    }
    if (input->moving || is_newer_than_listing(input)) {
        return (struct drift_verdict){.exists = !input->listed && record->have_known && record->have.len > 0};
    }
    if (!input->listed) {
        return judge_unlisted(input);
    }
    return record->want_null || record->want.len == 0 ? judge_unwanted(input) : judge_wanted(input);
}

/* What is being written and wanted stays, too: only what is given up or to be deleted does not. */
static bool stays(const struct drift_input *input, const struct drift_verdict *verdict)
{
    const struct store_record *record = input->record;
    if (record == NULL || record->want_null || record->want.len == 0 || verdict->kind == DRIFT_FOREIGN) {
        return false;
    }
    return input->listed ? input->found != NULL : verdict->exists;
}

struct drift_verdict drift_judge(const struct drift_input *input)
{
    struct drift_verdict verdict = judge(input);
    verdict.stays = stays(input, &verdict);
    return verdict;
}

void drift_count(struct drift_tally *tally, const struct drift_verdict *verdict)
{
    tally->existing += verdict->exists;
    tally->stays += verdict->stays;
    tally->missing += verdict->kind == DRIFT_MISSING;
    tally->refreshed += verdict->kind == DRIFT_REFRESH;
    tally->foreign += verdict->kind == DRIFT_FOREIGN;
    tally->unknown += verdict->kind == DRIFT_UNKNOWN;
    tally->wrong += verdict->guarded && !verdict->deletion;
    tally->deletions += verdict->deletion;
}

enum drift_guard drift_guard(const struct drift_tally *tally, bool force)
{
    size_t touched = tally->wrong + tally->deletions;
    if (force) {
        return DRIFT_GUARD_PASS;
    }
    if (tally->deletions >= DRIFT_GUARD_MIN_ALL && tally->stays == 0) {
        return DRIFT_GUARD_ALL;
    }
    bool share = tally->existing >= DRIFT_GUARD_MIN_EXISTING && touched * 100 > tally->existing * DRIFT_GUARD_PERCENT;
    return share ? DRIFT_GUARD_SHARE : DRIFT_GUARD_PASS;
}

const char *drift_guard_name(enum drift_guard guard)
{
    static const char *const names[] = {
        [DRIFT_GUARD_PASS] = "", [DRIFT_GUARD_SHARE] = "share", [DRIFT_GUARD_ALL] = "all-deleted"};
    return names[guard];
}

const char *drift_name(enum drift_kind kind)
{
    static const char *const names[] = {
        [DRIFT_MISSING] = "missing", [DRIFT_WRONG] = "wrong",     [DRIFT_TTL] = "ttl",
        [DRIFT_DELETE] = "delete",   [DRIFT_REFRESH] = "refresh", [DRIFT_FOREIGN] = "foreign",
        [DRIFT_UNKNOWN] = "unknown",
    };
    return (size_t)kind < ARRAY_LEN(names) ? names[kind] : NULL;
}
