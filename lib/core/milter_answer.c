/* The other half of milter_client.h: answers of the milter. */

#include <string.h>

#include "lib/core/milter_client.h"

static enum milter_take broken(struct milter_client *c, const char *problem)
{
    c->problem = problem;
    c->is_ready = false;
    c->is_waiting = false;
    return MILTER_TAKE_BAD;
}

/* Names of macros by stage, as pairs of a number and a string, follow the three numbers of the
 * answer. */
static bool take_symbols(struct milter_client *c, struct slice data)
{
    struct slice names;
    uint32_t stage;

    while (data.len > 0) {
        if (!slice_take_u32(&data, &stage) || !milter_wire_take_string(&data, &names))
            return false;
        if (stage >= MILTER_STAGES)
            continue;
        buf_reset(&c->symbols[stage]);
        buf_add(&c->symbols[stage], names);
        c->has_symbols[stage] = true;
        if (c->symbols[stage].failed)
            return false;
    }
    return true;
}

static enum milter_take take_negotiation(struct milter_client *c, struct milter_wire_packet p,
                                         struct milter_answer *out)
{
    if (p.command != MILTER_OPTNEG)
        return broken(c, "did not answer the negotiation");
    if (!slice_take_u32(&p.data, &c->version) || !slice_take_u32(&p.data, &c->actions) ||
        !slice_take_u32(&p.data, &c->steps))
        return broken(c, "answered the negotiation with a short packet");
    if (c->version < 2 || c->version > MILTER_VERSION)
        return broken(c, "requires a version of the protocol that was not offered");
    if ((c->actions & ~MILTER_CAN_ALL) != 0)
        return broken(c, "requires actions that were not offered");
    if (!take_symbols(c, p.data))
        return broken(c, "sent a malformed list of macros");
    /* Steps of later versions: the milter does not expect them. */
    if (c->version < 3)
        c->steps |= MILTER_NO_UNKNOWN;
    if (c->version < 4)
        c->steps |= MILTER_NO_DATA;
    c->is_ready = true;
    c->is_waiting = false;
    *out = (struct milter_answer){.kind = MILTER_CONTINUE, .is_final = true};
    return MILTER_TAKE_ANSWER;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One line of a reply: "451 4.7.1 text", the class of both codes the same. */
static bool is_reply_line(struct slice line, struct slice code)
{
    if (line.len < 4 || !slice_equal(slice_to(line, 3), code) ||
        (line.ptr[3] != ' ' && line.ptr[3] != '-'))
        return false;
    return line.len < 6 || !is_digit(line.ptr[4]) || line.ptr[5] != '.' ||
           line.ptr[4] == code.ptr[0];
}

static bool is_reply(struct slice text)
{
    struct slice code = slice_to(text, 3), line;

    if (text.len < 4 || (code.ptr[0] != '4' && code.ptr[0] != '5') || !is_digit(code.ptr[1]) ||
        !is_digit(code.ptr[2]))
        return false;
    while (slice_cut(&text, '\n', &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!is_reply_line(line, code))
            return false;
    }
    return true;
}

/* Sendmail uses the text as a format, so milters double each '%' (a single one is lost); control
 * bytes, which would break the SMTP reply, become blanks. */
static size_t plain_text(char *into, size_t room, struct slice text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len && len < room; i++) {
        char c = text.ptr[i];

        if (c == '%' && ++i < text.len)
            c = text.ptr[i];
        else if (c == '%')
            break;
        if (((unsigned char)c < ' ' && c != '\r' && c != '\n') || c == 0x7f)
            c = ' ';
        into[len++] = c;
    }
    return len;
}

static bool take_reply_code(struct milter_client *c, struct slice data, struct milter_answer *out)
{
    struct slice text;

    if (!milter_wire_take_string(&data, &text) || text.len >= sizeof c->text || !is_reply(text))
        return false;
    out->code = (text.ptr[0] - '0') * 100 + (text.ptr[1] - '0') * 10 + (text.ptr[2] - '0');
    out->text = (struct slice){c->text, plain_text(c->text, sizeof c->text, text)};
    return true;
}

static bool take_header(struct slice data, bool indexed, struct milter_answer *out)
{
    if (indexed && !slice_take_u32(&data, &out->index))
        return false;
    return milter_wire_take_string(&data, &out->name) &&
           milter_wire_take_string(&data, &out->value) && out->name.len > 0 && data.len == 0;
}

static bool take_address(struct slice data, struct milter_answer *out)
{
    if (!milter_wire_take_string(&data, &out->value))
        return false;
    if (data.len > 0 && !milter_wire_take_string(&data, &out->params))
        return false;
    return data.len == 0;
}

/* The action that a change needs; changes are allowed only at the end of a message. 0: no change.
 */
