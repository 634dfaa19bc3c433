#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ledger/accountant.h"
#include "lib/sys/clock.h"
#include "t/random.h"

/*
 * A journal and its accountant without a milter, for t/ledger/accountant.t. What record N says
 * follows from N alone, so the test knows what must have been counted from the journal's last
 * number.
 *
 * usage: accountant-driver STATE_DIR STORE_URL NODE LAST [MODE]
 *
 * Appends records until the journal's last is LAST, then lets the accountant finish, and ends.
 * MODE: append: without an accountant; doubtful: the last two are in flight when the program is
 * aborted; wait: says "ready", then goes on until standard input ends; hurry: the accountant's
 * turns are an hour apart, and it is waited for; sync: each record is synced. TG_SEGMENT_BYTES:
 * size of the journal's segments, instead of 20,000; TG_KEEP_JOURNAL: they are kept; TG_ZONE: the
 * time zone, instead of UTC; TG_ACCOUNTS: how many, instead of 7; TG_PAUSES=no: without pauses
 * between records.
 */

#define DAYS_MS(days) (INT64_C(86400000) * (days))

static struct err err;

static void must(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "%s: %s\n", what, err.text);
        exit(1);
    }
}

static struct settings settings_of(char **argv)
{
    struct settings s = {0};

    s.state_dir = argv[1];
    s.store.url = argv[2];
    s.node = argv[3];
    s.timezone = getenv("TG_ZONE") != NULL ? getenv("TG_ZONE") : "UTC";
    s.store.prefix = "tg";
    s.store.username = s.store.password_file = "";
    s.store.timeout_ms = 1000;
    s.ledger.push_ms = 10;
    s.accounting.users = true;
    s.accounting.users_max = 10000;
    s.store.keep_hours_ms = DAYS_MS(45);
    s.store.keep_days_ms = DAYS_MS(400);
    s.store.keep_users_days_ms = DAYS_MS(92);
    if (getenv("TG_KEEP_JOURNAL") != NULL) {
        s.ledger.keep_messages_ms = INT64_C(86400000);
        s.ledger.keep_messages_max_bytes = INT64_C(1) << 30;
    }
    return s;
}

/* Most are messages let through. Of forty, four are held: two of these are released (one of them
 * twice), one is forgotten, one stays; and four are no messages but amounts. */
static void kind_set(struct record *r, uint64_t number)
{
    r->held_number = number - 4;
    if (number % 10 == 3)
        r->kind = RECORD_HELD;
    else if (number % 40 == 7 || number % 40 == 27)
        r->kind = RECORD_RELEASE;
    else if (number % 40 == 37)
        r->kind = RECORD_FORGET;
    else if (number % 10 == 5)
        r->kind = RECORD_EVENT;
    if (number % 40 != 29)
        return;
    r->kind = RECORD_RELEASE;
    r->held_number = number - 6;
}

static unsigned account_of(uint64_t number)
{
    const char *accounts = getenv("TG_ACCOUNTS");

    return (unsigned)(number % (accounts != NULL ? strtoull(accounts, NULL, 10) : 7));
}

static void append(struct journal *j, uint64_t number, int slot)
{
    char account[40], user[60], queue_id[40];
    struct leg in = {
        .kind = LEG_IN, .messages = 1, .recipients = 1, .bytes = 1000 + number * 37 % 4999};
    struct leg legs[4] = {in, in, in, in};
    struct amount stopped = {.counter = COUNTER_THROTTLED_MESSAGES, .value = 1};
    struct record r = {.bytes = in.bytes, .legs = legs, .leg_count = 4};

    (void)snprintf(account, sizeof account, "d%u.example", account_of(number));
    (void)snprintf(user, sizeof user, "u%u@d%u.example", (unsigned)(number % 5),
                   account_of(number));
    (void)snprintf(queue_id, sizeof queue_id, "Q%llu", (unsigned long long)number);
    legs[0].account = legs[1].account = r.held_by = stopped.account = slice_str(account);
    legs[1].user = slice_str(user);
    legs[2].account = legs[3].account = SLICE(ACCOUNT_NODE);
    legs[3].kind = LEG_MESSAGE;
    r.queue_id = slice_str(queue_id);
    kind_set(&r, number);
    if (r.kind == RECORD_EVENT) {
        r.amounts = &stopped;
        r.amount_count = 1;
    }
    must(journal_append(j, &r, slot, &err) == 0, "append");
    must(r.number == number, "number");
}

static uint64_t next_number(struct journal *j)
{
    uint64_t number;

    (void)journal_now(j, &number);
    return number;
}

static void append_until(struct journal *j, uint64_t last)
{
    struct random_source random = {(uint64_t)clock_unix_ms()};
    bool pauses = getenv("TG_PAUSES") == NULL;

    for (uint64_t number = next_number(j); number <= last; number++) {
        append(j, number, -1);
        if (pauses && random_below(&random, 50) == 0)
            clock_sleep_ms(random_below(&random, 4));
    }
}

static void be_doubtful(struct journal *j)
{
    for (int i = 0; i < 2; i++)
        append(j, next_number(j), journal_slot_take(j));
    (void)raise(SIGKILL);
}

static void print_state(struct accountant *a, uint64_t last)
{
    struct accountant_state s;

    accountant_state(a, &s);
    printf("state folded=%llu dirty=%llu damaged=%d waited=%d problem=%s\n",
           (unsigned long long)s.folded_number, (unsigned long long)s.dirty_rows, s.damaged,
           accountant_wait(a, last, 20), s.problem);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    char dir[300];
    const char *segment = getenv("TG_SEGMENT_BYTES");
    struct journal_config config = {.dir = dir, .segment_bytes = 20000, .sync = SYNC_NEVER};
    const char *mode = argc > 5 ? argv[5] : "";
    struct accountant *a = NULL;
    struct settings s;
    struct journal *j;

    if (argc < 5)
        return 64;
    s = settings_of(argv);
    if (strcmp(mode, "sync") == 0)
        config.sync = SYNC_ALWAYS;
    if (segment != NULL)
        config.segment_bytes = strtoull(segment, NULL, 10);
    (void)mkdir(s.state_dir, 0700);
    (void)snprintf(dir, sizeof dir, "%s/%s", s.state_dir, ACCOUNTANT_JOURNAL);
    j = journal_open(&config, &err);
    must(j != NULL, "journal_open");
    if (strcmp(mode, "hurry") == 0)
        s.ledger.push_ms = 3600000;
    if (strcmp(mode, "append") != 0) {
        a = accountant_start(&s, j, &err);
        must(a != NULL, "accountant_start");
    }
    append_until(j, strtoull(argv[4], NULL, 10));
    if (strcmp(mode, "doubtful") == 0)
        be_doubtful(j);
    for (uint64_t i = 0; strcmp(mode, "hurry") == 0 && i < 5; i++) {
        append_until(j, next_number(j));
        must(accountant_wait(a, next_number(j) - 1, 20000), "accountant_wait");
    }
    if (mode[0] == '\0' && next_number(j) % 2 == 0)
        must(accountant_wait(a, next_number(j) - 1, 20000), "accountant_wait");
    if (strcmp(mode, "wait") == 0) {
        char line[16];

        printf("ready\n");
        (void)fflush(stdout);
        while (fgets(line, sizeof line, stdin) != NULL)
            print_state(a, next_number(j) - 1);
    }
    accountant_stop(a, 10000);
    printf("last %llu\n", (unsigned long long)next_number(j) - 1);
    journal_close(j);
    return 0;
}
