/* Classification with questions, with very many recipients, and in too little memory. */
#include "t/core/classify_fixture.h"

#include <sysexits.h>
#include <time.h>

#include "lib/core/record.h"

/* --- questions --- */

struct oracle {
    struct answers answers;
    size_t rounds, asked;
};

/* Everything under .hosted.test is hosted; f@ of it forwards to g@, which forwards outside; logins
 * are users there. */
static bool oracle_answer(struct oracle *o)
{
    o->rounds++;
    for (size_t i = 0; i < o->answers.open_count; i++) {
        const struct question *q = &o->answers.open[i];
        struct slice target = SLICE_NONE;
        struct answer a = {.found = false};

        o->asked++;
        if (q->kind == QUESTION_DOMAIN)
            a.found = slice_find(q->key, 'h') >= 0;
        if (q->kind == QUESTION_FORWARD && (q->key.ptr[0] == 'f' || q->key.ptr[0] == 'g')) {
            target = q->key.ptr[0] == 'f' ? SLICE("g@hosted.test") : SLICE("out@else.test");
            a = (struct answer){.found = true, .targets = {&target, 1}};
        }
        if (q->kind == QUESTION_LOGIN)
            a = (struct answer){.found = true, .login = SLICE("user@hosted.test")};
        if (q->kind == QUESTION_POPAUTH)
            a = (struct answer){.found = slice_equal(q->key, SLICE("192.0.2.77")),
                                .login = SLICE("jdoe")};
        if (answers_put(&o->answers, q->kind, q->key, &a) != 0)
            return false;
    }
    answers_none_open(&o->answers);
    return true;
}

static int ask_all(struct oracle *o, const struct facts *f, struct classified *got)
{
    int result;

    *o = (struct oracle){.rounds = 0};
    answers_init(&o->answers, &arena);
    while ((result = classify(f, w, &o->answers, &arena, got, NULL)) == 1 && o->rounds < 100 &&
           oracle_answer(o))
        ;
    answers_fini(&o->answers);
    return result;
}

static void test_asked(void)
{
    struct mail_case c = {
        .client = "192.0.2.77", .auth = "", .from = "", .header = "", .to = "f@hosted.test"};
    struct facts f;
    struct classified got;
    struct oracle o;

    w = hosted_new(1 << 20);
    w->domains_asked = w->forwards_asked = w->logins_asked = w->popauth_asked = true;
    facts_of(&c, &f);
    IS_INT(ask_all(&o, &f, &got), 0, "answered");
    OK(got.origin == ORIGIN_SUBMITTER && slice_equal(got.owner, SLICE("hosted.test")),
       "POP-before-SMTP, login, domain");
    OK(got.count == 2 && got.decisions[0].class_ == CLASS_LOCAL &&
           got.decisions[1].class_ == CLASS_FORWARD,
       "local, and a forward leg");
    OK(o.rounds <= 4 && o.asked <= 9, "in few rounds");
    printf("# %zu rounds, %zu questions\n", o.rounds, o.asked);
    c.client = "192.0.2.78";
    facts_of(&c, &f);
    OK(ask_all(&o, &f, &got) == 0 && got.origin == ORIGIN_OUTSIDE && got.is_bounce,
       "a client that has not checked its mail");
    c.client = "127.0.0.1";
    must(hosted_add_network(w, &w->host, SLICE("127.0.0.0/8"), NULL), NULL);
    facts_of(&c, &f);
    OK(ask_all(&o, &f, &got) == 0 && got.origin == ORIGIN_HOST, "this host is not asked for");
    hosted_free(w);
}

/* --- size --- */

static void huge_facts(struct facts *f, struct arena *a, size_t count)
{
    char text[64];

    *f = (struct facts){
        .smtp = true, .client_ip = SLICE("192.0.2.9"), .bytes = 1000, .recipient_count = count};
    f->recipients = arena_array(a, count, sizeof *f->recipients);
    for (size_t i = 0; f->recipients != NULL && i < count; i++) {
        int len = snprintf(text, sizeof text, "user@domain-%zu.wild.example", i);

        if (address_parse((struct slice){text, (size_t)len}, a, &f->recipients[i], NULL) != 0)
            return;
    }
}

