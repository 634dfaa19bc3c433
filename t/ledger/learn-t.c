/* learn: may a ledger go on as the one that Redis knows? */
#include "lib/ledger/learn.h"
#include "t/tap.h"

/* The present share is "s2", a former one "s1"; this run is "r3" and began at record 100, the runs
 * before it are "r1" (numbers end at 40) and "r2" (at 100). The ledger wrote stamp 7 and may have
 * written 8. A share with "+" began where another one was left. */
struct node_case {
    const char *what;
    const char *share, *run, *place;
    uint64_t stamp, number;
    bool is_stopped, is_moving, is_writing, has_met;
    int64_t silent_ms;
    enum learn_verdict want;
};

#define GONE NULL, "", "", 0, 0, false, false

static const struct node_case cases[] = {
    {"a new ledger and an empty Redis", GONE, false, false, 0, LEARN_WRITE},
    {"an empty Redis that knew us", GONE, false, true, 0, LEARN_LOST},
    {"the same in mid-run", GONE, true, true, 0, LEARN_LOST},
    {"our own writing", "s2", "r3", "here", 7, 100, false, false, true, true, 0, LEARN_WRITE},
    {"one whose answer was lost", "s2", "r3", "here", 8, 100, false, false, true, true, 0,
     LEARN_WRITE},
    {"an older one of ours", "s2", "r3", "here", 6, 100, false, false, true, true, 0, LEARN_LOST},
    {"a stamp of this run that it has not given: a resumed copy of the machine", "s2", "r3", "here",
     9, 105, false, false, true, true, 0, LEARN_NEW_SHARE},
    {"a restart in order", "s2", "r2", "there", 7, 100, true, false, false, true, 0, LEARN_WRITE},
    {"a restart after a kill", "s2", "r2", "here", 7, 90, false, false, false, true, 0,
     LEARN_WRITE},
    {"the same, and the ledger lost its last seconds, the journal not", "s2", "r2", "here", 12, 100,
     false, false, false, true, 0, LEARN_WRITE},
    {"a restart with a Redis of some time ago", "s2", "r1", "here", 3, 40, false, false, false,
     true, 0, LEARN_LOST},
    {"Redis goes back behind our start", "s2", "r2", "here", 5, 80, false, false, true, true, 0,
     LEARN_LOST},
    {"a moved machine: is the other one dead?", "s2", "r2", "there", 7, 90, false, false, false,
     true, 0, LEARN_WAIT},
    {"not yet known", "s2", "r2", "there", 7, 90, false, false, false, true, 999, LEARN_WAIT},
    {"it is", "s2", "r2", "there", 7, 90, false, false, false, true, 1000, LEARN_WRITE},
    {"a restored state_dir: numbers that this journal does not have", "s2", "r2", "here", 9, 101,
     true, false, false, true, 0, LEARN_NEW_SHARE},
    {"numbers of a run that ended before", "s2", "r1", "here", 3, 41, false, false, false, true, 0,
     LEARN_NEW_SHARE},
    {"a run that we do not know continues our share", "s2", "r9", "there", 9, 50, false, false,
     false, true, 5000, LEARN_NEW_SHARE},
    {"the same in mid-run", "s2", "r9", "there", 9, 50, false, false, true, true, 0,
     LEARN_NEW_SHARE},
    {"after we left it: who continues it may be gone", "s1", "r9", "there", 9, 50, false, false,
     false, true, 0, LEARN_WAIT},
    {"or is alive", "s1", "r9", "there", 9, 50, false, true, false, true, 0, LEARN_RIVAL},
    {"and silent for a moment", "s1", "r9", "there", 9, 50, false, true, false, true, 3999,
     LEARN_RIVAL},
    {"was alive, and is gone", "s1", "r9", "there", 9, 50, false, true, false, true, 4000,
     LEARN_WRITE},
    {"or is gone", "s1", "r9", "there", 9, 50, false, false, false, true, 1000, LEARN_WRITE},
    {"or ended in order", "s1", "r9", "there", 9, 50, true, false, false, true, 0, LEARN_WRITE},
    {"our former share as we left it", "s1", "r1", "here", 3, 40, false, false, true, true, 0,
     LEARN_LOST},
    {"another ledger of the same name", "s9", "r9", "there", 9, 50, false, false, false, false, 0,
     LEARN_WAIT},
    {"which has taken our hash", "s9", "r9", "there", 9, 50, false, false, true, true, 0,
     LEARN_WAIT},
    {"and is alive", "s9", "r9", "there", 9, 50, false, true, true, true, 0, LEARN_RIVAL},
    {"and is gone", "s9", "r9", "there", 9, 50, false, false, true, true, 1000, LEARN_WRITE},
    {"which has left our share, for all that we know: two out of one backup", "s9+", "r9", "there",
     9, 50, false, false, false, true, 0, LEARN_NEW_SHARE},
    {"whoever it is, once this run has had the hash", "s9+", "r9", "there", 9, 50, false, false,
     true, true, 0, LEARN_WAIT},
    {"or has had none to leave", "s9+", "r9", "there", 9, 50, false, false, false, false, 0,
     LEARN_WAIT},
    {"what a version without runs wrote", "s2", "", "", 7, 0, true, false, false, true, 0,
     LEARN_WRITE},
    {"the same, from a later state than ours", "s2", "", "", 9, 0, true, false, false, true, 0,
     LEARN_NEW_SHARE},
};

