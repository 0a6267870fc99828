// SPDX-License-Identifier: LGPL-2.1-or-later
/* region.c - see region.h. */
#include <errno.h>
#include <linux/homa.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "region.h"

#define REGION_MIN	(4u << 20)	/* the kernel wants 2 MB and one page a CPU */
#define REGION_MAX	(256u << 20)

static int offer(int sock, size_t len, uint8_t **region)
{
	struct homa_rcvbuf_args args = { .length = len };
	int err;

	*region = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	if (*region == MAP_FAILED)
		return -errno;
	args.start = (uintptr_t)*region;
	if (!setsockopt(sock, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args)))
		return 0;
	err = -errno;
	munmap(*region, len);
	return err;
}

/* The kernel wants a page for each CPU that it could have, a number that it does not tell. */
int p4a_region_map(int sock, uint8_t **region, size_t *len, struct p4a_error *err)
{
	int rc = -EINVAL;

	for (*len = REGION_MIN; rc == -EINVAL && *len <= REGION_MAX; *len *= 2) {
		rc = offer(sock, *len, region);
		if (!rc)
			return 0;
	}
	return p4a_fail(err, rc, "receive region: %s", strerror(-rc));
}
