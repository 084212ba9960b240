#include "correlator/batch.h"

uint32_t letter_owner(enum bus_topic topic, uint32_t partition)
{
	return (uint32_t)topic * BUS_PARTITIONS_MAX + partition;
}

void batch_begin(struct batch *batch, struct arena *arena, int64_t now_ns)
{
	arena_reset(arena);
	batch->arena = arena;
	batch->now_ns = now_ns;
	batch->first = NULL;
	batch->end = &batch->first;
	batch->count = 0;
}

static bool letter_post(struct batch *batch, uint32_t owner, enum bus_topic topic,
    uint32_t partition, struct str key, struct str value)
{
	struct letter *letter = arena_zalloc(batch->arena, sizeof(*letter));
	struct str key_copy = arena_dup(batch->arena, key);
	struct str value_copy = arena_dup(batch->arena, value);

	if (letter == NULL || arena_failed(batch->arena))
		return false;
	*letter = (struct letter){.owner = owner, .topic = topic, .key = key_copy,
	    .value = value_copy, .partition = partition};
	*batch->end = letter;
	batch->end = &letter->next;
	batch->count++;
	return true;
}

bool batch_post(struct batch *batch, uint32_t owner, enum bus_topic topic, struct str key,
    struct str value)
{
	return letter_post(batch, owner, topic, bus_partition_of(key, batch->partitions[topic]),
	    key, value);
}

bool batch_post_all(struct batch *batch, uint32_t owner, enum bus_topic topic, struct str value)
{
	bool done = true;

	for (uint32_t i = 0; done && i < batch->partitions[topic]; i++)
		done = letter_post(batch, owner, topic, i, STR_NONE, value);
	return done;
}
