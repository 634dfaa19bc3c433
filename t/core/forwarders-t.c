/* Forwarders: levels, loops, targets of all kinds. */
#include "t/core/classify_fixture.h"

#include "lib/core/buf.h"
#include "lib/core/forwarders.h"
#include "t/random.h"

/* Targets outside, joined with blanks, of mail from outside to that one recipient. */
static const char *targets_of(const char *to)
{
    static char text[4096];
    struct mail_case c = {
        .client = "192.0.2.9", .auth = "", .from = "s@else.test", .header = "", .to = to};
    struct facts f;
    struct classified got;
    size_t len = 0;

    facts_of(&c, &f);
    text[0] = '\0';
    if (classify(&f, w, NULL, &arena, &got, NULL) != 0)
        return "failed";
    for (size_t i = 0; i < got.count; i++) {
        const struct decision *d = &got.decisions[i];

        if (d->rule != RULE_FORWARDER)
            continue;
        if (d->class_ != CLASS_FORWARD || d->recipient != 0 ||
            !slice_equal(d->account, got.decisions[0].account))
            return "wrong";
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", len > 0 ? " " : "",
                                SLICE_FMT(d->target));
    }
    return text;
}

static void chain_add(const char *prefix, int hops)
{
    char from[64], to[64];

    for (int i = 1; i <= hops; i++) {
        (void)snprintf(from, sizeof from, "%s%d@example.com", prefix, i);
        (void)snprintf(to, sizeof to, i == hops ? "end@out.test" : "%s%d@example.com", prefix,
                       i + 1);
        add_forward(from, to);
    }
}

static void test_domain_targets(void)
{
    hosted_begin();
    add_forward("there@example.com", "@gmail.test");
    add_forward("@example.org", "@example.com");
    add_forward("route@example.com", "@hop.test:far@gmail.test");
    IS_STR(targets_of("there+x@example.com"), "there+x@gmail.test", "the same user elsewhere");
    IS_STR(targets_of("sales@example.org"), "x@gmail.test", "an alias domain");
    IS_STR(targets_of("route@example.com"), "far@gmail.test", "a source route is an address");
    hosted_free(w);
    arena_reset(&arena);
}

static void test_forwarders(void)
{
    hosted_begin();
    IS_STR(targets_of("sales@example.com"), "x@gmail.test", "one target");
    IS_STR(targets_of("none@example.com"), "", "no forwarder");
    add_forward("two@example.com", "B@gmail.test");
    add_forward("two@example.com", "local@example.org");
    add_forward("two@example.com", "\\two");
    add_forward("two@example.com", "|/bin/cat");
    add_forward("two@example.com", "b@GMAIL.test.");
    IS_STR(targets_of("two@example.com"), "b@gmail.test",
           "hosted ones, commands and repetitions add nothing");
    add_forward("self@example.com", "self@example.com");
    add_forward("self@example.com", "copy@gmail.test");
    IS_STR(targets_of("self@example.com"), "copy@gmail.test", "a forwarder to itself");
    add_forward("ping@example.com", "pong@example.org");
    add_forward("pong@example.org", "ping@example.com");
    IS_STR(targets_of("ping@example.com"), "", "a loop");
    add_forward("left@example.com", "down@example.org");
    add_forward("top@example.com", "left@example.com");
    add_forward("top@example.com", "down@example.org");
    add_forward("down@example.org", "out@gmail.test");
    IS_STR(targets_of("top@example.com"), "out@gmail.test", "two ways to one target");
    add_forward("bare@example.com", "other");
    add_forward("other@example.com", "o@gmail.test");
    IS_STR(targets_of("bare@example.com"), "o@gmail.test",
           "a target without a domain is of the forwarder's");
    add_forward("x@gmail.test", "y@gmail.test");
    IS_STR(targets_of("sales@example.com"), "x@gmail.test",
           "what leaves the server is not followed");
    chain_add("ten", 10);
    chain_add("eleven", 11);
    IS_STR(targets_of("ten1@example.com"), "end@out.test", "ten levels");
    IS_STR(targets_of("eleven1@example.com"), "", "no more than ten");
    hosted_free(w);
}

