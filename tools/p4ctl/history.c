// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * history.c - see history.h. Kept are the changes only; rows of all tenants are made when they are
 * printed. A picture has one column a pixel, the mean over its time, so its size has a bound.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "member.h"

#define WAITING		0	/* `tenant` of a change of the number of those who wait */
#define COLUMNS		800	/* of the picture */
#define NAMED		12	/* tenants that have a colour of their own */
#define LEFT		60
#define TOP		40
#define UPPER		300	/* height of the upper part */
#define LOWER		120
#define GAP		40

struct change {
	uint64_t us;
	uint32_t tenant;
	uint32_t blocks;
	size_t nth;		/* as it came: of one moment the last one counts */
};

struct tenant {
	uint32_t id;
	uint32_t now;		/* as the pages read so far end */
};

struct history {
	struct change *change;
	size_t n, room;
	struct tenant *tenant;	/* ascending ids; the first is WAITING */
	size_t tenants;
	uint64_t total, begin, end;
	bool begun;
};

struct history *history_new(void)
{
	struct history *h = calloc(1, sizeof(*h));

	if (h)
		h->tenant = calloc(1, sizeof(*h->tenant));
	if (h && h->tenant) {
		h->tenants = 1;
		return h;
	}
	free(h);
	return NULL;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	free(h->change);
	free(h->tenant);
	free(h);
}

/* ----------------------------------------------------------------------------------- pages */

static size_t place_of(const struct history *h, uint32_t id)
{
	size_t i = 0;

	while (i < h->tenants && h->tenant[i].id < id)
		i++;
	return i;
}

static struct tenant *tenant_of(struct history *h, uint32_t id)
{
	size_t at = place_of(h, id);
	struct tenant *more;

	if (at < h->tenants && h->tenant[at].id == id)
		return &h->tenant[at];
	more = reallocarray(h->tenant, h->tenants + 1, sizeof(*more));
	if (!more)
		return NULL;
	h->tenant = more;
	memmove(more + at + 1, more + at, (h->tenants++ - at) * sizeof(*more));
	more[at] = (struct tenant){ .id = id };
	return &more[at];
}

static int add_change(struct history *h, uint64_t us, uint32_t id, uint32_t blocks)
{
	struct tenant *t = tenant_of(h, id);
	struct change *more = h->change;

	if (!t)
		return -1;
	if (t->now == blocks)
		return 0;
	if (h->n == h->room) {
		h->room = h->room ? 2 * h->room : 1024;
		more = reallocarray(more, h->room, sizeof(*more));
		if (!more)
			return -1;
		h->change = more;
	}
	more[h->n] = (struct change){ us, id, blocks, h->n };
	h->n++;
	t->now = blocks;
	return 0;
}

static int add_row(struct history *h, struct json_object *ids, struct json_object *row)
{
	uint64_t us = json_object_get_int64(list_at(row, 0));

	if (list_length(row) != 3 + list_length(ids))
		return -1;
	for (size_t i = 0; i < list_length(ids); i++)
		if (add_change(h, us, json_object_get_int64(list_at(ids, i)),
			       json_object_get_int64(list_at(row, 3 + i))))
			return -1;
	return 0;
}

static uint64_t time_of(struct json_object *list, size_t i)
{
	return json_object_get_int64(list_at(list_at(list, i), 0));
}

static uint64_t last_time(struct json_object *list)
{
	return list_length(list) ? time_of(list, list_length(list) - 1) : 0;
}

/* A list that was cut short ends before the other one: what is later comes with the next page. */
int history_add(struct history *h, struct json_object *answer, uint64_t *since)
{
	struct json_object *rows = member(answer, "history"), *waits = member(answer, "waiting");
	bool more = json_object_get_boolean(member(answer, "more"));
	bool more_waits = json_object_get_boolean(member(answer, "more_waiting"));
	uint64_t until = UINT64_MAX;

	if (more)
		until = last_time(rows);
	if (more_waits && last_time(waits) < until)
		until = last_time(waits);
	if (until != UINT64_MAX && h->begun && until <= *since)
		return -1;
	if (!h->begun)
		h->begin = time_of(rows, 0) > *since ? time_of(rows, 0) : *since;
	h->begun = true;
	h->total = member_number(answer, "total");
	h->end = member_number(answer, "now_us");
	for (size_t i = 0; i < list_length(rows) && time_of(rows, i) <= until; i++)
		if (add_row(h, member(answer, "tenants"), list_at(rows, i)))
			return -1;
	for (size_t i = 0; i < list_length(waits) && time_of(waits, i) <= until; i++)
		if (add_change(h, time_of(waits, i), WAITING,
			       json_object_get_int64(list_at(list_at(waits, i), 1))))
			return -1;
	*since = until;
	return more || more_waits;
}

