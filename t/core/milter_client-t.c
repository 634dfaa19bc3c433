#include "lib/core/milter_client.h"

#include "t/tap.h"

static const struct milter_macro macro_list[] = {
    {"j", {"mx.test", 7}},
    {"i", {"Q1", 2}},
    {"mail_addr", {"a@x.test", 8}},
    {"client_addr", {"192.0.2.1", 9}},
};
static const struct milter_macros all_macros = {macro_list, 4};

static void negotiate(struct milter_client *c, struct slice more)
{
    struct milter_answer a;
    struct slice in;
    struct buf b;
    size_t begun;

    buf_init(&b, 1000);
    begun = milter_wire_begin(&b, MILTER_OPTNEG);
    buf_add(&b, more);
    milter_wire_end(&b, begun);
    milter_client_init(c);
    milter_client_offer(c);
    in = buf_slice(&b);
    OK(milter_client_take(c, &in, &a) == MILTER_TAKE_ANSWER && a.is_final, "negotiated");
    buf_reset(&c->out);
    c->macros = all_macros;
    buf_fini(&b);
}

#define V6(actions, steps) "\0\0\0\6" actions steps
#define EAGER              V6("\0\0\1\xff", "\0\0\0\0")

static enum milter_take answer(struct milter_client *c, struct slice packet,
                               struct milter_answer *a)
{
    return milter_client_take(c, &packet, a);
}

static void test_offer(void)
{
    struct milter_client c;

    milter_client_init(&c);
    OK(milter_client_offer(&c), "the negotiation is answered");
    IS_SLICE(buf_slice(&c.out), SLICE("\0\0\0\15O\0\0\0\6\0\0\1\xff\0\x1f\xff\xff"),
             "version 6, all actions, all steps: as Postfix");
    milter_client_fini(&c);
}

static void test_events(void)
{
    struct slice params[] = {SLICE("SIZE=10"), SLICE("BODY=8BITMIME")};
    struct milter_peer peer = {SLICE("h.test"), '4', 258, SLICE("192.0.2.1")};
    struct milter_answer a;
    struct milter_client c;

    negotiate(&c, SLICE(EAGER));
    OK(milter_client_connect(&c, &peer), "connect is answered");
    IS_SLICE(buf_slice(&c.out),
             SLICE("\0\0\0\14DCj\0mx.test\0"
                   "\0\0\0\25Ch.test\0"
                   "4\1\2"
                   "192.0.2.1\0"),
             "macros, then name, family, port, address");
    IS_INT(answer(&c, SLICE("\0\0\0\1c"), &a), MILTER_TAKE_ANSWER, "continue");
    buf_reset(&c.out);
    OK(milter_client_mail(&c, SLICE("<a@x.test>"), params, 2), "MAIL is answered");
    IS_SLICE(buf_slice(&c.out),
             SLICE("\0\0\0\34DMi\0Q1\0{mail_addr}\0a@x.test\0"
                   "\0\0\0\42M<a@x.test>\0SIZE=10\0BODY=8BITMIME\0"),
             "only macros that there are, in their order, then path and parameters");
    milter_client_fini(&c);
}

static void test_declined(void)
{
    struct milter_client c;

    /* everything declined but MAIL, RCPT and end of message; no reply to MAIL */
    negotiate(&c, SLICE(V6("\0\0\0\0", "\0\0\x43\x73")));
    OK(!milter_client_helo(&c, SLICE("x")), "HELO declined");
    IS_SLICE(buf_slice(&c.out), SLICE("\0\0\0\2DH"), "its macros go all the same, as in Postfix");
    buf_reset(&c.out);
    OK(!milter_client_mail(&c, SLICE("<>"), NULL, 0), "MAIL sent, without an answer");
    OK(c.out.len > 10, "sent");
    OK(milter_client_rcpt(&c, SLICE("<b@x.test>"), NULL, 0), "RCPT is answered");
    OK(!milter_client_data(&c), "DATA declined");
    OK(!milter_client_wants_headers(&c) && !milter_client_wants_body(&c), "no header, no body");
    OK(!milter_client_body(&c, SLICE("x")), "body declined");
    OK(milter_client_eom(&c), "end of message: always");
    milter_client_fini(&c);
}

