/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file named by PHASE, once for each instruction place; K is its number. */
#define K 0
#include PHASE
#undef K
#define K 1
#include PHASE
#undef K
#define K 2
#include PHASE
#undef K
#define K 3
#include PHASE
#undef K
#define K 4
#include PHASE
#undef K
#define K 5
#include PHASE
#undef K
#define K 6
#include PHASE
#undef K
#define K 7
#include PHASE
#undef K
#undef PHASE
