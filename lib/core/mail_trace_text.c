#include "lib/core/mail_trace_text.h"

#include "lib/core/format.h"

/* "WORDS VALUE" where there is a value; `first` without a comma before it. */
static void add_part(struct buf *b, const char *words, struct slice value)
{
    if (value.len == 0)
        return;
    buf_add_str(b, words);
    format_text(b, value);
}

static void add_delivery(struct buf *b, const struct mail_event *e)
{
    add_part(b, "to ", e->recipient);
    if (e->orig_to.len > 0 && !slice_equal(e->orig_to, e->recipient))
        add_part(b, " (was ", e->orig_to);
    if (e->orig_to.len > 0 && !slice_equal(e->orig_to, e->recipient))
        buf_add_char(b, ')');
    add_part(b, ": ", e->status);
    add_part(b, " by ", e->relay);
    add_part(b, ", dsn ", e->dsn);
    add_part(b, ", became ", e->other_id);
    add_part(b, ": ", e->text);
}

static void add_queued(struct buf *b, const struct mail_event *e)
{
    buf_add_str(b, "queued: from ");
    format_text(b, e->sender.len > 0 ? e->sender : SLICE("<>"));
    buf_add_str(b, ", ");
    format_count(b, e->size);
    buf_add_str(b, " bytes, ");
    format_count(b, e->nrcpt);
    buf_add_str(b, e->nrcpt == 1 ? " recipient" : " recipients");
}

void mail_trace_text(const struct mail_event *e, struct buf *b)
{
    if (e->kind == MAIL_DELIVERY) {
        add_delivery(b, e);
        return;
    }
    if (e->kind == MAIL_QUEUED) {
        add_queued(b, e);
        return;
    }
    buf_add_str(b, mail_trace_kind_name(e->kind));
    add_part(b, ": ", e->client);
    add_part(b, ", login ", e->login);
    add_part(b, ", sender ", e->sender);
    add_part(b, ", ", e->other_id);
    add_part(b, ": ", e->text);
}
