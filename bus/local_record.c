#include "bus/local_record.h"

void local_record_put(struct buf *out, const struct local_record *record)
{
	buf_u64(out, (uint64_t)record->time_ns);
	buf_u32(out, (uint32_t)record->key.len);
	buf_str_put(out, record->key);
	buf_str_put(out, record->value);
}

bool local_record_parse(struct str row, struct local_record *ret)
{
	uint32_t key_len;

	if (row.len < LOCAL_RECORD_HEAD)
		return false;
	key_len = get_u32(row.ptr + 8);
	if (key_len > row.len - LOCAL_RECORD_HEAD)
		return false;
	ret->time_ns = (int64_t)get_u64(row.ptr);
	ret->key = str_slice(row, LOCAL_RECORD_HEAD, LOCAL_RECORD_HEAD + key_len);
	ret->value = str_slice(row, LOCAL_RECORD_HEAD + key_len, row.len);
	return true;
}
