/* SPDX-License-Identifier: Apache-2.0 */
/* What operators do with one device: who owns it, and where its life goes. */
#include <stdio.h>
#include <string.h>

#include "provisioner/desk_private.h"
#include "provisioning/ownercode.h"

static const char *const ACT_NAMES[DEVICE_ACTS] = {"claim",  "transfer", "undo-transfer", "suspend",
                                                   "resume", "revoke",   "rekey",         "scrap"};

const char *desk_act_name(enum desk_device_act act)
{
    return ACT_NAMES[act];
}

struct act {
    struct desk *desk;
    const struct desk_caller *caller;
    const struct desk_owner *owner;
    struct device_row device;
    bool changed;
    char detail[EVENT_DETAIL_MAX];
};

static bool set_text(char *field, size_t size, const char *text)
{
    return text == NULL || view_copy(view_of(text), field, size) == ERR_OK;
}

static enum err set_owner(struct act *act)
{
    struct device_row *device = &act->device;
    if (!set_text(device->owner, sizeof(device->owner), act->owner->owner) ||
        !set_text(device->group, sizeof(device->group), act->owner->group) ||
        !set_text(device->site, sizeof(device->site), act->owner->site)) {
        return desk_refuse(act->caller->reply, 400, "too-long", "owner has at most %d bytes, group and site %d",
                           OWNER_MAX, MQTT_TEXT_MAX);
    }
    (void)snprintf(act->detail, sizeof(act->detail), "owner=%.64s group=%s site=%s", device->owner, device->group,
                   device->site); /* cut: for people */
    act->changed = true;
    return ERR_OK;
}

static enum err check_code(struct act *act)
{
    struct ownercode code;
    uint8_t digest[SHA256_SIZE];
    if (act->owner->code == NULL) {
        return ERR_OK;
    }
    enum err err = ownercode_read(view_of(act->owner->code), &code);
    if (err == ERR_OK) {
        ownercode_digest(&code, view_of(act->device.serial), digest);
    }
    crypto_zeroise(&code, sizeof(code));
    if (err != ERR_OK) {
        return desk_refuse(act->caller->reply, 400, "bad-code", "a character of the owner code is wrong or missing");
    }
    return crypto_equal(digest, act->device.label, SHA256_SIZE)
               ? ERR_OK
               : desk_refuse(act->caller->reply, 403, "wrong-code", "this is not the owner code of this device");
}

static bool is_gone(const struct device_row *device)
{
    return device->life == LIFE_REVOKED || device->life == LIFE_SCRAPPED;
}

static enum err do_claim(struct act *act)
{
    enum err err = check_code(act);
    if (err != ERR_OK) {
        return err;
    }
    if (act->owner->owner == NULL || act->owner->owner[0] == '\0') {
        return desk_refuse(act->caller->reply, 400, "no-owner", "owner is missing");
    }
    if (is_gone(&act->device)) {
        return desk_refuse(act->caller->reply, 409, "gone", "the device is %s", life_name(act->device.life));
    }
    if (act->device.owner[0] != '\0' && strcmp(act->device.owner, act->owner->owner) != 0) {
        return desk_refuse(act->caller->reply, 409, "owned", "the device has another owner; transfer it");
    }
    return set_owner(act);
}

static enum err do_transfer(struct act *act)
{
    struct device_row *device = &act->device;
    enum err err = check_code(act);
    if (err != ERR_OK) {
        return err;
    }
    if (device->owner[0] == '\0' || act->owner->owner == NULL) {
        return desk_refuse(act->caller->reply, 409, "not-owned", "nobody owns the device yet; claim it");
    }
    (void)snprintf(device->was_owner, sizeof(device->was_owner), "%s", device->owner); /* of the same sizes */
    (void)snprintf(device->was_group, sizeof(device->was_group), "%s", device->group);
    (void)snprintf(device->was_site, sizeof(device->was_site), "%s", device->site);
    device->moved_ms = act->caller->now.wall_ms;
    return set_owner(act);
}

