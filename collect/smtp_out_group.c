#include "collect/smtp_out_group.h"

#include <stdlib.h>

#include "collect/mail_codec.h"
#include "collect/mail_note.h"
#include "collect/refusal.h"
#include "lib/core/classify.h"

#define FLAG_RECIPIENT 1u
#define FLAG_WAITS     2u
#define FLAG_SENT      4u

struct smtp_out_group *smtp_out_group_new(void)
{
    return calloc(1, sizeof(struct smtp_out_group));
}

void smtp_out_group_release(void *thing)
{
    struct smtp_out_group *g = thing;

    if (g == NULL) /* moved */
        return;
    mail_codec_clear(&g->instance);
    mail_codec_clear(&g->id);
    mail_codec_clear(&g->relay);
    mail_codec_clear(&g->times);
    mail_codec_clear(&g->provider);
    mail_codec_clear(&g->domain);
    mail_codec_clear(&g->user);
    for (size_t i = 0; i < g->refusal_count; i++) {
        mail_codec_clear(&g->refusals[i].provider);
        mail_codec_clear(&g->refusals[i].relay);
        mail_codec_clear(&g->refusals[i].text);
    }
    free(g);
}

/* --- in collect.db ---------------------------------------------------------------------------- */

void smtp_out_group_encode(const void *thing, struct buf *out)
{
    const struct smtp_out_group *g = thing;

    mail_codec_text(out, g->instance);
    mail_codec_text(out, g->id);
    mail_codec_text(out, g->relay);
    mail_codec_text(out, g->times);
    buf_add_varint(out, g->conn_use);
    mail_codec_text(out, g->provider);
    mail_codec_text(out, g->domain);
    mail_codec_text(out, g->user);
    buf_add_varint(out, (g->has_recipient ? FLAG_RECIPIENT : 0) | (g->waits ? FLAG_WAITS : 0) |
                            (g->has_sent ? FLAG_SENT : 0));
    buf_add_varint(out, g->source);
    mail_codec_int(out, g->last_ms);
    buf_add_varint(out, g->connecting_ms);
    buf_add_varint(out, g->sending_ms);
    buf_add_varint(out, g->counted);
    buf_add_varint(out, g->charge_count);
    for (size_t i = 0; i < g->charge_count; i++) {
        mail_codec_int(out, g->charges[i].time_ms);
        mail_codec_text(out, slice_str(counter_table[g->charges[i].id].name));
        buf_add_varint(out, g->charges[i].amount);
    }
    buf_add_varint(out, g->refusal_count);
    for (size_t i = 0; i < g->refusal_count; i++) {
        mail_codec_int(out, g->refusals[i].time_ms);
        buf_add_varint(out, g->refusals[i].is_greeting);
        mail_codec_text(out, g->refusals[i].provider);
        mail_codec_text(out, g->refusals[i].relay);
        mail_codec_text(out, g->refusals[i].text);
    }
}

static unsigned once_bit(enum counter id)
{
    return 1u << (id - COUNTER_SMTP_OUT_CONNECTIONS);
}

static bool charge_take(struct slice *s, struct smtp_out_charge *c)
{
    struct slice name;
    int id;

    if (!mail_codec_take_int(s, &c->time_ms) || !mail_codec_take_text(s, &name) ||
        !slice_take_varint(s, &c->amount))
        return false;
    id = counter_find(name);
    c->id = (enum counter)id;
    return id >= COUNTER_SMTP_OUT_CONNECTIONS && id <= COUNTER_SMTP_OUT_SENT_BYTES;
}

static bool charges_take(struct slice *s, struct smtp_out_group *g)
{
    uint64_t count;

    if (!slice_take_varint(s, &count) || count > SMTP_OUT_GROUP_CHARGES)
        return false;
    for (; g->charge_count < count; g->charge_count++) {
        if (!charge_take(s, &g->charges[g->charge_count]))
            return false;
    }
    return true;
}

static bool refusals_take(struct slice *s, struct smtp_out_group *g)
{
    uint64_t count, is_greeting;

    if (!slice_take_varint(s, &count) || count > SMTP_OUT_GROUP_REFUSALS)
        return false;
    while (g->refusal_count < count) {
        struct smtp_out_refusal *r = &g->refusals[g->refusal_count++];

        if (!mail_codec_take_int(s, &r->time_ms) || !slice_take_varint(s, &is_greeting) ||
            !mail_codec_take_own(s, &r->provider) || !mail_codec_take_own(s, &r->relay) ||
            !mail_codec_take_own(s, &r->text))
            return false;
        r->is_greeting = is_greeting != 0;
    }
    return true;
}

