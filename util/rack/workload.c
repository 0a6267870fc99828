// SPDX-License-Identifier: GPL-2.0-or-later
/* workload.c - see workload.h. Keeps no state. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "workload.h"

#define POINTS		36
#define STEPS		100000	/* of the integrals: far finer than the points are apart */
#define HEADERS		(14 + 20 + 56)
#define FRAMING		24
#define FRAME_MIN	60

/* cumulative fractions, the same for all */
static const double fraction[POINTS] = {
	0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65,
	0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995,
	0.997, 0.998, 0.999, 0.9995, 1,
};

struct workload {
	const char *name;
	uint32_t bytes[POINTS];		/* at each fraction */
};

static const struct workload workloads[] = {
	{ "w1", {
		8, 8, 8, 8, 8, 8, 8, 8, 8, 11, 11, 15, 27, 51, 79, 113, 151, 203, 264, 365, 503, 600,
		715, 804, 930, 1077, 1360, 1574, 1876, 2236, 2588, 3176, 3785, 4924, 6406, 100000,
	} },
	{ "w2", {
		8, 8, 8, 8, 8, 8, 34, 43, 58, 135, 171, 233, 269, 284, 320, 341, 366, 394, 427, 465, 512,
		602, 788, 931, 1078, 1463, 2048, 2409, 3151, 3724, 4096, 5851, 7447, 21845, 77101,
		1000000,
	} },
	{ "w3", {
		8, 8, 8, 8, 36, 64, 77, 85, 110, 128, 158, 205, 268, 282, 313, 352, 402, 469, 573, 896,
		1755, 2657, 4535, 5521, 7256, 9596, 13435, 16861, 31013, 60293, 84867, 128223, 195778,
		356516, 526844, 1000000,
	} },
	{ "w4", {
		53, 130, 227, 297, 315, 335, 376, 463, 502, 537, 561, 600, 662, 737, 960, 1559, 6387,
		42493, 49408, 77041, 120373, 167112, 228718, 273075, 406302, 832442, 1000000, 1000000,
		1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000,
	} },
	{ "w5", {
		1430, 1430, 1430, 2860, 5720, 8580, 19110, 23520, 27930, 38220, 48510, 60270, 72030,
		111720, 195510, 588000, 980490, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000,
		1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000,
		1000000, 1000000, 1000000,
	} },
};

const struct workload *workload_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	return NULL;
}

uint32_t workload_bytes(const struct workload *w, double u)
{
	int hi = 1;
	double share;

	while (hi < POINTS - 1 && fraction[hi] <= u)
		hi++;
	share = (u - fraction[hi - 1]) / (fraction[hi] - fraction[hi - 1]);
	return lround(w->bytes[hi - 1] + share * ((double)w->bytes[hi] - w->bytes[hi - 1]));
}

static double frame(uint32_t payload)
{
	return fmax(HEADERS + payload, FRAME_MIN) + FRAMING;
}

double wire_bytes(uint32_t message)
{
	uint32_t rest = message % SEGMENT;

	return message / SEGMENT * frame(SEGMENT) + (rest ? frame(rest) : 0);
}

double workload_mean(const struct workload *w)
{
	double sum = 0;
	int i;

	for (i = 0; i < STEPS; i++)
		sum += workload_bytes(w, (i + 0.5) / STEPS);
	return sum / STEPS;
}

double workload_mean_wire(const struct workload *w)
{
	double sum = 0;
	int i;

	for (i = 0; i < STEPS; i++)
		sum += wire_bytes(workload_bytes(w, (i + 0.5) / STEPS));
	return sum / STEPS;
}
