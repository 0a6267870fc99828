// SPDX-License-Identifier: GPL-2.0
/*
 * peer.c - other hosts, by address, in one hash table a network namespace.
 *
 * Lookup is under RCU. An RPC holds a reference; a peer that nobody holds stays in the table, since
 * it remembers finished requests, until peer_net_max is reached: then a hand walks over the table,
 * and the unused peer of the next bucket that was looked up longest ago makes room for a new one.
 *
 * The table grows with its peers: a work item moves all to a larger one, some buckets at a time, with
 * peers->lock. Who looks something up meanwhile may miss it, or be carried over to another bucket;
 * since who misses looks again with the lock, in both tables, that does no harm.
 */
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>

#include "net.h"
#include "peer.h"
#include "recent.h"
#include "seen.h"

#define FIRST_BITS	8	/* buckets to begin with; eight times as many when it grows */
#define GROW_BITS	3
#define MOST_BITS	20
#define CROWDED		2	/* peers a bucket */
#define MOVE_STEP	64	/* buckets that are moved before others may have the lock */
#define LIFE_ENDS	(U32_MAX - 0xffff)	/* more CPUs than this there are not */
#define LIFE_LEAST	(60 * HZ)	/* before another one for want of answers */
#define EVICT_WALK	64	/* peers that are looked at to make room for one */

struct peer_table {
	u32 bits;
	struct rcu_head rcu;
	struct hlist_head bucket[];
};

/* Of these two there are many, of sizes that others waste half of. */
static struct kmem_cache *peer_cache, *seen_cache;

struct homa_peers {
	struct peer_table __rcu *table;
	spinlock_t lock;		/* BH; guards changes of the table, and what follows */
	struct peer_table *next;	/* takes the place of the table when all are in it; or NULL */
	u32 nr;
	u32 hand;			/* bucket where the last eviction stopped */
	u32 key[4];			/* random; these two never change */
	u64 factor;			/* random, odd */
	siphash_key_t life_key;		/* never changes */
	u32 last_life;			/* before it is shuffled: upper half of ids; random start */
	u64 lost_ms;			/* when it was last forgotten what is finished */
	unsigned long trimmed;		/* jiffies when idle windows were looked for; 0: never */
	struct homa_seen_mem seen_mem;
	struct work_struct tend;
};

/* Used until a peer has sent its own. Lengths in bytes, priority 0 takes everything. */
static const u32 default_cutoff[P4W_PRIORITIES] = {
	INT_MAX, 0, 0, 0, 1000000, 15000, 2800, 200,
};

/* The caller is in an RCU read-side section, or has the lock of the table. */
static struct peer_table *table_of(struct homa_peers *peers)
{
	return rcu_dereference_check(peers->table, lockdep_is_held(&peers->lock));
}

/* Who does not know the key finds no addresses that meet in a bucket more often than random ones do
 * (the sum is the hash NH of UMAC, a product's upper bits are good ones), in a third of the
 * instructions of jhash.
 */
static struct hlist_head *bucket_in(const struct homa_peers *peers, struct peer_table *table,
				    const struct in6_addr *addr)
{
	const u32 *word = (__force const u32 *)addr->s6_addr32, *key = peers->key;
	u64 sum;

	sum = (u64)(word[0] + key[0]) * (word[1] + key[1]) +
	      (u64)(word[2] + key[2]) * (word[3] + key[3]);
	return &table->bucket[sum * peers->factor >> (64 - table->bits)];
}

/* As table_of(). */
static struct hlist_head *bucket_of(struct homa_peers *peers, const struct in6_addr *addr)
{
	return bucket_in(peers, table_of(peers), addr);
}

/* The caller is in an RCU read-side section, or has the lock of the table. */
static struct homa_peer *find(struct hlist_head *bucket, const struct in6_addr *addr)
{
	struct homa_peer *peer;

	hlist_for_each_entry_rcu(peer, bucket, link, true)
		if (ipv6_addr_equal(&peer->addr, addr) && refcount_inc_not_zero(&peer->refs))
			return peer;
	return NULL;
}

