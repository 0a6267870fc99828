// SPDX-License-Identifier: GPL-2.0-or-later
/* main.c - puts the parts together, runs until SIGTERM, takes them apart. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "http.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "netlink.h"
#include "options.h"
#include "seat.h"
#include "server.h"
#include "service.h"
#include "status.h"
#include "store_etcd.h"

#define AGAIN_US 200000	/* before it stands by after a failure */

static struct {
	struct p4d_options options;
	struct p4d_loop *loop;
	struct p4d_watch signals;
	struct p4d_seat *seat;		/* NULL: the store is a file, and nobody stands by */
	struct p4d_config *config;	/* with a seat */
	struct p4d_service *service;
	struct p4d_netlink *netlink;
	struct p4d_server *server;
	struct p4d_status *status;
	struct p4d_http *http;
	uint16_t port;
	bool ended;			/* by a signal */
	bool deposed;
} daemon_;

static struct p4d_engine *engine(void)
{
	return p4d_service_engine(daemon_.service);
}

/* ------------------------------------------------------------------------- from the parts */

static void on_policy(void *arg, const struct p4d_policy *policy, uint16_t port)
{
	p4d_log(P4D_NOTE, "policy: leases up to %u us, grace %u us", policy->lease_max_us,
		policy->grace_us);
	if (!daemon_.port)
		daemon_.port = port;
	p4d_engine_policy(engine(), p4d_now(), policy);
}

static void on_geometry(void *arg, const struct p4d_geometry *geo)
{
	p4d_engine_geometry(engine(), p4d_now(), geo);
}

static void apply_tenant(void *arg, const struct p4d_tenant_conf *conf)
{
	p4d_log(P4D_NOTE, "tenant %u %s: weight %u, blocks %u .. %u", conf->id, conf->name,
		conf->weight, conf->min_blocks, conf->max_blocks);
	p4d_engine_tenant(engine(), p4d_now(), conf);
}

static void apply_tenant_gone(void *arg, uint32_t id)
{
	p4d_log(P4D_NOTE, "tenant %u: deleted", id);
	p4d_engine_tenant_gone(engine(), p4d_now(), id);
}

/* What this host's netlink says counts as it is, or together with what all allocators say. */
static void on_tenant(void *arg, const struct p4d_tenant_conf *conf)
{
	if (daemon_.config)
		p4d_config_tenant(daemon_.config, conf);
	else
		apply_tenant(arg, conf);
}

static void on_tenant_gone(void *arg, uint32_t id)
{
	if (daemon_.config)
		p4d_config_tenant_gone(daemon_.config, id);
	else
		apply_tenant_gone(arg, id);
}

static void on_tenants_begin(void *arg)
{
	p4d_engine_tenants_begin(engine());
	if (daemon_.config)
		p4d_config_begin(daemon_.config);
}

static void on_tenants_end(void *arg)
{
	if (daemon_.config)
		p4d_config_end(daemon_.config);
	p4d_engine_tenants_end(engine(), p4d_now());
}

static void on_message(void *arg, uint32_t tenant, const struct p4d_who *who, const void *bytes,
		       size_t len)
{
	if (len >= sizeof(struct p4w_msg))
		p4d_log(P4D_EACH, "tenant %u: type %u, %zu bytes", tenant,
			((const struct p4w_msg *)bytes)->type, len);
	p4d_service_message(daemon_.service, tenant, who, bytes, len);
}

static void reply(void *arg, const struct p4d_who *who, const void *bytes, size_t len)
{
	p4d_log(P4D_EACH, "answer: type %u, %zu bytes", ((const struct p4w_msg *)bytes)->type, len);
	p4d_server_reply(daemon_.server, who, bytes, len);
}

static void on_signal(struct p4d_watch *w, uint32_t events)
{
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	daemon_.ended = true;
	p4d_loop_stop(daemon_.loop);
}

static void on_won(void *arg)
{
	p4d_loop_stop(daemon_.loop);
}

static void on_lost(void *arg, const char *why)
{
	p4d_log(P4D_WARN, "no longer the allocator: %s", why);
	daemon_.deposed = true;
	p4d_loop_stop(daemon_.loop);
}

static void nothing(void *arg)
{
}

static void after(void *arg)
{
	p4d_service_flush(daemon_.service);
}

/* ------------------------------------------------------------------------------ the ladder */

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	daemon_.signals = (struct p4d_watch){ signalfd(-1, &set, SFD_CLOEXEC), on_signal };
	return daemon_.signals.fd < 0 ? -1 :
		p4d_loop_watch(daemon_.loop, &daemon_.signals, EPOLLIN);
}

/* etcd did not answer while all was read. It may the next time, be it somebody else's turn then. */
static int read_all(int ret)
{
	if (daemon_.seat && ret == -EIO)
		daemon_.deposed = true;
	return ret;
}

static int open_service(char *err, size_t size)
{
	struct p4d_service_conf conf = {
		.store = daemon_.options.store,
		.switch_path = daemon_.options.switch_path,
		.switch_ops = &p4d_switch_soft,
		.reply = reply,
	};

	if (daemon_.seat) {
		conf.store_ops = &p4d_store_etcd_ops;
		conf.store_impl = p4d_seat_store(daemon_.seat);
		conf.term = p4d_seat_term(daemon_.seat);
		if (!conf.store_impl)
			return -ENOMEM;
	}
	return read_all(p4d_service_open(&daemon_.service, daemon_.loop, &conf, err, size));
}

