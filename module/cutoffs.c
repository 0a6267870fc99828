// SPDX-License-Identifier: GPL-2.0
/*
 * cutoffs.c - which message goes at which priority.
 *
 * Owns the priorities of one network namespace: how many there are, their IP classes, and the
 * cutoffs that its peers are told in CUTOFFS packets. The levels are divided between unasked and
 * granted bytes by how many there are of each, on the wire; among the levels for unasked bytes each gets
 * the same share of them, the shortest messages the highest. A user may fix the cutoffs instead.
 *
 * recv.c counts the length of each message, one increment in a table of the CPU. When messages have
 * come for a while, a work item sums the tables; no message, no work. What it finds is adopted only
 * if it moves a good part of the bytes to other levels: each change makes all peers ask again.
 *
 * Lock: the mutex, for all changes. Readers take none, see cutoffs.h.
 */
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>

#include "cutoffs.h"

#define OCTAVE		8	/* classes in one */
#define PACKET		1424	/* bytes of a message, and what is around them: of IPv4 on Ethernet */
#define HEADERS		114
#define FIRST_LOOK_MS	10	/* between two looks until there was something to see */
#define ENOUGH		500	/* messages to judge by */
#define KEEP_LEVELS	750	/* per mille of a level: how wrong their number may be */
#define LEVELS_LEAST	3	/* for unasked bytes, of up to half of all */
#define MOVED_MAX	150	/* per mille of the unasked bytes: what is not worth a change */

/* Before anything is known: as other implementations do. */
static const int first_guess[] = { 200, 2800, 15000, P4W_MSG_MAX };

/* ------------------------------------------------------------------ decisions */

u32 homa_size_class(u32 length)
{
	u32 octave;

	if (length < OCTAVE)
		return length;
	octave = ilog2(length) - ilog2(OCTAVE);
	return min_t(u32, OCTAVE * (octave + 1) + (length >> octave) % OCTAVE, HOMA_SIZES - 1);
}

u32 homa_size_top(u32 class)
{
	u32 octave;

	if (class < OCTAVE)
		return class;
	octave = class / OCTAVE - 1;
	return min_t(u32, ((OCTAVE + class % OCTAVE + 1) << octave) - 1, P4W_MSG_MAX);
}

int homa_cutoffs_fixed(int num, int cutoff[P4W_PRIORITIES])
{
	int i, lowest = 0;

	for (i = num; i < P4W_PRIORITIES; i++)
		cutoff[i] = 0;
	cutoff[0] = INT_MAX;
	for (i = 0; i < num; i++)
		if (cutoff[i] >= P4W_MSG_MAX)
			lowest = i;
	return max(lowest - 1, 0);
}

int homa_cutoffs_default(int num, int cutoff[P4W_PRIORITIES])
{
	int levels = clamp_t(int, num / 2, 1, ARRAY_SIZE(first_guess)), i;

	memset(cutoff, 0, P4W_PRIORITIES * sizeof(*cutoff));
	for (i = 0; i < levels; i++)
		cutoff[num - 1 - i] = first_guess[i];
	cutoff[num - levels] = P4W_MSG_MAX;
	return homa_cutoffs_fixed(num, cutoff);
}

/* What bytes of a message take from the network: headers are most of a short one. */
static u32 on_wire(u32 bytes)
{
	return bytes + DIV_ROUND_UP(bytes, PACKET) * HEADERS;
}

static u64 unasked(const u64 weight[HOMA_SIZES], u32 class, u32 unsched_bytes)
{
	return weight[class] * on_wire(min(homa_size_top(class), unsched_bytes));
}

static void sum_up(const u64 weight[HOMA_SIZES], u32 unsched_bytes, u64 *some, u64 *all)
{
	u32 i;

	*some = 0;
	*all = 0;
	for (i = 0; i < HOMA_SIZES; i++) {
		*some += unasked(weight, i, unsched_bytes);
		*all += weight[i] * on_wire(homa_size_top(i));
	}
}

