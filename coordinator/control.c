/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/coordinator_private.h"
enum err control_new(struct coordinator *coordinator, struct control **ret_control, struct errinfo *info)
{
    (void)coordinator;
    (void)info;
    *ret_control = NULL;
    return ERR_OK;
}
void control_free(struct control *control)
{
    (void)control;
}
