/* visited, meter and what a session makes of them: who is charged with sessions, and with their
 * length. */
#include "t/tap.h"

#include "milter/meter.h"
#include "milter/session.h"
#include "t/sys/journal_fixture.h"

static struct err error;

/* --- visited --------------------------------------------------------------------------------- */

static struct leg leg(enum leg_kind kind, const char *account, const char *user)
{
    return (struct leg){.kind = kind, .account = slice_str(account), .user = slice_str(user)};
}

/* The legs that are marked: "account user, account ". */
static void is_charged(struct visited *v, struct leg *legs, size_t count, const char *want)
{
    struct record r = {.legs = legs, .leg_count = count};
    struct buf b;

    buf_init(&b, 10000);
    visited_charge(v, &r);
    for (size_t i = 0; i < r.leg_count; i++) {
        if (legs[i].opens)
            buf_addf(&b, "%s%.*s %.*s", b.len > 0 ? ", " : "", SLICE_FMT(legs[i].account),
                     SLICE_FMT(legs[i].user));
        legs[i].opens = false;
    }
    IS_SLICE(buf_slice(&b), slice_str(want), "the first of the session");
    buf_fini(&b);
}

static size_t visited_count(const struct visited *v)
{
    size_t count = 0;

    for (const struct visited_place *p = NULL; (p = visited_next(v, p)) != NULL;)
        count++;
    return count;
}

static void test_visited(void)
{
    struct leg first[] = {leg(LEG_IN, "a.example", ""), leg(LEG_IN, "a.example", "x@a.example"),
                          leg(LEG_FORWARD, "a.example", ""), leg(LEG_MESSAGE, ACCOUNT_NODE, "")},
               second[] = {leg(LEG_IN, "a.example", ""), leg(LEG_IN, "a.example", "y@a.example"),
                           leg(LEG_IN, "b.example", "")};
    struct visited v;

    visited_init(&v, VISITED_BYTES);
    is_charged(&v, first, 4, "a.example , a.example x@a.example");
    visited_settle(&v, false);
    IS_INT(visited_count(&v), 0, "a record that was not written visits nobody");
    is_charged(&v, first, 4, "a.example , a.example x@a.example");
    visited_settle(&v, true);
    IS_INT(visited_count(&v), 2, "one that was does");
    is_charged(&v, second, 3, "a.example y@a.example, b.example ");
    IS_INT(visited_count(&v), 2, "not before it is written");
    visited_settle(&v, true);
    IS_INT(visited_count(&v), 4, "each once");
    is_charged(&v, second, 3, "");
    visited_reset(&v);
    IS_INT(visited_count(&v), 0, "another session");
    is_charged(&v, second, 1, "a.example ");
    visited_fini(&v);
}

/* A session that has been everywhere keeps to its memory. */
static void test_many(void)
{
    struct visited v;
    size_t made = 0;

    visited_init(&v, 1 << 16);
    for (int i = 0; i < 5000; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "d%d.example", i);
        made += visited_find(&v, slice_str(name), SLICE_NONE) != NULL;
    }
    OK(made > 200 && made < 2000, "as many as there is room for");
    OK(visited_find(&v, SLICE("d7.example"), SLICE_NONE) != NULL, "those are still found");
    visited_fini(&v);
}

/* --- meter ----------------------------------------------------------------------------------- */

static bool is_continued; /* the next session is a later part of one */

static void session(struct meter *m, const char *account, int64_t from_ms, int64_t to_ms)
{
    struct leg legs[] = {leg(LEG_IN, account, "")};
    struct record r = {.legs = legs, .leg_count = 1};
    struct visited v;

    visited_init(&v, VISITED_BYTES);
    if (account[0] != '\0')
        visited_charge(&v, &r);
    visited_settle(&v, true);
    (void)meter_session(m, &v, !is_continued, from_ms, to_ms);
    visited_fini(&v);
}

