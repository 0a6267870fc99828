// SPDX-License-Identifier: GPL-2.0-or-later
/* What a node answers to messages from peers, right and wrong ones; and how the asking side takes it. */
#include "../../util/peer_serve.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SELF { .tenant = 7, .keys = 100, .node = 1, .nodes = 2 }

static const struct peer_self self = SELF;

struct message {
	struct peer_head head;
	uint8_t rest[64];
} __attribute__((packed));

static struct message hello(void)
{
	return (struct message){ .head = {
		.version = PEER_VERSION, .type = PEER_HELLO, .node = htons(0), .nodes = htons(2),
		.keys = htonl(100) } };
}

static enum peer_code ask(struct peer_server *s, const struct message *m, size_t len, uint32_t tenant,
			  struct peer_result *out)
{
	struct link_msg msg = { .is_request = true, .tenant = tenant, .len = len };
	struct peer_head h;

	memcpy(msg.data, m, sizeof(*m));
	return serve(s, &msg, &h, out);
}

static struct peer_server server(void)
{
	return (struct peer_server){ .self = SELF, .store = store_new(100, START_MIXED, 2, 1),
				     .lock = PTHREAD_MUTEX_INITIALIZER,
				     .news = PTHREAD_COND_INITIALIZER };
}

static void serve__refuses_wrong_heads(void **state)
{
	struct peer_server s = server();
	struct peer_result out[TRACE_OPS_MAX];
	struct message m = hello();
	size_t len = sizeof(m.head);

	assert_int_equal(ask(&s, &m, len, 7, out), PEER_OK);
	assert_int_equal(ask(&s, &m, len, 8, out), PEER_BAD_TENANT);
	assert_int_equal(ask(&s, &m, len, 0, out), PEER_BAD_TENANT);
	assert_int_equal(ask(&s, &m, len - 1, 7, out), PEER_MALFORMED);
	assert_int_equal(ask(&s, &m, len + 1, 7, out), PEER_MALFORMED);
	m.head.version++;
	assert_int_equal(ask(&s, &m, len, 7, out), PEER_BAD_VERSION);
	m = hello();
	m.head.nodes = htons(3);
	assert_int_equal(ask(&s, &m, len, 7, out), PEER_BAD_SHAPE);
	m = hello();
	m.head.node = htons(1);
	assert_int_equal(ask(&s, &m, len, 7, out), PEER_BAD_SHAPE);
	m = hello();
	m.head.keys = htonl(101);
	assert_int_equal(ask(&s, &m, len, 7, out), PEER_BAD_SHAPE);
	m = hello();
	m.head.type = 77;
	assert_int_equal(ask(&s, &m, len, 7, out), PEER_MALFORMED);
	m = hello();
	m.head.releases = htons(2);
	assert_int_equal(ask(&s, &m, len + 4, 7, out), PEER_MALFORMED);
	m.head.releases = htons(PEER_RELEASES + 1);
	assert_int_equal(ask(&s, &m, len + 4 * (PEER_RELEASES + 1), 7, out), PEER_MALFORMED);
	store_free(s.store);
}

/* One release of transaction 5, then one operation of transaction `txn` on a key. */
static struct message access_message(uint32_t txn, uint32_t key, uint8_t kind, bool undo)
{
	struct message m = hello();
	uint32_t release = htonl(5 | (undo ? PEER_UNDO : 0));
	struct peer_op op = { .key = htonl(key), .operand = htonl(9), .kind = kind };

	m.head.type = PEER_ACCESS;
	m.head.arg = htonl(txn);
	m.head.releases = htons(1);
	m.head.ops = htons(1);
	memcpy(m.rest, &release, 4);
	memcpy(m.rest + 4, &op, sizeof(op));
	return m;
}

#define ACCESS_LEN (sizeof(struct peer_head) + 4 + sizeof(struct peer_op))

static void serve__executes_and_releases(void **state)
{
	struct peer_server s = server();
	struct peer_result out[TRACE_OPS_MAX];
	struct message m = access_message(5, 3, TRACE_WRITE, false);

	assert_int_equal(ask(&s, &m, ACCESS_LEN, 7, out), PEER_OK);
	assert_int_equal(ntohl(out[0].got), trace_initial(3));
	assert_int_equal(ntohl(out[0].version), 1);
	m = access_message(6, 4, TRACE_WRITE, false);	/* releases 5, but 4 is not ours */
	assert_int_equal(ask(&s, &m, ACCESS_LEN, 7, out), PEER_FOREIGN);
	m = access_message(7, 3, TRACE_READ, false);
	assert_int_equal(ask(&s, &m, ACCESS_LEN, 7, out), PEER_OK);
	assert_int_equal(ntohl(out[0].got), 9);
	m = access_message(8, 3, TRACE_READ, false);
	assert_int_equal(ask(&s, &m, ACCESS_LEN, 7, out), PEER_LOCKED);
	store_free(s.store);
}

static void serve__undoes(void **state)
{
	struct peer_server s = server();
	struct peer_result out[TRACE_OPS_MAX];
	struct message m = access_message(5, 3, TRACE_WRITE, false);

	assert_int_equal(ask(&s, &m, ACCESS_LEN, 7, out), PEER_OK);
	m = access_message(6, 3, TRACE_READ, true);
	assert_int_equal(ask(&s, &m, ACCESS_LEN, 7, out), PEER_OK);
	assert_int_equal(ntohl(out[0].got), trace_initial(3));
	assert_int_equal(ntohl(out[0].version), 1);
	store_free(s.store);
}

