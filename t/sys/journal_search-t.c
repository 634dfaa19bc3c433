/* Searches of a journal, with indexes and without, against a plain pass over all records. */
#include "lib/sys/journal_search.h"
#include "t/random.h"
#include "t/sys/journal_fixture.h"
#include "t/tap.h"

#define RECORDS       24000
#define SEGMENT_BYTES 600000
#define ACCOUNTS      40
#define QUEUE_IDS     6000 /* so that some come twice */
#define HELD_FOR      4000 /* records; then it is released in another block */
#define SEARCHES      30

/* What was appended. */
static struct written {
    enum record_kind kind;
    int64_t time_ms;
    uint64_t held_number;
    unsigned account, user, queue_id;
    bool counts;
} written[RECORDS + 1];

static void names_make(const struct written *w, char account[32], char user[64], char queue_id[32])
{
    (void)snprintf(account, 32, "d%u.example", w->account);
    (void)snprintf(user, 64, "u%u@d%u.example", w->user, w->account);
    (void)snprintf(queue_id, 32, "4q%08X", w->queue_id);
}

/* The newest held message that nothing has let go; 0: none. */
static uint64_t held_number(uint64_t before)
{
    for (uint64_t n = before; n-- > 1;) {
        if (written[n].kind == RECORD_HELD)
            return n;
    }
    return 0;
}

static void record_choose(struct written *w, uint64_t number, struct random_source *random)
{
    unsigned dice = random_below(random, 100);
    uint64_t held = held_number(number > HELD_FOR ? number - HELD_FOR : number);

    *w = (struct written){.account = random_below(random, ACCOUNTS),
                          .user = random_below(random, 20),
                          .queue_id = random_below(random, QUEUE_IDS),
                          .kind = dice < 2   ? RECORD_HELD
                                  : dice < 6 ? RECORD_EVENT
                                             : RECORD_MESSAGE};
    /* In the first half alone: blocks that let messages go are read in any case. */
    if (dice >= 97 && held > 0 && number < RECORDS / 2) {
        w->kind = dice < 99 ? RECORD_RELEASE : RECORD_FORGET;
        w->held_number = held;
    }
}

static void append(struct journal *j, uint64_t number, struct random_source *random)
{
    static uint64_t settled[RECORDS + 1];
    char account[32], user[64], queue_id[32];
    struct written *w = &written[number];
    struct leg legs[2] = {{.kind = LEG_IN, .messages = 1, .recipients = 1, .bytes = number},
                          {.kind = LEG_IN, .messages = 1, .recipients = 1, .bytes = number}};
    struct record r = {.bytes = number, .legs = legs, .leg_count = 2};
    struct err err;

    record_choose(w, number, random);
    names_make(w, account, user, queue_id);
    legs[0].account = legs[1].account = slice_str(account);
    legs[1].user = slice_str(user);
    r.kind = w->kind;
    r.queue_id = slice_str(queue_id);
    r.held_number = w->held_number;
    r.held_by = slice_str(account);
    if (journal_append(j, &r, -1, &err) != 0)
        abort();
    TG_ASSERT(r.number == number);
    w->time_ms = r.time_ms;
    w->counts =
        w->kind == RECORD_MESSAGE || (w->kind == RECORD_RELEASE && settled[w->held_number]++ == 0);
    if (w->kind == RECORD_FORGET)
        settled[w->held_number]++;
}

static void journal_fill(void)
{
    struct journal *j = fixture_open(SEGMENT_BYTES, SYNC_NEVER);
    struct random_source random = {7};

    for (uint64_t number = 1; number <= RECORDS; number++)
        append(j, number, &random);
    journal_close(j);
}

/* --- a search -------------------------------------------------------------------------------- */

enum what { ANY, ACCOUNT, USER, QUEUE_ID, ACCOUNT_AND_USER };

struct asked {
    enum what what;
    struct written like;
    int64_t from_ms, to_ms;
    bool seen[RECORDS + 1];
    uint64_t given, wrong;
};

static bool legs_same(const struct record *r, const struct written *w, uint64_t number)
{
    char account[32], user[64], queue_id[32];

    names_make(w, account, user, queue_id);
    return r != NULL && r->leg_count == 2 && slice_equal(r->legs[0].account, slice_str(account)) &&
           slice_equal(r->legs[1].user, slice_str(user)) && r->legs[0].bytes == number;
}