/* The journal's next record, as "account counter value" lines. */
static void is_next(struct journal_reader *reader, const char *want)
{
    struct record r;
    struct buf b;
    int rc = journal_reader_next(reader, &r, &error);

    buf_init(&b, 10000);
    OK(rc == (want != NULL), "a record, or none");
    if (rc == 1) {
        OK(r.kind == RECORD_EVENT && r.leg_count == 0, "an event");
        for (size_t i = 0; i < r.amount_count; i++)
            buf_addf(&b, "%.*s %s %d\n", SLICE_FMT(r.amounts[i].account),
                     counter_table[r.amounts[i].counter].name, (int)r.amounts[i].value);
        IS_SLICE(buf_slice(&b), slice_str(want), "its amounts");
    }
    buf_fini(&b);
}

static void test_meter(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    struct journal_reader *reader;
    struct meter m;

    meter_init(&m);
    OK(meter_write(&m, j, &error) == 0, "nothing has ended");
    session(&m, "a.example", 1000, 4999);
    session(&m, "a.example", 4990, 5010);
    session(&m, "b.example", 5000, 5900);
    session(&m, "", 10, 20010);
    session(&m, "c.example", 9000, 8000);
    OK(meter_write(&m, j, &error) == 0 && meter_write(&m, j, &error) == 0, "written, and once");
    session(&m, "", 0, 0);
    OK(meter_write(&m, j, &error) == 0, "and what has ended since");
    is_continued = true;
    session(&m, "a.example", 5000, 8000);
    is_continued = false;
    OK(meter_write(&m, j, &error) == 0, "and a later part of a session alone");
    reader = journal_reader_open(fixture_dir, (struct journal_position){0, 0, 0}, &error);
    is_next(reader, "@ milter_sessions 5\n@ milter_session_seconds 24\n"
                    "a.example smtp_in_connection_seconds 4\n");
    is_next(reader, "@ milter_sessions 1\n");
    is_next(reader, "@ milter_session_seconds 3\na.example smtp_in_connection_seconds 3\n");
    is_next(reader, NULL);
    journal_reader_close(reader);
    meter_fini(&m);
    journal_close(j);
}

/* Seconds that begin within: the sum of short sessions is right, none is rounded. */
static void test_short(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    uint64_t next, seconds;
    struct meter m;

    meter_init(&m);
    for (int64_t i = 0; i < 1000; i++)
        session(&m, "", i * 7919, i * 7919 + 300);
    meter_lock_take(&m.lock);
    seconds = m.batch.seconds;
    meter_lock_give(&m.lock);
    OK(seconds > 280 && seconds < 320, "1,000 sessions of 0.3 s are some 300 s");
    (void)journal_now(j, &next);
    meter_fini(&m);
    journal_close(j);
}

/* A journal that takes nothing: what has ended is kept, and written later. */
static void test_refused(void)
{
    struct journal_config full = {.dir = fixture_dir, .min_free_bytes = INT64_MAX, .sync = 0};
    struct journal *j;
    struct journal_reader *reader;
    struct meter m;

    fixture_clear();
    j = fixture_open(0, SYNC_NEVER);
    meter_init(&m);
    session(&m, "a.example", 1000, 3000);
    journal_configure(j, &full);
    journal_tick(j, 1);
    OK(meter_write(&m, j, &error) == -1, "no room");
    session(&m, "a.example", 1000, 2000);
    full.min_free_bytes = 0;
    journal_configure(j, &full);
    journal_tick(j, 5000);
    OK(meter_write(&m, j, &error) == 0, "room again");
    reader = journal_reader_open(fixture_dir, (struct journal_position){0, 0, 0}, &error);
    is_next(reader, "@ milter_sessions 2\n@ milter_session_seconds 3\n"
                    "a.example smtp_in_connection_seconds 3\n");
    journal_reader_close(reader);
    meter_fini(&m);
    journal_close(j);
}

int main(void)
{
    fixture_init();
    test_visited();
    test_many();
    test_meter();
    test_short();
    test_refused();
    fixture_fini();
    return tap_done();
}
