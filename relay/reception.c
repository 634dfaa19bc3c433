#include "relay/reception.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "lib/core/address.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/net.h"
#include "relay/deliver_maildir.h"
#include "relay/policy.h"
#include "relay/scheduler.h"

#define SESSION_BYTES     65536
#define TRANSACTION_BYTES ((size_t)64 << 20)

void reception_init(struct reception *rc, struct relay *relay, const char *client_ip,
                    uint16_t client_port, uint16_t server_port)
{
    struct buf tmp;

    *rc =
        (struct reception){.relay = relay, .client_port = client_port, .server_port = server_port};
    (void)snprintf(rc->client_ip, sizeof rc->client_ip, "%s", client_ip);
    arena_init(&rc->session, SESSION_BYTES);
    arena_init(&rc->arena, TRANSACTION_BYTES);
    buf_init(&tmp, 1024);
    rc->draft = QUEUE_DRAFT_NONE;
    message_init(&rc->message,
                 arena_copy(&rc->session, slice_str(queue_tmp(&relay->queue, &tmp))).ptr);
    buf_fini(&tmp);
    milters_init(&rc->milters, relay->settings);
    /* Names are not looked up: DNS may be slow. */
    rc->client_name = net_is_loopback(client_ip) ? SLICE("localhost") : SLICE("unknown");
}

static void transaction_end(struct reception *rc)
{
    hosting_give_back(rc->view);
    rc->view = NULL;
    rc->has_recipient = false;
    rc->mail = rc->rcpt = (struct reception_route){.addr = SLICE_NONE};
    rc->envelope = rc->queued = (struct envelope){.id = SLICE_NONE};
    queue_draft_discard(&rc->relay->queue, &rc->draft);
    message_reset(&rc->message);
    arena_reset(&rc->arena);
}

void reception_fini(struct reception *rc)
{
    transaction_end(rc);
    milters_fini(&rc->milters);
    message_fini(&rc->message);
    arena_fini(&rc->arena);
    arena_fini(&rc->session);
}

static void log_refused(const struct reception *rc, const char *stage, struct slice to,
                        const struct smtp_reply *r)
{
    log_event(LOG_NOTICE, "refused", LOG_STR("stage", stage), LOG_STR("client", rc->client_ip),
              LOG_TEXT("from", rc->envelope.sender), LOG_TEXT("to", to),
              LOG_TEXT("reply", smtp_reply_slice(r)));
}

/* --- the session ----------------------------------------------------------------------------- */

static void on_connect(void *user, struct smtp_reply *r)
{
    struct reception *rc = user;
    struct milter_peer peer = {.name = rc->client_name,
                               .family = strchr(rc->client_ip, ':') != NULL ? '6' : '4',
                               .port = rc->client_port,
                               .address = slice_str(rc->client_ip)};

    rc->milters.macros = reception_macros(rc);
    if (milters_connect(&rc->milters, &peer, r))
        return;
    if (smtp_reply_code(r) != 421)
        smtp_reply_set(r, "554 5.7.1 %s: access denied", rc->relay->hostname);
    r->close = true;
    log_refused(rc, "connect", SLICE_NONE, r);
}

static void on_helo(void *user, struct slice name, bool extended, struct smtp_reply *r)
{
    struct reception *rc = user;

    rc->helo = arena_copy(&rc->session, name);
    if (rc->helo.ptr == NULL) { /* after thousands of EHLO */
        smtp_reply_set(r, "421 4.3.0 Too many commands");
        r->close = true;
        return;
    }
    rc->is_extended = extended;
    rc->milters.macros = reception_macros(rc);
    if (!milters_helo(&rc->milters, name, r))
        log_refused(rc, "helo", name, r);
}

static void on_unknown(void *user, struct slice line, struct smtp_reply *r)
{
    struct reception *rc = user;

    (void)milters_unknown(&rc->milters, line, r);
}

/* --- addresses ------------------------------------------------------------------------------- */