/* Bits of a sum beyond those that leave room for factors below 2^16. A class counts to 2^34: in a u32 since the
 * last look, and what is left of those before.
 */
static u32 excess(u64 sum)
{
	return max(fls64(sum) - 48, 0);
}

/* How many levels unasked bytes get: their share, but enough for short messages to overtake what is
 * unasked of long ones; and one is left for granted ones.
 */
static int divide(u64 some, u64 all, int num, int levels)
{
	u32 shift = excess(all);
	u64 exact = div64_u64((some >> shift) * num * 1000, all >> shift);	/* thousandths of a level */

	if (num == 1)
		return 1;
	if (!levels || exact + KEEP_LEVELS < levels * 1000ull || exact > levels * 1000ull + KEEP_LEVELS)
		levels = div_u64(exact + 500, 1000);
	return clamp(levels, clamp(num / 2, 1, LEVELS_LEAST), num - 1);
}

int homa_cutoffs_compute(const u64 weight[HOMA_SIZES], u32 unsched_bytes, int num, int levels,
			 int cutoff[P4W_PRIORITIES])
{
	u64 some, all, level = 0;
	int left;
	u32 i;

	sum_up(weight, unsched_bytes, &some, &all);
	if (!some)
		return homa_cutoffs_default(num, cutoff);
	levels = divide(some, all, num, levels);
	memset(cutoff, 0, P4W_PRIORITIES * sizeof(*cutoff));
	left = levels;
	for (i = 0; i < HOMA_SIZES && left > 1; i++) {
		u64 more = unasked(weight, i, unsched_bytes);

		/* The class in which a level is full goes where the greater part of it belongs. What
		 * is not in this level, because a class is more than one, is for the others.
		 */
		if (level && level < some && (level + more / 2) * left >= some) {
			cutoff[num - 1 - levels + left] = homa_size_top(i - 1);
			some -= level;
			level = 0;
			left--;
		}
		level += more;
	}
	/* With fewer lengths than levels, the rest of them is for granted bytes too. */
	cutoff[num - 1 - levels + left] = P4W_MSG_MAX;
	return homa_cutoffs_fixed(num, cutoff);
}

static int level_of(const int cutoff[P4W_PRIORITIES], u32 length)
{
	int i;

	for (i = P4W_PRIORITIES - 1; i > 0; i--)
		if (cutoff[i] >= (int)length)
			break;
	return i;
}

bool homa_cutoffs_differ(const u64 weight[HOMA_SIZES], u32 unsched_bytes,
			 const int a[P4W_PRIORITIES], const int b[P4W_PRIORITIES])
{
	u64 some, all, moved = 0;
	u32 i, shift;

	sum_up(weight, unsched_bytes, &some, &all);
	shift = excess(some);
	for (i = 0; i < HOMA_SIZES; i++)
		if (level_of(a, homa_size_top(i)) != level_of(b, homa_size_top(i)))
			moved += unasked(weight, i, unsched_bytes);
	return (moved >> shift) * 1000 > (some >> shift) * MOVED_MAX;
}

/* ------------------------------------------------------------------ looking */

static void adopt(struct homa_cutoffs *c, const int cutoff[P4W_PRIORITIES], int max_sched_prio)
{
	int i;

	lockdep_assert_held(&c->lock);
	for (i = 0; i < P4W_PRIORITIES; i++)
		WRITE_ONCE(c->unsched_cutoffs[i], cutoff[i]);
	WRITE_ONCE(c->max_sched_prio, max_sched_prio);
	smp_wmb();	/* pairs with homa_queue_cutoffs() */
	/* 0 is what senders without cutoffs say. */
	WRITE_ONCE(c->cutoff_version, c->cutoff_version % U16_MAX + 1);
}

