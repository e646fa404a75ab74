/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that ends at the n-th allocation of a codec, jansson's included: an error, nothing half read or half written,
 * nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/messages.h"
#include "tests/lib/scarce.h"

static const char STATE[] =
    "{\"v\":1,\"s\":\"on\",\"boot\":3,\"conn\":2,\"seq\":7,\"ts\":1,\"tsq\":\"ntp\",\"ip4\":\"93.184.216.34\","
    "\"ip6\":null,\"uplinks\":[{\"name\":\"eth0\",\"up\":true,\"ip4\":\"93.184.216.34\",\"seen4\":\"93.184.216.34\","
    "\"nat\":\"public\"}],\"src\":\"interface\","
    "\"why\":\"change\",\"agent\":\"1\",\"fw\":\"\",\"cfg\":\"\",\"caps\":[\"config\"],\"later\":{\"a\":[1]}}";
static const char GONE[] = "{\"v\":1,\"boot\":3,\"conn\":2}";
static const char DNS[] =
    "{\"v\":1,\"term\":\"s:1\",\"ack\":{\"boot\":3,\"seq\":7},\"observed\":\"93.184.216.34\",\"names\":[{\"name\":"
    "\"cam-1.example.net\",\"type\":\"A\",\"value\":\"93.184.216.34\",\"ttl\":60,\"state\":\"applied\",\"since\":1,"
    "\"error\":\"\",\"next\":0}]}";

static char whole[MQTT_PAYLOAD_MAX]; /* what the first run, which has all memory, writes */

static bool is_whole(const struct strbuf *out)
{
    if (whole[0] == '\0') {
        return view_copy(strbuf_view(out), whole, sizeof(whole)) == ERR_OK;
    }
    return view_equals(strbuf_view(out), whole);
}

#define CODEC(name, text)                                                                                              \
    static bool run_##name(void *context, unsigned long n)                                                             \
    {                                                                                                                  \
        (void)context;                                                                                                 \
        static struct name##_message message, untouched;                                                               \
        struct strbuf out;                                                                                             \
        memset(&message, 0x5a, sizeof(message));                                                                       \
        memset(&untouched, 0x5a, sizeof(untouched));                                                                   \
        strbuf_init(&out, 4 * MQTT_PAYLOAD_MAX);                                                                       \
        scarce_arm(n);                                                                                                 \
        enum err err = name##_decode(view_of(text), &message, NULL);                                                   \
        if (err != ERR_OK) {                                                                                           \
            bool reached = scarce_disarm();                                                                            \
            assert_true(reached &&err == ERR_NOMEM);                                                                   \
            assert_memory_equal(&message, &untouched, sizeof(message));                                                \
            return reached;                                                                                            \
        }                                                                                                              \
        err = name##_encode(&message, &out);                                                                           \
        bool reached = scarce_disarm();                                                                                \
        assert_true(err == ERR_OK ? is_whole(&out) : reached && err == ERR_NOMEM);                                     \
        strbuf_deinit(&out);                                                                                           \
        return reached;                                                                                                \
    }                                                                                                                  \
    static void name##_survives_every_failed_allocation(void **state)                                                  \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        whole[0] = 0;                                                                                                  \
        assert_true(scarce_each(run_##name, NULL) > 5);                                                                \
    }

CODEC(state, STATE)
CODEC(gone, GONE)
CODEC(dns, DNS)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_survives_every_failed_allocation),
        cmocka_unit_test(gone_survives_every_failed_allocation),
        cmocka_unit_test(dns_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
