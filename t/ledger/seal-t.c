#include <inttypes.h>

#include "lib/ledger/scripts.h"
#include "t/ledger/push_fixture.h"
#include "t/random.h"

/* The seal of a hash, driven through push.lua as ledgers would: against sums made here, with calls
 * that come twice and late, scripts that are cut off, and a Redis that is put back or loses the
 * key. */

#define SHARES  5
#define NAMES   6
#define FORMERS 64
#define CALLS   16
#define STATES  4
#define TEXT    1000

static const char *const share_names[SHARES] = {"_mx1.0000000a", "_mx2.0000000b", "_mx3.0000000c",
                                                "_mx3.frankfurt.example.0000000d", "_mx4.0000000a"};
static const enum counter used[NAMES] = {COUNTER_IN_MESSAGES,      COUNTER_IN_BYTES,
                                         COUNTER_OUT_MESSAGES,     COUNTER_BOUNCES_RECEIVED,
                                         COUNTER_VIOLATIONS_BYTES, COUNTER_STATUS_CPU_MS};
static struct random_source dice_source = {20261129};
static char *cut_source; /* push.lua that ends before its HDEL */

static unsigned dice(unsigned sides)
{
    return random_below(&dice_source, sides);
}

/* What a call is made of. */
struct call {
    unsigned share;
    uint64_t number;
    char counters[TEXT], formers[FORMERS * TEXT];
    const char *flag;
};

static redisReply *call_run(const struct call *c, const char *user, const char *source,
                            const char *sweep)
{
    const struct script script = {source == script_push_source ? "push" : "cut", source};
    char number[24];
    struct slice argv[] = {SLICE("tg:{x}:y"),  slice_str(share_names[c->share]),
                           SLICE_NONE,         slice_str(c->counters),
                           slice_str(user),    SLICE_NONE,
                           slice_str(sweep),   SLICE_NONE,
                           slice_str(c->flag), slice_str(c->formers)};
    redisReply *r;

    (void)snprintf(number, sizeof number, "%" PRIu64, c->number);
    argv[2] = slice_str(number);
    r = store_script(store, &script, 1, 10, argv, 1000, &err);
    must(r == NULL, "script");
    return r;
}

/* 1, 0; minus a larger number; -1 and a comment for an error. */
static long long push_as(unsigned share, uint64_t number, const char *counters, const char *flag,
                         const char *formers)
{
    struct call c = {.share = share, .number = number, .flag = flag};
    redisReply *r;
    long long answer;

    (void)snprintf(c.counters, sizeof c.counters, "%s", counters);
    (void)snprintf(c.formers, sizeof c.formers, "%s", formers);
    r = call_run(&c, "", script_push_source, "");
    answer = r->type == REDIS_REPLY_INTEGER  ? r->integer
             : r->type == REDIS_REPLY_STRING ? -atoll(r->str)
                                             : -1;
    if (r->type == REDIS_REPLY_ERROR)
        printf("# %s\n", r->str);
    freeReplyObject(r);
    return answer;
}

