/* The filter's side of the milter protocol: the order of events, whatever the order of packets, the
 * answers that an MTA waits for, and what is refused. What libmilter does with the same bytes is
 * compared in t/milter/engines.t. */
#include "lib/core/milter_server.h"

#include <stdlib.h>

#include "t/tap.h"

static struct buf wire, told, out;

static void add(char command, struct slice data)
{
    milter_wire_add(&wire, command, 1, &data);
}

static void offer(uint32_t version, uint32_t actions, uint32_t steps)
{
    size_t begun = milter_wire_begin(&wire, MILTER_OPTNEG);

    buf_add_u32(&wire, version);
    buf_add_u32(&wire, actions);
    buf_add_u32(&wire, steps);
    milter_wire_end(&wire, begun);
}

static void tell(const struct milter_server_event *e)
{
    static const char letters[] = ".!OCHMRLBEAoNQ";

    if (e->aborts)
        buf_add_char(&told, 'a');
    buf_add_char(&told, letters[e->what]);
    if (e->text.len > 0 || e->value.len > 0)
        buf_addf(&told, "(%.*s,%.*s)", SLICE_FMT(e->text), SLICE_FMT(e->value));
    if (e->bytes > 0)
        buf_addf(&told, "(%zu)", e->bytes);
}

static void answer(struct milter_server *s, const struct milter_server_event *e)
{
    if (e->what == MILTER_SERVER_NEGOTIATED)
        milter_server_agree(s, &out);
    else if (e->what != MILTER_SERVER_ABORT && e->what != MILTER_SERVER_NEXT)
        milter_server_answer(
            s, &out, slice_equal(e->text, SLICE("<bad>")) ? MILTER_TEMPFAIL : MILTER_CONTINUE,
            SLICE_NONE);
}

/* Plays what `wire` has, in pieces of `step`; events in `told`, answers in `out`. */
static const char *play(struct milter_server *s, size_t step)
{
    struct milter_server_event e;
    size_t from = 0, to = 0;

    buf_reset(&told);
    buf_reset(&out);
    do {
        struct slice in = {wire.data + from, to - from};

        milter_server_take(s, &in, &e);
        from = to - in.len;
        if (e.what == MILTER_SERVER_MORE) {
            if (to == wire.len)
                break;
            to = to + step < wire.len ? to + step : wire.len;
            continue;
        }
        tell(&e);
        if (e.what != MILTER_SERVER_BAD && e.what != MILTER_SERVER_QUIT)
            answer(s, &e);
    } while (e.what != MILTER_SERVER_BAD && e.what != MILTER_SERVER_QUIT);
    return told.data != NULL ? told.data : "";
}

static void check(const char *want, const char *what)
{
    struct milter_server s;

    milter_server_init(&s);
    IS_STR(play(&s, wire.len), want, what);
    milter_server_reset(&s);
    IS_STR(play(&s, 1), want, "byte by byte");
    milter_server_fini(&s);
    buf_reset(&wire);
}

static const struct slice peer = {"h\0004\0\031192.0.2.1", 15};

static void begin(void)
{
    offer(6, 0x1ff, 0x1fffff);
    add('C', peer);
    add('H', SLICE("h\0"));
}

static void test_message(void)
{
    begin();
    add('M', SLICE("<a@x>\0SIZE=1\0"));
    add('R', SLICE("<b@y>\0"));
    add('L', SLICE("From\0 a\0"));
    add('L', SLICE("\0x\0v\0"));
    add('B', SLICE("hello\r\n"));
    add('E', SLICE("tail"));
    add('A', SLICE_NONE);
    add('M', SLICE("<a@x>\0"));
    add('Q', SLICE_NONE);
    check("OCHM(<a@x>,)R(<b@y>,)L(From, a)L(,v)B(7)E(4)M(<a@x>,)aQ",
          "a message, an abort behind it that is none, a quit in the next");
}

/* Out of order: as if HELO had just come, else ignored. */
static void test_order(void)
{
    begin();
    add('R', SLICE("<b@y>\0"));
    add('M', SLICE("<a@x>\0"));
    add('L', SLICE("From\0 a\0"));
    add('E', SLICE_NONE);
    add('M', SLICE("<a@x>\0"));
    add('M', SLICE("<c@x>\0"));
    add('R', SLICE("<b@y>\0"));
    add('B', SLICE("x"));
    add('L', SLICE("From\0 a\0"));
    add('B', SLICE("y"));
    add('M', SLICE("<d@x>\0"));
    add('H', SLICE("h\0"));
    add('O', SLICE("\0\0\0\6\0\0\0\0\0\0\0\0"));
    check("OCHM(<a@x>,)AM(<a@x>,)aM(<c@x>,)R(<b@y>,)B(1)AM(<d@x>,)aH", "commands out of order");
    begin();
    add('M', SLICE("<bad>\0"));
    add('R', SLICE("<b@y>\0"));
    add('M', SLICE("<a@x>\0"));
    add('R', SLICE("<bad>\0"));
    add('E', SLICE_NONE);
    check("OCHM(<bad>,)M(<a@x>,)R(<bad>,)E",
          "a refused sender ends the message, a refused recipient does not");
    add('M', SLICE("<a@x>\0"));
    add('U', SLICE("XYZ\0"));
    add('R', SLICE("<b@y>\0"));
    add('K', SLICE_NONE);
    check("M(<a@x>,)oR(<b@y>,)A", "without a negotiation");
    begin();
    add('M', SLICE("<a@x>\0"));
    add('R', SLICE("<b@y>\0"));
    add('E', SLICE_NONE);
    add('K', SLICE_NONE);
    add('C', peer);
    check("OCHM(<a@x>,)R(<b@y>,)ENC", "another session on the same connection");
}

