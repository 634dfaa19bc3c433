#include "lib/read/read_stream.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/read/read_reply.h"

void read_stream_id_text(struct stream_id id, char text[READ_STREAM_ID_TEXT])
{
    (void)snprintf(text, READ_STREAM_ID_TEXT, "%" PRIu64 "-%" PRIu64, id.ms, id.sequence);
}

static bool id_parse(struct slice text, struct stream_id *id)
{
    struct slice ms, sequence = text;

    return slice_cut(&sequence, '-', &ms) && slice_number(ms, &id->ms) &&
           slice_number(sequence, &id->sequence);
}

struct stream_id read_stream_id_after(struct stream_id id)
{
    return id.sequence < UINT64_MAX ? (struct stream_id){id.ms, id.sequence + 1}
                                    : (struct stream_id){id.ms + 1, 0};
}

struct stream_id read_stream_id_before(struct stream_id id)
{
    return id.sequence > 0 ? (struct stream_id){id.ms, id.sequence - 1}
                           : (struct stream_id){id.ms - 1, UINT64_MAX};
}

bool read_stream_entry(const redisReply *reply, struct stream_id *id, const redisReply **fields)
{
    *id = (struct stream_id){0, 0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !id_parse(link_reply_text(reply->element[0]), id))
        return false;
    *fields = reply->element[1];
    return (*fields)->type == REDIS_REPLY_ARRAY;
}

int read_stream_page(struct reader *r, const char *command, struct slice key, struct slice from,
                     struct slice to, size_t count, redisReply **page, struct err *err)
{
    char number[24];

    (void)snprintf(number, sizeof number, "%zu", count);
    store_pipe_add(r->store, 6,
                   (const struct slice[]){slice_str(command), key, from, to, SLICE("COUNT"),
                                          slice_str(number)});
    if (read_trip(r, page, err) != 0)
        return -1;
    if (read_expect(r, *page, REDIS_REPLY_ARRAY, key, err) == 0)
        return 0;
    freeReplyObject(*page);
    return -1;
}
