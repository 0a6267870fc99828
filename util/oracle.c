// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oracle.c - see oracle.h. Order of work: heads, fates, serials, accesses by key, graph, replay.
 *
 * Every step reports faults and goes on where it can, so that one run says all there is to say. After
 * a wrong value the model takes the value that was seen: one corruption is one fault, not one for
 * each transaction that reads it afterwards.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define FAULTS_SHOWN 10
#define EPOCH_SHIFT 24		/* a grant's serials start at epoch << 24 */

struct txn {
	const struct history *h;
	const struct history_commit *c;
	uint32_t before;		/* transactions that must come first and have not yet */
	uint32_t first_after;		/* index into after[] */
	uint32_t run;			/* serials of the same run follow each other without a gap */
};

struct access {				/* one operation, to be sorted by key and time */
	uint64_t epoch, order;
	uint32_t key, txn;
	uint8_t op;
	bool cold;
};

struct check {
	const struct history *h;
	unsigned int nodes;
	const struct trace *traces;
	FILE *out;
	struct oracle_stats *stats;
	struct txn *txns;
	uint32_t *serial;		/* transactions with a hot part, by serial */
	struct access *accesses;	/* by key, then time */
	uint32_t *after, *edges;	/* successors; edges: pairs, before they are sorted into after */
	uint32_t *place;		/* scratch of the graph */
	size_t nr_txns, nr_serial, nr_accesses, nr_edges;
	bool cut;			/* not all that was done is known */
};

__attribute__((format(printf, 2, 3)))
static void fault(struct check *k, const char *fmt, ...)
{
	va_list ap;

	if (k->stats->faults++ >= FAULTS_SHOWN)
		return;
	fputs("oracle: ", k->out);
	va_start(ap, fmt);
	vfprintf(k->out, fmt, ap);
	va_end(ap);
	putc('\n', k->out);
}

static const struct history_op *txn_ops(const struct txn *t)
{
	return t->h->ops + t->c->first;
}

static bool check_heads(struct check *k)
{
	const struct history_head *a = &k->h[0].head;

	for (unsigned int i = 0; i < k->nodes; i++) {
		const struct history_head *b = &k->h[i].head;

		if (b->node != i || b->nodes != k->nodes)
			fault(k, "history %u is of node %u of %u, must be of node %u of %u", i,
			      b->node, b->nodes, i, k->nodes);
		if (b->tenant != a->tenant || b->keys != a->keys || b->start != a->start)
			fault(k, "history %u is of tenant %u with %u keys (%s), node 0 of %u with %u (%s)",
			      i, b->tenant, b->keys, start_name(b->start), a->tenant, a->keys,
			      start_name(a->start));
		if (k->traces && k->traces[i].txns != b->txns)
			fault(k, "node %u: history is of %u transactions, the trace has %u", i,
			      b->txns, k->traces[i].txns);
	}
	return !k->stats->faults;
}

/* ------------------------------------------------------------------ fates: each exactly one */

static void count_fate(struct check *k, uint8_t *seen, const struct history *h, uint32_t number)
{
	if (number >= h->head.txns)
		fault(k, "node %u: transaction %u is not in the trace of %u", h->head.node, number,
		      h->head.txns);
	else if (seen[number]++)
		fault(k, "node %u: transaction %u has two fates", h->head.node, number);
}

static int check_fates(struct check *k, const struct history *h)
{
	uint8_t *seen = calloc(h->head.txns + 1, 1);

	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < h->nr_commits; i++)
		count_fate(k, seen, h, h->commits[i].number);
	for (size_t i = 0; i < h->nr_aborted; i++)
		count_fate(k, seen, h, h->aborted[i]);
	for (size_t i = 0; i < h->nr_unknown; i++) {
		count_fate(k, seen, h, h->unknown[i]);
		if (k->cut)
			continue;
		fault(k, "node %u: transaction %u is unknown, nothing after it can be judged",
		      h->head.node, h->unknown[i]);
	}
	for (uint32_t t = 0; t < h->head.txns; t++)
		if (!seen[t] && !k->cut)
			fault(k, "node %u: transaction %u is missing: neither committed nor "
			      "reported as aborted or unknown", h->head.node, t);
	free(seen);
	k->stats->aborted += h->nr_aborted;
	k->stats->unknown += h->nr_unknown;
	return 0;
}

