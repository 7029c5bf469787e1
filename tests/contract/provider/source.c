/* Content that follows from a seed and its offset. */
#include "tests/contract/provider/source.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9;
	x ^= x >> 27;
	x *= 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint8_t byte_at(const struct source *source, uint64_t offset)
{
	if (!source->seed || (offset >= source->zero_from && offset < source->zero_to))
		return 0;
	return (uint8_t)(mix(source->seed * 0x9e3779b97f4a7c15 + offset / 8) >>
			 offset % 8 * 8);
}

/* Byte by byte is right, and too slow for megabytes: whole words, whole stretches of zeros. */
static size_t fill(const struct source *source, uint8_t *data, size_t len,
		   uint64_t offset)
{
	bool is_zero = offset >= source->zero_from && offset < source->zero_to;
	uint64_t word;

	if (!source->seed || (is_zero && source->zero_to - offset > len)) {
		memset(data, 0, len);
		return len;
	}
	if (is_zero || offset % 8 || len < 8 ||
	    (offset < source->zero_from && source->zero_from - offset < 8)) {
		*data = byte_at(source, offset);
		return 1;
	}
	word = mix(source->seed * 0x9e3779b97f4a7c15 + offset / 8);
	for (int i = 0; i < 8; i++)
		data[i] = (uint8_t)(word >> i * 8);
	return 8;
}

void source_bytes(const struct source *source, void *data, size_t len, uint64_t offset)
{
	uint8_t *bytes = data;

	for (size_t done = 0; done < len;)
		done += fill(source, bytes + done, len - done, offset + done);
}

static bool is_of(const struct source *source, const uint8_t *data, size_t len,
		  uint64_t offset)
{
	uint8_t wanted[4096];

	for (size_t done = 0; done < len;) {
		size_t n = len - done < sizeof(wanted) ? len - done : sizeof(wanted);

		source_bytes(source, wanted, n, offset + done);
		if (memcmp(wanted, data + done, n) != 0)
			return false;
		done += n;
	}
	return true;
}

void source_digest(const struct source *source, struct digest *ret)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	char chunk[4096];

	if (hasher_new(&hasher) < 0)
		abort();
	for (uint64_t at = 0; at < source->size; at += sizeof(chunk)) {
		uint64_t left = source->size - at;
		size_t len = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);

		source_bytes(source, chunk, len, at);
		hasher_add(hasher, chunk, len);
	}
	hasher_take(hasher, ret);
}

static void call_hook(struct source *source)
{
	void (*hook)(void *) = source->hook;

	source->hook = NULL;
	if (hook)
		hook(source->hook_context);
}

ssize_t source_read(void *context, void *data, size_t len, uint64_t offset)
{
	struct source *source = context;
	uint64_t size = source->actual_size ? source->actual_size : source->size;

	if (offset + len > source->hook_at && source->hook_at != UINT64_MAX)
		call_hook(source);
	if (source->error && offset + len > source->fail_at)
		return source->error;
	if (offset >= size)
		return 0;
	if (len > size - offset)
		len = (size_t)(size - offset);
	if (source->most && len > source->most)
		len = source->most;
	source_bytes(source, data, len, offset);
	source->n_given += len;
	return (ssize_t)len;
}

bool source_is_same(void *context)
{
	struct source *source = context;

	if (source->hook_at == UINT64_MAX)
		call_hook(source);
	source->n_asked_same++;
	return !source->same_for || source->n_asked_same <= source->same_for;
}

int sink_take(void *context, const void *data, size_t len, uint64_t offset)
{
	struct sink *sink = context;

	if (offset != sink->next ||
	    (sink->wanted && !is_of(sink->wanted, data, len, offset)))
		sink->is_wrong = true;
	sink->next = offset + len;
	sink->n_taken += len;
	if (sink->hook && sink->n_taken > sink->hook_after) {
		void (*hook)(void *) = sink->hook;

		sink->hook = NULL;
		hook(sink->hook_context);
	}
	return sink->error && sink->n_taken > sink->fail_after ? sink->error : 0;
}
