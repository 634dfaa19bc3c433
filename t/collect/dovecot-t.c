/* POP and IMAP sessions as Dovecot 2.3 and 2.4 log them, line by line and counted. */
#include "t/collect/machine_fixture.h"

#include "collect/dovecot.h"

static const struct fixture_part part = {dovecot_line, dovecot_tick, dovecot_types};
static struct fixture f;

#define AT(time)   "Nov 28 " time " "
#define TAIL(id)   ", rip=192.0.2.7, lip=192.0.2.1, secured, session=<" id ">\n"
#define USER       "user=<u@host.test>, method=PLAIN"
#define IN(id)     "imap-login: Info: Login: " USER TAIL(id)
#define IMAP(id)   "imap(u@host.test)<15><" id ">: Info: "
#define POP_IN(id) "pop3-login: Info: Logged in: " USER TAIL(id)
#define POP(id)    "pop3(u@host.test)<15><" id ">: Info: "

static void shape_is(const char *log, const char *want)
{
    fixture_init(&f, &part);
    fixture_run(&f, FIXTURE_WHOLE, slice_str(log));
    IS_SLICE(slice_trim(buf_slice(&f.shapes)), slice_str(want), log);
    fixture_fini(&f);
}

/* The amount of one counter of the node after the log. */
static uint64_t sum(enum fixture_way way, const char *log, enum counter id)
{
    uint64_t amount;

    fixture_init(&f, &part);
    fixture_run(&f, way, slice_str(log));
    amount = fixture_sum(&f, "node", id);
    fixture_fini(&f);
    return amount;
}

/* --- logins ------------------------------------------------------------------------------------
 */

static const struct {
    const char *said;
    int refused, attempts, abnormal, bad;
} aborted[] = {
    {"Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)", 1, 1, 0, 0},
    {"Disconnected: Aborted login by logging out (auth failed, 2 attempts in 6 secs)", 1, 2, 0, 0},
    {"Disconnected: Aborted login by logging out (no auth attempts in 0 secs)", 0, 0, 0, 0},
    {"Disconnected: Too many invalid commands (no auth attempts in 0 secs)", 0, 0, 1, 3},
    {"Disconnected: Disconnected: Too many bad commands (no auth attempts in 0 secs)", 0, 0, 1, 3},
    {"Disconnected: Connection closed: read(size=963) failed: Connection reset by peer (no auth "
     "attempts in 1 secs)",
     0, 0, 1, 0},
    {"Disconnected: Inactivity (no auth attempts in 180 secs)", 0, 0, 1, 0},
    {"Disconnected: Inactivity (auth failed, 1 attempts in 180 secs)", 1, 1, 1, 0},
    {"Disconnected (auth failed, 3 attempts in 9 secs)", 1, 3, 0, 0},
    {"Aborted login (no auth attempts in 3 secs)", 0, 0, 0, 0},
    {"Disconnected: Connection closed (tried to use disallowed plaintext auth)", 1, 0, 0, 0},
    {"Disconnected: Connection closed (client didn't finish SASL auth, waited 2 secs)", 0, 0, 0, 0},
    {"Maximum number of connections from user+IP exceeded (mail_max_userip_connections=1)", 1, 0, 0,
     0},
    {"Login aborted: Logged out (auth failed, 1 attempts in 5 secs) (auth_failed)", 1, 1, 0, 0},
    {"Login aborted: Logged out (no auth attempts in 0 secs) (no_auth_attempts)", 0, 0, 0, 0},
    {"Login aborted: Disconnected: Too many bad commands (no auth attempts in 0 secs) "
     "(no_auth_attempts)",
     0, 0, 1, 3},
    {"Login aborted: Too many invalid commands (no auth attempts in 1 secs) (no_auth_attempts)", 0,
     0, 1, 3},
    {"Login aborted: Connection closed: read(size=963) failed: Connection reset by peer (no auth "
     "attempts in 0 secs) (no_auth_attempts)",
     0, 0, 1, 0},
};

static void add_rows(struct buf *b, const char *account, const char *proto, size_t i)
{
    buf_addf(b, "%s %s_connections 1\n", account, proto);
    if (aborted[i].refused)
        buf_addf(b, "%s %s_blocked 1\n", account, proto);
    if (aborted[i].bad)
        buf_addf(b, "%s %s_bad_commands %d\n", account, proto, aborted[i].bad);
    if (aborted[i].abnormal)
        buf_addf(b, "%s %s_terminations 1\n", account, proto);
    if (aborted[i].attempts)
        buf_addf(b, "%s %s_auth_failed %d\n", account, proto, aborted[i].attempts);
}