static bool same_ops(const struct history_op *ops, unsigned int n, const struct trace *trace,
		     uint32_t number)
{
	const struct trace_op *want = trace_ops(trace, number);

	if (trace_len(trace, number) != n)
		return false;
	for (unsigned int i = 0; i < n; i++)
		if (ops[i].op.key != want[i].key || ops[i].op.kind != want[i].kind ||
		    ops[i].op.operand != want[i].operand)
			return false;
	return true;
}

static void check_ops(struct check *k, const struct history *h, const struct trace *trace)
{
	for (size_t i = 0; i < h->nr_commits; i++) {
		const struct history_commit *c = &h->commits[i];

		if (c->number < trace->txns &&
		    !same_ops(h->ops + c->first, c->n, trace, c->number))
			fault(k, "node %u: transaction %u did other operations than its trace says",
			      h->head.node, c->number);
	}
}

/* ------------------------------------------------------------------ serials */

static int by_serial(const void *a, const void *b, void *arg)
{
	const struct check *k = arg;
	uint64_t x = k->txns[*(const uint32_t *)a].c->serial;
	uint64_t y = k->txns[*(const uint32_t *)b].c->serial;

	return x < y ? -1 : x > y;
}

static void classify(struct check *k, uint32_t i)
{
	const struct txn *t = &k->txns[i];
	unsigned int hot = 0;

	for (unsigned int o = 0; o < t->c->n; o++)
		hot += txn_ops(t)[o].hot;
	k->stats->hot_ops += hot;
	if (!hot)
		k->stats->cold++;
	else if (hot == t->c->n)
		k->stats->hot++;
	else
		k->stats->mixed++;
	if (!hot != !t->c->serial)
		fault(k, "node %u: transaction %u has %u operations in the switch and serial %llu",
		      t->h->head.node, t->c->number, hot, (unsigned long long)t->c->serial);
	if (hot && t->c->serial >> EPOCH_SHIFT < t->c->epoch)
		fault(k, "node %u: transaction %u has serial %llu, which is not of epoch %llu",
		      t->h->head.node, t->c->number, (unsigned long long)t->c->serial,
		      (unsigned long long)t->c->epoch);
	if (hot)
		k->serial[k->nr_serial++] = i;
}

/* Serials of the epoch that nobody has seen, as the nodes say that had its values from the logs. */
static uint64_t unseen_in(struct check *k, uint64_t epoch)
{
	const struct history_logs *first = NULL;

	for (unsigned int i = 0; i < k->nodes; i++)
		for (size_t l = 0; l < k->h[i].nr_logs; l++) {
			const struct history_logs *it = &k->h[i].logs[l];

			if (it->epoch != epoch)
				continue;
			first = first ? first : it;
			if (it->unseen != first->unseen)
				fault(k, "node %u: the logs of epoch %llu lack %llu serials that nobody "
				      "has seen, those of another node %llu", i,
				      (unsigned long long)epoch, (unsigned long long)it->unseen,
				      (unsigned long long)first->unseen);
		}
	return first ? first->unseen : 0;
}

static void check_serials(struct check *k)
{
	uint64_t unseen = 0;

	for (size_t i = 0; i < k->nr_txns; i++)
		classify(k, i);
	qsort_r(k->serial, k->nr_serial, sizeof(*k->serial), by_serial, k);
	for (size_t i = 0; i < k->nr_serial; i++) {
		struct txn *t = &k->txns[k->serial[i]];
		const struct txn *p = i ? &k->txns[k->serial[i - 1]] : NULL;
		bool same = p && p->c->epoch == t->c->epoch;
		uint64_t missing = same && t->c->serial > p->c->serial ?
				   t->c->serial - p->c->serial - 1 : 0;

		if (!same)
			unseen = unseen_in(k, t->c->epoch);
		t->run = p ? p->run + !(same && p->c->serial + 1 == t->c->serial) : 0;
		if (p && p->c->epoch > t->c->epoch)
			fault(k, "serial %llu of epoch %llu is above serial %llu of epoch %llu",
			      (unsigned long long)p->c->serial, (unsigned long long)p->c->epoch,
			      (unsigned long long)t->c->serial, (unsigned long long)t->c->epoch);
		else if (!same)
			k->stats->epochs++;
		else if (p->c->serial == t->c->serial)
			fault(k, "serial %llu twice: node %u transaction %u, node %u transaction %u",
			      (unsigned long long)t->c->serial, p->h->head.node, p->c->number,
			      t->h->head.node, t->c->number);
		else if (missing > unseen && !k->cut)
			fault(k, "serials %llu .. %llu of epoch %llu are missing",
			      (unsigned long long)p->c->serial + 1,
			      (unsigned long long)t->c->serial - 1,
			      (unsigned long long)t->c->epoch);
		else
			unseen -= missing < unseen ? missing : unseen;
	}
}

