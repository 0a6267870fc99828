/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * p4alloc.h - libp4alloc: a tenant's hot keys in switch registers, one batch at a time.
 *
 * A tenant has 1 to 64 nodes. All build the same layout (which key belongs into which cell) from
 * the same counts. Each node opens one context and walks it through its batches:
 *
 *	p4a_open, p4a_geometry, p4a_layout_from_file, p4a_use_layout, p4a_hello
 *	for each batch:
 *		p4a_request		say when, for how long, how many blocks
 *		(cold transactions)
 *		p4a_lock_info		if wanted: lock bits for this batch's second passes
 *		p4a_wait_grant		blocks are ours: p4a_blocks() says how many
 *		p4a_fill		this node's keys into their cells
 *		p4a_sync(P4A_FILLED)	all nodes have filled
 *		p4a_plan, p4a_txn_submit, p4a_poll / p4a_wait ...	hot transactions
 *		p4a_sync(P4A_RAN)	all nodes have all their replies
 *		p4a_drain		this node's keys back out of their cells
 *		p4a_done		or the next p4a_request, which says it too
 *	p4a_leave, p4a_close
 *
 * Cold contexts. Without kernel module, policy, allocator or switch a context is cold: p4a_is_cold()
 * and p4a_why_cold() say so. All calls still work, do no I/O, and grant 0 blocks, so every plan
 * comes out cold and a program needs no second path. (Barriers do not wait in a cold context.) Arguments
 * are checked as ever; limits of a switch or an allocator that nobody has told are the widest ones.
 *
 * Conventions. Functions return 0 or more, or -errno. Output parameters are written on success only,
 * unless noted. All sizes are counts of elements; names that end in _us are microseconds, relative
 * to now. -EINVAL means that an argument is out of its range; p4a_last_error() or *err names it.
 * The library has no global state, prints nothing and ends no process.
 *
 * Threads. A layout is constant after it is made: any number of threads may use it. p4a_plan() is a
 * pure function. A context is for one thread at a time; contexts do not affect each other.
 * struct p4a_error may be passed as NULL wherever it is taken.
 */
#ifndef P4ALLOC_H
#define P4ALLOC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define P4A_BLOCK_SLOTS		64	/* slots of each register array in a block */
#define P4A_MAX_REGISTERS	32
#define P4A_MAX_BLOCKS		256
#define P4A_MAX_NODES		64
#define P4A_MAX_INSTRS		8	/* hot operations in one transaction */
#define P4A_MAX_OPS		64	/* operations, hot and cold, in one p4a_plan() */
#define P4A_LOCK_BITS		32
#define P4A_NO_LOCK		255	/* never in a second pass, needs none: slot 0, among others */
#define P4A_MAX_LOCK_KEYS	4096	/* keys of a tenant with lock bits of p4a_lock_info() */
#define P4A_MAX_TOTAL		((UINT64_C(1) << 48) - 1)	/* sum of all counts of a layout */

struct p4a_error {
	char text[256];			/* NUL-terminated, one line, for people */
};

/* ------------------------------------------------------------------------------------ layout */

/*
 * Shape of the switch: `registers` arrays (1 .. 32), each of `blocks` (1 .. 256) times 64 slots. The last
 * `dependent` of them (0 .. registers-1) are a stage of their own behind all others: what a cell there
 * gets can depend on cells read elsewhere in the same trip. 0: there is none, or it is not used.
 */
struct p4a_geometry {
	uint16_t registers;
	uint16_t blocks;
	uint16_t dependent;
};

struct p4a_key_count {
	uint64_t key;
	uint64_t count;			/* accesses, 1 .. P4A_MAX_TOTAL, for a layout | P4A_KEY_ flags */
};

#define P4A_KEY_DEPENDENT	(UINT64_C(1) << 63)	/* its new value depends on others: P4A_DEPENDENT */
#define P4A_KEY_SOURCE		(UINT64_C(1) << 62)	/* the value of others depends on it: P4A_SOURCE */

/* Where a key lives. */
struct p4a_cell {
	uint64_t key;
	uint64_t count;			/* as given, without flags */
	uint32_t rank;			/* 0 = most accesses of all keys; ties: larger key first */
	uint16_t slot;			/* virtual: 64 * virtual block + slot in block */
	uint8_t reg;			/* register array */
	uint8_t lock;			/* bit 0 .. 31, or P4A_NO_LOCK */
};

struct p4a_layout;

/*
 * p4a_layout_from_counts - build a layout.
 * @out:  the layout; free it with p4a_layout_free()
 * @geo:  capacity: blocks * 64 slots in each register
 * @kc:   n keys in any order, each key once, sum of counts <= P4A_MAX_TOTAL; not kept
 *
 * Keys are taken by descending count (ties: descending key). Each goes to the register with the
 * smallest sum of counts (ties: smallest number) among those with a free slot, into its next slot. For
 * a key with P4A_KEY_DEPENDENT these are the registers of the dependent stage, for one with
 * P4A_KEY_SOURCE alone the others, unless the slot there would be in a later block than among all.
 * Keys for which no slot is left are cold. A key outside of slot 0 gets the lock bit with the
 * smallest sum of counts (ties: smallest bit). Hence equal input, in whatever order, gives equal
 * layouts on all nodes. O(n); 10^6 keys take less than a second.
 *
 * Returns the number of keys held (0 .. registers * blocks * 64); -EINVAL geometry or a count out
 * of range; -EEXIST a key occurs twice; -ERANGE sum of counts too large; -ENOMEM. *err tells which.
 */
int p4a_layout_from_counts(struct p4a_layout **out, const struct p4a_geometry *geo,
			   const struct p4a_key_count *kc, size_t n, struct p4a_error *err);

