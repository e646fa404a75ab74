/* SPDX-License-Identifier: Apache-2.0 */
/**
 * observed: the mosquitto plugin (interface version 5, as of 2.0.11). Glue only: who a client is comes from
 * authorities, what it may do from rights, the stamp from stamp. mosquitto calls everything on its one thread.
 *
 * 2.0.11 in particular: plugin callbacks run before the acl_file, and an acl_file that breaks at SIGHUP is dropped
 * altogether, so this plugin answers every check itself. No message hook runs for wills, only the access check,
 * straight after the disconnect event and with the socket closed and the certificate gone already: so the rights
 * outlive their client by that one check, as those of a will. That of a client that never published or subscribed is
 * refused.
 */
#include <mosquitto.h>

#include <mosquitto_broker.h>

#include <mosquitto_plugin.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/broker/act.h"
#include "mqtt/broker/clients.h"
#include "mqtt/broker/properties.h"
#include "mqtt/broker/settings.h"

#define OPTIONS_MAX 16 /* more than there are options; the rest could only be repetitions */

/** A granted publish below up/ whose message event has not come yet. When none comes it was no publish but a will. */
struct unheard {
    const void *client; /* NULL: none */
    char topic[MQTT_TOPIC_MAX + 1];
    bool retain;
    uint8_t qos;
    size_t payload_len;
    uint8_t payload[RIGHTS_UP_PAYLOAD_MAX];
};

struct plugin {
    mosquitto_plugin_id_t *id; /* mosquitto's */
    /* Copies: the reload event of 2.0.11 carries no options, and mosquitto does not read changed ones either. */
    struct setting options[OPTIONS_MAX];
    size_t options_len;
    struct settings settings;
    unsigned settings_count; /* rights that were found under an earlier count are found again */
    struct denied named; /* certificates that a provisioner denied since the start; the file's are in the settings */
    struct clients clients;
    const void *leaving;          /* client of the last disconnect event: its will makes no new entry */
    struct rights leaving_rights; /* what it had, until the next check; ROLE_NONE otherwise */
    struct unheard unheard;
};

static enum err keep_options(struct plugin *plugin, const struct mosquitto_opt *options, int options_len)
{
    for (int i = 0; i < options_len; i++) {
        if (plugin->options_len == OPTIONS_MAX) {
            return ERR_LIMIT;
        }
        struct setting *setting = &plugin->options[plugin->options_len++];
        setting->name = strdup(options[i].key);
        setting->value = strdup(options[i].value);
        if (setting->name == NULL || setting->value == NULL) {
            return ERR_NOMEM;
        }
    }
    return ERR_OK;
}

static enum err load(const struct plugin *plugin, struct settings *ret_settings)
{
    struct errinfo info;
    enum err err = settings_load(plugin->options, plugin->options_len, ret_settings, &info);
    if (err != ERR_OK) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "muster: %s", info.text);
    }
    return err;
}

static void plugin_free(struct plugin *plugin)
{
    for (size_t i = 0; i < plugin->options_len; i++) {
        free(plugin->options[i].name);
        free(plugin->options[i].value);
    }
    clients_deinit(&plugin->clients);
    settings_deinit(&plugin->settings);
    denied_deinit(&plugin->named);
    free(plugin);
}

/** The rights of a client without a certificate: the viewers' listener. A name that a certificate could carry is a
 * device that is offline, or would be. */
static void watcher_rights(const struct plugin *plugin, const struct mosquitto *peer, struct rights *ret_rights)
{
    bool is_name = rights_name_valid(view_of(mosquitto_client_id(peer)));
    rights_init(ret_rights, is_name ? ROLE_NONE : plugin->settings.watcher, view_n(NULL, 0), 0);
}

static void certificate_rights(const struct plugin *plugin, const struct mosquitto *peer, X509 *certificate,
                               struct rights *ret_rights, struct cert_ref *ret_ref)
{
    trust_rights(&plugin->settings.trust, certificate, view_of(mosquitto_client_id(peer)), ret_rights, ret_ref);
    if (ret_rights->role != ROLE_NONE &&
        (denied_has(&plugin->settings.denied, ret_ref) || denied_has(&plugin->named, ret_ref))) {
        rights_init(ret_rights, ROLE_NONE, view_n(NULL, 0), 0);
    }
}

