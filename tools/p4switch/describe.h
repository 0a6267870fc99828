/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * describe.h - what the switch says about itself: the shape that its program has given it, its ports, and
 * what has become of packets. Reads the target, changes nothing.
 */
#ifndef P4SWITCH_DESCRIBE_H
#define P4SWITCH_DESCRIBE_H

struct json_object;
struct target;

/* Each adds its members. */
void describe_switch(struct target *t, struct json_object *answer);
void describe_counters(struct target *t, struct json_object *answer);

#endif
