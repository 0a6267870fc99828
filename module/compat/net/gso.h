/* SPDX-License-Identifier: GPL-2.0 */
/* Before 6.5, what it declares is elsewhere. */
#include <linux/netdevice.h>
