// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_swx_ctl.h>

#include "l2.h"

void l2_init(struct l2 *l2)
{
	memset(l2, 0, sizeof(*l2));
	memset(l2->bucket, 0xff, sizeof(l2->bucket));
}

static int16_t *bucket_of(struct l2 *l2, const uint8_t mac[6])
{
	return &l2->bucket[(mac[3] * 7 + mac[4] * 3 + mac[5]) % L2_BUCKETS];
}

/* The link that points to this address's entry, or the last link of its bucket. */
static int16_t *find_link(struct l2 *l2, const uint8_t mac[6])
{
	int16_t *link = bucket_of(l2, mac);

	while (*link >= 0 && memcmp(l2->entry[*link].mac, mac, 6))
		link = &l2->entry[*link].next;
	return link;
}

void l2_seen(struct l2 *l2, const uint8_t mac[6], unsigned int port)
{
	static const uint8_t nobody[6];
	int16_t known = *find_link(l2, mac);
	struct l2_entry *e;

	if (known >= 0 && (l2->entry[known].fixed || l2->entry[known].port == port))
		return;
	if ((mac[0] & 1) || !memcmp(mac, nobody, 6) || l2->nr_news == L2_NEWS)
		return;
	for (unsigned int i = 0; i < l2->nr_news; i++)
		if (!memcmp(l2->news[i].mac, mac, 6))
			return;
	e = &l2->news[l2->nr_news++];
	memcpy(e->mac, mac, 6);
	e->port = port;
}

static int change_table(struct l2 *l2, const struct l2_entry *e, bool add)
{
	struct rte_swx_table_entry *entry;
	char text[80];
	int blank, ret;

	snprintf(text, sizeof(text), "match 0x%02x%02x%02x%02x%02x%02x action forward port 0x%x",
		 e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5], e->port);
	entry = rte_swx_ctl_pipeline_table_entry_read(l2->ctl, "l2", text, &blank);
	if (!entry)
		return -EIO;
	ret = add ? rte_swx_ctl_pipeline_table_entry_add(l2->ctl, "l2", entry) :
		    rte_swx_ctl_pipeline_table_entry_delete(l2->ctl, "l2", entry);
	free(entry->key);
	free(entry->action_data);
	free(entry);
	return ret ? -EIO : 0;
}

/* The last entry takes the freed one's place, so that there are no holes. */
static int drop_entry(struct l2 *l2, int16_t *link)
{
	int16_t gone = *link, last = l2->nr_entries - 1;
	int ret = change_table(l2, &l2->entry[gone], false);

	if (ret)
		return ret;
	*link = l2->entry[gone].next;
	if (gone != last) {
		*find_link(l2, l2->entry[last].mac) = gone;
		l2->entry[gone] = l2->entry[last];
	}
	l2->nr_entries--;
	return 0;
}

/* Makes room by forgetting learnt addresses in turn. */
static int make_room(struct l2 *l2)
{
	if (l2->nr_entries < L2_ENTRIES)
		return 0;
	for (unsigned int i = 0; i < L2_ENTRIES; i++) {
		const struct l2_entry *e;

		l2->oldest = (l2->oldest + 1) % L2_ENTRIES;
		e = &l2->entry[l2->oldest];
		if (!e->fixed)
			return drop_entry(l2, find_link(l2, e->mac));
	}
	return -ENOSPC;
}

static int put_entry(struct l2 *l2, const uint8_t mac[6], unsigned int port, bool fixed)
{
	struct l2_entry new = { .port = port, .fixed = fixed, .next = -1 };
	int16_t known = *find_link(l2, mac);
	int ret = known < 0 ? make_room(l2) : 0;

	memcpy(new.mac, mac, 6);
	ret = ret ?: change_table(l2, &new, true);
	if (ret)
		return ret;
	if (known < 0) {
		known = l2->nr_entries++;
		*find_link(l2, mac) = known;
	} else {
		new.next = l2->entry[known].next;
	}
	l2->entry[known] = new;
	return 0;
}

static int commit_table(struct l2 *l2)
{
	return rte_swx_ctl_pipeline_commit(l2->ctl, 1) ? -EIO : 0;
}

int l2_commit(struct l2 *l2)
{
	int ret = 0;

	for (unsigned int i = 0; i < l2->nr_news && !ret; i++)
		ret = put_entry(l2, l2->news[i].mac, l2->news[i].port, false);
	l2->nr_news = 0;
	return ret == -EIO ? ret : commit_table(l2);
}

int l2_add(struct l2 *l2, const uint8_t mac[6], unsigned int port)
{
	int ret = put_entry(l2, mac, port, true);

	return ret ?: commit_table(l2);
}

int l2_del(struct l2 *l2, const uint8_t mac[6])
{
	int16_t *link = find_link(l2, mac);

	if (*link < 0)
		return -ENOENT;
	return drop_entry(l2, link) ?: commit_table(l2);
}
