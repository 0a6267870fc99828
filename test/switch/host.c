// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "host.h"

static void die(const char *what)
{
	printf("not ok %s: %s\n", what, strerror(errno));
	exit(1);
}

int host_open(const char *interface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, room = 8 << 20;

	if (fd < 0 || !a.sll_ifindex)
		die(interface);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die(interface);
	return fd;
}

void host_send(int fd, const void *frame, size_t length)
{
	while (send(fd, frame, length, 0) < 0) {
		if (errno != ENOBUFS)
			die("send");
		usleep(100);
	}
}

/* What the kernels at the ends say on their own. */
static int is_chatter(const uint8_t *frame, ssize_t length)
{
	return length >= 14 && ((frame[12] == 0x86 && frame[13] == 0xdd) ||
				(frame[12] == 0x08 && frame[13] == 0x06));
}

int host_recv(int fd, void *frame, size_t room, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	do {
		if (poll(&p, 1, timeout_ms) <= 0)
			return 0;
		n = recv(fd, frame, room, MSG_TRUNC);
		if (n < 0)
			die("recv");
	} while (is_chatter(frame, n));
	return n;
}

static __be16 ip_checksum(const void *header)
{
	uint16_t words[10];
	uint32_t sum = 0;

	memcpy(words, header, sizeof(words));
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

void frame_init(struct frame *f, unsigned int host)
{
	*f = (struct frame){
		.dst = { 2, 0, 0, 0, 0, 0xaa }, .src = { 2, 0, 0, 0, 0, host },
		.ethertype = htons(ETH_P_IP), .version_ihl = 0x45,
		.total_length = htons(sizeof(*f) - 14), .id = htons(7), .fragment = htons(0x4000),
		.ttl = 64, .protocol = P4W_IPPROTO,
		.saddr = htonl(0x0a000000 + host), .daddr = htonl(0x0a0000aa),
		.txn.common = {
			.sport = htons(0x8000 + host), .dport = htons(P4W_ALLOC_PORT),
			.type = P4W_TXN, .doff = 0xa0, .flags = P4W_HOMA_FLAGS,
			.urgent = htons(P4W_HOMA_URGENT),
		},
		.txn.version = P4W_VERSION,
	};
	f->checksum = ip_checksum(&f->version_ihl);
}

/* ------------------------------------------------- control socket */

static FILE *control;

void control_connect(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die(path);
	control = fdopen(fd, "r+");
}

struct json_object *control_ask_bytes(const char *line, size_t length)
{
	struct json_object *o;
	char *answer = NULL;
	size_t room = 0;

	fwrite(line, 1, length, control);
	fputc('\n', control);
	fflush(control);
	if (getline(&answer, &room, control) <= 0)
		die("the control socket is gone");
	o = json_tokener_parse(answer);
	if (!o)
		die("an answer is not JSON");
	free(answer);
	return o;
}

struct json_object *control_ask(const char *fmt, ...)
{
	struct json_object *o;
	char *line;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		die("memory");
	o = control_ask_bytes(line, n);
	free(line);
	return o;
}

void control_read(const char *array, unsigned int index, unsigned int count, uint64_t *values)
{
	struct json_object *o =
		control_ask("{\"cmd\":\"reg_read\",\"array\":\"%s\",\"index\":%u,\"count\":%u}",
			    array, index, count);
	struct json_object *list = json_object_object_get(o, "values");

	if (!list || json_object_array_length(list) != count) {
		printf("not ok reg_read %s: %s\n", array, json_object_to_json_string(o));
		exit(1);
	}
	for (unsigned int i = 0; i < count; i++)
		values[i] = json_object_get_uint64(json_object_array_get_idx(list, i));
	json_object_put(o);
}

void control_write(const char *array, unsigned int index, uint64_t value)
{
	struct json_object *o = control_ask(
		"{\"cmd\":\"reg_write\",\"array\":\"%s\",\"index\":%u,\"values\":[%llu]}", array,
		index, (unsigned long long)value);

	if (!json_object_get_boolean(json_object_object_get(o, "ok"))) {
		printf("not ok reg_write %s: %s\n", array, json_object_to_json_string(o));
		exit(1);
	}
	json_object_put(o);
}

uint64_t control_counter(const char *name)
{
	struct json_object *o = control_ask("{\"cmd\":\"counters\"}");
	struct json_object *v = json_object_object_get(json_object_object_get(o, "counters"), name);
	uint64_t n = json_object_get_uint64(v);

	json_object_put(o);
	return n;
}

uint64_t control_port(unsigned int port, const char *counter)
{
	struct json_object *o = control_ask("{\"cmd\":\"counters\"}");
	struct json_object *list = json_object_object_get(o, "ports");
	struct json_object *v =
		json_object_object_get(json_object_array_get_idx(list, port), counter);
	uint64_t n = json_object_get_uint64(v);

	json_object_put(o);
	return n;
}
