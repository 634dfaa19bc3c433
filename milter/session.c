#include "milter/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/limit_reply.h"
#include "lib/core/throttled.h"
#include "milter/envelope.h"

/* Recipients get a quarter of the memory: classification needs the rest for what it says of them.
 */
enum { RECIPIENT_SHARE = 8, CONNECTION_BYTES = 1 << 16, LOOK_BYTES = 1 << 18, ROUNDS_MAX = 64 };

/* IDLE: no message.  OPEN: MAIL to end of message.  The others: an errand is out, LOOKING and
 * NOTING for a recipient. */
enum state { IDLE, OPEN, ASKING, LIMITING, COMMITTING, LOOKING, NOTING };

struct live_target {
    size_t recipient;
    struct slice address;
};

struct session {
    struct arena connection, message, look;
    bool smtp;
    struct slice client_ip, version;
    enum envelope_mta mta;

    enum state state;
    struct session_world world;
    struct facts facts;
    size_t recipient_room;
    struct live_target *targets;
    size_t target_count, target_room;
    struct slice queue_id;
    bool full; /* the memory of this message is used up */
    struct answers answers;
    bool has_answers;
    unsigned rounds;
    struct classified classified;
    struct facts look_facts;
    struct classified look_classified;
    struct record record;
    struct limit_question question;
    struct session_action verdict;         /* after COMMIT */
    char reply[LIMIT_REPLY_MAX_BYTES + 1]; /* its text, which outlives the message */
    struct err err;
};

struct session *session_new(size_t memory_bytes)
{
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    arena_init(&s->connection, CONNECTION_BYTES);
    arena_init(&s->message, memory_bytes);
    arena_init(&s->look, LOOK_BYTES);
    s->smtp = true;
    return s;
}

/* Back to no message; as often as one likes. */
static void reset(struct session *s)
{
    if (s->has_answers)
        answers_fini(&s->answers);
    s->has_answers = false;
    if (s->world.release != NULL)
        s->world.release(s->world.owner);
    memset(&s->world, 0, sizeof s->world);
    memset(&s->facts, 0, sizeof s->facts);
    s->recipient_room = s->target_count = s->target_room = 0;
    s->targets = NULL;
    s->queue_id = SLICE_NONE;
    s->full = false;
    s->rounds = 0;
    s->state = IDLE;
    arena_reset(&s->message);
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    reset(s);
    arena_fini(&s->message);
    arena_fini(&s->look);
    arena_fini(&s->connection);
    free(s);
}

static struct session_action go_on(void)
{
    return (struct session_action){.what = SESSION_CONTINUE};
}

static struct session_action refuse(const char *code, const char *enhanced, const char *text,
                                    const char *why)
{
    return (struct session_action){
        .what = SESSION_REPLY, .code = code, .enhanced = enhanced, .text = text, .why = why};
}

static struct session_action refuse_no_memory(void)
{
    return refuse("452", "4.5.3", "Too many recipients or too large a header: send it in parts",
                  "a message needs more memory than its cap");
}

static struct session_action refuse_for_now(const char *why)
{
    return refuse("451", "4.3.0", "Mail accounting is not ready, try again later", why);
}

/* The sendmail command comes from Postfix's pickup as a connection from nowhere: FAMILY_INET, port
 * 0. */
static bool is_submitted(const struct session_client *c)
{
    return c->family == FAMILY_INET && c->port == 0 &&
           slice_equal(c->address, SLICE("127.0.0.1")) &&
           slice_equal_nocase(c->host, SLICE("localhost"));
}

struct session_action session_connect(struct session *s, const struct session_client *client,
                                      const struct session_macros *macros)
{
    bool has_ip = client->family == FAMILY_INET || client->family == FAMILY_INET6;
    struct slice ip = has_ip ? client->address : macros->client_addr;

    reset(s);
    arena_reset(&s->connection);
    s->smtp = !is_submitted(client);
    s->client_ip = s->smtp ? arena_copy(&s->connection, slice_to(ip, 64)) : SLICE_NONE;
    s->version = arena_copy(&s->connection, slice_to(macros->version, 128));
    s->mta = envelope_mta(s->version, s->smtp);
    return go_on();
}

/* HELO and EHLO end a transaction (RFC 5321 4.1.4); after STARTTLS there is a second one. */
struct session_action session_helo(struct session *s)
{
    reset(s);
    return go_on();
}

