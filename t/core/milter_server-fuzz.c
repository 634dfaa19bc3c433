/* Whatever an MTA says: it is taken or refused, in pieces as at once; what an event points to lies
 * in what came, and is a C string of the packet where libc is asked about it. */
#include "lib/core/err.h"
#include "lib/core/milter_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 100000 };

static void check_within(struct slice part, struct slice whole)
{
    if (part.len > 0)
        TG_ASSERT(part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* What was seen, as a number: the same bytes in other pieces must give the same. */
static uint64_t mix(uint64_t seen, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        seen = (seen ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return (seen ^ text.len) * 1099511628211u;
}

static uint64_t answer(struct milter_server *s, const struct milter_server_event *e,
                       struct buf *out, uint64_t seen)
{
    buf_reset(out);
    switch (e->what) {
    case MILTER_SERVER_NEGOTIATED:
        milter_server_agree(s, out);
        break;
    case MILTER_SERVER_ABORT:
    case MILTER_SERVER_NEXT:
        break;
    case MILTER_SERVER_RCPT:
        milter_server_answer(s, out, MILTER_REPLY_CODE, SLICE("451 4.7.1 later"));
        break;
    default:
        milter_server_answer(s, out, e->text.len % 5 == 4 ? MILTER_TEMPFAIL : MILTER_CONTINUE,
                             SLICE_NONE);
    }
    TG_ASSERT(!out->failed);
    seen = mix(seen, buf_slice(out));
    seen = mix(seen, milter_macro_store_get(&s->macros, MILTER_MACRO_QUEUE_ID));
    return mix(seen, milter_macro_store_get(&s->macros, MILTER_MACRO_RCPT_ADDR));
}

/* Gives the bytes in pieces of `step`; what is not taken is given again with the next piece. */
static uint64_t play(struct slice whole, size_t step)
{
    struct milter_server s;
    struct milter_server_event e = {.what = MILTER_SERVER_MORE};
    struct buf out;
    uint64_t seen = 14695981039346656037u;
    size_t from = 0, to = 0;

    milter_server_init(&s);
    buf_init(&out, 4096);
    for (int turn = 0; turn < TURNS; turn++) {
        struct slice in = {whole.ptr + from, to - from};

        milter_server_take(&s, &in, &e);
        TG_ASSERT(in.len <= to - from);
        from = to - in.len;
        check_within(e.text, whole);
        check_within(e.value, whole);
        if (e.what == MILTER_SERVER_MORE && to == whole.len)
            break;
        if (e.what == MILTER_SERVER_MORE) {
            to = to + step < whole.len ? to + step : whole.len;
            continue;
        }
        seen = mix(seen, (struct slice){(const char *)&e.what, sizeof e.what});
        seen = mix(mix(seen, e.text), e.value) + e.bytes + e.aborts;
        if (e.what == MILTER_SERVER_BAD || e.what == MILTER_SERVER_QUIT) {
            TG_ASSERT((e.what == MILTER_SERVER_BAD) == (e.problem != NULL));
            break;
        }
        seen = answer(&s, &e, &out, seen);
    }
    buf_fini(&out);
    milter_server_fini(&s);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice whole = {(const char *)data, size};
    uint64_t at_once = play(whole, size + 1);

    TG_ASSERT(play(whole, 1) == at_once);
    TG_ASSERT(play(whole, 7) == at_once);
    return 0;
}
