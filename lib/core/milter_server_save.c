#include "lib/core/milter_server_work.h"

enum { WORDS = 6 };

static bool restore_slice(struct slice *in, struct buf *text)
{
    struct slice got;

    if (!slice_take_text(in, &got))
        return false;
    buf_reset(text);
    buf_add(text, got);
    return !text->failed;
}

bool milter_server_save(const struct milter_server *s, struct buf *out)
{
    if (milter_server_in_mail(s) || s->command != '\0' || s->peer.failed)
        return false;
    buf_add_u32(out, s->version);
    buf_add_u32(out, s->actions);
    buf_add_u32(out, s->steps);
    buf_add_u32(out, s->offered);
    buf_add_u32(out, s->is_negotiated);
    buf_add_u32(out, s->state);
    buf_add_text(out, buf_slice(&s->peer));
    buf_add_text(out, buf_slice(&s->macros.kept));
    return !out->failed;
}

bool milter_server_restore(struct milter_server *s, struct slice *in)
{
    uint32_t word[WORDS];

    for (size_t i = 0; i < WORDS; i++) {
        if (!slice_take_u32(in, &word[i]))
            return false;
    }
    if (word[5] >= STATES || milter_server_is_mail(word[5]) || !restore_slice(in, &s->peer) ||
        !restore_slice(in, &s->macros.kept))
        return false;
    s->version = word[0];
    s->actions = word[1] & WANTED_ACTIONS;
    s->steps = word[2] & (WANTED_STEPS | ENVELOPE_STEPS);
    s->offered = word[3];
    s->is_negotiated = word[4] != 0;
    s->state = s->event = (unsigned char)word[5];
    return true;
}

bool milter_server_peer(const struct milter_server *s, struct milter_server_event *e)
{
    *e = (struct milter_server_event){.what = MILTER_SERVER_CONNECT};
    if (s->peer.len == 0)
        return false;
    milter_server_peer_take(buf_slice(&s->peer), e);
    return e->what == MILTER_SERVER_CONNECT;
}
