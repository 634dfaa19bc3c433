#include <stdlib.h>
#include <string.h>

#include "lib/ledger/folding.h"
#include "lib/ledger/ledger_share.h"
#include "lib/sys/clock.h"
#include "lib/sys/journal_segment.h"
#include "lib/sys/settings.h"
#include "t/tap.h"

/* What counted_through says after the clock was set back. */

#define BEGIN_MS INT64_C(1763730000000)
#define LATER_MS INT64_C(7200000)

static int64_t now_ms = BEGIN_MS;
static char dir[] = "/tmp/tg-folding-XXXXXX", path[80], journal_dir[80];
static struct err err;

int64_t __wrap_clock_unix_ms(void);

int64_t __wrap_clock_unix_ms(void)
{
    return now_ms;
}

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    printf("Bail out! %s: %s\n", what, err.text);
    exit(1);
}

static void append(struct journal *j, const char *queue_id)
{
    struct leg leg = {.kind = LEG_IN,
                      .account = SLICE("example.com"),
                      .messages = 1,
                      .recipients = 1,
                      .bytes = 100};
    struct record r = {.kind = RECORD_MESSAGE,
                       .queue_id = slice_str(queue_id),
                       .bytes = 100,
                       .legs = &leg,
                       .leg_count = 1};

    must(journal_append(j, &r, -1, &err), "journal_append");
}

/* Turns that text in the newest segment into another one. */
static void spoil(const char *text, const char *into)
{
    static char bytes[65536];
    uint64_t *numbers;
    size_t count, len;
    char name[160], *at;
    FILE *file;

    must(journal_segments_list(journal_dir, &numbers, &count, &err), "journal_segments_list");
    (void)snprintf(name, sizeof name, "%s/%020llu.journal", journal_dir,
                   (unsigned long long)numbers[count - 1]);
    free(numbers);
    file = fopen(name, "r+");
    len = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    at = memmem(bytes, len, text, strlen(text));
    must(at == NULL || fseek(file, at - bytes, SEEK_SET) != 0 ||
             fwrite(into, 1, strlen(into), file) != strlen(into) || fclose(file) != 0,
         "the segment");
}

static struct ledger *ledger_make(void)
{
    struct ledger *l = ledger_open(path, "mx1", &err);

    must(l == NULL, "ledger_open");
    must(ledger_run_begin(l, SLICE("run"), 0, &err), "ledger_run_begin");
    return l;
}

/* Power took the end of the ledger, whose counted_through is of before the clock was set back; and
 * a record cannot be read that is dated between then and now. */
static void test_set_back(struct journal *j, struct ledger *l)
{
    struct folding f;

    folding_init(&f, &(struct folding_parts){j, journal_dir, l, {true, 100}, SLICE("@mx1")});
    now_ms = BEGIN_MS + LATER_MS;
    append(j, "first");
    now_ms = BEGIN_MS;
    append(j, "second");
    append(j, "third");
    now_ms = BEGIN_MS + 60000;
    f.counted_through = (BEGIN_MS + LATER_MS) / 1000;
    spoil("second", "SECOND");
    folding_run(&f, 1000);
    OK(f.is_damaged && ledger_meta(l)->position.number == 2, "one is read, and the next is not");
    IS_INT(f.counted_through, 0, "nothing is said of records that are not read");
    spoil("SECOND", "second");
    folding_retry(&f);
    folding_run(&f, 1000);
    OK(!f.is_damaged && ledger_meta(l)->position.number == 4, "all are read");
    IS_INT(f.counted_through, now_ms / 1000, "all before now is counted");
    folding_fini(&f);
}

/* The clock is set back, mail comes, and the clock is right again before anybody reads on. */
static void test_back_and_on(struct journal *j, struct ledger *l)
{
    struct folding f;

    folding_init(&f, &(struct folding_parts){j, journal_dir, l, {true, 100}, SLICE("@mx1")});
    now_ms = BEGIN_MS + LATER_MS;
    append(j, "fourth");
    now_ms += 2000;
    folding_run(&f, 1000);
    IS_INT(folding_through(&f), now_ms / 1000, "mail since the last time is no reason to wait");
    now_ms = BEGIN_MS;
    append(j, "fifth");
    now_ms = BEGIN_MS + LATER_MS + 4000;
    folding_run(&f, 1000);
    IS_INT(f.counted_through, now_ms / 1000, "the ledger has it");
    IS_INT(folding_through(&f), BEGIN_MS / 1000, "what was said is taken back");
    IS_INT(folding_through(&f), now_ms / 1000, "once");
    folding_fini(&f);
}

int main(void)
{
    struct journal_config config = {.dir = journal_dir, .sync = SYNC_NEVER};
    struct journal *j;
    struct ledger *l;
    char command[120];

    must(mkdtemp(dir) == NULL, "mkdtemp");
    (void)snprintf(path, sizeof path, "%s/ledger.db", dir);
    (void)snprintf(journal_dir, sizeof journal_dir, "%s/journal", dir);
    j = journal_open(&config, &err);
    must(j == NULL, "journal_open");
    l = ledger_make();
    test_set_back(j, l);
    test_back_and_on(j, l);
    ledger_close(l);
    journal_close(j);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    must(system(command), "rm");
    return tap_done();
}