static void test_by_hand(void)
{
    IS_INT(push_as(0, 40, "in_messages 3 in_bytes 70", "final", ""), 1, "one share");
    is_number("HEXISTS|tg:{x}:y|_sealed.0", 0);
    IS_INT(push_as(1, 50, "in_messages 4 out_messages 1", "", ""), 1, "two");
    IS_INT(push_as(0, 40, "in_messages 3 in_bytes 70", "final", ""), 0, "a seal would be no gain");
    IS_INT(push_as(1, 51, "in_messages 4 in_bytes 10 out_messages 1", "", ""), 1, "more");
    IS_INT(push_as(0, 40, "in_messages 3 in_bytes 70", "final", ""), 1, "sealed");
    is_number("HEXISTS|tg:{x}:y|_mx1.0000000a", 0);
    is_number("HEXISTS|tg:{x}:y|_mx2.0000000b", 1);
    is_text("HGET|tg:{x}:y|in_messages", "7");
    is_text("HGET|tg:{x}:y|in_bytes", "80");
    IS_INT(push_as(0, 40, "in_messages 3 in_bytes 70", "", ""), 0, "known");
    IS_INT(push_as(0, 39, "in_messages 2", "", ""), -1, "late");
    IS_INT(push_as(1, 51, "in_messages 4 in_bytes 10 out_messages 1", "final", ""), 1, "both");
    is_number("HLEN|tg:{x}:y", 4);
    is_text("HGET|tg:{x}:y|in_messages", "7");
    IS_INT(push_as(2, 1, "in_messages 100", "", ""), 1, "a third");
    is_text("HGET|tg:{x}:y|in_messages", "107");
    run("HSET|tg:{x}:y|in_bytes|1");
    IS_INT(push_as(1, 51, "in_messages 4 in_bytes 10 out_messages 1", "final", ""), 1, "a field");
    is_text("HGET|tg:{x}:y|in_bytes", "80");
    IS_INT(push_as(0, 41, "in_messages 5 in_bytes 71", "", ""), -1, "changed, from what?");
    is_text("HGET|tg:{x}:y|in_messages", "107");
    IS_INT(push_as(0, 41, "in_messages 5 in_bytes 71", "", "39 in_messages 2\n40 in_messages 9"),
           -1, "more than the seal has");
    IS_INT(push_as(0, 41, "in_messages 5 in_bytes 71", "",
                   "39 in_messages 2\n40 in_messages 3 "
                   "in_bytes 70\n"),
           1, "it was that");
    is_text("HGET|tg:{x}:y|in_messages", "109");
    is_text("HGET|tg:{x}:y|in_bytes", "81");
    is_number("HEXISTS|tg:{x}:y|_mx1.0000000a", 1);
    IS_INT(push_as(0, 41, "in_messages 5 in_bytes 71", "final", ""), 1, "sealed again");
    IS_INT(push_as(0, 40, "", "left", ""), 0, "another ledger knows better");
    IS_INT(push_as(0, 41, "", "", ""), 0, "a ledger that does not know");
    is_text("HGET|tg:{x}:y|in_messages", "109");
    run("HSET|tg:{x}:y|_sealed.0|#0000000000");
    IS_INT(push_as(0, 41, "in_messages 5 in_bytes 71", "final", ""), -1, "a spoilt seal");
    run("HDEL|tg:{x}:y|_sealed.0");
    for (int i = 0; i < 3; i++)
        IS_INT(push_as((unsigned)i, 60, "in_messages 5", "final", ""), 1, "all come back");
    is_text("HGET|tg:{x}:y|in_messages", "15");
}

/* As Redis wants it, whatever the number of shares. */
static void test_pieces(void)
{
    struct buf text;
    redisReply *r;

    buf_init(&text, 65536);
    for (size_t i = 0; i < 24; i++)
        buf_addf(&text, "%s%s 9007199254740", i > 0 ? " " : "", counter_table[i].name);
    buf_add_char(&text, '\0');
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < SHARES; i++)
            (void)push_as(i, 123456789012, text.data, "final", "");
    }
    r = command("HGETALL|tg:{x}:y");
    IS_INT((long long)r->elements, 2 * (24 + 6), "counters and a seal in six pieces");
    for (size_t i = 0; i < r->elements; i++)
        OK(r->element[i]->len <= 64, r->element[i]->str);
    freeReplyObject(r);
    is_text("HGET|tg:{x}:y|in_messages", "45035996273700");
    buf_fini(&text);
}

/* --- any order, any fault -------------------------------------------------------------------- */

struct holder {
    uint64_t number, amount[NAMES];
    bool is_final, is_there; /* there: Redis has that number */
    struct call last;        /* with all formers */
};

/* What Redis was at some time. */
struct state {
    redisReply *dump;
    uint64_t shown[SHARES][NAMES], at[SHARES];
};

