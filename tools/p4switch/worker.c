// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>

#include <rte_swx_ctl.h>
#include <rte_swx_pipeline.h>

#include "command.h"
#include "control.h"
#include "l2.h"
#include "port.h"
#include "worker.h"

#define RUN		64	/* instructions at a time: when idle, 4 looks at each port */
#define IDLE_RUNS	4	/* without a packet before the first nap */
#define POLL_RUNS	10	/* the same between looks at control, if it never naps */
#define BURST_RUNS	80	/* with packets, at most, before what they became is sent */
#define BUSY_RUNS	20	/* with packets, at least, between looks at control */

struct worker {
	struct target target;	/* first: commands get back from it to here */
	struct rte_swx_pipeline *p;
	struct rte_swx_ctl_pipeline *ctl;
	struct l2 *l2;
	unsigned int max_nap, nap, idle, busy;
};

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	stopped = sig;
}

static void run(struct worker *w)
{
	rte_swx_pipeline_run(w->p, RUN);
	rte_swx_pipeline_flush(w->p);
}

/* Packets that the program has dropped: they go to a port of the library's own, behind ours. */
static uint64_t dropped(struct worker *w)
{
	struct rte_swx_port_out_stats stats;

	rte_swx_ctl_pipeline_port_out_stats_read(w->p, PORTS, &stats);
	return stats.n_pkts_drop;
}

static bool is_inside(struct worker *w)
{
	return port_received() != port_sent() + dropped(w);
}

/* What came together leaves together: each flush is a system call, and may wake a host up. */
static unsigned int run_burst(struct worker *w)
{
	unsigned int runs = 0;

	do
		rte_swx_pipeline_run(w->p, RUN);
	while (++runs < BURST_RUNS && (port_pending() || is_inside(w)));
	rte_swx_pipeline_flush(w->p);
	return runs;
}

/* No packet is half-way through the program when this returns. */
static void settle(struct worker *w)
{
	port_gate(GATE_CLOSED);
	while (is_inside(w))
		run(w);
	port_gate(GATE_OPEN);
}

/* Nor on the loopback port. Ends, as each packet there has a last trip. */
static void drain(struct target *t)
{
	struct worker *w = (struct worker *)t;

	port_gate(GATE_LOOPBACK);
	while (port_waiting() || is_inside(w))
		run(w);
	port_gate(GATE_OPEN);
}

static uint64_t read_cell(struct target *t, const struct spec_array *array, uint32_t index)
{
	struct worker *w = (struct worker *)t;
	uint64_t value = 0;

	rte_swx_ctl_pipeline_regarray_read(w->p, array->name, index, &value);
	return value;
}

static void write_cell(struct target *t, const struct spec_array *array, uint32_t index,
		       uint64_t value)
{
	struct worker *w = (struct worker *)t;

	rte_swx_ctl_pipeline_regarray_write(w->p, array->name, index, value);
}

static int mac_add(struct target *t, const uint8_t mac[6], unsigned int port)
{
	return l2_add(((struct worker *)t)->l2, mac, port);
}

static int mac_del(struct target *t, const uint8_t mac[6])
{
	return l2_del(((struct worker *)t)->l2, mac);
}

static int mac_get(struct target *t, unsigned int nth, uint8_t mac[6], unsigned int *port)
{
	const struct l2 *l2 = ((struct worker *)t)->l2;

	if (nth >= l2->nr_entries)
		return -ENOENT;
	memcpy(mac, l2->entry[nth].mac, 6);
	*port = l2->entry[nth].port;
	return 0;
}

static int port_get(struct target *t, unsigned int nth, struct target_port *port)
{
	struct port_stats stats;

	for (unsigned int i = 0; i < PORTS; i++)
		if (port_name(i) && !nth--) {
			port_stats(i, &stats);
			*port = (struct target_port){ i, port_name(i), stats.rx, stats.tx,
						      stats.drop };
			return 0;
		}
	return -ENOENT;
}

/* The longer nothing comes, the longer the naps; the first packet ends that. */
static unsigned int next_nap(const struct worker *w)
{
	unsigned int nap = w->nap ? 2 * w->nap : 1;

	return nap < w->max_nap ? nap : w->max_nap;
}

static bool time_for_control(struct worker *w, bool received, unsigned int runs)
{
	if (received) {
		w->idle = 0;
		w->nap = 0;
		w->busy += runs;
		if (w->busy < BUSY_RUNS)
			return false;
		w->busy = 0;
		return true;
	}
	w->idle++;
	if (!w->max_nap)
		return w->idle % POLL_RUNS == 0;
	if (w->idle < IDLE_RUNS)
		return false;
	w->nap = next_nap(w);
	return true;
}

static int turn(struct worker *w, const sigset_t *mask)
{
	uint64_t before = port_received();
	unsigned int runs = run_burst(w);

	if (w->l2->nr_news) {
		settle(w);
		if (l2_commit(w->l2))
			return -EIO;
	}
	if (time_for_control(w, port_received() != before, runs) && control_wait(w->nap, mask)) {
		settle(w);
		control_serve(&w->target);
	}
	return 0;
}

/* Both signals are blocked but for control_wait(), so none is lost between two naps. */
static void catch_signals(sigset_t *mask)
{
	struct sigaction sa = { .sa_handler = stop };
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGTERM);
	sigaddset(&both, SIGINT);
	sigprocmask(SIG_BLOCK, &both, mask);
	sigdelset(mask, SIGTERM);
	sigdelset(mask, SIGINT);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

static bool program_has_l2(const struct spec *spec)
{
	return spec_table(spec, "l2") && spec_action(spec, "forward");
}

int worker_run(const struct worker_config *config)
{
	struct worker w = {
		.target = {
			.spec = config->spec, .nr_ports = PORT_HOSTS,
			.read = read_cell, .write = write_cell, .drain = drain,
			.mac_add = mac_add, .mac_del = mac_del, .mac_get = mac_get,
			.port_get = port_get,
		},
		.p = config->pipeline, .l2 = config->l2, .max_nap = config->max_nap_us,
	};
	sigset_t mask;
	int ret = 0;

	w.ctl = rte_swx_ctl_pipeline_create(w.p);
	if (!w.ctl || !program_has_l2(config->spec) ||
	    getrandom(&w.target.boot, sizeof(w.target.boot), 0) != sizeof(w.target.boot))
		return -EINVAL;
	w.target.boot >>= 11;	/* exact also where numbers are doubles */
	w.l2->ctl = w.ctl;
	catch_signals(&mask);
	prctl(PR_SET_TIMERSLACK, 1);	/* a nap of a microsecond is one */
	while (!stopped && !ret)
		ret = turn(&w, &mask);
	settle(&w);
	rte_swx_ctl_pipeline_free(w.ctl);
	return ret;
}
