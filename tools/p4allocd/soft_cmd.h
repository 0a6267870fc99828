/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_cmd.h - commands of p4switch's control socket (doc/switch.md) as JSON. The caller owns them. */
#ifndef P4D_SOFT_CMD_H
#define P4D_SOFT_CMD_H

#include <json-c/json.h>

#include "engine.h"

struct json_object *p4d_cmd_command(const char *cmd);
void p4d_cmd_set(struct json_object *o, const char *name, uint64_t value);
struct json_object *p4d_cmd_batch(struct json_object *cmds);	/* takes the array over */
struct json_object *p4d_cmd_fill(const char *array, uint32_t index, uint32_t count, uint64_t value);
struct json_object *p4d_cmd_read_cells(const char *array, uint32_t index, uint32_t count);
struct json_object *p4d_cmd_read_blocks(const char *array, const struct p4d_blocks *blocks);
struct json_object *p4d_cmd_write_blocks(const char *array, const struct p4d_blocks *blocks,
					 uint64_t word);
/* A P4D_CELL_OPEN; a CLOSE, whose first answers are the registers. */
struct json_object *p4d_cmd_open_cell(const struct p4d_cell_order *order);
struct json_object *p4d_cmd_close_cell(const struct p4d_cell_order *order);

#endif /* P4D_SOFT_CMD_H */
