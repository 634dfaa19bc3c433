/* The session where limits hold: who is refused, held or let through, and what is counted of it. */
#include "t/tap.h"

#include "t/milter/play.h"

static struct hosted *hosted;
static struct arena arena;
static struct limit limit;

static void limit_set(const char *name, uint64_t max, enum limit_action action)
{
    limit = (struct limit){.max = max, .action = action};
    TG_IGNORE(limit_parse_name(slice_str(name), &arena, &limit, NULL));
}

static void begin(struct play *p, const char *name, enum limit_action action, uint64_t used)
{
    play_init(p, hosted);
    limit_set(name, 10, action);
    p->limits = &limit;
    p->limit_count = 1;
    p->used = used;
    (void)play_connect(p, "client.test", FAMILY_INET, 4711, "203.0.113.9");
}

static void mail(struct play *p, const char *login, const char *from)
{
    p->macros.auth_authen = slice_str(login);
    (void)play_mail(p, from);
    p->macros.auth_authen = SLICE_NONE;
}

static void test_defer(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/recipients/hour", ACTION_DEFER, 8);
    mail(&p, "alice@example.com", "<alice@example.com>");
    OK(play_rcpt(&p, "<a@one.test>").what == SESSION_CONTINUE, "a first recipient");
    OK(play_rcpt(&p, "<b@one.test>").what == SESSION_CONTINUE, "a second");
    OK(play_rcpt(&p, "<c@one.test>").what == SESSION_CONTINUE, "a third: there is room for one");
    a = play_end(&p);
    OK(a.what == SESSION_REPLY, "the whole message does not fit");
    IS_STR(a.code, "450", "code");
    IS_STR(a.enhanced, "4.7.1", "enhanced code");
    IS_STR(a.text,
           "example.com: limit of 10 recipients per hour reached (8 used, 3 more wanted), try "
           "again in "
           "12 minutes",
           "account, limit, used, and when to come again");
    OK(p.record.kind == RECORD_EVENT && p.record.leg_count == 0, "nothing is charged");
    IS_INT(play_counter(&p, "example.com", COUNTER_THROTTLED_RECIPIENTS), 3, "but the attempt");
    IS_INT(play_counter(&p, "example.com", COUNTER_THROTTLED_MESSAGES), 1, "one message");
    IS_INT(play_counter(&p, "example.com", COUNTER_VIOLATIONS_RECIPIENTS), 1, "one crossing");
    IS_INT(p.held, 0, "the hosted set is let go");
    play_fini(&p);
}

static void test_reject_uncounted(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/messages/day", ACTION_REJECT, 10);
    p.journal_full = true;
    mail(&p, "alice@example.com", "<alice@example.com>");
    p.used = 0;
    (void)play_rcpt(&p, "<a@one.test>");
    p.used = 10;
    a = play_end(&p);
    OK(a.what == SESSION_REPLY && strcmp(a.code, "550") == 0 && strcmp(a.enhanced, "5.7.1") == 0,
       "rejected, even if that cannot be written down");
    play_fini(&p);
}

static void test_at_rcpt(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/recipients/hour", ACTION_DEFER, 10);
    mail(&p, "alice@example.com", "<alice@example.com>");
    a = play_rcpt(&p, "<a@one.test>");
    OK(a.what == SESSION_REPLY && strcmp(a.code, "450") == 0, "no room at all: refused at RCPT");
    IS_INT(play_counter(&p, "example.com", COUNTER_THROTTLED_RECIPIENTS), 1, "and counted");
    OK(play_rcpt(&p, "<bob@example.com>").what == SESSION_CONTINUE, "local mail goes on");
    OK(play_end(&p).what == SESSION_CONTINUE, "to its end");
    IS_INT(play_counter(&p, "example.com", COUNTER_LOCAL_SENT_RECIPIENTS), 1,
           "without the refused");
    IS_INT(play_counter(&p, "example.com", COUNTER_OUT_RECIPIENTS), 0, "which is not charged");
    play_fini(&p);
}