/*
 * p4a_layout_from_file - the same from a text file with one `key:count` a line.
 *
 * Decimal numbers, key 0 .. 2^64-1, count 1 .. P4A_MAX_TOTAL; spaces and tabs around them, empty
 * lines and lines that start with # are allowed. `key:count:d` is P4A_KEY_DEPENDENT, `key:count:s`
 * P4A_KEY_SOURCE. An error text is "FILE:LINE: FIELD ...".
 * Returns as p4a_layout_from_counts(), or the -errno of opening and reading.
 */
int p4a_layout_from_file(struct p4a_layout **out, const struct p4a_geometry *geo,
			 const char *path, struct p4a_error *err);

/* Frees a layout; NULL is allowed. No context and no thread may use it any more. */
void p4a_layout_free(struct p4a_layout *layout);

/* 1 and *cell if the layout holds the key, 0 if the key is cold or unknown. Never changes it. */
int p4a_layout_lookup(const struct p4a_layout *layout, uint64_t key, struct p4a_cell *cell);

/* 1 and *cell if a key lives at this register and virtual slot, else 0. */
int p4a_layout_at(const struct p4a_layout *layout, unsigned int reg, unsigned int slot,
		  struct p4a_cell *cell);

/*
 * p4a_layout_next - iterate over the keys of virtual blocks first <= block < end.
 * @pos: 0 before the first call; not to be changed between calls
 *
 * Returns 1 and *cell, or 0 at the end. Order: slot, then register; so 8 neighbours nearly always
 * lie in 8 different registers and fit into one transaction.
 */
int p4a_layout_next(const struct p4a_layout *layout, unsigned int first, unsigned int end,
		    uint32_t *pos, struct p4a_cell *cell);

/*
 * p4a_layout_histogram - share of all accesses that falls into each virtual block.
 * @hist: room for the geometry's blocks; hist[v] in 1/65536 of all counts given, cold keys
 *	  included, rounded down, at most 65535
 *
 * Returns the number of leading blocks that hold keys (0 .. blocks); the entries behind are 0.
 */
int p4a_layout_histogram(const struct p4a_layout *layout, uint16_t *hist);

/* Geometry that the layout was made for. */
struct p4a_geometry p4a_layout_geometry(const struct p4a_layout *layout);

/* --------------------------------------------------------------------------------- observing */

/*
 * Counts of what transactions access, so that the next batch's layout follows them. Each node counts its
 * own; between two batches the nodes send each other what p4a_counts_get() says, and each adds up all of
 * it, its own included, in counts made for this, and builds the layout of the sum: the same everywhere.
 * p4a_use_layout() takes it once the values of the batch before are in the tenant's own store.
 * For one thread at a time.
 */
struct p4a_counts;

/* At most max_keys (1 .. 2^28) keys are kept. 0; -EINVAL; -ENOMEM. */
int p4a_counts_new(struct p4a_counts **out, size_t max_keys);
void p4a_counts_free(struct p4a_counts *c);

struct p4a_op;

/*
 * p4a_counts_txn - a transaction's n operations, hot and cold ones. If there is no room for its keys, all
 * counts are halved until some are 0. 0; -EINVAL n is above P4A_MAX_OPS; -ENOMEM.
 */
int p4a_counts_txn(struct p4a_counts *c, const struct p4a_op *ops, unsigned int n);

/* Halves all counts, so that what was long ago matters less. 0 or -ENOMEM. */
int p4a_counts_age(struct p4a_counts *c);

/* Up to n keys with their counts and flags, in no order. Returns how many there are. kc may be NULL. */
size_t p4a_counts_get(const struct p4a_counts *c, struct p4a_key_count *kc, size_t n);

/* Adds what p4a_counts_get() of a node says. 0; -ENOSPC no room, some were added; -EINVAL a count of 0. */
int p4a_counts_add(struct p4a_counts *c, const struct p4a_key_count *kc, size_t n);

/* As p4a_layout_from_counts(). */
int p4a_counts_layout(const struct p4a_counts *c, struct p4a_layout **out,
		      const struct p4a_geometry *geo, struct p4a_error *err);

/*
 * p4a_counts_together - what to declare in p4a_demand if a transaction gains only when all its keys are
 * hot. From a sample of p4a_counts_txn()'s transactions: how many of them lie wholly in the layout's first
 * blocks, against how many of the accesses; the power, 1 .. 64, that makes the second the first. Keys that
 * always come together have a low one, keys that meet by chance as many as a transaction has.
 */
unsigned int p4a_counts_together(const struct p4a_counts *c, const struct p4a_layout *layout);

/* ---------------------------------------------------------------------------------- planning */

enum p4a_op_code {
	P4A_READ = 1,			/* result = cell */
	P4A_WRITE = 2,			/* result = cell, cell = operand */
	P4A_ADD = 3,			/* result = cell, cell += operand modulo 2^32 */
	P4A_CADD = 4,			/* ADD if the sum, as a signed number, is >= 0, else the whole
					 * transaction does nothing: P4A_TXN_ABORT */
	P4A_REFILL = 5,			/* ADD; if the sum is then below 10: 91 more, as TPC-C's stock */
	P4A_CHARGE = 6,			/* ADD; if the sum is then below 0: one less, as a check that is
					 * not covered */
};

/*
 * Flags of a code. The results of sources make up a sum. An operation that depends on it has it added to
 * its operand; CHARGE has it added where it looks if anything is below 0. Sources come before what
 * depends on them. Amalgamate, for example: { savings_a, 0, P4A_WRITE | P4A_SOURCE }, { checking_a, 0,
 * P4A_WRITE | P4A_SOURCE }, { checking_b, 0, P4A_ADD | P4A_DEPENDENT }.
 */
#define P4A_SOURCE		0x40
#define P4A_DEPENDENT		0x20
#define P4A_CODE		0x1f	/* enum p4a_op_code */

struct p4a_op {
	uint64_t key;
	uint32_t operand;		/* READ: ignored */
	uint32_t code;			/* enum p4a_op_code, and flags */
};

