/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * value.h - numbers, times, names, addresses and block sets as people write them.
 *
 * Pure: no files, no locale, no state. What a format function prints, the parse function of the
 * same name reads back to the same value.
 */
#ifndef P4CTL_VALUE_H
#define P4CTL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_LEN	32	/* enough for any number, time or address */

/* Decimal, or hexadecimal after 0x. No sign, blanks or rest. false: not a number of 64 bits. */
bool parse_number(const char *s, uint64_t *out);

/* 500us, 20ms, 1.5s, 1m; 0 needs no unit. false: not a time, or not whole microseconds. */
bool parse_time(const char *s, uint64_t *us);
void format_time(uint64_t us, char buf[VALUE_LEN]);

/* 1 .. max bytes of [A-Za-z0-9._-] */
bool is_name(const char *s, size_t max);

/* Dotted IPv4 address in network order; "none" is 0. */
bool parse_addr(const char *s, uint32_t *addr);
void format_addr(uint32_t addr, char buf[VALUE_LEN]);

/* "0-3,8": the set bits of a bitmap whose bit b is bit b % 8 of byte b / 8; "none" if there are
 * none. A set too long for the buffer ends in ",..". Returns the number of set bits. */
unsigned int format_blocks(const uint8_t *bitmap, size_t bytes, char *buf, size_t len);

/* "4.2k", "31": at most six characters, for tables that change while one looks */
void format_rate(double per_second, char buf[VALUE_LEN]);

/* Edits (insert, delete, replace, swap) from a to b: how far a typing error is from a word. */
unsigned int word_distance(const char *a, const char *b);

#endif /* P4CTL_VALUE_H */
