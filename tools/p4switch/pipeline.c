// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_swx_pipeline.h>

#include "pipeline.h"
#include "port.h"

static int add_struct(struct rte_swx_pipeline *p, const struct spec_struct *s)
{
	struct rte_swx_field_params *fields = calloc(s->nr_fields, sizeof(*fields));
	int ret;

	if (!fields)
		abort();
	for (size_t i = 0; i < s->nr_fields; i++) {
		fields[i].name = s->fields[i].name;
		fields[i].n_bits = s->fields[i].bits;
	}
	ret = rte_swx_pipeline_struct_type_register(p, s->name, fields, s->nr_fields, 0);
	free(fields);
	return ret;
}

/* The instructions as the pipeline wants them: one string each, "LABEL : op a b". */
static const char **code_text(const struct spec_code *code)
{
	const char **text = calloc(code->nr, sizeof(*text));

	if (!text)
		abort();
	for (size_t i = 0; i < code->nr; i++) {
		const struct spec_instr *in = &code->instr[i];
		char *line = NULL;
		size_t n;
		FILE *f = open_memstream(&line, &n);

		if (!f)
			abort();
		if (in->label[0])
			fprintf(f, "%s : ", in->label);
		for (int t = 0; t < in->nr_tokens; t++)
			fprintf(f, "%s%s", t ? " " : "", in->token[t]);
		fclose(f);
		text[i] = line;
	}
	return text;
}

static void free_text(const char **text, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free((char *)text[i]);
	free(text);
}

static int add_action(struct rte_swx_pipeline *p, const struct spec_action *a)
{
	const char **text = code_text(&a->code);
	int ret = rte_swx_pipeline_action_config(p, a->name, a->args[0] ? a->args : NULL, text,
						 a->code.nr);

	free_text(text, a->code.nr);
	return ret;
}

static int add_apply(struct rte_swx_pipeline *p, const struct spec_code *code)
{
	const char **text = code_text(code);
	int ret = rte_swx_pipeline_instructions_config(p, text, code->nr);

	free_text(text, code->nr);
	return ret;
}

static int add_table(struct rte_swx_pipeline *p, const struct spec_table *t)
{
	struct rte_swx_match_field_params *keys = calloc(t->nr_keys, sizeof(*keys));
	const char **actions = calloc(t->nr_actions, sizeof(*actions));
	struct rte_swx_pipeline_table_params params = {
		.fields = keys,
		.n_fields = t->nr_keys,
		.action_names = actions,
		.n_actions = t->nr_actions,
		.default_action_name = t->default_action,
		.default_action_is_const = t->default_const,
	};
	int ret;

	if (!keys || !actions)
		abort();
	for (size_t i = 0; i < t->nr_keys; i++) {
		keys[i].name = t->keys[i].field;
		keys[i].match_type = RTE_SWX_TABLE_MATCH_EXACT;
	}
	for (size_t i = 0; i < t->nr_actions; i++)
		actions[i] = t->actions[i];
	ret = rte_swx_pipeline_table_config(p, t->name, &params, NULL, NULL, t->size ?: 0x10000);
	free(keys);
	free(actions);
	return ret;
}

/*
 * The control plane finds an array by comparing its name with all that were configured before it, each
 * time. Nearly all that it touches are cells, so their registers come first.
 */
static int add_arrays(struct rte_swx_pipeline *p, const struct spec *spec, bool cells,
		      const struct spec_array **failed)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < spec->nr_arrays; i++) {
		const struct spec_array *a = *failed = &spec->arrays[i];

		if ((a->name[0] == 'r' && isdigit((unsigned char)a->name[1])) == cells)
			ret = rte_swx_pipeline_regarray_config(p, a->name, a->size, a->initval);
	}
	return ret;
}

/* A step of the build: what it is about, for the error; 0 or a negative errno. */
#define STEP(line, what, call)								\
	do {										\
		int step_ret = (call);							\
		if (step_ret) {								\
			spec_error(spec, line, err, "the pipeline refuses %s: %s",	\
				   what, strerror(-step_ret));				\
			return step_ret;						\
		}									\
	} while (0)

static int configure(struct rte_swx_pipeline *p, const struct spec *spec, char *err)
{
	const struct spec_array *array;
	size_t i;

	STEP(0, "the ports", port_config(p));
	for (i = 0; i < spec->nr_structs; i++)
		STEP(spec->structs[i].line, spec->structs[i].name,
		     add_struct(p, &spec->structs[i]));
	for (i = 0; i < spec->nr_headers; i++)
		STEP(spec->headers[i].line, spec->headers[i].name,
		     rte_swx_pipeline_packet_header_register(p, spec->headers[i].name,
							     spec->headers[i].type));
	STEP(spec->metadata_line, "the metadata",
	     rte_swx_pipeline_packet_metadata_register(p, spec->metadata));
	STEP(array->line, array->name, add_arrays(p, spec, true, &array));
	STEP(array->line, array->name, add_arrays(p, spec, false, &array));
	for (i = 0; i < spec->nr_actions; i++)
		STEP(spec->actions[i].line, spec->actions[i].name,
		     add_action(p, &spec->actions[i]));
	for (i = 0; i < spec->nr_tables; i++)
		STEP(spec->tables[i].line, spec->tables[i].name, add_table(p, &spec->tables[i]));
	STEP(spec->apply.instr[0].line, "apply", add_apply(p, &spec->apply));
	STEP(0, "the program", rte_swx_pipeline_build(p));
	return 0;
}

struct rte_swx_pipeline *pipeline_build(const struct spec *spec, char err[SPEC_ERR])
{
	struct rte_swx_pipeline *p;
	int ret = rte_swx_pipeline_config(&p, "p4switch", 0);

	if (ret) {
		snprintf(err, SPEC_ERR, "%s: no memory for a pipeline", spec->file);
		return NULL;
	}
	ret = configure(p, spec, err);
	if (ret) {
		rte_swx_pipeline_free(p);
		return NULL;
	}
	return p;
}
