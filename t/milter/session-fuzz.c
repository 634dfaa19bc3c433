/*
 * Random events in a random order: a session must neither crash nor use more than its memory, and
 * must have let go of every hosted in the end. A byte picks the event, the next ones its arguments.
 */
#include <stdlib.h>
#include <string.h>

#include "milter/session.h"

enum { CAP_BYTES = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
    struct slice in;
    struct session *session;
    struct session_action last;
    bool limited;
    int held;
};

static uint8_t take_byte(struct play *p)
{
    uint8_t b = p->in.len > 0 ? (uint8_t)p->in.ptr[0] : 0;

    p->in = slice_from(p->in, 1);
    return b;
}

/* Up to 255 bytes; ptr NULL (not said) for some. */
static struct slice take_text(struct play *p)
{
    size_t len = take_byte(p);
    struct slice text = slice_to(p->in, len);

    p->in = slice_from(p->in, len);
    return len == 255 ? SLICE_NONE : text;
}

static struct session_macros take_macros(struct play *p)
{
    struct session_macros m = {.queue_id = take_text(p), .auth_authen = take_text(p)};

    m.mail_addr = m.rcpt_addr = take_text(p);
    m.rcpt_mailer = take_text(p);
    m.rcpt_host = take_text(p);
    return m;
}

static void release(void *owner)
{
    ((struct play *)owner)->held--;
}

static struct hosted *hosted_make(void)
{
    struct hosted *w = hosted_new((size_t)1 << 20);
    struct err err;

    if (w == NULL || hosted_add_domain(w, SLICE("example.com"), SLICE_NONE, &err) != 0 ||
        hosted_add_forward(w, SLICE("f@example.com"), SLICE("g@example.com"), &err) != 0 ||
        hosted_add_forward(w, SLICE("f@example.com"), SLICE("x@y.test"), &err) != 0 ||
        hosted_add_network(w, &w->host, SLICE("127.0.0.0/8"), &err) != 0 ||
        hosted_set_spam_header(w, SLICE("X-Spam-Flag: YES"), &err) != 0)
        abort();
    return w;
}

static void connect_event(struct play *p)
{
    static const char *const versions[] = {"Postfix 3.7.11", "8.17.1.9", ""};
    static const char *const addresses[] = {"127.0.0.1", "203.0.113.9", "::1", ""};
    uint8_t how = take_byte(p);
    struct session_macros m = {.version = slice_str(versions[how % 3])};
    struct session_client c = {.host = (how & 64) != 0 ? SLICE("localhost") : take_text(p),
                               .family = (enum session_family)(how / 4 % 4),
                               .port = (how & 128) != 0 ? 0 : 25,
                               .address = slice_str(addresses[how / 16 % 4])};

    p->last = session_connect(p->session, &c, &m);
}

static void mail_event(struct play *p, const struct hosted *w)
{
    struct session_macros m = take_macros(p);
    struct session_world held = {w, release, p, p->limited};

    if (take_byte(p) % 16 == 0)
        held.hosted = NULL;
    p->held++;
    p->last = session_mail(p->session, &held, take_text(p), &m);
}

static void answer_all(struct play *p, struct answers *answers)
{
    struct slice target = take_text(p);

    for (size_t i = 0; i < answers->open_count; i++) {
        struct answer a = {.found = take_byte(p) % 2 == 0, .login = take_text(p)};

        a.targets = (struct forward_targets){&target, 1};
        if (answers_put(answers, answers->open[i].kind, answers->open[i].key, &a) != 0)
            break;
    }
    answers_none_open(answers);
}

static void end_event(struct play *p)
{
    struct session_macros m = take_macros(p);

    p->last = session_end(p->session, &m);
}

