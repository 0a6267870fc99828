// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * command.c - parse, check, run, answer. parse_*() fill a struct command and touch nothing; run_*()
 * cannot fail on what was checked, but for a table that is full.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "command.h"
#include "describe.h"
#include "field.h"
#include "json_base64.h"
#include "p4wire.h"

#define BATCH	1024	/* commands in one */

struct command;

struct verb {
	const char *name;
	int (*parse)(struct target *t, struct json_object *o, struct command *c, struct failure *f);
	int (*run)(struct target *t, struct command *c, struct json_object *answer,
		   struct failure *f);
	const char *fields;	/* that it knows, besides cmd and id: " a b " */
	int writes;
};

struct command {
	const struct verb *verb;
	const struct spec_array *array[P4W_MAX_REGISTERS];
	unsigned int nr_arrays;	/* several: all registers, one after the other at each index */
	uint32_t nr;
	uint32_t *index;
	uint64_t *value;	/* to be written; NULL: none */
	bool base64;		/* what is read */
	uint8_t mac[6];
	unsigned int port;
	struct command *batch;
	uint32_t nr_batch;
};

static int need_array(struct target *t, struct json_object *o, struct command *c,
		      struct failure *f)
{
	const char *name = need_string(o, "array", f);

	if (!name)
		return -EINVAL;
	if (!strcmp(name, "r*")) {
		c->nr_arrays = spec_registers(t->spec, c->array, P4W_MAX_REGISTERS);
		if (c->nr_arrays > P4W_MAX_REGISTERS)
			return fail(f, "array", "has more than %d registers", P4W_MAX_REGISTERS);
	} else {
		c->array[0] = spec_declared(t->spec, name);
		c->nr_arrays = !!c->array[0];
	}
	if (!c->nr_arrays)
		return fail(f, "array", "the program has no register array '%.40s'", name);
	return 0;
}

/* `index` and `count` */
static int parse_span(struct json_object *o, struct command *c, uint64_t count, struct failure *f)
{
	uint32_t size = c->array[0]->size;
	uint64_t index;

	if (need_uint(o, "index", 0, size - 1, &index, f))
		return -EINVAL;
	if (!count && need_uint(o, "count", 1, COMMAND_CELLS / c->nr_arrays, &count, f))
		return -EINVAL;
	if (count > size - index)
		return fail(f, "count", "from index %llu, must be 1 .. %llu",
			    (unsigned long long)index, (unsigned long long)(size - index));
	c->nr = count;
	c->index = calloc(count, sizeof(*c->index));
	for (uint64_t i = 0; i < count; i++)
		c->index[i] = index + i;
	return 0;
}

static int parse_indexes(struct json_object *o, struct command *c, struct failure *f)
{
	struct json_object *list = need_list(o, "indexes", COMMAND_CELLS / c->nr_arrays, f);
	uint64_t index;

	if (!list)
		return -EINVAL;
	c->nr = json_object_array_length(list);
	c->index = calloc(c->nr, sizeof(*c->index));
	for (uint32_t i = 0; i < c->nr; i++) {
		if (get_uint(json_object_array_get_idx(list, i), "indexes", 0,
			     c->array[0]->size - 1, &index, f))
			return -EINVAL;
		c->index[i] = index;
	}
	return 0;
}

/* The cells that are meant: `indexes`, or `index` and as many as `count` (0: the field) says. */
static int parse_cells(struct json_object *o, struct command *c, uint64_t count, struct failure *f)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, "indexes", &v))
		return parse_span(o, c, count, f);
	if (json_object_object_get_ex(o, "index", &v) || json_object_object_get_ex(o, "count", &v))
		return fail(f, "indexes", "cannot stand beside index and count");
	return parse_indexes(o, c, f);
}

static int need_mac(struct json_object *o, struct command *c, struct failure *f)
{
	const char *text = need_string(o, "mac", f);
	char end;

	if (!text)
		return -EINVAL;
	if (strlen(text) != 17 ||
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &c->mac[0], &c->mac[1],
		   &c->mac[2], &c->mac[3], &c->mac[4], &c->mac[5], &end) != 6)
		return fail(f, "mac", "must be an address like 02:00:00:00:00:01");
	return c->mac[0] & 1 ? fail(f, "mac", "is a group address") : 0;
}

static int need_table(struct json_object *o, struct failure *f)
{
	const char *name = need_string(o, "table", f);

	if (!name)
		return -EINVAL;
	return strcmp(name, "l2") ? fail(f, "table", "must be l2") : 0;
}

/* ------------------------------------------------- commands */

static uint32_t nr_cells(const struct command *c)
{
	return c->nr * c->nr_arrays;
}

