// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_sysctl.c - p4ctl sysctl: the knobs net.homa.* of this network namespace */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "knobs.h"
#include "output.h"
#include "table.h"

#define KNOB_DIR	"/proc/sys/net/homa"
#define NAME_LEN	64
#define KNOBS_MAX	128

struct setting {
	char name[NAME_LEN];
	char value[KNOB_VALUE_LEN];
};

static int no_knobs(struct diag *d)
{
	return fault(d, KNOB_DIR " is not there: the module p4homa is not loaded; load it with "
		     "'modprobe p4homa' or 'insmod module/p4homa.ko'");
}

static int unknown_knob(const char *name, struct diag *d)
{
	const char *words[KNOBS_MAX + 1];
	char hint[320];
	int n = 0;

	for (; knobs[n].name && n < KNOBS_MAX; n++)
		words[n] = knobs[n].name;
	words[n] = NULL;
	suggest(name, words, hint, sizeof(hint));
	return fault_usage(d, "there is no net.homa.%s: %s", name, hint);
}

static int open_knob(const char *name, int flags, struct diag *d)
{
	char path[sizeof(KNOB_DIR) + NAME_LEN + 1];
	int fd;

	snprintf(path, sizeof(path), KNOB_DIR "/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return access(KNOB_DIR, F_OK) ? no_knobs(d) : unknown_knob(name, d);
	return fault(d, "net.homa.%s: %s", name, strerror(errno));
}

static int read_knob(struct setting *k, struct diag *d)
{
	int fd = open_knob(k->name, O_RDONLY, d);
	char *tab;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, k->value, sizeof(k->value) - 1);
	close(fd);
	if (n < 0)
		return fault(d, "net.homa.%s: %s", k->name, strerror(errno));
	k->value[n] = '\0';
	k->value[strcspn(k->value, "\n")] = '\0';
	for (tab = k->value; (tab = strchr(tab, '\t')); )
		*tab = ' ';
	return 0;
}

static int read_named(const char *name, struct setting *k, struct diag *d)
{
	if (strlen(name) >= sizeof(k->name) || strchr(name, '/'))
		return unknown_knob(name, d);
	snprintf(k->name, sizeof(k->name), "%s", name);
	return read_knob(k, d);
}

static int write_knob(const struct setting *k, struct diag *d)
{
	int fd = open_knob(k->name, O_WRONLY, d), err;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, k->value, strlen(k->value));
	err = n < 0 ? errno : 0;
	close(fd);
	if (err)
		return fault(d, "net.homa.%s: the kernel refuses '%s': %s", k->name, k->value,
			     strerror(err));
	return 0;
}

/* ------------------------------------------------------------------ set */

/* The old values first, so that a failure in the middle can be undone. */
static int write_all(const struct setting *want, struct setting *old, int n, struct diag *d)
{
	struct diag ignored;
	int i;

	for (i = 0; i < n; i++) {
		old[i] = want[i];
		if (read_knob(&old[i], d))
			return -1;
	}
	for (i = 0; i < n; i++) {
		if (!write_knob(&want[i], d))
			continue;
		while (i--)
			write_knob(&old[i], &ignored);
		return -1;
	}
	return 0;
}

static int set_run(struct run *r, const struct arg *args)
{
	int n = args[0].count, i, ret = -1;
	struct setting *want = calloc(2 * n, sizeof(*want));

	if (!want)
		return fault(r->d, "out of memory");
	for (i = 0; i < n; i++)
		if (knob_parse(args[0].list[i], want[i].name, sizeof(want[i].name), want[i].value,
			       sizeof(want[i].value), r->d))
			goto out;
	ret = write_all(want, want + n, n, r->d);
out:
	free(want);
	return ret;
}

/* ------------------------------------------------------------------ show */