static void free_late(struct rcu_head *rcu)
{
	kmem_cache_free(peer_cache, container_of(rcu, struct homa_peer, rcu));
}

static struct homa_seen_mem *seen_mem(const struct homa_peer *peer)
{
	return &peer->net->peers->seen_mem;
}

static void peer_free(struct homa_peer *peer)
{
	homa_peer_free_route(rcu_dereference_protected(peer->route, true));
	if (peer->seen) {
		homa_seen_clear(peer->seen, seen_mem(peer));
		kmem_cache_free(seen_cache, peer->seen);
	}
	call_rcu(&peer->rcu, free_late);
}

void homa_peer_put(struct homa_peer *peer)
{
	if (refcount_dec_and_test(&peer->refs))
		peer_free(peer);
}

/* Each number once, in an order that only we know (a Feistel network). */
static u32 shuffled(const siphash_key_t *key, u32 nr)
{
	u16 left = nr >> 16, right = nr, last;
	u32 round;

	for (round = 0; round < 4; round++) {
		last = right;
		right = left ^ siphash_2u32(right, round, key);
		left = last;
	}
	return (u32)left << 16 | right;
}

/* The upper half of the ids of requests to one peer, 1 .. S32_MAX. From its own, a peer can't tell what those
 * of others are, to interfere in their name.
 */
static u64 next_life(struct homa_peers *peers)
{
	u32 life;

	lockdep_assert_held(&peers->lock);
	do {
		life = shuffled(&peers->life_key, peers->last_life++);
	} while (!life || life > S32_MAX);
	return (u64)life << 32;
}

u64 homa_peer_next_id(struct homa_peer *peer)
{
	struct homa_peers *peers = peer->net->peers;
	u64 id = atomic64_add_return(2, &peer->next_id);

	if (likely((u32)id < LIFE_ENDS))
		return id;
	/* Those who have drawn from what is left of this life keep it. */
	spin_lock_bh(&peers->lock);
	if ((u32)atomic64_read(&peer->next_id) >= LIFE_ENDS)
		atomic64_set(&peer->next_id, next_life(peers));
	spin_unlock_bh(&peers->lock);
	return id;
}

/* Rarely, since a server remembers HOMA_SEEN_RUNS lives. */
void homa_peer_change_life(struct homa_peer *peer)
{
	struct homa_peers *peers = peer->net->peers;

	spin_lock_bh(&peers->lock);
	if (!homa_is_recent(peer->life_changed, jiffies, LIFE_LEAST)) {
		atomic64_set(&peer->next_id, next_life(peers));
		peer->life_changed = jiffies | 1;
	}
	spin_unlock_bh(&peers->lock);
}

/* Who has finished no request here has nothing that could run twice. */
static bool is_less_missed(const struct homa_peer *a, const struct homa_peer *b, unsigned long now)
{
	if (!a->seen != !b->seen)
		return !a->seen;
	return homa_age(a->used, now) > homa_age(b->used, now);
}

static struct homa_peer *oldest_unused(struct hlist_head *bucket, int *nr)
{
	struct homa_peer *peer, *oldest = NULL;
	unsigned long now = jiffies + HZ;	/* some are looked up meanwhile */

	hlist_for_each_entry(peer, bucket, link) {
		++*nr;
		if (refcount_read(&peer->refs) == 1 && (!oldest || is_less_missed(peer, oldest, now)))
			oldest = peer;
	}
	return oldest;
}

static u64 now_ms(void)
{
	return jiffies64_to_msecs(get_jiffies_64());
}

/* What it has finished is forgotten now, while packets of it may be under way still. */
static void note_loss(struct homa_net *hn, const struct homa_peer *peer)
{
	u32 late_ms = homa_knob(hn, late_ms);

	if (peer->seen && homa_age(peer->used, jiffies) <= msecs_to_jiffies(late_ms))
		WRITE_ONCE(hn->peers->lost_ms, now_ms());
}

