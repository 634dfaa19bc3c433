#include "lib/core/record.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* So many legs and copies are looked through; more get tables. Most messages have fewer, and take
 * no memory here. */
enum { FEW = 16 };

/* One sum in the making for each account and user of each kind. */
struct sums {
    struct strmap accounts, users; /* name -> its leg's index + 1 */
};

/* A leg's copies for one destination domain are one on the wire. */
struct copy {
    size_t leg; /* its index */
    struct slice domain;
};

struct record_build {
    const struct classified *c;
    enum out_bytes out_bytes;
    struct arena *arena;
    struct leg *legs; /* few_legs, or on the heap: growing in the arena takes it twice */
    size_t count, room;
    struct leg few_legs[FEW];
    struct sums sums[LEG_KINDS]; /* of more than FEW legs */
    bool is_indexed;
    struct copy few_copies[FEW];
    size_t copy_count;
    struct strmap copies; /* of more than FEW: leg's index + destination domain */
    bool failed;
};

static const struct slice node = {ACCOUNT_NODE, sizeof ACCOUNT_NODE - 1};

static bool legs_grow(struct record_build *b)
{
    size_t room = b->room * 2;
    bool were_few = b->legs == b->few_legs;
    struct leg *grown = realloc(were_few ? NULL : b->legs, room * sizeof *grown);

    if (grown == NULL) {
        b->failed = true;
        return false;
    }
    if (were_few)
        memcpy(grown, b->few_legs, b->count * sizeof *grown);
    b->legs = grown;
    b->room = room;
    return true;
}

static size_t leg_new(struct record_build *b, enum leg_kind kind, struct slice account,
                      struct slice user)
{
    if (b->count == b->room && !legs_grow(b))
        return 0;
    b->legs[b->count] = (struct leg){.kind = kind, .account = account, .user = user, .messages = 1};
    return ++b->count;
}

/* An address is a user of one account only; a name without a domain ("_srs") may be in several. */
static struct slice user_key(struct record_build *b, const struct leg *like)
{
    struct buf key;
    struct slice text;

    if (slice_find(like->user, '@') >= 0)
        return like->user;
    buf_init(&key, 1024);
    buf_add(&key, like->user);
    buf_add_char(&key, ' ');
    buf_add(&key, like->account);
    text = arena_copy(b->arena, buf_slice(&key));
    buf_fini(&key);
    return text;
}

/* Where the leg of that kind, account and user stands in the tables, added if need be; NULL when
 * memory is out. A kind, and within it a user's key, belong to one account only. */
static void **leg_entry(struct record_build *b, const struct leg *like)
{
    struct sums *sums = &b->sums[like->kind];
    void **entry = like->user.len == 0 ? strmap_add(&sums->accounts, like->account, NULL)
                                       : strmap_add(&sums->users, user_key(b, like), NULL);

    b->failed = b->failed || entry == NULL;
    return entry;
}

static bool legs_index(struct record_build *b)
{
    for (size_t i = 0; i < b->count && !b->is_indexed; i++) {
        void **entry = leg_entry(b, &b->legs[i]);

        if (entry == NULL)
            return false;
        *entry = (void *)(uintptr_t)(i + 1);
    }
    b->is_indexed = true;
    return true;
}

static size_t leg_look(const struct record_build *b, const struct leg *like)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct leg *leg = &b->legs[i];

        if (leg->kind == like->kind && slice_equal(leg->user, like->user) &&
            slice_equal(leg->account, like->account))
            return i + 1;
    }
    return 0;
}

/* The leg of that kind, account and user, made if need be; NULL when memory is out. */
static struct leg *leg_of(struct record_build *b, const struct leg *like)
{
    size_t at = 0;
    void **entry = NULL;

