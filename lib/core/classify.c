#include "lib/core/classify.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/classify_legs.h"
#include "lib/core/srs.h"

static const struct slice unattributed = {ACCOUNT_UNATTRIBUTED, sizeof ACCOUNT_UNATTRIBUTED - 1};

static struct slice user_of(struct classify_work *k, const struct address *a)
{
    struct slice user;

    if (address_is_null(a) || k->dry)
        return SLICE_NONE;
    user = hosted_user(k->hosted, a, k->arena);
    k->failed = k->failed || user.ptr == NULL;
    return user;
}

/* --- origin and owner --- */

static struct slice popauth_login(struct classify_work *k)
{
    const struct answer *answer;

    if (!k->hosted->popauth_asked || k->answers == NULL || k->facts->client_ip.len == 0)
        return SLICE_NONE;
    answer = answers_get(k->answers, QUESTION_POPAUTH, k->facts->client_ip);
    k->open = k->open || answer == NULL;
    return answer != NULL && answer->found ? answer->login : SLICE_NONE;
}

/* AUTH beats the networks; POP-before-SMTP is asked for clients of whom nothing else is known. */
static enum origin origin_find(struct classify_work *k, struct slice *login)
{
    const struct facts *f = k->facts;
    struct ip ip;

    *login = f->auth;
    if (login->len > 0)
        return ORIGIN_SUBMITTER;
    if (!f->smtp)
        return ORIGIN_HOST;
    if (!networks_ip_parse(f->client_ip, &ip))
        return ORIGIN_OUTSIDE;
    if (networks_contain(&k->hosted->host, &ip))
        return ORIGIN_HOST;
    if (networks_contain(&k->hosted->customers, &ip))
        return ORIGIN_SUBMITTER;
    *login = popauth_login(k);
    return login->len > 0 ? ORIGIN_SUBMITTER : ORIGIN_OUTSIDE;
}

/* The hosted domain of the login, else of MAIL FROM; never of MAIL FROM from outside. */
static void owner_find(struct classify_work *k, struct slice login)
{
    struct classified *c = k->out;
    struct address user;
    enum hosted_result found = HOSTED_NO;
    bool owned = false;

    c->owner = unattributed;
    if (c->origin == ORIGIN_OUTSIDE)
        return;
    k->sender_hosted = classify_work_hosted(k, k->sender.domain, &k->sender_account);
    if (login.len > 0)
        found = hosted_login(k->hosted, k->answers, login, k->arena, &user);
    k->open = k->open || found == HOSTED_ASK;
    k->failed = k->failed || found == HOSTED_FAILED;
    if (found == HOSTED_YES) {
        c->login = c->owner_user = user_of(k, &user);
        owned = classify_work_hosted(k, user.domain, &c->owner);
    } else if (!srs_is(k->sender.local)) {
        c->owner_user = user_of(k, &k->sender);
    }
    if (!owned)
        c->owner = k->sender_hosted ? k->sender_account : unattributed;
}

/* --- recipients that are not hosted: all of one message share class, account and user --- */

/* The first of the three fields, each at its topmost, that names a hosted domain. */
static bool redirect_find(struct classify_work *k, struct slice *account, struct address *who)
{
    const enum header_address order[] = {HEADER_DELIVERED_TO, HEADER_ORIGINAL_TO,
                                         HEADER_RESENT_FROM};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        *who = classify_work_qualified(k, &k->facts->headers.address[order[i]]);
        if (classify_work_hosted(k, who->domain, account))
            return true;
    }
    return false;
}

static struct decision elsewhere_from_srs(struct classify_work *k)
{
    struct decision d = {.class_ = CLASS_FORWARD, .rule = RULE_SRS, .account = k->sender_account};
    struct address who;
    struct slice account;

    if (redirect_find(k, &account, &who) && slice_equal(account, d.account))
        d.user = user_of(k, &who);
    return d;
}

static struct decision elsewhere_from_host(struct classify_work *k)
{
    struct classified *c = k->out;
    struct decision d = {.class_ = CLASS_FORWARD, .rule = RULE_REDIRECT_HEADER};
    struct address who;

    if (k->sender_hosted && srs_is(k->sender.local))
        return elsewhere_from_srs(k);
    if (k->sender_hosted)
        return (struct decision){.class_ = CLASS_OUT,
                                 .rule = RULE_HOST_SENDER,
                                 .account = c->owner,
                                 .user = c->owner_user};
    if (redirect_find(k, &d.account, &who)) {
        d.user = user_of(k, &who);
        return d;
    }
    if (!c->null_sender)
        return (struct decision){
            .class_ = CLASS_FORWARD, .rule = RULE_FORWARDED_UNKNOWN, .account = unattributed};
    d = (struct decision){.class_ = CLASS_OUT, .rule = RULE_NULL_FROM_HEADER};
    who = classify_work_qualified(k, &k->facts->headers.address[HEADER_FROM]);
    if (!classify_work_hosted(k, who.domain, &d.account))
        d.account = unattributed;
    return d;
}

