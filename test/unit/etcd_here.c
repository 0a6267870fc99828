// SPDX-License-Identifier: GPL-2.0-or-later
/* etcd_here.c - see etcd_here.h. */
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "etcd_here.h"
#include "../../tools/p4allocd/etcd.h"

char etcd_at[32];
static char dir[64];
static pid_t etcd_pid;

static int call(const char *method, const char *body)
{
	char err[256];
	struct p4d_etcd *etcd = p4d_etcd_create(NULL, etcd_at);
	struct json_object *o = p4d_etcd_now(etcd, method, json_tokener_parse(body), err,
					     sizeof(err));

	json_object_put(o);
	p4d_etcd_destroy(etcd);
	return o ? 0 : -1;
}

int etcd_start(void)
{
	char client[64], peer[64], cluster[80], log[80];
	int port = 20000 + getpid() % 5000 * 2;

	snprintf(dir, sizeof(dir), "/dev/shm/etcd_here.%d", getpid());
	snprintf(log, sizeof(log), "%s.log", dir);
	snprintf(etcd_at, sizeof(etcd_at), "127.0.0.1:%d", port);
	snprintf(client, sizeof(client), "http://%s", etcd_at);
	snprintf(peer, sizeof(peer), "http://127.0.0.1:%d", port + 1);
	snprintf(cluster, sizeof(cluster), "default=%s", peer);
	etcd_pid = fork();
	if (!etcd_pid) {
		if (freopen(log, "w", stderr) && freopen("/dev/null", "w", stdout))
			execlp("etcd", "etcd", "--data-dir", dir, "--listen-client-urls", client,
			       "--advertise-client-urls", client, "--listen-peer-urls", peer,
			       "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
			       NULL);
		_exit(127);
	}
	for (int i = 0; i < 200; i++) {
		if (!call("kv/range", "{\"key\":\"YQ==\"}"))
			return 0;
		usleep(50000);
	}
	return -1;
}

int etcd_stop(void)
{
	char line[160];

	kill(etcd_pid, SIGKILL);
	waitpid(etcd_pid, NULL, 0);
	snprintf(line, sizeof(line), "rm -rf %s %s.log", dir, dir);
	return system(line);
}

void etcd_forget_leader(const char *name)
{
	char key[64], body[160];
	struct json_object *o;

	snprintf(key, sizeof(key), "/test/switch/%s/leader", name);
	o = p4d_etcd_bytes(key, strlen(key));
	snprintf(body, sizeof(body), "{\"key\":\"%s\"}", json_object_get_string(o));
	json_object_put(o);
	assert_int_equal(call("kv/deleterange", body), 0);
}

bool trace_to(pid_t pid, unsigned int n, int *status)
{
	int sig = 0;

	assert_int_equal(waitpid(pid, status, 0), pid);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (unsigned int at = 0; at < n;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, sig), 0);
		assert_int_equal(waitpid(pid, status, 0), pid);
		if (!WIFSTOPPED(*status))
			return false;
		sig = WSTOPSIG(*status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(*status);
		at += !sig;
	}
	return true;
}
