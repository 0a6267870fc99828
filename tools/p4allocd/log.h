/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - lines on standard error, with the seconds since the start. */
#ifndef P4D_LOG_H
#define P4D_LOG_H

enum p4d_level {
	P4D_WARN,		/* always */
	P4D_NOTE,		/* -v: what happens to grants, tenants and the switch */
	P4D_EACH,		/* -vv: each message */
};

extern enum p4d_level p4d_log_level;	/* the highest that is shown */

void p4d_log(enum p4d_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* P4D_LOG_H */