/* ------------------------------------------------------------------ accesses by key */

static int by_time(const void *a, const void *b)
{
	const struct access *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	if (x->cold != y->cold)
		return x->cold ? 1 : -1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void collect_accesses(struct check *k)
{
	for (size_t i = 0; i < k->nr_txns; i++) {
		const struct txn *t = &k->txns[i];

		for (unsigned int o = 0; o < t->c->n; o++) {
			const struct history_op *op = &txn_ops(t)[o];

			k->accesses[k->nr_accesses++] = (struct access){
				.key = op->op.key,
				.epoch = op->hot ? t->c->epoch : op->epoch,
				.order = op->hot ? t->c->serial : op->version,
				.cold = !op->hot,
				.txn = i,
				.op = o,
			};
		}
	}
	qsort(k->accesses, k->nr_accesses, sizeof(*k->accesses), by_time);
}

/* In order of time the versions of a key must be 1, 2, 3 ... */
static void check_versions(struct check *k)
{
	uint64_t version = 0;

	for (size_t i = 0; i < k->nr_accesses; i++) {
		const struct access *a = &k->accesses[i];
		const struct txn *t = &k->txns[a->txn];

		if (!i || a[-1].key != a->key)
			version = 0;
		if (!a->cold)
			continue;
		if (k->cut ? a->order <= version : a->order != version + 1)
			fault(k, "node %u transaction %u: key %u has version %llu after epoch %llu, "
			      "must be %llu", t->h->head.node, t->c->number, a->key,
			      (unsigned long long)a->order, (unsigned long long)a->epoch,
			      (unsigned long long)version + 1);
		version = a->order;
	}
}

/* ------------------------------------------------------------------ graph and replay */

static void add_edge(struct check *k, uint32_t first, uint32_t then)
{
	if (first == then)
		return;
	k->edges[2 * k->nr_edges] = first;
	k->edges[2 * k->nr_edges + 1] = then;
	k->nr_edges++;
	k->txns[then].before++;
}

static void build_graph(struct check *k)
{
	uint32_t sum = 0;

	for (size_t i = 1; i < k->nr_serial; i++)
		add_edge(k, k->serial[i - 1], k->serial[i]);
	for (size_t i = 1; i < k->nr_accesses; i++)
		if (k->accesses[i - 1].key == k->accesses[i].key)
			add_edge(k, k->accesses[i - 1].txn, k->accesses[i].txn);
	for (size_t e = 0; e < k->nr_edges; e++)
		k->place[k->edges[2 * e]]++;
	for (size_t i = 0; i < k->nr_txns; i++) {
		k->txns[i].first_after = sum;
		sum += k->place[i];
		k->place[i] = k->txns[i].first_after;
	}
	k->txns[k->nr_txns].first_after = sum;
	for (size_t e = 0; e < k->nr_edges; e++)
		k->after[k->place[k->edges[2 * e]]++] = k->edges[2 * e + 1];
}

/* Writes a possible serial order to place[]; returns how many transactions are in it. */
static size_t sort_graph(struct check *k)
{
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < k->nr_txns; i++)
		if (!k->txns[i].before)
			k->place[tail++] = i;
	while (head < tail) {
		uint32_t i = k->place[head++];

		for (uint32_t e = k->txns[i].first_after; e < k->txns[i + 1].first_after; e++)
			if (!--k->txns[k->after[e]].before)
				k->place[tail++] = k->after[e];
	}
	return tail;
}