static void test_aborted(void)
{
    struct buf log, want;

    buf_init(&log, 4096);
    buf_init(&want, 4096);
    for (size_t i = 0; i < sizeof aborted / sizeof aborted[0]; i++) {
        buf_reset(&log);
        buf_reset(&want);
        buf_addf(&log, "Nov 28 15:06:46 imap-login: Info: %s: %s%s", aborted[i].said, USER,
                 TAIL("a/b+c"));
        add_rows(&want, "node", "imap", i);
        add_rows(&want, "host.test", "imap", i);
        fixture_check(&f, &part, log.data, want.data, aborted[i].said);
        buf_reset(&log);
        buf_reset(&want);
        buf_addf(&log, "Nov 28 15:06:46 mx dovecot: pop3-login: %s: user=<x@elsewhere.test>%s",
                 aborted[i].said, TAIL("a/b+c"));
        add_rows(&want, "node", "pop", i);
        fixture_check(&f, &part, log.data, want.data, "a domain that is not hosted");
    }
    buf_fini(&log);
    buf_fini(&want);
}

/* --- sessions -----------------------------------------------------------------------------------
 */

/* What a whole session counts for node, domain and user alike. */
static void session_check(const char *log, const char *rows, const char *what)
{
    static const char *const accounts[] = {"node", "host.test", "u@host.test"};
    struct slice rest, row;
    struct buf want;

    buf_init(&want, 4096);
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        for (rest = slice_str(rows); slice_word(&rest, "\n", &row);)
            buf_addf(&want, "%s %.*s\n", accounts[i], SLICE_FMT(row));
    }
    fixture_check(&f, &part, log, want.data, what);
    buf_fini(&want);
}

static void test_imap(void)
{
    session_check(
        AT("15:00:00") IN("a/1") AT("15:01:10")
            IMAP("a/1") "Disconnected: Logged out in=309 out=1415 deleted=0 body_bytes=214\n",
        "imap_connections 1\nimap_connection_seconds 70\nimap_bytes 1724", "a session of 70 s");
    session_check(
        AT("15:00:00") IN("a/1") AT("15:00:01") IMAP(
            "a/1") "Disconnected: Connection closed (FETCH running for 0.001 + waiting input "
                   "for 0.000 secs, 12 B in + 2845+3175 B out, state=wait-input) in=76 out=3579 "
                   "deleted=1\n",
        "imap_connections 1\nimap_connection_seconds 1\nimap_bytes 3655",
        "a plain close is no termination; numbers in its reason are no bytes");
    session_check(
        AT("15:00:00") IN("a/1") AT("15:00:01")
            IMAP("a/1") "Disconnected: Connection closed: read(size=9) failed: Connection reset by "
                        "peer (noop finished 0.1 secs ago) in=1 out=2\n",
        "imap_connections 1\nimap_connection_seconds 1\nimap_bytes 3\n"
        "imap_terminations 1",
        "a reset");
    session_check(AT("15:00:00") IN("a/1") AT("15:30:00")
                      IMAP("a/1") "Disconnected: Inactivity - no input for 1800 secs in=1 out=2\n",
                  "imap_connections 1\nimap_connection_seconds 1800\nimap_bytes 3\n"
                  "imap_terminations 1",
                  "inactivity");
    session_check(AT("15:00:00") IN("a/1") AT("15:00:03")
                      IMAP("a/1") "Disconnected: Too many invalid IMAP commands. in=168 out=1913\n",
                  "imap_connections 1\nimap_connection_seconds 3\nimap_bytes 2081\n"
                  "imap_bad_commands 20\nimap_terminations 1",
                  "20 bad commands in a row, where no events are exported");
    session_check(
        AT("15:00:00") IN("a/1") AT("15:00:03") IMAP("a/1") "Warning: something\n" AT(
            "15:00:04") "imap-hibernate(u@host.test)<99><a/1>: Info: Disconnected: Connection "
                        "closed in=24 out=721 deleted=0\n",
        "imap_connections 1\nimap_connection_seconds 4\nimap_bytes 745",
        "closed while hibernated, by another process");
    session_check("2026-11-28T15:00:00.500000+00:00 mx dovecot: imap-login: Logged in: " USER TAIL(
                      "a+1") "2026-11-28T15:00:02.900000+00:00 mx dovecot: "
                             "imap(u@host.test)<15><a+1>: Disconnected: Logged out in=3 out=4\n",
                  "imap_connections 1\nimap_connection_seconds 2\nimap_bytes 7",
                  "2.4 through syslog");
    fixture_check(&f, &part, AT("15:00:01") IMAP("a/1") "Disconnected: Logged out in=3 out=4\n",
                  "node imap_bytes 7\nhost.test imap_bytes 7\nu@host.test imap_bytes 7\n",
                  "a session whose login was not seen");
    fixture_check(&f, &part,
                  AT("15:00:00") "imap-login: Info: Login: user=<x y)z@other.test>" TAIL("a/1")
                      AT("15:00:05") "imap(x y)z@other.test)<15><a/1>: Info: Disconnected: Logged "
                                     "out in=3 out=4\n",
                  "node imap_connections 1\nnode imap_connection_seconds 5\nnode imap_bytes 7\n",
                  "a name with brackets, of nobody");
    fixture_check(&f, &part, AT("15:00:00") "imap-login: Info: Login: user=<joe>" TAIL("a/1"),
                  "node imap_connections 1\nhost.test imap_connections 1\n"
                  "joe@host.test imap_connections 1\n",
                  "a login that is no address");
}