static int take(void *context, const struct journal_found *found, struct err *err)
{
    struct asked *a = context;
    uint64_t number = found->record->number;
    const struct written *w = &written[number];

    (void)err;
    a->given++;
    a->wrong += a->seen[number] || found->counts != w->counts || found->record->kind != w->kind ||
                found->record->time_ms < a->from_ms || found->record->time_ms >= a->to_ms;
    if (w->kind == RECORD_RELEASE && w->counts)
        a->wrong += !legs_same(found->held, &written[w->held_number], w->held_number);
    a->seen[number] = true;
    return 0;
}

/* The message whose names count: of a release, the held one. */
static bool is_wanted(const struct asked *a, const struct written *w)
{
    const struct written *of = w->kind == RECORD_RELEASE ? &written[w->held_number] : w;

    if (!w->counts || w->time_ms < a->from_ms || w->time_ms >= a->to_ms)
        return false;
    if (a->what == QUEUE_ID)
        return of->queue_id == a->like.queue_id;
    return (a->what == ANY || of->account == a->like.account) &&
           (a->what != USER && a->what != ACCOUNT_AND_USER ? true : of->user == a->like.user);
}

static void keys_set(const struct asked *a, struct journal_search *s)
{
    char account[32], user[64], queue_id[32];

    names_make(&a->like, account, user, queue_id);
    if (a->what == ACCOUNT || a->what == ACCOUNT_AND_USER)
        s->keys[s->key_count++] = journal_key(JOURNAL_KEY_ACCOUNT, slice_str(account));
    if (a->what == USER || a->what == ACCOUNT_AND_USER)
        s->keys[s->key_count++] = journal_key(JOURNAL_KEY_USER, slice_str(user));
    if (a->what == QUEUE_ID)
        s->keys[s->key_count++] = journal_key(JOURNAL_KEY_QUEUE_ID, slice_str(queue_id));
}

/* How many faults; *given: records that the search handed out. */
static uint64_t search(struct random_source *random, uint64_t *given)
{
    static struct asked a;
    struct journal_search s = {.take = take, .context = &a};
    uint64_t first = 1 + random_below(random, RECORDS), last = 1 + random_below(random, RECORDS);
    uint64_t missing = 0;
    struct err err;

    a = (struct asked){.what = (enum what)random_below(random, 5), .like = written[first]};
    a.from_ms = random_below(random, 3) == 0 ? 0 : written[first].time_ms;
    a.to_ms = random_below(random, 3) == 0 ? INT64_MAX : written[last].time_ms + 1;
    s.from_ms = a.from_ms;
    s.to_ms = a.to_ms;
    keys_set(&a, &s);
    if (journal_search_run(fixture_dir, &s, &err) != 0)
        return RECORDS;
    for (uint64_t number = 1; number <= RECORDS; number++)
        missing += is_wanted(&a, &written[number]) && !a.seen[number];
    *given += a.given;
    return missing + a.wrong;
}

/* Held messages that were released, by their queue ids. */
static uint64_t searches_of_released(void)
{
    static struct asked a;
    uint64_t faults = 0, looked = 0;
    struct err err;

    for (uint64_t number = RECORDS / 4; number <= RECORDS && looked < SEARCHES; number++) {
        struct journal_search s = {.to_ms = INT64_MAX, .take = take, .context = &a};

        if (written[number].kind != RECORD_RELEASE || !written[number].counts)
            continue;
        looked++;
        a = (struct asked){
            .what = QUEUE_ID, .like = written[written[number].held_number], .to_ms = INT64_MAX};
        keys_set(&a, &s);
        faults += journal_search_run(fixture_dir, &s, &err) != 0 || !a.seen[number];
    }
    return looked > 10 ? faults : RECORDS;
}

static uint64_t searches(uint64_t *given)
{
    struct random_source random = {42};
    uint64_t faults = 0;

    *given = 0;
    for (int i = 0; i < SEARCHES; i++)
        faults += search(&random, given);
    return faults;
}

/* --- indexes --------------------------------------------------------------------------------- */

static void index_path(uint64_t segment, char path[128])
{
    (void)snprintf(path, 128, "%s/%020" PRIu64 ".index", fixture_dir, segment);
}

static size_t indexes(const uint64_t *segments, size_t count)
{
    char path[128];
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        index_path(segments[i], path);
        found += access(path, F_OK) == 0;
    }
    return found;
}

