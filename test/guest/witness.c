// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * witness.c - stands between an allocator and the control socket of a switch, and judges what it sees.
 *
 * It passes each line on as it is, and keeps a model of its own of who owns which block. That model
 * knows nothing of the allocator's state, and outlives it: what one life of an allocator did is held
 * against the next one. Lines of one connection are all answered, or the switch is gone, before the
 * next connection begins, so the order of the answers is that in which the switch did the commands.
 *
 * Faults: a block that is given while it has an owner, or before it has been drained; an epoch that is
 * not above all that the block had (unless a grant that stands grows), or that two tenants have had; flows
 * that two grants have at a time; a grant that is given again after transactions of it have run; cells that
 * are cleared while their block has an owner, unless it is given it again next; owners that are read and are
 * not those of the model.
 *
 * SIGUSR1: the next command that writes is done, but its answer is lost, and so is the connection.
 * SIGUSR2: the same, but it is not done. SIGTERM: ends.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "jsonline.h"
#include "p4wire.h"

#define BLOCKS		256
#define FLOWS		65536
#define EPOCH_MASK	((UINT64_C(1) << P4W_EPOCH_BITS) - 1)

static const char usage[] =
	"usage: witness LISTEN SWITCH RECORD\n"
	"Two paths of Unix sockets, and a file: a line for each give, take and start of the switch.\n"
	"Exit: 0 no fault, 1 some, 2 usage.\n";

static volatile sig_atomic_t ended, lose_answer, lose_command;

/* ------------------------------------------------------------------ the model */

static struct {
	uint64_t boot;
	uint64_t owner[BLOCKS];		/* as the switch must have it */
	bool undrained[BLOCKS];		/* since it had its last owner */
	bool cleared[BLOCKS];		/* while it had one, which must be given it again next */
	uint64_t last[BLOCKS];		/* the highest epoch that it ever had */
	uint64_t stands;		/* what is given, if some block had it before this line; or 0 */
	uint64_t flow[FLOWS];		/* owner word of the grant that has it; 0: none, or not known */
	uint64_t *epochs;		/* owner words, each one once */
	size_t nr_epochs;
	unsigned long gives, again, takes, boots, connections, lost, faults;
	FILE *record;
} model;

