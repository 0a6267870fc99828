// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - what a program's names and instructions must satisfy before the pipeline sees it: its
 * own errors name no line, and three things it takes silently and executes wrongly (see spec.h).
 * Pure: reads and completes a struct spec, nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

#define NO_PORT	"P4SWITCH_NO_PORT"	/* label of the drop that bad ports are sent to */

enum {
	ENDS	= 1,	/* the next instruction is not executed */
	YIELDS	= 2,	/* another packet's instructions may run here */
	APPLY	= 4,	/* only in apply */
	ACTION	= 8,	/* only in an action */
};

/*
 * Operands: D field of a header or of metadata, F any field, S any field or a number, M field of
 * metadata, P port: M or a number, H header, R register array, T table, A action, L label
 */
static const struct op {
	char name[12];
	char operands[4];
	int flags;
} ops[] = {
	{ "rx", "M", YIELDS | APPLY },	{ "table", "T", YIELDS | APPLY },
	{ "tx", "P", ENDS | APPLY },	{ "drop", "", ENDS | APPLY },
	{ "extract", "H", APPLY },	{ "emit", "H", APPLY },
	{ "validate", "H", 0 },		{ "invalidate", "H", 0 },
	{ "mov", "DS", 0 },		{ "add", "DS", 0 },	{ "sub", "DS", 0 },
	{ "and", "DS", 0 },		{ "or", "DS", 0 },	{ "xor", "DS", 0 },
	{ "shl", "DS", 0 },		{ "shr", "DS", 0 },
	{ "regrd", "DRS", 0 },		{ "regwr", "RSS", 0 },	{ "regadd", "RSS", 0 },
	{ "jmp", "L", ENDS },		{ "jmpv", "LH", 0 },	{ "jmpnv", "LH", 0 },
	{ "jmph", "L", APPLY },		{ "jmpnh", "L", APPLY },
	{ "jmpa", "LA", APPLY },	{ "jmpna", "LA", APPLY },
	{ "jmpeq", "LFS", 0 },		{ "jmpneq", "LFS", 0 },
	{ "jmplt", "LFS", 0 },		{ "jmpgt", "LFS", 0 },
	{ "return", "", ENDS | ACTION },
};

static const struct op *find_op(const char *name)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	return NULL;
}

static bool is_number(const char *text)
{
	char *end;

	strtoull(text, &end, 0);
	return text[0] >= '0' && text[0] <= '9' && !*end;
}

static bool struct_has(const struct spec *spec, const char *type, const char *field)
{
	const struct spec_struct *s = spec_struct(spec, type);

	for (size_t i = 0; s && i < s->nr_fields; i++)
		if (!strcmp(s->fields[i].name, field))
			return true;
	return false;
}

static const struct spec_header *find_header(const struct spec *spec, const char *name, size_t n)
{
	for (size_t i = 0; i < spec->nr_headers; i++)
		if (strlen(spec->headers[i].name) == n && !strncmp(spec->headers[i].name, name, n))
			return &spec->headers[i];
	return NULL;
}

/* h.HEADER.FIELD, m.FIELD, or in an action t.FIELD */
static bool is_field(const struct spec *spec, const struct spec_action *action, const char *text)
{
	const struct spec_header *h;
	size_t n;

	if (!strncmp(text, "m.", 2))
		return struct_has(spec, spec->metadata, text + 2);
	if (!strncmp(text, "t.", 2))
		return action && struct_has(spec, action->args, text + 2);
	if (strncmp(text, "h.", 2))
		return false;
	n = strcspn(text + 2, ".");
	h = find_header(spec, text + 2, n);
	return h && text[2 + n] && struct_has(spec, h->type, text + 2 + n + 1);
}

/* Index of the instruction that has this label, or -1. */
static int find_label(const struct spec_code *code, const char *label)
{
	for (size_t i = 0; i < code->nr; i++)
		if (!strcmp(code->instr[i].label, label))
			return i;
	return -1;
}