/* The hand goes round the table, so a peer is safe for a whole round after its turn. */
static void evict_one(struct homa_net *hn)
{
	struct homa_peers *peers = hn->peers;
	struct peer_table *table = table_of(peers);
	u32 i, size = 1u << table->bits;
	/* While it is being replaced, it may be empty. */
	u32 most = peers->next ? EVICT_WALK : size;
	struct homa_peer *oldest = NULL;
	int nr = 0;

	for (i = 0; i < most && nr < EVICT_WALK && !oldest; i++) {
		peers->hand = (peers->hand + 1) % size;
		oldest = oldest_unused(&table->bucket[peers->hand], &nr);
	}
	if (!oldest || !refcount_dec_if_one(&oldest->refs))
		return;
	hlist_del_rcu(&oldest->link);
	hn->peers->nr--;
	homa_count(hn, peers_evicted);
	note_loss(hn, oldest);
	peer_free(oldest);
}

static struct homa_peer *peer_alloc(struct homa_net *hn, const struct in6_addr *addr)
{
	struct homa_peer *peer;

	/* There may be a million of them. Lock checking makes them bigger. */
	BUILD_BUG_ON(sizeof(*peer) > 512 && !IS_ENABLED(CONFIG_LOCKDEP));
	peer = kmem_cache_zalloc(peer_cache, GFP_ATOMIC);
	if (!peer)
		return NULL;
	peer->net = hn;
	peer->addr = *addr;
	spin_lock_init(&peer->lock);
	memcpy(peer->cutoff, default_cutoff, sizeof(peer->cutoff));
	refcount_set(&peer->refs, 2);	/* the table's and the caller's */
	return peer;
}

static struct peer_table *alloc_table(u32 bits)
{
	struct peer_table *table = kvzalloc(struct_size(table, bucket, 1ul << bits), GFP_KERNEL);

	if (table)
		table->bits = bits;
	return table;
}

static bool is_crowded(struct homa_peers *peers)
{
	u32 bits = table_of(peers)->bits;

	lockdep_assert_held(&peers->lock);
	return bits < MOST_BITS && peers->nr > CROWDED << bits;
}

static struct homa_peer *find_or_add(struct homa_net *hn, const struct in6_addr *addr)
{
	struct hlist_head *bucket = bucket_of(hn->peers, addr);
	u32 max = homa_knob(hn, peer_net_max);
	struct homa_peer *peer;

	lockdep_assert_held(&hn->peers->lock);
	peer = find(bucket, addr);
	if (!peer && hn->peers->next) {
		bucket = bucket_in(hn->peers, hn->peers->next, addr);
		peer = find(bucket, addr);
	}
	if (peer)
		return peer;
	if (hn->peers->nr >= max)
		evict_one(hn);
	/* All that were looked at may be in use, so there is some room beyond the limit. */
	if (hn->peers->nr >= max + max / 4)
		return NULL;
	peer = peer_alloc(hn, addr);
	if (!peer)
		return NULL;
	atomic64_set(&peer->next_id, next_life(hn->peers));
	hlist_add_head_rcu(&peer->link, bucket);
	hn->peers->nr++;
	if (unlikely(is_crowded(hn->peers)))
		schedule_work(&hn->peers->tend);
	homa_count(hn, peer_allocs);
	return peer;
}

struct homa_peer *homa_peer_get(struct homa_net *hn, const struct in6_addr *addr)
{
	unsigned long now = jiffies;
	struct homa_peer *peer;

	rcu_read_lock();
	peer = find(bucket_of(hn->peers, addr), addr);
	rcu_read_unlock();
	if (!peer) {
		spin_lock_bh(&hn->peers->lock);
		peer = find_or_add(hn, addr);
		spin_unlock_bh(&hn->peers->lock);
	}
	if (peer && READ_ONCE(peer->used) != now)
		WRITE_ONCE(peer->used, now);
	return peer;
}

void homa_peer_set_cutoffs(struct homa_peer *peer, const struct homa_pkt *pkt)
{
	spin_lock_bh(&peer->lock);
	memcpy(peer->cutoff, pkt->cutoffs.cutoff, sizeof(peer->cutoff));
	peer->cutoff[0] = INT_MAX;
	peer->cutoff_version = pkt->cutoffs.version;
	spin_unlock_bh(&peer->lock);
}

