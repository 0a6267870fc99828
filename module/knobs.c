// SPDX-License-Identifier: GPL-2.0
/*
 * knobs.c - registers net.homa.* in each network namespace. A value outside of its range is refused
 * with EINVAL and nothing changes.
 */
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>

#include "net.h"

static const struct knob {
	const char *name;
	size_t offset;
	int range[2];
	int def;
} knobs[] = {
#define X(name, unit, min, max, def, help) \
	{ #name, offsetof(struct homa_knobs, name), { min, max }, def },
	HOMA_KNOBS(X)
#undef X
};

static int *value_of(struct homa_net *hn, const struct knob *knob)
{
	return (void *)&hn->knobs + knob->offset;
}

int homa_knobs_net_init(struct homa_net *hn)
{
	struct ctl_table *table;
	int i;

	table = kcalloc(ARRAY_SIZE(knobs) + HOMA_SYSCTL_END, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		*value_of(hn, &knobs[i]) = knobs[i].def;
		table[i] = (struct ctl_table){
			.procname = knobs[i].name,
			.data = value_of(hn, &knobs[i]),
			.maxlen = sizeof(int),
			/* They bound the kernel's memory: not for who merely owns a namespace. */
			.mode = hn->net->user_ns == &init_user_ns ? 0644 : 0444,
			.proc_handler = proc_dointvec_minmax,
			.extra1 = (void *)&knobs[i].range[0],
			.extra2 = (void *)&knobs[i].range[1],
		};
	}
	hn->knob_header = register_net_sysctl_sz(hn->net, "net/homa", table,
						 ARRAY_SIZE(knobs));
	if (!hn->knob_header) {
		kfree(table);
		return -ENOMEM;
	}
	hn->knob_table = table;
	return 0;
}

void homa_knobs_net_exit(struct homa_net *hn)
{
	unregister_net_sysctl_table(hn->knob_header);
	kfree(hn->knob_table);
}