/*
 * What an operation leaves in a cell with value `before`; for a program's own cold path. sum: of the
 * results of sources, not used without P4A_DEPENDENT. A CADD whose value, as a signed number, is below 0
 * says that the transaction aborts.
 */
static inline uint32_t p4a_apply(uint32_t code, uint32_t operand, uint32_t before, uint32_t sum)
{
	uint32_t more = code & P4A_DEPENDENT ? sum : 0, after;

	switch (code & P4A_CODE) {
	case P4A_WRITE:
		return operand + more;
	case P4A_ADD:
	case P4A_CADD:
		return before + operand + more;
	case P4A_REFILL:
		after = before + operand + more;
		return (int32_t)(after - 10) < 0 ? after + 91 : after;
	case P4A_CHARGE:
		after = before + operand;
		return (int32_t)(after + more) < 0 ? after - 1 : after;
	default:
		return before;
	}
}

struct p4a_instr {
	uint8_t reg;
	uint8_t op;			/* code of the operation, | P4A_SECOND_PASS */
	uint16_t slot;			/* virtual */
	uint32_t operand;
};

#define P4A_SECOND_PASS		0x80

/* What one packet does for a transaction. Plain data: copy it, keep it, compare it. */
struct p4a_plan {
	uint32_t lock_check;		/* lock bits of all hot keys */
	uint32_t lock_acquire;		/* of the second-pass keys: held between the passes */
	uint8_t count;			/* instructions = hot operations, 0 .. P4A_MAX_INSTRS */
	int8_t at[P4A_MAX_OPS];		/* operation i is instruction at[i]; -1: it is cold */
	struct p4a_instr instr[P4A_MAX_INSTRS];
};

/*
 * p4a_plan - which operations of a transaction run in the switch, and how.
 * @layout: may be NULL: everything is cold
 * @blocks: virtual blocks held now: p4a_blocks(), 0 .. 256. Keys at or above are cold
 * @ops:    n (0 .. P4A_MAX_OPS) operations in program order
 *
 * The first operation on a register array runs in the first pass. With a second one on the same
 * array, the colder key of the two (larger rank) moves to the second pass; but never a key of slot 0,
 * never a CADD and never a source, then it is the other one. Two operations on one key keep their order.
 * What depends on sources is in the first pass only if its key is in the dependent stage and theirs are
 * not; else it goes to the second pass. Sources, and what depends on them, are all hot or all cold.
 *
 * Returns the number of hot operations (0: run it cold), or: the transaction does not fit and must
 * run cold as a whole (*plan is then a valid plan with nothing hot): -E2BIG more than 8 hot
 * operations; -EMLINK a third operation on a register array; -EXDEV two operations on an array of
 * which neither may be in the second pass, or something that depends on sources and can be in neither
 * pass, or is hot while a source is cold, or the other way round. -EINVAL: an unknown code, a source
 * behind something that depends on it, or n too large.
 */
int p4a_plan(const struct p4a_layout *layout, unsigned int blocks, const struct p4a_op *ops,
	     unsigned int n, struct p4a_plan *plan);

/*
 * p4a_plan_relock - the lock bits of a plan, by another layout with the same places: p4a_lock_info().
 * 0; -EXDEV a key of the second pass has no bit there, the transaction must run cold; -EINVAL the plan
 * is not of such a layout. *plan is changed on success only.
 */
int p4a_plan_relock(const struct p4a_layout *layout, struct p4a_plan *plan);

/* ----------------------------------------------------------------------------------- context */

struct p4a_ctx;

struct p4a_options {
	uint32_t tenant;		/* 1 .. 0xffffff; must exist here (p4ctl tenant add) */
	uint16_t node;			/* this node's number, 0 .. nodes-1 */
	uint16_t nodes;			/* nodes of the tenant, 1 .. 64 */
	uint32_t depth;			/* most transactions outstanding, 1 .. 4096; 0 = 256 */
	uint32_t timeout_us;		/* how long the allocator may be away before a call gives up;
					 * 0 = 10000000 */
	uint32_t reserved[8];		/* 0 */
};

enum p4a_cold {
	P4A_HOT = 0,			/* not cold */
	P4A_COLD_NO_MODULE = 1,		/* no Homa socket or no netlink family "p4alloc" */
	P4A_COLD_NO_POLICY = 2,		/* no allocator address or no geometry set (p4ctl) */
	P4A_COLD_NO_ALLOCATOR = 3,	/* it did not answer within timeout_us */
	P4A_COLD_NO_SWITCH = 4,		/* the allocator cannot reach the switch */
	P4A_COLD_NO_URING = 5,		/* io_uring is not available to this process */
};

/*
 * p4a_open - join a tenant.
 *
 * Reads geometry and policy over netlink, opens a Homa socket that joins the tenant, maps its receive
 * region, makes an io_uring. Returns 0 and a context, which may be cold; or -EINVAL an option out of
 * range; -EPERM this process may not use the tenant; -ENOENT no such tenant on this host; -ENOMEM,
 * -EMFILE, ... *err says what was wrong.
 */
int p4a_open(struct p4a_ctx **out, const struct p4a_options *opts, struct p4a_error *err);

/*
 * Ends everything; outstanding transactions become unknown and are not reported. If blocks are still
 * held, the kernel is told that they are not used any more; the allocator's lease takes them back.
 * NULL is allowed.
 */
void p4a_close(struct p4a_ctx *ctx);

/* 1 if the context is cold now. A p4a_hello() that succeeds later makes it hot again. */
int p4a_is_cold(const struct p4a_ctx *ctx);

/* Reason and, if text is not NULL, one line for people; valid until the next call on ctx. */
enum p4a_cold p4a_why_cold(const struct p4a_ctx *ctx, const char **text);

/* Text of the last error on this context, or "". Valid until the next call on ctx. */
const char *p4a_last_error(const struct p4a_ctx *ctx);

/* Geometry of the switch. 0, or -ENODATA: nobody has told (cold context). */
int p4a_geometry(const struct p4a_ctx *ctx, struct p4a_geometry *geo);