struct model {
    const char *user;
    struct holder holders[SHARES];
    struct call calls[CALLS]; /* that may come again */
    unsigned call_count;
    struct state is, states[STATES];
    unsigned cut, sealed, restored;
};

static void call_update(struct holder *h)
{
    size_t len = 0;

    h->last.counters[0] = '\0';
    h->last.number = h->number;
    for (int i = 0; i < NAMES; i++) {
        if (h->amount[i] > 0)
            len += (size_t)snprintf(h->last.counters + len, TEXT - len, "%s%s %" PRIu64,
                                    len > 0 ? " " : "", counter_table[used[i]].name, h->amount[i]);
    }
}

/* As the ledger does it: what was final is kept. */
static void holder_count(struct holder *h)
{
    if (h->is_final) {
        char line[TEXT + 32];
        size_t len = strlen(h->last.formers), more;

        (void)snprintf(line, sizeof line, "%" PRIu64 " %s\n", h->number, h->last.counters);
        more = strlen(line);
        if (len + more >= sizeof h->last.formers)
            return;
        memcpy(h->last.formers + len, line, more + 1);
    }
    h->is_final = h->is_there = false;
    h->number += 1 + dice(3);
    for (unsigned i = 0; i <= dice(3); i++)
        h->amount[dice(NAMES)] += 1 + random_next(&dice_source) % (UINT64_C(1) << dice(40));
    call_update(h);
}

/* A push of the newest; false where the answer is wrong. */
static bool holder_push(struct model *m, unsigned s, const char *source)
{
    struct holder *h = &m->holders[s];
    redisReply *r;
    bool good;

    if (h->number == 0)
        return true;
    h->last.flag = h->is_final ? "final" : "";
    m->calls[m->call_count++ % CALLS] = h->last;
    r = call_run(&h->last, m->user, source, dice(4) == 0 ? "sweep" : "");
    good = r->type == REDIS_REPLY_INTEGER;
    if (!good)
        printf("# share %u, number %" PRIu64 ": %s\n", s, h->number, r->str);
    freeReplyObject(r);
    m->sealed += h->is_final;
    h->is_there = true;
    m->is.at[s] = h->number;
    memcpy(m->is.shown[s], h->amount, sizeof h->amount);
    return good;
}

/* A call of some time ago. It changes nothing but where Redis is older still. */
static void call_again(struct model *m)
{
    const struct call *c = &m->calls[dice(CALLS)];
    struct holder *h = &m->holders[c->share];

    if (c->number == 0 || c->number < m->is.at[c->share] || c->number > h->number)
        return;
    freeReplyObject(call_run(c, m->user, script_push_source, ""));
    m->is.at[c->share] = c->number;
    for (int i = 0; i < NAMES; i++) {
        char name[60];
        const char *at;

        (void)snprintf(name, sizeof name, "%s ", counter_table[used[i]].name);
        at = strstr(c->counters, name);
        m->is.shown[c->share][i] = at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
    }
}

/* An older one. */
static void call_late(struct model *m)
{
    const struct call *c = &m->calls[dice(CALLS)];

    if (c->number > 0 && c->number < m->is.at[c->share])
        freeReplyObject(call_run(c, m->user, script_push_source, ""));
}

static void state_save(struct model *m)
{
    struct state *s = &m->states[dice(STATES)];

    if (s->dump != NULL)
        freeReplyObject(s->dump);
    *s = m->is;
    s->dump = command("DUMP|tg:{x}:y");
}

static void state_restore(struct model *m)
{
    const struct state *s = &m->states[dice(STATES)];
    redisReply *dump = m->is.dump;

    if (s->dump == NULL || s->dump->type != REDIS_REPLY_STRING)
        return;
    freeReplyObject(store_command(store, 5,
                                  (struct slice[]){SLICE("RESTORE"), SLICE("tg:{x}:y"), SLICE("0"),
                                                   link_reply_text(s->dump), SLICE("REPLACE")},
                                  1000, &err));
    m->is = *s;
    m->is.dump = dump;
    m->restored++;
}