/* Adds what came since the last look. How many messages the sum stands for. */
static u64 collect(struct homa_cutoffs *c)
{
	u64 sum = 0;
	int cpu, i;

	for (i = 0; i < HOMA_SIZES; i++) {
		u32 now = 0;

		for_each_possible_cpu(cpu)
			now += READ_ONCE(per_cpu_ptr(c->sizes, cpu)->count[i]);
		c->weight[i] += now - c->last[i];
		c->last[i] = now;
		sum += c->weight[i];
	}
	return sum;
}

static void look(struct work_struct *work)
{
	struct homa_cutoffs *c = container_of(work, struct homa_cutoffs, look);
	u32 unsched_bytes = homa_knob(c->net, unsched_bytes);
	int cutoff[P4W_PRIORITIES], max_sched, levels, i;

	mutex_lock(&c->lock);
	if (c->is_fixed || collect(c) < ENOUGH)
		goto unlock;
	WRITE_ONCE(c->has_seen, true);
	levels = c->num_priorities - 1 - c->max_sched_prio;
	max_sched = homa_cutoffs_compute(c->weight, unsched_bytes, c->num_priorities, levels, cutoff);
	if (max_sched != c->max_sched_prio ||
	    homa_cutoffs_differ(c->weight, unsched_bytes, c->unsched_cutoffs, cutoff))
		adopt(c, cutoff, max_sched);
	for (i = 0; i < HOMA_SIZES; i++)
		c->weight[i] -= c->weight[i] / 4;
unlock:
	mutex_unlock(&c->lock);
}

void homa_cutoffs_look(struct homa_cutoffs *c)
{
	bool is_fixed = READ_ONCE(c->is_fixed);
	u32 ms = is_fixed || READ_ONCE(c->has_seen) ? HOMA_LOOK_MS : FIRST_LOOK_MS;

	/* Racy on purpose: two CPUs may come here, the work is queued once. */
	WRITE_ONCE(c->next, jiffies + msecs_to_jiffies(ms));
	if (!is_fixed)
		schedule_work(&c->look);
}

/* ------------------------------------------------------------------ knobs */

/* Reads, or checks what is written in a copy of the value; 0 and *copy are what was asked for. */
static int proc_copy(ctl_const struct ctl_table *table, int write, void *buffer, size_t *lenp,
		     loff_t *ppos, int copy[P4W_PRIORITIES])
{
	struct ctl_table shadow = *table;

	memcpy(copy, table->data, table->maxlen);
	shadow.data = copy;
	return proc_dointvec_minmax(&shadow, write, buffer, lenp, ppos);
}

static int proc_num_priorities(ctl_const struct ctl_table *table, int write, void *buffer,
			       size_t *lenp, loff_t *ppos)
{
	struct homa_cutoffs *c = container_of(table->data, struct homa_cutoffs, num_priorities);
	int num[P4W_PRIORITIES], cutoff[P4W_PRIORITIES], max_sched, err;

	mutex_lock(&c->lock);
	err = proc_copy(table, write, buffer, lenp, ppos, num);
	if (!err && write && num[0] != c->num_priorities) {
		memcpy(cutoff, c->unsched_cutoffs, sizeof(cutoff));
		if (c->is_fixed)
			max_sched = homa_cutoffs_fixed(num[0], cutoff);
		else
			max_sched = homa_cutoffs_compute(c->weight, homa_knob(c->net, unsched_bytes),
							 num[0], 0, cutoff);
		WRITE_ONCE(c->num_priorities, num[0]);
		adopt(c, cutoff, max_sched);
	}
	mutex_unlock(&c->lock);
	return err;
}