static int by_time(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->us != y->us)
		return x->us > y->us ? 1 : -1;
	return (x->nth > y->nth) - (x->nth < y->nth);
}

/* ------------------------------------------------------------------------------------- CSV */

/* State while the changes are gone through. */
struct walk {
	const struct history *h;
	struct change *change;		/* a copy in order of time */
	uint32_t *now;			/* by place */
	uint64_t used;
};

static bool walk_begin(struct walk *w, const struct history *h)
{
	*w = (struct walk){ .h = h };
	w->change = calloc(h->n + 1, sizeof(*w->change));
	w->now = calloc(h->tenants, sizeof(*w->now));
	if (!w->change || !w->now)
		return false;
	memcpy(w->change, h->change ? h->change : w->change, h->n * sizeof(*w->change));
	qsort(w->change, h->n, sizeof(*w->change), by_time);
	return true;
}

static void walk_end(struct walk *w)
{
	free(w->change);
	free(w->now);
}

static void walk_step(struct walk *w, size_t i)
{
	const struct change *c = &w->change[i];
	size_t at = place_of(w->h, c->tenant);

	if (c->tenant != WAITING)
		w->used = w->used + c->blocks - w->now[at];
	w->now[at] = c->blocks;
}

static double part(double x, double whole)
{
	return whole > 0 ? x / whole : 0;
}

static void csv_line(const struct walk *w, uint64_t us, double busy_us, uint64_t since, FILE *out)
{
	const struct history *h = w->h;

	fprintf(out, "%.6f,%" PRIu64 ",%" PRIu64 ",%.4f,%" PRIu32, us / 1e6, w->used, h->total,
		part(busy_us, (double)(us - since) * h->total), w->now[0]);
	for (size_t i = 1; i < h->tenants; i++)
		fprintf(out, ",%" PRIu32, w->now[i]);
	fputc('\n', out);
}

void history_csv(const struct history *h, FILE *out)
{
	uint64_t since = h->begin;
	struct walk w;

	fputs("seconds,used,total,utilisation,waiting", out);
	for (size_t i = 1; i < h->tenants; i++)
		fprintf(out, ",tenant_%" PRIu32, h->tenant[i].id);
	fputc('\n', out);
	if (walk_begin(&w, h)) {
		for (size_t i = 0; i < h->n; i++) {
			uint64_t us = w.change[i].us, before = w.used;

			walk_step(&w, i);
			while (i + 1 < h->n && w.change[i + 1].us == us)
				walk_step(&w, ++i);
			us = us > h->begin ? us : h->begin;
			csv_line(&w, us, (double)before * (us - since), since, out);
			since = us;
		}
		csv_line(&w, h->end, (double)w.used * (h->end - since), since, out);
	}
	walk_end(&w);
}

struct json_object *history_json(const struct history *h)
{
	struct json_object *o = json_object_new_object(), *changes = json_object_new_array();
	struct json_object *waiting = json_object_new_array(), *row;

	for (size_t i = 0; i < h->n; i++) {
		row = json_object_new_array();
		json_object_array_add(row, json_object_new_uint64(h->change[i].us));
		if (h->change[i].tenant != WAITING)
			json_object_array_add(row, json_object_new_int64(h->change[i].tenant));
		json_object_array_add(row, json_object_new_int64(h->change[i].blocks));
		json_object_array_add(h->change[i].tenant == WAITING ? waiting : changes, row);
	}
	json_object_object_add(o, "total", json_object_new_uint64(h->total));
	json_object_object_add(o, "begin_us", json_object_new_uint64(h->begin));
	json_object_object_add(o, "end_us", json_object_new_uint64(h->end));
	json_object_object_add(o, "changes", changes);
	json_object_object_add(o, "waiting", waiting);
	return o;
}

/* ----------------------------------------------------------------------------------- picture */

