/* SPDX-License-Identifier: GPL-2.0 */
/* Before 6.12 this header belonged to each architecture. */
#include <asm/unaligned.h>
