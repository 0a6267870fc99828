/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much the switch holds. Set with -D at build; doc/switch.md says what the arrays mean. */
#ifndef REGISTERS
#define REGISTERS 20		/* register arrays, 1 .. 32 */
#endif
#ifndef BLOCKS
#define BLOCKS 16		/* blocks of 64 slots, 1 .. 256 */
#endif
#ifndef FLOWS
#define FLOWS 1024		/* flow entries, 1 .. 65536 */
#endif
#ifndef DEPENDENT
#define DEPENDENT 4		/* of the register arrays, the last ones: the dependent stage; 0: none */
#endif
#define ORDINARY (REGISTERS - DEPENDENT)

#define BLOCK_SHIFT 6
#define CELLS (BLOCKS << BLOCK_SHIFT)
