#include "milter/message_log.h"

#include <string.h>

static const char *const classes[] = {[LEG_IN] = "in",
                                      [LEG_OUT] = "out",
                                      [LEG_FORWARD] = "forward",
                                      [LEG_RELAY] = "relay",
                                      [LEG_LOCAL_SENT] = "local_sent",
                                      [LEG_LOCAL_RECEIVED] = "local_received"};

/* Users are parts of their accounts, and the node's legs are sums of all. */
static bool is_shown(const struct leg *leg)
{
    return leg->user.len == 0 && !slice_equal(leg->account, SLICE(ACCOUNT_NODE));
}

static size_t part_add(char *part, size_t len, struct slice text)
{
    if (text.len > 0)
        memcpy(part + len, text.ptr, text.len);
    return len + text.len;
}

static size_t part_add_number(char *part, size_t len, uint64_t number)
{
    char room[SLICE_NUMBER_ROOM];

    part[len] = ':';
    return part_add(part, len + 1, slice_of_number(number, room));
}

static void leg_add(struct message_log *m, size_t at, const struct leg *leg)
{
    char *part = m->parts[at];
    size_t len = part_add(part, 0, slice_to(leg->account, DOMAIN_MAX_BYTES));

    len = part_add_number(part, len, leg->recipients);
    len = part_add_number(part, len, leg->bytes);
    m->fields[m->count++] = LOG_TEXT(classes[leg->kind], ((struct slice){part, len}));
}

void message_log_make(struct message_log *m, const struct record *r)
{
    size_t shown = 0;

    m->count = 0;
    m->fields[m->count++] = LOG_TEXT("qid", r->queue_id);
    m->fields[m->count++] = LOG_NUM("size", r->bytes);
    for (size_t i = 0; i < r->leg_count; i++) {
        if (is_shown(&r->legs[i]) && shown++ < MESSAGE_LOG_LEGS)
            leg_add(m, shown - 1, &r->legs[i]);
    }
    if (shown > MESSAGE_LOG_LEGS)
        m->fields[m->count++] = LOG_NUM("more", shown - MESSAGE_LOG_LEGS);
}

void message_log_write(const struct record *r)
{
    struct message_log m;

    if (!log_wants(LOG_INFO) || (r->kind != RECORD_MESSAGE && r->kind != RECORD_HELD))
        return;
    message_log_make(&m, r);
    log_fields(LOG_INFO, r->kind == RECORD_HELD ? "message held" : "message accepted", m.fields,
               m.count);
}