bool homa_peer_has_finished(struct homa_peer *peer, u64 id)
{
	bool finished;

	spin_lock(&peer->lock);
	finished = peer->seen &&
		   homa_seen_look(peer->seen, id, now_ms()) == HOMA_SEEN_FINISHED;
	spin_unlock(&peer->lock);
	return finished;
}

static int judge(struct homa_peer *peer, u64 id)
{
	u32 late_ms = homa_knob(peer->net, late_ms);
	u64 now = now_ms();

	lockdep_assert_held(&peer->lock);
	/* Now, because what is finished must be remembered, come what may. */
	if (!peer->seen)	/* who looks without the lock sees it empty: pairs with homa_peer_judge() */
		smp_store_release(&peer->seen, kmem_cache_zalloc(seen_cache, GFP_ATOMIC));
	if (!peer->seen)
		return -ENOMEM;
	switch (homa_seen_look(peer->seen, id, now)) {
	case HOMA_SEEN_FINISHED:
		return -EALREADY;
	case HOMA_SEEN_FIRST:
		if (now - READ_ONCE(peer->net->peers->lost_ms) < late_ms)
			break;
		homa_seen_trust(peer->seen, id, now, seen_mem(peer));
		return 0;
	case HOMA_SEEN_DOUBTFUL:
		break;
	default:
		return 0;
	}
	return late_ms ? 1 : 0;
}

int homa_peer_judge(struct homa_peer *peer, u64 id)
{
	const struct homa_seen *seen = READ_ONCE(peer->seen);
	int ret;

	/* Nearly always. Nobody else has the id in hand: who ended it before has done so under the lock under
	 * which it has become known again.
	 */
	if (likely(seen && homa_seen_is_new(seen, id)))
		return 0;
	spin_lock(&peer->lock);
	ret = judge(peer, id);
	spin_unlock(&peer->lock);
	return ret;
}

void homa_peer_prove(struct homa_peer *peer, u64 id)
{
	spin_lock(&peer->lock);
	homa_seen_prove(peer->seen, id, now_ms(), seen_mem(peer));
	spin_unlock(&peer->lock);
}

/* Who has sent no request yet, or was refused for want of memory, has none that could run again. */
void homa_peer_add_finished(struct homa_peer *peer, u64 id, bool ran)
{
	struct homa_seen_mem *mem = seen_mem(peer);
	int max = homa_knob(peer->net, seen_max);

	spin_lock(&peer->lock);
	if (peer->seen && (ran || homa_seen_has_run(peer->seen, id, now_ms())))
		homa_seen_add(peer->seen, id, now_ms(), mem);
	spin_unlock(&peer->lock);
	if (unlikely(atomic_long_read(&mem->used) > max - max / 4) &&
	    !homa_is_recent(READ_ONCE(peer->net->peers->trimmed), jiffies, HZ))
		schedule_work(&peer->net->peers->tend);
}

/* The windows of clients that have been idle go, so that there is memory for those of others. */
static void trim_bucket(struct homa_peers *peers, struct hlist_head *bucket)
{
	struct homa_peer *peer;

	hlist_for_each_entry_rcu(peer, bucket, link) {
		if (!refcount_inc_not_zero(&peer->refs))
			continue;
		spin_lock_bh(&peer->lock);
		if (peer->seen)
			homa_seen_trim(peer->seen, now_ms(), &peers->seen_mem);
		spin_unlock_bh(&peer->lock);
		homa_peer_put(peer);
	}
}

/* Only tend() replaces the table. */
static void trim(struct homa_peers *peers)
{
	struct peer_table *table = rcu_dereference_protected(peers->table, true);
	u32 i;

	/* If none is idle, the next look finds hardly more. */
	WRITE_ONCE(peers->trimmed, jiffies | 1);
	for (i = 0; i < 1u << table->bits; i++) {
		rcu_read_lock();
		trim_bucket(peers, &table->bucket[i]);
		rcu_read_unlock();
		cond_resched();
	}
}

