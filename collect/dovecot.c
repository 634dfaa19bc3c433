#include "collect/dovecot.h"

#include "collect/activity.h"
#include "collect/dovecot_event.h"
#include "collect/dovecot_session.h"
#include "collect/dovecot_text.h"

/* At so many bad commands in a row Dovecot disconnects: before the login, after it (measured). */
#define BAD_BEFORE 3
static const unsigned bad_after[] = {[DOVECOT_POP] = 21, [DOVECOT_IMAP] = 20};

static const struct shape login_good = {"dovecot: login", true};
static const struct shape login_aborted = {"dovecot: login aborted", true};
static const struct shape login_proxy = {"dovecot: proxy", true};
static const struct shape login_proxy_unused = {"dovecot: proxy, not counted", false};
static const struct shape login_notice = {"dovecot: login process", false};
static const struct shape session_ended = {"dovecot: session ended", true};
static const struct shape session_notice = {"dovecot: session notice", false};
static const struct shape master_started = {"dovecot: started", true};
static const struct shape master_notice = {"dovecot: master", false};
static const struct shape sieve_forwarded = {"dovecot: sieve forwarded", false};
static const struct shape sieve_notice = {"dovecot: sieve", false};
static const struct shape lmtp_notice = {"dovecot: lmtp", false};
static const struct shape other_notice = {"dovecot: other", false};

static void count(struct machine *m, const struct log_line *line, const struct payer *payer,
                  enum counter id, uint64_t amount)
{
    if (amount > 0)
        m->sink->count(m->sink->to, line->time_ms, payer, id, amount * line->times);
}

/* --- the login processes ------------------------------------------------------------------------
 */

static void login(struct machine *m, const struct log_line *line, enum dovecot_proto proto,
                  const struct dovecot_login *l)
{
    struct payer payer;

    if (owners_login(m->owners, l->user, &payer))
        activity_login(m, line->time_ms, &payer, l->client);
    count(m, line, &payer, dovecot_counters(proto)->connections, 1);
    if (l->session.len > 0)
        dovecot_session_begin(m, line, l->session, proto, &payer);
}

/* Nobody has logged in, so nobody is known: a hosted domain is charged, a user never. */
static void abort_login(struct machine *m, const struct log_line *line, enum dovecot_proto proto,
                        const struct dovecot_login *l)
{
    const struct dovecot_counters *c = dovecot_counters(proto);
    struct slice reason = dovecot_text_reason(l->said);
    struct payer payer = PAYER_NONE;
    uint64_t attempts;
    bool is_refused = dovecot_text_is_refused(l->said, &attempts);

    if (l->user.len > 0)
        (void)owners_login(m->owners, l->user, &payer);
    payer.user = SLICE_NONE;
    count(m, line, &payer, c->connections, 1);
    count(m, line, &payer, c->blocked, is_refused);
    count(m, line, &payer, c->auth_failed, attempts);
    count(m, line, &payer, c->bad_commands, dovecot_text_is_too_many(reason) ? BAD_BEFORE : 0);
    count(m, line, &payer, c->terminations, dovecot_text_is_abnormal(reason));
}

static bool has_level(struct slice rest)
{
    return slice_starts(rest, SLICE("Error: ")) || slice_starts(rest, SLICE("Warning: ")) ||
           slice_starts(rest, SLICE("Debug: ")) || slice_starts(rest, SLICE("Fatal: ")) ||
           slice_starts(rest, SLICE("Panic: "));
}

static uint64_t bytes_both_ways(struct slice rest, bool *are_told)
{
    uint64_t in = 0, out = 0;

    *are_told = dovecot_text_number(rest, SLICE("in="), &in) &&
                dovecot_text_number(rest, SLICE("out="), &out);
    return *are_told ? in + out : 0;
}

