// SPDX-License-Identifier: GPL-2.0-or-later
/* soft_cmd.c - see soft_cmd.h. */
#include <stdio.h>

#include "soft_cmd.h"

struct json_object *p4d_cmd_command(const char *cmd)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "cmd", json_object_new_string(cmd));
	return o;
}

static struct json_object *on_array(const char *cmd, const char *array)
{
	struct json_object *o = p4d_cmd_command(cmd);

	json_object_object_add(o, "array", json_object_new_string(array));
	return o;
}

void p4d_cmd_set(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

struct json_object *p4d_cmd_fill(const char *array, uint32_t index, uint32_t count, uint64_t value)
{
	struct json_object *o = on_array("reg_fill", array);

	p4d_cmd_set(o, "index", index);
	p4d_cmd_set(o, "count", count);
	p4d_cmd_set(o, "value", value);
	return o;
}

struct json_object *p4d_cmd_read_cells(const char *array, uint32_t index, uint32_t count)
{
	struct json_object *o = on_array("reg_read", array);

	p4d_cmd_set(o, "index", index);
	p4d_cmd_set(o, "count", count);
	return o;
}

static struct json_object *indexes_of(const struct p4d_blocks *blocks)
{
	struct json_object *indexes = json_object_new_array();

	p4d_blocks_each(blocks, b)
		json_object_array_add(indexes, json_object_new_uint64(b));
	return indexes;
}

struct json_object *p4d_cmd_read_blocks(const char *array, const struct p4d_blocks *blocks)
{
	struct json_object *o = on_array("reg_read", array);

	json_object_object_add(o, "indexes", indexes_of(blocks));
	return o;
}

/* The same word for each of these blocks. */
struct json_object *p4d_cmd_write_blocks(const char *array, const struct p4d_blocks *blocks,
					 uint64_t word)
{
	struct json_object *o = on_array("reg_write", array);
	struct json_object *values = json_object_new_array();

	for (unsigned int n = p4d_blocks_count(blocks); n; n--)
		json_object_array_add(values, json_object_new_uint64(word));
	json_object_object_add(o, "indexes", indexes_of(blocks));
	json_object_object_add(o, "values", values);
	return o;
}

struct json_object *p4d_cmd_batch(struct json_object *cmds)
{
	struct json_object *o = p4d_cmd_command("batch");

	json_object_object_add(o, "cmds", cmds);
	return o;
}

static struct json_object *fill_register(unsigned int reg, uint32_t slot, uint32_t value)
{
	char name[16];

	snprintf(name, sizeof(name), "r%u", reg);
	return p4d_cmd_fill(name, slot, 1, value);
}

static struct json_object *read_register(unsigned int reg, uint32_t slot)
{
	char name[16];

	snprintf(name, sizeof(name), "r%u", reg);
	return p4d_cmd_read_cells(name, slot, 1);
}

struct json_object *p4d_cmd_open_cell(const struct p4d_cell_order *order)
{
	struct json_object *cmds = json_object_new_array();

	for (unsigned int r = P4W_CELL_HIGH; r < P4W_CELL_REGISTERS; r++)
		json_object_array_add(cmds, fill_register(r, order->slot, 0));
	json_object_array_add(cmds, fill_register(P4W_CELL_FREE, order->slot, order->id));
	json_object_array_add(cmds, fill_register(P4W_CELL_FREE_NEG, order->slot, -order->id));
	return p4d_cmd_batch(cmds);
}

struct json_object *p4d_cmd_close_cell(const struct p4d_cell_order *order)
{
	struct json_object *cmds = json_object_new_array();

	for (unsigned int r = 0; r < P4W_CELL_REGISTERS; r++)
		json_object_array_add(cmds, read_register(r, order->slot));
	json_object_array_add(cmds, fill_register(P4W_CELL_FREE, order->slot, P4W_CELL_CLOSED));
	return p4d_cmd_batch(cmds);
}