static void test_made(const uint64_t *segments, size_t count)
{
    uint64_t from = 0;
    struct err err;
    size_t made = 0;
    int rc;

    while ((rc = journal_index_step(fixture_dir, &from, segments[count - 1], &err)) > 0)
        made++;
    IS_INT(rc, 0, "every full segment has an index");
    IS_INT(made, count - 1, "one at a time");
    IS_INT(indexes(segments, count), count - 1, "the newest segment has none");
    IS_INT(from, segments[count - 1], "nothing is looked at again");
}

/* Changed at each byte in turn (every `step`th), an index is not used, or right all the same. */
static void test_damaged(uint64_t segment)
{
    struct journal_index *index;
    struct stat st;
    struct buf file;
    char path[128];
    size_t taken = 0;

    buf_init(&file, 64 << 20);
    index_path(segment, path);
    TG_ASSERT(file_read(path, &file, NULL) == 0);
    (void)snprintf(path, sizeof path, "%s/%020" PRIu64 ".journal", fixture_dir, segment);
    TG_ASSERT(stat(path, &st) == 0);
    index = journal_index_parse(buf_slice(&file), segment, (uint64_t)st.st_size);
    OK(index != NULL && index->count > 1, "an index of several blocks");
    journal_index_free(index);
    OK(journal_index_parse(buf_slice(&file), segment, (uint64_t)st.st_size - 1) == NULL,
       "not for a segment of another size");
    OK(journal_index_parse(buf_slice(&file), segment + 1, (uint64_t)st.st_size) == NULL,
       "nor of another number");
    for (size_t i = 0; i < file.len; i += 1 + file.len / 500) {
        file.data[i] ^= 0x10;
        index = journal_index_parse(buf_slice(&file), segment, (uint64_t)st.st_size);
        taken += index != NULL;
        journal_index_free(index);
        file.data[i] ^= 0x10;
    }
    IS_INT(taken, 0, "nor one with a changed byte");
    buf_fini(&file);
}

static void test_trimmed(const uint64_t *segments, size_t count)
{
    struct journal_keep keep = {.max_bytes = 0};
    struct err err;

    IS_INT(journal_trim(fixture_dir, (struct journal_position){segments[1], 0, segments[1]}, &keep,
                        &err),
           0, "the first segment is trimmed");
    IS_INT(indexes(segments, count), count - 2, "and its index with it");
}

static void test_oldest(uint64_t want)
{
    struct err err;
    struct journal_oldest oldest;

    IS_INT(journal_search_oldest(fixture_dir, &oldest, &err), 0, "the oldest record is found");
    IS_INT(oldest.number, want, "with its number");
    IS_INT(oldest.time_ms, written[want].time_ms, "and time");
}

/* The held record is gone with its segment: its release is given alone. */
static void test_release_alone(uint64_t kept_from)
{
    static struct asked a;
    struct journal_search s = {.from_ms = 0, .to_ms = INT64_MAX, .take = take, .context = &a};
    uint64_t releases = 0;
    struct err err;

    a = (struct asked){.what = ANY, .to_ms = INT64_MAX};
    for (uint64_t n = kept_from; n <= RECORDS; n++) {
        if (written[n].kind == RECORD_RELEASE && written[n].held_number < kept_from) {
            written[n].kind = RECORD_KINDS;
            releases++;
        }
    }
    IS_INT(journal_search_run(fixture_dir, &s, &err), 0, "what is left is searched");
    IS_INT(a.wrong, releases, "releases of what is gone have no held message");
}

int main(void)
{
    uint64_t *segments, plain, narrow;
    struct err err;
    size_t count;

    fixture_init();
    journal_fill();
    if (journal_segments_list(fixture_dir, &segments, &count, &err) != 0 || count < 3)
        abort();
    IS_INT(searches(&plain), 0, "searches without indexes");
    test_oldest(1);
    test_made(segments, count);
    IS_INT(searches(&narrow), 0, "searches with indexes");
    IS_INT(searches_of_released(), 0, "of messages that were held, too");
    OK(narrow < plain, "they read less");
    test_damaged(segments[0]);
    test_trimmed(segments, count);
    test_oldest(segments[1]);
    test_release_alone(segments[1]);
    free(segments);
    fixture_fini();
    return tap_done();
}
