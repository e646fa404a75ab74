/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/paho_end.h"

#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/view.h"

#define PAHO_END_MS 10000 /* its threads look at the clock once a second, when the machine lets them */

/* Whether a thread of Paho's (it names them) still stands in this process. */
static bool has_paho_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    bool found = false;
    for (struct dirent *task = NULL; tasks != NULL && !found && (task = readdir(tasks)) != NULL;) {
        char path[sizeof("/proc/self/task//comm") + sizeof(task->d_name)];
        char name[32] = "";
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name); /* fits */
        FILE *file = fopen(path, "re");
        if (file != NULL) {
            found =
                fgets(name, sizeof(name), file) != NULL && view_starts_with(view_of(name), VIEW_LITERAL("MQTTAsync_"));
            (void)fclose(file); /* was only read */
        }
    }
    if (tasks != NULL) {
        (void)closedir(tasks); /* was only read */
    }
    return found;
}

void paho_end_await(void)
{
    for (int waited_ms = 0; waited_ms < PAHO_END_MS && has_paho_threads(); waited_ms++) {
        (void)poll(NULL, 0, 1); /* a look a millisecond */
    }
}
