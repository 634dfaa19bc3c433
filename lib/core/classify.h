#ifndef TG_CORE_CLASSIFY_H
#define TG_CORE_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/address.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/header_facts.h"
#include "lib/core/hosted.h"

/*
 * From the facts of a message to its classes: for each recipient what it is (in, local, out,
 * forward, relay), who is charged, and by which rule. Pure: the same facts, hosted and answers give
 * the same result.  Owner: the arena given; facts and hosted are borrowed by the result.
 */

enum mail_class { CLASS_IN, CLASS_LOCAL, CLASS_OUT, CLASS_FORWARD, CLASS_RELAY };
enum origin { ORIGIN_HOST, ORIGIN_SUBMITTER, ORIGIN_OUTSIDE };

/* An address without a domain (sender, recipient, header) is one of hosted.default_domain; without
 * that setting it is not hosted. */
struct facts {
    bool smtp;              /* false: submitted by the sendmail command or the like */
    struct slice client_ip; /* text; empty where there is none: then an SMTP client is outside */
    struct slice auth;      /* login of SMTP AUTH; empty: none */
    struct address sender;
    struct address *recipients;
    size_t recipient_count;
    struct header_facts headers;
    uint64_t bytes;
    bool without_copies; /* that the MTA adds are not looked up: only a part of it is wanted */
};

#define ACCOUNT_UNATTRIBUTED "_unattributed"
#define USER_SRS             "_srs" /* all SRS forms of an account */

/* Which rule applied; classify_rule_text says it in words for `tollgate classify`. */
enum rule {
    RULE_HOSTED_FROM_OUTSIDE,
    RULE_HOSTED_FROM_HERE,
    RULE_SUBMITTED,
    RULE_HOST_SENDER,
    RULE_SRS,
    RULE_REDIRECT_HEADER,
    RULE_NULL_FROM_HEADER,
    RULE_FORWARDED_UNKNOWN,
    RULE_NOT_HOSTED,
    RULE_FORWARDER,
    RULE_RECIPIENT_COPY,
    RULE_SENDER_COPY
};
const char *classify_rule_text(enum rule rule);
const char *classify_class_name(enum mail_class c);
const char *classify_origin_name(enum origin o);

/* One for each recipient, each followed by one for each outside target, where it is a forwarder or
 * has a copy (recipient: the forwarder; whose copy it is). At the end the sender's copy.
 *
 * User: sent mail: the login as an address, else MAIL FROM (none where that is null or an SRS form,
 * which names another's user); received: the recipient; forward: the forwarder (its address in the
 * header field that names it, none where there is only an SRS form). Strangers (relay) have none.
 */
struct decision {
    enum mail_class class_;
    enum rule rule;
    size_t recipient;     /* index into facts.recipients; of RULE_SENDER_COPY: none */
    struct slice account; /* charged: the owner, the recipient's domain, ACCOUNT_UNATTRIBUTED */
    struct slice user;    /* user charged in that account; empty: none */
    struct slice received_account, received_user; /* CLASS_LOCAL: the receiving side */
    struct slice destination;                     /* OUT, FORWARD, RELAY: destination domain */
    struct slice target;                          /* RULE_FORWARDER, _COPY: the target's address */
};

struct classified {
    enum origin origin;
    struct slice login; /* the login as an address, where there is one */
    struct slice owner; /* of sent mail; ACCOUNT_UNATTRIBUTED: none */
    struct slice owner_user;
    bool null_sender, is_bounce; /* a bounce received, for hosted recipients */
    enum priority priority;
    bool spam;
    uint64_t bytes;
    struct decision *decisions;
    size_t count;
};

/* 0: classified. 1: questions are open in *answers: bring the answers and call again. -1: *err
 * (the arena's cap is reached). `answers` may be NULL where the hosted asks nothing. */
int classify(const struct facts *facts, const struct hosted *w, struct answers *answers,
             struct arena *arena, struct classified *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