struct session_action session_mail(struct session *s, const struct session_world *w,
                                   struct slice path, const struct session_macros *macros)
{
    reset(s);
    s->world = *w;
    if (w->world == NULL) {
        reset(s);
        return refuse_for_now("the hosted domains could not be read yet");
    }
    s->facts.smtp = s->smtp;
    s->facts.client_ip = s->client_ip;
    s->facts.auth = envelope_login(s->mta, macros->auth_authen, &s->message);
    if (envelope_address(s->mta, path, macros->mail_addr, &s->message, &s->facts.sender) != 0)
        s->full = true;
    s->state = OPEN;
    return go_on();
}

static int recipient_add(struct session *s, const struct address *a)
{
    struct facts *f = &s->facts;
    struct address *list = arena_grow(&s->message, f->recipients, f->recipient_count,
                                      &s->recipient_room, sizeof *list);

    if (list == NULL)
        return -1;
    f->recipients = list;
    list[f->recipient_count++] = *a;
    return 0;
}

static int target_add(struct session *s, struct slice address)
{
    struct live_target *list =
        arena_grow(&s->message, s->targets, s->target_count, &s->target_room, sizeof *list);

    if (list == NULL)
        return -1;
    s->targets = list;
    list[s->target_count++] = (struct live_target){s->facts.recipient_count - 1, address};
    return 0;
}

static int recipient_take(struct session *s, struct slice path, const struct session_macros *macros)
{
    struct address a;
    struct slice target;

    if (s->message.used_bytes > s->message.cap_bytes / RECIPIENT_SHARE)
        return -1;
    if (envelope_address(s->mta, path, macros->rcpt_addr, &s->message, &a) != 0)
        return -1;
    if (a.domain.len == 0)
        a.domain = s->world.world->default_domain;
    if (recipient_add(s, &a) != 0)
        return -1;
    if (envelope_target(s->mta, &a, macros, &s->message, &target))
        return target_add(s, target);
    return 0;
}

/* Worth a look: what the sender's domain pays for, and bounces. The rest depends on headers, or no
 * limit stops it. */
static bool is_worth_a_look(const struct classified *c)
{
    const struct decision *d = &c->decisions[0];

    if (c->count == 0)
        return false;
    if (d->class_ == CLASS_OUT)
        return !slice_equal(d->account, SLICE(ACCOUNT_UNATTRIBUTED));
    return c->is_bounce && (d->class_ == CLASS_IN || d->class_ == CLASS_LOCAL);
}

/* The last recipient by itself, as far as it can be judged without asking anybody. */
static bool look_classify(struct session *s)
{
    struct answers nobody;
    int open;

    arena_reset(&s->look);
    s->look_facts = s->facts;
    s->look_facts.recipients = &s->facts.recipients[s->facts.recipient_count - 1];
    s->look_facts.recipient_count = 1;
    s->look_facts.bytes = 1; /* at least */
    answers_init(&nobody, &s->look);
    open = classify(&s->look_facts, s->world.world, &nobody, &s->look, &s->look_classified, NULL);
    answers_fini(&nobody);
    return open == 0;
}

static struct session_action look(struct session *s)
{
    if (!s->world.limits || !s->smtp || !look_classify(s) || !is_worth_a_look(&s->look_classified))
        return go_on();
    s->question = (struct limit_question){.classified = &s->look_classified,
                                          .facts = &s->look_facts,
                                          .world = s->world.world,
                                          .is_look = true,
                                          .arena = &s->look};
    s->state = LOOKING;
    return (struct session_action){.what = SESSION_LIMIT, .limits = &s->question};
}

struct session_action session_rcpt(struct session *s, struct slice path,
                                   const struct session_macros *macros)
{
    if (s->state != OPEN || envelope_is_refused(macros))
        return go_on();
    if (recipient_take(s, path, macros) == 0)
        return look(s);
    /* Refusing a recipient of the sendmail command is a configuration error to Postfix: the whole
     * message waits then, at its end. */
    if (!s->smtp) {
        s->full = true;
        return go_on();
    }
    return refuse_no_memory();
}

/* Folded lines come with bare line feeds and go with CRLF. */
static uint64_t bare_line_feeds(struct slice value)
{
    uint64_t count = 0;
    const char *at = value.ptr, *end = value.ptr + value.len;

    while (at != NULL && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        count += at == value.ptr || at[-1] != '\r';
        at++;
    }
    return count;
}

