#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/milter_client.h"
#include "t/bench/load.h"

enum {
    OUT_BYTES = 65536, /* so many bytes are sent before more is made */
    MACROS = 8,
    POLICY_BYTES = 4096,
    POLICY_ANSWER_BYTES = 4096,
    PLACES = 64
};

enum event { NONE, OPENING, HELLO, READY, MAIL, RCPT, DATA, HEADER, EOH, BODY, END, ENDED };

/* Header and body as they were sent on this connection: the next messages' differ in the queue ID
 * alone, and a client that formats each anew takes more of the machine than the server. */
struct content {
    struct buf bytes;      /* empty: none was kept */
    size_t places[PLACES]; /* of the queue ID */
    size_t count, id_len;
};

struct load_talk {
    const struct load_options *options;
    const char *body;
    struct milter_client client;
    struct milter_macro macros[MACROS];
    struct content content;
    struct buf request; /* of the policy protocol */
    struct load_names names;
    char recipient[LOAD_NAME_BYTES], path[LOAD_NAME_BYTES];
    enum event next;
    unsigned done; /* recipients or headers of this event */
    uint64_t sent; /* bytes of the body */
    enum load_end end;
    bool is_waiting;
    const char *problem;
};

struct load_talk *load_talk_new(const struct load_options *o, const char *body)
{
    struct load_talk *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->options = o;
    t->body = body;
    milter_client_init(&t->client);
    buf_init(&t->content.bytes, OUT_BYTES);
    buf_init(&t->request, POLICY_BYTES);
    return t;
}

void load_talk_free(struct load_talk *t)
{
    if (t == NULL)
        return;
    milter_client_fini(&t->client);
    buf_fini(&t->content.bytes);
    buf_fini(&t->request);
    free(t);
}

void load_talk_open(struct load_talk *t)
{
    milter_client_fini(&t->client);
    milter_client_init(&t->client);
    buf_reset(&t->content.bytes); /* what the server asks for is agreed on anew */
    buf_reset(&t->request);
    t->is_waiting = false;
    t->next = t->options->policy ? READY : OPENING;
    if (!t->options->policy)
        t->is_waiting = milter_client_offer(&t->client);
}

bool load_talk_is_ready(const struct load_talk *t)
{
    return t->next == READY && !t->is_waiting;
}

static void path_set(struct load_talk *t, const char *address)
{
    (void)snprintf(t->path, sizeof t->path, "<%.*s>", LOAD_NAME_BYTES - 3, address);
}

void load_talk_message(struct load_talk *t, uint64_t number)
{
    struct load_names *n = &t->names;

    load_names_make(t->options, number, n);
    t->macros[0] = (struct milter_macro){"i", slice_str(n->queue_id)};
    t->macros[1] = (struct milter_macro){"mail_addr", slice_str(n->sender)};
    t->macros[2] = (struct milter_macro){"rcpt_addr", slice_str(t->recipient)};
    t->macros[3] = (struct milter_macro){"rcpt_mailer", SLICE("smtp")};
    t->macros[4] = (struct milter_macro){"v", SLICE("Postfix 3.7.11")};
    t->macros[5] = (struct milter_macro){"j", SLICE("mx.example.com")};
    t->macros[6] = (struct milter_macro){"auth_authen", slice_str(n->login)};
    t->macros[7] = (struct milter_macro){"auth_type", SLICE("PLAIN")};
    t->client.macros = (struct milter_macros){t->macros, n->login[0] != '\0' ? MACROS : MACROS - 2};
    t->next = MAIL;
    t->done = 0;
    t->sent = 0;
    t->end = LOAD_ACCEPTED;
}

struct buf *load_talk_out(struct load_talk *t)
{
    return t->options->policy ? &t->request : &t->client.out;
}

const char *load_talk_problem(const struct load_talk *t)
{
    return t->problem;
}

void load_talk_close(struct load_talk *t)
{
    if (!t->options->policy)
        milter_client_quit(&t->client);
}

/* --- the milter protocol ---------------------------------------------------------------------- */

/* The event is over when all its recipients or headers are. */
static void next_of(struct load_talk *t, unsigned count)
{
    if (++t->done < count)
        return;
    t->done = 0;
    t->next++;
}

