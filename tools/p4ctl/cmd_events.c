// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_events.c - p4ctl events: follows the changes in this network namespace */
#include <inttypes.h>
#include <time.h>

#include "cmd.h"
#include "event.h"
#include "netlink.h"
#include "output.h"

enum { E_COUNT };

const struct arg_spec events_args[] = {
	[E_COUNT] = COUNT_ARG("end after N events"),
	{ 0 },
};

struct listener {
	struct run *r;
	uint64_t left;
	int failed;
};

static void print_line(FILE *out, const char *line)
{
	struct timespec now;
	char clock[16];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(out, "%s.%06ld %s\n", clock, now.tv_nsec / 1000, line);
	fflush(out);
}

static int take_event(struct nlmsghdr *nlh, void *arg)
{
	struct listener *l = arg;
	struct json_object *o;
	char line[512];

	if (!nlh) {
		fprintf(stderr, "p4ctl events: events were lost; 'p4ctl show' says what is\n");
		return 0;
	}
	if (l->r->json) {
		o = event_json(nlh, l->r->d);
		if (!o)
			goto bad;
		output_json_line(l->r, o);
	} else {
		if (event_line(nlh, line, sizeof(line), l->r->d))
			goto bad;
		print_line(l->r->out, line);
	}
	return !--l->left || ferror(l->r->out);
bad:
	l->failed = -1;
	return 1;
}

int events_run(struct run *r, const struct arg *args)
{
	struct listener l = { .r = r,
		.left = args[E_COUNT].given ? args[E_COUNT].number : UINT64_MAX };
	struct nlink *nl = nlink_open(r->d);
	int ret;

	if (!nl)
		return -1;
	ret = nlink_follow(nl, take_event, &l, r->d);
	nlink_close(nl);
	if (!ret && ferror(r->out))
		return fault(r->d, "output: write error");
	return ret ? ret : l.failed;
}
