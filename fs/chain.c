/* Hash chains with links inside the entries. */
#include "fs/chain.h"

#include <errno.h>

#define SLOTS_MIN 64 /* a power of two */

void chains_done(struct chains *chains)
{
	free(chains->slots);
	*chains = (struct chains){ 0 };
}

static int resize(struct chains *chains, size_t n_slots)
{
	struct chain_link **slots = calloc(n_slots, sizeof(struct chain_link *));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < chains->n_slots; i++) {
		struct chain_link *link = chains->slots[i];

		while (link) {
			struct chain_link *next = link->next;
			struct chain_link **slot = &slots[link->hash & (n_slots - 1)];

			link->next = *slot;
			*slot = link;
			link = next;
		}
	}
	free(chains->slots);
	chains->slots = slots;
	chains->n_slots = n_slots;
	return 0;
}

int chains_reserve(struct chains *chains)
{
	if (chains->n_used < chains->n_slots)
		return 0;
	return resize(chains, chains->n_slots ? chains->n_slots * 2 : SLOTS_MIN);
}

void chains_shrink(struct chains *chains)
{
	size_t n_slots = SLOTS_MIN;

	while (n_slots < chains->n_used * 2)
		n_slots *= 2;
	/* without memory for it the table stays as it is */
	if (n_slots < chains->n_slots)
		(void)resize(chains, n_slots);
}

void chains_add(struct chains *chains, struct chain_link *link, uint64_t hash)
{
	struct chain_link **slot = &chains->slots[hash & (chains->n_slots - 1)];

	link->hash = hash;
	link->next = *slot;
	*slot = link;
	chains->n_used++;
}

void chains_remove(struct chains *chains, struct chain_link *link)
{
	struct chain_link **at = &chains->slots[link->hash & (chains->n_slots - 1)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->next = NULL;
	chains->n_used--;
}

static struct chain_link *same_hash(struct chain_link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct chain_link *chains_first(const struct chains *chains, uint64_t hash)
{
	if (!chains->n_slots)
		return NULL;
	return same_hash(chains->slots[hash & (chains->n_slots - 1)], hash);
}

struct chain_link *chains_next(const struct chain_link *link)
{
	return same_hash(link->next, link->hash);
}