static uint64_t read_nth(struct target *t, const struct command *c, uint32_t n)
{
	return t->read(t, c->array[n % c->nr_arrays], c->index[n / c->nr_arrays]);
}

static struct json_object *list_cells(struct target *t, const struct command *c)
{
	struct json_object *values = json_object_new_array_ext(nr_cells(c));

	for (uint32_t n = 0; n < nr_cells(c); n++)
		json_object_array_add(values, json_object_new_uint64(read_nth(t, c, n)));
	return values;
}

/* The low 32 bits of each, the least byte first: a twentieth of the work of a list, at both ends. */
static struct json_object *base64_cells(struct target *t, const struct command *c)
{
	uint32_t *low = calloc(nr_cells(c), sizeof(*low));
	struct json_object *s;

	if (!low)
		abort();
	for (uint32_t n = 0; n < nr_cells(c); n++)
		low[n] = htole32(read_nth(t, c, n));
	s = json_base64(low, nr_cells(c) * sizeof(*low));
	free(low);
	return s;
}

static int parse_reg_read(struct target *t, struct json_object *o, struct command *c,
			  struct failure *f)
{
	struct json_object *flag;

	if (json_object_object_get_ex(o, "base64", &flag)) {
		if (!json_object_is_type(flag, json_type_boolean))
			return fail(f, "base64", "must be true or false");
		c->base64 = json_object_get_boolean(flag);
	}
	return need_array(t, o, c, f) ?: parse_cells(o, c, 0, f);
}

static int run_reg_read(struct target *t, struct command *c, struct json_object *answer,
			struct failure *f)
{
	if (c->base64)
		json_object_object_add(answer, "base64", base64_cells(t, c));
	else
		json_object_object_add(answer, "values", list_cells(t, c));
	return 0;
}

static int parse_reg_write(struct target *t, struct json_object *o, struct command *c,
			   struct failure *f)
{
	struct json_object *list;
	size_t nr;

	if (need_array(t, o, c, f))
		return -EINVAL;
	if (c->nr_arrays > 1)
		return fail(f, "array", "all registers are only read and filled");
	list = need_list(o, "values", COMMAND_CELLS, f);
	if (!list)
		return -EINVAL;
	nr = json_object_array_length(list);
	if (parse_cells(o, c, nr, f))
		return -EINVAL;
	if (c->nr != nr)
		return fail(f, "values", "must be as many as indexes, %u", c->nr);
	c->value = calloc(nr, sizeof(*c->value));
	for (size_t i = 0; i < nr; i++)
		if (get_uint(json_object_array_get_idx(list, i), "values", 0, UINT64_MAX,
			     &c->value[i], f))
			return -EINVAL;
	return 0;
}

static int parse_reg_fill(struct target *t, struct json_object *o, struct command *c,
			  struct failure *f)
{
	uint64_t value;

	if (need_array(t, o, c, f) || parse_cells(o, c, 0, f) ||
	    need_uint(o, "value", 0, UINT64_MAX, &value, f))
		return -EINVAL;
	c->value = calloc(c->nr, sizeof(*c->value));
	for (uint32_t i = 0; i < c->nr; i++)
		c->value[i] = value;
	return 0;
}

static int run_reg_write(struct target *t, struct command *c, struct json_object *answer,
			 struct failure *f)
{
	for (uint32_t i = 0; i < c->nr; i++)
		for (unsigned int a = 0; a < c->nr_arrays; a++)
			t->write(t, c->array[a], c->index[i], c->value[i]);
	return 0;
}

static int parse_nothing(struct target *t, struct json_object *o, struct command *c,
			 struct failure *f)
{
	return 0;
}

static int run_drain(struct target *t, struct command *c, struct json_object *answer,
		     struct failure *f)
{
	t->drain(t);
	return 0;
}

/* Who names its version of this socket wants to know whether it is understood, before it needs to be. */
static int parse_info(struct target *t, struct json_object *o, struct command *c, struct failure *f)
{
	uint64_t control;

	if (!json_object_object_get_ex(o, "control", NULL))
		return 0;
	return need_uint(o, "control", 1, P4W_CONTROL_VERSION, &control, f);
}

static int run_info(struct target *t, struct command *c, struct json_object *answer,
		    struct failure *f)
{
	describe_switch(t, answer);
	return 0;
}

static int run_counters(struct target *t, struct command *c, struct json_object *answer,
			struct failure *f)
{
	describe_counters(t, answer);
	return 0;
}

static int parse_table(struct target *t, struct json_object *o, struct command *c,
		       struct failure *f)
{
	return need_table(o, f);
}

