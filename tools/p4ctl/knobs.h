/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * knobs.h - what this program knows about net.homa.*: the module's own list, taken over when
 * building. A module of another version may have more; they are shown without range and meaning.
 */
#ifndef P4CTL_KNOBS_H
#define P4CTL_KNOBS_H

#include <stdint.h>

#include "diag.h"

#define KNOB_VALUE_LEN	128

struct knob {
	const char *name;
	int count;	/* of numbers in its value */
	const char *unit;
	int64_t min, max, def;
	const char *help;
};

/* The table ends with an entry without a name. */
extern const struct knob knobs[];

const struct knob *knob_find(const char *name);

/* NAME=VALUE, with or without "net.homa." in front: checks the name's form, and name and range if
 * the knob is known. */
int knob_parse(const char *word, char *name, size_t name_len, char *value, size_t value_len,
	       struct diag *d);

#endif /* P4CTL_KNOBS_H */
