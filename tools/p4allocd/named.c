// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * named.c - see named.h.
 *
 * `entry` is an open-addressing table by name, a cache line each. An exclusive hold that nobody waits
 * for lies in its entry, and taking and giving it back touches nothing else; the entry of a lock that
 * is free stays until the table is made anew. All other locks have a crowd.
 *
 * Looking up, taking and giving back are twenty to forty instructions each if the first entry that is
 * looked at is the right one; whatever else may be is in functions of its own (RARE), called last.
 */
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "out.h"

#define RARE static __attribute__((noinline))
#define ENTRIES_MIN 1024
#define SWEEP_US 10000		/* a full table is not searched for ended leases more often */
#define ENTRIES_MAX 65536	/* a quarter of it takes all claims */

struct entry {
	struct p4d_name name;	/* first word 0: empty */
	uint64_t owner;
	uint64_t token;		/* of the hold, if there is no crowd; 0: free */
	uint64_t until;
	uint64_t freed;		/* token of the hold that was given back last */
	uint32_t crowd;
} __attribute__((aligned(64)));

struct p4d_named {
	uint64_t seed[2];	/* odd */
	struct entry *entry;
	uint64_t mask;		/* of a hash: the entry's offset in bytes */
	uint32_t plain;		/* holds that may be taken before acquire_slowly() must look again */
	uint32_t used;		/* entries that are not empty */
	uint32_t held;		/* holds in them, ended leases included */
	uint64_t sweep_at;	/* a full table is not swept before */
	uint64_t *over;		/* owners that have given back, by their low bits: clients count them up */
	struct p4d_crowds crowds;
};

/* ---------------------------------------------------------------------------------- table */

static struct entry *alloc_entries(uint64_t n)
{
	struct entry *e = aligned_alloc(sizeof(*e), n * sizeof(*e));

	if (!e)
		abort();
	return memset(e, 0, n * sizeof(*e));
}

/*
 * Secret odd factors, and the highest 16 bits of the sum for entry_at(): who does not know the factors
 * can't choose many names that meet. Names that differ in the high bits of their words only, as the
 * last characters of text are, move nothing but high bits; so all of those must count.
 */
static inline uint64_t hash_of(const struct p4d_named *t, struct p4d_name name)
{
	return (name.word[0] * t->seed[0] + name.word[1] * t->seed[1]) >> 42;
}

static inline struct entry *entry_at(const struct p4d_named *t, uint64_t hash)
{
	return (struct entry *)((char *)t->entry + (hash & t->mask));
}

static inline bool is_of(const struct entry *e, struct p4d_name name)
{
	return e->name.word[0] == name.word[0] && e->name.word[1] == name.word[1];
}

/* The entry of the name, or the empty one where it would go. There is always an empty one. */
static struct entry *find(const struct p4d_named *t, struct p4d_name name)
{
	uint64_t hash = hash_of(t, name);
	struct entry *e = entry_at(t, hash);

	while (e->name.word[0] && !is_of(e, name))
		e = entry_at(t, hash += sizeof(*e));
	return e;
}

static uint64_t entries(const struct p4d_named *t)
{
	return t->mask / sizeof(struct entry) + 1;
}

static void set_entries(struct p4d_named *t, uint64_t n)
{
	t->mask = (n - 1) * sizeof(struct entry);
	t->entry = alloc_entries(n);
}

/* As many as may be used. Fewer names meet in a table that may still grow. */
static uint64_t room_for(const struct p4d_named *t)
{
	return entries(t) / (entries(t) < ENTRIES_MAX ? 4 : 2);
}

/* Leaves out what nobody holds or waits for; a quarter at most is then used. */
static void make_anew(struct p4d_named *t)
{
	uint64_t was = entries(t);
	struct entry *old = t->entry;

	set_entries(t, was < ENTRIES_MAX ? 2 * was : was);
	t->used = t->held = 0;
	for (uint64_t i = 0; i < was; i++) {
		struct entry *e;

		if (!old[i].crowd && !old[i].token)
			continue;
		e = find(t, old[i].name);
		*e = old[i];
		t->used++;
		if (e->crowd)
			t->crowds.crowd[e->crowd].entry = e - t->entry;
		else
			t->held++;
	}
	free(old);
}