/* "proxy(u@host.test,192.0.2.9:143): Started proxying to <192.0.2.9> (0.004 secs): user=<...>" */
static const struct shape *proxy_line(struct machine *m, const struct log_line *line,
                                      enum dovecot_proto proto, struct slice rest,
                                      const struct dovecot_login *l)
{
    ptrdiff_t at = slice_find(rest, ')');
    struct slice said = slice_from(rest, (size_t)(at + 1));
    struct open_entry *e;
    bool are_told;

    if (!m->rules->dovecot_proxy)
        return &login_proxy_unused;
    if (slice_starts(said, SLICE(": Started proxying")) ||
        slice_starts(said, SLICE(": started proxying"))) {
        login(m, line, proto, l);
        return &login_proxy;
    }
    e = open_entry(m->open, OPEN_DOVECOT, l->session);
    if (l->session.len == 0 || e == NULL ||
        (!slice_starts(said, SLICE(": Disconnected")) &&
         !slice_starts(said, SLICE(": disconnect"))))
        return &login_proxy_unused;
    count(m, line, &((struct dovecot_session *)e->thing)->payer, dovecot_counters(proto)->bytes,
          bytes_both_ways(said, &are_told));
    dovecot_session_end(m, e, line->time_ms);
    return &login_proxy;
}

static const struct shape *login_line(struct machine *m, const struct log_line *line,
                                      enum dovecot_proto proto, struct slice rest)
{
    struct dovecot_login l;

    if (has_level(rest) || !dovecot_text_login(rest, &l))
        return &login_notice;
    if (slice_starts(rest, SLICE("proxy(")))
        return proxy_line(m, line, proto, rest, &l);
    if (slice_equal(l.said, SLICE("Login")) || slice_equal(l.said, SLICE("Logged in"))) {
        login(m, line, proto, &l);
        return &login_good;
    }
    abort_login(m, line, proto, &l);
    return &login_aborted;
}

/* --- the sessions -------------------------------------------------------------------------------
 */

/* "retr=1/2833, top=1/221": what was fetched, without commands and lists. */
static uint64_t bytes_fetched(struct slice rest)
{
    uint64_t fetched = 0, top = 0;

    (void)dovecot_text_bytes(rest, SLICE("retr="), &fetched);
    (void)dovecot_text_bytes(rest, SLICE("top="), &top);
    return fetched + top;
}

/* Bytes of the last line; of a session that an event has told of already none. */
static uint64_t bytes_of(struct dovecot_session *s, enum dovecot_proto proto, struct slice rest,
                         bool *are_exact)
{
    uint64_t bytes = bytes_both_ways(rest, are_exact);

    if (s != NULL && s->has_exact_bytes)
        return 0;
    if (!*are_exact && proto == DOVECOT_POP)
        bytes = bytes_fetched(rest);
    if (s != NULL) {
        s->bytes = bytes;
        s->has_exact_bytes = *are_exact;
    }
    return bytes;
}

static void end_session(struct machine *m, const struct log_line *line, enum dovecot_proto proto,
                        const struct dovecot_text *t)
{
    const struct dovecot_counters *c = dovecot_counters(proto);
    struct open_entry *e =
        t->session.len > 0 ? open_entry(m->open, OPEN_DOVECOT, t->session) : NULL;
    struct dovecot_session *s = e != NULL ? e->thing : NULL;
    struct slice reason = dovecot_text_reason(t->rest);
    struct payer payer;
    bool are_exact, is_exported = proto == DOVECOT_IMAP && dovecot_event_exports(m, line);

    if (s != NULL)
        payer = s->payer;
    else
        (void)owners_login(m->owners, t->user, &payer);
    if (e == NULL && t->session.len > 0)
        s = dovecot_session_end_first(m, line, t->session, proto, &payer);
    count(m, line, &payer, c->bytes, bytes_of(s, proto, t->rest, &are_exact));
    count(m, line, &payer, c->terminations, dovecot_text_is_abnormal(reason));
    count(m, line, &payer, c->bad_commands,
          dovecot_text_is_too_many(reason) && !is_exported ? bad_after[proto] : 0);
    if (e == NULL)
        return;
    if (proto == DOVECOT_POP && !are_exact)
        dovecot_session_linger(m, e, line->time_ms);
    else
        dovecot_session_end(m, e, line->time_ms);
}