/** The entry of @p peer when it holds this very certificate; NULL for watchers and clients not seen yet. */
static struct client *known_client(const struct plugin *plugin, const struct mosquitto *peer, const X509 *certificate)
{
    struct client *client = clients_find(&plugin->clients, peer);
    return client != NULL && client->certificate == certificate ? client : NULL;
}

/** An entry for the connection; a device's first one is told. NULL: judged anew each time, slower and never wrong. */
static struct client *remember(struct plugin *plugin, const struct mosquitto *peer, X509 *certificate)
{
    struct client *client = NULL;
    const char *address = mosquitto_client_address(peer);
    if (peer == plugin->leaving || address == NULL ||
        clients_add(&plugin->clients, peer, certificate, &client) != ERR_OK) {
        return NULL;
    }
    if (view_copy(view_of(address), client->peer, sizeof(client->peer)) != ERR_OK) {
        client->peer[0] = '\0'; /* no address: nothing is stamped */
    }
    return client;
}

/** @param client the entry of the connection under settings that were; NULL on its first check. */
static struct client *judge_anew(struct plugin *plugin, const struct mosquitto *peer, X509 *certificate,
                                 struct client *client, struct rights *ret_rights)
{
    struct cert_ref ref = {.issuer = {0}};
    bool first = client == NULL;
    certificate_rights(plugin, peer, certificate, ret_rights, &ref);
    client = first ? remember(plugin, peer, certificate) : client;
    if (client != NULL) {
        client->rights = *ret_rights;
        client->ref = ref;
        client->judged = plugin->settings_count;
        client->topic[0] = '\0'; /* the stamp's key may be another */
    }
    if (client != NULL && first && ret_rights->role == ROLE_DEVICE) {
        act_seen(client);
    }
    return client;
}

/** Rights of @p peer, and its entry (NULL when there is none). @param left what it had before its disconnect event, for
 * the check of its will, when the broken connection has no certificate any more; NULL otherwise. */
static struct client *judge(struct plugin *plugin, struct mosquitto *peer, const struct rights *left,
                            struct rights *ret_rights)
{
    X509 *certificate = mosquitto_client_certificate(peer);
    if (certificate == NULL) {
        if (left != NULL && view_equals(view_of(mosquitto_client_id(peer)), left->id)) {
            *ret_rights = *left;
        } else {
            watcher_rights(plugin, peer, ret_rights);
        }
        return NULL;
    }
    struct client *client = known_client(plugin, peer, certificate);
    if (client != NULL && client->judged == plugin->settings_count) {
        *ret_rights = client->rights;
    } else {
        client = judge_anew(plugin, peer, certificate, client, ret_rights);
    }
    X509_free(certificate);
    return client;
}

static const char *access_name(int access)
{
    switch (access) {
    case MOSQ_ACL_WRITE:
        return "publish to";
    case MOSQ_ACL_SUBSCRIBE:
        return "subscription of";
    default:
        return "reading of";
    }
}

/** One line a connection, since QoS 0 refusals are silent on the wire. */
static void log_refusal(struct client *client, const struct mosquitto_evt_acl_check *check)
{
    if (client != NULL && !client->refusal_logged && check->access != MOSQ_ACL_READ) {
        client->refusal_logged = true;
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "muster: refused %s %s by %s at %s (%u bytes%s)",
                             access_name(check->access), check->topic, mosquitto_client_id(check->client), client->peer,
                             check->payloadlen, check->retain ? ", retained" : "");
    }
}

static bool granted(const struct rights *rights, const struct mosquitto_evt_acl_check *check)
{
    struct view topic = view_of(check->topic);
    switch (check->access) {
    case MOSQ_ACL_WRITE:
        return rights_may_write(rights, topic, check->retain, check->payloadlen);
    case MOSQ_ACL_READ:
        return rights_may_read(rights, topic);
    case MOSQ_ACL_SUBSCRIBE:
        return rights_may_subscribe(rights, topic);
    case MOSQ_ACL_UNSUBSCRIBE:
        return true;
    default:
        return false;
    }
}

static bool is_up(const char *topic)
{
    static const char up[] = "muster/v1/up/";
    return strncmp(topic, up, sizeof(up) - 1) == 0;
}