struct picture {
	const struct history *h;
	size_t shown;		/* tenants with a colour; the others are one more */
	size_t *layer;		/* by place */
	double *area;		/* block-us, by place */
	double (*mean)[NAMED + 3];	/* by column: layers, others, all, waiting */
	double most_waiting;
};

enum { OTHERS = NAMED, ALL, WAITERS };

static const char *const colours[NAMED + 1] = {
	"#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#eeca3b", "#b279a2", "#ff9da6",
	"#9d755d", "#7b4173", "#8ca252", "#1b6e77", "#bab0ac",
};

static double column_us(const struct history *h)
{
	return (double)(h->end - h->begin) / COLUMNS;
}

/* Adds `value` for from .. to, in us since the beginning, to one layer's columns. */
static void paint(struct picture *p, double from, double to, int layer, double value)
{
	double width = column_us(p->h);
	int first = from / width, last = to / width;

	for (int c = first; value && c <= last && c < COLUMNS; c++) {
		double a = c * width > from ? c * width : from;
		double b = (c + 1) * width < to ? (c + 1) * width : to;

		if (b > a)
			p->mean[c][layer] += value * (b - a) / width;
	}
}

/* Calls fn for each tenant (by place) and each time in which its number stayed the same. */
static void each_span(const struct walk *w, struct picture *p,
		      void (*fn)(struct picture *p, size_t at, double from, double to, double value))
{
	const struct history *h = w->h;
	struct change *last = calloc(h->tenants, sizeof(*last));

	for (size_t i = 0; last && i < h->n; i++) {
		const struct change *c = &w->change[i];
		uint64_t us = c->us > h->begin ? c->us - h->begin : 0;
		size_t at = place_of(h, c->tenant);

		fn(p, at, last[at].us, us, last[at].blocks);
		last[at] = (struct change){ us, c->tenant, c->blocks, 0 };
	}
	for (size_t at = 0; last && at < h->tenants; at++)
		fn(p, at, last[at].us, h->end - h->begin, last[at].blocks);
	free(last);
}

static void paint_span(struct picture *p, size_t at, double from, double to, double value)
{
	paint(p, from, to, at ? p->layer[at] : WAITERS, value);
	if (at)
		paint(p, from, to, ALL, value);
}

static void add_area(struct picture *p, size_t at, double from, double to, double value)
{
	p->area[at] += value * (to - from);
}

/* The tenants that held most have a colour, in order of their numbers. */
static void choose_layers(struct picture *p)
{
	for (size_t t = 1; t < p->h->tenants; t++) {
		size_t larger = 0;

		for (size_t o = 1; o < p->h->tenants; o++)
			larger += p->area[o] > p->area[t] || (p->area[o] == p->area[t] && o < t);
		p->layer[t] = larger < NAMED ? p->shown++ : OTHERS;
	}
}

static double y_of(double value, double most, int top, int height)
{
	return top + height * (1 - part(value, most));
}

static void print_layer(const struct picture *p, int layer, double base[COLUMNS], FILE *out)
{
	double most = p->h->total;

	fprintf(out, "<path fill=\"%s\" d=\"M%d %d", colours[layer], LEFT, TOP + UPPER);
	for (int c = 0; c < COLUMNS; c++) {
		double y = y_of(base[c] + p->mean[c][layer], most, TOP, UPPER);

		fprintf(out, "L%d %.1fH%d", LEFT + c, y, LEFT + c + 1);
	}
	for (int c = COLUMNS - 1; c >= 0; c--) {
		fprintf(out, "L%d %.1fH%d", LEFT + c + 1, y_of(base[c], most, TOP, UPPER), LEFT + c);
		base[c] += p->mean[c][layer];
	}
	fputs("Z\"/>\n", out);
}

static void print_line(const struct picture *p, int layer, double most, const char *colour,
		       FILE *out)
{
	int top = TOP + UPPER + GAP;

	fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" d=\"", colour);
	for (int c = 0; c < COLUMNS; c++)
		fprintf(out, "%s%d %.1f", c ? "L" : "M", LEFT + c,
			y_of(p->mean[c][layer], most, top, LOWER));
	fputs("\"/>\n", out);
}

static void print_text(int x, double y, const char *anchor, const char *text, FILE *out)
{
	fprintf(out, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, text);
}

