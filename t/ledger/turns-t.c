/* turns: how long rows are gathered. */
#include "lib/ledger/turns.h"
#include "t/tap.h"

static void test_pause(void)
{
    struct turns t = {.pause_ms = 200};

    IS_INT(turns_pause_ms(&t), 200, "nothing to push: as the setting says");
    turns_begin(&t, false, false);
    turns_folded(&t, 150, 0);
    IS_INT(turns_pause_ms(&t), 200, "few rows: as the setting says");
    turns_folded(&t, 3000, 0);
    IS_INT(turns_pause_ms(&t), 1500, "many rows: two thousand a second");
    turns_folded(&t, 10, 0);
    IS_INT(turns_pause_ms(&t), 1500, "what went before without a pause counts");
    turns_folded(&t, UINT64_MAX, 0);
    IS_INT(turns_pause_ms(&t), TURNS_PAUSE_MAX_MS, "no row waits for longer");
    turns_begin(&t, false, false);
    turns_folded(&t, 10, 0);
    IS_INT(turns_pause_ms(&t), 200, "few rows again");
    t.pause_ms = 60000;
    turns_folded(&t, UINT64_MAX, 0);
    IS_INT(turns_pause_ms(&t), 60000, "the setting may be longer");
}

static void test_fold(void)
{
    struct turns t = {.pause_ms = 200};

    turns_begin(&t, false, false);
    OK(turns_fold_is_due(&t, 5000), "a turn after a pause folds");
    turns_folded(&t, 2000, 5000);
    turns_begin(&t, true, false);
    OK(!turns_fold_is_due(&t, 5999), "one that goes on pushing does not");
    OK(turns_fold_is_due(&t, 6000), "but for records that are old enough");
    turns_begin(&t, true, true);
    OK(turns_fold_is_due(&t, 5001), "or where somebody waits for them");
    turns_folded(&t, 2000, 5000);
    turns_begin(&t, false, false);
    OK(turns_fold_is_due(&t, 5001), "the next after a pause does");
}

static void test_rest(void)
{
    struct turns t = {.pause_ms = 200};

    turns_look(&t, 5000, 100);
    IS_INT(turns_rest_times(&t, t.rows), 0, "the journal of an earlier run is no mail");
    turns_look(&t, 5019, 1100);
    IS_INT(turns_rest_times(&t, t.rows), 0, "little mail: work goes on at once");
    turns_look(&t, 5039, 2100);
    IS_INT(turns_rest_times(&t, t.rows), TURNS_REST_TIMES, "mail: there is time for it between");
    IS_INT(turns_rest_times(&t, UINT64_MAX), 0, "but not in a walk through all rows");
    turns_folded(&t, TURNS_ROWS_MANY, 2100);
    IS_INT(turns_rest_times(&t, t.rows), 0, "but not where there is much to catch up with");
    turns_look(&t, 6039, 3100);
    IS_INT(turns_rest_times(&t, t.rows), TURNS_REST_TIMES, "unless it comes fast");
    turns_look(&t, 6039, 3100);
    IS_INT(turns_rest_times(&t, t.rows), 0, "none any more");
}

int main(void)
{
    test_rest();
    test_pause();
    test_fold();
    return tap_done();
}