/**
 * When a client connects whose id is connected already, mosquitto 2.0.11 publishes the will of the old connection while
 * that one still looks alive: its check is like that of a publish, and only the message event stays away. What comes
 * next instead are the checks of those that would read it, and the old connection's disconnect event.
 */
static bool is_unheard(const struct plugin *plugin, const struct mosquitto_evt_acl_check *check)
{
    return check->access == MOSQ_ACL_READ && plugin->unheard.client != NULL &&
           strcmp(plugin->unheard.topic, check->topic) == 0;
}

static void expect_message(struct plugin *plugin, const struct mosquitto_evt_acl_check *check,
                           const struct rights *rights)
{
    struct unheard *unheard = &plugin->unheard;
    struct rights as_will = *rights;
    as_will.left = true;
    if (!is_up(check->topic) || check->payloadlen > sizeof(unheard->payload) ||
        rights_may_write(&as_will, view_of(check->topic), check->retain, check->payloadlen) ||
        view_copy(view_of(check->topic), unheard->topic, sizeof(unheard->topic)) != ERR_OK) {
        return; /* it may be left as a will; or it is longer than any topic and payload of a device */
    }
    unheard->client = check->client;
    unheard->retain = check->retain;
    unheard->qos = (uint8_t)check->qos;
    unheard->payload_len = check->payloadlen;
    if (check->payloadlen > 0) {
        memcpy(unheard->payload, check->payload, check->payloadlen);
    }
}

/** The will was kept from everybody who listened; where it is retained it is replaced by its own words without stamp.
 */
static void replace_unheard(struct plugin *plugin, const void *client)
{
    struct unheard *unheard = &plugin->unheard;
    if (unheard->client == client && unheard->client != NULL) {
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "muster: refused will on %s (%zu bytes%s)", unheard->topic,
                             unheard->payload_len, unheard->retain ? ", retained" : "");
        if (unheard->retain &&
            mosquitto_broker_publish_copy(NULL, unheard->topic, (int)unheard->payload_len, unheard->payload,
                                          unheard->qos, true, NULL) != MOSQ_ERR_SUCCESS) {
            mosquitto_log_printf(MOSQ_LOG_ERR, "muster: no memory: a refused will stays retained on %s",
                                 unheard->topic);
        }
    }
    unheard->client = NULL;
}

static int on_acl_check(int event, void *event_data, void *userdata)
{
    (void)event;
    struct plugin *plugin = userdata;
    const struct mosquitto_evt_acl_check *check = event_data;
    struct rights rights;
    struct rights left = plugin->leaving_rights;
    /* The check that follows a disconnect event is that client's will, if it has one. */
    bool will = left.role != ROLE_NONE && check->client == plugin->leaving && check->access == MOSQ_ACL_WRITE;
    plugin->leaving_rights.role = ROLE_NONE;
    if (is_unheard(plugin, check)) {
        return MOSQ_ERR_ACL_DENIED;
    }
    if (check->access != MOSQ_ACL_READ) {
        plugin->unheard.client = NULL; /* something else goes on */
    }
    if (check->access == MOSQ_ACL_SUBSCRIBE && check->client == plugin->leaving) {
        plugin->leaving = NULL; /* only a live client subscribes: the pointer was used again */
    }
    struct client *client = judge(plugin, check->client, will ? &left : NULL, &rights);
    if (!granted(&rights, check)) {
        log_refusal(client, check);
        return MOSQ_ERR_ACL_DENIED;
    }
    if (check->access == MOSQ_ACL_WRITE && !rights.left) {
        expect_message(plugin, check, &rights);
    }
    return plugin->settings.file_agrees ? MOSQ_ERR_PLUGIN_DEFER : MOSQ_ERR_SUCCESS;
}

/** The stamp for @p topic, from the client's entry when it is for the same topic as the one before. */
static enum err make_stamp(struct plugin *plugin, struct mosquitto *peer, const char *topic,
                           char ret_value[static STAMP_SIZE])
{
    const char *address = mosquitto_client_address(peer);
    struct client *client = clients_find(&plugin->clients, peer);
    bool known = client != NULL && address != NULL && strcmp(client->peer, address) == 0;
    if (known && strcmp(client->topic, topic) == 0) {
        memcpy(ret_value, client->stamp, STAMP_SIZE);
        return ERR_OK;
    }
    char canonical[INET6_ADDRSTRLEN];
    enum err err = stamp_address(address, canonical);
    if (err == ERR_OK) {
        err = stamp_write(plugin->settings.stamp, view_of(topic), canonical, ret_value);
    }
    if (err == ERR_OK && known && view_copy(view_of(topic), client->topic, sizeof(client->topic)) == ERR_OK) {
        memcpy(client->stamp, ret_value, STAMP_SIZE);
    }
    return err;
}

