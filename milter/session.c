#include "milter/session.h"

#include <stdlib.h>
#include <string.h>

#include "milter/envelope.h"

/* Recipients get a quarter of the memory: classification needs the rest for what it says of them.
 */
enum { RECIPIENT_SHARE = 8, CONNECTION_BYTES = 1 << 16, ROUNDS_MAX = 64 };

/* IDLE: no message.  OPEN: MAIL to end of message.  ASKING, COMMITTING: an errand is out. */
enum state { IDLE, OPEN, ASKING, COMMITTING };

struct live_target {
    size_t recipient;
    struct slice address;
};

struct session {
    struct arena connection, message;
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
    struct record record;
    struct err err;
};

struct session *session_new(size_t memory_bytes)
{
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    arena_init(&s->connection, CONNECTION_BYTES);
    arena_init(&s->message, memory_bytes);
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

struct session_action session_rcpt(struct session *s, struct slice path,
                                   const struct session_macros *macros)
{
    if (s->state != OPEN || envelope_is_refused(macros))
        return go_on();
    if (recipient_take(s, path, macros) == 0)
        return go_on();
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

static struct session_action commit(struct session *s)
{
    if (record_build(&s->classified, &s->facts, s->world.world->out_bytes, s->world.world->users,
                     s->queue_id, &s->message, &s->record, &s->err) != 0)
        return finish(s, refuse_no_memory());
    s->state = COMMITTING;
    return (struct session_action){
        .what = SESSION_COMMIT, .record = &s->record, .classified = &s->classified};
}

static struct session_action judge(struct session *s)
{
    int open =
        classify(&s->facts, s->world.world, &s->answers, &s->message, &s->classified, &s->err);

    if (open < 0)
        return finish(s, refuse_no_memory());
    if (open == 0)
        return commit(s);
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

struct session_action session_committed(struct session *s, bool written)
{
    TG_ASSERT(s->state == COMMITTING);
    if (!written)
        return finish(s, refuse("452", "4.3.1", "Mail accounting is out of room, try again later",
                                "the journal cannot be written"));
    return finish(s, go_on());
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