static bool rcpt_send(struct load_talk *t)
{
    load_names_recipient(t->options, &t->names, t->done, t->recipient);
    t->macros[2].value = slice_str(t->recipient);
    path_set(t, t->recipient);
    next_of(t, t->options->recipients);
    return milter_client_rcpt(&t->client, slice_str(t->path), NULL, 0);
}

static bool header_send(struct load_talk *t)
{
    char name[LOAD_NAME_BYTES];

    if (t->options->headers == 0) {
        t->next++;
        return false;
    }
    (void)snprintf(name, sizeof name, "X-Header-%u", t->done);
    next_of(t, t->options->headers);
    return milter_client_header(&t->client, slice_str(name),
                                SLICE(" a value of some length, as a header field has it"));
}

static bool body_send(struct load_talk *t)
{
    uint64_t left = t->options->body_bytes - t->sent;
    size_t len = left > MILTER_CHUNK_BYTES ? MILTER_CHUNK_BYTES : (size_t)left;

    t->sent += len;
    if (t->sent == t->options->body_bytes)
        t->next++;
    return len > 0 && milter_client_body(&t->client, (struct slice){t->body, len});
}

static bool mail_send(struct load_talk *t)
{
    path_set(t, t->names.sender);
    return milter_client_mail(&t->client, slice_str(t->path), NULL, 0);
}

static bool connect_send(struct load_talk *t)
{
    struct milter_peer peer = {SLICE("client.test"), '4', 4000, SLICE("203.0.113.9")};

    return milter_client_connect(&t->client, &peer);
}

/* True: an answer is due. */
static bool event_send(struct load_talk *t)
{
    switch (t->next) {
    case OPENING:
        t->next = HELLO;
        return connect_send(t);
    case HELLO:
        t->next = READY;
        return milter_client_helo(&t->client, SLICE("client.test"));
    case MAIL:
        t->next = RCPT;
        return mail_send(t);
    case RCPT:
        return rcpt_send(t);
    case DATA:
        t->next = HEADER;
        return milter_client_data(&t->client);
    case HEADER:
        return header_send(t);
    case EOH:
        t->next = BODY;
        return milter_client_eoh(&t->client);
    case BODY:
        return body_send(t);
    case END:
        t->next = ENDED;
        return milter_client_eom(&t->client);
    case NONE:
    case READY:
    case ENDED:
        break;
    }
    return false;
}

/* `sent` went from DATA to the end of the body without an answer. */
static void content_keep(struct load_talk *t, struct slice sent)
{
    struct content *c = &t->content;
    struct slice id = slice_str(t->names.queue_id);
    const char *at = sent.ptr, *end = sent.ptr + sent.len;

    c->id_len = id.len;
    for (c->count = 0; (at = memmem(at, (size_t)(end - at), id.ptr, id.len)) != NULL;
         at += id.len) {
        if (c->count == PLACES)
            return;
        c->places[c->count++] = (size_t)(at - sent.ptr);
    }
    buf_add(&c->bytes, sent);
    if (c->bytes.failed)
        buf_reset(&c->bytes);
}

/* False: there is none for this message. */
static bool content_send(struct load_talk *t)
{
    struct content *c = &t->content;
    struct slice id = slice_str(t->names.queue_id);

    if (c->bytes.len == 0 || c->id_len != id.len)
        return false;
    for (size_t i = 0; i < c->count; i++)
        memcpy(c->bytes.data + c->places[i], id.ptr, id.len);
    buf_add(&t->client.out, buf_slice(&c->bytes));
    t->next = END;
    return true;
}

/* From DATA to the end of the body, as far as it goes without an answer. */
static void content_go(struct load_talk *t)
{
    size_t begun = t->client.out.len;

    if (content_send(t))
        return;
    while (!t->is_waiting && t->next != END && t->client.out.len < OUT_BYTES)
        t->is_waiting = event_send(t);
    if (!t->is_waiting && t->next == END && t->content.bytes.len == 0)
        content_keep(t, slice_from(buf_slice(&t->client.out), begun));
}

static void answer_note(struct load_talk *t, const struct milter_answer *a)
{
    if (a->kind == MILTER_QUARANTINE)
        t->end = LOAD_HELD;
    if (!a->is_final || a->kind == MILTER_CONTINUE || a->kind == MILTER_ACCEPT)
        return;
    t->end = a->kind == MILTER_REJECT || (a->kind == MILTER_REPLY_CODE && a->code >= 500)
                 ? LOAD_REFUSED
                 : LOAD_DEFERRED;
    t->next = ENDED;
}

