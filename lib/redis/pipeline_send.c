#include "lib/redis/pipeline_work.h"

#include <stdio.h>
#include <sys/epoll.h>

#define OUT_KEEP_BYTES ((size_t)1 << 20) /* what is unsent; beyond it the next trips wait */

static void sent_add(struct pipeline *p, struct pipeline_trip *t, size_t index, bool with_source,
                     int64_t now_ms)
{
    TG_ASSERT(p->under_way < PIPELINE_UNDER_WAY);
    *pipeline_sent_at(p, p->under_way++) = (struct pipeline_sent){t, index, now_ms, with_source};
}

/* NULL: too many different ones; the source goes each time. */
static const char *script_digest(struct pipeline *p, const struct script *script)
{
    struct known_script *known;

    for (size_t i = 0; i < p->script_count; i++)
        if (p->scripts[i].script == script)
            return p->scripts[i].sha1;
    if (p->script_count == STORE_SCRIPTS_MAX)
        return NULL;
    known = &p->scripts[p->script_count++];
    known->script = script;
    store_script_digest(script, known->sha1);
    return known->sha1;
}

static void script_add(struct pipeline *p, const struct pipeline_command *c, bool with_source)
{
    const char *digest = with_source ? NULL : script_digest(p, c->script);
    char keys[24];

    (void)snprintf(keys, sizeof keys, "%zu", c->keys);
    link_head_add(&p->out, c->argc + 3);
    link_word_add(&p->out, digest != NULL ? SLICE("EVALSHA") : SLICE("EVAL"));
    link_word_add(&p->out, slice_str(digest != NULL ? digest : c->script->source));
    link_word_add(&p->out, slice_str(keys));
}

void pipeline_command_add(struct pipeline *p, struct pipeline_trip *t, size_t index,
                          bool with_source, int64_t now_ms)
{
    const struct pipeline_command *c = &t->commands[index];

    if (c->script != NULL)
        script_add(p, c, with_source);
    else
        link_head_add(&p->out, c->argc);
    for (size_t i = 0; i < c->argc; i++)
        link_word_add(&p->out, c->argv[i]);
    sent_add(p, t, index, with_source, now_ms);
}

void pipeline_watch(struct pipeline *p, int operation)
{
    struct epoll_event e = {.events = p->is_writing ? EPOLLIN | EPOLLOUT : EPOLLIN,
                            .data.ptr = p->mark};

    if (epoll_ctl(p->epoll, operation, p->store->redis.transport.fd, &e) != 0)
        p->is_broken = true;
}

static void flush(struct pipeline *p)
{
    struct slice rest = slice_from(buf_slice(&p->out), p->out_sent);
    bool was_writing = p->is_writing;
    ptrdiff_t n = 0;
    struct err err;

    if (p->out.failed)
        p->is_broken = true;
    if (rest.len > 0 && !p->is_broken)
        n = transport_write(&p->store->redis.transport, rest.ptr, rest.len, &err);
    if (n < 0 || p->is_broken) {
        p->is_broken = true;
        return;
    }
    p->out_sent += (size_t)n;
    p->is_writing = p->out_sent < p->out.len;
    if (!p->is_writing) {
        if (p->out.room > OUT_KEEP_BYTES)
            buf_fini(&p->out);
        buf_reset(&p->out);
        p->out_sent = 0;
    }
    if (p->is_writing != was_writing)
        pipeline_watch(p, EPOLL_CTL_MOD);
}

/* As many of the waiting as there is room for. */
void pipeline_send(struct pipeline *p, int64_t now_ms)
{
    struct pipeline_trip *t;

    while ((t = p->first) != NULL && p->out.len - p->out_sent < OUT_KEEP_BYTES &&
           p->under_way + t->count <= PIPELINE_UNDER_WAY) {
        p->first = t->next;
        for (size_t i = 0; i < t->count; i++)
            pipeline_command_add(p, t, i, false, now_ms);
    }
    if (p->out.len > p->out_sent)
        flush(p);
}