static bool parse(struct reception *rc, struct slice path, struct address *out)
{
    return !smtp_command_has_two_ats(envelope_path_plain(path)) &&
           address_parse(path, &rc->arena, out, NULL) == 0;
}

/* An address without a domain is in the default domain. */
static struct slice with_domain(struct reception *rc, struct slice plain, struct address *address)
{
    struct slice domain = hosting_default_domain(rc->view);
    struct buf b;

    if (address->domain.len > 0 || plain.len == 0)
        return plain;
    if (domain.len == 0)
        domain = slice_str(rc->relay->hostname);
    buf_init(&b, 4096);
    buf_addf(&b, "%.*s@%.*s", SLICE_FMT(plain), SLICE_FMT(domain));
    plain = arena_copy(&rc->arena, buf_slice(&b));
    buf_fini(&b);
    (void)parse(rc, plain, address);
    return plain;
}

static struct reception_route route(struct reception *rc, const struct address *address,
                                    bool hosted)
{
    const char *hop = rc->relay->settings->relay.next_hop;
    struct reception_route out = {.addr = address_text(address, &rc->arena)};

    if (out.addr.ptr == NULL)
        out.addr = SLICE("");
    out.host = hosted || hop[0] == '\0' ? address->domain : slice_str(hop);
    out.mailer = hosted ? SLICE("virtual") : hop[0] == '\0' ? SLICE("smtp") : SLICE("relay");
    if (address_is_null(address)) {
        out.host = SLICE("");
        out.mailer = SLICE("local");
    }
    return out;
}

/* --- the transaction ------------------------------------------------------------------------- */

static bool has_room(const struct reception *rc, const struct smtp_path *path)
{
    struct statvfs fs;
    uint64_t room;

    if (statvfs(rc->relay->queue.dir, &fs) != 0)
        return false;
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    return room >= hosting_min_free_bytes(rc->view) + (path->has_size ? path->size_bytes : 0);
}

static void on_mail(void *user, const struct smtp_path *path, struct smtp_reply *r)
{
    struct reception *rc = user;
    struct address address;
    struct slice plain = envelope_path_plain(path->text);

    transaction_end(rc);
    rc->view = hosting_take(rc->relay->hosting);
    queue_new_id(&rc->relay->queue, rc->id);
    if (!parse(rc, path->text, &address)) {
        smtp_reply_set(r, "501 5.1.7 Bad sender address syntax");
    } else if (!has_room(rc, path)) {
        smtp_reply_set(r, "452 4.3.1 Insufficient system storage");
    } else {
        rc->envelope.sender = arena_copy(&rc->arena, with_domain(rc, plain, &address));
        rc->envelope.smtputf8 = path->smtputf8;
        rc->envelope.eightbit = path->body == SMTP_BODY_8BITMIME;
        rc->mail = route(rc, &address, hosting_hosts(rc->view, address.domain) == HOSTING_YES);
        rc->milters.macros = reception_macros(rc);
        (void)milters_mail(&rc->milters, path, r);
    }
    if (!smtp_reply_is_good(r))
        log_refused(rc, "mail", SLICE_NONE, r);
}

static int is_other(void *user, struct slice target)
{
    const struct slice *plain = user;

    return slice_equal(target, *plain) ? 0 : 1;
}

/* A hosted address that neither has a Maildir nor is a forwarder would only be returned later, to a
 * sender who may be forged. */
static bool has_no_mailbox(struct reception *rc, const struct address *address, struct slice plain)
{
    return !deliver_maildir_takes(address) &&
           hosting_expand(rc->view, plain, &rc->arena, is_other, &plain) == 0;
}

/* Sets the reply if the recipient is refused. */
static enum policy_verdict judge(struct reception *rc, const struct address *address,
                                 struct smtp_reply *r)
{
    struct policy_client client = {slice_str(rc->client_ip), rc->login.ptr != NULL};
    enum policy_verdict v = policy_recipient(rc->view, &client, address->domain);

    if (v == POLICY_DENIED)
        smtp_reply_set(r, "554 5.7.1 Relay access denied");
    else if (v == POLICY_UNKNOWN)
        smtp_reply_set(r, "451 4.3.0 Temporary look-up failure");
    return v;
}