static void report_cycle(struct check *k, size_t sorted)
{
	char text[160] = "";

	for (size_t i = 0, shown = 0; i < k->nr_txns && shown < 4; i++) {
		const struct txn *t = &k->txns[i];

		if (t->before && ++shown)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
				 "%s node %u transaction %u", shown > 1 ? "," : "",
				 t->h->head.node, t->c->number);
	}
	fault(k, "not serialisable: %zu transactions are in or behind a cycle, e.g.%s",
	      k->nr_txns - sorted, text);
}

struct model {				/* of one key */
	uint32_t key, value, accesses;
	bool checked;
};

static uint32_t start_of(const struct check *k, uint32_t key)
{
	return start_value(k->h[0].head.start, k->h[0].head.keys, key);
}

static int by_key(const void *a, const void *b)
{
	uint32_t x = ((const struct model *)a)->key, y = ((const struct model *)b)->key;

	return x < y ? -1 : x > y;
}

static struct model *make_model(const struct check *k, size_t *n)
{
	struct model *m = calloc(k->nr_accesses + 1, sizeof(*m));

	*n = 0;
	for (size_t i = 0; m && i < k->nr_accesses; i++) {
		const struct access *a = &k->accesses[i];

		if (!i || a[-1].key != a->key)
			m[(*n)++] = (struct model){ .key = a->key,
						    .value = start_of(k, a->key) };
		m[*n - 1].accesses += a->cold;
	}
	return m;
}

static struct model *model_of(struct model *m, size_t n, uint32_t key)
{
	struct model want = { .key = key };

	return bsearch(&want, m, n, sizeof(*m), by_key);
}

/* What an operation leaves in its key. */
static uint32_t left_by(const struct txn *t, unsigned int op)
{
	const struct history_op *ops = txn_ops(t);
	uint32_t sum = 0;

	for (unsigned int o = 0; o < op; o++)
		if (ops[o].op.kind & TRACE_SOURCE)
			sum += ops[o].got;
	return p4a_apply(ops[op].op.kind, ops[op].op.operand, ops[op].got, sum);
}

static void replay(struct check *k, struct model *m, size_t n)
{
	for (size_t i = 0; i < k->nr_txns; i++) {
		const struct txn *t = &k->txns[k->place[i]];

		for (unsigned int o = 0; o < t->c->n; o++) {
			const struct history_op *op = &txn_ops(t)[o];
			struct model *cell = model_of(m, n, op->op.key);

			k->stats->values++;
			if (cell->value != op->got)
				fault(k, "node %u transaction %u operation %u (%c, %s): key %u had "
				      "value %u, must be %u", t->h->head.node, t->c->number, o,
				      trace_kind_letter(op->op.kind),
				      op->hot ? "in the switch" : "in the store", op->op.key,
				      op->got, cell->value);
			cell->value = left_by(t, o);
		}
	}
}

static void check_final(struct check *k, const struct history *h, const struct history_key *f,
			struct model *cell)
{
	uint32_t value = cell ? cell->value : start_of(k, f->key);
	uint32_t accesses = cell ? cell->accesses : 0;

	k->stats->values++;
	if (f->key % k->nodes != h->head.node)
		fault(k, "node %u: final value of key %u, which is not its own", h->head.node,
		      f->key);
	if (cell && cell->checked)
		fault(k, "node %u: final value of key %u twice", h->head.node, f->key);
	if (f->value != value)
		fault(k, "final value: key %u (node %u) has value %u, must be %u", f->key,
		      h->head.node, f->value, value);
	if (f->version != accesses)
		fault(k, "final value: key %u (node %u) was accessed %u times in the store, the "
		      "histories have %u", f->key, h->head.node, f->version, accesses);
	if (cell)
		cell->checked = true;
}

static void check_finals(struct check *k, struct model *m, size_t n)
{
	for (unsigned int i = 0; i < k->nodes; i++)
		for (size_t f = 0; f < k->h[i].nr_finals; f++)
			check_final(k, &k->h[i], &k->h[i].finals[f],
				    model_of(m, n, k->h[i].finals[f].key));
	for (size_t i = 0; i < n; i++)
		if (!m[i].checked)
			fault(k, "final value of key %u is missing at node %u", m[i].key,
			      m[i].key % k->nodes);
}

