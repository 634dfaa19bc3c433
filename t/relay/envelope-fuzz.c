/* Queue files of any bytes; what can be read is written again as it was. */
#include "lib/core/err.h"
#include "relay/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct envelope *e, struct arena *arena)
{
    struct envelope again;
    struct slice rest;
    struct buf b;

    buf_init(&b, (size_t)1 << 22);
    envelope_format(e, &b);
    TG_ASSERT(!b.failed && envelope_parse(buf_slice(&b), arena, &again, &rest, NULL) == 0);
    TG_ASSERT(rest.len == 0 && again.recipient_count == e->recipient_count);
    TG_ASSERT(again.sender.len == e->sender.len && again.created_ms == e->created_ms);
    TG_ASSERT(again.text_bytes == e->text_bytes && again.smtputf8 == e->smtputf8);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest;
    struct envelope e;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 24);
    if (envelope_parse((struct slice){(const char *)data, size}, &arena, &e, &rest, NULL) == 0) {
        check_again(&e, &arena);
        envelope_replay(&e, &arena, rest);
        TG_ASSERT(envelope_count(&e, RECIPIENT_PENDING) + envelope_count(&e, RECIPIENT_DONE) +
                      envelope_count(&e, RECIPIENT_FAILED) +
                      envelope_count(&e, RECIPIENT_BOUNCED) ==
                  e.recipient_count);
    }
    arena_fini(&arena);
    return 0;
}