/* Returns when the seat is ours, or when there is nothing more to wait for: *won says which. */
static int wait_for_seat(bool *won, char *err, size_t size)
{
	struct p4d_seat_conf conf = {
		.place = daemon_.options.store,
		.name = daemon_.options.name,
		.address = daemon_.options.address,
		.lease_s = daemon_.options.lease_s,
		.won = on_won,
		.lost = on_lost,
	};
	int ret = p4d_seat_open(&daemon_.seat, daemon_.loop, &conf, err, size);

	*won = false;
	if (ret)
		return ret;
	ret = p4d_loop_run(daemon_.loop, nothing, NULL);
	snprintf(err, size, "epoll_wait: %s", strerror(-ret));
	*won = !ret && !daemon_.ended && p4d_seat_is_ours(daemon_.seat);
	return ret;
}

static int open_config(char *err, size_t size)
{
	struct p4d_config_events events = {
		.tenant = apply_tenant, .tenant_gone = apply_tenant_gone,
	};

	if (!daemon_.seat)
		return 0;
	return read_all(p4d_seat_config(daemon_.seat, &daemon_.config, &events, err, size));
}

static int open_netlink(char *err, size_t size)
{
	struct p4d_netlink_events events = {
		.policy = on_policy,
		.geometry = on_geometry,
		.tenant = on_tenant,
		.tenant_gone = on_tenant_gone,
		.tenants_begin = on_tenants_begin,
		.tenants_end = on_tenants_end,
	};

	daemon_.port = daemon_.options.port;
	return p4d_netlink_open(&daemon_.netlink, daemon_.loop, &events, err, size);
}

static int open_status(char *err, size_t size)
{
	struct p4d_status_conf conf = {
		.service = daemon_.service,
		.path = daemon_.options.socket,
		.store = daemon_.options.store,
		.switch_path = daemon_.options.switch_path,
		.port = daemon_.port,
	};

	return p4d_status_open(&daemon_.status, daemon_.loop, &conf, err, size);
}

static void metrics_page(void *arg, FILE *f)
{
	struct p4d_server_stats replies = p4d_server_stats(daemon_.server);

	p4d_metrics_print(engine(), p4d_service_store_ok(daemon_.service), &replies, p4d_now(), f);
}

static int open_metrics(char *err, size_t size)
{
	if (!daemon_.options.metrics)
		return 0;
	return p4d_http_open(&daemon_.http, daemon_.loop, daemon_.options.metrics, metrics_page,
			     NULL, err, size);
}

static int serve(char *err, size_t size)
{
	int ret;

	ret = open_service(err, size);
	if (ret)
		return ret;
	ret = open_config(err, size);
	if (ret)
		goto close_service;
	ret = open_netlink(err, size);
	if (ret)
		goto close_config;
	ret = p4d_server_open(&daemon_.server, daemon_.loop, daemon_.port, on_message, NULL, err,
			      size);
	if (ret)
		goto close_netlink;
	ret = open_status(err, size);
	if (ret)
		goto close_server;
	ret = open_metrics(err, size);
	if (ret)
		goto close_status;
	p4d_log(P4D_NOTE, "Homa port %u, store %s, status %s", daemon_.port, daemon_.options.store,
		daemon_.options.socket);
	ret = p4d_loop_run(daemon_.loop, after, NULL);
	snprintf(err, size, "epoll_wait: %s", strerror(-ret));
	p4d_http_close(daemon_.http);
close_status:
	p4d_status_close(daemon_.status);
close_server:
	p4d_server_close(daemon_.server);
close_netlink:
	p4d_netlink_close(daemon_.netlink);
close_config:
	if (daemon_.config)
		p4d_config_close(daemon_.config);
close_service:
	p4d_service_close(daemon_.service);
	return ret;
}

static int run(char *err, size_t size)
{
	bool won;
	int ret;

	if (strncmp(daemon_.options.store, P4D_SEAT_SCHEME, strlen(P4D_SEAT_SCHEME)))
		return serve(err, size);
	ret = wait_for_seat(&won, err, size);
	if (won)
		ret = serve(err, size);
	if (daemon_.seat)
		p4d_seat_close(daemon_.seat);
	return ret;
}

int main(int argc, char **argv)
{
	char err[512];
	int ret;

	if (p4d_options_parse(&daemon_.options, argc, argv, err, sizeof(err))) {
		fprintf(stderr, "p4allocd: %s\n", err);
		return 2;
	}
	if (daemon_.options.help) {
		p4d_options_help(stdout);
		return 0;
	}
	p4d_log_level = daemon_.options.verbose > P4D_EACH ? P4D_EACH :
		(enum p4d_level)daemon_.options.verbose;
	daemon_.loop = p4d_loop_create();
	if (!daemon_.loop || watch_signals()) {
		perror("p4allocd");
		return 1;
	}
	ret = run(err, sizeof(err));
	if (ret)
		fprintf(stderr, "p4allocd: %s\n", err);
	p4d_loop_destroy(daemon_.loop);
	close(daemon_.signals.fd);
	if (!daemon_.deposed || daemon_.ended)
		return ret ? 1 : 0;
	if (ret)
		usleep(AGAIN_US);
	execv("/proc/self/exe", argv);	/* stands by from now on, and has forgotten everything */
	perror("p4allocd: exec");
	return 1;
}