static void move_bucket(struct homa_peers *peers, struct hlist_head *bucket)
{
	struct hlist_node *next;
	struct homa_peer *peer;

	hlist_for_each_entry_safe(peer, next, bucket, link) {
		hlist_del_rcu(&peer->link);
		hlist_add_head_rcu(&peer->link, bucket_in(peers, peers->next, &peer->addr));
	}
}

/* New ones go to peers->next from the first step on: no bucket is filled again. */
static void move_all(struct homa_peers *peers, struct peer_table *from)
{
	u32 i = 0, end = 1u << from->bits;

	while (i < end) {
		u32 stop = min(i + MOVE_STEP, end);

		spin_lock_bh(&peers->lock);
		for (; i < stop; i++)
			move_bucket(peers, &from->bucket[i]);
		if (i == end) {
			rcu_assign_pointer(peers->table, peers->next);
			peers->next = NULL;
		}
		spin_unlock_bh(&peers->lock);
		cond_resched();
	}
	kvfree_rcu(from, rcu);
}

/* Only tend() replaces the table. */
static void grow(struct homa_peers *peers)
{
	struct peer_table *table = rcu_dereference_protected(peers->table, true);
	struct peer_table *larger = alloc_table(min(table->bits + GROW_BITS, (u32)MOST_BITS));

	if (!larger)
		return;		/* the next peer asks for it again */
	spin_lock_bh(&peers->lock);
	peers->next = larger;
	spin_unlock_bh(&peers->lock);
	move_all(peers, table);
}

static void tend(struct work_struct *work)
{
	struct homa_peers *peers = container_of(work, struct homa_peers, tend);
	bool crowded;

	spin_lock_bh(&peers->lock);
	crowded = is_crowded(peers);
	spin_unlock_bh(&peers->lock);
	if (crowded)
		grow(peers);
	if (atomic_long_read(&peers->seen_mem.used) > READ_ONCE(*peers->seen_mem.max) / 2)
		trim(peers);
}

u8 homa_unsched_priority(const u32 cutoff[P4W_PRIORITIES], u32 length)
{
	int i;

	for (i = P4W_PRIORITIES - 1; i > 0; i--)
		if (READ_ONCE(cutoff[i]) >= length)
			break;
	return i;
}

int homa_peers_init(void)
{
	peer_cache = KMEM_CACHE(homa_peer, 0);
	seen_cache = KMEM_CACHE(homa_seen, 0);
	if (peer_cache && seen_cache)
		return 0;
	homa_peers_exit();
	return -ENOMEM;
}

void homa_peers_exit(void)
{
	rcu_barrier();		/* free_late() */
	kmem_cache_destroy(peer_cache);
	kmem_cache_destroy(seen_cache);
}

int homa_peers_net_init(struct homa_net *hn)
{
	struct homa_peers *peers = kzalloc(sizeof(*peers), GFP_KERNEL);
	struct peer_table *table = alloc_table(FIRST_BITS);

	if (!peers || !table) {
		kfree(peers);
		kvfree(table);
		return -ENOMEM;
	}
	RCU_INIT_POINTER(peers->table, table);
	spin_lock_init(&peers->lock);
	get_random_bytes(peers->key, sizeof(peers->key));
	peers->factor = get_random_u64() | 1;
	get_random_bytes(&peers->life_key, sizeof(peers->life_key));
	peers->last_life = get_random_u32();
	peers->lost_ms = now_ms();	/* what was finished here before, nobody remembers */
	peers->seen_mem.max = &hn->knobs.seen_max;
	INIT_WORK(&peers->tend, tend);
	hn->peers = peers;
	return 0;
}

/* No socket is left in the namespace, so the table has the only references. */
void homa_peers_net_exit(struct homa_net *hn)
{
	struct peer_table *table;
	struct hlist_node *next;
	struct homa_peer *peer;
	u32 i;

	cancel_work_sync(&hn->peers->tend);
	table = rcu_dereference_protected(hn->peers->table, true);
	for (i = 0; i < 1u << table->bits; i++)
		hlist_for_each_entry_safe(peer, next, &table->bucket[i], link)
			homa_peer_put(peer);
	kvfree(table);
	kfree(hn->peers);
}