static void test_symbols(void)
{
    struct milter_client c;

    negotiate(&c, SLICE(EAGER "\0\0\0\2{client_addr} i {no_such}\0"
                              "\0\0\0\3\0"
                              "\0\0\0\x63ignored\0"));
    milter_client_mail(&c, SLICE("<>"), NULL, 0);
    IS_SLICE(slice_to(buf_slice(&c.out), 35),
             SLICE("\0\0\0\37DM{client_addr}\0"
                   "192.0.2.1\0i\0Q1\0"),
             "asked-for macros replace the default");
    buf_reset(&c.out);
    milter_client_rcpt(&c, SLICE("<>"), NULL, 0);
    IS_SLICE(slice_to(buf_slice(&c.out), 6), SLICE("\0\0\0\2DR"), "none asked for, none sent");
    milter_client_fini(&c);
}

static struct slice last_packet(struct milter_client *c)
{
    struct slice in = buf_slice(&c->out);
    struct milter_wire_packet p = {.command = '?'};

    while (milter_wire_take(&in, 100000, &p) == WIRE_PACKET)
        continue;
    return p.data;
}

static void test_headers(void)
{
    struct milter_client c;

    negotiate(&c, SLICE(V6("\0\0\0\0", "\0\x10\0\0")));
    milter_client_mail(&c, SLICE("<>"), NULL, 0);
    milter_client_header(&c, SLICE("Subject"), SLICE(" a\r\n b\r\n\tc"));
    IS_SLICE(last_packet(&c), SLICE("Subject\0 a\n b\n\tc\0"), "blank kept, folds as LF");
    milter_client_header(&c, SLICE("X"), SLICE(" cut\0here"));
    IS_SLICE(last_packet(&c), SLICE("X\0 cut\0"), "cut at a NUL: never a third string");
    milter_client_header(&c, SLICE("X"), SLICE(""));
    IS_SLICE(last_packet(&c), SLICE("X\0\0"), "empty");
    c.steps = 0;
    milter_client_header(&c, SLICE("X"), SLICE("  two"));
    IS_SLICE(last_packet(&c), SLICE("X\0 two\0"), "without LEAD_SPACE one blank goes");
    milter_client_header(&c, SLICE("X"), SLICE("\ttab"));
    IS_SLICE(last_packet(&c), SLICE("X\0\ttab\0"), "but no tab");
    milter_client_fini(&c);
}

struct verdict_case {
    char event;
    struct slice packet;
    char kind;
    bool ends_message, ends_connection;
};

static void send_event(struct milter_client *c, char event)
{
    struct milter_peer peer = {SLICE("h"), 'U', 0, SLICE_NONE};

    if (event == MILTER_CONNECT)
        milter_client_connect(c, &peer);
    else if (event == MILTER_MAIL)
        milter_client_mail(c, SLICE("<>"), NULL, 0);
    else if (event == MILTER_RCPT)
        milter_client_rcpt(c, SLICE("<>"), NULL, 0);
    else if (event == MILTER_BODY)
        milter_client_body(c, SLICE("x"));
    else if (event == MILTER_UNKNOWN)
        milter_client_unknown(c, SLICE("XYZ"));
    else
        milter_client_eom(c);
}