/* What an operand of this kind must be, if `text` is not it; else NULL. */
static const char *wrong_operand(const struct spec *spec, const struct spec_action *action,
				 const struct spec_code *code, char kind, const char *text)
{
	bool field = is_field(spec, action, text);

	switch (kind) {
	case 'D':
		return field && text[0] != 't' ? NULL : "a field of a header or of metadata";
	case 'F':
		return field ? NULL : "a field";
	case 'S':
		return field || is_number(text) ? NULL : "a field or a number";
	case 'M':
		return field && text[0] == 'm' ? NULL : "a field of metadata";
	case 'P':
		return (field && text[0] == 'm') || is_number(text) ? NULL :
			"a field of metadata or a number";
	case 'H':
		return !strncmp(text, "h.", 2) && find_header(spec, text + 2, strlen(text + 2)) ?
			NULL : "a header";
	case 'R':
		return spec_array(spec, text) ? NULL : "a register array";
	case 'T':
		return spec_table(spec, text) ? NULL : "a table";
	case 'A':
		return spec_action(spec, text) ? NULL : "an action";
	default:
		return find_label(code, text) >= 0 ? NULL : "a label in this block";
	}
}

static int check_instr(const struct spec *spec, const struct spec_action *action,
		       const struct spec_code *code, const struct spec_instr *i, char *err)
{
	const struct op *op = find_op(i->token[0]);

	if (!op)
		return spec_error(spec, i->line, err, "'%s' is not known", i->token[0]);
	if (i->nr_tokens - 1 != (int)strlen(op->operands))
		return spec_error(spec, i->line, err, "'%s' takes %zu operands, not %d", op->name,
				  strlen(op->operands), i->nr_tokens - 1);
	if (op->flags & (action ? APPLY : ACTION))
		return spec_error(spec, i->line, err, "'%s' cannot stand in %s", op->name,
				  action ? "an action" : "apply");
	for (int n = 0; op->operands[n]; n++) {
		const char *text = i->token[n + 1];
		const char *want = wrong_operand(spec, action, code, op->operands[n], text);

		if (want)
			return spec_error(spec, i->line, err, "'%s' is not %s", text, want);
	}
	if (op->operands[0] == 'R' && is_number(i->token[2]) && is_number(i->token[3]))
		return spec_error(spec, i->line, err,
				  "%s with constant index and constant value "
				  "would go to another array: one of them must be a field",
				  op->name);
	return 0;
}

static int check_code(const struct spec *spec, const struct spec_action *action,
		      const struct spec_code *code, int line, char *err)
{
	int ret = 0;

	if (!code->nr)
		return spec_error(spec, line, err, "no instructions");
	for (size_t i = 0; i < code->nr && !ret; i++) {
		const struct spec_instr *instr = &code->instr[i];

		if (instr->label[0] && find_label(code, instr->label) != (int)i)
			return spec_error(spec, instr->line, err, "label '%s' is defined twice",
					  instr->label);
		ret = check_instr(spec, action, code, instr, err);
	}
	if (!ret && !(find_op(code->instr[code->nr - 1].token[0])->flags & ENDS))
		ret = spec_error(spec, code->instr[code->nr - 1].line, err,
				 "the block goes on behind its last instruction");
	return ret;
}

static bool table_has(const struct spec_table *t, const char *action)
{
	for (size_t i = 0; i < t->nr_actions; i++)
		if (!strcmp(t->actions[i], action))
			return true;
	return false;
}

static int check_table(const struct spec *spec, const struct spec_table *t, char *err)
{
	if (!t->nr_keys)
		return spec_error(spec, t->line, err, "table '%s' has no key", t->name);
	if (!t->default_action[0])
		return spec_error(spec, t->line, err, "table '%s' has no default_action", t->name);
	for (size_t i = 0; i < t->nr_keys; i++) {
		const struct spec_key *k = &t->keys[i];

		if (!is_field(spec, NULL, k->field))
			return spec_error(spec, k->line, err, "'%s' is not a field", k->field);
		if (strcmp(k->match, "exact"))
			return spec_error(spec, k->line, err, "match is '%s', must be exact",
					  k->match);
	}
	for (size_t i = 0; i < t->nr_actions; i++)
		if (!spec_action(spec, t->actions[i]))
			return spec_error(spec, t->line, err, "'%s' is not an action",
					  t->actions[i]);
	if (!table_has(t, t->default_action))
		return spec_error(spec, t->line, err, "default_action '%s' is not in the list",
				  t->default_action);
	if (spec_action(spec, t->default_action)->args[0])
		return spec_error(spec, t->line, err, "default_action '%s' takes arguments",
				  t->default_action);
	return 0;
}