static struct slice text(const char *s)
{
    return s != NULL ? slice_str(s) : SLICE_NONE;
}

static void test_node(const struct node_case *c)
{
    bool is_r1 = c->run[0] != '\0' && slice_equal(text(c->run), SLICE("r1")),
         is_r2 = slice_equal(text(c->run), SLICE("r2")),
         is_r3 = slice_equal(text(c->run), SLICE("r3"));
    struct learn_self self = {.share_id = SLICE("s2"),
                              .run = SLICE("r3"),
                              .place = SLICE("here"),
                              .stamp = 7,
                              .stamp_tried = 8,
                              .has_met = c->has_met,
                              .was_named = c->has_met,
                              .is_writing = c->is_writing,
                              .watch_ms = 1000};
    struct learn_found found = {.is_there = c->share != NULL,
                                .share_id = text(c->share),
                                .run = text(c->run),
                                .place = text(c->place),
                                .stamp = c->stamp,
                                .number = c->number,
                                .is_stopped = c->is_stopped,
                                .has_left = c->share != NULL && strchr(c->share, '+') != NULL,
                                .is_share_ours = c->share != NULL && c->share[1] != '9',
                                .is_run_ours = is_r1 || is_r2 || is_r3,
                                .run_end = is_r1   ? 40
                                           : is_r2 ? 100
                                                   : UINT64_MAX,
                                .is_moving = c->is_moving,
                                .silent_ms = c->silent_ms};

    IS_INT(learn_node(&self, &found), c->want, c->what);
}

static void test_share(void)
{
    IS_INT(learn_share(true, 99, 0), LEARN_UNDO, "nobody but us writes the present share");
    IS_INT(learn_share(false, 99, 100), LEARN_ADOPT, "a former one as it was claimed");
    IS_INT(learn_share(false, 100, 100), LEARN_LEAVE, "and no further");
    IS_INT(learn_share(false, 1, 0), LEARN_LEAVE, "one that nobody had claimed");
}

static void test_aging(void)
{
    const int64_t day = 86400, now = 20000 * day;

    IS_INT(learn_aging(now, 1000, now + 1, INT64_MAX), now + 1, "with the clock");
    IS_INT(learn_aging(now, 3600 * 1000, now + 45 * day, INT64_MAX), now + day,
           "a clock that is ahead is believed a day an hour");
    IS_INT(learn_aging(now + day, 1000, now, INT64_MAX), now, "and back at once");
    IS_INT(learn_aging(now, 1000, now + day, now - day), now - day, "never ahead of the mail");
}

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        test_node(&cases[i]);
    test_share();
    test_aging();
    return tap_done();
}