static void test_pop(void)
{
    session_check(AT("15:00:00") POP_IN("a/1") AT("15:00:09") POP(
                      "a/1") "Disconnected: Logged out top=1/221, retr=1/232, del=1/3, size=8448\n",
                  "pop_connections 1\npop_connection_seconds 9\npop_bytes 453",
                  "what was fetched, where bytes are not logged");
    session_check(
        AT("15:00:00") POP_IN("a/1") AT("15:00:09")
            POP("a/1") "Disconnected: Logged out top=1/221, retr=1/232, del=1/3, size=8448, in=61, "
                       "out=702\n",
        "pop_connections 1\npop_connection_seconds 9\npop_bytes 763",
        "bytes, where they are logged");
    session_check(
        AT("15:00:00") POP_IN("a/1") AT("15:00:03")
            POP("a/1") "Disconnected: Too many bad commands. top=0/0, retr=0/0, del=0/0, size=0\n",
        "pop_connections 1\npop_connection_seconds 3\npop_bad_commands 21\n"
        "pop_terminations 1",
        "thrown out for bad commands");
}

/* --- events -------------------------------------------------------------------------------------
 */

#define EVENT(name, fields)                                                                        \
    "stats: Info: {\"event\":\"" name                                                              \
    "\",\"hostname\":\"vm\",\"categories\":[\"imap\"],\"fields\":{" fields "}}\n"
#define BAD                                                                                        \
    EVENT("imap_command_finished", "\"user\":\"u@host.test\",\"session\":\"a/"                     \
                                   "1\",\"tagged_reply_state\":\"BAD\",\"bytes_in\":0")
#define POP_BYTES(in, out)                                                                         \
    EVENT("mail_user_session_finished",                                                            \
          "\"user\":\"u@host.test\",\"session\":\"a/1\",\"net_in_bytes\":" in                      \
          ",\"net_out_bytes\":" out ",\"service\":\"pop3\"")

static void test_events(void)
{
    session_check(AT("15:00:00") IN("a/1") AT("15:00:01") BAD AT("15:00:02") BAD AT("15:00:03")
                      IMAP("a/1") "Disconnected: Too many invalid IMAP commands. in=1 out=1\n",
                  "imap_connections 1\nimap_connection_seconds 3\nimap_bytes 2\n"
                  "imap_bad_commands 2\nimap_terminations 1",
                  "refused commands one by one: the last line adds none");
    session_check(
        AT("15:00:00") POP_IN("a/1") AT("15:00:09")
            POP("a/1") "Disconnected: Logged out top=0/0, retr=1/232, del=1/214, size=214\n" AT(
                "15:00:09") POP_BYTES("42", "576"),
        "pop_connections 1\npop_connection_seconds 9\npop_bytes 618",
        "2.4: a session's bytes after its end");
    session_check(
        AT("15:00:00") POP_IN("a/1") AT("15:00:09") POP_BYTES("42", "576") AT("15:00:09")
            POP("a/1") "Disconnected: Logged out top=0/0, retr=1/232, del=1/214, size=214\n",
        "pop_connections 1\npop_connection_seconds 9\npop_bytes 618", "before it");
    session_check(
        AT("15:00:00") POP_IN("a/1") AT("15:00:09")
            POP("a/1") "Disconnected: Logged out top=0/0, retr=1/232, del=1/214, size=214, in=42, "
                       "out=576\n" AT("15:00:09") POP_BYTES("42", "576"),
        "pop_connections 1\npop_connection_seconds 9\npop_bytes 618", "and logged, too");
    fixture_check(&f, &part,
                  AT("15:00:00") EVENT("imap_command_finished", "\"tagged_reply_state\":\"OK\""),
                  "", "a command that was good");
    shape_is(AT("15:00:00") "stats: Info: {\"event\":\"x\",\"fields\"", "dovecot: event");
}