static void drop_crowd_if_empty(struct p4d_named *t, uint32_t crowd)
{
	uint32_t entry = t->crowds.crowd[crowd].entry;

	if (p4d_crowd_drop_if_empty(&t->crowds, crowd))
		t->entry[entry].crowd = 0;
}

static void make_crowd(struct p4d_named *t, struct entry *e)
{
	if (e->crowd)
		return;
	e->crowd = p4d_crowd_make(&t->crowds, e - t->entry, e->owner, e->token,
				  e->until);
	t->held -= e->token != 0;
	e->token = 0;
}

/* -------------------------------------------------------------------------------- the API */

static inline uint64_t *over_at(const struct p4d_named *t, uint64_t owner)
{
	return &t->over[owner % P4D_OVER];
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30 ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

struct p4d_named *p4d_named_create(uint64_t seed, uint64_t grace, uint64_t first,
				   uint64_t *next_token)
{
	struct p4d_named *t = p4d_alloc(sizeof(*t));

	t->seed[0] = mix(seed) | 1;
	t->seed[1] = mix(mix(seed)) | 1;
	set_entries(t, ENTRIES_MIN);
	t->over = p4d_alloc(P4D_OVER * sizeof(*t->over));
	p4d_crowds_init(&t->crowds);
	t->crowds.grace = grace;
	t->crowds.first_token = first;
	t->crowds.next_token = next_token;
	return t;
}

void p4d_named_destroy(struct p4d_named *t)
{
	if (!t)
		return;
	p4d_crowds_uninit(&t->crowds);
	free(t->entry);
	free(t->over);
	free(t);
}

uint32_t p4d_named_claims(const struct p4d_named *t)
{
	return t->crowds.claims + t->held;
}

/* One more claim, and one for nobody in the grace. */
static bool is_full(const struct p4d_named *t)
{
	return p4d_named_claims(t) + 2 > P4D_CLAIMS_MAX;
}

static bool needs_room(const struct p4d_named *t)
{
	return t->used >= room_for(t);
}

/* Takes back all leases that have ended. */
static void make_room(struct p4d_named *t, uint64_t now)
{
	if (now < t->sweep_at)
		return;
	t->sweep_at = now + SWEEP_US;
	for (uint64_t i = 0; i < entries(t); i++) {
		struct entry *e = &t->entry[i];

		if (e->crowd) {
			p4d_crowd_serve(&t->crowds, e->crowd, now);
			drop_crowd_if_empty(t, e->crowd);
		} else if (e->token && e->until <= now) {
			e->token = 0;
			t->held--;
		}
	}
	if (needs_room(t))
		make_anew(t);
}

/* How many holds could be taken, each in a new entry, without anything getting full. */
static uint32_t plain_ones(const struct p4d_named *t, uint64_t now)
{
	uint32_t claims = P4D_CLAIMS_MAX - 1 - p4d_named_claims(t);
	uint64_t room = room_for(t) - t->used;

	if (now < t->crowds.grace || is_full(t) || needs_room(t))
		return 0;
	return room < claims ? room : claims;
}

static enum p4d_named_result ask_crowd(struct p4d_named *t, uint64_t now, struct entry *e,
				       struct p4d_name name, const struct p4d_claim_of *who, uint64_t *token)
{
	enum p4d_named_result result;
	uint32_t crowd;

	if (!e->name.word[0]) {
		e->name = name;
		t->used++;
	}
	make_crowd(t, e);
	crowd = e->crowd;
	result = p4d_crowd_acquire(&t->crowds, crowd, now, who, token);
	drop_crowd_if_empty(t, crowd);
	return result;
}

/*
 * Needs no room, so a full table does not keep a holder from extending its lease. It may be an earlier request
 * that was lost and comes now: the holder believes in what it was told last, so no lease gets shorter.
 */
static enum p4d_named_result hold_again(struct entry *e, uint64_t now,
					const struct p4d_claim_of *who, uint64_t *token)
{
	if (who->token && who->token != e->token)
		return P4D_NAMED_LOST;
	if (who->mode != P4W_LOCK_EXCLUSIVE)
		return P4D_NAMED_MODE;
	if (e->until < now + who->lease_us)
		e->until = now + who->lease_us;
	*token = e->token;
	return P4D_NAMED_HELD;
}

static bool has_claim(const struct p4d_named *t, const struct entry *e, uint64_t owner)
{
	return e->crowd && p4d_crowd_has(&t->crowds, e->crowd, owner);
}

RARE enum p4d_named_result acquire_slowly(struct p4d_named *t, uint64_t now, struct p4d_name name,
					  const struct p4d_claim_of *who, uint64_t *token)
{
	struct entry *e = find(t, name);
	enum p4d_named_result result;

	if (e->token && e->owner == who->owner)
		return hold_again(e, now, who, token);
	if (*over_at(t, who->owner) == who->owner && !has_claim(t, e, who->owner))
		return who->token ? P4D_NAMED_LOST : P4D_NAMED_OVER;
	if (e->token && e->until > now && !who->wait_us && !who->token)
		return P4D_NAMED_BUSY;
	if (is_full(t) && !has_claim(t, e, who->owner)) {
		make_room(t, now);
		if (is_full(t))
			return P4D_NAMED_FULL;
	} else if (needs_room(t)) {
		make_anew(t);
	}
	result = ask_crowd(t, now, find(t, name), name, who, token);
	t->plain = plain_ones(t, now);
	return result;
}

static inline enum p4d_named_result acquire_at(struct p4d_named *t, uint64_t now,
					       struct p4d_name name,
					       const struct p4d_claim_of *who, uint64_t *token,
					       struct entry *e)
{
	/* The lock is free, there is room, and nothing else is to be thought of. */
	if (e->crowd | e->token | who->token || who->mode != P4W_LOCK_EXCLUSIVE || !t->plain ||
	    *over_at(t, who->owner) == who->owner)
		return acquire_slowly(t, now, name, who, token);
	t->plain--;
	e->owner = who->owner;
	e->until = now + who->lease_us;
	*token = e->token = (*t->crowds.next_token)++;
	t->held++;
	return P4D_NAMED_HELD;
}

RARE enum p4d_named_result acquire_further(struct p4d_named *t, uint64_t now, struct p4d_name name,
					   const struct p4d_claim_of *who, uint64_t *token)
{
	struct entry *e = find(t, name);

	if (!e->name.word[0]) {
		if (!t->plain)
			return acquire_slowly(t, now, name, who, token);
		e->name = name;
		t->used++;
	}
	return acquire_at(t, now, name, who, token, e);
}

enum p4d_named_result p4d_named_acquire(struct p4d_named *t, uint64_t now, struct p4d_name name,
					const struct p4d_claim_of *who, uint64_t *token)
{
	struct entry *e = entry_at(t, hash_of(t, name));

	if (!is_of(e, name))
		return acquire_further(t, now, name, who, token);
	return acquire_at(t, now, name, who, token, e);
}

/* No hold has this token: it may be the repeat of a release whose answer was lost. */
RARE bool release_again(const struct entry *e, uint64_t token)
{
	return e->freed == token;
}

RARE bool release_in_crowd(struct p4d_named *t, uint64_t now, struct entry *e, uint64_t owner,
			   uint64_t token)
{
	uint32_t crowd = e->crowd;
	bool held = p4d_crowd_release(&t->crowds, crowd, now, owner, token);

	drop_crowd_if_empty(t, crowd);
	if (!held)
		return release_again(e, token);
	e->freed = token;
	return true;
}

static inline bool release_at(struct p4d_named *t, uint64_t now, struct entry *e, uint64_t owner,
			      uint64_t token)
{
	if (e->crowd)
		return release_in_crowd(t, now, e, owner, token);
	if (e->token != token || e->owner != owner)
		return release_again(e, token);
	e->token = 0;
	t->held--;
	if (e->until <= now)
		return false;
	e->freed = token;
	return true;
}

RARE bool release_further(struct p4d_named *t, uint64_t now, struct p4d_name name, uint64_t owner,
			  uint64_t token)
{
	return release_at(t, now, find(t, name), owner, token);
}

bool p4d_named_release(struct p4d_named *t, uint64_t now, struct p4d_name name, uint64_t owner,
		       uint64_t token)
{
	struct entry *e = entry_at(t, hash_of(t, name));

	*over_at(t, owner) = owner;
	if (!is_of(e, name))
		return release_further(t, now, name, owner, token);
	return release_at(t, now, e, owner, token);
}

RARE uint64_t check_slowly(const struct p4d_named *t, uint64_t now, struct p4d_name name)
{
	const struct entry *e = find(t, name);

	if (e->crowd)
		return p4d_crowd_check(&t->crowds, e->crowd, now);
	return e->until > now ? e->token : 0;
}

uint64_t p4d_named_check(const struct p4d_named *t, uint64_t now, struct p4d_name name)
{
	const struct entry *e = entry_at(t, hash_of(t, name));

	if (!is_of(e, name) || e->crowd)
		return check_slowly(t, now, name);
	return e->until > now ? e->token : 0;
}

bool p4d_named_is_free(const struct p4d_named *t, uint64_t now, struct p4d_name name)
{
	const struct entry *e = find(t, name);

	return now >= t->crowds.grace && !e->crowd && !e->token;
}

void p4d_named_adopt(struct p4d_named *t, uint64_t now, struct p4d_name name, uint64_t owner,
		     uint64_t token, uint64_t until)
{
	struct entry *e;

	if (needs_room(t))
		make_anew(t);
	e = find(t, name);
	t->used += !e->name.word[0];
	e->name = name;
	e->owner = owner;
	e->token = token;
	e->until = until;
	t->held++;
	t->plain = plain_ones(t, now);
}

bool p4d_named_claim(struct p4d_named *t, uint64_t now, struct p4d_name name, uint64_t owner,
		     uint64_t token, uint64_t until)
{
	struct entry *e = find(t, name);

	if (e->crowd)
		return p4d_crowd_claim(&t->crowds, e->crowd, now, owner, token, until);
	if (!e->token || e->until <= now || (e->owner && e->token >= token))
		return false;
	e->owner = owner;
	e->token = token;
	e->until = until;
	return true;
}

void p4d_named_tick(struct p4d_named *t, uint64_t now)
{
	uint32_t crowd;

	while ((crowd = p4d_crowds_tick(&t->crowds, now)))
		drop_crowd_if_empty(t, crowd);
}

uint64_t p4d_named_deadline(const struct p4d_named *t)
{
	return t->crowds.heaped ? t->crowds.claim[t->crowds.heap[0]].until : UINT64_MAX;
}

void p4d_named_end_grace(struct p4d_named *t, uint64_t grace)
{
	p4d_crowds_end_grace(&t->crowds, grace);
}

bool p4d_named_pop(struct p4d_named *t, struct p4d_named_event *ev)
{
	struct p4d_crowds *c = &t->crowds;

	if (c->popped == c->events) {
		c->popped = c->events = 0;
		return false;
	}
	*ev = c->event[c->popped++];
	return true;
}

void p4d_named_dismiss(struct p4d_named *t)
{
	for (uint64_t i = 0; i < entries(t); i++) {
		uint32_t crowd = t->entry[i].crowd;

		if (!crowd)
			continue;
		p4d_crowd_dismiss(&t->crowds, crowd);
		drop_crowd_if_empty(t, crowd);
	}
}