static enum err do_undo(struct act *act)
{
    struct device_row *device = &act->device;
    if (device->moved_ms == 0 || act->caller->now.wall_ms - device->moved_ms > UNDO_MS) {
        return desk_refuse(act->caller->reply, 409, "nothing-to-undo", "no transfer within the last %d days",
                           (int)(UNDO_MS / 86400000));
    }
    (void)snprintf(device->owner, sizeof(device->owner), "%s", device->was_owner); /* of the same sizes */
    (void)snprintf(device->group, sizeof(device->group), "%s", device->was_group);
    (void)snprintf(device->site, sizeof(device->site), "%s", device->was_site);
    (void)snprintf(act->detail, sizeof(act->detail), "owner=%.64s", device->owner);
    device->moved_ms = 0;
    act->changed = true;
    return ERR_OK;
}

static enum err do_step(struct act *act, enum life_step step)
{
    bool ends = step == LIFE_REVOKE || step == LIFE_REKEY || step == LIFE_SCRAP;
    enum life before = act->device.life;
    if ((step == LIFE_REVOKE && before == LIFE_REVOKED) || (step == LIFE_SCRAP && before == LIFE_SCRAPPED) ||
        (step == LIFE_SUSPEND && before == LIFE_SUSPENDED)) {
        return ERR_OK; /* it is so already */
    }
    if (life_step(&act->device.life, &act->device.held, step) != ERR_OK) {
        return desk_refuse(act->caller->reply, 409, "wrong-state", "the device is %s", life_name(before));
    }
    act->changed = true;
    (void)snprintf(act->detail, sizeof(act->detail), "%s -> %s", life_name(before), life_name(act->device.life));
    return ends ? desk_revoke_all(act->desk, act->caller->now.wall_ms, act->device.id, act->caller->actor,
                                  life_step_name(step))
                : ERR_OK;
}

static enum err perform(struct act *act, enum desk_device_act what)
{
    switch (what) {
    case DEVICE_CLAIM:
        return do_claim(act);
    case DEVICE_TRANSFER:
        return do_transfer(act);
    case DEVICE_UNDO:
        return do_undo(act);
    case DEVICE_SUSPEND:
        return do_step(act, LIFE_SUSPEND);
    case DEVICE_RESUME:
        return do_step(act, LIFE_RESUME);
    case DEVICE_REVOKE:
        return do_step(act, LIFE_REVOKE);
    case DEVICE_REKEY:
        return do_step(act, LIFE_REKEY);
    default:
        return do_step(act, LIFE_SCRAP);
    }
}

static enum err note(struct act *act, enum desk_device_act what)
{
    const char *why = act->owner->reason != NULL ? act->owner->reason : "";
    act->device.changed_ms = act->caller->now.wall_ms;
    enum err err = store_set_device(act->desk->store, &act->device);
    return err == ERR_OK ? desk_event(act->desk, act->caller->now.wall_ms, act->caller->actor, ACT_NAMES[what],
                                      act->device.id, "%s%s%s", act->detail, why[0] != '\0' ? "; " : "", why)
                         : err;
}

static enum err act_on(struct act *act, enum desk_device_act what)
{
    struct device_row before = act->device;
    enum err err = perform(act, what);
    bool same = strcmp(before.owner, act->device.owner) == 0 && strcmp(before.group, act->device.group) == 0 &&
                strcmp(before.site, act->device.site) == 0 && what == DEVICE_CLAIM;
    act->changed = act->changed && !same;
    return err == ERR_OK && act->changed ? note(act, what) : err;
}

enum err desk_change_device(struct desk *desk, const struct desk_caller *caller, const char *id,
                            enum desk_device_act what, const struct desk_owner *owner, struct jsonout *json)
{
    struct act act = {.desk = desk, .caller = caller, .owner = owner};
    enum err err = store_get_device(desk->store, id, &act.device);
    if (err == ERR_NOTFOUND) {
        return desk_refuse(caller->reply, 404, "no-such-device", "no device of this name in the ledger");
    }
    err = err == ERR_OK ? act_on(&act, what) : err;
    if (err == ERR_OK) {
        jsonout_text(json, "device", view_of(id));
        jsonout_text(json, "state", view_of(life_name(act.device.life)));
        jsonout_text(json, "owner", view_of(act.device.owner));
        jsonout_text(json, "group", view_of(act.device.group));
        jsonout_text(json, "site", view_of(act.device.site));
        jsonout_u64(json, "rev", act.device.rev);
        jsonout_bool(json, "changed", act.changed);
    }
    return err;
}