/* --- time ---------------------------------------------------------------------------------------
 */

#define LATER "other: Info: x\n"

static void test_time(void)
{
    const char *idle = "Nov 27 10:20:30 " IN("a/1") "Nov 27 13:00:10 " LATER;
    const char *lost = "Nov 26 10:00:00 " IN("a/1") "Nov 28 10:00:00 " LATER;
    const char *late =
        "Nov 25 10:00:00 " IN("a/1") "Nov 28 10:00:00 " LATER "Nov 28 10:00:05 " IMAP(
            "a/1") "Disconnected: Logged out in=1 out=1\n";
    const char *pop = "Nov 26 10:00:00 " POP_IN("a/1") "Nov 28 10:00:00 " LATER;
    const char *first =
        "Nov 28 10:00:00 " IMAP("a/1") "Disconnected: Logged out in=1 out=1\n"
                                       "Nov 28 10:00:00 " IN("a/1") "Nov 28 13:00:00 " LATER;

    for (int way = FIXTURE_WHOLE; way <= FIXTURE_FOLDS; way++) {
        enum fixture_way w = (enum fixture_way)way;

        IS_INT(sum(w, idle, COUNTER_IMAP_CONNECTION_SECONDS), 2 * 3600 + 39 * 60 + 30,
               "an open session accrues to the minute reached");
        IS_INT(sum(w, lost, COUNTER_IMAP_CONNECTION_SECONDS), 25 * 3600,
               "IMAP without a line for 25 hours pauses");
        IS_INT(sum(w, pop, COUNTER_POP_CONNECTION_SECONDS), 3600, "POP after an hour");
        IS_INT(sum(w, late, COUNTER_IMAP_CONNECTION_SECONDS), 72 * 3600 + 5,
               "the end came after all");
        IS_INT(sum(w, first, COUNTER_IMAP_CONNECTION_SECONDS), 0, "the end before the login");
        IS_INT(sum(w, first, COUNTER_IMAP_CONNECTIONS), 1, "is of a connection");
    }
    fixture_init(&f, &part);
    fixture_run(&f, FIXTURE_FOLDS,
                slice_str("Nov 28 10:20:00 " IN("a/1") "Nov 28 12:10:00 " LATER));
    IS_SLICE(fixture_text(&f, true),
             SLICE("2026-11-28T10 node imap_connections 1\n"
                   "2026-11-28T10 node imap_connection_seconds 2400\n"
                   "2026-11-28T11 node imap_connection_seconds 3600\n"
                   "2026-11-28T12 node imap_connection_seconds 600\n"
                   "2026-11-28T10 host.test imap_connections 1\n"
                   "2026-11-28T10 host.test imap_connection_seconds 2400\n"
                   "2026-11-28T11 host.test imap_connection_seconds 3600\n"
                   "2026-11-28T12 host.test imap_connection_seconds 600\n"
                   "2026-11-28T10 u@host.test imap_connections 1\n"
                   "2026-11-28T10 u@host.test imap_connection_seconds 2400\n"
                   "2026-11-28T11 u@host.test imap_connection_seconds 3600\n"
                   "2026-11-28T12 u@host.test imap_connection_seconds 600\n"),
             "seconds lie in their own hours");
    fixture_fini(&f);
    session_check(AT("15:00:00") IN("a/1")
                      AT("15:10:00") "master: Info: Dovecot v2.3.19.1 (9b53102964) starting up for "
                                     "imap, pop3\n" AT("16:00:00") LATER,
                  "imap_connections 1\nimap_connection_seconds 600", "a start ends what was open");
    IS_INT(sum(FIXTURE_FOLDS,
               AT("15:00:00") "a dovecot: imap-login: Login: " USER TAIL("a/1")
                   AT("15:10:00") "b dovecot: master: Dovecot v2.4.1-4 (7d8c0e5759) starting up "
                                  "for imap\n" AT("16:00:00") "b dovecot: other: x\n",
               COUNTER_IMAP_CONNECTION_SECONDS),
           3600, "of the same host only");
    IS_INT(fixture_lost_ends(
               &f, &part,
               AT("15:00:00") IN("a/1") AT("15:00:00") IN("a/2") AT("15:00:09")
                   IMAP("a/2") "Disconnected: Logged out in=1 out=2\n" AT(
                       "15:10:00") "master: Info: Dovecot v2.3.19.1 (9b53102964) starting up for "
                                   "imap, pop3\n"),
           1, "a session that a start ends has lost its end, and one that had ended has not");
}

