#include <inttypes.h>

#include "lib/ledger/scripts.h"
#include "t/ledger/push_fixture.h"
#include "t/random.h"

/* How shares stand in a hash, driven through push.lua as nodes would: new, and (push-names.lua) as
 * they were before the short form; against sums made here. */

#define SHARES 3
#define NAMES  9

static const char *const share_names[SHARES] = {"_mx1.0000000a", "_mx2.0000000b",
                                                "_mx1.frankfurt.example.0000000c"};
static char *names_source; /* of push-names.lua */
static struct random_source dice_source = {20261129};

static unsigned dice(unsigned sides)
{
    return random_below(&dice_source, sides);
}

static char *file_read(const char *name)
{
    const char *source = getenv("TG_SOURCE");
    char path[600];
    struct buf text;
    FILE *f;
    int c;

    (void)snprintf(path, sizeof path, "%s/t/data/ledger/%s", source != NULL ? source : ".", name);
    f = fopen(path, "r");
    must(f == NULL, path);
    buf_init(&text, (size_t)1 << 20);
    while ((c = getc(f)) != EOF)
        buf_add_char(&text, (char)c);
    (void)fclose(f);
    buf_add_char(&text, '\0');
    return text.data;
}

enum form { SHORT, NAMES_FORM, OLD_VERSION };

static redisReply *push_to(enum form form, const char *key, const char *share, uint64_t number,
                           const char *counters, const char *user, const char *flag)
{
    const struct script now = {"push", script_push_source}, old = {"old", names_source};
    char text[24];
    struct slice argv[] = {slice_str(key),  slice_str(share),
                           SLICE_NONE,      slice_str(counters),
                           slice_str(user), SLICE_NONE,
                           slice_str(flag), form == NAMES_FORM ? SLICE("names") : SLICE_NONE};
    redisReply *r;

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    argv[2] = slice_str(text);
    r = store_script(store, form == OLD_VERSION ? &old : &now, 1, 8, argv, 1000, &err);
    must(r == NULL, "script");
    return r;
}

/* 1 or 0; minus the larger number that is there; -1 and a comment: refused. */
static long long push_as(enum form form, const char *share, uint64_t number, const char *counters)
{
    redisReply *r = push_to(form, "tg:{x}:total", share, number, counters, "", "");
    long long answer = r->type == REDIS_REPLY_INTEGER  ? r->integer
                       : r->type == REDIS_REPLY_STRING ? -atoll(r->str)
                                                       : -1;

    if (r->type == REDIS_REPLY_ERROR)
        printf("# %s\n", r->str);
    freeReplyObject(r);
    return answer;
}

static void is_encoding(const char *key, const char *want, const char *other)
{
    char line[200];
    redisReply *r;

    (void)snprintf(line, sizeof line, "OBJECT|ENCODING|%s", key);
    r = command("%s", line);
    OK(strcmp(r->str, want) == 0 || strcmp(r->str, other) == 0, "encoding");
    freeReplyObject(r);
}

static void test_alone(void)
{
    IS_INT(push_as(SHORT, share_names[0], 4711, "in_messages 12 in_bytes 3456"), 1, "one share");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "=4711AC");
    is_text("HGET|tg:{x}:total|in_bytes", "3456");
    is_number("HLEN|tg:{x}:total", 3);
    IS_INT(push_as(SHORT, share_names[0], 4711, "in_messages 12 in_bytes 3456"), 0, "again");
    IS_INT(push_as(SHORT, share_names[1], 9, "in_messages 3 out_messages 5"), 1, "a second one");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "=4711AcC");
    is_text("HGET|tg:{x}:total|_mx2.0000000b", "=9A3D");
    is_text("HGET|tg:{x}:total|in_messages", "15");
    is_number("HLEN|tg:{x}:total", 5);
    IS_INT(push_as(SHORT, share_names[0], 4800, "in_messages 40 in_bytes 9999 out_messages 1"), 1,
           "the first one counts on");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "=4800A14CD1");
    is_text("HGET|tg:{x}:total|_mx2.0000000b", "=9A3D5");
    is_text("HGET|tg:{x}:total|in_messages", "43");
    is_text("HGET|tg:{x}:total|out_messages", "6");
    IS_INT(push_as(SHORT, share_names[0], 4711, "in_messages 12"), -4800, "late");
    run("HDEL|tg:{x}:total|_mx2.0000000b");
    IS_INT(push_as(SHORT, share_names[0], 4800, "in_messages 40 in_bytes 9999 out_messages 1"), 1,
           "a share is gone");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "=4800ACD");
    is_text("HGET|tg:{x}:total|in_messages", "40");
    IS_INT(push_as(SHORT, share_names[1], 9, "in_messages 3 out_messages 5"), 1, "and back");
    is_text("HGET|tg:{x}:total|in_messages", "43");
}

