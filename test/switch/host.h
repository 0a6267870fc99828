/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.h - a host as a switch sees it: frames on an interface, and the control socket. */
#ifndef TEST_SWITCH_HOST_H
#define TEST_SWITCH_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p4wire.h"

struct frame {
	uint8_t dst[6], src[6];
	__be16 ethertype;
	uint8_t version_ihl, tos;
	__be16 total_length, id, fragment;
	uint8_t ttl, protocol;
	__be16 checksum;
	__be32 saddr, daddr;
	struct p4w_txn txn;
} __attribute__((packed));

#define FRAME_MAX	1514

int  host_open(const char *interface);			/* a socket; exits on failure */
void host_send(int fd, const void *frame, size_t length);
/* Bytes of the frame, however many of them there was room for; 0: nothing came. No IPv6 or ARP. */
int  host_recv(int fd, void *frame, size_t room, int timeout_ms);

void frame_init(struct frame *f, unsigned int host);	/* an empty request of this host */

void control_connect(const char *path);
/* Sends one line, returns a struct json_object that the caller puts. */
struct json_object *control_ask(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct json_object *control_ask_bytes(const char *line, size_t length);
void control_read(const char *array, unsigned int index, unsigned int count, uint64_t *values);
void control_write(const char *array, unsigned int index, uint64_t value);
uint64_t control_counter(const char *name);
uint64_t control_port(unsigned int port, const char *counter);

#endif
