/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h - the control socket: connections, lines, answers in order. Belongs to the worker's
 * thread: commands are run from control_wait(), and between packets because it is called there.
 */
#ifndef P4SWITCH_CONTROL_H
#define P4SWITCH_CONTROL_H

#include <signal.h>
#include <stdbool.h>

struct target;

int  control_open(const char *path, char *err, unsigned int err_size);
void control_close(void);

/*
 * Waits up to `us` with the given signal mask for something to do. True: control_serve() has work,
 * and only then the caller has to bring the pipeline to rest.
 */
bool control_wait(unsigned int us, const sigset_t *mask);
void control_serve(struct target *t);

#endif
