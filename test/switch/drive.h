/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drive.h - drives a running p4switch from the two host ports 0 and 1 and compares all that it
 * answers and keeps with the model. Tests say ok_if() for each thing they find.
 */
#ifndef TEST_SWITCH_DRIVE_H
#define TEST_SWITCH_DRIVE_H

#include <stdbool.h>

#include "host.h"
#include "model.h"

#define PATIENCE_MS	10000	/* for an answer, on a machine that does other things */

extern struct model model;
extern int host[2];

void ok_if(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

uint64_t owner_word(unsigned int tenant, uint64_t epoch);
void set_owner(unsigned int block, unsigned int tenant, uint64_t epoch);
void set_lock(unsigned int block, uint64_t word);
void set_flow(unsigned int flow, uint64_t state);
void give_flows(unsigned int tenant, unsigned int first, unsigned int count);

/* A request of tenant 1, epoch 5, home block 0, with the flow's next number. */
void request(struct frame *f, unsigned int flow);
void instr(struct frame *f, int place, unsigned int reg, unsigned int op, unsigned int cell,
	   uint32_t operand);

/* Sends it, runs the model; true if the reply, or that there is none, is what the model says. */
bool exchange(struct frame *f, int *outcome);
bool nothing_arrives(void);		/* at host 0, but the reply to what this sends */
bool quiet(int h);			/* takes all that is on its way to this host */
bool state_agrees(void);		/* all arrays, cell by cell */

void test_transactions(void);
void test_contention(void);
void test_handover(void);
void test_order(void);
void test_frames(void);
void test_control(const char *socket);

#endif
