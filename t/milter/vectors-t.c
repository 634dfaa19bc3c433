/* All cases of t/data through a session: as Postfix sends them, one connection a case and all over
 * one connection a kind of client, and as Sendmail does. */
#include "t/tap.h"

#include "t/milter/play.h"

static struct vectors vectors;

static void macros_set(struct play *p, const struct vector *x, const char *version)
{
    p->macros = (struct session_macros){.version = slice_str(version)};
    if (x->auth.len > 0)
        p->macros.auth_authen = x->auth;
}

static void connect_as(struct play *p, const struct vector *x)
{
    char ip[64];

    (void)snprintf(ip, sizeof ip, "%.*s", SLICE_FMT(x->client));
    if (x->smtp)
        (void)play_connect(p, "client.test",
                           slice_find(x->client, ':') < 0 ? FAMILY_INET : FAMILY_INET6, 4711, ip);
    else
        (void)play_connect(p, "localhost", FAMILY_INET, 0, "127.0.0.1");
}

/* Angle brackets over SMTP, none from the sendmail command. */
static struct slice path_of(const struct vector *x, struct slice address, struct buf *room)
{
    buf_reset(room);
    if (x->smtp && slice_find(address, '<') < 0)
        buf_addf(room, "<%.*s>", SLICE_FMT(address));
    else
        buf_add(room, address);
    return buf_slice(room);
}

static struct session_action send(struct play *p, const struct vector *x)
{
    struct session_world w = {p->hosted, play_release, p, false};
    uint64_t head = 2;
    struct buf room;

    buf_init(&room, 4096);
    p->held++;
    (void)session_mail(p->session, &w, path_of(x, x->from, &room), &p->macros);
    for (size_t i = 0; i < x->to_count; i++)
        (void)session_rcpt(p->session, path_of(x, x->to[i], &room), &p->macros);
    buf_fini(&room);
    for (size_t i = 0; i < x->header_count; i++) {
        session_header(p->session, x->headers[i].name, x->headers[i].value, 0);
        head += x->headers[i].name.len + 1 + x->headers[i].value.len + 2;
    }
    session_body(p->session, (x->bytes - head) / 3);
    session_body(p->session, x->bytes - head - (x->bytes - head) / 3);
    p->macros.queue_id = SLICE("4vector");
    return play_end(p);
}

/* Besides what its message makes of them, an SMTP session counts once for each account. */
static uint64_t wanted(const struct vector *x, const struct vector_account *a, enum counter id)
{
    bool is_node = slice_equal(a->account, SLICE(ACCOUNT_NODE));

    if (id != COUNTER_SMTP_IN_CONNECTIONS)
        return a->want.value[id];
    return x->smtp && !is_node && !tally_is_empty(&a->want);
}

static bool same_accounts(const struct play *p, const struct vector *x)
{
    bool same = true;

    for (size_t i = 0; i < x->expect_count; i++) {
        char account[256];

        (void)snprintf(account, sizeof account, "%.*s", SLICE_FMT(x->expect[i].account));
        for (int c = 0; c < COUNTER_COUNT; c++) {
            uint64_t got = play_counter(p, account, (enum counter)c);
            uint64_t want = wanted(x, &x->expect[i], (enum counter)c);

            if (got != want)
                printf("# %s %s: got %" PRIu64 ", want %" PRIu64 "\n", account,
                       counter_table[c].name, got, want);
            same = same && got == want;
        }
    }
    return same;
}

static bool is_expected(const struct vector *x, struct slice account)
{
    for (size_t i = 0; i < x->expect_count; i++) {
        if (slice_equal(x->expect[i].account, account))
            return true;
    }
    return slice_equal(account, SLICE(ACCOUNT_NODE));
}

static bool no_others(const struct play *p, const struct vector *x)
{
    bool none = true;

    for (size_t i = 0; i < p->record.leg_count; i++) {
        if (!is_expected(x, p->record.legs[i].account)) {
            printf("# unexpected account %.*s\n", SLICE_FMT(p->record.legs[i].account));
            none = false;
        }
    }
    return none;
}

static void judge(const struct play *p, const struct vector *x, struct session_action a,
                  const char *how)
{
    char what[256];
    bool good = a.what == SESSION_CONTINUE && p->record.bytes == x->bytes && same_accounts(p, x) &&
                no_others(p, x) && slice_equal(p->record.queue_id, SLICE("4vector"));

    (void)snprintf(what, sizeof what, "%s: %.*s", how, SLICE_FMT(x->name));
    OK(good, what);
}

/* How: one connection for all (the client is told anew by connect, as after XCLIENT), or each its
 * own. */
static void run(const char *version, bool one_session, const char *how)
{
    struct play p;
    unsigned before;

    play_init(&p, vectors.hosted);
    p.vectors = &vectors;
    for (size_t i = 0; i < vectors.count; i++) {
        const struct vector *x = &vectors.list[i];

        if (!one_session) {
            session_free(p.session);
            p.session = session_new((size_t)16 << 20);
        }
        macros_set(&p, x, version);
        connect_as(&p, x);
        before = p.records;
        judge(&p, x, send(&p, x), how);
        if (p.records != before + 1)
            OK(false, "exactly one record");
    }
    session_close(p.session);
    IS_INT(p.held, 0, "no hosted is held after all");
    play_fini(&p);
}

int main(void)
{
    vectors_load(&vectors);
    run("Postfix 3.7.11", false, "a session each");
    run("Postfix 3.7.11", true, "one session");
    run("8.17.1.9", true, "Sendmail");
    vectors_fini(&vectors);
    return tap_done();
}