static const struct decision *elsewhere(struct classify_work *k)
{
    struct classified *c = k->out;

    if (k->elsewhere_known)
        return &k->elsewhere;
    k->elsewhere_known = true;
    if (c->origin == ORIGIN_HOST)
        k->elsewhere = elsewhere_from_host(k);
    else if (c->origin == ORIGIN_SUBMITTER)
        k->elsewhere = (struct decision){.class_ = CLASS_OUT,
                                         .rule = RULE_SUBMITTED,
                                         .account = c->owner,
                                         .user = c->owner_user};
    else
        k->elsewhere = (struct decision){
            .class_ = CLASS_RELAY, .rule = RULE_NOT_HOSTED, .account = unattributed};
    return &k->elsewhere;
}

/* --- each recipient --- */

static void decide_hosted(struct classify_work *k, size_t index, const struct address *to,
                          struct slice account)
{
    struct classified *c = k->out;
    struct slice user = user_of(k, to);
    struct decision *d = classify_work_decision(k), leg;

    *d = (struct decision){.class_ = CLASS_IN,
                           .rule = RULE_HOSTED_FROM_OUTSIDE,
                           .recipient = index,
                           .account = account,
                           .user = user};
    if (c->origin != ORIGIN_OUTSIDE)
        *d = (struct decision){.class_ = CLASS_LOCAL,
                               .rule = RULE_HOSTED_FROM_HERE,
                               .recipient = index,
                               .account = c->owner,
                               .user = c->owner_user,
                               .received_account = account,
                               .received_user = user};
    leg = (struct decision){.class_ = CLASS_FORWARD,
                            .rule = RULE_FORWARDER,
                            .recipient = index,
                            .account = account,
                            .user = user};
    classify_legs_forward(k, to, &leg);
    leg.rule = RULE_RECIPIENT_COPY;
    classify_legs_copy(k, HOSTED_COPY_RECIPIENT, to, &leg);
}

static void decide(struct classify_work *k, size_t index)
{
    struct address to = classify_work_qualified(k, &k->facts->recipients[index]);
    struct slice account;
    struct decision *d, copy;

    if (classify_work_hosted(k, to.domain, &account)) {
        decide_hosted(k, index, &to, account);
        return;
    }
    d = classify_work_decision(k);
    *d = *elsewhere(k);
    d->recipient = index;
    d->destination = to.domain;
    copy = *d;
    copy.rule = RULE_RECIPIENT_COPY;
    classify_legs_copy(k, HOSTED_COPY_RECIPIENT, &to, &copy);
}

/* Postfix looks at MAIL FROM, whoever has sent it. */
static void decide_sender_copy(struct classify_work *k)
{
    classify_legs_copy(k, HOSTED_COPY_SENDER, &k->sender,
                       &(struct decision){.class_ = CLASS_OUT,
                                          .rule = RULE_SENDER_COPY,
                                          .recipient = k->facts->recipient_count,
                                          .account = k->out->owner,
                                          .user = k->out->owner_user});
}

/* Mostly there is one for each recipient: growing the list would take twice as much. */
static bool decisions_begin(struct classify_work *k)
{
    k->room = k->facts->recipient_count;
    k->out->decisions = arena_array(k->arena, k->room, sizeof *k->out->decisions);
    k->failed = k->failed || k->out->decisions == NULL;
    return !k->failed;
}

static void run(struct classify_work *k)
{
    struct classified *c = k->out;
    struct slice login;

    *c = (struct classified){.bytes = k->facts->bytes, .spam = k->facts->headers.spam};
    c->priority = header_facts_priority(&k->facts->headers);
    k->sender = classify_work_qualified(k, &k->facts->sender);
    k->elsewhere_known = false;
    c->null_sender = address_is_null(&k->sender);
    c->origin = origin_find(k, &login);
    c->is_bounce = c->null_sender && c->origin != ORIGIN_SUBMITTER;
    owner_find(k, login);
    if (!k->dry && !decisions_begin(k))
        return;
    for (size_t i = 0; i < k->facts->recipient_count && !k->failed; i++)
        decide(k, i);
    if (!k->failed)
        decide_sender_copy(k);
    strmap_fini(&k->copied);
}

int classify(const struct facts *facts, const struct hosted *w, struct answers *answers,
             struct arena *arena, struct classified *out, struct err *err)
{
    struct classify_work k = {
        .facts = facts, .hosted = w, .answers = answers, .arena = arena, .out = out};
    bool asks = w->domains_asked || w->forwards_asked || w->logins_asked || w->popauth_asked ||
                w->copies_asked[HOSTED_COPY_RECIPIENT] || w->copies_asked[HOSTED_COPY_SENDER];

    /* Where questions may come up, a first go collects them all and leaves nothing behind. */
    if (asks) {
        k.dry = true;
        run(&k);
        if (answers != NULL && answers->failed)
            k.failed = true;
        if (k.open && !k.failed)
            return 1;
        k.dry = false;
    }
    if (!k.failed)
        run(&k);
    if (k.failed)
        return err_set(err, EX_TEMPFAIL,
                       "message of %zu recipients: more than %zu bytes of facts to account for",
                       facts->recipient_count, arena->cap_bytes);
    return 0;
}
