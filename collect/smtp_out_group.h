#ifndef TG_COLLECT_SMTP_OUT_GROUP_H
#define TG_COLLECT_SMTP_OUT_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/machine.h"
#include "collect/mail_text.h"

/*
 * One delivery under way: what a process has logged of it, to be charged to the owner of its
 * message.
 *
 * Limits: SMTP_OUT_GROUP_CHARGES (more is added to those there), SMTP_OUT_GROUP_REFUSALS.
 */

#define SMTP_OUT_GROUP_KINDS    (COUNTER_SMTP_OUT_SENT_BYTES - COUNTER_SMTP_OUT_CONNECTIONS + 1)
#define SMTP_OUT_GROUP_CHARGES  (SMTP_OUT_GROUP_KINDS + 8)
#define SMTP_OUT_GROUP_REFUSALS 4
#define SMTP_OUT_GROUP_TEXT     400 /* bytes of a refusal */

struct smtp_out_charge {
    int64_t time_ms;
    enum counter id;
    uint64_t amount;
};

struct smtp_out_refusal {
    int64_t time_ms;
    bool is_greeting;
    struct slice provider, relay, text;
};

struct smtp_out_group {
    struct slice instance, id; /* of the message; empty until a line names it */
    struct slice relay, times; /* of the recipients; empty before the first: see smtp_out.h */
    uint64_t conn_use;
    struct slice provider;     /* domain of the first recipient */
    struct slice domain, user; /* the hosted recipient whose alias led out */
    bool has_recipient, waits; /* waits: it has ended, its owner is not known yet */
    bool has_sent;             /* the body went over the wire */
    unsigned source;           /* of its lines */
    int64_t last_ms;
    uint64_t connecting_ms, sending_ms;
    unsigned counted; /* bit of each counter that counts once a group */
    size_t charge_count, refusal_count;
    struct smtp_out_charge charges[SMTP_OUT_GROUP_CHARGES];
    struct smtp_out_refusal refusals[SMTP_OUT_GROUP_REFUSALS];
};

struct smtp_out_group *smtp_out_group_new(void); /* NULL: out of memory */
void smtp_out_group_release(void *group);
void smtp_out_group_encode(const void *group, struct buf *out);
void *smtp_out_group_decode(struct slice bytes);

void smtp_out_group_add(struct smtp_out_group *g, int64_t time_ms, enum counter id, uint64_t amount)
    TG_NONNULL(1);
/* The same, at most once a group. */
void smtp_out_group_once(struct smtp_out_group *g, int64_t time_ms, enum counter id) TG_NONNULL(1);
/* A refusal; at most one a provider, of the greeting and of a message each. */
void smtp_out_group_refuse(struct smtp_out_group *g, const struct smtp_out_refusal *refusal)
    TG_NONNULL(1, 2);
/* Charges all of it. `owner`: of the message; without a domain the alias pays, else nobody. */
void smtp_out_group_charge(struct machine *m, const struct smtp_out_group *g,
                           const struct payer *owner, uint64_t size) TG_NONNULL(1, 2, 3);

#endif
