/* dispatch where the MTA does not wait for the replies to MAIL and RCPT: what refuses a message is
 * said at the next event that is answered, and once. */
#include "t/tap.h"

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "t/milter/dispatch_fixture.h"

static struct dispatch dispatch;
static struct journal *journal;
static const struct session_macros macros = {.queue_id = {"Q1", 2}};

static void disk(bool is_full)
{
    journal_configure(journal, &(struct journal_config){.min_free_bytes = is_full ? INT64_MAX : 0,
                                                        .sync = SYNC_NEVER});
    journal_tick(journal, clock_monotonic_ms());
}

static void begin(void)
{
    journal = fixture_open(0, SYNC_NEVER);
    dispatch_init(&dispatch, &(struct dispatch_parts){.journal = journal,
                                                      .snapshot = dispatch_fixture_snapshot("")});
}

static void end(void)
{
    OK(dispatch_close(&dispatch, 0), "no call is left");
    dispatch_detach(&dispatch, true);
    IS_INT(atomic_load(&dispatch.open_messages), 0, "nor a message");
    dispatch_fixture_free(&dispatch);
    journal_close(journal);
    fixture_clear();
}

static struct dispatch_connection *enter(bool mail_unheard, bool rcpt_unheard, bool smtp)
{
    struct session_client client = {.host = SLICE("localhost"), .family = FAMILY_INET};
    struct dispatch_connection *c = dispatch_enter(&dispatch);

    client.address = smtp ? SLICE("192.0.2.1") : SLICE("127.0.0.1");
    client.port = smtp ? 4000 : 0;
    dispatch_unheard(c, (struct dispatch_quiet){mail_unheard, rcpt_unheard});
    (void)dispatch_connect(c, &client, &macros);
    return c;
}

/* What is answered to MAIL, to two RCPTs and to the end of message: - or the code. */
static const char *answers(struct dispatch_connection *c)
{
    static char text[64];
    struct session_action a[] = {
        dispatch_mail(c, SLICE("<x@far.test>"), &macros),
        dispatch_rcpt(c, SLICE("<bob@example.com>"), &macros),
        dispatch_rcpt(c, SLICE("<carol@example.com>"), &macros),
        dispatch_end(c, &macros),
    };

    text[0] = '\0';
    for (size_t i = 0; i < 4; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                       a[i].what == SESSION_REPLY ? a[i].code : "-");
    return text;
}

static void test_where(void)
{
    static const struct {
        bool mail_unheard, rcpt_unheard, smtp;
        const char *want, *what;
    } cases[] = {
        {false, false, true, "452 - - -", "all is heard: at MAIL"},
        {true, false, true, "- 452 452 452", "RCPT is heard: there, of each recipient"},
        {true, true, true, "- - - 452", "neither is: at the end of message"},
        {true, false, false, "- - - 452", "and so is mail that does not come by SMTP"},
        {false, true, true, "452 - - -", "MAIL is heard"},
    };

    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dispatch_connection *c =
            enter(cases[i].mail_unheard, cases[i].rcpt_unheard, cases[i].smtp);

        disk(true);
        IS_STR(answers(c), cases[i].want, cases[i].what);
        disk(false);
        IS_STR(answers(c), "- - - -", "the next message passes");
        dispatch_leave(c);
    }
    end();
}

static void test_forgotten(void)
{
    struct dispatch_connection *c;

    begin();
    c = enter(true, true, true);
    disk(true);
    (void)dispatch_mail(c, SLICE("<x@far.test>"), &macros);
    disk(false);
    IS_INT(atomic_load(&dispatch.open_messages), 1, "a stop waits for it to be said");
    dispatch_abort(c);
    IS_INT(atomic_load(&dispatch.open_messages), 0, "not after an abort");
    IS_INT(dispatch_end(c, &macros).what, SESSION_CONTINUE, "what is aborted is not refused");
    disk(true);
    (void)dispatch_mail(c, SLICE("<x@far.test>"), &macros);
    disk(false);
    (void)dispatch_helo(c);
    IS_INT(dispatch_end(c, &macros).what, SESSION_CONTINUE, "nor after HELO");
    dispatch_leave(c);
    end();
}

/* New connections wait for the replies while there is something to refuse. */
static void test_quiet(void)
{
    begin();
    OK(dispatch_quiet(&dispatch).rcpt, "nothing to refuse");
    disk(true);
    OK(!dispatch_quiet(&dispatch).rcpt, "a journal that takes no more");
    disk(false);
    dispatch_drain(&dispatch);
    OK(!dispatch_quiet(&dispatch).rcpt, "a stop");
    end();
    OK(!dispatch_quiet(&dispatch).rcpt, "and after it");
}

static void test_stop(void)
{
    struct dispatch_connection *quiet, *heard;

    begin();
    quiet = enter(true, true, true);
    heard = enter(false, false, true);
    dispatch_drain(&dispatch);
    IS_STR(answers(quiet), "- - - 451", "a stop is told at the end of message");
    IS_STR(answers(heard), "451 - - -", "or at MAIL");
    (void)dispatch_mail(quiet, SLICE("<x@far.test>"), &macros);
    OK(dispatch_close(&dispatch, 0), "the door is shut");
    dispatch_detach(&dispatch, true);
    journal_close(journal);
    IS_INT(dispatch_end(quiet, &macros).what, SESSION_REPLY, "what is still to be said is said");
    IS_STR(answers(quiet), "- - - 451", "and what comes later");
    dispatch_leave(quiet);
    dispatch_leave(heard);
    dispatch_fixture_free(&dispatch);
    fixture_clear();
}

int main(void)
{
    fixture_init();
    log_open("dispatch_envelope-t", LOG_TARGET_STDERR, LOG_MAIL, LOG_CRIT);
    test_where();
    test_forgotten();
    test_quiet();
    test_stop();
    fixture_fini();
    return tap_done();
}