static void bad(char command, struct slice data, const char *what)
{
    begin();
    add('M', SLICE("<a@x>\0"));
    add('R', SLICE("<b@y>\0"));
    add(command, data);
    check("OCHM(<a@x>,)R(<b@y>,)!", what);
}

static void test_refused(void)
{
    bad('X', SLICE_NONE, "an unknown command");
    bad('R', SLICE_NONE, "a recipient without data");
    bad('R', SLICE("<b@y>"), "a recipient that does not end");
    bad('L', SLICE("From\0"), "a header without a value");
    bad('L', SLICE("From\0 a"), "a header that does not end");
    bad('B', SLICE_NONE, "a body without bytes");
    bad('D', SLICE_NONE, "macros of nothing");
    bad('D', SLICE("Ri\0"), "a macro without a value");
    bad('D', SLICE("Ri\0a\0{rcpt_addr}\0"), "the same behind another");
    buf_add(&wire, SLICE("\0\0\0\0"));
    check("!", "a packet of length 0");
    buf_add(&wire, SLICE("\0\x20\0\2B"));
    check("!", "a packet that is too long");
    offer(1, 0, 0);
    check("!", "version 1");
    add('O', SLICE("\0\0\0\6"));
    check("!", "half a negotiation");
    offer(6, 0x1ff, 0x1fffff);
    add('C', SLICE("h\0004\0\031"
                   "192.0.2.256\0"));
    check("O!", "a client without an address");
}

static void macro_is(struct milter_server *s, enum milter_macro_id id, const char *want,
                     const char *what)
{
    IS_SLICE(milter_macro_store_get(&s->macros, id), slice_str(want), what);
}

static void test_macros(void)
{
    struct milter_server s;

    milter_server_init(&s);
    offer(6, 0x1ff, 0x1fffff);
    add('D', SLICE("Cj\0mx\0v\0Postfix\0{client_addr}\0"
                   "192.0.2.1\0"));
    add('C', peer);
    add('D', SLICE("M{i}\0ID\0{mail_addr}\0a@x\0unfinished"));
    add('M', SLICE("<a@x>\0"));
    add('D', SLICE("R{rcpt_addr}\0b@y\0i\0OTHER\0"));
    (void)play(&s, 3);
    macro_is(&s, MILTER_MACRO_VERSION, "Postfix", "a macro of the connection");
    macro_is(&s, MILTER_MACRO_QUEUE_ID, "ID", "one that two stages have: of the earlier");
    macro_is(&s, MILTER_MACRO_RCPT_ADDR, "b@y", "one of the present stage");
    buf_reset(&wire);
    add('M', SLICE("<a@x>\0"));
    (void)play(&s, 3);
    OK(milter_macro_store_get(&s.macros, MILTER_MACRO_RCPT_ADDR).ptr == NULL,
       "a later stage's are gone with the event");
    buf_reset(&wire);
    add('D', SLICE("M"));
    add('D', SLICE("Lx\0y\0"));
    add('D', SLICE("M{auth_authen}\0\0"));
    (void)play(&s, 3);
    OK(milter_macro_store_get(&s.macros, MILTER_MACRO_MAIL_ADDR).ptr == NULL,
       "a packet replaces its stage's");
    OK(milter_macro_store_get(&s.macros, MILTER_MACRO_AUTH_AUTHEN).ptr != NULL,
       "sent empty is not: not sent");
    milter_server_fini(&s);
    buf_reset(&wire);
}