    if (b->count >= FEW) {
        entry = legs_index(b) ? leg_entry(b, like) : NULL;
        if (entry == NULL)
            return NULL;
        at = (size_t)(uintptr_t)*entry;
    } else {
        at = leg_look(b, like);
    }
    if (at == 0)
        at = leg_new(b, like->kind, like->account, like->user);
    if (entry != NULL)
        *entry = (void *)(uintptr_t)at;
    return at == 0 ? NULL : &b->legs[at - 1];
}

/* False: it is there. */
static bool copy_index(struct record_build *b, const struct copy *copy)
{
    uint32_t index = (uint32_t)copy->leg;
    char key[sizeof index + DOMAIN_MAX_BYTES];
    struct slice kept = {key, sizeof index + copy->domain.len};
    bool added = false;

    memcpy(key, &index, sizeof index);
    if (copy->domain.len > 0)
        memcpy(key + sizeof index, copy->domain.ptr, copy->domain.len);
    if (strmap_find(&b->copies, kept) != NULL)
        return false;
    kept = arena_copy(b->arena, kept);
    if (kept.ptr == NULL || strmap_add(&b->copies, kept, &added) == NULL)
        b->failed = true;
    return true;
}

/* Is this the first recipient of the leg in that domain? */
static bool copy_is_new(struct record_build *b, const struct leg *leg, struct slice domain)
{
    struct copy copy = {(size_t)(leg - b->legs), slice_to(domain, DOMAIN_MAX_BYTES)};

    if (b->copy_count > FEW)
        return copy_index(b, &copy);
    for (size_t i = 0; i < b->copy_count; i++) {
        if (b->few_copies[i].leg == copy.leg && slice_equal(b->few_copies[i].domain, copy.domain))
            return false;
    }
    if (b->copy_count < FEW) {
        b->few_copies[b->copy_count++] = copy;
        return true;
    }
    for (size_t i = 0; i < FEW; i++)
        (void)copy_index(b, &b->few_copies[i]);
    b->copy_count++;
    return copy_index(b, &copy);
}

static bool is_multiplied(enum leg_kind kind)
{
    return kind == LEG_OUT || kind == LEG_FORWARD;
}

static void leg_add(struct record_build *b, struct leg *leg, struct slice destination)
{
    bool counts = leg->recipients == 0;

    leg->recipients++;
    if (is_multiplied(leg->kind) && b->out_bytes == OUT_BYTES_RECIPIENT)
        counts = true;
    if (is_multiplied(leg->kind) && b->out_bytes == OUT_BYTES_DESTINATION)
        counts = copy_is_new(b, leg, destination);
    if (counts && __builtin_add_overflow(leg->bytes, b->c->bytes, &leg->bytes))
        leg->bytes = UINT64_MAX;
    if (b->c->is_bounce && (leg->kind == LEG_IN || leg->kind == LEG_LOCAL_RECEIVED))
        leg->bounces = 1;
}

/* One recipient of one kind, for the account and for its user. */
static void charge(struct record_build *b, const struct leg *like, struct slice destination,
                   bool users)
{
    struct leg account = *like, *leg;

    account.user = SLICE_NONE;
    leg = leg_of(b, &account);
    if (leg != NULL)
        leg_add(b, leg, destination);
    if (!users || like->user.len == 0 || b->failed)
        return;
    leg = leg_of(b, like);
    if (leg != NULL)
        leg_add(b, leg, destination);
}

static void decision_charge(struct record_build *b, const struct decision *d, bool users)
{
    static const enum leg_kind kinds[] = {[CLASS_IN] = LEG_IN,
                                          [CLASS_LOCAL] = LEG_LOCAL_SENT,
                                          [CLASS_OUT] = LEG_OUT,
                                          [CLASS_FORWARD] = LEG_FORWARD,
                                          [CLASS_RELAY] = LEG_RELAY};
    struct leg like = {.kind = kinds[d->class_], .account = d->account, .user = d->user};

    charge(b, &like, d->destination, users);
    if (d->class_ != CLASS_LOCAL || b->failed)
        return;
    like = (struct leg){
        .kind = LEG_LOCAL_RECEIVED, .account = d->received_account, .user = d->received_user};
    charge(b, &like, SLICE_NONE, users);
}