static uint32_t needed_action(char command)
{
    switch (command) {
    case MILTER_ADD_RCPT:
        return MILTER_CAN_ADD_RCPT;
    case MILTER_ADD_RCPT_PAR:
        return MILTER_CAN_ADD_RCPT_PAR;
    case MILTER_DELETE_RCPT:
        return MILTER_CAN_DELETE_RCPT;
    case MILTER_REPLACE_BODY:
        return MILTER_CAN_CHANGE_BODY;
    case MILTER_CHANGE_FROM:
        return MILTER_CAN_CHANGE_FROM;
    case MILTER_ADD_HEADER:
        return MILTER_CAN_ADD_HEADER;
    case MILTER_INSERT_HEADER: /* libmilter asks for one of the two */
        return MILTER_CAN_ADD_HEADER | MILTER_CAN_CHANGE_HEADER;
    case MILTER_CHANGE_HEADER:
        return MILTER_CAN_CHANGE_HEADER;
    case MILTER_QUARANTINE:
        return MILTER_CAN_QUARANTINE;
    default:
        return 0;
    }
}

static bool take_change(struct slice data, struct milter_answer *out)
{
    switch (out->kind) {
    case MILTER_REPLACE_BODY:
        out->value = data;
        return true;
    case MILTER_ADD_HEADER:
        return take_header(data, false, out);
    case MILTER_INSERT_HEADER:
    case MILTER_CHANGE_HEADER:
        return take_header(data, true, out);
    default:
        return take_address(data, out);
    }
}

static enum milter_take change(struct milter_client *c, struct slice data,
                               struct milter_answer *out)
{
    if (c->event != MILTER_EOM)
        return broken(c, "changed the message before its end");
    if ((c->actions & needed_action(out->kind)) == 0)
        return broken(c, "made a change that it had not negotiated");
    if (!take_change(data, out))
        return broken(c, "sent a malformed change");
    return MILTER_TAKE_ANSWER;
}

/* Events of one message: a final answer to one of these ends the milter's interest in the message.
 */
static bool is_connection_event(char event)
{
    return event == MILTER_CONNECT || event == MILTER_HELO || event == MILTER_UNKNOWN;
}

static void settle(struct milter_client *c, struct milter_answer *out)
{
    bool refused = out->kind == MILTER_REJECT || out->kind == MILTER_TEMPFAIL ||
                   out->kind == MILTER_REPLY_CODE;

    if (out->kind == MILTER_SKIP) {
        c->skips_body = c->event == MILTER_BODY;
        out->kind = MILTER_CONTINUE;
    }
    /* Neither Postfix nor Sendmail discards a connection. */
    if (out->kind == MILTER_DISCARD && is_connection_event(c->event))
        out->kind = MILTER_CONTINUE;
    if (out->kind == MILTER_CONTINUE || (refused && c->event == MILTER_RCPT))
        return;
    if (c->event == MILTER_UNKNOWN)
        return;
    if (is_connection_event(c->event) || out->kind == MILTER_SHUTDOWN ||
        out->kind == MILTER_CONN_FAIL)
        c->off_connection = true;
    else
        c->off_message = true;
}

static enum milter_take verdict(struct milter_client *c, struct slice data,
                                struct milter_answer *out)
{
    if (out->kind == MILTER_REPLY_CODE && !take_reply_code(c, data, out))
        return broken(c, "sent a malformed reply: \"4xx 4.x.x text\" or 5xx expected");
    if (out->kind != MILTER_REPLY_CODE && data.len > 0)
        return broken(c, "sent data with an answer that has none");
    out->is_final = true;
    c->is_waiting = false;
    settle(c, out);
    return MILTER_TAKE_ANSWER;
}

static enum milter_take take_packet(struct milter_client *c, struct milter_wire_packet p,
                                    struct milter_answer *out)
{
    *out = (struct milter_answer){.kind = p.command};
    if (needed_action(p.command) != 0)
        return change(c, p.data, out);
    if (memchr("acdfr4sty", p.command, 9) == NULL)
        return broken(c, "sent an unknown answer");
    return verdict(c, p.data, out);
}

enum milter_take milter_client_take(struct milter_client *c, struct slice *in,
                                    struct milter_answer *out)
{
    struct milter_wire_packet p;

    for (;;) {
        switch (milter_wire_take(in, MILTER_DATA_BYTES + MILTER_DATA_BYTES / 16, &p)) {
        case WIRE_MORE:
            return MILTER_TAKE_MORE;
        case WIRE_BAD:
            return broken(c, "sent a packet of invalid length");
        case WIRE_PACKET:
            break;
        }
        if (!c->is_waiting)
            return broken(c, "sent an answer when none was due");
        if (c->event == MILTER_OPTNEG)
            return take_negotiation(c, p, out);
        if (p.command != MILTER_PROGRESS)
            return take_packet(c, p, out);
    }
}