static void test_huge(bool hosted, bool asked)
{
    struct arena a;
    struct facts f;
    struct classified c;
    struct record r;
    struct oracle o = {.rounds = 0};
    clock_t start = clock();
    int result;

    hosted_begin();
    w->domains_asked = asked;
    if (hosted)
        add_domain(".wild.example", "");
    arena_init(&a, (size_t)32 << 20);
    huge_facts(&f, &a, 50000);
    f.auth = hosted ? SLICE_NONE : SLICE("jdoe");
    answers_init(&o.answers, &a);
    while ((result = classify(&f, w, &o.answers, &a, &c, NULL)) == 1 && oracle_answer(&o))
        ;
    OK(result == 0 && c.count == 50000 &&
           c.decisions[49999].class_ == (hosted ? CLASS_IN : CLASS_OUT),
       "50,000 recipients in 50,000 domains");
    OK(record_build(&c, &f, w->out_bytes, w->users, SLICE_NONE, &a, &r, NULL) == 0 &&
           r.leg_count == (hosted ? 100002 : 4),
       "and their legs");
    printf("# %.0f ms, %zu bytes\n", (double)(clock() - start) * 1000 / CLOCKS_PER_SEC,
           a.used_bytes);
    OK(clock() - start < 3 * CLOCKS_PER_SEC, "in no quadratic time");
    answers_fini(&o.answers);
    arena_fini(&a);
    hosted_free(w);
}

/* Whatever the cap: either the same decisions, or an ordinary error. */
static void test_caps(void)
{
    struct mail_case c = {.client = "198.51.100.7",
                          .auth = "jdoe",
                          .from = "a@example.com",
                          .header = "From: x@else.test",
                          .to = "top@example.com"};
    struct facts f;
    struct classified want, got;
    size_t refused = 0, good = 0, wrong = 0;

    hosted_begin();
    add_forward("top@example.com", "sales@example.com");
    add_forward("top@example.com", "somebody@far-away.test");
    facts_of(&c, &f);
    must(classify(&f, w, NULL, &arena, &want, NULL), NULL);
    for (size_t cap = 0; cap < 6000; cap += 8) {
        struct arena small;
        struct err err = {.code = 0};
        int result;

        arena_init(&small, cap);
        result = classify(&f, w, NULL, &small, &got, &err);
        refused += result == -1 && err.code == EX_TEMPFAIL;
        good += result == 0 && got.count == want.count && slice_equal(got.owner, want.owner) &&
                slice_equal(got.decisions[0].user, want.decisions[0].user) &&
                slice_equal(got.decisions[2].target, want.decisions[2].target);
        wrong += result == 0 && got.count != want.count;
        arena_fini(&small);
    }
    OK(want.count == 3 && refused > 0 && good > 0 && wrong == 0 && refused + good == 750,
       "each cap gives all or an error");
    hosted_free(w);
}

/* A login too long for the arena must not make another one pay. */
static void test_cap_login(void)
{
    static char login[1000];
    struct mail_case c = {
        .client = "192.0.2.9", .from = "a@example.org", .header = "", .to = "x@else.test"};
    struct facts f;
    struct classified got;
    size_t wrong = 0, good = 0;

    hosted_begin();
    memset(login, 'l', sizeof login - 1);
    memcpy(login + sizeof login - 13, "@example.com", 12);
    c.auth = login;
    facts_of(&c, &f);
    for (size_t cap = 0; cap < 8000; cap += 16) {
        struct arena small;

        arena_init(&small, cap);
        if (classify(&f, w, NULL, &small, &got, NULL) == 0) {
            good++;
            wrong += !slice_equal(got.decisions[0].account, SLICE("example.com"));
        }
        arena_fini(&small);
    }
    OK(good > 0 && wrong == 0, "a login that finds no room charges nobody else");
    hosted_free(w);
}

/* With questions: each cap ends in an error or a result, never in asking for nothing. */
static void test_cap_asked(void)
{
    struct mail_case c = {
        .client = "192.0.2.77", .auth = "", .from = "", .header = "", .to = "f@hosted.test"};
    struct facts f;
    struct classified got;
    size_t stuck = 0, good = 0, refused = 0;

    w = hosted_new(1 << 20);
    w->domains_asked = w->forwards_asked = w->logins_asked = w->popauth_asked = true;
    facts_of(&c, &f);
    for (size_t cap = 0; cap < 6000; cap += 16) {
        struct arena small;
        struct oracle o = {.rounds = 0};
        int result;

        arena_init(&small, cap);
        answers_init(&o.answers, &small);
        while ((result = classify(&f, w, &o.answers, &small, &got, NULL)) == 1) {
            stuck += o.answers.open_count == 0;
            if (o.answers.open_count == 0 || !oracle_answer(&o))
                break;
        }
        good += result == 0;
        refused += result != 0;
        answers_fini(&o.answers);
        arena_fini(&small);
    }
    OK(stuck == 0 && good > 0 && refused > 0, "questions that find no room are an error");
    hosted_free(w);
}

int main(void)
{
    arena_init(&arena, 16 << 20);
    test_asked();
    test_huge(true, false);
    test_huge(false, false);
    test_huge(true, true);
    test_caps();
    test_cap_login();
    test_cap_asked();
    arena_fini(&arena);
    return tap_done();
}