static int check_names(const struct spec *spec, char *err)
{
	int ret = 0;

	if (!spec_struct(spec, spec->metadata))
		return spec_error(spec, spec->metadata_line, err, "'%s' is not a struct",
				  spec->metadata);
	for (size_t i = 0; i < spec->nr_headers; i++)
		if (!spec_struct(spec, spec->headers[i].type))
			return spec_error(spec, spec->headers[i].line, err, "'%s' is not a struct",
					  spec->headers[i].type);
	for (size_t i = 0; i < spec->nr_actions && !ret; i++) {
		const struct spec_action *a = &spec->actions[i];

		if (a->args[0] && !spec_struct(spec, a->args))
			return spec_error(spec, a->line, err, "'%s' is not a struct", a->args);
		ret = check_code(spec, a, &a->code, a->line, err);
	}
	for (size_t i = 0; i < spec->nr_tables && !ret; i++)
		ret = check_table(spec, &spec->tables[i], err);
	if (!ret)
		ret = check_code(spec, NULL, &spec->apply, 1, err);
	if (!ret && strcmp(spec->apply.instr[0].token[0], "rx"))
		ret = spec_error(spec, spec->apply.instr[0].line, err, "apply must begin with rx");
	for (size_t i = 1; i < spec->apply.nr && !ret; i++)
		if (!strcmp(spec->apply.instr[i].token[0], "rx"))
			ret = spec_error(spec, spec->apply.instr[i].line, err, "a second rx");
	return ret;
}

/* ------------------------------------------------- reads that are stale when written back */

/* Arrays read on some way to an instruction: since, or before, another packet may have run. */
struct reads {
	uint64_t fresh[4], stale[4];
};

struct flow {
	const struct spec *spec;
	struct reads *in;		/* of each instruction: apply first, then each action */
	size_t *todo, nr_todo;
	bool *queued;
};

static void flow_to(struct flow *f, size_t node, const struct reads *r)
{
	struct reads *in = &f->in[node];
	bool more = false;

	for (int i = 0; i < 4; i++) {
		more |= (r->fresh[i] & ~in->fresh[i]) || (r->stale[i] & ~in->stale[i]);
		in->fresh[i] |= r->fresh[i];
		in->stale[i] |= r->stale[i];
	}
	if (more && !f->queued[node]) {
		f->queued[node] = true;
		f->todo[f->nr_todo++] = node;
	}
}

static size_t action_base(const struct spec *spec, const struct spec_action *a)
{
	size_t base = spec->apply.nr;

	for (const struct spec_action *p = spec->actions; p < a; p++)
		base += p->code.nr;
	return base;
}

/* The block that node `n` is in; `action` NULL: apply. */
static const struct spec_code *block_of(const struct spec *spec, size_t n, size_t *base,
					const struct spec_action **action)
{
	*base = 0;
	*action = NULL;
	if (n < spec->apply.nr)
		return &spec->apply;
	for (*action = spec->actions; ; ++*action) {
		*base = action_base(spec, *action);
		if (n < *base + (*action)->code.nr)
			return &(*action)->code;
	}
}

/* An action returns behind each table that can run it. */
static void flow_back(struct flow *f, const struct spec_action *action, const struct reads *r)
{
	for (size_t i = 0; i < f->spec->apply.nr; i++) {
		const struct spec_instr *instr = &f->spec->apply.instr[i];

		if (!strcmp(instr->token[0], "table") &&
		    table_has(spec_table(f->spec, instr->token[1]), action->name))
			flow_to(f, i + 1, r);
	}
}

static void flow_on(struct flow *f, size_t n, const struct reads *r)
{
	const struct spec_action *action;
	size_t base;
	const struct spec_code *code = block_of(f->spec, n, &base, &action);
	const struct spec_instr *i = &code->instr[n - base];
	const struct op *op = find_op(i->token[0]);

	if (op->operands[0] == 'L')
		flow_to(f, base + find_label(code, i->token[1]), r);
	if (op->operands[0] == 'T') {
		const struct spec_table *t = spec_table(f->spec, i->token[1]);

		for (size_t a = 0; a < t->nr_actions; a++)
			flow_to(f, action_base(f->spec, spec_action(f->spec, t->actions[a])), r);
	} else if (!(op->flags & ENDS)) {
		flow_to(f, n + 1, r);
	} else if (op->flags & ACTION) {
		flow_back(f, action, r);
	}
}

/* Sets *bit and returns the word of the array that regrd or regwr names. */
static int array_bit(const struct spec *spec, const char *name, uint64_t *bit)
{
	size_t n = spec_array(spec, name) - spec->arrays;

	*bit = 1ull << (n % 64);
	return n / 64;
}

