// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames that are no transactions, or only pretend to be: forwarding, short ones, noise. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "drive.h"

#define NOISE	100000

static void to_host1(struct frame *f)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };

	frame_init(f, 1);
	memcpy(f->dst, mac, 6);
	f->txn.common.type = P4W_DATA;
}

/* Sent by host 0, does exactly this frame arrive at host 1? */
static bool arrives(const void *frame, size_t length)
{
	char got[FRAME_MAX];

	host_send(host[0], frame, length);
	return host_recv(host[1], got, sizeof(got), PATIENCE_MS) == (int)length &&
	       !memcmp(got, frame, length);
}

/* From here on nothing is on its way to host 1: what host 0 sends there arrives in order. */
static bool nothing_at_host1(void)
{
	struct frame f;

	to_host1(&f);
	f.id = htons(0xbeef);
	return arrives(&f, sizeof(f));
}

static void test_forwarding(void)
{
	uint64_t flood = control_counter("l2_flood"), forward = control_counter("l2_forward");
	struct frame f, hello;

	to_host1(&f);
	ok_if(arrives(&f, sizeof(f)), "an unknown address goes to all ports");
	ok_if(control_counter("l2_flood") == flood + 1, "and is counted");
	ok_if(nothing_arrives(), "but not to the port it came from");
	frame_init(&hello, 2);
	memset(hello.dst, 0xff, 6);
	hello.txn.common.type = P4W_DATA;
	host_send(host[1], &hello, sizeof(hello));
	ok_if(host_recv(host[0], &f, sizeof(f), PATIENCE_MS) == sizeof(f) &&
	      !memcmp(&f, &hello, sizeof(f)), "a broadcast goes to all ports");
	to_host1(&f);
	flood = control_counter("l2_flood");
	ok_if(arrives(&f, sizeof(f)) && control_counter("l2_flood") == flood &&
	      control_counter("l2_forward") == forward + 1, "its sender's address is known now");
	memcpy(f.dst, f.src, 6);
	host_send(host[0], &f, sizeof(f));
	ok_if(nothing_arrives(), "nothing goes back to where it came from");
	f.txn.common.type = P4W_TXN_REPLY;
	f.dst[5] = 2;
	ok_if(arrives(&f, sizeof(f)), "a reply is forwarded");
}

/* Was it thrown away and counted, and did the switch keep what it had? */
static void thrown_away(const void *frame, size_t length, const char *what)
{
	uint64_t drop = control_port(0, "drop");

	host_send(host[0], frame, length);
	ok_if(nothing_arrives() && nothing_at_host1() && control_port(0, "drop") == drop + 1, "%s",
	      what);
}

static void test_short(void)
{
	struct frame f;

	request(&f, 0);
	f.dst[5] = 2;
	instr(&f, 0, 0, P4W_OP_ADD, 1, 1);
	thrown_away(&f, sizeof(f) - 1, "a request without its last byte is dropped");
	f.total_length = htons(sizeof(f) - 15);
	thrown_away(&f, sizeof(f), "one whose IPv4 length leaves out the last byte");
	f.total_length = htons(20 + P4W_COMMON_LEN);
	thrown_away(&f, 14 + 20 + P4W_COMMON_LEN, "one that is a common header only");
	f.total_length = htons(20 + P4W_COMMON_LEN - 1);
	thrown_away(&f, 14 + 20 + P4W_COMMON_LEN - 1,
		    "a Homa packet without a whole common header");
	f.total_length = htons(19);
	thrown_away(&f, 60, "IPv4 that is shorter than its header");
	thrown_away(&f, 33, "IPv4 that ends in its header");
	ok_if(state_agrees(), "short frames: nothing changed");
}

static void test_not_for_us(void)
{
	struct frame f;

	request(&f, 0);
	f.dst[5] = 2;
	instr(&f, 0, 0, P4W_OP_ADD, 1, 1);
	f.version_ihl = 0x46;
	ok_if(arrives(&f, sizeof(f)), "a request behind IPv4 options is forwarded");
	f.version_ihl = 0x45;
	f.protocol = 17;
	ok_if(arrives(&f, sizeof(f)), "one in another protocol");
	f.protocol = P4W_IPPROTO;
	f.ethertype = htons(0x88b5);
	ok_if(arrives(&f, sizeof(f)), "one in another kind of frame");
	ok_if(state_agrees(), "not for us: nothing changed");
}

static void test_longer(void)
{
	struct { struct frame f; char more[100]; } big, got;
	struct p4w_txn want;

	memset(&big, 7, sizeof(big));
	request(&big.f, 0);
	big.f.total_length = htons(sizeof(big) - 14);
	want = big.f.txn;
	model_run(&model, &want);
	host_send(host[0], &big, sizeof(big));
	ok_if(host_recv(host[0], &got, sizeof(got), PATIENCE_MS) == sizeof(got) &&
		      !memcmp(&got.f.txn, &want, sizeof(want)) &&
		      !memcmp(got.more, big.more, sizeof(got.more)),
	      "bytes behind a request come back with the reply");
}

/* Random bytes, and requests of a tenant without blocks with some bytes changed. */
static size_t make_noise(char *frame)
{
	size_t length = 14 + rand() % 300;
	struct frame *f = (struct frame *)frame;
	unsigned int flips = rand() % 6;

	for (size_t i = 0; i < length; i++)
		frame[i] = rand();
	if (rand() % 4) {
		frame_init(f, 1);
		f->txn.owner = htobe64(owner_word(77, 1));
		f->txn.flow = htonl(rand() % model.flows);
		f->txn.seq = htonl(rand());
		if (rand() % 2)
			length = sizeof(*f);
		while (flips--)
			frame[rand() % sizeof(*f)] ^= 1 << rand() % 8;
	}
	frame[0] &= ~1;
	return length;
}

static void test_noise(void)
{
	char frame[FRAME_MAX];
	bool good = true;

	srand(2);
	for (int i = 0; i < NOISE && good; i++) {
		host_send(host[0], frame, make_noise(frame));
		if (i % 256 == 0)
			good = quiet(0) && quiet(1);
	}
	ok_if(good && quiet(0) && quiet(1), "%d frames of noise", NOISE);
	ok_if(state_agrees(), "noise: nothing changed");
}

void test_frames(void)
{
	struct frame f;
	int outcome;

	test_forwarding();
	test_short();
	test_not_for_us();
	test_noise();
	request(&f, 0);
	instr(&f, 0, 0, P4W_OP_ADD, 1, 1);
	ok_if(exchange(&f, &outcome) && outcome == P4W_TXN_OK, "a transaction is still executed");
	test_longer();
}