/* --- proxies, shapes ----------------------------------------------------------------------------
 */

#define PROXY "imap-login: Info: proxy(u@host.test,192.0.2.9:143): "

static void test_proxy(void)
{
    const char *log = AT("15:00:00") PROXY
        "Started proxying to <192.0.2.9> (0.004 secs): " USER TAIL("a/1") AT("15:00:30") PROXY
        "Disconnected by client (0s idle, in=50, out=460): " USER TAIL("a/1");

    fixture_check(&f, &part, log, "", "proxied sessions are another server's");
    f.rules.dovecot_proxy = true;
    session_check(log, "imap_connections 1\nimap_connection_seconds 30\nimap_bytes 510",
                  "where asked for they count");
    f.rules.dovecot_proxy = false;
}

static void test_shapes(void)
{
    shape_is(AT("15:00:00") "imap-login: Error: auth: connect() failed: user=<x>",
             "dovecot: login process");
    shape_is(AT("15:00:00") "lmtp(16608): Info: Connect from 127.0.0.1", "dovecot: lmtp");
    shape_is(
        AT("15:00:00") "lmtp(sv@dsieve.test)<16608><2LT+I4:R2>: Info: sieve: msgid=<1@a>: redirect "
                       "action: forwarded to <x@ext.test>",
        "dovecot: sieve forwarded");
    shape_is(
        AT("15:00:00") "lmtp(sv@dsieve.test)<16608><2LT+I4:R2>: Info: sieve: msgid=<1@a>: stored "
                       "mail into mailbox 'INBOX'",
        "dovecot: sieve");
    shape_is(AT("15:00:00") "master: Warning: Killed with signal 15 (by pid=1 uid=0 code=kill)",
             "dovecot: master");
    shape_is(AT("15:00:00") "mx dovecot: words without a process", "-");
    shape_is(AT("15:00:00") "mx postfix/smtpd[1]: connect from a[192.0.2.1]", "-");
}

/* --- the samples -------------------------------------------------------------------------------
 */

/* Added up by hand. */
/* Added up by hand. */
static const char sample_23[] = "node pop_connections 6\n"
                                "node pop_connection_seconds 5\n"
                                "node pop_bytes 453\n"
                                "node pop_blocked 1\n"
                                "node pop_bad_commands 21\n"
                                "node pop_terminations 1\n"
                                "node pop_auth_failed 1\n"
                                "node imap_connections 9\n"
                                "node imap_connection_seconds 13\n"
                                "node imap_bytes 5414\n"
                                "node imap_blocked 1\n"
                                "node imap_bad_commands 26\n"
                                "node imap_terminations 4\n"
                                "node imap_auth_failed 1\n"
                                "host.test pop_connections 4\n"
                                "host.test pop_connection_seconds 5\n"
                                "host.test pop_bytes 453\n"
                                "host.test pop_blocked 1\n"
                                "host.test pop_bad_commands 21\n"
                                "host.test pop_terminations 1\n"
                                "host.test pop_auth_failed 1\n"
                                "host.test imap_connections 6\n"
                                "host.test imap_connection_seconds 13\n"
                                "host.test imap_bytes 5414\n"
                                "host.test imap_blocked 1\n"
                                "host.test imap_bad_commands 20\n"
                                "host.test imap_terminations 1\n"
                                "host.test imap_auth_failed 1\n"
                                "u1@host.test pop_connections 3\n"
                                "u1@host.test pop_connection_seconds 5\n"
                                "u1@host.test pop_bytes 453\n"
                                "u1@host.test pop_bad_commands 21\n"
                                "u1@host.test pop_terminations 1\n"
                                "u1@host.test imap_connections 4\n"
                                "u1@host.test imap_connection_seconds 9\n"
                                "u1@host.test imap_bytes 4669\n"
                                "u1@host.test imap_bad_commands 20\n"
                                "u1@host.test imap_terminations 1\n"
                                "u2@host.test imap_connections 1\n"
                                "u2@host.test imap_connection_seconds 4\n"
                                "u2@host.test imap_bytes 745\n";

