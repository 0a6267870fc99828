// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * port.c - the pipeline's port types "host", "loopback" and "flood". The pipeline takes packets
 * one by one (pkt_rx) and gives them one by one (pkt_tx, flush); host ports talk in bursts to
 * net_af_packet devices. A packet's mbuf carries the host port that it came in at in m->port.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_swx_pipeline.h>
#include <rte_swx_port.h>

#include "frame.h"
#include "l2.h"
#include "port.h"

#define BURST	32

struct host {
	char name[PORT_NAME];
	int dev;		/* DPDK port, or -1 */
	uint16_t nr_rx, next_rx, nr_tx;
	struct rte_mbuf *rx[BURST], *tx[BURST];
	struct port_stats stats;
};

static struct {
	struct host host[PORT_HOSTS];
	unsigned int nr_hosts;
	struct rte_ring *loop;
	struct port_stats loop_stats, flood_stats;
	struct rte_mempool *pool;
	struct l2 *l2;
	enum port_gate gate;
	uint64_t received, sent;
} ports;

static void to_pkt(struct rte_swx_pkt *pkt, struct rte_mbuf *m)
{
	pkt->handle = m;
	pkt->pkt = m->buf_addr;
	pkt->offset = m->data_off;
	pkt->length = m->pkt_len;
	ports.received++;
}

/* NULL if the program has taken more out of the packet than was in it. */
static struct rte_mbuf *from_pkt(const struct rte_swx_pkt *pkt, struct port_stats *stats)
{
	struct rte_mbuf *m = pkt->handle;

	ports.sent++;
	if (pkt->offset > m->buf_len || pkt->length > m->buf_len - pkt->offset) {
		rte_pktmbuf_free(m);
		stats->drop++;
		return NULL;
	}
	m->data_off = pkt->offset;
	m->data_len = pkt->length;
	m->pkt_len = pkt->length;
	return m;
}

/* ------------------------------------------------- hosts */

static struct rte_mbuf *host_next(struct host *h)
{
	if (h->next_rx == h->nr_rx) {
		h->next_rx = 0;
		h->nr_rx = rte_eth_rx_burst(h->dev, 0, h->rx, BURST);
		if (!h->nr_rx)
			return NULL;
	}
	return h->rx[h->next_rx++];
}

static int host_rx(void *port, struct rte_swx_pkt *pkt)
{
	struct host *h = port;
	struct rte_mbuf *m;

	/* Who has lost against a lock bit waits in the ring: nobody comes in before it has had its turn. */
	if (h->dev < 0 || ports.gate != GATE_OPEN || rte_ring_count(ports.loop))
		return 0;
	while ((m = host_next(h))) {
		const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

		if (frame_check(frame, m->pkt_len) == FRAME_OK) {
			m->port = h - ports.host;
			l2_seen(ports.l2, frame + 6, m->port);
			h->stats.rx++;
			to_pkt(pkt, m);
			return 1;
		}
		h->stats.drop++;
		rte_pktmbuf_free(m);
	}
	return 0;
}

static void host_flush(void *port)
{
	struct host *h = port;
	uint16_t n;

	if (!h->nr_tx)
		return;
	n = h->dev < 0 ? 0 : rte_eth_tx_burst(h->dev, 0, h->tx, h->nr_tx);
	h->stats.tx += n;
	h->stats.drop += h->nr_tx - n;
	rte_pktmbuf_free_bulk(h->tx + n, h->nr_tx - n);
	h->nr_tx = 0;
}

static void host_put(struct host *h, struct rte_mbuf *m)
{
	h->tx[h->nr_tx++] = m;
	if (h->nr_tx == BURST)
		host_flush(h);
}

static void host_tx(void *port, struct rte_swx_pkt *pkt)
{
	struct host *h = port;
	struct rte_mbuf *m = from_pkt(pkt, &h->stats);

	if (m)
		host_put(h, m);
}

