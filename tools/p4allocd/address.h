/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * address.h - the address that nodes know the allocator by, while this one is it.
 *
 * It is added with a lifetime, which each renewal of the lease makes longer: the kernel takes it
 * away from a process that was killed or hangs. Neighbours are told where it is now (gratuitous ARP).
 */
#ifndef P4D_ADDRESS_H
#define P4D_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct p4d_address {
	struct in_addr addr;
	uint8_t bits;		/* of the network */
	unsigned int ifindex;
};

/* ADDRESS/BITS@INTERFACE. 0, or -errno and err. */
int p4d_address_parse(struct p4d_address *a, const char *text, char *err, size_t size);

int p4d_address_hold(const struct p4d_address *a, uint32_t seconds);	/* 0 or -errno */
void p4d_address_drop(const struct p4d_address *a);

#endif /* P4D_ADDRESS_H */
