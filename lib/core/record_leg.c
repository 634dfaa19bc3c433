/* The counters that a leg adds to. */
#include "lib/core/record.h"

struct traffic {
    enum counter messages, recipients, bytes;
};

#define TRAFFIC(class_)                                                                            \
    {                                                                                              \
        COUNTER_##class_##_MESSAGES, COUNTER_##class_##_RECIPIENTS, COUNTER_##class_##_BYTES       \
    }

static const struct traffic traffic[] = {
    [LEG_IN] = TRAFFIC(IN),
    [LEG_OUT] = TRAFFIC(OUT),
    [LEG_FORWARD] = TRAFFIC(FORWARD),
    [LEG_RELAY] = TRAFFIC(RELAY),
    [LEG_LOCAL_SENT] = TRAFFIC(LOCAL_SENT),
    [LEG_LOCAL_RECEIVED] = TRAFFIC(LOCAL_RECEIVED),
};

static const struct priority_counters {
    enum counter messages, bytes;
} priorities[] = {
    [PRIORITY_NORMAL] = {COUNTER_PRIORITY_NORMAL_MESSAGES, COUNTER_PRIORITY_NORMAL_BYTES},
    [PRIORITY_HIGH] = {COUNTER_PRIORITY_HIGH_MESSAGES, COUNTER_PRIORITY_HIGH_BYTES},
    [PRIORITY_LOW] = {COUNTER_PRIORITY_LOW_MESSAGES, COUNTER_PRIORITY_LOW_BYTES},
    [PRIORITY_BULK] = {COUNTER_PRIORITY_BULK_MESSAGES, COUNTER_PRIORITY_BULK_BYTES},
};

static void priority_count(const struct record *r, const struct leg *leg, struct tally *into)
{
    const struct priority_counters *p = &priorities[r->priority];

    if (leg->kind != LEG_IN && leg->kind != LEG_OUT && leg->kind != LEG_FORWARD)
        return;
    into->value[p->messages] += leg->messages;
    into->value[p->bytes] += leg->bytes;
}

static void spam_count(const struct record *r, const struct leg *leg, struct tally *into)
{
    if (r->spam && leg->kind == LEG_IN)
        into->value[COUNTER_IN_SPAM_MESSAGES] += leg->messages;
    if (r->spam && leg->kind == LEG_OUT)
        into->value[COUNTER_OUT_SPAM_MESSAGES] += leg->messages;
}

void record_leg_count(const struct record *r, const struct leg *leg, struct tally *into)
{
    if (leg->kind == LEG_MESSAGE) {
        into->value[COUNTER_MESSAGES] += leg->messages;
        into->value[COUNTER_BYTES] += leg->bytes;
        return;
    }
    into->value[traffic[leg->kind].messages] += leg->messages;
    into->value[traffic[leg->kind].recipients] += leg->recipients;
    into->value[traffic[leg->kind].bytes] += leg->bytes;
    into->value[COUNTER_BOUNCES_RECEIVED] += leg->bounces;
    into->value[COUNTER_SMTP_IN_CONNECTIONS] += leg->opens;
    if (leg->user.len > 0)
        return;
    priority_count(r, leg, into);
    spam_count(r, leg, into);
}