static const struct limit limits[] = {
    {.scope = LIMIT_DOMAIN,
     .metric = METRIC_RECIPIENTS,
     .max = 1,
     .window_ms = 1000,
     .per = {"1s", 2},
     .action = ACTION_DEFER},
    {.scope = LIMIT_USER,
     .metric = METRIC_BYTES,
     .max = 10,
     .window_ms = 1000,
     .per = {"1s", 2},
     .action = ACTION_HOLD},
    {.scope = LIMIT_DOMAIN,
     .metric = METRIC_BOUNCES,
     .max = 1,
     .per = {"month", 5},
     .action = ACTION_REJECT},
};

static int limits_of(void *context, struct slice domain, struct arena *arena,
                     struct limit_list *out, struct err *err)
{
    (void)context, (void)domain, (void)arena, (void)err;
    *out = (struct limit_list){limits, sizeof limits / sizeof *limits};
    return 0;
}

static struct limit_answer limit_answer(struct play *p, const struct limit_question *q)
{
    struct limit_source source = {.of_holder = limits_of, .context = NULL};
    struct exemptions nobody = {.clients = {NULL, 0}};
    struct limit_answer a = {.is_unknown = take_byte(p) % 8 == 0};

    if (limit_checks_build(q->classified, q->facts, q->hosted, &nobody, &source, q->arena,
                           &a.checks, NULL) != 0 ||
        a.is_unknown)
        return a;
    a.tests = arena_array(q->arena, a.checks.test_count + 1, sizeof *a.tests);
    for (size_t i = 0; a.tests != NULL && i < a.checks.test_count; i++)
        a.tests[i].over = a.tests[i].crossing = take_byte(p) % 2 == 0;
    if (a.tests != NULL)
        a.verdict = limit_checks_decide(&a.checks, a.tests, take_byte(p) % 4 == 0);
    return a;
}

/* The engine brings what was asked for, or an event comes in between. */
static void errand(struct play *p)
{
    uint8_t how = take_byte(p);

    if (p->last.what == SESSION_ASK) {
        if (how % 4 != 0)
            answer_all(p, p->last.answers);
        p->last = session_answered(p->session, how % 4 != 0);
    } else if (p->last.what == SESSION_LIMIT) {
        struct limit_answer a = limit_answer(p, p->last.limits);

        p->last = session_limited(p->session, &a);
    } else {
        p->last = session_committed(p->session, how % 2 == 0);
    }
}

static void event(struct play *p, const struct hosted *w)
{
    struct session_macros m;
    struct slice name;

    switch (take_byte(p) % 10) {
    case 0:
        connect_event(p);
        break;
    case 1:
        p->last = session_helo(p->session);
        break;
    case 2:
        mail_event(p, w);
        break;
    case 3:
    case 4:
        m = take_macros(p);
        p->last = session_rcpt(p->session, take_text(p), &m);
        break;
    case 5:
        name = take_text(p);
        session_header(p->session, name, take_text(p), take_byte(p) % 2);
        break;
    case 6:
        session_body(p->session, take_byte(p));
        break;
    case 7:
    case 8:
        end_event(p);
        break;
    default:
        session_abort(p->session);
        p->last = (struct session_action){.what = SESSION_CONTINUE};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play p = {.in = {(const char *)data, size}, .last = {.what = SESSION_CONTINUE}};
    struct hosted *w = hosted_make();
    uint8_t asked = take_byte(&p);

    w->domains_asked = (asked & 1) != 0;
    w->forwards_asked = (asked & 2) != 0;
    w->logins_asked = (asked & 4) != 0;
    w->popauth_asked = (asked & 8) != 0;
    p.limited = (asked & 16) != 0;
    p.session = session_new(CAP_BYTES);
    while (p.session != NULL && p.in.len > 0) {
        if (p.last.what == SESSION_ASK || p.last.what == SESSION_LIMIT ||
            p.last.what == SESSION_COMMIT)
            errand(&p);
        else
            event(&p, w);
        if (session_memory_bytes(p.session) > CAP_BYTES + (1 << 16))
            abort();
    }
    session_free(p.session);
    if (p.held != 0)
        abort();
    hosted_free(w);
    return 0;
}
