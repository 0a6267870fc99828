// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * late.c - sends the packet of a request that this host's module knows nothing of, as if it had been
 * under way since the request was finished.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_homa.h"

#define LENGTH	100

static const char usage[] =
	"usage: late ADDRESS:PORT ID...\n"
	"Sends a request of 100 bytes for each id, an even number. Exit: 0 sent, 1 not, 2 usage.\n";

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

	return sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to)) ==
	       sizeof(packet) ? 0 : -errno;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_RAW, P4W_IPPROTO), i, err;
	struct sockaddr_in to;

	if (argc < 3 || t_parse_peer(argv[1], &to)) {
		fputs(usage, stderr);
		return 2;
	}
	for (i = 2; i < argc; i++) {
		err = send_request(fd, &to, t_parse_number("ID", argv[i], 2, UINT64_MAX - 1));
		if (err) {
			fprintf(stderr, "late: %s\n", strerror(-err));
			return T_FAIL;
		}
	}
	close(fd);
	return T_PASS;
}
