// SPDX-License-Identifier: GPL-2.0
/*
 * counters.c - reads the counters: for /proc/net/homa_metrics and for netlink.
 *
 * /proc/net/homa_metrics has a line a counter: name, value, meaning.
 */
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

static int metrics_show(struct seq_file *seq, void *v)
{
	const struct homa_net *hn = homa_net(seq_file_single_net(seq));
	int i;

	for (i = 0; i < HOMA_NR_COUNTERS; i++)
		seq_printf(seq, "%-30s %20llu  %s\n", counters[i].name, homa_counter_sum(hn, i),
			   counters[i].help);
	return 0;
}

int homa_counters_net_init(struct homa_net *hn)
{
	hn->counters = alloc_percpu(struct homa_counters);
	if (!hn->counters)
		return -ENOMEM;
	if (!proc_create_net_single("homa_metrics", 0444, hn->net->proc_net, metrics_show, NULL)) {
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
