/* Whatever a milter says: the client takes it or refuses it, and what it gives points into what
 * came. */
#include "lib/core/err.h"
#include "lib/core/milter_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct slice part, struct slice whole)
{
    if (part.len > 0)
        TG_ASSERT(part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_answer(const struct milter_client *c, const struct milter_answer *a,
                         struct slice in)
{
    check_within(a->name, in);
    check_within(a->value, in);
    check_within(a->params, in);
    check_within(a->text, (struct slice){c->text, sizeof c->text});
    TG_ASSERT(a->kind != MILTER_PROGRESS && a->kind != MILTER_SKIP);
    TG_ASSERT(a->is_final == !c->is_waiting);
    if (a->kind == MILTER_REPLY_CODE)
        TG_ASSERT(a->code >= 400 && a->code <= 599 && a->text.len >= 4);
}

static bool send_event(struct milter_client *c, uint8_t which)
{
    struct milter_peer peer = {SLICE("h"), '4', 25, SLICE("192.0.2.1")};

    switch (which % 8) {
    case 0:
        return milter_client_connect(c, &peer);
    case 1:
        return milter_client_helo(c, SLICE("h"));
    case 2:
        return milter_client_mail(c, SLICE("<>"), NULL, 0);
    case 3:
        return milter_client_rcpt(c, SLICE("<a@b>"), NULL, 0);
    case 4:
        return milter_client_header(c, SLICE("A"), SLICE(" b\r\n c"));
    case 5:
        return milter_client_body(c, SLICE("x\r\n"));
    case 6:
        return milter_client_unknown(c, SLICE("XYZ"));
    default:
        return milter_client_eom(c);
    }
}

/* The first byte is taken for events, three bits each; the rest is what the milter says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice whole = {(const char *)data, size}, in = slice_from(whole, 1);
    struct milter_client c;
    struct milter_answer a;
    uint8_t which = size > 0 ? data[0] : 0;

    milter_client_init(&c);
    (void)milter_client_offer(&c);
    for (int turn = 0; turn < 1000; turn++) {
        enum milter_take got = milter_client_take(&c, &in, &a);

        if (got != MILTER_TAKE_ANSWER) {
            TG_ASSERT((got == MILTER_TAKE_BAD) == (c.problem != NULL));
            break;
        }
        check_answer(&c, &a, whole);
        buf_reset(&c.out);
        if (a.is_final && !send_event(&c, which++))
            break;
    }
    milter_client_fini(&c);
    return 0;
}