__attribute__((format(printf, 1, 2)))
static void fault(const char *fmt, ...)
{
	va_list args;

	model.faults++;
	printf("witness: FAULT: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static uint32_t tenant_of(uint64_t word)
{
	return word >> P4W_EPOCH_BITS;
}

static uint64_t epoch_of(uint64_t word)
{
	return word & EPOCH_MASK;
}

static void note_epoch(uint64_t word)
{
	for (size_t i = model.nr_epochs; i--; ) {
		if (model.epochs[i] == word)
			return;
		if (epoch_of(model.epochs[i]) == epoch_of(word))
			fault("epoch %" PRIu64 " is tenant %u's, and had been tenant %u's",
			      epoch_of(word), tenant_of(word), tenant_of(model.epochs[i]));
	}
	if (!(model.nr_epochs & (model.nr_epochs + 1))) {
		model.epochs = realloc(model.epochs, (2 * model.nr_epochs + 2) * sizeof(uint64_t));
		if (!model.epochs)
			abort();
	}
	model.epochs[model.nr_epochs++] = word;
}

static bool is_live(uint64_t word)
{
	for (unsigned int b = 0; word && b < BLOCKS; b++)
		if (model.owner[b] == word)
			return true;
	return false;
}

static void judge_cleared(unsigned int b)
{
	if (model.cleared[b])
		fault("cells of block %u were cleared while tenant %u had it", b,
		      tenant_of(model.owner[b]));
	model.cleared[b] = false;
}

static void give(unsigned int b, uint64_t word)
{
	uint64_t old = model.owner[b];

	if (old == word) {
		model.cleared[b] = false;
		model.again++;
		return;
	}
	judge_cleared(b);
	if (old)
		fault("block %u is given to tenant %u (epoch %" PRIu64 ") while tenant %u (epoch %"
		      PRIu64 ") has it", b, tenant_of(word), epoch_of(word), tenant_of(old),
		      epoch_of(old));
	if (model.undrained[b])
		fault("block %u is given to tenant %u before it has been drained", b,
		      tenant_of(word));
	if (epoch_of(word) <= model.last[b] && word != model.stands)
		fault("block %u is given under epoch %" PRIu64 ", and has had %" PRIu64, b,
		      epoch_of(word), model.last[b]);
	note_epoch(word);
	model.owner[b] = word;
	if (model.last[b] < epoch_of(word))
		model.last[b] = epoch_of(word);
	model.gives++;
	fprintf(model.record, "give %u %" PRIu64 " %u\n", tenant_of(word), epoch_of(word), b);
}

static void take(unsigned int b)
{
	if (!model.owner[b])
		return;
	judge_cleared(b);
	fprintf(model.record, "take %u %" PRIu64 " %u\n", tenant_of(model.owner[b]),
		epoch_of(model.owner[b]), b);
	model.owner[b] = 0;
	model.undrained[b] = true;
	model.takes++;
}

static void restart(uint64_t boot)
{
	if (model.boot == boot)
		return;
	model.boot = boot;
	model.boots++;
	memset(model.owner, 0, sizeof(model.owner));
	memset(model.undrained, 0, sizeof(model.undrained));
	memset(model.cleared, 0, sizeof(model.cleared));
	memset(model.flow, 0, sizeof(model.flow));
	fprintf(model.record, "boot\n");
}

/* ------------------------------------------------------------------ commands */

static const char *text(struct json_object *o, const char *name)
{
	return json_object_get_string(json_member(o, name)) ?: "";
}

static bool is_write(struct json_object *o)
{
	return !strcmp(text(o, "cmd"), "reg_write") || !strcmp(text(o, "cmd"), "reg_fill");
}

/* A command on one array: how many cells, and the i-th one's index and new value. */
static size_t nr_cells(struct json_object *o)
{
	if (json_member(o, "indexes"))
		return json_object_array_length(json_member(o, "indexes"));
	return json_member(o, "count") ? json_number(o, "count") :
	       json_object_array_length(json_member(o, "values"));
}

static uint64_t index_at(struct json_object *o, size_t i)
{
	if (json_member(o, "indexes"))
		return json_at(json_member(o, "indexes"), i);
	return json_number(o, "index") + i;
}

static uint64_t value_at(struct json_object *o, size_t i)
{
	if (json_member(o, "values"))
		return json_at(json_member(o, "values"), i);
	return json_number(o, "value");
}

static void write_owners(struct json_object *o)
{
	for (size_t i = 0; i < nr_cells(o); i++) {
		uint64_t b = index_at(o, i), word = value_at(o, i);

		if (b >= BLOCKS)
			fault("a block %" PRIu64, b);
		else if (word)
			give(b, word);
		else
			take(b);
	}
}

/* word: of the grant in whose batch it is; 0: flows of the lock service, which are not watched. */
static void write_flows(struct json_object *o, uint64_t word)
{
	for (size_t i = 0; i < nr_cells(o); i++) {
		uint64_t f = index_at(o, i) % FLOWS, old = model.flow[f];

		if (old != word && is_live(old)) {
			fault("flow %" PRIu64 " is given to tenant %u (epoch %" PRIu64
			      ") while tenant %u (epoch %" PRIu64 ") has it", f, tenant_of(word),
			      epoch_of(word), tenant_of(old), epoch_of(old));
			return;
		}
		model.flow[f] = word;
	}
}

/* Whole blocks are cleared for the next owner; single cells are those of the lock service. */
static void write_cells(struct json_object *o)
{
	size_t n = nr_cells(o);

	for (size_t i = 0; n >= P4W_BLOCK_SLOTS && i < n; i += P4W_BLOCK_SLOTS) {
		uint64_t b = index_at(o, i) / P4W_BLOCK_SLOTS % BLOCKS;

		model.cleared[b] = model.owner[b];
	}
}

static void drained(void)
{
	for (unsigned int b = 0; b < BLOCKS; b++)
		model.undrained[b] &= model.owner[b] != 0;
}

static void compare_owners(struct json_object *o, struct json_object *answer)
{
	for (size_t i = 0; i < nr_cells(o); i++) {
		uint64_t b = index_at(o, i) % BLOCKS, word = value_at(answer, i);

		if (word != model.owner[b])
			fault("block %" PRIu64 " has owner word %" PRIx64 ", must be %" PRIx64, b,
			      word, model.owner[b]);
	}
}

/* What writes the owner words in a batch, or NULL. */
static struct json_object *owners_of_batch(struct json_object *cmds)
{
	for (size_t i = 0; cmds && i < json_object_array_length(cmds); i++) {
		struct json_object *o = json_object_array_get_idx(cmds, i);

		if (is_write(o) && !strcmp(text(o, "array"), "owner"))
			return o;
	}
	return NULL;
}

/* The owner word that a batch writes, or 0. */
static uint64_t word_of_batch(struct json_object *cmds)
{
	struct json_object *o = owners_of_batch(cmds);

	return o ? value_at(o, 0) : 0;
}

/* One line gives all blocks of a grant: none of them is why it stands. */
static void note_standing(struct json_object *o)
{
	bool owners = is_write(o) && !strcmp(text(o, "array"), "owner");
	uint64_t word = owners ? value_at(o, 0) : word_of_batch(json_member(o, "cmds"));

	model.stands = is_live(word) ? word : 0;
}

/* The switch has done it. */
static void done(struct json_object *o, struct json_object *answer, uint64_t word)
{
	struct json_object *cmds = json_member(o, "cmds"), *results = json_member(answer, "results");
	const char *cmd = text(o, "cmd"), *array = text(o, "array");

	for (size_t i = 0; cmds && i < json_object_array_length(cmds); i++)
		done(json_object_array_get_idx(cmds, i), json_object_array_get_idx(results, i),
		     word_of_batch(cmds));
	if (!strcmp(cmd, "info"))
		restart(json_number(answer, "boot"));
	else if (!strcmp(cmd, "drain"))
		drained();
	else if (!strcmp(cmd, "reg_read") && !strcmp(array, "owner"))
		compare_owners(o, answer);
	else if (is_write(o) && !strcmp(array, "owner"))
		write_owners(o);
	else if (is_write(o) && !strcmp(array, "flow_state"))
		write_flows(o, word);
	else if (is_write(o) && array[0] == 'r')
		write_cells(o);
}

/* ------------------------------------------------------------------ streams of lines */

struct stream {
	int fd;			/* -1: none */
	char *in, *out;
	size_t nr_in, nr_out;
};

struct pending {		/* a command that the switch has not answered */
	struct json_object *o;
	struct pending *link;
};

static struct stream client = { .fd = -1 }, sw = { .fd = -1 };
static struct pending *first, **last = &first;
static const char *switch_path;

static void close_stream(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->in);
	free(s->out);
	*s = (struct stream){ .fd = -1 };
}

static void append(char **to, size_t *n, const char *bytes, size_t len)
{
	*to = realloc(*to, *n + len + 1);
	if (!*to)
		abort();
	memcpy(*to + *n, bytes, len);
	*n += len;
}

static void flush(struct stream *s)
{
	ssize_t n = s->nr_out ? send(s->fd, s->out, s->nr_out, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n <= 0)
		return;
	s->nr_out -= n;
	memmove(s->out, s->out + n, s->nr_out);
}

static void send_line(struct stream *s, const char *line, size_t len)
{
	if (s->fd < 0)
		return;
	append(&s->out, &s->nr_out, line, len);
	flush(s);
}

/* Calls fn for each whole line that has come; false: the stream is over. */
static bool receive(struct stream *s, void (*fn)(char *line, size_t len))
{
	char bytes[65536], *end;
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		append(&s->in, &s->nr_in, bytes, n);
	while (s->fd >= 0 && s->nr_in && (end = memchr(s->in, '\n', s->nr_in))) {
		size_t len = end + 1 - s->in;
		char *line = strndup(s->in, len);

		s->nr_in -= len;
		memmove(s->in, end + 1, s->nr_in);
		fn(line, len);
		free(line);
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ------------------------------------------------------------------ from one to the other */

/* One cell, asked beside the connection. False: the switch does not answer. */
static bool read_cell(const char *array, uint64_t index, uint64_t *value)
{
	struct jsonline *j = jsonline_open(switch_path);
	struct json_object *answer;
	char request[100];
	bool has_it;

	if (!j)
		return false;
	snprintf(request, sizeof(request),
		 "{\"cmd\":\"reg_read\",\"array\":\"%s\",\"index\":%" PRIu64 ",\"count\":1}", array, index);
	answer = jsonline_ask(j, request);
	has_it = json_member(answer, "values");
	if (has_it)
		*value = value_at(answer, 0);
	json_object_put(answer);
	jsonline_close(j);
	return has_it;
}

/* A grant that stands begins anew: no transaction of it may have run. */
static void look_at_serials(struct json_object *cmds)
{
	uint64_t word = word_of_batch(cmds), serial;

	for (size_t i = 0; word && i < json_object_array_length(cmds); i++) {
		struct json_object *o = json_object_array_get_idx(cmds, i);

		if (!is_write(o) || strcmp(text(o, "array"), "serial"))
			continue;
		if (model.owner[index_at(o, 0) % BLOCKS] == word &&
		    read_cell("serial", index_at(o, 0), &serial) && serial != value_at(o, 0))
			fault("tenant %u's grant of epoch %" PRIu64
			      " is given again after %" PRIu64 " transactions", tenant_of(word),
			      epoch_of(word), serial - value_at(o, 0));
	}
}

static void lose(const char *what)
{
	printf("witness: %s is lost, and the connection\n", what);
	fflush(stdout);
	model.lost++;
	close_stream(&client);
}

static void on_command(char *line, size_t len)
{
	struct json_object *o = json_tokener_parse(line);
	struct json_object *cmds = json_member(o, "cmds");
	bool writes = is_write(o) || owners_of_batch(cmds);
	struct pending *p;

	if (writes && lose_command) {
		lose_command = 0;
		json_object_put(o);
		lose("a command");
		return;
	}
	look_at_serials(cmds);
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->o = o;
	*last = p;
	last = &p->link;
	send_line(&sw, line, len);
	if (writes && lose_answer) {
		lose_answer = 0;
		lose("an answer");
	}
}

static void pop(struct json_object *answer)
{
	struct pending *p = first;

	first = p->link;
	if (!first)
		last = &first;
	note_standing(p->o);
	if (answer && json_object_get_boolean(json_member(answer, "ok")))
		done(p->o, answer, 0);
	json_object_put(p->o);
	free(p);
}

static void on_answer(char *line, size_t len)
{
	struct json_object *answer = json_tokener_parse(line);

	if (first)
		pop(answer);
	json_object_put(answer);
	send_line(&client, line, len);
}

static void close_both(void)
{
	close_stream(&client);
	close_stream(&sw);
	while (first)
		pop(NULL);
}

static void serve(int listener)
{
	struct pollfd p[3] = {
		{ client.fd, POLLIN | (client.nr_out ? POLLOUT : 0), 0 },
		{ sw.fd, POLLIN | (sw.nr_out ? POLLOUT : 0), 0 },
		{ sw.fd < 0 ? listener : -1, POLLIN, 0 },
	};

	if (poll(p, 3, -1) <= 0)
		return;
	if (p[2].revents) {
		client.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		sw.fd = client.fd < 0 ? -1 : connect_to(switch_path);
		model.connections += sw.fd >= 0;
		if (sw.fd < 0)
			close_stream(&client);
		return;
	}
	if (p[1].revents & POLLOUT)
		flush(&sw);
	if (p[0].revents & POLLOUT)
		flush(&client);
	if (p[0].revents & ~POLLOUT && !receive(&client, on_command))
		close_stream(&client);
	if (p[1].revents & ~POLLOUT && !receive(&sw, on_answer))
		close_both();
	if (client.fd < 0 && !first)
		close_both();
}

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		lose_answer = 1;
	else if (signal == SIGUSR2)
		lose_command = 1;
	else
		ended = 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct sigaction action = { .sa_handler = on_signal };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	switch_path = argv[2];
	model.record = fopen(argv[3], "we");
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	if (!model.record || listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(listener, 8)) {
		perror("witness");
		return 2;
	}
	setvbuf(model.record, NULL, _IOLBF, 0);
	while (!ended)
		serve(listener);
	close_both();
	for (unsigned int b = 0; b < BLOCKS; b++)
		judge_cleared(b);
	free(model.epochs);
	fclose(model.record);
	printf("witness: %lu connections, %lu starts of the switch, %lu blocks given, %lu given again, "
	       "%lu taken, %lu lines lost, %lu faults\n", model.connections, model.boots, model.gives,
	       model.again, model.takes, model.lost, model.faults);
	return model.faults ? 1 : 0;
}