static void print_axes(const struct picture *p, FILE *out)
{
	int bottom = TOP + UPPER + GAP + LOWER;
	char text[64];

	for (int i = 0; i <= 4; i++) {
		double y = TOP + UPPER * (4 - i) / 4.0;

		fprintf(out, "<path stroke=\"#ddd\" d=\"M%d %.0fH%d\"/>\n", LEFT, y, LEFT + COLUMNS);
		snprintf(text, sizeof(text), "%g", p->h->total * i / 4.0);
		print_text(LEFT - 6, y + 4, "end", text, out);
		snprintf(text, sizeof(text), "%.4g s",
			 (p->h->begin + i / 4.0 * (p->h->end - p->h->begin)) / 1e6);
		print_text(LEFT + COLUMNS * i / 4, bottom + 18, "middle", text, out);
	}
	print_text(LEFT, TOP - 12, "start", "blocks by tenant", out);
	print_text(LEFT - 6, TOP + UPPER + GAP + 4, "end", "100 %", out);
	print_text(LEFT - 6, bottom + 4, "end", "0", out);
	snprintf(text, sizeof(text), "%.4g", p->most_waiting);
	print_text(LEFT + COLUMNS + 6, TOP + UPPER + GAP + 4, "start", text, out);
	fprintf(out, "<text x=\"%d\" y=\"%d\"><tspan fill=\"#4c78a8\">utilisation</tspan>, "
		"<tspan fill=\"#e45756\">tenants that wait</tspan> (right)</text>\n", LEFT,
		TOP + UPPER + GAP - 8);
	fprintf(out, "<path fill=\"none\" stroke=\"#888\" d=\"M%d %dV%dH%dM%d %dV%dH%dV%d\"/>\n", LEFT,
		TOP, TOP + UPPER, LEFT + COLUMNS, LEFT, bottom - LOWER, bottom, LEFT + COLUMNS,
		bottom - LOWER);
}

static void print_key(const struct picture *p, FILE *out)
{
	const struct history *h = p->h;
	bool others = false;
	char text[32];

	for (size_t t = 1; t <= h->tenants; t++) {
		int layer = t < h->tenants ? (int)p->layer[t] : OTHERS;
		int y = TOP + 14 + 20 * layer;

		others |= t < h->tenants && layer == OTHERS;
		if (layer == OTHERS && (t < h->tenants || !others))
			continue;
		fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/>\n",
			LEFT + COLUMNS + 40, y - 11, colours[layer]);
		snprintf(text, sizeof(text), "%" PRIu32, t < h->tenants ? h->tenant[t].id : 0);
		print_text(LEFT + COLUMNS + 58, y, "start", layer == OTHERS ? "others" : text, out);
	}
}

static void print_picture(struct picture *p, FILE *out)
{
	double base[COLUMNS] = { 0 };

	fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"540\" "
	      "viewBox=\"0 0 1000 540\" font-family=\"sans-serif\" font-size=\"13\">\n"
	      "<rect width=\"1000\" height=\"540\" fill=\"#fff\"/>\n", out);
	for (size_t layer = 0; layer < p->shown; layer++)
		print_layer(p, layer, base, out);
	if (p->h->tenants > NAMED + 1)
		print_layer(p, OTHERS, base, out);
	for (int c = 0; c < COLUMNS; c++)
		if (p->mean[c][WAITERS] > p->most_waiting)
			p->most_waiting = p->mean[c][WAITERS];
	print_axes(p, out);
	print_line(p, ALL, p->h->total, "#4c78a8", out);
	print_line(p, WAITERS, p->most_waiting > 0 ? p->most_waiting : 1, "#e45756", out);
	print_key(p, out);
	fputs("</svg>\n", out);
}

void history_svg(const struct history *h, FILE *out)
{
	struct picture p = { .h = h };
	struct walk w;

	p.layer = calloc(h->tenants, sizeof(*p.layer));
	p.area = calloc(h->tenants, sizeof(*p.area));
	p.mean = calloc(COLUMNS, sizeof(*p.mean));
	if (walk_begin(&w, h) && p.layer && p.area && p.mean) {
		each_span(&w, &p, add_area);
		choose_layers(&p);
		if (h->end > h->begin)
			each_span(&w, &p, paint_span);
		print_picture(&p, out);
	}
	walk_end(&w);
	free(p.layer);
	free(p.area);
	free(p.mean);
}
