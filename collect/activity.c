#include "collect/activity.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/hash.h"

#define HOUR_MS   INT64_C(3600000)
#define WEEK_MS   (INT64_C(7) * 24 * HOUR_MS)
#define MAP_BITS  512
#define V6_PREFIX 64
#define KEY_BYTES 1100
#define VERSION   1
#define PEAKS     (ACTIVITY_WEEKS + 1) /* the present week's first */
#define SINCE_KEY SLICE("")            /* when watching began; no subject's name is empty */

/* What is known of a subject. */
struct activity {
    int64_t hour;                            /* since 1970; of the values */
    uint64_t value[ACTIVITY_METRICS];        /* in that hour */
    uint8_t clients[MAP_BITS / 8];           /* in that hour */
    uint32_t told;                           /* bits: metrics told in that hour */
    int64_t week;                            /* since 1970; of peaks[0] */
    uint64_t peaks[PEAKS][ACTIVITY_METRICS]; /* the busiest hour of each week */
};

const char *activity_metric_name(enum activity_metric metric)
{
    static const char *const names[ACTIVITY_METRICS] = {"connections", "recipients", "clients"};

    return names[metric];
}

/* --- saved -------------------------------------------------------------------------------------
 */

static void encode(const void *thing, struct buf *out)
{
    const struct activity *a = thing;

    buf_add_varint(out, VERSION);
    buf_add_varint(out, (uint64_t)a->hour);
    buf_add_varint(out, (uint64_t)a->week);
    buf_add_varint(out, a->told);
    for (size_t i = 0; i < ACTIVITY_METRICS; i++) {
        buf_add_varint(out, a->value[i]);
        for (size_t w = 0; w < PEAKS; w++)
            buf_add_varint(out, a->peaks[w][i]);
    }
    if (a->value[ACTIVITY_CLIENTS] > 0)
        buf_add(out, (struct slice){(const char *)a->clients, sizeof a->clients});
}

static bool take(struct slice *s, uint64_t *value)
{
    return slice_take_varint(s, value);
}

static bool read_values(struct slice *s, struct activity *a)
{
    uint64_t version, hour, week, told;
    bool good = take(s, &version) && version == VERSION && take(s, &hour) && take(s, &week) &&
                take(s, &told);

    for (size_t i = 0; i < ACTIVITY_METRICS && good; i++) {
        good = take(s, &a->value[i]);
        for (size_t w = 0; w < PEAKS && good; w++)
            good = take(s, &a->peaks[w][i]);
    }
    if (!good)
        return false;
    a->hour = (int64_t)hour;
    a->week = (int64_t)week;
    a->told = (uint32_t)told;
    return true;
}

static void *decode(struct slice bytes)
{
    struct activity *a = calloc(1, sizeof *a);
    struct slice map;

    if (a == NULL)
        return NULL;
    if (!read_values(&bytes, a)) {
        free(a);
        return NULL;
    }
    if (slice_take(&bytes, sizeof a->clients, &map))
        memcpy(a->clients, map.ptr, sizeof a->clients);
    return a;
}

static const struct open_thing type = {encode, decode, free};

void activity_init(struct machine *m)
{
    open_type(m->open, OPEN_ACTIVITY, &type);
}

/* --- clients -----------------------------------------------------------------------------------
 */

/* Linear counting: -n ln(free / n), in steps of one. */
static uint64_t clients_estimate(unsigned set)
{
    double estimate = 0;

    for (unsigned i = 0; i < set && i < MAP_BITS - 1; i++)
        estimate += (double)MAP_BITS / (MAP_BITS - i);
    return (uint64_t)(estimate + 0.5);
}

static unsigned clients_set(const struct activity *a)
{
    unsigned set = 0;

    for (size_t i = 0; i < sizeof a->clients; i++) {
        for (unsigned byte = a->clients[i]; byte != 0; byte &= byte - 1)
            set++;
    }
    return set;
}

static void client_add(struct activity *a, struct slice client)
{
    char room[NETWORKS_TEXT_ROOM];
    uint64_t bit = hash_add(HASH_BEGIN, networks_client_text(client, V6_PREFIX, room)) % MAP_BITS;

    a->clients[bit / 8] |= (uint8_t)(1U << bit % 8);
    a->value[ACTIVITY_CLIENTS] = clients_estimate(clients_set(a));
}

/* --- hours and weeks ---------------------------------------------------------------------------
 */

static void week_enter(struct activity *a, int64_t week)
{
    int64_t passed = week - a->week;

    if (passed <= 0)
        return;
    for (int64_t w = PEAKS - 1; w >= 0; w--) {
        if (w >= passed)
            memcpy(a->peaks[w], a->peaks[w - passed], sizeof a->peaks[w]);
        else
            memset(a->peaks[w], 0, sizeof a->peaks[w]);
    }
    a->week = week;
}

/* The hour that is over becomes part of what is usual. */
static void hour_enter(struct activity *a, int64_t hour)
{
    for (size_t i = 0; i < ACTIVITY_METRICS; i++) {
        if (a->value[i] > a->peaks[0][i])
            a->peaks[0][i] = a->value[i];
        a->value[i] = 0;
    }
    memset(a->clients, 0, sizeof a->clients);
    a->told = 0;
    a->hour = hour;
    week_enter(a, hour * HOUR_MS / WEEK_MS);
}

