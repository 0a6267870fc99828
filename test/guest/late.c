// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * late.c - sends the packet of a request that this host's module knows nothing of, as if it had been
 * under way since the request was finished, or somebody else had made it up.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_homa.h"

#define LENGTH	100

static const char usage[] =
	"usage: late ADDRESS:PORT ID...\n"
	"Sends a request of 100 bytes for each id, an even number; +N is the one N requests after the\n"
	"next, as a request to the port above, where nobody need be, tells. Exit: 0 sent, 1 not, 2 usage.\n";

/* That of a request of this host. */
static uint64_t true_id(const struct sockaddr_in *to)
{
	struct sockaddr_in above = *to;
	struct t_message m = { 0 };
	uint64_t id = 0;
	struct t_homa h;

	above.sin_port = htons(ntohs(to->sin_port) + 1);
	if (t_homa_open(&h, 0) || t_homa_request(&h, &above, "", 1, 1, &id)) {
		fputs("late: no request can be sent\n", stderr);
		exit(T_FAIL);
	}
	t_homa_recv(&h, &m, -1);
	t_homa_close(&h);
	return id;
}

static int send_request(int fd, const struct sockaddr_in *to, uint64_t id)
{
	struct {
		struct p4w_data head;
		uint8_t data[LENGTH];
	} packet = {
		.head.common = {
			.sport = htons(40000), .dport = to->sin_port, .type = P4W_DATA, .doff = 0xe0,
			.flags = P4W_HOMA_FLAGS, .urgent = htons(P4W_HOMA_URGENT),
			.sender_id = htobe64(id),
		},
		.head.message_length = htonl(LENGTH),
		.head.incoming = htonl(LENGTH),
	};
	uint32_t i;

	for (i = 8; i < LENGTH; i++)	/* number 0 of those that rpc.c knows */
		packet.data[i] = i * 0x9e3779b1u >> 13;

	return sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to)) ==
	       sizeof(packet) ? 0 : -errno;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_RAW, P4W_IPPROTO), i, err;
	struct sockaddr_in to;
	uint64_t id;

	if (argc < 3 || t_parse_peer(argv[1], &to)) {
		fputs(usage, stderr);
		return 2;
	}
	for (i = 2; i < argc; i++) {
		if (argv[i][0] == '+')
			id = true_id(&to) + 2 * t_parse_number("ID", argv[i] + 1, 1, INT32_MAX);
		else
			id = t_parse_number("ID", argv[i], 2, UINT64_MAX - 1);
		err = send_request(fd, &to, id);
		if (err) {
			fprintf(stderr, "late: %s\n", strerror(-err));
			return T_FAIL;
		}
	}
	close(fd);
	return T_PASS;
}