static bool group_take(struct slice *s, struct smtp_out_group *g)
{
    unsigned flags;

    if (!mail_codec_take_own(s, &g->instance) || !mail_codec_take_own(s, &g->id) ||
        !mail_codec_take_own(s, &g->relay) || !mail_codec_take_own(s, &g->times) ||
        !slice_take_varint(s, &g->conn_use) || !mail_codec_take_own(s, &g->provider) ||
        !mail_codec_take_own(s, &g->domain) || !mail_codec_take_own(s, &g->user) ||
        !mail_codec_take_flags(s, &flags) || !mail_codec_take_flags(s, &g->source) ||
        !mail_codec_take_int(s, &g->last_ms) || !slice_take_varint(s, &g->connecting_ms) ||
        !slice_take_varint(s, &g->sending_ms) || !mail_codec_take_flags(s, &g->counted) ||
        !charges_take(s, g) || !refusals_take(s, g))
        return false;
    g->has_recipient = (flags & FLAG_RECIPIENT) != 0;
    g->waits = (flags & FLAG_WAITS) != 0;
    g->has_sent = (flags & FLAG_SENT) != 0;
    return s->len == 0;
}

void *smtp_out_group_decode(struct slice bytes)
{
    struct smtp_out_group *g = smtp_out_group_new();

    if (g == NULL || group_take(&bytes, g))
        return g;
    smtp_out_group_release(g);
    return NULL;
}

/* --- what is noted ---------------------------------------------------------------------------- */

void smtp_out_group_add(struct smtp_out_group *g, int64_t time_ms, enum counter id, uint64_t amount)
{
    /* There is room for one of each counter beside those that came first. */
    bool is_full = g->charge_count >= SMTP_OUT_GROUP_CHARGES - SMTP_OUT_GROUP_KINDS;

    for (size_t i = g->charge_count; is_full && i-- > 0;) {
        if (g->charges[i].id == id) {
            g->charges[i].amount += amount;
            return;
        }
    }
    g->charges[g->charge_count++] = (struct smtp_out_charge){time_ms, id, amount};
}

void smtp_out_group_once(struct smtp_out_group *g, int64_t time_ms, enum counter id)
{
    if ((g->counted & once_bit(id)) != 0)
        return;
    g->counted |= once_bit(id);
    smtp_out_group_add(g, time_ms, id, 1);
}

void smtp_out_group_refuse(struct smtp_out_group *g, const struct smtp_out_refusal *refusal)
{
    struct smtp_out_refusal *r;

    for (size_t i = 0; i < g->refusal_count; i++) {
        if (slice_equal(g->refusals[i].provider, refusal->provider) &&
            g->refusals[i].is_greeting == refusal->is_greeting)
            return;
    }
    if (g->refusal_count == SMTP_OUT_GROUP_REFUSALS)
        return;
    r = &g->refusals[g->refusal_count++];
    *r =
        (struct smtp_out_refusal){.time_ms = refusal->time_ms, .is_greeting = refusal->is_greeting};
    mail_codec_set(&r->provider, refusal->provider);
    mail_codec_set(&r->relay, refusal->relay);
    mail_codec_set(&r->text, slice_to(refusal->text, SMTP_OUT_GROUP_TEXT));
}

/* --- what is charged -------------------------------------------------------------------------- */

static void refusals_tell(struct machine *m, const struct smtp_out_group *g, struct slice domain)
{
    char room[REFUSAL_LIST_ROOM];

    for (size_t i = 0; i < g->refusal_count; i++) {
        const struct smtp_out_refusal *r = &g->refusals[i];

        m->sink->refusal(
            m->sink->to,
            &(struct refusal){.time_ms = r->time_ms,
                              .provider = r->provider.len > 0 ? r->provider : g->provider,
                              .relay = r->relay,
                              .list = refusal_list(r->text, room),
                              .text = r->text,
                              .domain = domain,
                              .is_greeting = r->is_greeting});
    }
}

void smtp_out_group_charge(struct machine *m, const struct smtp_out_group *g,
                           const struct payer *owner, uint64_t size)
{
    struct payer payer = *owner;
    uint64_t seconds;

    if (payer.domain.len == 0)
        payer = (struct payer){g->domain, g->user};
    refusals_tell(m, g, payer.domain);
    if (payer.domain.len == 0)
        payer.domain = SLICE(ACCOUNT_UNATTRIBUTED);
    for (size_t i = 0; i < g->charge_count; i++)
        m->sink->count(m->sink->to, g->charges[i].time_ms, &payer, g->charges[i].id,
                       g->charges[i].amount);
    if (g->has_sent && size > 0)
        m->sink->count(m->sink->to, g->last_ms, &payer, COUNTER_SMTP_OUT_SENT_BYTES, size);
    if (slice_equal(g->relay, SLICE("none"))) /* no server was reached */
        return;
    seconds = mail_note_seconds(m, payer.domain, g->connecting_ms + g->sending_ms, g->last_ms);
    if (seconds > 0)
        m->sink->count(m->sink->to, g->last_ms, &payer, COUNTER_SMTP_OUT_CONNECTION_SECONDS,
                       seconds);
}
