#include "sigma/needle.h"

#include "base/cpu.h"

#if CPU_HAS_V3
#include <immintrin.h>

CPU_V3_CODE static inline uint32_t equal32(const char *at, __m256i byte)
{
	__m256i text = _mm256_loadu_si256((const __m256i *)(const void *)at);

	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, byte));
}

/*
 * 32 places at a time: where the first byte and the last one are right, the rest is compared. The
 * needle has at least one byte and at most as many as the text.
 */
CPU_V3_CODE static bool needle_find_v3(struct str text, struct str needle)
{
	const __m256i first = _mm256_set1_epi8(needle.ptr[0]);
	const __m256i last = _mm256_set1_epi8(needle.ptr[needle.len - 1]);
	size_t places = text.len - needle.len + 1;

	for (size_t at = 0; at < places; at += 32) {
		const char *from = text.ptr + at;
		uint32_t found = equal32(from, first) & equal32(from + needle.len - 1, last);

		if (places - at < 32)
			found &= (UINT32_C(1) << (places - at)) - 1;
		for (; found != 0; found &= found - 1) {
			if (memcmp(from + __builtin_ctz(found), needle.ptr, needle.len) == 0)
				return true;
		}
	}
	return false;
}
#endif

bool needle_in_padded(struct str text, struct str needle)
{
	if (needle.len == 0 || needle.len > text.len)
		return needle.len == 0;
#if CPU_HAS_V3
	if (cpu_level() == CPU_V3)
		return needle_find_v3(text, needle);
#endif
	return memmem(text.ptr, text.len, needle.ptr, needle.len) != NULL;
}
