/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_homa.h - a Homa socket with its receive region, for test programs. Calls return -errno. */
#ifndef T_HOMA_H
#define T_HOMA_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/homa.h>

#define T_PASS		0
#define T_FAIL		1
#define T_SKIP		77

struct t_homa {
	int fd;
	char *region;
};

/* What recvmsg gave; the pages of the message before are given back by the next t_homa_recv(). */
struct t_message {
	struct homa_recvmsg_args args;
	union {			/* as the family of the socket is */
		struct sockaddr_in peer;
		struct sockaddr_in6 peer6;
	};
	uint32_t len;
};

int t_homa_open(struct t_homa *h, uint16_t port);
int t_homa_open_family(struct t_homa *h, int family, uint16_t port);
void t_homa_close(struct t_homa *h);
/* `to`: struct sockaddr_in or sockaddr_in6 */
int t_homa_request(struct t_homa *h, const void *to, const void *data, size_t len,
		   uint64_t cookie, uint64_t *id);
int t_homa_reply(struct t_homa *h, const struct t_message *m, const void *data, size_t len);
int t_homa_txn(struct t_homa *h, const struct homa_txn *txn, uint64_t cookie, int flags);
int t_homa_recv(struct t_homa *h, struct t_message *m, int timeout_ms);
void t_homa_copy(const struct t_homa *h, const struct t_message *m, void *out, size_t len);
int t_homa_txn_result(struct t_homa *h, struct t_message *m, struct homa_txn_result *result,
		      int timeout_ms);

uint64_t t_now_ns(void);
int t_parse_peer(const char *text, struct sockaddr_in *peer);
int t_parse_peer6(const char *text, struct sockaddr_in6 *peer);
uint64_t t_parse_number(const char *name, const char *text, uint64_t min, uint64_t max);

#endif