static void test_verdicts(void)
{
    static const struct verdict_case cases[] = {
        {'C', {"\0\0\0\1c", 5}, 'c', false, false},  {'C', {"\0\0\0\1a", 5}, 'a', false, true},
        {'C', {"\0\0\0\1r", 5}, 'r', false, true},   {'C', {"\0\0\0\1d", 5}, 'c', false, false},
        {'M', {"\0\0\0\1a", 5}, 'a', true, false},   {'M', {"\0\0\0\1t", 5}, 't', true, false},
        {'R', {"\0\0\0\1r", 5}, 'r', false, false},  {'R', {"\0\0\0\1t", 5}, 't', false, false},
        {'R', {"\0\0\0\1d", 5}, 'd', true, false},   {'R', {"\0\0\0\1a", 5}, 'a', true, false},
        {'B', {"\0\0\0\1c", 5}, 'c', false, false},  {'E', {"\0\0\0\1d", 5}, 'd', true, false},
        {'E', {"\0\0\0\0014", 5}, '4', false, true}, {'U', {"\0\0\0\1r", 5}, 'r', false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct verdict_case *v = &cases[i];
        struct milter_answer a = {.kind = '?'};
        struct milter_client c;

        negotiate(&c, SLICE(EAGER));
        send_event(&c, v->event);
        IS_INT(answer(&c, v->packet, &a), MILTER_TAKE_ANSWER, "an answer");
        OK(a.kind == v->kind && a.is_final, "of that kind, and final");
        OK(c.off_message == v->ends_message && c.off_connection == v->ends_connection,
           "ends what it should");
        milter_client_fini(&c);
    }
}

static void test_skip(void)
{
    struct milter_answer a;
    struct milter_client c;

    negotiate(&c, SLICE(EAGER));
    send_event(&c, 'M');
    answer(&c, SLICE("\0\0\0\1c"), &a);
    send_event(&c, 'B');
    answer(&c, SLICE("\0\0\0\1s"), &a);
    OK(a.kind == MILTER_CONTINUE && !milter_client_wants_body(&c), "SKIP: no more body");
    OK(!milter_client_body(&c, SLICE("y")), "none is sent");
    OK(milter_client_eom(&c), "but the end is");
    answer(&c, SLICE("\0\0\0\1c"), &a);
    send_event(&c, 'M');
    OK(milter_client_wants_body(&c), "the next message has a body again");
    milter_client_fini(&c);
}

static void test_reply_text(void)
{
    static const struct {
        const char *text, *want; /* want NULL: malformed */
    } cases[] = {
        {"451 4.7.1 later", "451 4.7.1 later"},
        {"550 no enhanced code", "550 no enhanced code"},
        {"451 100%% full, 5% left%", "451 100% full, 5 left"},
        {"451-4.7.1 one\r\n451 4.7.1 two", "451-4.7.1 one\r\n451 4.7.1 two"},
        {"550 5.7.1 bell\a and tab\t", "550 5.7.1 bell  and tab "},
        {"421 4.3.0 \xc3\xbc", "421 4.3.0 \xc3\xbc"},
        {"451 5.7.1 class differs", NULL},
        {"250 2.0.0 fine", NULL},
        {"45 short", NULL},
        {"", NULL},
        {"451", NULL},
        {"451-4.7.1 one\r\n550 5.7.1 two", NULL},
        {"451-4.7.1 one\r\n", NULL},
        {"451x4.7.1", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct milter_answer a = {.kind = '?'};
        struct slice in;
        struct milter_client c;
        struct buf b;
        size_t begun;

        buf_init(&b, 10000);
        begun = milter_wire_begin(&b, MILTER_REPLY_CODE);
        milter_wire_add_string(&b, slice_str(cases[i].text));
        milter_wire_end(&b, begun);
        negotiate(&c, SLICE(EAGER));
        send_event(&c, 'M');
        in = buf_slice(&b);
        if (cases[i].want == NULL) {
            IS_INT(milter_client_take(&c, &in, &a), MILTER_TAKE_BAD, "malformed");
        } else {
            IS_INT(milter_client_take(&c, &in, &a), MILTER_TAKE_ANSWER, "a good reply");
            IS_SLICE(a.text, slice_str(cases[i].want), "its text");
        }
        milter_client_fini(&c);
        buf_fini(&b);
    }
}

static void test_changes(void)
{
    struct milter_answer a;
    struct slice in;
    struct milter_client c;

    negotiate(&c, SLICE(EAGER));
    send_event(&c, 'E');
    in = SLICE("\0\0\0\1p\0\0\0\13hX-A\0value\0");
    IS_INT(milter_client_take(&c, &in, &a), MILTER_TAKE_ANSWER, "progress is passed over");
    OK(a.kind == 'h' && slice_equal(a.name, SLICE("X-A")) && slice_equal(a.value, SLICE("value")),
       "add header");
    OK(!a.is_final && c.is_waiting, "and more is to come");
    in = SLICE("\0\0\0\13i\0\0\0\1X-B\0v\0");
    OK(milter_client_take(&c, &in, &a) == MILTER_TAKE_ANSWER && a.index == 1, "insert header");
    in = SLICE("\0\0\0\12m\0\0\0\2X-C\0\0");
    OK(milter_client_take(&c, &in, &a) == MILTER_TAKE_ANSWER && a.index == 2 && a.value.len == 0,
       "change header, empty: delete");
    in = SLICE("\0\0\0\11+<b@x.t>\0");
    OK(milter_client_take(&c, &in, &a) == MILTER_TAKE_ANSWER &&
           slice_equal(a.value, SLICE("<b@x.t>")),
       "add recipient");
    in = SLICE("\0\0\0\20e<a@x.t>\0SIZE=1\0");
    OK(milter_client_take(&c, &in, &a) == MILTER_TAKE_ANSWER &&
           slice_equal(a.params, SLICE("SIZE=1")),
       "change sender, with parameters");
    in = SLICE("\0\0\0\4bx\0z");
    OK(milter_client_take(&c, &in, &a) == MILTER_TAKE_ANSWER && slice_equal(a.value, SLICE("x\0z")),
       "replace body");
    in = SLICE("\0\0\0\5qwhy\0");
    OK(milter_client_take(&c, &in, &a) == MILTER_TAKE_ANSWER && a.kind == 'q', "quarantine");
    in = SLICE("\0\0\0\1c");
    OK(milter_client_take(&c, &in, &a) == MILTER_TAKE_ANSWER && a.is_final, "the end");
    milter_client_fini(&c);
}

static void test_misbehaviour(void)
{
    static const struct {
        char event;
        struct slice packet;
        const char *what;
    } cases[] = {
        {'M', {"\0\0\0\1z", 5}, "unknown answer"},
        {'M', {"\0\0\0\2cx", 6}, "data behind continue"},
        {'M', {"\0\0\0\11hX-A\0xyz\0", 13}, "a header added at MAIL"},
        {'E', {"\0\0\0\4h\0x\0", 8}, "a header without a name"},
        {'E', {"\0\0\0\3hX\0", 7}, "a header without a value"},
        {'E', {"\0\0\0\3i\0\0", 7}, "a torn index"},
        {'E', {"\0\0\0\4+a\0b", 8}, "junk behind an address"},
        {'E', {"\0\1\xff\xff+", 5}, "an over-long packet"},
        {'M', {"\0\0\0\0", 4}, "an empty packet"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct milter_answer a;
        struct milter_client c;

        negotiate(&c, SLICE(EAGER));
        send_event(&c, cases[i].event);
        IS_INT(answer(&c, cases[i].packet, &a), MILTER_TAKE_BAD, cases[i].what);
        OK(c.problem != NULL && !milter_client_eom(&c), "says why, and is not spoken to again");
        milter_client_fini(&c);
    }
}

static void test_rights(void)
{
    struct milter_answer a;
    struct milter_client c;

    negotiate(&c, SLICE(V6("\0\0\0\1", "\0\0\0\0")));
    send_event(&c, 'E');
    IS_INT(answer(&c, SLICE("\0\0\0\4+<>\0"), &a), MILTER_TAKE_BAD, "not what it asked for");
    IS_INT(answer(&c, SLICE("\0\0\0\1c"), &a), MILTER_TAKE_BAD, "and out of turn then");
    milter_client_fini(&c);
}

static void test_bad_negotiation(void)
{
    static const struct slice cases[] = {
        {"\0\0\0\1c", 5},
        {"\0\0\0\11O\0\0\0\6\0\0\0\0", 13},
        {"\0\0\0\15O\0\0\0\7\0\0\0\0\0\0\0\0", 17},
        {"\0\0\0\15O\0\0\0\6\0\0\x10\0\0\0\0\0", 17},
        {"\0\0\0\22O\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\1i", 22},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct milter_answer a;
        struct milter_client c;

        milter_client_init(&c);
        milter_client_offer(&c);
        IS_INT(answer(&c, cases[i], &a), MILTER_TAKE_BAD, "a negotiation that cannot be");
        milter_client_fini(&c);
    }
}

static void test_abort(void)
{
    struct milter_client c;

    negotiate(&c, SLICE(EAGER));
    milter_client_abort(&c);
    milter_client_quit(&c);
    IS_SLICE(buf_slice(&c.out), SLICE("\0\0\0\1A\0\0\0\1Q"), "abort, quit");
    OK(!c.is_waiting, "never answered");
    milter_client_fini(&c);
}

int main(void)
{
    test_offer();
    test_events();
    test_declined();
    test_symbols();
    test_headers();
    test_verdicts();
    test_skip();
    test_reply_text();
    test_changes();
    test_misbehaviour();
    test_rights();
    test_bad_negotiation();
    test_abort();
    return tap_done();
}
