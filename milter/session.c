#include "milter/session_work.h"

#include <stdlib.h>
#include <string.h>

/* Recipients get an eighth of the memory: their classification and record take three times as much,
 * more with forwarders and look-ups. */
enum { RECIPIENT_SHARE = 8, CONNECTION_BYTES = 1 << 16, LOOK_BYTES = 1 << 18 };

struct session *session_new(size_t memory_bytes)
{
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    arena_init_small(&s->connection, CONNECTION_BYTES);
    arena_init(&s->message, memory_bytes);
    arena_init(&s->look, LOOK_BYTES);
    visited_init(&s->visited, VISITED_BYTES);
    s->smtp = true;
    return s;
}

void session_reset(struct session *s)
{
    if (s->has_answers)
        answers_fini(&s->answers);
    if (s->has_look_answers)
        answers_fini(&s->look_answers);
    s->has_answers = s->has_look_answers = false;
    if (s->hosted.release != NULL)
        s->hosted.release(s->hosted.owner);
    memset(&s->hosted, 0, sizeof s->hosted);
    memset(&s->facts, 0, sizeof s->facts);
    s->recipient_room = s->target_count = s->target_room = 0;
    s->targets = NULL;
    s->queue_id = SLICE_NONE;
    s->full = false;
    s->rounds = 0;
    s->state = IDLE;
    arena_fini(&s->message); /* of many sessions few have a message */
    arena_fini(&s->look);
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    session_reset(s);
    arena_fini(&s->connection);
    visited_fini(&s->visited);
    free(s);
}

static bool is_ip(struct slice text)
{
    struct ip ip;

    return networks_ip_parse(text, &ip);
}

/* The sendmail command reaches us through Postfix's pickup as a connection from no client:
 * FAMILY_INET, port 0. Sendmail's own (sendmail -bs with sendmail.cf) has no address at all, and
 * "0" as {client_addr}. */
static bool is_submitted(const struct session_client *c, const struct session_macros *macros)
{
    if (!slice_equal_nocase(c->host, SLICE("localhost")))
        return false;
    if (c->family == FAMILY_INET)
        return c->port == 0 && slice_equal(c->address, SLICE("127.0.0.1"));
    return c->family == FAMILY_UNKNOWN && !is_ip(macros->client_addr) && macros->version.len > 0 &&
           envelope_mta(macros->version, true) == MTA_OTHER;
}

struct session_action session_connect(struct session *s, const struct session_client *client,
                                      const struct session_macros *macros)
{
    bool has_ip = client->family == FAMILY_INET || client->family == FAMILY_INET6;
    struct slice ip = has_ip ? client->address : macros->client_addr;
    char text[NETWORKS_TEXT_ROOM];

    session_reset(s);
    arena_reset(&s->connection);
    visited_reset(&s->visited);
    s->smtp = !is_submitted(client, macros);
    s->client_ip = s->smtp ? arena_copy(&s->connection, networks_ip_text(ip, text)) : SLICE_NONE;
    s->version = arena_copy(&s->connection, slice_to(macros->version, 128));
    s->mta = envelope_mta(s->version, s->smtp);
    return action_continue();
}

/* HELO and EHLO end a transaction (RFC 5321 4.1.4); after STARTTLS there is a second one. */
struct session_action session_helo(struct session *s)
{
    session_reset(s);
    return action_continue();
}

struct session_action session_mail(struct session *s, const struct session_world *w,
                                   struct slice path, const struct session_macros *macros)
{
    session_reset(s);
    s->hosted = *w;
    if (w->hosted == NULL) {
        session_reset(s);
        return action_not_now("the hosted domains could not be read yet");
    }
    s->facts.smtp = s->smtp;
    s->facts.client_ip = s->client_ip;
    s->facts.auth = envelope_login(s->mta, macros->auth_authen, &s->message);
    if (envelope_address(s->mta, path, macros->mail_addr, &s->message, &s->facts.sender) != 0)
        s->full = true;
    s->state = OPEN;
    return action_continue();
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
        a.domain = s->hosted.hosted->default_domain;
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
        return action_continue();
    if (recipient_take(s, path, macros) == 0)
        return session_look(s);
    /* Refusing a recipient of the sendmail command is a configuration error to Postfix: the whole
     * message waits then, at its end. */
    if (!s->smtp) {
        s->full = true;
        return action_continue();
    }
    return action_no_memory();
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
    if (header_facts_add(&s->facts.headers, s->hosted.hosted, &s->message, name, value) != 0)
        s->full = true;
}

void session_body(struct session *s, size_t bytes)
{
    if (s->state == OPEN)
        s->facts.bytes += bytes;
}

void session_abort(struct session *s)
{
    session_reset(s);
}

void session_close(struct session *s)
{
    session_reset(s);
    arena_reset(&s->connection);
    visited_reset(&s->visited);
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

const struct visited *session_visited(const struct session *s)
{
    return &s->visited;
}

bool session_visited_restore(struct session *s, struct slice *in)
{
    return visited_restore(&s->visited, in);
}

size_t session_memory_bytes(const struct session *s)
{
    return s->message.used_bytes + s->connection.used_bytes;
}
