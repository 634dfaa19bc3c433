#include "collect/follow_buffer.h"

#include <stdlib.h>
#include <string.h>

void follow_buffer_fini(struct follow_buffer *b)
{
    free(b->bytes);
    b->bytes = NULL;
}

int follow_buffer_init(struct follow_buffer *b, size_t line_max)
{
    *b = (struct follow_buffer){.bytes = malloc(FOLLOW_BUFFER_SIZE), .line_max = line_max};
    return b->bytes != NULL ? 0 : -1;
}

void follow_buffer_begin(struct follow_buffer *b, uint64_t offset, struct slice tail)
{
    if (tail.len > 0)
        memcpy(b->bytes, tail.ptr, tail.len);
    b->start = b->end = b->scanned = tail.len;
    b->offset = offset;
    b->taken_out = b->nuls = 0;
}

void follow_buffer_skip(struct follow_buffer *b, size_t len)
{
    b->start += len;
    b->offset += len;
    if (b->scanned < b->start)
        b->scanned = b->start;
}

static bool skip_to_last_nul(struct follow_buffer *b, size_t len)
{
    const char *last = memrchr(b->bytes + b->start, '\0', len);
    size_t count;

    if (last == NULL)
        return false;
    count = (size_t)(last - (b->bytes + b->start)) + 1;
    b->nuls += count;
    follow_buffer_skip(b, count);
    return true;
}

/* Keeps the beginning of a long line and its last bytes. */
static void take_out_middle(struct follow_buffer *b)
{
    char *kept = b->bytes + b->start + b->line_max;
    char *last = b->bytes + b->end - FOLLOW_TAIL_MAX;

    memmove(kept, last, FOLLOW_TAIL_MAX);
    b->taken_out += (uint64_t)(last - kept);
    b->end = b->scanned = b->start + b->line_max + FOLLOW_TAIL_MAX;
}

char *follow_buffer_room(struct follow_buffer *b, size_t *len)
{
    size_t before = b->start < FOLLOW_TAIL_MAX ? b->start : FOLLOW_TAIL_MAX;
    size_t gone = b->start - before;

    if (gone > 0) {
        memmove(b->bytes, b->bytes + gone, b->end - gone);
        b->start -= gone;
        b->end -= gone;
        b->scanned -= gone;
    }
    if (b->end == FOLLOW_BUFFER_SIZE) {
        if (b->taken_out == 0 && skip_to_last_nul(b, b->end - b->start))
            return follow_buffer_room(b, len);
        take_out_middle(b);
    }
    *len = FOLLOW_BUFFER_SIZE - b->end;
    return b->bytes + b->end;
}

void follow_buffer_added(struct follow_buffer *b, size_t len)
{
    b->end += len;
}

static void skip_first_nuls(struct follow_buffer *b)
{
    size_t count = 0;

    while (b->start + count < b->end && b->bytes[b->start + count] == '\0')
        count++;
    b->nuls += count;
    follow_buffer_skip(b, count);
}

enum follow_cut follow_buffer_cut_nuls(struct follow_buffer *b, uint64_t *nuls)
{
    *nuls = b->nuls;
    b->nuls = 0;
    return *nuls > 0 ? FOLLOW_CUT_NULS : FOLLOW_CUT_NOTHING;
}

static struct slice limited(const struct follow_buffer *b, size_t len)
{
    return slice_to((struct slice){b->bytes + b->start, len}, b->line_max);
}

enum follow_cut follow_buffer_cut(struct follow_buffer *b, struct slice *line, uint64_t *nuls)
{
    const char *end;
    size_t len;

    if (b->taken_out == 0)
        skip_first_nuls(b);
    if (b->start == b->end)
        return FOLLOW_CUT_NOTHING;
    end = memchr(b->bytes + b->scanned, '\n', b->end - b->scanned);
    if (end == NULL) {
        b->scanned = b->end;
        return follow_buffer_cut_nuls(b, nuls);
    }
    len = (size_t)(end - (b->bytes + b->start));
    if (b->taken_out == 0 && skip_to_last_nul(b, len)) {
        len = (size_t)(end - (b->bytes + b->start));
        follow_buffer_skip(b, len == 0 ? 1 : 0);
    }
    if (b->nuls > 0)
        return follow_buffer_cut_nuls(b, nuls);
    *line = limited(b, len);
    b->offset += b->taken_out;
    b->taken_out = 0;
    follow_buffer_skip(b, len + 1);
    return FOLLOW_CUT_LINE;
}

bool follow_buffer_has_part(const struct follow_buffer *b)
{
    return b->start < b->end;
}

enum follow_cut follow_buffer_cut_rest(struct follow_buffer *b, struct slice *line)
{
    if (!follow_buffer_has_part(b))
        return FOLLOW_CUT_NOTHING;
    *line = limited(b, b->end - b->start);
    b->offset += b->taken_out;
    b->taken_out = 0;
    follow_buffer_skip(b, b->end - b->start);
    return FOLLOW_CUT_LINE;
}

uint64_t follow_buffer_read_offset(const struct follow_buffer *b)
{
    return b->offset + b->taken_out + (b->end - b->start);
}

static struct slice before(const struct follow_buffer *b, size_t at)
{
    size_t len = at < FOLLOW_TAIL_MAX ? at : FOLLOW_TAIL_MAX;

    return (struct slice){b->bytes + at - len, len};
}

struct slice follow_buffer_tail(const struct follow_buffer *b)
{
    return before(b, b->start);
}

struct slice follow_buffer_last(const struct follow_buffer *b)
{
    return before(b, b->end);
}
