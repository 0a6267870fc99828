/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h - the control socket: connections, lines, answers in order. Belongs to the worker's
 * thread: commands are run from control_serve(), and between packets because it is called there.
 *
 * What a client has said that is gone is done, up to some line of it, before anybody is answered
 * who has connected after that; the rest never is. An allocator that is started again relies on
 * that: it reads what the one before has done, and nothing of it may come later.
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