static int proc_unsched_cutoffs(ctl_const struct ctl_table *table, int write, void *buffer,
				size_t *lenp, loff_t *ppos)
{
	struct homa_cutoffs *c = container_of(table->data, struct homa_cutoffs, unsched_cutoffs[0]);
	int cutoff[P4W_PRIORITIES], max_sched, err;

	mutex_lock(&c->lock);
	err = proc_copy(table, write, buffer, lenp, ppos, cutoff);
	if (!err && write) {
		WRITE_ONCE(c->is_fixed, memchr_inv(cutoff, 0, sizeof(cutoff)));
		if (c->is_fixed)
			max_sched = homa_cutoffs_fixed(c->num_priorities, cutoff);
		else
			max_sched = homa_cutoffs_compute(c->weight, homa_knob(c->net, unsched_bytes),
							 c->num_priorities, 0, cutoff);
		adopt(c, cutoff, max_sched);
	}
	mutex_unlock(&c->lock);
	return err;
}

static int proc_priority_map(ctl_const struct ctl_table *table, int write, void *buffer,
			     size_t *lenp, loff_t *ppos)
{
	struct homa_cutoffs *c = container_of(table->data, struct homa_cutoffs, priority_map[0]);
	int map[P4W_PRIORITIES], err, i;

	mutex_lock(&c->lock);
	err = proc_copy(table, write, buffer, lenp, ppos, map);
	for (i = 0; !err && write && i < P4W_PRIORITIES; i++)
		WRITE_ONCE(c->priority_map[i], map[i]);
	mutex_unlock(&c->lock);
	return err;
}

/* Read only. */
#define proc_max_sched_prio	proc_dointvec
#define proc_cutoff_version	proc_dointvec

static const struct knob {
	const char *name;
	size_t offset;
	int count;
	int range[2];
	proc_handler *handler;
} knobs[] = {
#define X(name, count, unit, min, max, def, help) \
	{ #name, offsetof(struct homa_cutoffs, name), count, { min, max }, proc_##name },
	HOMA_KNOBS_PRIORITY(X)
#undef X
};

static int register_knobs(struct homa_cutoffs *c)
{
	bool writable = c->net->net->user_ns == &init_user_ns;
	int i;

	c->table = kcalloc(ARRAY_SIZE(knobs) + HOMA_SYSCTL_END, sizeof(*c->table), GFP_KERNEL);
	if (!c->table)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(knobs); i++)
		c->table[i] = (struct ctl_table){
			.procname = knobs[i].name,
			.data = (void *)c + knobs[i].offset,
			.maxlen = knobs[i].count * sizeof(int),
			.mode = writable && knobs[i].handler != proc_dointvec ? 0644 : 0444,
			.proc_handler = knobs[i].handler,
			.extra1 = (void *)&knobs[i].range[0],
			.extra2 = (void *)&knobs[i].range[1],
		};
	c->header = register_net_sysctl_sz(c->net->net, "net/homa", c->table,
					   ARRAY_SIZE(knobs));
	if (c->header)
		return 0;
	kfree(c->table);
	return -ENOMEM;
}

int homa_cutoffs_net_init(struct homa_net *hn)
{
	struct homa_cutoffs *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int i;

	if (!c)
		return -ENOMEM;
	c->sizes = alloc_percpu(struct homa_sizes);
	if (!c->sizes)
		goto free;
	c->net = hn;
	c->next = jiffies;
	mutex_init(&c->lock);
	INIT_WORK(&c->look, look);
	for (i = 0; i < P4W_PRIORITIES; i++)
		c->priority_map[i] = i;
	c->num_priorities = P4W_PRIORITIES;
	c->max_sched_prio = homa_cutoffs_default(P4W_PRIORITIES, c->unsched_cutoffs);
	c->cutoff_version = 1;
	if (register_knobs(c))
		goto free_sizes;
	hn->cutoffs = c;
	return 0;

free_sizes:
	free_percpu(c->sizes);
free:
	kfree(c);
	return -ENOMEM;
}

void homa_cutoffs_net_exit(struct homa_net *hn)
{
	struct homa_cutoffs *c = hn->cutoffs;

	unregister_net_sysctl_table(c->header);
	kfree(c->table);
	cancel_work_sync(&c->look);
	free_percpu(c->sizes);
	kfree(c);
}
