// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * describe.c - see describe.h. The counters' names are those of doc/switch.md and in the order of
 * p4src/state.p4.
 */
#include <stdbool.h>

#include <json-c/json.h>

#include "command.h"
#include "describe.h"
#include "p4wire.h"

static const char *const outcomes[] = {
	"txn_ok", "txn_stale", "txn_conflict", "txn_abort", "txn_version", "txn_malformed",
	"txn_replay", "txn_dropped", "txn_retry", "txn_second", "l2_forward", "l2_flood",
};

static uint32_t array_size(const struct spec *spec, const char *name)
{
	const struct spec_array *a = spec_declared(spec, name);

	return a ? a->size : 0;
}

/* The last register arrays, if the program says how many come before. */
static uint32_t count_dependent(const struct spec *spec)
{
	uint32_t ordinary = array_size(spec, "ordinary"), all = spec_registers(spec, NULL, 0);

	return ordinary && ordinary <= all ? all - ordinary : 0;
}

static struct json_object *list_ports(struct target *t, bool counters)
{
	struct json_object *list = json_object_new_array();
	struct target_port port;

	for (unsigned int n = 0; !t->port_get(t, n, &port); n++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "port", json_object_new_uint64(port.port));
		json_object_object_add(o, "name", json_object_new_string(port.name));
		if (counters) {
			json_object_object_add(o, "rx", json_object_new_uint64(port.rx));
			json_object_object_add(o, "tx", json_object_new_uint64(port.tx));
			json_object_object_add(o, "drop", json_object_new_uint64(port.drop));
		}
		json_object_array_add(list, o);
	}
	return list;
}

void describe_switch(struct target *t, struct json_object *answer)
{
	const struct spec *s = t->spec;
	const struct { const char *name; uint64_t value; } numbers[] = {
		{ "registers", spec_registers(s, NULL, 0) },
		{ "dependent", count_dependent(s) },
		{ "blocks", array_size(s, "owner") },
		{ "block_slots", P4W_BLOCK_SLOTS },
		{ "flows", array_size(s, "flow_state") },
		{ "boot", t->boot },
	};

	json_object_object_add(answer, "version", json_object_new_uint64(P4W_VERSION));
	json_object_object_add(answer, "control", json_object_new_uint64(P4W_CONTROL_VERSION));
	json_object_object_add(answer, "program", json_object_new_string(s->file));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_object_add(answer, numbers[i].name,
				       json_object_new_uint64(numbers[i].value));
	json_object_object_add(answer, "ports", list_ports(t, false));
}

void describe_counters(struct target *t, struct json_object *answer)
{
	const struct spec_array *a = spec_declared(t->spec, "outcome");
	struct json_object *o = json_object_new_object();

	for (uint32_t i = 0; a && i < a->size && i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		json_object_object_add(o, outcomes[i], json_object_new_uint64(t->read(t, a, i)));
	json_object_object_add(answer, "counters", o);
	json_object_object_add(answer, "ports", list_ports(t, true));
}
