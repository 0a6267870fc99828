// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_rpc.c - p4ctl rpc: the RPCs of this network namespace that are alive */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "cmd.h"
#include "config.h"
#include "netlink.h"
#include "output.h"
#include "table.h"

enum { R_CLIENT, R_SERVER, R_TENANT };

const struct arg_spec rpc_args[] = {
	[R_CLIENT] = { .word = "--client", .help = "only those whose client is here" },
	[R_SERVER] = { .word = "--server", .help = "only those whose server is here" },
	[R_TENANT] = { .word = "--tenant", .value = "ID", .type = ARG_NUMBER, .max = 0xffffff,
		       .words = WORDS_TENANTS, .help = "only those of this tenant; 0: of none" },
	{ 0 },
};

struct listing {
	const struct arg *args;
	struct output o;
};

static bool is_client(const struct rpc_entry *e)
{
	return !(e->id & 1);
}

static bool is_wanted(const struct arg *args, const struct rpc_entry *e)
{
	if (args[R_CLIENT].given != args[R_SERVER].given &&
	    is_client(e) != args[R_CLIENT].given)
		return false;
	return !args[R_TENANT].given || args[R_TENANT].number == e->tenant;
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[P4A_RPC_OUTGOING] = "outgoing",
		[P4A_RPC_INCOMING] = "incoming",
		[P4A_RPC_IN_SERVICE] = "in-service",
	};

	return state < sizeof(names) / sizeof(*names) && names[state] ? names[state] : "unknown";
}

static void flag_names(uint32_t flags, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s", flags & P4A_RPC_F_PRIVATE ? ",private" : "",
		 flags & P4A_RPC_F_NO_BUFFER ? ",no-buffer" : "",
		 flags & P4A_RPC_F_READY ? ",ready" : "");
	if (*buf)
		memmove(buf, buf + 1, strlen(buf));
	else
		snprintf(buf, len, "-");
}

/* IPv4 as people write it, with the port: 10.0.0.2:4000, [fe80::1]:4000 */
static void peer_name(const struct rpc_entry *e, char *buf, size_t len)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char addr[INET6_ADDRSTRLEN];

	if (!memcmp(e->peer, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, e->peer + sizeof(mapped), addr, sizeof(addr));
	else
		inet_ntop(AF_INET6, e->peer, addr, sizeof(addr));
	snprintf(buf, len, strchr(addr, ':') ? "[%s]:%u" : "%s:%u", addr, e->peer_port);
}

static void rpc_json(struct output *o, const struct rpc_entry *e, const char *peer,
		     const char *flags)
{
	struct json_object *j = config_json(rpc_fields, e);

	json_object_object_add(j, "side",
			       json_object_new_string(is_client(e) ? "client" : "server"));
	json_object_object_add(j, "state", json_object_new_string(state_name(e->state)));
	json_object_object_add(j, "peer", json_object_new_string(peer));
	json_object_object_add(j, "flags", json_object_new_string(flags));
	output_add(o, j);
}

static int add_rpc(void *entry, void *arg)
{
	const struct rpc_entry *e = entry;
	struct listing *l = arg;
	struct table *t = l->o.table;
	char peer[64], flags[64];

	if (!is_wanted(l->args, e))
		return 0;
	peer_name(e, peer, sizeof(peer));
	flag_names(e->flags, flags, sizeof(flags));
	if (l->o.array) {
		rpc_json(&l->o, e, peer, flags);
		return 0;
	}
	table_cell(t, "%" PRIu64, e->id);
	table_cell(t, "%s", is_client(e) ? "client" : "server");
	table_cell(t, "%s", state_name(e->state));
	table_cell(t, "%u", e->port);
	table_cell(t, "%s", peer);
	table_cell(t, "%u/%u/%u", e->tx_sent, e->tx_granted, e->tx_length);
	table_cell(t, "%u/%u/%u", e->rx_received, e->rx_granted, e->rx_length);
	table_cell(t, "%u", e->age_ms);
	table_cell(t, "%u", e->silence_ms);
	table_cell(t, "%u", e->tenant);
	table_cell(t, "%u", e->uid);
	table_cell(t, "%s", flags);
	return 0;
}

int rpc_run(struct run *r, const struct arg *args)
{
	struct nlink *nl = nlink_open(r->d);
	struct listing l = { .args = args };
	int ret;

	if (!nl)
		return -1;
	output_begin(&l.o, r, ">ID SIDE STATE >PORT PEER >SENT/GRANTED/LENGTH "
			      ">RECEIVED/GRANTED/LENGTH >AGE-MS >SILENT-MS >TENANT >UID FLAGS");
	ret = nlink_dump(nl, P4A_CMD_RPC_GET, rpc_fields, sizeof(struct rpc_entry), add_rpc, &l,
			 r->d);
	nlink_close(nl);
	return output_end(&l.o, r, ret);
}