static const char sample_24[] = "node pop_connections 6\n"
                                "node pop_connection_seconds 4\n"
                                "node pop_bytes 453\n"
                                "node pop_blocked 1\n"
                                "node pop_bad_commands 21\n"
                                "node pop_terminations 1\n"
                                "node pop_auth_failed 1\n"
                                "node imap_connections 9\n"
                                "node imap_connection_seconds 13\n"
                                "node imap_bytes 6405\n"
                                "node imap_blocked 1\n"
                                "node imap_bad_commands 26\n"
                                "node imap_terminations 4\n"
                                "node imap_auth_failed 1\n"
                                "host.test pop_connections 4\n"
                                "host.test pop_connection_seconds 4\n"
                                "host.test pop_bytes 453\n"
                                "host.test pop_blocked 1\n"
                                "host.test pop_bad_commands 21\n"
                                "host.test pop_terminations 1\n"
                                "host.test pop_auth_failed 1\n"
                                "host.test imap_connections 6\n"
                                "host.test imap_connection_seconds 13\n"
                                "host.test imap_bytes 6405\n"
                                "host.test imap_blocked 1\n"
                                "host.test imap_bad_commands 20\n"
                                "host.test imap_terminations 1\n"
                                "host.test imap_auth_failed 1\n"
                                "u1@host.test pop_connections 3\n"
                                "u1@host.test pop_connection_seconds 4\n"
                                "u1@host.test pop_bytes 453\n"
                                "u1@host.test pop_bad_commands 21\n"
                                "u1@host.test pop_terminations 1\n"
                                "u1@host.test imap_connections 4\n"
                                "u1@host.test imap_connection_seconds 8\n"
                                "u1@host.test imap_bytes 5612\n"
                                "u1@host.test imap_bad_commands 20\n"
                                "u1@host.test imap_terminations 1\n"
                                "u2@host.test imap_connections 1\n"
                                "u2@host.test imap_connection_seconds 5\n"
                                "u2@host.test imap_bytes 793\n";

static const char sample_old[] = "node pop_connections 8\n"
                                 "node pop_bytes 8499\n"
                                 "node pop_blocked 2\n"
                                 "node pop_terminations 1\n"
                                 "node pop_auth_failed 2\n"
                                 "node imap_connections 8\n"
                                 "node imap_connection_seconds 1\n"
                                 "node imap_bytes 12604\n"
                                 "node imap_blocked 2\n"
                                 "node imap_auth_failed 3\n"
                                 "user@vmbox.test pop_connections 4\n"
                                 "user@vmbox.test pop_bytes 8499\n"
                                 "user@vmbox.test imap_connections 5\n"
                                 "user@vmbox.test imap_connection_seconds 1\n"
                                 "user@vmbox.test imap_bytes 12604\n"
                                 "vmbox.test pop_connections 6\n"
                                 "vmbox.test pop_bytes 8499\n"
                                 "vmbox.test pop_blocked 2\n"
                                 "vmbox.test pop_auth_failed 2\n"
                                 "vmbox.test imap_connections 6\n"
                                 "vmbox.test imap_connection_seconds 1\n"
                                 "vmbox.test imap_bytes 12604\n"
                                 "vmbox.test imap_blocked 1\n"
                                 "vmbox.test imap_auth_failed 1\n";

static void sample_check(const char *name, const char *from, const char *to, const char *want)
{
    size_t len;
    char *log = fixture_read(name, &len), *begin, *end;

    log[len] = '\0';
    begin = strstr(log, from);
    end = begin != NULL ? strstr(begin, to) : NULL;
    if (!OK(end != NULL, from))
        return;
    *end = '\0';
    fixture_check(&f, &part, begin, want, from);
    free(log);
}

static void test_samples(void)
{
    sample_check("collect/collector-samples.txt", "## 12 Dovecot 2.3", "## 13 ", sample_23);
    sample_check("collect/collector-samples.txt", "## 13 Dovecot 2.4", "## 14 ", sample_24);
    sample_check("collect/maillog-samples.txt", "## 9 Dovecot 2.3", "## 10 ", sample_old);
}

int main(void)
{
    test_aborted();
    test_imap();
    test_pop();
    test_events();
    test_time();
    test_proxy();
    test_shapes();
    test_samples();
    return tap_done();
}
