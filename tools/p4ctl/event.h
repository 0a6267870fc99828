/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - one message of the event group, in the words of the commands that make such a change.
 * Pure.
 */
#ifndef P4CTL_EVENT_H
#define P4CTL_EVENT_H

#include <json-c/json.h>

#include "msg.h"

int event_line(struct nlmsghdr *nlh, char *buf, size_t len, struct diag *d);
struct json_object *event_json(struct nlmsghdr *nlh, struct diag *d);	/* NULL: malformed */

#endif /* P4CTL_EVENT_H */