/* As Redis wants it: no value of more than 64 bytes. */
static void test_pieces(void)
{
    struct buf text;
    redisReply *r;

    buf_init(&text, 65536);
    for (size_t i = 0; i < 24; i++)
        buf_addf(&text, "%s%s 9007199254740", i > 0 ? " " : "", counter_table[i].name);
    buf_add_char(&text, '\0');
    for (int i = 0; i < 2; i++)
        IS_INT(push_as(SHORT, share_names[i], 123456789012, text.data), 1, "a share in pieces");
    r = command("HGETALL|tg:{x}:total");
    IS_INT((long long)r->elements, 2 * (24 + 2 * 5), "each in five");
    for (size_t i = 0; i < r->elements; i++)
        OK(r->element[i]->len <= 64, r->element[i]->str);
    freeReplyObject(r);
    is_encoding("tg:{x}:total", "listpack", "ziplist");
    is_text("HGET|tg:{x}:total|in_messages", "18014398509480");
    IS_INT(push_as(SHORT, share_names[0], 123456789012, text.data), 0, "again");
    run("HDEL|tg:{x}:total|_mx2.0000000b");
    IS_INT(push_as(SHORT, share_names[0], 123456789012, text.data), -1, "a piece is gone");
    IS_INT(push_as(SHORT, share_names[1], 123456789012, text.data), 1, "its owner brings it");
    is_text("HGET|tg:{x}:total|in_messages", "18014398509480");
    IS_INT(push_as(SHORT, share_names[0], 123456789013, "in_messages 1"), 1, "fewer");
    is_text("HGET|tg:{x}:total|_mx1.0000000a:4", "");
    is_text("HGET|tg:{x}:total|in_messages", "9007199254741");
    buf_fini(&text);
}

static void test_hand(void)
{
    IS_INT(push_as(SHORT, share_names[0], 5, "in_messages 12"), 1, "one share");
    run("HSET|tg:{x}:total|in_messages|rubbish");
    IS_INT(push_as(SHORT, share_names[1], 5, "in_messages 1"), 1, "beside a spoilt field");
    is_text("HGET|tg:{x}:total|in_messages", "1");
    IS_INT(push_as(SHORT, share_names[0], 5, "in_messages 12"), 1, "its owner knows better");
    is_text("HGET|tg:{x}:total|in_messages", "13");
    run("HSET|tg:{x}:total|_mx2.0000000b|=5A1a?");
    IS_INT(push_as(SHORT, share_names[0], 6, "in_messages 13"), -1, "a spoilt share is refused");
    run("HSET|tg:{x}:total|_mx2.0000000b|=5Azzzzzzzzzzzzz");
    IS_INT(push_as(SHORT, share_names[0], 6, "in_messages 13"), -1, "one beyond what is exact");
    run("HSET|tg:{x}:total|_mx2.0000000b|=7A1");
    IS_INT(push_as(SHORT, share_names[1], 6, "in_messages 1"), -7, "a larger number");
}

/* Counters of a newer version, in its ledger and in another one's share. */
static void test_unknown(void)
{
    IS_INT(push_as(SHORT, share_names[0], 5, "in_messages 12 carrier_pigeons 3"), 1, "no code");
    is_text("HGET|tg:{x}:total|_mx1.0000000a", "=5A{carrier_pigeons}");
    run("HSET|tg:{x}:total|_mx2.0000000b|=7AZZ4|snails|5");
    freeReplyObject(
        push_to(SHORT, "tg:{x}:total", share_names[0], 6, "in_messages 13", "", "sweep"));
    is_text("HGET|tg:{x}:total|_mx2.0000000b", "=7AcZZ4");
    is_text("HGET|tg:{x}:total|snails", "5");
    is_text("HGET|tg:{x}:total|in_messages", "25");
}

static void test_codes(void)
{
    char *text = file_read("share-codes");
    struct slice rest = slice_str(text), line, code;
    size_t lines = 0;

    for (; slice_word(&rest, "\n", &line); lines++) {
        char counters[100], want[40];

        must(!slice_cut(&line, ' ', &code), "share-codes");
        (void)snprintf(counters, sizeof counters, "%.*s 7", SLICE_FMT(line));
        (void)snprintf(want, sizeof want, "=%zu%.*s", lines + 1, SLICE_FMT(code));
        OK(counter_find(line) >= 0, counters);
        IS_INT(push_as(SHORT, share_names[0], lines + 1, counters), 1, "pushed");
        is_text("HGET|tg:{x}:total|_mx1.0000000a", want);
        IS_INT(push_as(SHORT, share_names[1], lines + 1, counters), 1, "read by another one");
        IS_INT(push_as(SHORT, share_names[1], lines + 1, counters), 0, "as it was written");
        run("DEL|tg:{x}:total");
    }
    IS_INT((long long)lines, COUNTER_COUNT,
           "every counter has a code: add a new one's to share.lua "
           "and t/data/ledger/share-codes");
    free(text);
}

/* --- any order, any form --------------------------------------------------------------------- */

static const enum counter used[NAMES] = {
    COUNTER_IN_MESSAGES,      COUNTER_IN_BYTES,         COUNTER_OUT_MESSAGES,
    COUNTER_OUT_BYTES,        COUNTER_IMAP_CONNECTIONS, COUNTER_SMTP_IN_BLOCKED,
    COUNTER_VIOLATIONS_BYTES, COUNTER_BOUNCES_RECEIVED, COUNTER_LOCAL_SENT_BYTES};

