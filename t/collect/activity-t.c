/* The jump alarm: what is usual is the subject's own; a jump is told once an hour; restarts change
 * nothing. */
#include "t/collect/machine_fixture.h"

#include "collect/activity.h"
#include "collect/dovecot.h"

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)
#define WEEK (7 * DAY)

static struct anomaly told[64];
static size_t told_count;
static char subjects[64][64];

static void anomaly(void *to, const struct anomaly *a)
{
    struct slice name = a->subject.user.len > 0 ? a->subject.user : a->subject.domain;

    (void)to;
    if (told_count == 64)
        return;
    (void)snprintf(subjects[told_count], sizeof subjects[0], "%.*s", SLICE_FMT(name));
    told[told_count++] = *a;
}

static const struct sink sink = {.anomaly = anomaly};
static struct machine_rules rules = {
    .activity = {.factor = 5, .least = {20, 100, 5}, .learn_ms = WEEK}};
static const struct payer ann = {{"a.example", 9}, {"ann@a.example", 13}};
static const struct payer bob = {{"a.example", 9}, {"bob@a.example", 13}};

static void machine_begin(struct machine *m)
{
    *m = (struct machine){.rules = &rules, .sink = &sink, .open = open_new()};
    activity_init(m);
    told_count = 0;
}

/* As after a kill: only what was saved is there. */
static void restart(struct machine *m)
{
    struct open_book *after = open_new();
    struct machine other = *m;
    struct open_entry *at = NULL;
    struct open_change c;
    int wrong = 0;

    other.open = after;
    activity_init(&other);
    while (open_change_next(m->open, &at, &c) == 1)
        wrong += !open_restore(after, &c);
    IS_INT(wrong, 0, "all that was saved can be read");
    open_free(m->open);
    m->open = after;
}

static void login_times(struct machine *m, int64_t at, int times, const char *client)
{
    for (int i = 0; i < times; i++)
        activity_login(m, at + i, &ann, slice_str(client));
}

static void test_jump(void)
{
    struct machine m;
    int64_t now = 100 * WEEK;

    machine_begin(&m);
    for (int day = 0; day < 20; day++) {
        for (int hour = 8; hour < 18; hour++) {
            login_times(&m, now + day * DAY + hour * HOUR, 10, "192.0.2.1");
            activity_sent(&m, now + day * DAY + hour * HOUR, &ann, 30);
        }
    }
    IS_INT(told_count, 0, "a usual week is not told");
    now += 20 * DAY;
    activity_sent(&m, now, &ann, 150);
    IS_INT(told_count, 0, "five times the usual is not told");
    activity_sent(&m, now, &ann, 1);
    IS_INT(told_count, 2, "more is: of the domain and the user");
    IS_STR(subjects[0], "a.example", "the domain");
    IS_STR(subjects[1], "ann@a.example", "the user");
    OK(told[1].metric == ACTIVITY_RECIPIENTS && told[1].value == 151 && told[1].usual == 30 &&
           told[1].threshold == 150 && told[1].recipients == 150 && told[1].hour_ms == now,
       "with its numbers");
    restart(&m);
    activity_sent(&m, now + 1000, &ann, 500);
    IS_INT(told_count, 2, "once an hour, also over a restart");
    login_times(&m, now + 2000, 50, "192.0.2.1");
    IS_INT(told_count, 2, "logins are as usual");
    login_times(&m, now + 3000, 1, "192.0.2.1");
    OK(told_count == 4 && told[3].metric == ACTIVITY_CONNECTIONS && told[3].usual == 10,
       "then they are not");
    activity_sent(&m, now + HOUR, &ann, 700);
    IS_INT(told_count, 4, "what was told is usual from now on");
    open_free(m.open);
}

static void test_clients(void)
{
    struct machine m;
    int64_t now = 100 * WEEK;
    char ip[64];

    machine_begin(&m);
    activity_login(&m, now, &bob, SLICE("192.0.2.1"));
    now += 2 * WEEK;
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(ip, sizeof ip, "198.51.100.%u", i);
        activity_login(&m, now, &bob, slice_str(ip));
        activity_login(&m, now, &bob, slice_str(ip));
    }
    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(ip, sizeof ip, "2001:db8::%x", i);
        activity_login(&m, now, &bob, i < 1 ? SLICE("198.51.100.0") : SLICE("198.51.100.1"));
    }
    IS_INT(told_count, 0, "five clients, whatever their connections");
    activity_login(&m, now, &bob, SLICE("2001:db8::1"));
    OK(told_count == 2 && told[1].metric == ACTIVITY_CLIENTS && told[1].value == 6, "a sixth");
    now += HOUR;
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(ip, sizeof ip, "2001:db8::%x", i);
        activity_login(&m, now, &bob, slice_str(ip));
    }
    IS_INT(told_count, 2, "IPv6 counts by /64");
    now += HOUR;
    for (unsigned i = 0; i < 400; i++) {
        (void)snprintf(ip, sizeof ip, "203.0.%u.%u", i / 200, i % 200);
        activity_login(&m, now, &bob, slice_str(ip));
    }
    now += HOUR;
    rules.activity.least[ACTIVITY_CLIENTS] = 1;
    rules.activity.factor = 1;
    told_count = 0;
    for (unsigned i = 0; i < 440; i++) {
        (void)snprintf(ip, sizeof ip, "203.1.%u.%u", i / 200, i % 200);
        activity_login(&m, now, &bob, slice_str(ip));
    }
    rules.activity = (struct activity_rules){.factor = 5, .least = {20, 100, 5}, .learn_ms = WEEK};
    OK(told_count >= 2 && told[told_count - 1].usual > 360 && told[told_count - 1].usual < 440,
       "hundreds are counted about right");
    open_free(m.open);
}