/* ------------------------------------------------- flood */

/* Devices copy what they send and free their reference: one mbuf serves all of them. */
static void flood_tx(void *port, struct rte_swx_pkt *pkt)
{
	struct rte_mbuf *m = from_pkt(pkt, &ports.flood_stats);

	if (!m)
		return;
	for (unsigned int i = 0; i < ports.nr_hosts; i++)
		if (i != m->port) {
			rte_mbuf_refcnt_update(m, 1);
			host_put(&ports.host[i], m);
		}
	rte_pktmbuf_free(m);
	ports.flood_stats.tx++;
}

/* ------------------------------------------------- loopback */

static int loopback_rx(void *port, struct rte_swx_pkt *pkt)
{
	void *m;

	if (ports.gate == GATE_CLOSED || rte_ring_sc_dequeue(ports.loop, &m))
		return 0;
	ports.loop_stats.rx++;
	to_pkt(pkt, m);
	return 1;
}

static void loopback_tx(void *port, struct rte_swx_pkt *pkt)
{
	struct rte_mbuf *m = from_pkt(pkt, &ports.loop_stats);

	if (!m)
		return;
	if (rte_ring_sp_enqueue(ports.loop, m)) {
		ports.loop_stats.drop++;
		rte_pktmbuf_free(m);
	} else {
		ports.loop_stats.tx++;
	}
}

/* ------------------------------------------------- what the pipeline wants of a port type */

static void *port_create(void *port)
{
	return port;
}

static void port_free(void *port)
{
}

static int nothing_rx(void *port, struct rte_swx_pkt *pkt)
{
	return 0;
}

static void nothing_clone(void *port, struct rte_swx_pkt *pkt)
{
}

static void nothing_clone_part(void *port, struct rte_swx_pkt *pkt, uint32_t length)
{
}

static void in_stats(void *port, struct rte_swx_port_in_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
}

static void out_stats(void *port, struct rte_swx_port_out_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
}

#define IN_OPS(rx)							\
	&(struct rte_swx_port_in_ops){					\
		.create = port_create, .free = port_free,		\
		.pkt_rx = rx, .stats_read = in_stats }
#define OUT_OPS(tx, fl)							\
	&(struct rte_swx_port_out_ops){					\
		.create = port_create, .free = port_free,		\
		.pkt_tx = tx, .pkt_fast_clone_tx = nothing_clone,	\
		.pkt_clone_tx = nothing_clone_part,			\
		.flush = fl, .stats_read = out_stats }

static const char *const type_names[PORTS] = {
	[0 ... PORT_HOSTS - 1] = "host", [PORT_LOOPBACK] = "loopback", [PORT_FLOOD] = "flood",
};

static int register_types(struct rte_swx_pipeline *p)
{
	const struct {
		const char *name;
		struct rte_swx_port_in_ops *in;
		struct rte_swx_port_out_ops *out;
	} types[] = {
		{ "host", IN_OPS(host_rx), OUT_OPS(host_tx, host_flush) },
		{ "loopback", IN_OPS(loopback_rx), OUT_OPS(loopback_tx, NULL) },
		{ "flood", IN_OPS(nothing_rx), OUT_OPS(flood_tx, NULL) },
	};
	int ret = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && !ret; i++) {
		ret = rte_swx_pipeline_port_in_type_register(p, types[i].name, types[i].in);
		if (!ret)
			ret = rte_swx_pipeline_port_out_type_register(p, types[i].name,
								      types[i].out);
	}
	return ret;
}

int port_config(struct rte_swx_pipeline *p)
{
	int ret = register_types(p);

	for (unsigned int i = 0; i < PORTS && !ret; i++) {
		void *arg = i < PORT_HOSTS ? (void *)&ports.host[i] : &ports;

		ret = rte_swx_pipeline_port_in_config(p, i, type_names[i], arg);
		ret = ret ?: rte_swx_pipeline_port_out_config(p, i, type_names[i], arg);
	}
	return ret;
}