void session_header(struct session *s, struct slice name, struct slice value, size_t lead)
{
    if (s->state != OPEN)
        return;
    s->facts.bytes +=
        name.len + 1 + lead + value.len + (value.len > 0 ? bare_line_feeds(value) : 0) + 2;
    if (header_facts_add(&s->facts.headers, s->world.world, &s->message, name, value) != 0)
        s->full = true;
}

void session_body(struct session *s, size_t bytes)
{
    if (s->state == OPEN)
        s->facts.bytes += bytes;
}

/* What the MTA showed of forwarding becomes an answer that nobody needs to ask for. */
static int put_targets(struct session *s)
{
    for (size_t i = 0; i < s->target_count; i++) {
        struct live_target *t = &s->targets[i];
        struct answer answer = {.found = true, .targets = {&t->address, 1}};
        struct slice key = address_text(&s->facts.recipients[t->recipient], &s->message);

        if (key.ptr == NULL || answers_put(&s->answers, QUESTION_FORWARD, key, &answer) != 0)
            return -1;
    }
    return 0;
}

/* The message is over, and so is its memory: an idle session holds none. */
static struct session_action finish(struct session *s, struct session_action last)
{
    reset(s);
    return last;
}

/* The record is to be written; then the MTA gets `verdict`. */
static struct session_action commit(struct session *s, struct session_action verdict)
{
    s->verdict = verdict;
    s->state = COMMITTING;
    return (struct session_action){.what = SESSION_COMMIT,
                                   .record = &s->record,
                                   .classified =
                                       s->record.kind == RECORD_MESSAGE ? &s->classified : NULL};
}

static int record_of_message(struct session *s, const struct limit_answer *limits)
{
    if (record_build(&s->classified, &s->facts, s->world.world->out_bytes, s->world.world->users,
                     s->queue_id, &s->message, &s->record, &s->err) != 0)
        return -1;
    if (limits == NULL || limits->tests == NULL)
        return 0;
    return throttled_count(&limits->demands, limits->tests, &limits->verdict, &s->message,
                           &s->record, &s->err);
}

/* Let through: charged, with what limits say of it besides (NULL: nothing). */
static struct session_action charge(struct session *s, const struct limit_answer *limits)
{
    if (record_of_message(s, limits) != 0)
        return finish(s, refuse_no_memory());
    return commit(s, go_on());
}

static void reply_make(struct session *s, const struct throttle_verdict *v)
{
    struct slice text = limit_reply(v, &s->look);

    (void)snprintf(s->reply, sizeof s->reply, "%s",
                   text.ptr != NULL ? text.ptr : "Over a sending limit");
}

static struct session_action refuse_over_limit(struct session *s, const struct throttle_verdict *v)
{
    bool reject = v->action == ACTION_REJECT;

    reply_make(s, v);
    return refuse(reject ? "550" : "450", reject ? "5.7.1" : "4.7.1", s->reply, NULL);
}

/* Refused: only the attempt is counted. */
static struct session_action stop(struct session *s, const struct limit_answer *limits)
{
    s->record = (struct record){.kind = RECORD_EVENT, .queue_id = s->queue_id};
    if (throttled_count(&limits->demands, limits->tests, &limits->verdict, &s->message, &s->record,
                        &s->err) != 0)
        return finish(s, refuse_no_memory());
    return commit(s, refuse_over_limit(s, &limits->verdict));
}

/* Kept back: charged when it is released. */
static struct session_action hold(struct session *s, const struct limit_answer *limits)
{
    struct session_action held = {.what = SESSION_HOLD, .text = s->reply};

    reply_make(s, &limits->verdict);
    if (record_of_message(s, limits) != 0)
        return finish(s, refuse_no_memory());
    s->record.kind = RECORD_HELD;
    s->record.held_by = limits->verdict.demand->holder;
    s->record.client_ip = s->client_ip;
    s->record.wanted = limits->demands.legs;
    s->record.wanted_count = limits->demands.leg_count;
    return commit(s, held);
}

static struct session_action limit(struct session *s)
{
    s->question = (struct limit_question){.classified = &s->classified,
                                          .facts = &s->facts,
                                          .world = s->world.world,
                                          .queue_id = s->queue_id,
                                          .arena = &s->message};
    s->state = LIMITING;
    return (struct session_action){.what = SESSION_LIMIT, .limits = &s->question};
}