/* ---- orders ---- */

#define ORDER_FIELDS 4

struct order {
    char fields[ORDER_FIELDS][OWNER_MAX + 1]; /* id or serial number, owner, group, site */
};

static enum err read_order(struct view line, struct order *ret_order)
{
    struct view field;
    size_t n = 0;
    memset(ret_order, 0, sizeof(*ret_order));
    while (view_next(&line, ',', &field)) {
        if (n == ORDER_FIELDS ||
            view_copy(view_trim(field), ret_order->fields[n], sizeof(ret_order->fields[n])) != ERR_OK) {
            return ERR_INVALID;
        }
        n++;
    }
    return n >= 2 && ret_order->fields[0][0] != '\0' && ret_order->fields[1][0] != '\0' ? ERR_OK : ERR_INVALID;
}

static enum err carry_out(struct desk *desk, const struct desk_caller *caller, struct view line, bool *ret_changed)
{
    struct order order;
    struct desk_owner owner = {.reason = "order"};
    struct act act = {.desk = desk, .caller = caller, .owner = &owner};
    if (read_order(line, &order) != ERR_OK) {
        return desk_refuse(caller->reply, 400, "bad-order", "must be device,owner,group,site");
    }
    owner.owner = order.fields[1];
    owner.group = order.fields[2][0] != '\0' ? order.fields[2] : NULL;
    owner.site = order.fields[3][0] != '\0' ? order.fields[3] : NULL;
    enum err err = store_get_device(desk->store, order.fields[0], &act.device);
    err = err == ERR_NOTFOUND ? store_find_serial(desk->store, order.fields[0], &act.device) : err;
    if (err == ERR_NOTFOUND) {
        return desk_refuse(caller->reply, 404, "no-such-device", "no such id or serial number in the ledger");
    }
    err = err == ERR_OK ? act_on(&act, DEVICE_CLAIM) : err;
    *ret_changed = act.changed;
    return err;
}

static enum err take_order(struct desk *desk, const struct desk_caller *caller, struct view line, uint64_t number,
                           uint64_t *changed)
{
    bool did = false;
    enum err err = carry_out(desk, caller, line, &did);
    if (err == ERR_STATE && caller->reply->status != 200) {
        struct errinfo info = caller->reply->info;
        return desk_refuse(caller->reply, caller->reply->status, caller->reply->id, "line %llu: %.200s",
                           (unsigned long long)number, info.text);
    }
    *changed += did;
    return err;
}

static bool is_header(struct view line)
{
    return view_starts_with(line, VIEW_LITERAL("device,owner")) || view_starts_with(line, VIEW_LITERAL("serial,owner"));
}

enum err desk_orders(struct desk *desk, const struct desk_caller *caller, struct view csv, struct jsonout *json)
{
    struct view line;
    uint64_t number = 0, orders = 0, changed = 0;
    enum err err = ERR_OK;
    if (!view_is_utf8(csv)) {
        return desk_refuse(caller->reply, 400, "bad-order", "not UTF-8");
    }
    while (err == ERR_OK && view_next(&csv, '\n', &line)) {
        line = view_trim(line);
        number++;
        if (line.len == 0 || (number == 1 && is_header(line))) {
            continue;
        }
        if (++orders > ORDERS_MAX) {
            return desk_refuse(caller->reply, 400, "too-many", "at most %d lines", ORDERS_MAX);
        }
        err = take_order(desk, caller, line, number, &changed);
    }
    if (err == ERR_OK) {
        jsonout_u64(json, "orders", orders);
        jsonout_u64(json, "changed", changed);
    }
    return err;
}