/*
 * The layout of the batches from now on. It must outlive its use here. Allowed between batches only.
 * 0; -EINVAL its geometry is not the switch's; -EPROTO a batch is under way.
 */
int p4a_use_layout(struct p4a_ctx *ctx, const struct p4a_layout *layout);

/* Virtual blocks held now, for p4a_plan(). 0 unless granted. */
unsigned int p4a_blocks(const struct p4a_ctx *ctx);

enum p4a_state {
	P4A_NEW = 0,			/* p4a_hello() is next */
	P4A_IDLE = 1,			/* between batches */
	P4A_RESERVED = 2,		/* asked; p4a_wait_grant() is next */
	P4A_GRANTED = 3,		/* p4a_fill(), then p4a_sync(P4A_FILLED) */
	P4A_RUNNING = 4,		/* hot transactions, then p4a_sync(P4A_RAN) */
	P4A_DRAINING = 5,		/* p4a_drain(), then p4a_done() or p4a_request() */
	P4A_EXPIRED = 6,		/* the lease ended: p4a_escrow_next(), then p4a_request() */
	P4A_LEFT = 7,			/* p4a_hello() comes back */
	P4A_RESIZING = 8,		/* p4a_fill() or p4a_drain(), then p4a_sync(P4A_RESIZED); hot
					 * transactions go on */
};

enum p4a_why {				/* a reservation is not granted yet */
	P4A_WHY_NONE = 0,		/* there is none, or it is being granted */
	P4A_WHY_SWITCH = 1,		/* the switch cannot be reached */
	P4A_WHY_OVERRAN = 2,		/* we held much longer than we declare: out for a while */
	P4A_WHY_OWN = 3,		/* our batch before it is not over */
	P4A_WHY_START = 4,		/* it is not needed yet, as we said */
	P4A_WHY_TURN = 5,		/* others' reservations come first */
	P4A_WHY_BLOCKS = 6,		/* too few blocks are free */
	P4A_WHY_FLOWS = 7,		/* too few flows are free */
	P4A_WHY_WAIT = 8,		/* p4a_wait_grant() has not been called */
};

struct p4a_info {
	uint32_t state;			/* enum p4a_state */
	uint32_t batch;			/* current or last one; 0: none yet */
	uint64_t epoch;			/* of the grant held, 0: none */
	uint32_t blocks;		/* held */
	uint32_t flows;			/* transactions that may be outstanding */
	uint32_t outstanding;		/* transactions now */
	uint32_t wait_us;		/* last RESERVED: estimate from then to the grant */
	uint32_t ahead;			/* last RESERVED: reservations before this one */
	uint32_t lease_us;		/* last grant: from then to the fence, if others wait */
	uint32_t lease_max_us;		/* allocator's limits, from p4a_hello() */
	uint32_t flows_max;
	uint32_t grace_us;
	uint32_t escrow;		/* entries that p4a_escrow_next() would find at p4a_hello() */
	uint8_t bitmap[P4A_MAX_BLOCKS / 8];	/* physical block b held: bit b % 8 of byte b / 8 */
	uint32_t why;			/* last RESERVED: enum p4a_why */
	uint32_t target;		/* last RESERVED: blocks that the allocator has in mind */
	uint32_t believed;		/* last RESERVED: worth of the declared histogram that the switch's
					 * counters bear out, percent */
};

void p4a_info(const struct p4a_ctx *ctx, struct p4a_info *info);

/* Name of a state, e.g. "running"; "?" for other numbers. */
const char *p4a_state_name(unsigned int state);

/* ------------------------------------------------------------------------------- completions */

enum p4a_txn_status {
	P4A_TXN_OK = 0,			/* committed: serial and results are valid */
	P4A_TXN_STALE = 1,		/* the blocks are not ours any more: nothing done */
	P4A_TXN_CONFLICT = 2,		/* lock bits stayed taken: nothing done, may be tried again */
	P4A_TXN_ABORT = 3,		/* a CADD would have gone below zero: nothing done */
	P4A_TXN_VERSION = 4,		/* the switch speaks another version: nothing done */
	P4A_TXN_MALFORMED = 5,		/* the switch did not like the packet: nothing done */
	P4A_TXN_UNSENT = 6,		/* the kernel refused it, see err: nothing done */
	P4A_TXN_UNKNOWN = 7,		/* no reply, or (-ESTALE) one that proves nothing, see err: done or
					 * not, nobody can tell */
};

enum p4a_kind {
	P4A_KIND_TXN = 0,		/* of p4a_txn_submit() */
	P4A_KIND_CALL = 1,		/* of a p4a_..._async() of a batch */
	P4A_KIND_LOCK = 2,		/* of a p4a_..._async() of a lock */
};

struct p4a_completion {
	void *user;			/* as submitted */
	uint32_t kind;			/* enum p4a_kind */
	int32_t err;			/* CALL: what the blocking form returns. TXN: 0 or -errno; with
					 * OK: done, but the log could not be written */
	uint64_t serial;		/* TXN OK: commit serial; ascends over all of the tenant */
	uint64_t epoch;			/* TXN: under which it was judged */
	uint8_t status;			/* TXN: enum p4a_txn_status */
	uint8_t retries;		/* TXN: trips lost to lock conflicts */
	uint8_t count;			/* TXN: results */
	uint8_t reserved[5];
	uint32_t result[P4A_MAX_INSTRS];	/* TXN OK: cell before instruction i */
};

/*
 * Sends what was submitted and takes up to max (1 or more) finished ones: p4a_poll() those that are
 * there, p4a_wait() waits for at least one. timeout_us < 0 waits for ever. Order of completion is
 * not order of submission, nor of serials.
 * Returns how many (0: none, or nothing is outstanding); -EINTR p4a_wait() met a signal; -EIO the
 * socket or ring has failed: all outstanding ones have been completed as unknown, and p4a_close() is
 * all that is left.
 */
