/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fifo.h - a queue of which any element may leave: a list with one end less to keep.
 *
 * For the lists that every RPC enters and leaves: where the kernel checks its lists (Debian's does),
 * each change of one of those costs three times as much. Locks are the caller's.
 */
#ifndef P4HOMA_FIFO_H
#define P4HOMA_FIFO_H

#include <linux/list.h>

struct homa_fifo {
	struct hlist_head head;
	struct hlist_node **end;	/* where the address of the next one goes */
};

static inline void homa_fifo_init(struct homa_fifo *fifo)
{
	INIT_HLIST_HEAD(&fifo->head);
	fifo->end = &fifo->head.first;
}

static inline bool homa_fifo_is_empty(const struct homa_fifo *fifo)
{
	return hlist_empty(&fifo->head);
}

static inline void homa_fifo_add(struct homa_fifo *fifo, struct hlist_node *node)
{
	node->next = NULL;
	node->pprev = fifo->end;
	WRITE_ONCE(*fifo->end, node);	/* read without a lock: whether it is empty */
	fifo->end = &node->next;
}

/* Before all others. */
static inline void homa_fifo_add_first(struct homa_fifo *fifo, struct hlist_node *node)
{
	if (homa_fifo_is_empty(fifo))
		fifo->end = &node->next;
	hlist_add_head(node, &fifo->head);
}

static inline void homa_fifo_del(struct homa_fifo *fifo, struct hlist_node *node)
{
	if (!node->next)
		fifo->end = node->pprev;
	__hlist_del(node);
}

/* The same, and hlist_unhashed() says so of it from now on. */
static inline void homa_fifo_del_init(struct homa_fifo *fifo, struct hlist_node *node)
{
	homa_fifo_del(fifo, node);
	INIT_HLIST_NODE(node);
}

#endif /* P4HOMA_FIFO_H */
