// SPDX-License-Identifier: GPL-2.0
/*
 * counters.c - reads the counters: for /proc/net/homa_metrics and for netlink.
 *
 * /proc/net/homa_metrics is what HomaModule's scripts read: a line a counter with name, value and
 * meaning, the clock first, then a block for each CPU.
 */
#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "net.h"

static const struct {
	const char *name;
	const char *help;
} counters[] = {
#define X(name, help) { #name, help },
	HOMA_COUNTERS(X)
#undef X
};

int homa_counters_nr(void)
{
	return HOMA_NR_COUNTERS;
}

const char *homa_counter_name(int i)
{
	return counters[i].name;
}

const char *homa_counter_help(int i)
{
	return counters[i].help;
}

u64 homa_counter_sum(const struct homa_net *hn, int i)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(hn->counters, cpu)->value[i]);
	return sum;
}

/* ------------------------------------------------------------------ /proc/net/homa_metrics */

static void line(struct seq_file *seq, const char *name, u64 value, const char *help)
{
	seq_printf(seq, "%-30s %20llu  %s\n", name, value, help);
}

static void show_messages(struct seq_file *seq, const struct homa_counters *c)
{
	char name[32], help[64];
	int i, from, to = 0;

	for (i = 0; i < ARRAY_SIZE(c->msg_bytes); i++) {
		from = to;
		to = i < HOMA_MSG_SMALL ? 64 * (i + 1) : 1024 * (i - HOMA_MSG_SMALL + 5);
		snprintf(name, sizeof(name), "msg_bytes_%d", to);
		snprintf(help, sizeof(help), "bytes of messages of %d to %d bytes that came",
			 from + 1, to);
		line(seq, name, READ_ONCE(c->msg_bytes[i]), help);
	}
	line(seq, "large_msg_count", READ_ONCE(c->large_msg_count), "longer messages that came");
	line(seq, "large_msg_bytes", READ_ONCE(c->large_msg_bytes), "bytes of them");
}

/* A position is a CPU. */
static int metrics_show(struct seq_file *seq, void *v)
{
	const struct homa_net *hn = homa_net(seq_file_net(seq));
	const struct homa_counters *c;
	int cpu = (long)v - 1;
	int i;

	if (cpu == cpumask_first(cpu_possible_mask)) {
		line(seq, "time_cycles", ktime_get_ns(), "when this was written, in cycles");
		line(seq, "cpu_khz", 1000000, "cycles in a millisecond: they are nanoseconds");
	}
	line(seq, "core", cpu, "the CPU that counted what follows");
	c = per_cpu_ptr(hn->counters, cpu);
	show_messages(seq, c);
	for (i = 0; i < HOMA_NR_COUNTERS; i++)
		line(seq, counters[i].name, READ_ONCE(c->value[i]), counters[i].help);
	return 0;
}

static void *metrics_start(struct seq_file *seq, loff_t *pos)
{
	int cpu = *pos < nr_cpu_ids ? cpumask_next(*pos - 1, cpu_possible_mask) : nr_cpu_ids;

	*pos = cpu;
	return cpu < nr_cpu_ids ? (void *)(long)(cpu + 1) : NULL;
}

static void *metrics_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return metrics_start(seq, pos);
}

static void metrics_stop(struct seq_file *seq, void *v)
{
}

static const struct seq_operations metrics_ops = {
	.start = metrics_start,
	.next = metrics_next,
	.stop = metrics_stop,
	.show = metrics_show,
};

int homa_counters_net_init(struct homa_net *hn)
{
	hn->counters = alloc_percpu(struct homa_counters);
	if (!hn->counters)
		return -ENOMEM;
	if (!proc_create_net("homa_metrics", 0444, hn->net->proc_net, &metrics_ops,
			     sizeof(struct seq_net_private))) {
		free_percpu(hn->counters);
		return -ENOMEM;
	}
	return 0;
}

void homa_counters_net_exit(struct homa_net *hn)
{
	remove_proc_entry("homa_metrics", hn->net->proc_net);
	free_percpu(hn->counters);
}