static void accept_recipient(struct reception *rc, const struct smtp_path *path, struct slice plain,
                             const struct address *address, bool hosted, struct smtp_reply *r)
{
    rc->rcpt = route(rc, address, hosted);
    rc->milters.macros = reception_macros(rc);
    if (!milters_rcpt(&rc->milters, path, r))
        return;
    if (envelope_add_recipient(&rc->envelope, &rc->arena, plain, SLICE_NONE) != 0)
        smtp_reply_set(r, "452 4.5.3 Too many recipients");
    else
        rc->has_recipient = true;
}

/* Milters that asked for it see a refused recipient in Postfix's form: mailer "error", the code as
 * host, the text as address. */
static void show_rejected(struct reception *rc, const struct smtp_path *path,
                          const struct smtp_reply *r)
{
    struct slice text = slice_from(smtp_reply_slice(r), 4), code;

    (void)slice_cut(&text, ' ', &code);
    rc->rcpt = (struct reception_route){text, code, SLICE("error")};
    rc->milters.macros = reception_macros(rc);
    milters_rejected_rcpt(&rc->milters, path);
}

static void on_rcpt(void *user, const struct smtp_path *path, struct smtp_reply *r)
{
    struct reception *rc = user;
    struct address address;
    struct slice plain = envelope_path_plain(path->text);
    enum policy_verdict v = POLICY_DENIED;

    if (!parse(rc, path->text, &address) || address_is_null(&address)) {
        smtp_reply_set(r, "501 5.1.3 Bad recipient address syntax");
    } else {
        plain = with_domain(rc, plain, &address);
        v = judge(rc, &address, r);
        if (v == POLICY_HOSTED && has_no_mailbox(rc, &address, plain))
            smtp_reply_set(r, "550 5.1.1 No such user");
        if (smtp_reply_is_good(r))
            accept_recipient(rc, path, plain, &address, v == POLICY_HOSTED, r);
        else
            show_rejected(rc, path, r);
    }
    rc->rcpt = (struct reception_route){.addr = SLICE_NONE};
    if (!smtp_reply_is_good(r))
        log_refused(rc, "rcpt", plain, r);
}

static void on_data(void *user, struct smtp_reply *r)
{
    struct reception *rc = user;

    rc->milters.macros = reception_macros(rc);
    if (!milters_data(&rc->milters, r))
        log_refused(rc, "data", SLICE_NONE, r);
}

static void on_text(void *user, struct slice portion)
{
    struct reception *rc = user;

    message_add(&rc->message, portion);
}

/* --- the end of a message -------------------------------------------------------------------- */

struct growing {
    struct envelope *envelope;
    struct arena *arena;
    struct slice original;
};

static int add_target(void *user, struct slice target)
{
    struct growing *g = user;
    struct slice plain = envelope_path_plain(target);

    return envelope_add_recipient(g->envelope, g->arena, plain,
                                  slice_equal(plain, g->original) ? SLICE_NONE : g->original);
}

/* Forwarders of hosted domains are replaced by their targets. */
static int expand_recipients(struct reception *rc)
{
    rc->queued = rc->envelope;
    rc->queued.recipients = NULL;
    rc->queued.recipient_count = rc->queued.recipient_room = 0;
    for (size_t i = 0; i < rc->envelope.recipient_count; i++) {
        struct slice plain = rc->envelope.recipients[i].address;
        struct growing g = {&rc->queued, &rc->arena, plain};

        if (hosting_expand(rc->view, plain, &rc->arena, add_target, &g) != 0)
            return -1;
    }
    return 0;
}

static bool goes_out(struct reception *rc)
{
    for (size_t i = 0; i < rc->queued.recipient_count; i++) {
        struct address address;

        if (!parse(rc, rc->queued.recipients[i].address, &address) ||
            hosting_hosts(rc->view, address.domain) != HOSTING_YES)
            return true;
    }
    return false;
}