static void lose(struct model *m)
{
    run("DEL|tg:{x}:y");
    m->is = (struct state){.dump = NULL};
}

static bool is_right(const struct model *m)
{
    for (int i = 0; i < NAMES; i++) {
        uint64_t sum = 0, found = 0;
        redisReply *r = command("HGET|tg:{x}:y|%s%s%s", m->user, m->user[0] != '\0' ? " " : "",
                                counter_table[used[i]].name);

        for (int s = 0; s < SHARES; s++)
            sum += m->is.shown[s][i];
        (void)slice_number(link_reply_text(r), &found);
        freeReplyObject(r);
        if (sum != found) {
            printf("# %s: %" PRIu64 ", not %" PRIu64 "\n", counter_table[used[i]].name, found, sum);
            return false;
        }
    }
    return true;
}

/* A fault, or nothing. */
static void fault_make(struct model *m)
{
    switch (dice(24)) {
    case 0:
        lose(m);
        break;
    case 1:
    case 2:
        state_restore(m);
        break;
    case 3:
    case 4:
        state_save(m);
        break;
    case 5:
        call_again(m);
        break;
    case 6:
        call_late(m);
        break;
    default:
        break;
    }
}

static bool all_push(struct model *m)
{
    bool good = true;

    for (unsigned s = 0; s < SHARES; s++)
        good = holder_push(m, s, script_push_source) && good;
    return good;
}

/* A field typed over is right again when a ledger has pushed, in a sealed hash any. */
static bool type_over(struct model *m)
{
    uint64_t sum = 0;

    for (int s = 0; s < SHARES; s++)
        sum += m->is.shown[s][0];
    if (sum > 0)
        freeReplyObject(command("HSET|tg:{x}:y|%s%sin_messages|17", m->user, *m->user ? " " : ""));
    return all_push(m);
}

static bool round_run(struct model *m)
{
    unsigned s = dice(SHARES);
    struct holder *h = &m->holders[s];
    bool is_cut = dice(8) == 0;

    if (dice(3) == 0)
        holder_count(h);
    if (h->is_there && dice(2) == 0)
        h->is_final = true;
    m->cut += is_cut;
    if (!holder_push(m, s, is_cut ? cut_source : script_push_source))
        return false;
    fault_make(m);
    return dice(30) > 0 || type_over(m);
}

static void history_run(const char *user, unsigned rounds, unsigned *sealed)
{
    struct model *m = calloc(1, sizeof *m);
    bool good = true;

    must(m == NULL, "memory");
    m->user = user;
    for (unsigned s = 0; s < SHARES; s++)
        m->holders[s].last.share = s;
    for (unsigned i = 0; i < rounds && good; i++)
        good = round_run(m) && is_right(m);
    good = good && all_push(m) && is_right(m);
    OK(good, "a history");
    *sealed += m->sealed;
    for (int i = 0; i < STATES; i++) {
        if (m->states[i].dump != NULL)
            freeReplyObject(m->states[i].dump);
    }
    free(m);
    run("DEL|tg:{x}:y");
}

static void test_any_order(void)
{
    static const char *const users[] = {"", "alice@a.example", "_bob@a.example"};
    unsigned sealed = 0;

    for (unsigned i = 0; i < 60; i++)
        history_run(users[i % 3], 150, &sealed);
    OK(sealed > 1000, "many sealings");
}

int main(void)
{
    static void (*const tests[])(void) = {test_by_hand, test_pieces, test_any_order};
    static const char call[] = "redis.call('HDEL'";
    char *at;
    int result;

    cut_source = strdup(script_push_source);
    must(cut_source == NULL, "memory");
    at = strstr(cut_source, call);
    must(at == NULL, "push.lua has no HDEL");
    at[0] = at[1] = '-'; /* a comment */
    result = push_tests_run(tests, sizeof tests / sizeof tests[0]);
    free(cut_source);
    return result;
}
