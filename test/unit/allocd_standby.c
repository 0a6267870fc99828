// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_standby.c - the daemon itself, with an etcd that elects it and then does not let it read: it
 * must give the seat back and stand by again, not end.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static unsigned int leases, revoked, refused;
static bool leader;

static int listen_anywhere(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* What etcd says to the request with this first line; who is leader may read nothing. */
static const char *answer_to(const char *head, const char **status)
{
	*status = "200 OK";
	if (strstr(head, "/v3/lease/grant")) {
		leases++;
		return "{\"ID\":\"7\",\"TTL\":\"5\"}";
	}
	if (strstr(head, "/v3/kv/txn")) {
		leader = true;
		return "{\"succeeded\":true,\"header\":{\"revision\":\"9\"}}";
	}
	if (strstr(head, "/v3/lease/revoke")) {
		revoked++;
		leader = false;
		return "{}";
	}
	if (!leader)
		return "{\"count\":\"0\"}";
	refused++;
	*status = "503 Service Unavailable";
	return "{\"error\":\"etcdserver: leader changed\"}";
}

/* One request a connection. Its body is all in what comes after the empty line. */
static void serve_one(int fd)
{
	char in[4096] = "", out[512];
	const char *status, *body, *end;
	size_t n = 0, want = sizeof(in);

	while (n < want && n < sizeof(in) - 1) {
		ssize_t got = recv(fd, in + n, sizeof(in) - 1 - n, 0);

		if (got <= 0)
			break;
		n += got;
		in[n] = '\0';
		end = strstr(in, "\r\n\r\n");
		body = strstr(in, "Content-Length: ");
		if (end && body)
			want = end + 4 - in + strtoul(body + 16, NULL, 10);
	}
	body = answer_to(in, &status);
	n = snprintf(out, sizeof(out), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		     status, strlen(body), body);
	assert_int_equal(send(fd, out, n, MSG_NOSIGNAL), n);
	close(fd);
}

static pid_t start_daemon(uint16_t port)
{
	char store[64], socket[64], path[256] = "";
	pid_t pid;

	snprintf(store, sizeof(store), "etcd://127.0.0.1:%u/t", port);
	snprintf(socket, sizeof(socket), "/dev/shm/allocd_standby.%d", getpid());
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 32) > 0);
	strcpy(strrchr(path, '/'), "/../bin/p4allocd");
	pid = fork();
	if (pid)
		return pid;
	if (!freopen("/dev/null", "w", stderr))
		_exit(126);
	execl(path, path, "--store", store, "--name", "a", "--socket", socket, NULL);
	_exit(127);
}

static void standby__survives_an_etcd_that_fails_while_all_is_read(void **state)
{
	uint16_t port;
	int fd = listen_anywhere(&port), status;
	pid_t pid = start_daemon(port);

	alarm(60);
	while (leases < 3)
		serve_one(accept(fd, NULL, NULL));
	assert_true(refused >= 2);
	assert_true(revoked >= 2);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standby__survives_an_etcd_that_fails_while_all_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
