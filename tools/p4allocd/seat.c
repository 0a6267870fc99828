// SPDX-License-Identifier: GPL-2.0-or-later
/* seat.c - see seat.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "election.h"
#include "etcd.h"
#include "log.h"
#include "seat.h"
#include "store_etcd.h"

#define PREFIX_MAX 128

struct p4d_seat {
	struct p4d_seat_conf conf;
	struct p4d_loop *loop;
	struct p4d_etcd *etcd;
	struct p4d_election *el;
	struct p4d_address address;
	char mine[2 * PREFIX_MAX];	/* PREFIX/switch/NAME/ */
	char common[PREFIX_MAX + 8];	/* PREFIX/config/ */
};

/* ------------------------------------------------------------------------------- the election */

static void on_won(void *arg)
{
	struct p4d_seat *s = arg;

	p4d_log(P4D_WARN, "allocator of %s from now on, term %llu", s->conf.name,
		(unsigned long long)p4d_election_term(s->el));
	s->conf.won(s->conf.arg);
}

static void on_lost(void *arg, const char *why)
{
	struct p4d_seat *s = arg;

	if (s->conf.address)
		p4d_address_drop(&s->address);
	s->conf.lost(s->conf.arg, why);
}

static void on_renewed(void *arg, uint32_t seconds)
{
	struct p4d_seat *s = arg;
	int err = s->conf.address ? p4d_address_hold(&s->address, seconds) : 0;

	if (err)
		p4d_log(P4D_WARN, "%s: cannot be added: may this user do that?", s->conf.address);
}

static void on_waiting(void *arg, const char *why)
{
	p4d_log(P4D_WARN, "%s", why);
}

/* ------------------------------------------------------------------------------- the name */

static bool is_name(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr(more, text[i]))
			return false;
	return len && len < PREFIX_MAX;
}

/* Members and prefixes, from etcd://MEMBERS/PREFIX. members has room for the whole place. */
static int parse_place(struct p4d_seat *s, char *members, char *err, size_t size)
{
	const char *from = s->conf.place + strlen(P4D_SEAT_SCHEME), *slash = strchr(from, '/');
	const char *prefix = slash ? slash + 1 : "";
	size_t len = strlen(prefix);

	while (len && prefix[len - 1] == '/')
		len--;
	snprintf(err, size, "--store %s: must be etcd://HOST:PORT[,HOST:PORT...]/PREFIX",
		 s->conf.place);
	if (!slash || !is_name(from, slash - from, ".:,-[]") || !is_name(prefix, len, "._-/"))
		return -EINVAL;
	snprintf(err, size, "--name %s: must be letters, digits, . _ -", s->conf.name);
	if (!is_name(s->conf.name, strlen(s->conf.name), "._-"))
		return -EINVAL;
	memcpy(members, from, slash - from);
	members[slash - from] = '\0';
	snprintf(s->mine, sizeof(s->mine), "/%.*s/switch/%s/", (int)len, prefix, s->conf.name);
	snprintf(s->common, sizeof(s->common), "/%.*s/config/", (int)len, prefix);
	return 0;
}

/* -------------------------------------------------------------------------------- open, close */

static int open_parts(struct p4d_seat *s, char *err, size_t size)
{
	struct p4d_election_events events = { s, on_won, on_lost, on_renewed, on_waiting };
	char *members = strdup(s->conf.place);
	int ret;

	if (!members)
		return -ENOMEM;
	ret = parse_place(s, members, err, size);
	if (!ret && s->conf.address)
		ret = p4d_address_parse(&s->address, s->conf.address, err, size);
	if (!ret) {
		snprintf(err, size, "out of memory");
		s->etcd = p4d_etcd_create(s->loop, members);
		if (s->etcd)
			s->el = p4d_election_create(s->loop, s->etcd, s->mine, s->conf.lease_s,
						    &events);
		ret = s->el ? 0 : -ENOMEM;
	}
	free(members);
	return ret;
}

int p4d_seat_open(struct p4d_seat **out, struct p4d_loop *loop, const struct p4d_seat_conf *conf,
		  char *err, size_t size)
{
	struct p4d_seat *s = calloc(1, sizeof(*s));
	int ret;

	snprintf(err, size, "out of memory");
	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->conf = *conf;
	ret = open_parts(s, err, size);
	if (ret)
		p4d_seat_close(s);
	else
		*out = s;
	return ret;
}

void p4d_seat_close(struct p4d_seat *s)
{
	if (s->conf.address && s->el && p4d_election_term(s->el))
		p4d_address_drop(&s->address);
	if (s->el)
		p4d_election_destroy(s->el);
	if (s->etcd)
		p4d_etcd_destroy(s->etcd);
	free(s);
}

bool p4d_seat_is_ours(const struct p4d_seat *s)
{
	return p4d_election_term(s->el);
}

uint64_t p4d_seat_term(const struct p4d_seat *s)
{
	return p4d_election_term(s->el);
}

void *p4d_seat_store(struct p4d_seat *s)
{
	return p4d_store_etcd_create(s->etcd, s->el, s->mine);
}

int p4d_seat_config(struct p4d_seat *s, struct p4d_config **out,
		    const struct p4d_config_events *events, char *err, size_t size)
{
	return p4d_config_open(out, s->loop, s->etcd, s->common, events, err, size);
}
