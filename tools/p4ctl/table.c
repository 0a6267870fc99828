// SPDX-License-Identifier: GPL-2.0-or-later
/* table.c - see table.h */
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define COLUMNS_MAX	20
#define CELL_MAX	256

struct table {
	int columns;
	bool right[COLUMNS_MAX];
	size_t width[COLUMNS_MAX];
	char **cell;		/* row by row, the heads first */
	size_t cells, room;
	bool incomplete;
};

static void clean(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

static void append(struct table *t, const char *text)
{
	size_t room = t->room ? 2 * t->room : 64;
	size_t width = strlen(text);
	size_t column = t->cells % t->columns;
	char **cell = t->cell;

	if (t->cells == t->room) {
		cell = realloc(t->cell, room * sizeof(*cell));
		if (cell) {
			t->cell = cell;
			t->room = room;
		}
	}
	if (!cell || !(cell[t->cells] = strdup(text))) {
		t->incomplete = true;
		return;
	}
	t->cells++;
	if (width > t->width[column])
		t->width[column] = width;
}

struct table *table_create(const char *heads)
{
	struct table *t = calloc(1, sizeof(*t));
	char *copy = strdup(heads), *rest = copy, *head;

	if (!t || !copy) {
		free(t);
		free(copy);
		return NULL;
	}
	for (head = copy; *head && t->columns < COLUMNS_MAX; t->columns++) {
		t->right[t->columns] = *head == '>';
		head += strcspn(head, " ");
		head += strspn(head, " ");
	}
	while ((head = strsep(&rest, " ")))
		if (*head)
			append(t, head + (*head == '>'));
	free(copy);
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char text[CELL_MAX];
	va_list ap;

	if (!t)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clean(text);
	append(t, text);
}

void table_print(const struct table *t, FILE *out)
{
	size_t i;

	for (i = 0; t && i < t->cells; i++) {
		int column = i % t->columns;
		bool last = column == t->columns - 1 || i == t->cells - 1;
		int width = t->width[column];

		if (t->right[column])
			fprintf(out, "%*s%s", width, t->cell[i], last ? "\n" : "  ");
		else
			fprintf(out, "%-*s%s", last ? 0 : width, t->cell[i], last ? "\n" : "  ");
	}
	if (!t || t->incomplete)
		fprintf(out, "(incomplete: out of memory)\n");
}

void table_free(struct table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->cells; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t);
}
