// SPDX-License-Identifier: GPL-2.0-or-later
/* reference.c - see reference.h. */
#include <string.h>

#include "reference.h"

/* The first size that is not below `bytes`. */
static int place_of(const struct reference *r, uint32_t bytes)
{
	int lo = 0, hi = r->count;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (r->bytes[mid] < bytes)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int reference_add(struct reference *r, uint32_t bytes, double ns)
{
	int i = place_of(r, bytes);

	if (i < r->count && r->bytes[i] == bytes) {
		if (ns < r->ns[i])
			r->ns[i] = ns;
		return 0;
	}
	if (r->count == REFERENCE_SIZES)
		return -1;
	memmove(&r->bytes[i + 1], &r->bytes[i], (r->count - i) * sizeof(*r->bytes));
	memmove(&r->ns[i + 1], &r->ns[i], (r->count - i) * sizeof(*r->ns));
	r->bytes[i] = bytes;
	r->ns[i] = ns;
	r->count++;
	return 0;
}

int reference_read(struct reference *r, const char *path)
{
	FILE *f = fopen(path, "r");
	uint32_t bytes;
	double ns;
	int got, err = 0;

	if (!f) {
		perror(path);
		return -1;
	}
	while (!err && (got = fscanf(f, "%*s %u %lf", &bytes, &ns)) == 2)
		err = reference_add(r, bytes, ns);
	if (err || got != EOF || !r->count) {
		fprintf(stderr, "%s: must be up to %d lines of TRANSPORT BYTES NS\n", path,
			REFERENCE_SIZES);
		err = -1;
	}
	fclose(f);
	return err;
}

double reference_ns(const struct reference *r, uint32_t bytes)
{
	int i = place_of(r, bytes);
	double share;

	if (i == 0)
		return r->ns[0];
	if (i == r->count)
		return r->ns[r->count - 1];
	share = ((double)bytes - r->bytes[i - 1]) / (r->bytes[i] - r->bytes[i - 1]);
	return r->ns[i - 1] + share * (r->ns[i] - r->ns[i - 1]);
}
