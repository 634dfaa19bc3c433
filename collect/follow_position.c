#include <string.h>
#include <sysexits.h>

#include "collect/follow.h"

#define VERSION 1

/* The numbers in the order of their encoding. */
#define NUMBERS 11

static void numbers_of(const struct follow_position *p, uint64_t numbers[NUMBERS])
{
    const uint64_t all[NUMBERS] = {p->dev,
                                   p->inode,
                                   p->offset,
                                   p->head_len,
                                   p->head_crc,
                                   p->tail_len,
                                   p->tail_crc,
                                   (uint64_t)p->written_ns,
                                   (uint64_t)p->entry_us,
                                   (uint64_t)p->birth_ns,
                                   p->is_copy};

    memcpy(numbers, all, sizeof all);
}

void follow_position_encode(const struct follow_position *p, struct buf *out)
{
    uint64_t numbers[NUMBERS];

    numbers_of(p, numbers);
    buf_add_varint(out, VERSION);
    for (size_t i = 0; i < NUMBERS; i++)
        buf_add_varint(out, numbers[i]);
    buf_add_str(out, p->cursor);
}

int follow_position_decode(struct follow_position *p, struct slice bytes, struct err *err)
{
    uint64_t version, n[NUMBERS];
    bool good = slice_take_varint(&bytes, &version) && version == VERSION;

    for (size_t i = 0; i < NUMBERS; i++)
        good = good && slice_take_varint(&bytes, &n[i]);
    if (!good || bytes.len >= sizeof p->cursor || slice_find(bytes, '\0') >= 0)
        return err_set(err, EX_DATAERR, "the position in the log is damaged or of a later version");
    *p = (struct follow_position){
        .dev = n[0],
        .inode = n[1],
        .offset = n[2],
        .head_len = (uint32_t)n[3],
        .head_crc = (uint32_t)n[4],
        .tail_len = (uint32_t)n[5],
        .tail_crc = (uint32_t)n[6],
        .written_ns = (int64_t)n[7],
        .entry_us = (int64_t)n[8],
        .birth_ns = (int64_t)n[9],
        .is_copy = n[10] != 0,
    };
    memcpy(p->cursor, bytes.ptr, bytes.len);
    return 0;
}