int p4a_poll(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max);
int p4a_wait(struct p4a_ctx *ctx, struct p4a_completion *out, unsigned int max,
	     int64_t timeout_us);

/*
 * For an event loop: a descriptor that polls readable when p4a_poll() has something to do (-ENOTSUP
 * if there is none, in a context that is cold for good), as long as p4a_poll() was the last call and not
 * one that waits, which receives without the descriptor; and microseconds after which p4a_poll()
 * wants to be called even so, because a retry is due or it had no room for all; -1: no need.
 */
int p4a_fd(const struct p4a_ctx *ctx);
int64_t p4a_timeout_us(const struct p4a_ctx *ctx);

/* ------------------------------------------------------------------------------ transactions */

/*
 * p4a_txn_submit - run a plan in the switch. State: P4A_RUNNING.
 * @plan: copied; count >= 1
 * @user: comes back in the completion
 *
 * Nothing is sent before p4a_poll(), p4a_wait() or a blocking call, which send all at once.
 * Returns 0; -EAGAIN as many are outstanding (completions not taken count) as flows were granted, or
 * depth: take completions first; -EPROTO wrong state, or P4A_RAN has been said, or
 * p4a_leave_async() is under way; -EINVAL an empty plan, or one for more blocks than held; -EIO
 * socket or ring failed.
 */
int p4a_txn_submit(struct p4a_ctx *ctx, const struct p4a_plan *plan, void *user);

/* 1 and *value = result of operation i of the plan; 0 if it was cold or the status is not OK. */
int p4a_op_result(const struct p4a_plan *plan, const struct p4a_completion *c, unsigned int i,
		  uint32_t *value);

/* ------------------------------------------------------------------------------------- batch */

/*
 * Each call below moves the context from state to state. In a wrong state: -EPROTO, nothing changed.
 * The blocking form returns when it is over; completions of transactions that come in meanwhile are
 * kept for p4a_poll(). The _async form returns at once with 0 or an error, and a completion of kind
 * P4A_KIND_CALL tells the rest. One call at a time: -EBUSY.
 *
 * Errors that all can have: -ETIMEDOUT the allocator was away for timeout_us (its answers may take
 * longer: it is away only when its host says nothing at all); -EPROTONOSUPPORT it speaks another
 * version, p4a_last_error() names both; -EBADMSG its answer was malformed; -ERANGE it refused a field,
 * p4a_last_error() names field and range; -EACCES it does not know the tenant; -EPROTO it refused
 * the order of messages; -ESTALE the lease ended, the state is P4A_EXPIRED and the values are in the
 * escrow; -EHOSTDOWN it has lost the switch; -EREMOTEIO its store failed; -EIO socket or ring failed.
 * After -ETIMEDOUT and -EHOSTDOWN the state is as before; the call may be repeated. From any state
 * p4a_leave() and p4a_hello() start afresh. Blocking forms go on after a signal.
 */

/*
 * p4a_hello - greet the allocator, learn the next batch number. States: NEW, IDLE, EXPIRED, LEFT.
 * 0. If the allocator does not answer or has no switch: also 0, but the context is cold; call it
 * again (state: IDLE) to try again. -ENOTUNIQ: its geometry is not the one set on this host.
 */
int p4a_hello(struct p4a_ctx *ctx);
int p4a_hello_async(struct p4a_ctx *ctx, void *user);

struct p4a_demand {
	uint32_t start_us;		/* from now until the blocks are needed, 0 .. 60000000 */
	uint32_t duration_us;		/* for how long, fill and drain included, 1 .. lease_max_us */
	uint16_t min_blocks;		/* fewer are useless, 1 .. want_blocks */
	uint16_t want_blocks;		/* more are useless, .. blocks of the geometry */
	uint32_t flows;			/* transactions outstanding, 1 .. flows_max */
	uint16_t together;		/* accesses of a transaction that gain only if all of them are
					 * hot, 0 .. 64: p4a_counts_together(). 0, 1: each by itself */
	uint16_t reserved;		/* 0 */
};

/*
 * p4a_request - ask for the next batch's blocks. States: IDLE, EXPIRED, and DRAINING: that batch is
 * done too (its values must have been drained). The layout's histogram goes with it.
 * 1: granted at once; 0: reserved, go on with p4a_wait_grant(); -ENODATA no layout, though the geometry is
 * known.
 */
int p4a_request(struct p4a_ctx *ctx, const struct p4a_demand *demand);
int p4a_request_async(struct p4a_ctx *ctx, const struct p4a_demand *demand, void *user);

/*
 * p4a_wait_grant - wait until the reservation is ready. States: RESERVED, GRANTED.
 * Returns the number of blocks (0 in a cold context); the kernel translates with them from now on.
 */
int p4a_wait_grant(struct p4a_ctx *ctx);
int p4a_wait_grant_async(struct p4a_ctx *ctx, void *user);

/*
 * p4a_lock_info - agree with the tenant's other nodes on the lock bits of this batch. States: RESERVED,
 * GRANTED. All nodes of the tenant call it in a batch, or none does.
 * @kc:  keys that this node's transactions of the batch have in their second pass, and how often; n
 *	 of them, in any order. A key may occur several times: counts are added up
 * @out: the layout in use, with the tenant's bits for this batch: for p4a_plan() and p4a_plan_relock().
 *	 Free it with p4a_layout_free()
 *
 * A layout gives bits to all its keys, since it does not know which ones will be in a second pass. With
 * bits for those alone fewer transactions wait for each other for no reason. Keys that no node has
 * named (of all nodes together the 4096 with the highest counts are taken) have no bit: operations on
 * them are never planned for a second pass.
 *
 * Waits until all nodes have called it. Returns the number of keys with bits. Besides what all calls
 * below can return: -EOPNOTSUPP the allocator does not know this; -EPROTO also: another node has come
 * to P4A_FILLED without it; then all go on with the layout's own bits. -ENODATA no layout.
 * `kc` is not kept; `out` must stay until an _async form completes.
 */
