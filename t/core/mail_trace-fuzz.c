/* Any bytes as a trace: refused, or the same events once written and read again. */
#include <stdint.h>

#include "lib/core/err.h"
#include "lib/core/mail_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy(struct mail_trace_reader *r, struct mail_trace *t)
{
    struct mail_event e;

    while (mail_trace_next(r, &e, NULL) == 1)
        mail_trace_add(t, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mail_trace_reader r;
    struct mail_trace_head head, again;
    struct mail_trace t, u;
    struct buf b;

    mail_trace_init(&t);
    mail_trace_init(&u);
    buf_init(&b, MAIL_TRACE_BYTES + 4096);
    if (mail_trace_open(&r, (struct slice){(const char *)data, size}, &head, NULL) == 0) {
        copy(&r, &t);
        mail_trace_encode(&t, &head, &b);
        TG_ASSERT(!b.failed && mail_trace_open(&r, buf_slice(&b), &again, NULL) == 0);
        TG_ASSERT(again.count == t.count);
        copy(&r, &u);
        TG_ASSERT(u.count == t.count && u.left_out == 0 && r.left == 0);
        TG_ASSERT(slice_equal(buf_slice(&t.events), buf_slice(&u.events)));
    }
    buf_fini(&b);
    mail_trace_fini(&t);
    mail_trace_fini(&u);
    return 0;
}
