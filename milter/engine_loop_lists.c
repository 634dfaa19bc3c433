#include <sys/epoll.h>

#include "milter/engine_loop.h"

/* What a loop does for its connections; it calls none of theirs. */

enum {
    HELD_BYTES = (2 << 20) + (1 << 17), /* the largest packet, and what was read behind it */
    SPARE_BYTES = 1 << 16,              /* a larger buffer is not kept */
};

int engine_loop_poll(struct engine_loop *l, int op, int fd, uint32_t events, void *what)
{
    struct epoll_event e = {.events = events, .data.ptr = what};

    return epoll_ctl(l->epoll, op, fd, &e);
}

void engine_loop_watch(struct engine_loop *l, struct engine_connection *c, bool writes)
{
    uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET | (writes ? EPOLLOUT : 0);

    (void)engine_loop_poll(l, EPOLL_CTL_MOD, c->fd, events, c);
}

void engine_loop_forget(struct engine_loop *l, struct engine_connection *c)
{
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, c->fd, NULL);
}

void engine_loop_ready(struct engine_loop *l, struct engine_connection *c)
{
    if (c->is_ready)
        return;
    c->is_ready = true;
    c->next_ready = l->ready;
    l->ready = c;
}

static void unready(struct engine_loop *l, struct engine_connection *c)
{
    struct engine_connection **at = &l->ready;

    while (*at != NULL && *at != c)
        at = &(*at)->next_ready;
    if (*at == c)
        *at = c->next_ready;
    c->is_ready = false;
}

/* It stays as it is until the turn is over: an event of it may lie in the same batch. */
void engine_loop_over(struct engine_loop *l, struct engine_connection *c)
{
    if (c->is_ready)
        unready(l, c);
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        l->connections = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    c->next = l->over;
    l->over = c;
    (void)atomic_fetch_sub(&l->shared->sessions, 1);
}

void engine_loop_buf_take(struct engine_loop *l, struct buf *b)
{
    if (b->data != NULL)
        return;
    if (l->spare_buf_count > 0)
        *b = l->spare_bufs[--l->spare_buf_count];
    b->cap_bytes = HELD_BYTES;
}

void engine_loop_buf_give(struct engine_loop *l, struct buf *b)
{
    buf_reset(b);
    if (b->data == NULL)
        return;
    if (b->room <= SPARE_BYTES && l->spare_buf_count < ENGINE_SPARES)
        l->spare_bufs[l->spare_buf_count++] = *b;
    else
        buf_fini(b);
    *b = (struct buf){.cap_bytes = HELD_BYTES};
}