static int run_table_show(struct target *t, struct command *c, struct json_object *answer,
			  struct failure *f)
{
	struct json_object *list = json_object_new_array();
	unsigned int port;
	char text[18];
	uint8_t mac[6];

	for (unsigned int n = 0; !t->mac_get(t, n, mac, &port); n++) {
		struct json_object *o = json_object_new_object();

		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
		json_object_object_add(o, "mac", json_object_new_string(text));
		json_object_object_add(o, "port", json_object_new_uint64(port));
		json_object_array_add(list, o);
	}
	json_object_object_add(answer, "entries", list);
	return 0;
}

static int parse_table_add(struct target *t, struct json_object *o, struct command *c,
			   struct failure *f)
{
	uint64_t port;

	if (need_table(o, f) || need_mac(o, c, f) ||
	    need_uint(o, "port", 0, t->nr_ports - 1, &port, f))
		return -EINVAL;
	c->port = port;
	return 0;
}

static int run_table_add(struct target *t, struct command *c, struct json_object *answer,
			 struct failure *f)
{
	int ret = t->mac_add(t, c->mac, c->port);

	if (ret == -ENOSPC)
		return fail(f, "mac", "the table is full");
	return ret ? fail(f, "mac", "the pipeline refuses it") : 0;
}

static int parse_table_del(struct target *t, struct json_object *o, struct command *c,
			   struct failure *f)
{
	return need_table(o, f) ?: need_mac(o, c, f);
}

static int run_table_del(struct target *t, struct command *c, struct json_object *answer,
			 struct failure *f)
{
	return t->mac_del(t, c->mac) ? fail(f, "mac", "is not in the table") : 0;
}

static int parse_batch(struct target *t, struct json_object *o, struct command *c,
		       struct failure *f);
static int run_batch(struct target *t, struct command *c, struct json_object *answer,
		     struct failure *f);

static const struct verb verbs[] = {
	{ "info",	parse_info,	 run_info,	 " control ",			0 },
	{ "reg_read",	parse_reg_read,	 run_reg_read,	 " array index count indexes base64 ", 0 },
	{ "reg_write",	parse_reg_write, run_reg_write,	 " array index indexes values ", 1 },
	{ "reg_fill",	parse_reg_fill,	 run_reg_write,	 " array index count indexes value ", 1 },
	{ "batch",	parse_batch,	 run_batch,	 " cmds ",			1 },
	{ "drain",	parse_nothing,	 run_drain,	 " ",				1 },
	{ "table_show",	parse_table,	 run_table_show, " table ",			0 },
	{ "table_add",	parse_table_add, run_table_add,	 " table mac port ",		1 },
	{ "table_del",	parse_table_del, run_table_del,	 " table mac ",			1 },
	{ "counters",	parse_nothing,	 run_counters,	 " ",				0 },
};

static int check_fields(struct json_object *o, const struct verb *v, struct failure *f)
{
	char word[64];

	json_object_object_foreach(o, key, value) {
		snprintf(word, sizeof(word), " %.60s ", key);
		if (strcmp(key, "cmd") && strcmp(key, "id") && strcmp(key, "term") &&
		    (strchr(key, ' ') || !key[0] || !strstr(v->fields, word)))
			return fail(f, key, "is not a field of %s", v->name);
	}
	return 0;
}

static int parse_command(struct target *t, struct json_object *o, struct command *c,
			 struct failure *f)
{
	const char *name;

	if (!json_object_is_type(o, json_type_object))
		return fail(f, "", "must be an object");
	name = need_string(o, "cmd", f);
	for (size_t i = 0; name && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(name, verbs[i].name)) {
			c->verb = &verbs[i];
			return check_fields(o, c->verb, f) ?: c->verb->parse(t, o, c, f);
		}
	return name ? fail(f, "cmd", "'%.40s' is not known", name) : -EINVAL;
}

static void free_command(struct command *c)
{
	free(c->index);
	free(c->value);
	for (uint32_t i = 0; i < c->nr_batch; i++)
		free_command(&c->batch[i]);
	free(c->batch);
}

/*
 * An answer that turns out too long is replaced by an error, which may not be once something has
 * been written: then the longest that it can become counts.
 */
static int check_batch_size(const struct command *c, struct failure *f)
{
	size_t longest = 64;
	bool writes = false;

	for (uint32_t i = 0; i < c->nr_batch; i++) {
		longest += 24 + (c->batch[i].value ? 0 : 21 * nr_cells(&c->batch[i]));
		writes |= c->batch[i].verb->writes;
		if (!c->batch[i].verb->writes && !c->batch[i].nr)
			longest += COMMAND_LINE / 4;
	}
	if (!writes || longest <= COMMAND_LINE)
		return 0;
	return fail(f, "cmds", "with writes, reads of at most about %d cells", COMMAND_LINE / 21);
}