/* What is known may be old: the end of message asks all the same. */
static void test_known_room(void)
{
    struct play p;

    begin(&p, "domain/recipients/hour", ACTION_DEFER, 10);
    session_look_at(p.session, SESSION_LOOKS_BOUNCES);
    mail(&p, "alice@example.com", "<alice@example.com>");
    OK(play_rcpt(&p, "<a@one.test>").what == SESSION_CONTINUE && p.looks == 0,
       "where no window is known to be full no recipient is looked at");
    OK(play_end(&p).what == SESSION_REPLY, "the message is refused at its end");
    limit_set("domain/bounces/hour", 10, ACTION_DEFER);
    (void)play_mail(&p, "<>");
    OK(play_rcpt(&p, "<bob@example.com>").what == SESSION_REPLY && p.looks == 1,
       "a bounce's recipient is");
    session_look_at(p.session, SESSION_LOOKS_NONE);
    (void)play_mail(&p, "<>");
    OK(play_rcpt(&p, "<bob@example.com>").what == SESSION_CONTINUE && p.looks == 1,
       "but where nobody would hear of it");
    session_look_at(p.session, SESSION_LOOKS_ALL);
    limit_set("domain/recipients/hour", 10, ACTION_DEFER);
    mail(&p, "alice@example.com", "<alice@example.com>");
    OK(play_rcpt(&p, "<a@one.test>").what == SESSION_REPLY, "and each where one is full");
    play_fini(&p);
}

static void test_not_smtp(void)
{
    struct play p;

    begin(&p, "domain/recipients/hour", ACTION_DEFER, 10);
    (void)play_connect(&p, "localhost", FAMILY_INET, 0, "127.0.0.1");
    (void)play_mail(&p, "www@example.com");
    OK(play_rcpt(&p, "a@one.test").what == SESSION_CONTINUE && p.looks == 0,
       "no recipient of the sendmail command is refused");
    OK(play_end(&p).what == SESSION_REPLY, "the message is, at its end");
    play_fini(&p);
}

static void test_others(void)
{
    struct play p;

    begin(&p, "domain/recipients/hour", ACTION_DEFER, 10);
    (void)play_mail(&p, "<alice@example.com>");
    OK(play_rcpt(&p, "<bob@example.com>").what == SESSION_CONTINUE &&
           play_end(&p).what == SESSION_CONTINUE,
       "mail from outside is not its recipient's sending");
    (void)play_mail(&p, "<x@gmail.test>");
    OK(play_rcpt(&p, "<sales@example.com>").what == SESSION_CONTINUE &&
           play_end(&p).what == SESSION_CONTINUE,
       "nor is what passes a forwarder");
    IS_INT(play_counter(&p, "example.com", COUNTER_FORWARD_RECIPIENTS), 1, "though it is charged");
    limit.forwards = true;
    (void)play_mail(&p, "<x@gmail.test>");
    (void)play_rcpt(&p, "<sales@example.com>");
    OK(play_end(&p).what == SESSION_REPLY, "unless the limit says so");
    play_fini(&p);
}

static void test_bounces(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/bounces/hour", ACTION_DEFER, 10);
    (void)play_mail(&p, "<>");
    a = play_rcpt(&p, "<bob@example.com>");
    OK(a.what == SESSION_REPLY && strcmp(a.code, "450") == 0, "a bounce too many: refused at RCPT");
    IS_INT(play_counter(&p, "example.com", COUNTER_THROTTLED_BOUNCES), 1, "and counted");
    (void)play_mail(&p, "<x@gmail.test>");
    OK(play_rcpt(&p, "<bob@example.com>").what == SESSION_CONTINUE && p.looks == 1,
       "normal mail for the domain passes, without a look");
    OK(play_end(&p).what == SESSION_CONTINUE, "to its end");
    play_fini(&p);
}

static void test_bounces_asked(void)
{
    struct session_action a;
    struct play p;

    hosted->popauth_asked = true;
    begin(&p, "domain/bounces/hour", ACTION_DEFER, 10);
    (void)play_mail(&p, "<>");
    a = play_rcpt(&p, "<bob@example.com>");
    OK(a.what == SESSION_REPLY && p.asked == 1,
       "whether a client checked its mailbox is asked first");
    p.sources_down = true;
    OK(play_rcpt(&p, "<bob@example.com>").what == SESSION_CONTINUE,
       "where nobody answers that, it waits for the end of message");
    (void)play_mail(&p, "<x@gmail.test>");
    OK(play_rcpt(&p, "<bob@example.com>").what == SESSION_CONTINUE && p.asked == 1,
       "it is not asked for other mail");
    play_fini(&p);
    hosted->popauth_asked = false;
}