/* Nobody can have had the key between these two, whatever is not known. */
static bool is_next(const struct check *k, const struct access *a, const struct access *b)
{
	if (a->key != b->key || a->epoch != b->epoch || a->cold != b->cold)
		return false;
	return a->cold ? b->order == a->order + 1 : k->txns[a->txn].run == k->txns[b->txn].run;
}

static void check_neighbours(struct check *k)
{
	for (size_t i = 0; i < k->nr_accesses; i++) {
		const struct access *a = &k->accesses[i];
		const struct txn *t = &k->txns[a->txn];
		uint32_t got = txn_ops(t)[a->op].got, want;

		if (i && is_next(k, a - 1, a))
			want = left_by(&k->txns[a[-1].txn], a[-1].op);
		else if (a->cold && a->order == 1 && !a->epoch)
			want = start_of(k, a->key);
		else
			continue;
		k->stats->values++;
		if (got != want)
			fault(k, "node %u transaction %u operation %u: key %u had value %u, must be %u",
			      t->h->head.node, t->c->number, a->op, a->key, got, want);
	}
}

static int check_values(struct check *k)
{
	struct model *m;
	size_t n, sorted;

	collect_accesses(k);
	check_versions(k);
	build_graph(k);
	sorted = sort_graph(k);
	if (sorted < k->nr_txns) {
		report_cycle(k, sorted);
		return 0;
	}
	if (k->cut) {
		check_neighbours(k);
		return 0;
	}
	m = make_model(k, &n);
	if (!m)
		return -ENOMEM;
	replay(k, m, n);
	check_finals(k, m, n);
	free(m);
	return 0;
}

/* ------------------------------------------------------------------ entry */

static int allocate(struct check *k)
{
	size_t txns = 0, ops = 0, edges;

	for (unsigned int i = 0; i < k->nodes; i++) {
		txns += k->h[i].nr_commits;
		ops += k->h[i].nr_ops;
	}
	edges = txns + ops + 1;
	k->txns = calloc(txns + 1, sizeof(*k->txns));
	k->serial = calloc(txns + 1, sizeof(*k->serial));
	k->place = calloc(txns + 1, sizeof(*k->place));
	k->accesses = calloc(ops + 1, sizeof(*k->accesses));
	k->edges = calloc(2 * edges, sizeof(*k->edges));
	k->after = calloc(edges, sizeof(*k->after));
	if (!k->txns || !k->serial || !k->place || !k->accesses || !k->edges || !k->after)
		return -ENOMEM;
	for (unsigned int i = 0; i < k->nodes; i++)
		for (size_t c = 0; c < k->h[i].nr_commits; c++)
			k->txns[k->nr_txns++] = (struct txn){ .h = &k->h[i],
							      .c = &k->h[i].commits[c] };
	k->stats->transactions = txns;
	return 0;
}

static void release(struct check *k)
{
	free(k->txns);
	free(k->serial);
	free(k->place);
	free(k->accesses);
	free(k->edges);
	free(k->after);
}

int oracle_check(const struct history *h, unsigned int nodes, const struct trace *traces, FILE *out,
		 struct oracle_stats *stats)
{
	struct check k = { .h = h, .nodes = nodes, .traces = traces, .out = out, .stats = stats };
	int rc = 0;

	*stats = (struct oracle_stats){ 0 };
	if (!check_heads(&k))
		return -EINVAL;
	for (unsigned int i = 0; i < nodes; i++)
		k.cut |= h[i].cut;
	for (unsigned int i = 0; i < nodes && !rc; i++) {
		rc = check_fates(&k, &h[i]);
		if (traces)
			check_ops(&k, &h[i], &traces[i]);
	}
	if (!rc)
		rc = allocate(&k);
	if (!rc) {
		check_serials(&k);
		rc = check_values(&k);
	}
	release(&k);
	if (stats->faults > FAULTS_SHOWN)
		fprintf(out, "oracle: ... and %lu more\n", stats->faults - FAULTS_SHOWN);
	return rc ? rc : stats->faults ? -EINVAL : 0;
}