/* The node's legs: over the accounts' legs so far. */
static void node_charge(struct record_build *b)
{
    struct leg sum[LEG_KINDS] = {[LEG_MESSAGE] = {.messages = 1, .bytes = b->c->bytes}};

    for (size_t i = 0; i < b->count; i++) {
        const struct leg *leg = &b->legs[i];
        struct leg *s = &sum[leg->kind];

        if (leg->user.len > 0)
            continue;
        s->messages = 1;
        s->recipients += leg->recipients;
        s->bounces |= leg->bounces;
        if (!is_multiplied(leg->kind))
            s->bytes = leg->bytes;
        else if (__builtin_add_overflow(s->bytes, leg->bytes, &s->bytes))
            s->bytes = UINT64_MAX;
    }
    for (int kind = 0; kind < LEG_KINDS && !b->failed; kind++) {
        size_t at = sum[kind].messages == 0 ? 0 : leg_new(b, (enum leg_kind)kind, node, SLICE_NONE);

        if (at == 0)
            continue;
        sum[kind].kind = (enum leg_kind)kind;
        sum[kind].account = node;
        b->legs[at - 1] = sum[kind];
    }
}

/* Without the few legs and copies, which are written before they are read. */
static void build_init(struct record_build *b, const struct classified *c, enum out_bytes out_bytes,
                       struct arena *arena)
{
    b->c = c;
    b->out_bytes = out_bytes;
    b->arena = arena;
    b->legs = b->few_legs;
    b->room = FEW;
    b->count = b->copy_count = 0;
    b->failed = b->is_indexed = false;
    memset(b->sums, 0, sizeof b->sums);
    strmap_init(&b->copies);
}

static void build_fini(struct record_build *b)
{
    for (int kind = 0; kind < LEG_KINDS; kind++) {
        strmap_fini(&b->sums[kind].accounts);
        strmap_fini(&b->sums[kind].users);
    }
    strmap_fini(&b->copies);
    if (b->legs != b->few_legs)
        free(b->legs);
}

static struct leg *legs_keep(struct record_build *b)
{
    struct leg *kept = b->failed ? NULL : arena_array(b->arena, b->count, sizeof *kept);

    if (kept != NULL && b->count > 0)
        memcpy(kept, b->legs, b->count * sizeof *kept);
    return kept;
}

int record_build(const struct classified *c, const struct facts *f, enum out_bytes out_bytes,
                 bool users, struct slice queue_id, struct arena *arena, struct record *out,
                 struct err *err)
{
    struct record_build b;

    build_init(&b, c, out_bytes, arena);
    for (size_t i = 0; i < c->count && !b.failed; i++)
        decision_charge(&b, &c->decisions[i], users);
    node_charge(&b);
    *out = (struct record){.queue_id = queue_id,
                           .bytes = c->bytes,
                           .priority = c->priority,
                           .spam = c->spam,
                           .legs = legs_keep(&b),
                           .leg_count = b.count};
    build_fini(&b);
    if (out->legs == NULL)
        return err_set(err, EX_TEMPFAIL,
                       "message of %zu recipients: more than %zu bytes of charges",
                       f->recipient_count, arena->cap_bytes);
    return 0;
}

int record_amount_add(struct record *r, struct arena *arena, struct slice account,
                      struct slice user, enum counter counter, uint64_t value, struct err *err)
{
    struct amount *grown;

    if (value == 0)
        return 0;
    grown = arena_grow(arena, r->amounts, r->amount_count, &r->amount_room, sizeof *grown);
    if (grown == NULL)
        return err_set(err, EX_TEMPFAIL, "more than %zu bytes of amounts", arena->cap_bytes);
    r->amounts = grown;
    grown[r->amount_count++] = (struct amount){account, user, counter, value};
    return 0;
}
