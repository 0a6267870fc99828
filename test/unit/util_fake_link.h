/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links inside of one process, see util_fake_link.c. */
#ifndef UTIL_FAKE_LINK_H
#define UTIL_FAKE_LINK_H

#include "../../util/link.h"

extern unsigned int fake_link_lose;	/* 0: no answer is lost */

#endif /* UTIL_FAKE_LINK_H */
