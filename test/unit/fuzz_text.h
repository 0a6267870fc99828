/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_text.h - text that is spoilt: numbers of it, parts, bytes, its end. All from fuzz_seed(). */
#ifndef FUZZ_TEXT_H
#define FUZZ_TEXT_H

#include <stddef.h>

/* Returns its new length, below `room` or as it was. */
size_t fuzz_text(char *text, size_t len, size_t room);

#endif /* FUZZ_TEXT_H */