struct model {
    const char *user;
    uint64_t number[SHARES], there[SHARES]; /* counted through; the newest that Redis was given */
    uint64_t amount[SHARES][NAMES], shown[SHARES][NAMES];
    char past[SHARES][8][600]; /* what was pushed, by number modulo 8 */
};

static void model_count(struct model *m, unsigned s)
{
    char *text = m->past[s][++m->number[s] % 8];
    size_t len = 0;

    for (unsigned i = 0; i <= dice(3); i++)
        m->amount[s][dice(NAMES)] += 1 + random_next(&dice_source) % (UINT64_C(1) << dice(44));
    for (int i = 0; i < NAMES; i++) {
        if (m->amount[s][i] > 0)
            len += (size_t)snprintf(text + len, 600 - len, "%s%s %" PRIu64, len > 0 ? " " : "",
                                    counter_table[used[i]].name, m->amount[s][i]);
    }
}

/* The newest, or now and then one of the last seven: again, or late. */
static bool model_push(struct model *m, unsigned s, enum form form)
{
    uint64_t number = m->number[s], back = dice(4) == 0 ? dice(7) : 0;
    redisReply *r;
    bool good;

    if (number == 0)
        return true;
    number -= back < number ? back : 0;
    r = push_to(form, "tg:{x}:y", share_names[s], number, m->past[s][number % 8], m->user,
                dice(5) == 0 ? "sweep" : "");
    good = number < m->there[s] ? r->type == REDIS_REPLY_STRING : r->type == REDIS_REPLY_INTEGER;
    if (!good)
        printf("# form %d, number %" PRIu64 ": %s\n", (int)form, number, r->str);
    freeReplyObject(r);
    if (number < m->there[s])
        return good;
    m->there[s] = number;
    memset(m->shown[s], 0, sizeof m->shown[s]);
    for (int i = 0; i < NAMES; i++) {
        char name[60];
        const char *at;

        (void)snprintf(name, sizeof name, "%s ", counter_table[used[i]].name);
        at = strstr(m->past[s][number % 8], name);
        if (at != NULL)
            m->shown[s][i] = strtoull(at + strlen(name), NULL, 10);
    }
    return good;
}

static bool model_is_right(const struct model *m)
{
    for (int i = 0; i < NAMES; i++) {
        uint64_t sum = 0, found = 0;
        redisReply *r = command("HGET|tg:{x}:y|%s%s%s", m->user, m->user[0] != '\0' ? " " : "",
                                counter_table[used[i]].name);

        for (int s = 0; s < SHARES; s++)
            sum += m->shown[s][i];
        (void)slice_number(link_reply_text(r), &found);
        freeReplyObject(r);
        if (sum != found) {
            printf("# %s: %" PRIu64 ", not %" PRIu64 "\n", counter_table[used[i]].name, found, sum);
            return false;
        }
    }
    return true;
}

/* Which forms may be written, as a fleet goes from the old version to the new one and back. */
static const struct {
    const char *what;
    enum form forms[4];
    size_t count;
} phases[] = {{"old nodes", {OLD_VERSION}, 1},
              {"some are new", {OLD_VERSION, NAMES_FORM}, 2},
              {"all are new", {SHORT}, 1},
              {"some do not know yet that an old one has come back", {SHORT, NAMES_FORM}, 2},
              {"all know", {NAMES_FORM}, 1},
              {"an old one works", {OLD_VERSION, NAMES_FORM}, 2},
              {"all are new again", {SHORT}, 1}};

static void phase_run(struct model *m, size_t phase)
{
    bool good = true;

    /* A walk of each; then the forms mix. */
    for (unsigned s = 0; s < SHARES && phases[phase].count == 1; s++)
        good = model_push(m, s, phases[phase].forms[0]) && good;
    for (int round = 0; round < 60 && good; round++) {
        unsigned s = dice(SHARES);

        if (dice(2) == 0)
            model_count(m, s);
        good = model_push(m, s, phases[phase].forms[dice((unsigned)phases[phase].count)]) &&
               model_is_right(m);
    }
    OK(good, phases[phase].what);
}

static void test_any_order(void)
{
    static const char *const users[] = {"", "alice@a.example", "_bob@a.example"};

    for (size_t u = 0; u < 3; u++) {
        struct model *m = calloc(1, sizeof *m);

        must(m == NULL, "memory");
        m->user = users[u];
        for (size_t phase = 0; phase < sizeof phases / sizeof phases[0]; phase++)
            phase_run(m, phase);
        free(m);
        run("DEL|tg:{x}:y");
    }
}

int main(void)
{
    static void (*const tests[])(void) = {test_alone,   test_pieces, test_hand,
                                          test_unknown, test_codes,  test_any_order};
    int result;

    names_source = file_read("push-names.lua");
    result = push_tests_run(tests, sizeof tests / sizeof tests[0]);
    free(names_source);
    return result;
}