static struct session_action judge(struct session *s)
{
    int open =
        classify(&s->facts, s->world.world, &s->answers, &s->message, &s->classified, &s->err);

    if (open < 0)
        return finish(s, refuse_no_memory());
    if (open == 0)
        return s->world.limits ? limit(s) : charge(s, NULL);
    if (++s->rounds > ROUNDS_MAX)
        return finish(s, refuse_for_now("a message has questions without end"));
    s->state = ASKING;
    return (struct session_action){.what = SESSION_ASK, .answers = &s->answers};
}

struct session_action session_end(struct session *s, const struct session_macros *macros)
{
    if (s->state != OPEN || s->facts.recipient_count == 0) {
        reset(s);
        return go_on();
    }
    s->facts.bytes += 2; /* the line between headers and body */
    s->queue_id = arena_copy(&s->message, slice_to(macros->queue_id, 128));
    answers_init(&s->answers, &s->message);
    s->has_answers = true;
    if (s->full || s->queue_id.ptr == NULL || put_targets(s) != 0)
        return finish(s, refuse_no_memory());
    return judge(s);
}

struct session_action session_answered(struct session *s, bool known)
{
    TG_ASSERT(s->state == ASKING);
    s->state = OPEN;
    if (!known)
        return finish(s,
                      refuse_for_now("a source of domains, forwarders or logins does not answer"));
    return judge(s);
}

/* What is known already of a recipient that was just taken. */
static struct session_action looked(struct session *s, const struct limit_answer *limits)
{
    const struct decision *d = &s->look_classified.decisions[0];
    bool is_bounce = d->class_ != CLASS_OUT;

    s->state = OPEN;
    if (limits->tests == NULL ||
        (limits->verdict.action != ACTION_DEFER && limits->verdict.action != ACTION_REJECT))
        return go_on();
    s->facts.recipient_count--;
    while (s->target_count > 0 &&
           s->targets[s->target_count - 1].recipient == s->facts.recipient_count)
        s->target_count--;
    s->record = (struct record){.kind = RECORD_EVENT};
    if (throttled_count_recipient(is_bounce ? METRIC_BOUNCES : METRIC_RECIPIENTS,
                                  d->class_ == CLASS_LOCAL ? d->received_account : d->account,
                                  d->class_ == CLASS_LOCAL ? d->received_user : d->user, &s->look,
                                  &s->record, &s->err) != 0)
        return refuse_over_limit(s, &limits->verdict);
    s->verdict = refuse_over_limit(s, &limits->verdict);
    s->state = NOTING;
    return (struct session_action){.what = SESSION_COMMIT, .record = &s->record};
}

struct session_action session_limited(struct session *s, const struct limit_answer *limits)
{
    TG_ASSERT(s->state == LIMITING || s->state == LOOKING);
    if (s->state == LOOKING)
        return looked(s, limits);
    if (limits->is_unknown)
        return finish(s, refuse("451", "4.7.1",
                                "Sending limits cannot be checked now, try again later",
                                "the store does not answer, and store.on_failure is \"defer\""));
    if (limits->tests == NULL || limits->verdict.action == ACTION_LOG)
        return charge(s, limits);
    return limits->verdict.action == ACTION_HOLD ? hold(s, limits) : stop(s, limits);
}

struct session_action session_committed(struct session *s, bool written)
{
    TG_ASSERT(s->state == COMMITTING || s->state == NOTING);
    if (s->state == NOTING) {
        s->state = OPEN;
        return s->verdict;
    }
    /* that a stop is not counted is no reason for another answer */
    if (!written && s->record.kind != RECORD_EVENT)
        return finish(s, refuse("452", "4.3.1", "Mail accounting is out of room, try again later",
                                "the journal cannot be written"));
    return finish(s, s->verdict);
}

void session_abort(struct session *s)
{
    reset(s);
}

void session_close(struct session *s)
{
    reset(s);
    arena_reset(&s->connection);
    s->client_ip = s->version = SLICE_NONE;
    s->smtp = true;
    s->mta = MTA_OTHER;
}

bool session_is_open(const struct session *s)
{
    return s->state != IDLE;
}

bool session_is_smtp(const struct session *s)
{
    return s->smtp;
}

size_t session_memory_bytes(const struct session *s)
{
    return s->message.used_bytes + s->connection.used_bytes;
}