/* Against a recursive search, by levels as its only bound. */
static void reach_slowly(int edges[][4], int from, int level, bool *outside)
{
    if (level >= 10)
        return;
    for (int i = 0; i < 4; i++) {
        if (edges[from][i] >= 100)
            outside[edges[from][i] - 100] = true;
        else if (edges[from][i] >= 0)
            reach_slowly(edges, edges[from][i], level + 1, outside);
    }
}

static void test_forwarders_random(void)
{
    enum { NODES = 14, OUT = 8 };
    struct random_source r = {5};
    size_t good = 0, some = 0;

    for (int round = 0; round < 300; round++) {
        int edges[NODES][4];
        bool outside[OUT] = {false};
        char key[64], target[64], found[64];
        const char *got;
        bool same = true;

        hosted_begin();
        for (int i = 0; i < NODES; i++) {
            (void)snprintf(key, sizeof key, "n%d@example.org", i);
            for (int j = 0; j < 4; j++) {
                uint32_t pick = random_below(&r, 12);

                edges[i][j] = pick < 3    ? (int)random_below(&r, NODES)
                              : pick == 3 ? 100 + (int)random_below(&r, OUT)
                                          : -1;
                if (edges[i][j] < 0)
                    continue;
                (void)snprintf(target, sizeof target,
                               edges[i][j] >= 100 ? "t%d@out.test" : "n%d@example.org",
                               edges[i][j] % 100);
                add_forward(key, target);
            }
        }
        reach_slowly(edges, 0, 0, outside);
        got = targets_of("n0@example.org");
        for (int i = 0; i < OUT; i++) {
            (void)snprintf(found, sizeof found, "t%d@out.test", i);
            same = same && (strstr(got, found) != NULL) == outside[i];
            some += outside[i];
        }
        good += same;
        hosted_free(w);
        arena_reset(&arena);
    }
    IS_INT(good, 300, "as a recursive search has it");
    OK(some > 100, "with targets to find");
}

/* --- every place, as who delivers the mail sees it --- */

static bool place_write(void *user, const struct forwarders_place *place)
{
    struct buf *out = user;

    buf_addf(out, "%s%c%.*s", out->len > 0 ? " " : "", "omx"[place->kind],
             SLICE_FMT(slice_to(place->text, 300)));
    return true;
}

/* "-": no forwarder, "ask", "failed", else o: outside, m: mailbox, x: no address. */
static const char *places_of(const char *from, struct answers *answers, struct arena *memory)
{
    static char text[1024];
    struct address a = address_of(from);
    struct buf out;

    buf_init(&out, sizeof text);
    switch (forwarders_expand(w, answers, &a, slice_str(from), memory, place_write, &out)) {
    case HOSTED_NO:
        buf_add_str(&out, "-");
        break;
    case HOSTED_ASK:
        buf_add_str(&out, "ask");
        break;
    case HOSTED_FAILED:
        buf_add_str(&out, "failed");
        break;
    case HOSTED_YES:
        break;
    }
    (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(buf_slice(&out)));
    buf_fini(&out);
    return text;
}