static enum load_step milter_take(struct load_talk *t, struct slice *in)
{
    struct milter_answer a = {.kind = MILTER_CONTINUE};

    while (t->is_waiting) {
        switch (milter_client_take(&t->client, in, &a)) {
        case MILTER_TAKE_MORE:
            return LOAD_WORKING;
        case MILTER_TAKE_BAD:
            t->problem = t->client.problem;
            return LOAD_BROKEN;
        case MILTER_TAKE_ANSWER:
            answer_note(t, &a);
            t->is_waiting = !a.is_final;
        }
    }
    return LOAD_WORKING;
}

/* --- the policy protocol (SMTPD_POLICY_README) ------------------------------------------------ */

static void request_make(struct load_talk *t)
{
    const struct load_names *n = &t->names;

    load_names_recipient(t->options, n, 0, t->recipient);
    buf_addf(
        &t->request,
        "request=smtpd_access_policy\nprotocol_state=END-OF-MESSAGE\nprotocol_name=ESMTP\n"
        "helo_name=client.test\nqueue_id=%s\nsender=%s\nrecipient=%s\nrecipient_count=%u\n"
        "client_address=203.0.113.9\nclient_name=client.test\nreverse_client_name=client.test\n"
        "instance=%s\nsasl_method=%s\nsasl_username=%s\nsasl_sender=\nsize=%llu\n\n",
        n->queue_id, n->sender, t->recipient, t->options->recipients, n->queue_id,
        n->login[0] != '\0' ? "PLAIN" : "", n->login, (unsigned long long)t->options->body_bytes);
    t->next = ENDED;
    t->is_waiting = true;
}

static enum load_end action_end(struct slice answer)
{
    size_t head = SLICE("action=").len;
    struct slice action = answer.len > head ? slice_from(answer, head) : SLICE_NONE;

    if (slice_equal_nocase(slice_to(action, 4), SLICE("HOLD")))
        return LOAD_HELD;
    if (slice_equal_nocase(slice_to(action, 5), SLICE("DEFER")) ||
        (action.len > 0 && action.ptr[0] == '4'))
        return LOAD_DEFERRED;
    if (slice_equal_nocase(slice_to(action, 6), SLICE("REJECT")) ||
        (action.len > 0 && action.ptr[0] == '5'))
        return LOAD_REFUSED;
    return LOAD_ACCEPTED;
}

static enum load_step policy_take(struct load_talk *t, struct slice *in)
{
    const char *end = in->len > 0 ? memmem(in->ptr, in->len, "\n\n", 2) : NULL;

    if (end == NULL) {
        t->problem = "the answer is too long";
        return in->len < POLICY_ANSWER_BYTES ? LOAD_WORKING : LOAD_BROKEN;
    }
    t->end = action_end(slice_to(*in, (size_t)(end - in->ptr)));
    *in = slice_from(*in, (size_t)(end - in->ptr) + 2);
    t->is_waiting = false;
    return LOAD_WORKING;
}

/* ---------------------------------------------------------------------------------------------- */

enum load_step load_talk_take(struct load_talk *t, struct slice *in)
{
    if (!t->is_waiting) {
        t->problem = "an answer to nothing";
        return in->len == 0 ? LOAD_WORKING : LOAD_BROKEN;
    }
    return t->options->policy ? policy_take(t, in) : milter_take(t, in);
}

enum load_step load_talk_go(struct load_talk *t, enum load_end *end)
{
    while (!t->is_waiting && t->next != READY && t->next != ENDED) {
        if (load_talk_out(t)->len >= OUT_BYTES)
            return LOAD_WORKING;
        if (t->options->policy)
            request_make(t);
        else if (t->next == DATA)
            content_go(t);
        else
            t->is_waiting = event_send(t);
    }
    if (t->is_waiting || t->next == READY)
        return LOAD_WORKING;
    if (!t->options->policy)
        milter_client_abort(&t->client); /* as Postfix does, also after a message it accepts */
    t->next = READY;
    *end = t->end;
    return LOAD_MESSAGE_DONE;
}