/* The same packet comes before each header field. */
static void test_macros_again(void)
{
    struct milter_server s;

    milter_server_init(&s);
    offer(6, 0x1ff, 0x1fffff);
    add('C', peer);
    add('D', SLICE("M{i}\0ONE\0"));
    add('M', SLICE("<a@x>\0"));
    add('D', SLICE("R{rcpt_addr}\0b@y\0"));
    add('R', SLICE("<b@y>\0"));
    add('D', SLICE("R{rcpt_addr}\0b@y\0"));
    (void)play(&s, 3);
    macro_is(&s, MILTER_MACRO_RCPT_ADDR, "b@y", "the same packet twice");
    buf_reset(&wire);
    add('D', SLICE("R{rcpt_addr}\0c@z\0"));
    add('D', SLICE("R{rcpt_addr}\0b@y\0"));
    (void)play(&s, 3);
    macro_is(&s, MILTER_MACRO_RCPT_ADDR, "b@y", "again after another");
    buf_reset(&wire);
    add('A', SLICE_NONE);
    add('M', SLICE("<a@x>\0"));
    (void)play(&s, 3);
    OK(milter_macro_store_get(&s.macros, MILTER_MACRO_RCPT_ADDR).ptr == NULL, "gone");
    buf_reset(&wire);
    add('D', SLICE("R{rcpt_addr}\0b@y\0"));
    (void)play(&s, 3);
    macro_is(&s, MILTER_MACRO_RCPT_ADDR, "b@y", "the same again after they were forgotten");
    buf_reset(&wire);
    add('D', SLICE("M{rcpt_addr}\0b@y\0"));
    (void)play(&s, 3);
    OK(milter_macro_store_get(&s.macros, MILTER_MACRO_QUEUE_ID).ptr == NULL,
       "the same of another stage is that stage's");
    milter_server_reset(&s);
    buf_reset(&wire);
    offer(6, 0x1ff, 0x1fffff);
    add('D', SLICE("M{rcpt_addr}\0b@y\0"));
    (void)play(&s, 3);
    macro_is(&s, MILTER_MACRO_RCPT_ADDR, "b@y", "and the same on the next connection");
    milter_server_fini(&s);
    buf_reset(&wire);
}

static void answers_are(uint32_t steps, uint32_t quiet, struct slice want, const char *what)
{
    struct milter_server s;

    milter_server_init(&s);
    offer(6, 0x21, steps);
    (void)play(&s, 100);
    milter_server_quiet(&s, quiet);
    buf_reset(&wire);
    add('C', peer);
    add('H', SLICE("h\0"));
    add('M', SLICE("<a@x>\0"));
    add('R', SLICE("<bad>\0"));
    add('L', SLICE("From\0 a\0"));
    add('N', SLICE_NONE);
    add('B', SLICE("x"));
    add('E', SLICE_NONE);
    (void)play(&s, 100);
    IS_SLICE(buf_slice(&out), want, what);
    OK(milter_server_hold(&s, &out, SLICE("held")), "the MTA has a hold queue");
    milter_server_fini(&s);
    buf_reset(&wire);
}

#define PACKET(letter) "\0\0\0\1" letter

static void test_answers(void)
{
    const uint32_t envelope = MILTER_NR_MAIL | MILTER_NR_RCPT;

    answers_are(0x1fffff, 0, SLICE(PACKET("c") PACKET("t") PACKET("c") PACKET("c")),
                "answered: MAIL, RCPT, what was declined, end of message");
    answers_are(0x1fffff, MILTER_NR_MAIL, SLICE(PACKET("t") PACKET("c") PACKET("c")),
                "not MAIL, where that was agreed");
    answers_are(0x1fffff, envelope, SLICE(PACKET("c") PACKET("c")),
                "nor RCPT, even if it is refused");
    answers_are(0x3ff & ~MILTER_NR_HEADER, envelope,
                SLICE(PACKET("c") PACKET("c") PACKET("c") PACKET("t") PACKET("c") PACKET("c")
                          PACKET("c") PACKET("c")),
                "an MTA that wants a reply to each event gets it");
}

static void test_negotiation(void)
{
    struct milter_server s;

    milter_server_init(&s);
    offer(6, 0x1ff, 0x1fffff);
    (void)play(&s, 100);
    IS_INT(s.version, 6, "version 6");
    IS_INT(s.actions, 0x120, "macros and the hold queue");
    IS_INT(s.steps, 0x183340 | 0x80, "steps");
    OK(out.len > 100, "macros are asked for");
    milter_server_reset(&s);
    buf_reset(&wire);
    offer(2, 0, 0);
    (void)play(&s, 100);
    IS_SLICE(buf_slice(&out), SLICE("\0\0\0\15O\0\0\0\2\0\0\0\0\0\0\0\0"),
             "version 2: nothing, and no macros");
    OK(!milter_server_hold(&s, &out, SLICE("held")), "it has no hold queue");
    milter_server_fini(&s);
    buf_reset(&wire);
}

int main(void)
{
    buf_init(&wire, 10000);
    buf_init(&told, 10000);
    buf_init(&out, 10000);
    test_message();
    test_order();
    test_refused();
    test_macros();
    test_macros_again();
    test_answers();
    test_negotiation();
    buf_fini(&wire);
    buf_fini(&told);
    buf_fini(&out);
    return tap_done();
}
