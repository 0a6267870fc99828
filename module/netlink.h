/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P4HOMA_NETLINK_H
#define P4HOMA_NETLINK_H

int homa_netlink_init(void);
void homa_netlink_exit(void);

#endif
