// SPDX-License-Identifier: GPL-2.0
/*
 * route.c - the way to a peer, kept with it for sockets without options of their own.
 *
 * Readers come under RCU. peer->lock, BH, for who replaces it. Any context.
 *
 * What comes back from a peer proves that its neighbour entry, or the router's, is right; else the
 * kernel would ask for the link address again and again, of peers that are busy answering us.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <net/dst.h>
#include <net/ipv6.h>

#include "ip.h"
#include "net.h"
#include "peer.h"
#include "recent.h"

#define CONFIRM_MS	250	/* between two words to the neighbour table about a peer, at least */

void homa_peer_free_route(struct homa_route *route)
{
	if (!route)
		return;
	dst_release(route->dst);
	kfree_rcu(route, rcu);
}

/* "Any" is what routing chooses, not what the peer has sent to. */
static bool has_wanted(const struct homa_route *route, const struct in6_addr *saddr)
{
	return ipv6_addr_any(saddr) ? route->is_chosen : ipv6_addr_equal(saddr, &route->saddr);
}

/* A reference to the cached route, if it is still good and has the wanted local address. */
static struct dst_entry *cached_route(struct homa_peer *peer, struct in6_addr *saddr)
{
	struct dst_entry *dst = NULL;
	struct homa_route *route;

	rcu_read_lock();
	route = rcu_dereference(peer->route);
	if (route && has_wanted(route, saddr) &&
	    dst_check(route->dst, route->cookie) && dst_hold_safe(route->dst)) {
		dst = route->dst;
		*saddr = route->saddr;
	}
	rcu_read_unlock();
	return dst;
}

/* One that routing chose stays while it is good: mostly there is but one address, for all to use. */
static bool may_replace(struct homa_peer *peer, bool is_chosen)
{
	const struct homa_route *old = rcu_dereference_protected(peer->route,
								 lockdep_is_held(&peer->lock));

	return is_chosen || !old || !old->is_chosen || !dst_check(old->dst, old->cookie);
}

static void cache_route(struct homa_peer *peer, struct dst_entry *dst,
			const struct in6_addr *saddr, u32 cookie, bool is_chosen)
{
	struct homa_route *route = kmalloc(sizeof(*route), GFP_ATOMIC);

	if (!route)
		return;
	dst_hold(dst);
	route->dst = dst;
	route->saddr = *saddr;
	route->is_chosen = is_chosen;
	route->cookie = cookie;
	spin_lock_bh(&peer->lock);
	if (may_replace(peer, is_chosen))
		route = rcu_replace_pointer(peer->route, route, lockdep_is_held(&peer->lock));
	spin_unlock_bh(&peer->lock);
	homa_peer_free_route(route);
}

struct dst_entry *homa_peer_route(struct homa_peer *peer, const struct sock *sk,
				  struct in6_addr *saddr)
{
	bool special = sk && (sk->sk_bound_dev_if || sk->sk_mark), is_chosen = ipv6_addr_any(saddr);
	struct dst_entry *dst;
	u32 cookie;

	if (!special) {
		dst = cached_route(peer, saddr);
		if (dst)
			return dst;
	}
	dst = homa_ip_route(peer->net->net, sk, &peer->addr, saddr, &cookie);
	if (!IS_ERR(dst) && !special)
		cache_route(peer, dst, saddr, cookie, is_chosen);
	return dst;
}

void homa_peer_confirm_route(struct homa_peer *peer, const struct sock *sk,
			     const struct in6_addr *saddr)
{
	unsigned long ticks = msecs_to_jiffies(CONFIRM_MS);
	struct in6_addr ours = *saddr;
	struct dst_entry *dst;

	if (homa_is_recent(READ_ONCE(peer->live.confirmed), jiffies, ticks))
		return;
	WRITE_ONCE(peer->live.confirmed, jiffies | 1);
	dst = homa_peer_route(peer, sk, &ours);
	if (IS_ERR(dst))
		return;
	homa_ip_confirm(dst, &peer->addr);
	dst_release(dst);
}
