/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args.h - numbers and file names from a command line; a wrong one ends the program with status 2. */
#ifndef ARGS_H
#define ARGS_H

#include <stdint.h>

/* Decimal, min .. max; otherwise says which option is wrong and what it accepts, and exits. */
uint64_t arg_number(const char *option, const char *text, uint64_t min, uint64_t max);
double arg_real(const char *option, const char *text, double min, double max);

__attribute__((noreturn, format(printf, 1, 2)))
void arg_fail(const char *fmt, ...);

#endif /* ARGS_H */