static void test_quiet(void)
{
    struct machine m;
    int64_t now = 100 * WEEK;

    machine_begin(&m);
    activity_sent(&m, now, &ann, 100000);
    IS_INT(told_count, 0, "nothing is told while it learns");
    activity_sent(&m, now + WEEK, &bob, 100000);
    OK(told_count == 1, "then somebody new is (the domain had as much before)");
    IS_STR(subjects[0], "bob@a.example", "the user");
    activity_sent(&m, now + 7 * WEEK, &ann, 101);
    IS_INT(told_count, 3, "what was more than four weeks ago is forgotten");
    activity_sent(&m, now + 6 * WEEK, &ann, 100000);
    IS_INT(told_count, 3, "late lines are ignored");
    activity_sent(&m, now + 8 * WEEK, &PAYER_NONE, 100000);
    IS_INT(told_count, 3, "nobody's are not watched");
    rules.activity.factor = 0;
    activity_sent(&m, now + 8 * WEEK, &ann, 100000);
    IS_INT(told_count, 3, "nor is anything with a factor of 0");
    rules.activity.factor = 5;
    rules.activity.least[ACTIVITY_RECIPIENTS] = 0;
    activity_sent(&m, now + 9 * WEEK, &ann, 1000000);
    IS_INT(told_count, 3, "nor a metric with a minimum of 0");
    rules.activity.least[ACTIVITY_RECIPIENTS] = 100;
    open_free(m.open);
}

static void test_bounds(void)
{
    struct machine m;
    char user[64];

    machine_begin(&m);
    for (unsigned i = 0; i < ACTIVITY_SUBJECTS + 1000; i++) {
        (void)snprintf(user, sizeof user, "u%u@a.example", i);
        activity_sent(&m, 100 * WEEK + i, &(struct payer){SLICE("a.example"), slice_str(user)}, 1);
    }
    OK(open_count(m.open, OPEN_ACTIVITY) <= ACTIVITY_SUBJECTS + 1, "subjects are bounded");
    OK(open_find(m.open, OPEN_ACTIVITY, SLICE("u0@a.example")) == NULL &&
           open_find(m.open, OPEN_ACTIVITY, SLICE("a.example")) != NULL,
       "those idle for longest are gone");
    OK(!open_restore(m.open, &(struct open_change){.kind = OPEN_ACTIVITY,
                                                   .key = SLICE("x"),
                                                   .bytes = SLICE("\001\200")}),
       "damaged bytes are refused");
    open_free(m.open);
}

/* What Dovecot logs of its logins. */
#define LOGIN(time, ip)                                                                            \
    "Nov 28 " time " pop3-login: Info: Logged in: user=<u@host.test>, method=PLAIN, rip=" ip       \
    ", lip=192.0.2.1, TLS, session=<" time ">\n"

static void watched_types(struct open_book *b)
{
    struct machine m = {.open = b};

    dovecot_types(b);
    activity_init(&m);
}

static void test_dovecot(void)
{
    static const struct fixture_part watched = {dovecot_line, dovecot_tick, watched_types};
    struct fixture *f = calloc(1, sizeof *f);

    fixture_init(f, &watched);
    f->rules.activity = (struct activity_rules){.factor = 1, .least = {0, 0, 2}};
    fixture_run(f, FIXTURE_FOLDS,
                SLICE(LOGIN("15:00:00", "192.0.2.7") LOGIN("15:00:01", "192.0.2.7")
                          LOGIN("15:00:02", "2001:db8::1") LOGIN("15:00:03", "192.0.2.7")));
    IS_SLICE(buf_slice(&f->events), SLICE(""), "two clients, whatever their logins");
    fixture_run(f, FIXTURE_FOLDS, SLICE(LOGIN("15:00:04", "192.0.2.9")));
    OK(strstr(f->events.data, "anomaly at 1795878004000\nanomaly at 1795878004000\n") != NULL,
       "a third is told, of the domain and of the user");
    fixture_fini(f);
    free(f);
}

int main(void)
{
    test_jump();
    test_clients();
    test_quiet();
    test_bounds();
    test_dovecot();
    return tap_done();
}