/* What a server that verifies a sender address hears must not be permanent. */
static void test_callout(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/bounces/hour", ACTION_REJECT, 10);
    (void)play_mail(&p, "<>");
    a = play_rcpt(&p, "<bob@example.com>");
    OK(a.what == SESSION_REPLY && strcmp(a.code, "450") == 0 && strcmp(a.enhanced, "4.7.1") == 0,
       "a RCPT of the null sender is deferred, though the limit says reject");
    p.used = 0;
    (void)play_rcpt(&p, "<bob@example.com>");
    p.used = 10;
    a = play_end(&p);
    OK(a.what == SESSION_REPLY && strcmp(a.code, "550") == 0, "a bounce with its body is rejected");
    play_fini(&p);
    begin(&p, "domain/recipients/hour", ACTION_REJECT, 10);
    mail(&p, "alice@example.com", "<alice@example.com>");
    OK(strcmp(play_rcpt(&p, "<a@one.test>").code, "550") == 0, "and so is other mail at RCPT");
    play_fini(&p);
}

static void test_too_large(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/messages/min", ACTION_REJECT, 0);
    p.limits_too_large = true;
    mail(&p, "alice@example.com", "<alice@example.com>");
    (void)play_rcpt(&p, "<a@one.test>");
    a = play_end(&p);
    OK(a.what == SESSION_REPLY && strcmp(a.code, "452") == 0 && strstr(a.why, "store") == NULL,
       "a message too large to be tested is not blamed on the store");
    play_fini(&p);
}

static void test_observe(void)
{
    struct play p;

    begin(&p, "domain/recipients/hour", ACTION_REJECT, 10);
    p.observe = true;
    mail(&p, "alice@example.com", "<alice@example.com>");
    OK(play_rcpt(&p, "<a@one.test>").what == SESSION_CONTINUE, "observed: not refused");
    OK(play_end(&p).what == SESSION_CONTINUE, "let through");
    IS_INT(play_counter(&p, "example.com", COUNTER_OUT_RECIPIENTS), 1, "charged");
    IS_INT(play_counter(&p, "example.com", COUNTER_OBSERVED_RECIPIENTS), 1, "and observed");
    play_fini(&p);
}

static void test_hold(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/messages/min", ACTION_HOLD, 10);
    p.macros.queue_id = SLICE("4jWnX03VvBz1cTBS");
    mail(&p, "alice@example.com", "<alice@example.com>");
    OK(play_rcpt(&p, "<a@one.test>").what == SESSION_CONTINUE, "what will be held is taken");
    a = play_end(&p);
    OK(a.what == SESSION_HOLD && strstr(a.text, "limit of 10 messages per min") != NULL, "held");
    OK(p.record.kind == RECORD_HELD && p.record.wanted_count > 0 &&
           slice_equal(p.record.held_by, SLICE("example.com")) &&
           slice_equal(p.record.queue_id, SLICE("4jWnX03VvBz1cTBS")),
       "with what it will be asked for again");
    p.journal_full = true;
    mail(&p, "alice@example.com", "<alice@example.com>");
    (void)play_rcpt(&p, "<a@one.test>");
    OK(play_end(&p).what == SESSION_REPLY, "not held where that cannot be written down");
    play_fini(&p);
}

static void test_unknown(void)
{
    struct session_action a;
    struct play p;

    begin(&p, "domain/messages/min", ACTION_REJECT, 0);
    p.throttle_down = true;
    mail(&p, "alice@example.com", "<alice@example.com>");
    (void)play_rcpt(&p, "<a@one.test>");
    a = play_end(&p);
    OK(a.what == SESSION_REPLY && strcmp(a.code, "451") == 0 && a.why != NULL,
       "deferred where nobody knows");
    play_fini(&p);
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    hosted = hosted_new(1 << 20);
    hosted->users = true;
    TG_IGNORE(hosted_add_domain(hosted, SLICE("example.com"), SLICE_NONE, NULL));
    TG_IGNORE(
        hosted_add_forward(hosted, SLICE("sales@example.com"), SLICE("x@partner.test"), NULL));
    test_defer();
    test_reject_uncounted();
    test_at_rcpt();
    test_known_room();
    test_not_smtp();
    test_others();
    test_bounces();
    test_bounces_asked();
    test_callout();
    test_too_large();
    test_observe();
    test_hold();
    test_unknown();
    hosted_free(hosted);
    arena_fini(&arena);
    return tap_done();
}