static int on_message(int event, void *event_data, void *userdata)
{
    (void)event;
    struct plugin *plugin = userdata;
    struct mosquitto_evt_message *message = event_data;
    plugin->unheard.client = NULL; /* heard */
    if (message->client == plugin->leaving) {
        struct rights rights;
        plugin->leaving = NULL; /* wills raise no message event: the pointer was used again, and may be remembered */
        (void)judge(plugin, message->client, NULL, &rights); /* for the entry */
    }
    if (!is_up(message->topic)) {
        return MOSQ_ERR_SUCCESS;
    }
    char value[STAMP_SIZE];
    enum err err = properties_drop_stamps(&message->properties);
    if (err == ERR_OK) {
        err = make_stamp(plugin, message->client, message->topic, value);
        if (err == ERR_PARSE) {
            return MOSQ_ERR_SUCCESS; /* no address known: unstamped, and so no address is believed */
        }
    }
    if (err == ERR_OK) {
        err = properties_add_stamp(&message->properties, value);
    }
    return err == ERR_OK ? MOSQ_ERR_SUCCESS : MOSQ_ERR_NOMEM;
}

/** Only asked on listeners that take no identity from a certificate. A viewer whose client id could be a device's or a
 * service's would push that one out of its session. */
static int on_basic_auth(int event, void *event_data, void *userdata)
{
    (void)event;
    const struct plugin *plugin = userdata;
    const struct mosquitto_evt_basic_auth *auth = event_data;
    bool refused =
        plugin->settings.watcher == ROLE_NONE || rights_name_valid(view_of(mosquitto_client_id(auth->client)));
    return refused ? MOSQ_ERR_AUTH
                   : MOSQ_ERR_PLUGIN_DEFER; /* the password file, or allow_anonymous, has the last word */
}

static int on_disconnect(int event, void *event_data, void *userdata)
{
    (void)event;
    struct plugin *plugin = userdata;
    const struct mosquitto_evt_disconnect *disconnect = event_data;
    const struct client *client = clients_find(&plugin->clients, disconnect->client);
    replace_unheard(plugin, disconnect->client);
    plugin->leaving_rights.role = ROLE_NONE;
    if (client != NULL) {
        plugin->leaving_rights = client->rights;
        plugin->leaving_rights.left = true;
    }
    clients_drop(&plugin->clients, disconnect->client);
    plugin->leaving = disconnect->client;
    return MOSQ_ERR_SUCCESS;
}

/** @param except in whose callback we are: it is judged anew instead of being cut off. */
static void end_denied(struct plugin *plugin, const struct denied *denied, const void *except)
{
    struct client *own = clients_find(&plugin->clients, except);
    if (own != NULL) {
        own->judged = plugin->settings_count - 1;
    }
    if (act_kick_denied(&plugin->clients, denied, except) != ERR_OK) {
        plugin->settings_count++; /* no memory: their rights end with the next check */
    }
}

static int on_reload(int event, void *event_data, void *userdata)
{
    (void)event;
    (void)event_data;
    struct plugin *plugin = userdata;
    struct settings fresh;
    if (load(plugin, &fresh) != ERR_OK) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "muster: reload failed, the settings before it stay in force");
        return MOSQ_ERR_SUCCESS;
    }
    settings_deinit(&plugin->settings);
    plugin->settings = fresh;
    plugin->settings_count++;
    end_denied(plugin, &plugin->settings.denied, NULL);
    return MOSQ_ERR_SUCCESS;
}

/** All lines of a message, or none. */
static bool control_valid(struct view lines)
{
    struct view text;
    struct deny_line line;
    while (view_next(&lines, '\n', &text)) {
        if (text.len > 0 && deny_line_parse(text, &line) != ERR_OK) {
            return false;
        }
    }
    return true;
}