static int is_knob(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Calls `each` for the knobs named, or for all there are. */
static int each_knob(const struct arg *names, int (*each)(const struct setting *k, void *arg),
		     void *arg, struct diag *d)
{
	struct dirent **dir = NULL;
	int n = names->count, i, ret = 0;
	struct setting k;

	if (!names->given) {
		n = scandir(KNOB_DIR, &dir, is_knob, alphasort);
		if (n < 0)
			return no_knobs(d);
	}
	for (i = 0; i < n; i++) {
		const char *name = dir ? dir[i]->d_name : names->list[i];

		name += strncmp(name, "net.homa.", 9) ? 0 : 9;
		if (!ret)
			ret = read_named(name, &k, d);
		if (!ret)
			ret = each(&k, arg);
		if (dir)
			free(dir[i]);
	}
	free(dir);
	return ret;
}

static struct json_object *knob_json(const struct setting *k, const struct knob *known)
{
	struct json_object *o = json_object_new_object();
	char *rest;
	int64_t v = strtoll(k->value, &rest, 10);

	json_object_object_add(o, "name", json_object_new_string(k->name));
	json_object_object_add(o, "value", *rest || !*k->value ? json_object_new_string(k->value) :
			       json_object_new_int64(v));
	if (!known)
		return o;
	json_object_object_add(o, "unit", json_object_new_string(known->unit));
	json_object_object_add(o, "min", json_object_new_int64(known->min));
	json_object_object_add(o, "max", json_object_new_int64(known->max));
	json_object_object_add(o, "default", json_object_new_int64(known->def));
	json_object_object_add(o, "help", json_object_new_string(known->help));
	return o;
}

static int take_knob(const struct setting *k, void *arg)
{
	const struct knob *known = knob_find(k->name);
	struct output *o = arg;

	if (o->array) {
		output_add(o, knob_json(k, known));
		return 0;
	}
	table_cell(o->table, "%s", k->name);
	table_cell(o->table, "%s", k->value);
	table_cell(o->table, "%s", known ? known->unit : "-");
	if (known) {
		table_cell(o->table, "%" PRId64 "..%" PRId64, known->min, known->max);
		table_cell(o->table, "%" PRId64, known->def);
	} else {
		table_cell(o->table, "-");
		table_cell(o->table, "-");
	}
	table_cell(o->table, "%s", known ? known->help : "-");
	return 0;
}

static int sysctl_show_run(struct run *r, const struct arg *args)
{
	struct output o;

	output_begin(&o, r, "NAME >VALUE UNIT RANGE >DEFAULT MEANING");
	return output_end(&o, r, each_knob(&args[0], take_knob, &o, r->d));
}

static int replay_knob(const struct setting *k, void *arg)
{
	char path[sizeof(KNOB_DIR) + NAME_LEN + 1];

	snprintf(path, sizeof(path), KNOB_DIR "/%s", k->name);
	if (!access(path, W_OK))
		fprintf(arg, strchr(k->value, ' ') ? "p4ctl sysctl set '%s=%s'\n" :
			"p4ctl sysctl set %s=%s\n", k->name, k->value);
	return 0;
}

int sysctl_replay(struct run *r)
{
	const struct arg all = { 0 };

	return each_knob(&all, replay_knob, r->out, r->d);
}

static const struct arg_spec set_args[] = {
	{ .value = "NAME=VALUE", .type = ARG_TEXT, .required = true, .many = true,
	  .words = WORDS_KNOBS, .help = "knob and its new value" },
	{ 0 },
};

static const struct arg_spec sysctl_show_args[] = {
	{ .value = "NAME", .type = ARG_TEXT, .many = true, .words = WORDS_KNOBS,
	  .help = "only these knobs" },
	{ 0 },
};

const struct cmd sysctl_cmds[] = {
	{ "show", "values, ranges and meanings", .run = sysctl_show_run, .args = sysctl_show_args,
	  .about = "Examples:\n"
		   "  p4ctl sysctl show\n"
		   "  p4ctl sysctl show resend_interval timeout_ticks\n" },
	{ "set", "change knobs, all that are given or none", .run = set_run, .args = set_args,
	  .about = "Works from the next packet or message on; as sysctl -w net.homa.NAME=VALUE,\n"
		   "but says what is accepted.\n\nExamples:\n"
		   "  p4ctl sysctl set resend_interval=20 resend_ticks=20\n" },
	{ 0 },
};