static void test_places(void)
{
    static const struct {
        const char *from, *want, *name;
    } cases[] = {
        {"none@example.com", "-", "no forwarder"},
        {"sales@example.com", "ox@gmail.test", "a target outside"},
        {"Self@example.com", "mSelf@example.com oC@gmail.test", "a copy for itself"},
        {"in@example.com", "mjoe@example.org", "a mailbox here"},
        {"bare@example.com", "mjoe@example.com", "a user of the same domain"},
        {"ping@example.com", "mping@example.com", "a loop of two"},
        {"tail@example.com", "mb@example.com oz@gmail.test", "a loop further on"},
        {"top@example.com", "oend@gmail.test", "two ways to one address are no loop"},
        {"side@example.com", "oend@gmail.test",
         "nor is a way between two addresses of the same level"},
        {"cmd@example.com", "mcmd@example.com x|/bin/cat", "nowhere else to go"},
        {"both@example.com", "x|/bin/cat oq@gmail.test", "a command beside an address"},
        {"Any+x@alias.example", "mAny+x@example.com", "the same user at another domain"},
        {"long1@example.com", "mlong11@example.com", "the last level"},
    };

    hosted_begin();
    add_forward("self@example.com", "self@example.com");
    add_forward("self@example.com", "C@gmail.test");
    add_forward("in@example.com", "joe@example.org");
    add_forward("bare@example.com", "joe");
    add_forward("ping@example.com", "pong@example.com");
    add_forward("pong@example.com", "ping@example.com");
    add_forward("tail@example.com", "a@example.com");
    add_forward("tail@example.com", "b@example.com");
    add_forward("a@example.com", "c@example.com");
    add_forward("b@example.com", "c@example.com");
    add_forward("c@example.com", "b@example.com");
    add_forward("c@example.com", "z@gmail.test");
    add_forward("top@example.com", "left@example.com");
    add_forward("top@example.com", "right@example.com");
    add_forward("left@example.com", "down@example.com");
    add_forward("right@example.com", "down@example.com");
    add_forward("side@example.com", "left@example.com");
    add_forward("side@example.com", "peer@example.com");
    add_forward("peer@example.com", "left@example.com");
    add_forward("down@example.com", "end@gmail.test");
    add_forward("cmd@example.com", "|/bin/cat");
    add_forward("both@example.com", "|/bin/cat");
    add_forward("both@example.com", "q@gmail.test");
    add_forward("@alias.example", "@example.com");
    chain_add("long", 12);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        IS_STR(places_of(cases[i].from, NULL, &arena), cases[i].want, cases[i].name);
    hosted_free(w);
}

static bool never(void *user, const struct forwarders_place *place)
{
    (void)place;
    *(bool *)user = true;
    return false;
}

/* What is not known is never "no targets". */
static void test_unknown(void)
{
    struct answer found = {.found = true}, none = {.found = false};
    struct slice target = SLICE("two@example.com");
    struct arena small;
    struct answers answers;
    struct address a;
    bool visited = false;

    hosted_begin();
    w->forwards_asked = true;
    arena_init(&small, 1 << 16);
    answers_init(&answers, &small);
    a = address_of("one@example.com");
    OK(forwarders_expand(w, &answers, &a, SLICE_NONE, &small, never, &visited) == HOSTED_ASK &&
           !visited,
       "an open question: nothing is visited");
    found.targets = (struct forward_targets){&target, 1};
    OK(answers_put(&answers, QUESTION_FORWARD, SLICE("one@example.com"), &found) == 0, "answered");
    IS_STR(places_of("one@example.com", &answers, &small), "ask", "its target is asked next");
    OK(answers_put(&answers, QUESTION_FORWARD, SLICE("two@example.com"), &none) == 0, "answered");
    IS_STR(places_of("one@example.com", &answers, &small), "mtwo@example.com", "and is no more");
    OK(forwarders_expand(w, &answers, &a, SLICE_NONE, &small, never, &visited) == HOSTED_FAILED &&
           visited,
       "who visits can end it");
    answers.failed = true;
    IS_STR(places_of("one@example.com", &answers, &small), "failed", "questions without memory");
    IS_STR(places_of("x@example.com", &answers, &small), "failed", "also the first one");
    answers_fini(&answers);
    arena_fini(&small);
    arena_init(&small, 16);
    IS_STR(places_of("sales@example.com", NULL, &small), "failed", "no memory");
    arena_fini(&small);
    hosted_free(w);
}

int main(void)
{
    arena_init(&arena, 16 << 20);
    test_places();
    test_unknown();
    test_domain_targets();
    test_forwarders();
    test_forwarders_random();
    arena_fini(&arena);
    return tap_done();
}