static bool is_end(struct slice rest)
{
    return slice_starts(rest, SLICE("Disconnected")) || slice_starts(rest, SLICE("Logged out")) ||
           slice_starts(rest, SLICE("Connection closed"));
}

static const struct shape *session_line(struct machine *m, const struct log_line *line,
                                        enum dovecot_proto proto, const struct dovecot_text *t)
{
    struct open_entry *e;

    if (is_end(t->rest)) {
        end_session(m, line, proto, t);
        return &session_ended;
    }
    e = t->session.len > 0 ? open_entry(m->open, OPEN_DOVECOT, t->session) : NULL;
    if (e != NULL)
        open_touch(m->open, e, line->time_ms);
    return &session_notice;
}

/* --- the others ---------------------------------------------------------------------------------
 */

static const struct shape *master_line(struct machine *m, const struct log_line *line,
                                       struct slice rest)
{
    struct slice word;

    if (!slice_starts(rest, SLICE("Dovecot v")))
        return &master_notice;
    while (slice_cut(&rest, ' ', &word)) {
        if (!slice_equal(word, SLICE("starting")) || !slice_starts(rest, SLICE("up")))
            continue;
        dovecot_session_end_all(m, line);
        return &master_started;
    }
    return &master_notice;
}

/* "sieve: msgid=<1@a>: redirect action: forwarded to <x@ext.test>" */
static const struct shape *sieve_line(struct slice rest)
{
    struct slice word;

    while (slice_cut(&rest, ' ', &word)) {
        if (slice_equal(word, SLICE("forwarded")) && slice_starts(rest, SLICE("to <")))
            return &sieve_forwarded;
    }
    return &sieve_notice;
}

static const struct shape *delivery_line(struct slice rest)
{
    if (slice_starts(rest, SLICE("Error: ")))
        rest = slice_from(rest, sizeof "Error: " - 1);
    return slice_starts(rest, SLICE("sieve: ")) ? sieve_line(rest) : &lmtp_notice;
}

static const struct {
    struct slice process;
    enum { PART_LOGIN, PART_SESSION } part;
    enum dovecot_proto proto;
} processes[] = {
    {{"imap-login", 10}, PART_LOGIN, DOVECOT_IMAP},
    {{"pop3-login", 10}, PART_LOGIN, DOVECOT_POP},
    {{"imap", 4}, PART_SESSION, DOVECOT_IMAP},
    {{"pop3", 4}, PART_SESSION, DOVECOT_POP},
    {{"imap-hibernate", 14}, PART_SESSION, DOVECOT_IMAP},
};

static const struct shape *other_line(struct machine *m, const struct log_line *line,
                                      const struct dovecot_text *t)
{
    if (slice_equal(t->process, SLICE("stats")) && t->rest.len > 0 && t->rest.ptr[0] == '{')
        return dovecot_event(m, line, t->rest);
    if (slice_equal(t->process, SLICE("master")))
        return master_line(m, line, t->rest);
    if (slice_equal(t->process, SLICE("lmtp")) || slice_equal(t->process, SLICE("lda")))
        return delivery_line(t->rest);
    return &other_notice;
}

const struct shape *dovecot_line(struct machine *m, const struct log_line *line)
{
    struct dovecot_text t;

    if (line->daemon != DAEMON_DOVECOT || !dovecot_text_read(line->text, &t))
        return NULL;
    for (size_t i = 0; i < sizeof processes / sizeof processes[0]; i++) {
        if (!slice_equal(processes[i].process, t.process))
            continue;
        if (processes[i].part == PART_LOGIN)
            return login_line(m, line, processes[i].proto, t.rest);
        return session_line(m, line, processes[i].proto, &t);
    }
    return other_line(m, line, &t);
}

void dovecot_types(struct open_book *b)
{
    dovecot_session_type(b);
}

void dovecot_tick(struct machine *m, int64_t now_ms)
{
    dovecot_session_tick(m, now_ms);
}