static int parse_batch(struct target *t, struct json_object *o, struct command *c,
		       struct failure *f)
{
	struct json_object *list = need_list(o, "cmds", BATCH, f);
	char field[sizeof(f->field)];
	uint32_t nr;

	if (!list)
		return -EINVAL;
	nr = json_object_array_length(list);
	c->batch = calloc(nr, sizeof(*c->batch));
	for (uint32_t i = 0; i < nr; i++) {
		c->nr_batch++;
		if (parse_command(t, json_object_array_get_idx(list, i), &c->batch[i], f)) {
			memcpy(field, f->field, sizeof(field));
			snprintf(f->field, sizeof(f->field), "cmds[%u]%s%.24s", i,
				 *field ? "." : "", field);
			return -EINVAL;
		}
		if (json_object_object_get_ex(json_object_array_get_idx(list, i), "term", NULL))
			return fail(f, "cmds", "a term stands beside the batch");
		if (c->batch[i].verb->parse == parse_batch)
			return fail(f, "cmds", "a batch cannot stand in a batch");
	}
	return check_batch_size(c, f);
}

static struct json_object *answer_of(int ret, struct json_object *answer, const struct failure *f)
{
	json_object_object_add(answer, "ok", json_object_new_boolean(!ret));
	if (ret) {
		json_object_object_add(answer, "error", json_object_new_string(f->text));
		json_object_object_add(answer, "field", json_object_new_string(f->field));
	}
	return answer;
}

static int run_batch(struct target *t, struct command *c, struct json_object *answer,
		     struct failure *f)
{
	struct json_object *results = json_object_new_array_ext(c->nr_batch);

	for (uint32_t i = 0; i < c->nr_batch; i++) {
		struct json_object *one = json_object_new_object();
		struct failure failure = { };
		int ret = c->batch[i].verb->run(t, &c->batch[i], one, &failure);

		json_object_array_add(results, answer_of(ret, one, &failure));
	}
	json_object_object_add(answer, "results", results);
	return 0;
}

static char *finish(struct json_object *answer, struct json_object *id)
{
	const char *text;
	char *line;
	size_t len;

	if (id)
		json_object_object_add(answer, "id", json_object_get(id));
	text = json_object_to_json_string_length(answer, JSON_C_TO_STRING_PLAIN, &len);
	line = malloc(len + 2);
	if (!text || !line)
		abort();
	memcpy(line, text, len);
	strcpy(line + len, "\n");
	json_object_put(answer);
	return line;
}

static char *refuse(const struct failure *f, struct json_object *id)
{
	return finish(answer_of(-EINVAL, json_object_new_object(), f), id);
}

char *command_refuse(const char *error, const char *field)
{
	struct failure f;

	fail(&f, field, "%s", error);
	return refuse(&f, NULL);
}

/* Allocators follow one another, and what the one before says late must not be done any more. */
static int check_term(struct target *t, struct json_object *o, struct failure *f)
{
	uint64_t term;

	if (!json_object_object_get_ex(o, "term", NULL))
		return 0;
	if (need_uint(o, "term", 1, INT64_MAX, &term, f))
		return -EINVAL;
	if (term < t->term)
		return fail(f, "term", "another allocator has come with %llu",
			    (unsigned long long)t->term);
	t->term = term;
	return 0;
}

static char *run_object(struct target *t, struct json_object *o)
{
	struct json_object *answer = json_object_new_object(), *id = NULL;
	struct command c = { };
	struct failure f = { };
	char *line;
	int ret;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, "id", &id);
	ret = parse_command(t, o, &c, &f) ?: check_term(t, o, &f);
	if (!ret)
		ret = c.verb->run(t, &c, answer, &f);
	line = finish(answer_of(ret, answer, &f), id);
	if (strlen(line) > COMMAND_LINE) {
		free(line);
		fail(&f, "count", "the answer would be longer than %d bytes: ask for fewer cells",
		     COMMAND_LINE);
		if (id && strlen(json_object_to_json_string(id)) > 256)
			id = NULL;
		line = refuse(&f, id);
	}
	free_command(&c);
	return line;
}

char *command_run(struct target *t, const char *line, size_t length)
{
	struct failure f;
	struct json_object *o = parse_line(line, length, &f);
	char *answer = o ? run_object(t, o) : refuse(&f, NULL);

	json_object_put(o);
	return answer;
}
