/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diag.h - one error message for a person, filled by whoever found the error first.
 *
 * Functions that can fail return 0 or -1 and leave the reason here; only main prints it. So parsing
 * and decoding can be tested by their messages.
 */
#ifndef P4CTL_DIAG_H
#define P4CTL_DIAG_H

struct diag {
	int  usage;		/* the command line is wrong, rather than the world */
	char text[480];
};

/* Both return -1, for `return fault(d, ...)`. */
int fault(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int fault_usage(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* P4CTL_DIAG_H */