int p4a_lock_info(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n,
		  struct p4a_layout **out);
int p4a_lock_info_async(struct p4a_ctx *ctx, const struct p4a_key_count *kc, size_t n,
			struct p4a_layout **out, void *user);

struct p4a_kv {
	uint64_t key;
	uint32_t value;
	uint32_t held;			/* out: 1 if the key is in the blocks held, else 0 */
};

/*
 * p4a_fill - write n values into their keys' cells. State: GRANTED. Keys not held are skipped.
 * Returns the number of cells written, every one acknowledged by the switch; -EINVAL a key occurs
 * twice; -ESTALE the switch does not take the blocks for ours (any more), p4a_sync() will tell why;
 * -ETIMEDOUT some write has no reply: it is unknown, do not go on to P4A_FILLED; -EBUSY completions
 * of older transactions must be taken first.
 * The array must stay as it is until an _async form completes.
 */
int p4a_fill(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n);
int p4a_fill_async(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n, void *user);

enum p4a_phase {
	P4A_FILLED = 1,			/* state GRANTED -> RUNNING */
	P4A_RAN = 2,			/* state RUNNING -> DRAINING; nothing may be outstanding: -EBUSY */
	P4A_RESIZED = 3,		/* state RESIZING -> RUNNING */
};

/*
 * p4a_sync - wait until all nodes of the tenant have come to this phase of the batch. 0. Once P4A_RAN
 * has been said, whatever came of it (but -EBUSY), there are no more transactions in this batch, since
 * the others may have heard of it. It may be repeated.
 */
int p4a_sync(struct p4a_ctx *ctx, enum p4a_phase phase);
int p4a_sync_async(struct p4a_ctx *ctx, enum p4a_phase phase, void *user);

/*
 * p4a_drain - read n values from their keys' cells. State: DRAINING. Keys not held are skipped.
 * Returns the number of values read, every one acknowledged; errors as above; a read without reply is
 * read again until timeout_us have brought nothing. After -ESTALE p4a_done() tells why. With a log, it
 * returns when what it has read is as safe as was asked for.
 */
int p4a_drain(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n);
int p4a_drain_async(struct p4a_ctx *ctx, struct p4a_kv *kv, size_t n, void *user);

/*
 * p4a_done - give the blocks back. State: DRAINING -> IDLE. 0. Whatever the allocator says, nothing can be
 * drained any more, and with a log this is the node's last word on the batch: who replays waits for it.
 */
int p4a_done(struct p4a_ctx *ctx);
int p4a_done_async(struct p4a_ctx *ctx, void *user);

/*
 * p4a_resize - go on with more blocks, or with fewer, while transactions run. State: RUNNING.
 * @blocks: wanted, 1 .. blocks of the geometry; the same at all nodes, which all call it
 *
 * Returns how many there will be; if as many as before (nothing free above those held, or others wait
 * for it), that is all. Else the state is RESIZING:
 * more: p4a_fill() writes keys of the new blocks only; then p4a_sync(P4A_RESIZED), and p4a_blocks() has
 * grown. A node that takes part must have stopped accesses to its keys elsewhere before it fills them.
 * fewer: p4a_blocks() has shrunk when p4a_resize() is called, which waits until this node's transactions
 * on the others are over, and all nodes' are; p4a_drain() reads keys of the blocks that go; their
 * values count when p4a_sync(P4A_RESIZED) has returned 0.
 * Transactions on the blocks that stay go on all the time. If the lease ends meanwhile, the escrow has
 * the blocks that were held before. -EPROTO the allocator has restarted, the batch keeps its blocks
 * (p4a_sync(P4A_RAN) ends it as ever); -EOPNOTSUPP it does not know this; -EINVAL; and as above.
 */
int p4a_resize(struct p4a_ctx *ctx, unsigned int blocks);
int p4a_resize_async(struct p4a_ctx *ctx, unsigned int blocks, void *user);

/*
 * p4a_cancel - give the batch up before it runs. States: RESERVED, GRANTED -> IDLE.
 * 0; -ESTALE as above. The other nodes go on without this one if they have not been granted yet; if
 * they have, the batch ends for all (-ESTALE), with nothing run. Until they have given it up too, or
 * ended it, p4a_request() is refused with -EPROTO.
 */
int p4a_cancel(struct p4a_ctx *ctx);
int p4a_cancel_async(struct p4a_ctx *ctx, void *user);

/*
 * p4a_leave - this node counts for no later batch or barrier. All states but NEW -> LEFT, whatever
 * is returned: 0, or why the allocator could not be told. Values not drained are lost to this node;
 * when the last node has left, the blocks go too.
 */
int p4a_leave(struct p4a_ctx *ctx);
int p4a_leave_async(struct p4a_ctx *ctx, void *user);

struct p4a_escrow {
	uint32_t batch;			/* of that batch's layout: */
	uint16_t slot;			/* virtual */
	uint8_t reg;
	uint8_t known;			/* 1: the layout in use has a key there */
	uint64_t key;			/* that key */
	uint32_t value;
	uint32_t reserved;
};

/*
 * p4a_escrow_next - the values that the allocator drained after a lease had ended.
 * @pos: 0 before the first call, then left alone; entries arrive 1024 at a time
 * 1 and *entry; 0: no more. States: all but NEW and LEFT. Blocking.
 */
int p4a_escrow_next(struct p4a_ctx *ctx, uint32_t *pos, struct p4a_escrow *entry);

/* --------------------------------------------------------------------------------------- log */

/*
 * A log says on disk what this node is about to ask of the switch and what came of it. When a switch
 * loses its registers, the values of all committed transactions come back from the logs of the
 * tenant's nodes; after the loss of a node it is known which transactions have no reply.
 *
 * An intent is safe before its transaction is sent, its result before p4a_poll() or p4a_wait() tell
 * of it. How safe:
 */
