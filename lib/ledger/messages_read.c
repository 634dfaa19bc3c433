#include "lib/ledger/messages_read.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/buf.h"
#include "lib/ledger/accountant.h"
#include "lib/ledger/row_sums.h"

#define PATH_BYTES 4096
#define NAME_BYTES 256

static const char *const class_names[] = {[LEG_IN] = "in",
                                          [LEG_OUT] = "out",
                                          [LEG_FORWARD] = "forward",
                                          [LEG_RELAY] = "relay",
                                          [LEG_LOCAL_SENT] = "local_sent",
                                          [LEG_LOCAL_RECEIVED] = "local_received",
                                          [LEG_MESSAGE] = "message"};

const char *messages_read_class(enum leg_kind kind)
{
    return class_names[kind];
}

struct messages_reading {
    const struct messages_query *query;
    messages_read_take *take;
    void *context;
    struct messages_known *known;
    struct buf node_account;
    struct row_sums names; /* for row_sums_account alone */
};

static bool is_node(const struct messages_reading *r, struct slice account)
{
    return slice_equal(account, r->names.node_account);
}

static bool is_user_of(const struct leg *leg, const struct leg *of)
{
    return leg->kind == of->kind && leg->user.len > 0 && slice_equal(leg->account, of->account);
}

/* Is it the leg of a user, or of an account that has none in this class? */
static bool is_user_leg(const struct messages_query *q, const struct record *record,
                        const struct leg *leg)
{
    if (leg->user.len > 0 || !q->nobody)
        return leg->user.len > 0;
    for (size_t i = 0; i < record->leg_count; i++) {
        if (is_user_of(&record->legs[i], leg))
            return false;
    }
    return true;
}

static bool leg_is_wanted(const struct messages_reading *r, const struct record *record,
                          const struct leg *leg)
{
    const struct messages_query *q = r->query;
    struct slice account = row_sums_account(&r->names, leg->account);

    if (q->user.len > 0 ? !slice_equal(leg->user, q->user)
                        : is_user_leg(q, record, leg) != q->users)
        return false;
    if (q->account.len > 0 ? !slice_equal(account, q->account) : is_node(r, account))
        return false;
    if (q->kind >= 0)
        return (int)leg->kind == q->kind;
    return (leg->kind == LEG_MESSAGE) == is_node(r, account);
}

/* How many users the account has in the leg's class. */
static void users_find(const struct record *record, const struct leg *leg, struct message_row *row)
{
    for (size_t i = 0; i < record->leg_count; i++) {
        const struct leg *other = &record->legs[i];

        if (is_user_of(other, leg))
            row->user = row->users++ == 0 ? other->user : SLICE_NONE;
    }
}

static int leg_give(const struct messages_reading *r, const struct record *at,
                    const struct record *message, const struct leg *leg, struct err *err)
{
    struct message_row row = {.time_ms = at->time_ms,
                              .number = at->number,
                              .queue_id = message->queue_id,
                              .kind = leg->kind,
                              .account = row_sums_account(&r->names, leg->account),
                              .messages = leg->messages,
                              .recipients = leg->recipients,
                              .bytes = leg->bytes,
                              .bounces = leg->bounces,
                              .size = message->bytes,
                              .priority = message->priority,
                              .is_spam = message->spam,
                              .was_held = message != at};

    if (leg->user.len > 0) {
        row.user = leg->user;
        row.users = 1;
    } else {
        users_find(message, leg, &row);
    }
    return r->take(r->context, &row, err);
}

static int take_found(void *context, const struct journal_found *found, struct err *err)
{
    const struct messages_reading *r = context;
    const struct record *at = found->record;
    const struct record *message = at->kind == RECORD_RELEASE ? found->held : at;
    int rc = 0;

    if (!found->counts)
        return 0;
    if (message == NULL) {
        r->known->released++;
        return 0;
    }
    if (r->query->queue_id.len > 0 && !slice_equal(message->queue_id, r->query->queue_id))
        return 0;
    for (size_t i = 0; rc == 0 && i < message->leg_count; i++) {
        if (leg_is_wanted(r, message, &message->legs[i]))
            rc = leg_give(r, at, message, &message->legs[i], err);
    }
    return rc;
}

/* The narrowest that the index can tell. Under _unattributed are also accounts whose names cannot
 * be keys. */
static void keys_set(const struct messages_reading *r, struct journal_search *search)
{
    const struct messages_query *q = r->query;

    if (q->queue_id.len > 0)
        search->keys[search->key_count++] = journal_key(JOURNAL_KEY_QUEUE_ID, q->queue_id);
    else if (q->user.len > 0)
        search->keys[search->key_count++] = journal_key(JOURNAL_KEY_USER, q->user);
    if (q->account.len > 0 && !is_node(r, q->account) &&
        !slice_equal(q->account, SLICE(ACCOUNT_UNATTRIBUTED)))
        search->keys[search->key_count++] = journal_key(JOURNAL_KEY_ACCOUNT, q->account);
}

static int dir_check(const char *dir, struct err *err)
{
    if (access(dir, R_OK | X_OK) == 0)
        return 0;
    if (errno == ENOENT)
        return err_set(err, EX_NOINPUT,
                       "%s does not exist: no tollgated has run here with this configuration", dir);
    return err_set(err, EX_NOPERM, "cannot read %s (%s): run this as root, on the node itself", dir,
                   strerror(errno));
}

static int dir_read(const struct messages_reading *r, const char *dir, struct err *err)
{
    struct journal_search search = {.from_ms = r->query->from_ms,
                                    .to_ms = r->query->to_ms,
                                    .take = take_found,
                                    .context = (void *)r};

    keys_set(r, &search);
    if (dir_check(dir, err) != 0 || journal_search_oldest(dir, &r->known->oldest, err) != 0)
        return -1;
    return journal_search_run(dir, &search, err);
}

int messages_read(const struct messages_query *query, messages_read_take *take, void *context,
                  struct messages_known *known, struct err *err)
{
    struct messages_reading r = {.query = query, .take = take, .context = context, .known = known};
    struct buf dir;
    int rc;

    *known = (struct messages_known){0};
    buf_init(&dir, PATH_BYTES);
    buf_init(&r.node_account, NAME_BYTES);
    buf_addf(&dir, "%s/" ACCOUNTANT_JOURNAL, query->settings->state_dir);
    buf_addf(&r.node_account, "@%s", query->settings->node);
    r.names.node_account = buf_slice(&r.node_account);
    rc = dir.failed || r.node_account.failed ? err_set(err, EX_CONFIG, "state_dir is too long")
                                             : dir_read(&r, dir.data, err);
    buf_fini(&r.node_account);
    buf_fini(&dir);
    return rc;
}