static uint64_t usual(const struct activity *a, enum activity_metric metric)
{
    uint64_t most = 0;

    for (size_t w = 0; w < PEAKS; w++)
        most = a->peaks[w][metric] > most ? a->peaks[w][metric] : most;
    return most;
}

/* --- subjects ----------------------------------------------------------------------------------
 */

static struct activity *activity_new(int64_t hour)
{
    struct activity *a = calloc(1, sizeof *a);

    if (a == NULL)
        return NULL;
    a->hour = hour;
    a->week = hour * HOUR_MS / WEEK_MS;
    return a;
}

/* Idle for longer than what is compared, or too many. */
static void forget_idle(struct machine *m, int64_t now_ms)
{
    struct open_entry *e = open_oldest(m->open, OPEN_ACTIVITY);

    /* The oldest of all is when watching began. */
    if (e != NULL && e->key.len == 0)
        e = e->newer;
    if (e != NULL && (now_ms - e->touched_ms > (ACTIVITY_WEEKS + 1) * WEEK_MS ||
                      open_count(m->open, OPEN_ACTIVITY) > ACTIVITY_SUBJECTS))
        open_drop(m->open, e);
}

static struct open_entry *entry_of(struct machine *m, struct slice key, int64_t time_ms)
{
    struct open_entry *e = open_entry(m->open, OPEN_ACTIVITY, key);
    struct activity *a = e == NULL ? activity_new(time_ms / HOUR_MS) : NULL;

    return a != NULL ? open_add(m->open, OPEN_ACTIVITY, key, a, time_ms) : e;
}

/* Is there enough to compare with? The first weeks of the collector are not. */
static bool has_learned(struct machine *m, int64_t time_ms)
{
    const struct open_entry *since = entry_of(m, SINCE_KEY, time_ms);

    return since != NULL && time_ms - since->touched_ms >= m->rules->activity.learn_ms;
}

/* Without a minimum, the usual alone decides; some mail is always allowed. */
static uint64_t threshold_of(const struct activity_rules *rules, const struct activity *a,
                             enum activity_metric metric)
{
    uint64_t least = rules->least[metric] > 0 ? rules->least[metric] : 1;
    uint64_t most = rules->factor * usual(a, metric);

    return most > least ? most : least;
}

static void judge(struct machine *m, struct activity *a, const struct payer *subject,
                  int64_t time_ms)
{
    const struct activity_rules *rules = &m->rules->activity;

    for (size_t i = 0; i < ACTIVITY_METRICS; i++) {
        struct anomaly found = {.time_ms = time_ms,
                                .hour_ms = a->hour * HOUR_MS,
                                .subject = *subject,
                                .metric = (enum activity_metric)i,
                                .value = a->value[i],
                                .usual = usual(a, (enum activity_metric)i),
                                .threshold = threshold_of(rules, a, (enum activity_metric)i),
                                .recipients = threshold_of(rules, a, ACTIVITY_RECIPIENTS)};

        if (rules->least[i] == 0 || found.value <= found.threshold || (a->told & (1U << i)) != 0)
            continue;
        a->told |= 1U << i;
        if (m->sink->anomaly != NULL)
            m->sink->anomaly(m->sink->to, &found);
    }
}

struct activity_news {
    int64_t time_ms;
    uint64_t connections, recipients;
    struct slice client;
};

static void subject_note(struct machine *m, const struct payer *subject,
                         const struct activity_news *news)
{
    struct open_entry *e =
        entry_of(m, subject->user.len > 0 ? subject->user : subject->domain, news->time_ms);
    int64_t hour = news->time_ms / HOUR_MS;
    struct activity *a;

    if (e == NULL)
        return;
    a = e->thing;
    if (hour > a->hour)
        hour_enter(a, hour);
    else if (hour < a->hour)
        return;
    a->value[ACTIVITY_CONNECTIONS] += news->connections;
    a->value[ACTIVITY_RECIPIENTS] += news->recipients;
    if (news->client.len > 0)
        client_add(a, news->client);
    if (has_learned(m, news->time_ms))
        judge(m, a, subject, news->time_ms);
    open_touch(m->open, e, news->time_ms);
}

static void note(struct machine *m, const struct payer *payer, const struct activity_news *news)
{
    if (m->rules->activity.factor == 0 || payer->domain.len == 0)
        return;
    (void)entry_of(m, SINCE_KEY, news->time_ms);
    subject_note(m, &(struct payer){payer->domain, SLICE_NONE}, news);
    if (payer->user.len > 0)
        subject_note(m, payer, news);
    forget_idle(m, news->time_ms);
}

void activity_login(struct machine *m, int64_t time_ms, const struct payer *payer,
                    struct slice client)
{
    note(m, payer, &(struct activity_news){.time_ms = time_ms, .connections = 1, .client = client});
}

void activity_sent(struct machine *m, int64_t time_ms, const struct payer *payer,
                   uint64_t recipients)
{
    note(m, payer, &(struct activity_news){.time_ms = time_ms, .recipients = recipients});
}