static bool refuse_queue(struct reception *rc, const struct err *err, struct smtp_reply *r)
{
    log_event(LOG_ERR, "message not queued", LOG_STR("qid", rc->id), LOG_ERROR("error", err));
    smtp_reply_set(r, "452 4.3.1 Insufficient system storage");
    return false;
}

static bool write_draft(struct reception *rc, struct smtp_reply *r)
{
    struct err err = {.code = 0};
    struct buf received;
    int result;

    rc->queued.id = slice_str(rc->id);
    rc->queued.created_ms = clock_unix_ms();
    rc->queued.client = slice_str(rc->client_ip);
    rc->queued.login = rc->login;
    buf_init(&received, 4096);
    reception_received(rc, rc->queued.created_ms, &received);
    result = queue_draft_write(&rc->relay->queue, &rc->draft, &rc->queued, buf_slice(&received),
                               &rc->message, &err);
    buf_fini(&received);
    return result == 0 || refuse_queue(rc, &err, r);
}

/* All that can fail: before the last milter gives its verdict, and again if it changes anything. */
static bool prepare(void *user, struct smtp_reply *r)
{
    struct reception *rc = user;

    if (rc->envelope.sender.ptr == NULL || expand_recipients(rc) != 0) {
        smtp_reply_set(r, "451 4.3.0 Temporary look-up failure");
        return false;
    }
    return rc->queued.recipient_count == 0 || write_draft(rc, r);
}

static void put_in_queue(struct reception *rc, struct smtp_reply *r)
{
    struct err err = {.code = 0};

    if (queue_draft_commit(&rc->relay->queue, &rc->draft, rc->milters.quarantine, &err) != 0) {
        (void)refuse_queue(rc, &err, r);
        return;
    }
    memcpy(rc->id, rc->draft.id, sizeof rc->id);
    smtp_reply_set(r, "250 2.0.0 Ok: queued as %s", rc->id);
    if (rc->relay->scheduler != NULL && !rc->milters.quarantine)
        scheduler_add(rc->relay->scheduler, slice_str(rc->id), goes_out(rc));
}

static void log_accepted(const struct reception *rc)
{
    const char *what = rc->milters.discard      ? "discarded"
                       : rc->milters.quarantine ? "held"
                                                : "accepted";

    log_event(LOG_INFO, what, LOG_STR("qid", rc->id), LOG_STR("client", rc->client_ip),
              LOG_TEXT("login", rc->login), LOG_TEXT("from", rc->envelope.sender),
              LOG_NUM("recipients", rc->queued.recipient_count),
              LOG_NUM("bytes", rc->queued.text_bytes));
}

static void take_message(struct reception *rc, struct smtp_reply *r)
{
    struct milters_mail mail = {.message = &rc->message,
                                .envelope = &rc->envelope,
                                .arena = &rc->arena,
                                .prepare = prepare,
                                .user = rc};

    if (!milters_message(&rc->milters, &mail, r) || rc->milters.discard)
        return;
    if ((rc->draft.fd < 0 || mail.is_changed) && !prepare(rc, r))
        return;
    if (rc->queued.recipient_count > 0)
        put_in_queue(rc, r);
}

static void on_end(void *user, struct smtp_reply *r)
{
    struct reception *rc = user;

    message_end(&rc->message);
    rc->milters.macros = reception_macros(rc);
    smtp_reply_set(r, "250 2.0.0 Ok: queued as %s", rc->id);
    if (rc->message.fault != NULL)
        smtp_reply_set(r, "%s", rc->message.fault);
    else
        take_message(rc, r);
    if (smtp_reply_is_good(r))
        log_accepted(rc);
    else
        log_refused(rc, "end-of-message", SLICE_NONE, r);
}

static void on_reset(void *user)
{
    struct reception *rc = user;

    milters_abort(&rc->milters);
    transaction_end(rc);
}

const struct smtp_handler reception_handler = {
    .connect = on_connect,
    .helo = on_helo,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .data = on_data,
    .text = on_text,
    .end = on_end,
    .reset = on_reset,
    .auth = reception_auth,
    .unknown = on_unknown,
};
