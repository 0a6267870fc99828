// SPDX-License-Identifier: GPL-2.0-or-later
/* tenant.cc - a C++ program on what was installed: all of the header, and calls into the library. */
#include <p4alloc.h>

#include <cstdio>

int main()
{
	const struct p4a_geometry geo = { 4, 2, 1 };
	const p4a_key_count kc[] = { { 1, 10 | P4A_KEY_SOURCE }, { 2, 5 | P4A_KEY_DEPENDENT } };
	const p4a_op ops[] = { { 1, 0, P4A_READ | P4A_SOURCE }, { 2, 1, P4A_ADD | P4A_DEPENDENT } };
	p4a_layout *layout = nullptr;
	p4a_ctx *ctx = nullptr;
	p4a_options opts = {};
	p4a_error err = {};
	struct p4a_plan plan;		// as p4a_geometry, also the name of a function

	opts.tenant = 1;
	if (p4a_open(&ctx, &opts, &err) != -22)		// no node is one of 0
		return 1;
	if (p4a_layout_from_counts(&layout, &geo, kc, 2, &err) != 2)
		return 2;
	if (p4a_plan(layout, 2, ops, 2, &plan) != 2 || plan.lock_acquire)
		return 3;
	p4a_layout_free(layout);
	return p4a_apply(P4A_ADD | P4A_DEPENDENT, 1, 2, 3) == 6 ? 0 : 4;
}