static void serve__wrong_operation_does_nothing(void **state)
{
	struct peer_server s = server();
	struct peer_result out[TRACE_OPS_MAX];
	struct message m = access_message(6, 3, 9, false);

	assert_int_equal(ask(&s, &m, ACCESS_LEN, 7, out), PEER_MALFORMED);
	assert_int_equal(store_holders(s.store), 0);
	store_free(s.store);
}

static void serve_round__waits_for_this_round(void **state)
{
	struct peer_server s = server();
	struct peer_result out[TRACE_OPS_MAX];
	struct message m = hello();

	m.head.type = PEER_ROUND;
	m.head.arg = htonl(4);
	m.head.value = htonl(11);
	assert_int_equal(ask(&s, &m, sizeof(m.head), 7, out), PEER_OK);
	m.head.arg = htonl(5);
	m.head.value = htonl(2);
	assert_int_equal(ask(&s, &m, sizeof(m.head), 7, out), PEER_OK);
	assert_int_equal(peer_serve_round(&s, 4, 1000), 11);
	assert_int_equal(peer_serve_round(&s, 5, 1000), 2);
	assert_int_equal(peer_serve_round(&s, 6, 0), -ETIMEDOUT);
	assert_int_equal(peer_serve_byes(&s, 0), -ETIMEDOUT);
	m.head.type = PEER_BYE;
	assert_int_equal(ask(&s, &m, sizeof(m.head), 7, out), PEER_OK);
	assert_int_equal(peer_serve_byes(&s, 0), 0);
	store_free(s.store);
}

/* ------------------------------------------------------------------ the asking side */

/* Serves on one link of a pair while the test asks on the other. */
struct pair {
	struct link *server_link, *client_link;
	struct peer_server *server;
	struct peer_client *client;
	struct store *store;
};

static struct pair make_pair(uint32_t server_tenant)
{
	static const struct peer_self asking = { .tenant = 7, .keys = 100, .node = 0, .nodes = 2 };
	struct peer_self serving = SELF;
	struct sockaddr_in addr[2] = { { .sin_port = htons(1) }, { .sin_port = htons(5001) } };
	struct pair p = { .store = store_new(100, START_MIXED, 2, 1) };
	const char *step;

	serving.tenant = server_tenant;
	link_open(&p.server_link, server_tenant, 5001, &step);
	link_open(&p.client_link, 7, 0, &step);
	p.server = peer_serve_start(&serving, p.server_link, p.store);
	p.client = peer_client_new(&asking, p.client_link, addr);
	return p;
}

static void free_pair(struct pair *p)
{
	peer_serve_stop(p->server);
	peer_client_free(p->client);
	link_close(p->server_link);
	link_close(p->client_link);
	store_free(p->store);
}

static void access__brings_results_and_verdicts(void **state)
{
	static const struct trace_op ops[] = { { 3, 9, TRACE_ADD }, { 5, 8, TRACE_WRITE } };
	struct pair p = make_pair(self.tenant);
	struct peer_done done;
	int a, b;

	assert_int_equal(peer_greet(p.client, 1000), 0);
	assert_int_equal(peer_client_room(p.client), PEER_CALLS);
	assert_int_equal(peer_access(p.client, 1, 11, ops, 2, 0, &a), 0);
	assert_int_equal(peer_client_room(p.client), PEER_CALLS - 1);
	assert_int_equal(peer_next(p.client, &done, 1000), 1);
	assert_ptr_equal(done.user, &a);
	assert_int_equal(done.verdict, STORE_OK);
	assert_int_equal(done.results[1].got, trace_initial(5));
	assert_int_equal(peer_access(p.client, 1, 12, ops, 1, 0, &b), 0);
	assert_int_equal(peer_next(p.client, &done, 1000), 1);
	assert_ptr_equal(done.user, &b);
	assert_int_equal(done.verdict, STORE_LOCKED);
	assert_int_equal(peer_next(p.client, &done, 0), 0);
	free_pair(&p);
}

static void release__full_queue_is_sent(void **state)
{
	static const struct trace_op op = { 3, 9, TRACE_ADD };
	struct pair p = make_pair(self.tenant);
	struct peer_done done;

	peer_access(p.client, 1, 0, &op, 1, 0, NULL);
	assert_int_equal(peer_next(p.client, &done, 1000), 1);
	for (uint32_t i = 0; i < PEER_RELEASES - 1; i++)
		assert_int_equal(peer_release(p.client, 1, i, false), 0);
	assert_int_equal(store_holders(p.store), 1);
	assert_int_equal(peer_release(p.client, 1, 99, false), 0);
	assert_int_equal(store_holders(p.store), 0);
	peer_access(p.client, 1, 1, &op, 1, 0, NULL);
	assert_int_equal(peer_next(p.client, &done, 1000), 1);
	assert_int_equal(peer_release(p.client, 1, 1, true), 0);
	assert_int_equal(peer_flush(p.client), 0);
	assert_int_equal(store_holders(p.store), 0);
	free_pair(&p);
}

static void greet__says_why_it_failed(void **state)
{
	struct pair p = make_pair(8);

	assert_int_equal(peer_greet(p.client, 1000), -EPROTO);
	assert_string_equal(peer_client_error(p.client), "node 1: the peer is of another tenant");
	free_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serve__refuses_wrong_heads),
		cmocka_unit_test(serve__executes_and_releases),
		cmocka_unit_test(serve__undoes),
		cmocka_unit_test(serve__wrong_operation_does_nothing),
		cmocka_unit_test(serve_round__waits_for_this_round),
		cmocka_unit_test(access__brings_results_and_verdicts),
		cmocka_unit_test(release__full_queue_is_sent),
		cmocka_unit_test(greet__says_why_it_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