enum p4a_log_sync {
	P4A_LOG_PROCESS = 0,		/* given to the kernel: outlives this process, not the host */
	P4A_LOG_HOST = 1,		/* on the disk: outlives a power cut. One fdatasync() at a time;
					 * what gathers meanwhile goes together with the next */
};

struct p4a_log_options {
	const char *dir;		/* must exist; nodes and tenants may share it */
	uint32_t sync;			/* enum p4a_log_sync */
	uint32_t segment_bytes;		/* a batch begins another file if this one has as many:
					 * 4096 .. 2^30; 0 = 16 MB */
	uint32_t reserved[4];		/* 0 */
};

/*
 * p4a_log_open - keep a log from now on. States: NEW, IDLE, EXPIRED, LEFT.
 *
 * Begins a file of its own behind those that this node has left in dir (t<TENANT>.n<NODE>.<NUMBER>
 * .p4log). Files of earlier batches are removed when p4a_sync(P4A_FILLED) returns: all nodes have then
 * asked for this batch, and who asks for a batch has, in a store of its own, the values of the batch
 * before, drained, fetched from the escrow or replayed. So replay before p4a_request().
 *
 * The file that is written to is locked, until p4a_close() or the death of all processes that have its
 * descriptor: of fork(), too. Whoever begins the next one shows that the node's process before is gone, and
 * ends the file for it, if it has all that was told: then a replay need not wait for more. A node that was
 * restarted calls this and p4a_hello() before it replays, or it waits for itself.
 *
 * Returns 0; -EINVAL an option out of range; -EPROTO a batch is under way; -EALREADY a log is kept;
 * -EBUSY calls or transactions are under way, or another process keeps this node's log; or -errno of
 * dir. If the disk fails later on, transactions that wait for their intent end as P4A_TXN_UNSENT,
 * committed ones have the -errno in err beside their P4A_TXN_OK (done, but not in the log), and
 * p4a_txn_submit() returns it. If the disk does not even take a note of that, those are P4A_TXN_UNKNOWN
 * with the -errno, and p4a_drain() fails with it.
 */
int p4a_log_open(struct p4a_ctx *ctx, const struct p4a_log_options *opts);

struct p4a_log_info {
	uint64_t records, bytes;	/* appended; written */
	uint64_t writes, syncs;		/* groups given to the kernel; groups on the disk */
	uint32_t segments, trimmed;	/* files begun, files removed */
	uint32_t segment;		/* number of the file written to */
	int32_t err;			/* why nothing is written any more; 0: works */
	uint32_t reserved[4];
};

/* 0, or -ENODATA: no log is kept. */
int p4a_log_info(const struct p4a_ctx *ctx, struct p4a_log_info *info);

/* ------------------------------------------------------------------------------------ replay */

/*
 * A replay merges the logs of a tenant's nodes: transactions in the order of their commit serials,
 * the value of each key after the last of them, and those without a reply. Needs no context; one
 * thread at a time.
 *
 *	p4a_replay_new, p4a_replay_dir (or p4a_replay_add for each file), p4a_replay_run
 *	p4a_replay_info, p4a_replay_value ..., p4a_replay_txn ..., p4a_replay_free
 */
struct p4a_replay;

int p4a_replay_new(struct p4a_replay **out, uint32_t tenant, struct p4a_error *err);
void p4a_replay_free(struct p4a_replay *r);

/*
 * p4a_replay_add - takes what one file of a log holds; the bytes are not kept.
 *
 * Files may come in any order, and twice. Bytes at the end that are no whole record are ignored, they
 * were never acknowledged; damage in the middle is counted, and what follows it is read.
 * Returns 0; -EBADMSG not a log; -EPROTONOSUPPORT of a later version; -EINVAL of another tenant;
 * -ENOMEM.
 */
int p4a_replay_add(struct p4a_replay *r, const void *data, size_t len, struct p4a_error *err);

/*
 * All files of the tenant in a directory: how many, or -errno. Of a file whose beginning is damaged,
 * its name tells whose it is, and the rest is read; *err names the first such file then, and else "".
 */
int p4a_replay_dir(struct p4a_replay *r, const char *dir, struct p4a_error *err);

/*
 * p4a_replay_run - order and apply what was added.
 * @after: epochs up to this one are left out: those whose values are in the caller's store.
 *	   p4a_info() names a batch's epoch; keep it with the values. 0: everything
 * May be repeated, also after more files were added. 0 or -ENOMEM.
 */
int p4a_replay_run(struct p4a_replay *r, uint64_t after, struct p4a_error *err);

/*
 * The values are exactly those of the transactions with status P4A_TXN_OK, and of no other, if
 * unended, missing, gaps, breaks, damaged are 0. Who takes them, because the switch has lost its own, may
 * run unknown transactions again: they are as if they had not been.
 */
struct p4a_replay_info {
	uint64_t committed;		/* transactions */
	uint64_t refused;		/* known to have done nothing */
	uint64_t unknown;		/* without a reply */
	uint64_t keys;			/* with a value */
	uint64_t epoch;			/* highest seen; 0: none after `after` */
	uint32_t batch;			/* of that epoch */
	uint32_t nodes;			/* of the tenant, as the logs say */
	uint64_t unended;		/* bit n: node n may still write about that batch: until it gives
					 * its blocks back, or p4a_log_open() and p4a_hello() after it died */
	uint64_t missing;		/* bit n: no log of node n was added */
	uint64_t gaps;			/* commit serials below that of a transaction which no log has */
	uint64_t breaks;		/* values found that no log has written; aborts likewise */
	uint64_t damaged;		/* bytes in the middle of logs, and records without the others
					 * they belong to */
	uint64_t torn;			/* bytes at their ends: half written records */
	uint64_t beheaded;		/* files whose beginning was damaged, of p4a_replay_dir() */
	uint64_t settled;		/* of committed: without a reply, but others have seen them */
	uint64_t unseen;		/* serials that unknown ones may have had, and nobody has seen;
					 * not among gaps */
	uint64_t reserved[1];
};

