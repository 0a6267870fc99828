/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jsonline.h - JSON objects, one a line, over a Unix stream socket; either end of it.
 *
 * Never blocks: what does not fit into the socket is kept and sent when it is writable.
 */
#ifndef P4D_JSONLINE_H
#define P4D_JSONLINE_H

#include <json-c/json.h>
#include <stddef.h>

#include "loop.h"

struct p4d_lines {
	struct p4d_watch watch;		/* first: watch.ready's argument is this struct */
	struct p4d_loop *loop;
	size_t max;			/* longest line that is taken in */
	char *in, *out;
	size_t nr_in, in_room;
	size_t nr_out, out_sent, out_room;
};

/* Takes the descriptor over, which must be non-blocking. `ready` calls p4d_lines_io(). */
void p4d_lines_open(struct p4d_lines *l, struct p4d_loop *loop, int fd, size_t max,
		    void (*ready)(struct p4d_watch *w, uint32_t events));
void p4d_lines_close(struct p4d_lines *l);	/* closed already: no effect */

/* Appends one line; takes the reference. */
void p4d_lines_send(struct p4d_lines *l, struct json_object *o);

/*
 * Reads and writes what can be. Each line goes to line() as text (NUL-terminated, without its
 * newline); the callback may close l. 0; -ECONNRESET the other end is gone; -EMSGSIZE a line is
 * longer than max.
 */
int p4d_lines_io(struct p4d_lines *l, uint32_t events,
		 void (*line)(struct p4d_lines *l, char *text));

/* Bytes not sent yet. */
size_t p4d_lines_pending(const struct p4d_lines *l);

/* A non-blocking Unix stream socket, connected or listening. Descriptor or -errno. */
int p4d_unix_connect(const char *path);
int p4d_unix_listen(const char *path, unsigned int mode);

#endif /* P4D_JSONLINE_H */