static enum err apply_line(struct plugin *plugin, const struct deny_line *line, const char *caller)
{
    switch (line->verb) {
    case DENY_ADD:
        return denied_add(&plugin->named, &line->cert);
    case DENY_TAKE_BACK:
        denied_remove(&plugin->named, &line->cert);
        denied_remove(&plugin->settings.denied, &line->cert);
        plugin->settings_count++;
        return ERR_OK;
    case DENY_KICK:
        act_kick_name(line->id, caller);
        return ERR_OK;
    }
    return ERR_INVALID;
}

/** A provisioner's word (mqtt/denyline.h). The access check has come before: only one that may write the topic is here.
 * mosquitto 2.0.11 acknowledges whatever is returned, and ends the connection on an error, so a bad message is logged.
 */
static int on_control(int event, void *event_data, void *userdata)
{
    (void)event;
    struct plugin *plugin = userdata;
    const struct mosquitto_evt_control *control = event_data;
    struct view rest = view_n(control->payload, control->payloadlen);
    const char *caller = mosquitto_client_id(control->client);
    if (!control_valid(rest)) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "muster: %s sent a line that is none of deny, allow, kick: nothing was done",
                             caller);
        return MOSQ_ERR_SUCCESS;
    }
    struct view text;
    struct deny_line line;
    while (view_next(&rest, '\n', &text)) {
        enum err err = deny_line_parse(text, &line) == ERR_OK ? apply_line(plugin, &line, caller) : ERR_OK;
        if (err != ERR_OK) {
            mosquitto_log_printf(MOSQ_LOG_ERR, "muster: a certificate could not be denied: %s", err_text(err));
        }
    }
    end_denied(plugin, &plugin->named, control->client);
    return MOSQ_ERR_SUCCESS;
}

static const struct {
    int event;
    MOSQ_FUNC_generic_callback callback;
    const char *data; /* of the event: a control topic */
} callbacks[] = {
    {MOSQ_EVT_ACL_CHECK, on_acl_check, NULL},   {MOSQ_EVT_MESSAGE, on_message, NULL},
    {MOSQ_EVT_BASIC_AUTH, on_basic_auth, NULL}, {MOSQ_EVT_DISCONNECT, on_disconnect, NULL},
    {MOSQ_EVT_RELOAD, on_reload, NULL},         {MOSQ_EVT_CONTROL, on_control, DENY_TOPIC},
};

mosq_plugin_EXPORT int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++) {
        if (supported_versions[i] == MOSQ_PLUGIN_VERSION) {
            return MOSQ_PLUGIN_VERSION;
        }
    }
    return -1;
}

mosq_plugin_EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                                             struct mosquitto_opt *options, int option_count)
{
    struct plugin *plugin = calloc(1, sizeof(*plugin));
    if (plugin == NULL) {
        return MOSQ_ERR_NOMEM;
    }
    plugin->id = identifier;
    bool ready = keep_options(plugin, options, option_count) == ERR_OK && load(plugin, &plugin->settings) == ERR_OK;
    int rc = ready ? MOSQ_ERR_SUCCESS : MOSQ_ERR_INVAL;
    for (size_t i = 0; i < ARRAY_LEN(callbacks) && rc == MOSQ_ERR_SUCCESS; i++) {
        rc = mosquitto_callback_register(identifier, callbacks[i].event, callbacks[i].callback, callbacks[i].data,
                                         plugin);
    }
    if (rc != MOSQ_ERR_SUCCESS) {
        plugin_free(plugin); /* mosquitto does not start, so what was registered is never called */
        return rc;
    }
    *userdata = plugin;
    return MOSQ_ERR_SUCCESS;
}

mosq_plugin_EXPORT int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    (void)options;
    (void)option_count;
    struct plugin *plugin = userdata;
    if (plugin == NULL) {
        return MOSQ_ERR_SUCCESS;
    }
    for (size_t i = 0; i < ARRAY_LEN(callbacks); i++) {
        (void)mosquitto_callback_unregister(
            plugin->id, callbacks[i].event, callbacks[i].callback,
            callbacks[i].data); /* the broker is ending: nothing would be done about a failure */
    }
    plugin_free(plugin);
    return MOSQ_ERR_SUCCESS;
}