static int flow_through(struct flow *f, size_t n, char *err)
{
	const struct spec_action *action;
	struct reads r = f->in[n];
	size_t base;
	const struct spec_code *code = block_of(f->spec, n, &base, &action);
	const struct spec_instr *i = &code->instr[n - base];
	uint64_t bit;
	int word;

	if (find_op(i->token[0])->flags & YIELDS) {
		for (word = 0; word < 4; word++) {
			r.stale[word] |= r.fresh[word];
			r.fresh[word] = 0;
		}
	} else if (!strcmp(i->token[0], "regrd")) {
		word = array_bit(f->spec, i->token[2], &bit);
		r.fresh[word] |= bit;
		r.stale[word] &= ~bit;
	} else if (!strcmp(i->token[0], "regwr")) {
		word = array_bit(f->spec, i->token[1], &bit);
		if (r.stale[word] & bit)
			return spec_error(f->spec, i->line, err, "'%s' was read before a table: "
					  "another packet may have changed it since", i->token[1]);
	}
	flow_on(f, n, &r);
	return 0;
}

static int check_atomic(const struct spec *spec, char *err)
{
	struct reads none = { };
	struct flow f = { .spec = spec };
	size_t nr = action_base(spec, spec->actions + spec->nr_actions);
	int ret = 0;

	f.in = calloc(nr, sizeof(*f.in));
	f.todo = calloc(nr, sizeof(*f.todo));
	f.queued = calloc(nr, sizeof(*f.queued));
	if (!f.in || !f.todo || !f.queued)
		abort();
	/* every instruction once, whether or not anything flows to it */
	for (size_t n = nr; n-- > 0; ) {
		f.queued[n] = true;
		f.todo[f.nr_todo++] = n;
		flow_to(&f, n, &none);
	}
	while (f.nr_todo && !ret) {
		size_t n = f.todo[--f.nr_todo];

		f.queued[n] = false;
		ret = flow_through(&f, n, err);
	}
	free(f.in);
	free(f.todo);
	free(f.queued);
	return ret;
}

/* ------------------------------------------------- ports that do not exist */

static void insert_instr(struct spec_code *code, size_t at, int line, const char *label,
			 const char *const token[], int nr_tokens)
{
	struct spec_instr *i;

	spec_grow((void **)&code->instr, &code->nr, sizeof(*code->instr));
	i = &code->instr[at];
	memmove(i + 1, i, (code->nr - 1 - at) * sizeof(*i));
	memset(i, 0, sizeof(*i));
	i->line = line;
	strcpy(i->label, label);
	for (i->nr_tokens = 0; i->nr_tokens < nr_tokens; i->nr_tokens++)
		strcpy(i->token[i->nr_tokens], token[i->nr_tokens]);
}

/* In front of the emits, which the pipeline joins with tx to one instruction. */
static int guard_tx(struct spec *spec, size_t *tx, unsigned int nr_ports, char *err)
{
	struct spec_code *code = &spec->apply;
	size_t at = *tx;
	char last[SPEC_NAME], label[SPEC_NAME];
	const char *port = code->instr[at].token[1];

	if (is_number(port)) {
		if (strtoull(port, NULL, 0) >= nr_ports)
			return spec_error(spec, code->instr[at].line, err,
					  "port %s, must be 0 .. %u", port, nr_ports - 1);
		return 0;
	}
	while (!code->instr[at].label[0] && !strcmp(code->instr[at - 1].token[0], "emit"))
		at--;
	snprintf(last, sizeof(last), "%u", nr_ports - 1);
	strcpy(label, code->instr[at].label);
	code->instr[at].label[0] = 0;
	insert_instr(code, at, code->instr[at].line, label,
		     (const char *[]){ "jmpgt", NO_PORT, strdupa(port), last }, 4);
	++*tx;
	return 0;
}

int spec_check(struct spec *spec, unsigned int nr_ports, char err[SPEC_ERR])
{
	bool guarded = false;
	int ret;

	ret = check_names(spec, err);
	if (!ret)
		ret = check_atomic(spec, err);
	for (size_t i = 1; i < spec->apply.nr && !ret; i++)
		if (!strcmp(spec->apply.instr[i].token[0], "tx")) {
			ret = guard_tx(spec, &i, nr_ports, err);
			guarded = true;
		}
	if (!ret && guarded) {
		if (find_label(&spec->apply, NO_PORT) >= 0)
			return spec_error(spec, 1, err, "the label %s is p4switch's own", NO_PORT);
		insert_instr(&spec->apply, spec->apply.nr, 0, NO_PORT, (const char *[]){ "drop" },
			     1);
	}
	return ret;
}
