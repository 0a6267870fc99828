/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suites.h - force-included into each KUnit module.
 *
 * Linux 6.1 runs a module's suites while it is being loaded, before its parameters are parsed and
 * before its init function. Here they run from the init function, on every kernel.
 */
#ifndef SUITES_H
#define SUITES_H

#include <kunit/test.h>
#include <linux/module.h>

#undef kunit_test_suites
#define kunit_test_suites(suites_...)							\
	static struct kunit_suite * const suites_here[] = { suites_ };			\
	static int __init run_suites(void)						\
	{										\
		return __kunit_test_suites_init((struct kunit_suite **)suites_here,	\
						ARRAY_SIZE(suites_here));		\
	}										\
	static void __exit drop_suites(void)						\
	{										\
		__kunit_test_suites_exit((struct kunit_suite **)suites_here,		\
					 ARRAY_SIZE(suites_here));			\
	}										\
	module_init(run_suites);							\
	module_exit(drop_suites)

#endif
