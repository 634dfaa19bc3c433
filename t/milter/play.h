#ifndef TG_T_MILTER_PLAY_H
#define TG_T_MILTER_PLAY_H

/*
 * A session and who plays the engine to it: sends events, brings answers, takes records down.
 * Include t/tap.h first. Strings are C strings; "" of a macro is one that was said to be empty,
 * NULL one that was not said.
 */

#include "lib/core/record.h"
#include "milter/session.h"
#include "t/vectors.h"

struct play {
    struct session *session;
    struct hosted *hosted;
    const struct vectors *vectors; /* who answers; NULL: nothing is known */
    bool sources_down, journal_full, throttle_down, limits_too_large, observe;
    const struct limit *limits; /* of every domain; none: nothing is limited */
    size_t limit_count;
    uint64_t used; /* of each of their windows */
    unsigned looks;
    unsigned asked, held; /* rounds of questions; worlds that the session holds */
    struct buf written;   /* the last record */
    unsigned records;
    struct arena arena; /* of that record, decoded */
    struct record record;
    struct session_macros macros; /* of the next event */
};

static inline void play_init(struct play *p, struct hosted *hosted)
{
    memset(p, 0, sizeof *p);
    p->session = session_new((size_t)16 << 20);
    p->hosted = hosted;
    buf_init(&p->written, (size_t)16 << 20);
    arena_init(&p->arena, (size_t)64 << 20);
}

static inline void play_fini(struct play *p)
{
    session_free(p->session);
    buf_fini(&p->written);
    arena_fini(&p->arena);
}

static inline void play_release(void *owner)
{
    ((struct play *)owner)->held--;
}

static inline struct session_action play_connect(struct play *p, const char *host,
                                                 enum session_family family, uint16_t port,
                                                 const char *address)
{
    struct session_client c = {slice_str(host), family, port, slice_str(address)};

    return session_connect(p->session, &c, &p->macros);
}

static inline struct session_action play_mail(struct play *p, const char *path)
{
    struct session_world w = {p->hosted, play_release, p, p->limit_count > 0};

    p->held++;
    return session_mail(p->session, &w, slice_str(path), &p->macros);
}

static inline void play_header(struct play *p, const char *name, const char *value)
{
    session_header(p->session, slice_str(name), slice_str(value), 0);
}

static inline void play_answer(struct play *p, struct answers *answers)
{
    struct answer none = {.found = false};

    p->asked++;
    if (p->vectors != NULL) {
        vectors_answer(p->vectors, answers);
        return;
    }
    for (size_t i = 0; i < answers->open_count; i++)
        (void)answers_put(answers, answers->open[i].kind, answers->open[i].key, &none);
    answers_none_open(answers);
}

static inline void play_write(struct play *p, const struct record *r)
{
    struct err err;

    buf_reset(&p->written);
    arena_reset(&p->arena);
    record_encode(r, &p->written);
    if (record_decode(buf_slice(&p->written), &p->arena, &p->record, &err) != 0)
        printf("# a record that cannot be read back: %s\n", err.text);
    else
        p->records++;
}

/* The throttle: each test of the limits stands at p->used. */
static inline int play_domain_limits(void *context, struct slice domain, struct arena *arena,
                                     struct limit_list *out, struct err *err)
{
    const struct play *p = context;

    (void)domain, (void)arena, (void)err;
    *out = (struct limit_list){p->limits, p->limit_count};
    return 0;
}

static inline struct limit_answer play_limit(struct play *p, const struct limit_question *q)
{
    struct limit_answer a = {.is_unknown = p->throttle_down, .is_too_large = p->limits_too_large};
    struct limit_source source = {.of_holder = play_domain_limits, .context = p};
    struct exemptions nobody = {.clients = {NULL, 0}};
    size_t at = 0;

    p->looks += q->is_look;
    if (limit_checks_build(q->classified, q->facts, q->hosted, &nobody, &source, q->arena,
                           &a.checks, NULL) != 0 ||
        a.checks.count == 0 || p->throttle_down)
        return a;
    a.tests = arena_array(q->arena, a.checks.test_count, sizeof *a.tests);
    for (size_t i = 0; i < a.checks.count; i++)
        for (size_t t = 0; t < a.checks.list[i].test_count; t++)
            a.tests[at++] = (struct test_answer){.used = p->used,
                                                 .over = p->used + a.checks.list[i].amount >
                                                         a.checks.list[i].tests[t]->max,
                                                 .crossing = true,
                                                 .retry_after_ms = 720000};
    for (size_t i = 0; i < at; i++)
        a.tests[i].crossing = a.tests[i].over;
    a.verdict = limit_checks_decide(&a.checks, a.tests, p->observe);
    return a;
}

static inline struct session_action play_settle(struct play *p, struct session_action a)
{
    while (a.what == SESSION_ASK || a.what == SESSION_COMMIT || a.what == SESSION_LIMIT) {
        if (a.what == SESSION_LIMIT) {
            struct limit_answer answer = play_limit(p, a.limits);

            a = session_limited(p->session, &answer);
        } else if (a.what == SESSION_ASK) {
            if (!p->sources_down)
                play_answer(p, a.answers);
            a = session_answered(p->session, !p->sources_down);
        } else {
            if (!p->journal_full)
                play_write(p, a.record);
            a = session_committed(p->session, !p->journal_full);
        }
    }
    return a;
}

static inline struct session_action play_rcpt(struct play *p, const char *path)
{
    return play_settle(p, session_rcpt(p->session, slice_str(path), &p->macros));
}

static inline struct session_action play_end(struct play *p)
{
    return play_settle(p, session_end(p->session, &p->macros));
}

/* A counter of an account, as the last record makes it. */
static inline uint64_t play_counter(const struct play *p, const char *account, enum counter which)
{
    struct tally t = {{0}};

    for (size_t i = 0; i < p->record.leg_count; i++) {
        const struct leg *leg = &p->record.legs[i];

        if (leg->user.len == 0 && slice_equal(leg->account, slice_str(account)))
            record_leg_count(&p->record, leg, &t);
    }
    for (size_t i = 0; i < p->record.amount_count; i++) {
        const struct amount *amount = &p->record.amounts[i];

        if (amount->user.len == 0 && slice_equal(amount->account, slice_str(account)))
            t.value[amount->counter] += amount->value;
    }
    return t.value[which];
}

#endif