/* ------------------------------------------------- wiring */

int port_init(struct rte_mempool *pool, unsigned int loopback_size, struct l2 *l2, char *err,
	      unsigned int err_size)
{
	for (unsigned int i = 0; i < PORT_HOSTS; i++)
		ports.host[i].dev = -1;
	ports.pool = pool;
	ports.l2 = l2;
	ports.loop = rte_ring_create("loopback", loopback_size, SOCKET_ID_ANY,
				     RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (!ports.loop) {
		snprintf(err, err_size, "loopback port for %u packets: out of memory",
			 loopback_size);
		return -ENOMEM;
	}
	return 0;
}

static int start_device(uint16_t dev)
{
	struct rte_eth_conf conf = { };
	int ret = rte_eth_dev_configure(dev, 1, 1, &conf);

	ret = ret ?: rte_eth_rx_queue_setup(dev, 0, 512, SOCKET_ID_ANY, NULL, ports.pool);
	ret = ret ?: rte_eth_tx_queue_setup(dev, 0, 512, SOCKET_ID_ANY, NULL);
	ret = ret ?: rte_eth_dev_start(dev);
	return ret ?: rte_eth_promiscuous_enable(dev);
}

int port_add_host(const char *interface, bool qdisc, char *err, unsigned int err_size)
{
	struct host *h = &ports.host[ports.nr_hosts];
	char name[32], args[96];
	uint16_t dev;
	int ret;

	if (ports.nr_hosts == PORT_HOSTS) {
		snprintf(err, err_size, "--port: more than %d", PORT_HOSTS);
		return -EINVAL;
	}
	if (!if_nametoindex(interface)) {
		snprintf(err, err_size, "--port %s: no such interface", interface);
		return -ENODEV;
	}
	snprintf(name, sizeof(name), "net_af_packet%u", ports.nr_hosts);
	snprintf(args, sizeof(args), "iface=%s,framesz=2048,blocksz=4096,framecnt=1024,qdisc_bypass=%d",
		 interface, !qdisc);
	ret = rte_eal_hotplug_add("vdev", name, args);
	ret = ret ?: rte_eth_dev_get_port_by_name(name, &dev);
	ret = ret ?: start_device(dev);
	if (ret) {
		snprintf(err, err_size, "--port %s: %s", interface, strerror(-ret));
		return ret;
	}
	snprintf(h->name, sizeof(h->name), "%s", interface);
	h->dev = dev;
	ports.nr_hosts++;
	return 0;
}

void port_uninit(void)
{
	for (unsigned int i = 0; i < ports.nr_hosts; i++) {
		struct host *h = &ports.host[i];

		rte_pktmbuf_free_bulk(h->rx + h->next_rx, h->nr_rx - h->next_rx);
		rte_eth_dev_stop(h->dev);
		rte_eth_dev_close(h->dev);
	}
	rte_ring_free(ports.loop);
}

void port_gate(enum port_gate gate)
{
	ports.gate = gate;
}

uint64_t port_received(void)
{
	return ports.received;
}

uint64_t port_sent(void)
{
	return ports.sent;
}

bool port_pending(void)
{
	for (unsigned int i = 0; i < ports.nr_hosts; i++)
		if (ports.host[i].next_rx < ports.host[i].nr_rx)
			return true;
	return false;
}

unsigned int port_waiting(void)
{
	return rte_ring_count(ports.loop);
}

const char *port_name(unsigned int port)
{
	if (port < ports.nr_hosts)
		return ports.host[port].name;
	return port == PORT_LOOPBACK ? "loopback" : port == PORT_FLOOD ? "flood" : NULL;
}

void port_stats(unsigned int port, struct port_stats *stats)
{
	*stats = port < PORT_HOSTS ? ports.host[port].stats :
		 port == PORT_LOOPBACK ? ports.loop_stats : ports.flood_stats;
}