void p4a_replay_info(const struct p4a_replay *r, struct p4a_replay_info *info);

struct p4a_replayed {
	uint64_t key;
	uint64_t serial;		/* of the transaction that saw or wrote the value last */
	uint64_t epoch;
	uint32_t value;
	uint32_t doubt;			/* 1: an unknown transaction of that epoch writes the key */
};

/* Keys with their values, by key. @pos: 0 before the first call. 1 and *v, or 0: no more. */
int p4a_replay_value(const struct p4a_replay *r, uint32_t *pos, struct p4a_replayed *v);

struct p4a_logged {
	uint64_t serial;		/* OK: its place; else 0 */
	uint64_t epoch;
	uint64_t user;			/* the pointer of p4a_txn_submit(), as a number */
	uint16_t node;
	uint8_t status;			/* enum p4a_txn_status */
	uint8_t count;			/* operations in the switch */
	int32_t err;			/* UNKNOWN: the -errno that was met; 0: the log ends before. OK: 0;
					 * else it is settled: the same, or -ENODATA where the log ends */
	struct {
		uint64_t key;
		uint32_t operand;
		uint32_t code;		/* of the operation, | P4A_SECOND_PASS */
		uint32_t result;	/* OK: value before */
		uint32_t reserved;
	} op[P4A_MAX_INSTRS];
};

/*
 * Transactions: committed ones by serial, then unknown ones by node and time. What is unknown was
 * sent or not, done or not; nobody can tell. A transaction without a reply whose effect others have found
 * is committed, with its results; doc/log.md says when that can be told.
 * 1 and *t, or 0: no more.
 */
int p4a_replay_txn(const struct p4a_replay *r, uint32_t *pos, struct p4a_logged *t);

/* ------------------------------------------------------------------------------------- locks */

/*
 * Locks by name, which the nodes of a tenant hold against each other; another tenant's are others.
 * They have nothing to do with batches: any state will do. First come, first served, and nobody
 * overtakes a waiter, not even to share. Any number of calls may be under way, up to depth.
 *
 * A hold has a lease. When it ends and somebody else wants the lock, that one gets it, whatever the
 * holder believes: it should look at until_us, however late it does. So pass `token` along with what is
 * done under the lock: tokens ascend with each hold of the lock, and whoever has seen a higher one can
 * refuse a lower one.
 *
 * An exclusive lock that is used often by a context, and not waited for, is taken and given back in the
 * switch, without a message to the allocator. Nothing else changes by that, but one thing: a lease
 * counts from when somebody else has asked for the lock, so a dead holder's may come back later.
 *
 * Two that wait for each other both wait until one's wait_us are over; it gets -ETIME and should give
 * back what it holds. Holds of a context that is closed, or dies, end with their leases.
 */
#define P4A_LOCK_NAME	16		/* bytes of a name: two numbers, or a hash */

enum p4a_lock_mode {
	P4A_LOCK_SHARED = 1,
	P4A_LOCK_EXCLUSIVE = 2,
};

struct p4a_lock {			/* a hold: plain data, to be left alone */
	uint8_t name[P4A_LOCK_NAME];
	uint64_t owner;
	uint64_t token;			/* for fencing */
	uint32_t mode;			/* enum p4a_lock_mode */
	uint32_t lease_us;		/* left of it when the call returned, or its completion was taken */
	uint64_t until_us;		/* it lasts so long, at the least, by CLOCK_MONOTONIC: counted from
					 * when the request was sent, the wait for the lock not included */
};

/*
 * p4a_lock - take a lock.
 * @name, @len: 1 .. 16 bytes, the first not 0; zeros at the end do not count
 * @lease_us:	1 .. lease_max_us of p4a_info()
 * @wait_us:	0 .. 60000000; 0: now or not at all
 *
 * The hold is of the mode that was asked for until it is given back: there is no upgrade.
 *
 * Returns 0; -ETIME others had it for all of wait_us (p4a_last_error() names their token), or the
 * allocator has restarted and waits for earlier holders; -ENOSPC too many locks or waiters; -EINVAL an
 * argument out of its range; -EAGAIN depth calls are under way; -ENOTCONN a context that is cold for
 * good; -ETIMEDOUT the allocator was away for timeout_us: if it has given the lock nevertheless, the
 * lease will end; -EIO, -EBADMSG, -EPROTONOSUPPORT, -EOPNOTSUPP, -ERANGE, -EACCES as above.
 * *out must stay until an _async form completes.
 */
int p4a_lock(struct p4a_ctx *ctx, const void *name, size_t len, enum p4a_lock_mode mode,
	     uint32_t lease_us, uint32_t wait_us, struct p4a_lock *out);
int p4a_lock_async(struct p4a_ctx *ctx, const void *name, size_t len, enum p4a_lock_mode mode,
		   uint32_t lease_us, uint32_t wait_us, struct p4a_lock *out, void *user);

/*
 * p4a_lock_extend - a lease of lease_us from now on, under the same token; no lease gets shorter by it. 0;
 * -ESTALE the hold is over; and as above. To be called in time also after the allocator has restarted: it
 * learns from this what is held.
 */
int p4a_lock_extend(struct p4a_ctx *ctx, struct p4a_lock *lock, uint32_t lease_us);
int p4a_lock_extend_async(struct p4a_ctx *ctx, struct p4a_lock *lock, uint32_t lease_us, void *user);

/*
 * p4a_unlock - give a lock back. 0; -ESTALE its lease had ended before (or, when the answer was lost and
 * others have had the lock since, may have); and as above.
 */
int p4a_unlock(struct p4a_ctx *ctx, const struct p4a_lock *lock);
int p4a_unlock_async(struct p4a_ctx *ctx, const struct p4a_lock *lock, void *user);

#ifdef __cplusplus
}
#endif

#endif /* P4ALLOC_H */
