#include "correlator/sighting.h"

#include <stdlib.h>
#include <string.h>

struct sightings *sightings_new(uint32_t count)
{
	struct sightings *sightings =
	    calloc(1, sizeof(*sightings) + count * sizeof(sightings->list[0]));

	if (sightings != NULL)
		sightings->count = count;
	return sightings;
}

void sightings_free(struct sightings *sightings)
{
	if (sightings == NULL)
		return;
	for (uint32_t i = 0; i < sightings->count; i++)
		parts_release(sightings->list[i].parts);
	free(sightings);
}

int sighting_compare(const struct sighting *a, const struct sighting *b)
{
	if (a->part.time_ns != b->part.time_ns)
		return a->part.time_ns < b->part.time_ns ? -1 : 1;
	return coordinate_compare(a->part.at, b->part.at);
}

bool sighting_eq(const struct sighting *a, const struct sighting *b)
{
	return a->used && b->used && sighting_compare(a, b) == 0;
}

void sighting_set(struct sighting *to, const struct sighting *from)
{
	struct parts *parts = parts_share(from->parts);

	parts_release(to->parts);
	*to = *from;
	to->parts = parts;
	to->used = true;
}

void sighting_clear(struct sighting *sighting)
{
	parts_release(sighting->parts);
	*sighting = (struct sighting){.used = false};
}

struct parts *sightings_collect(const struct sighting *list, size_t count)
{
	size_t room = 0, made = 0;
	uint64_t cut = 0;

	for (size_t i = 0; i < count; i++)
		room += list[i].parts != NULL ? list[i].parts->count : 1;
	struct part *parts = calloc(room + 1, sizeof(*parts));

	for (size_t i = 0; parts != NULL && i < count; i++) {
		const struct parts *inner = list[i].parts;

		if (inner == NULL) {
			parts[made++] = list[i].part;
			continue;
		}
		memcpy(&parts[made], inner->list, inner->count * sizeof(*parts));
		made += inner->count;
		cut += inner->cut;
	}
	struct parts *ret = parts != NULL ? evidence_of(parts, made, cut) : NULL;

	free(parts);
	return ret;
}
