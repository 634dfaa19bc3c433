#include "lib/redis/keys.h"

#include <openssl/sha.h>

#include "lib/core/err.h"

static void add_account(struct buf *b, const char *prefix, struct slice account)
{
    buf_add_str(b, prefix);
    buf_add_str(b, ":{");
    buf_add(b, account);
    buf_add_str(b, "}:");
}

static const char *kind_text(enum period_kind kind)
{
    switch (kind) {
    case PERIOD_TOTAL:
        return "total";
    case PERIOD_HOUR:
        return "hour";
    case PERIOD_DAY:
        return "day";
    case PERIOD_MONTH:
        return "month";
    case PERIOD_WEEK:
    case PERIOD_QUARTER:
        break;
    }
    err_bug(__FILE__, __LINE__, "no key for weeks and quarters");
}

static void add_period(struct buf *b, enum period_kind kind, struct slice period)
{
    buf_add_str(b, kind_text(kind));
    if (kind != PERIOD_TOTAL) {
        buf_add_char(b, ':');
        buf_add(b, period);
    }
}

void key_schema(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:schema", prefix);
}

void key_timezone(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:timezone", prefix);
}

void key_counters(struct buf *b, const char *prefix, struct slice account, enum period_kind kind,
                  struct slice period)
{
    add_account(b, prefix, account);
    add_period(b, kind, period);
}

void key_users(struct buf *b, const char *prefix, struct slice account, enum period_kind kind,
               struct slice period)
{
    add_account(b, prefix, account);
    buf_add_str(b, "users:");
    add_period(b, kind, period);
}

void key_accounts(struct buf *b, const char *prefix, struct slice account)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    (void)SHA256((const unsigned char *)account.ptr, account.len, digest);
    key_accounts_shard(b, prefix, digest[0] >> 4);
}

void key_accounts_shard(struct buf *b, const char *prefix, unsigned shard)
{
    buf_addf(b, "%s:accounts:{%02x}", prefix, shard);
}

void key_nodes(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:nodes", prefix);
}

void key_node(struct buf *b, const char *prefix, const char *node)
{
    buf_addf(b, "%s:{@%s}:node", prefix, node);
}

void key_collect(struct buf *b, const char *prefix, struct slice node)
{
    buf_addf(b, "%s:{@%.*s}:collect", prefix, SLICE_FMT(node));
}

void key_gaps(struct buf *b, const char *prefix, struct slice node)
{
    buf_addf(b, "%s:{@%.*s}:gaps", prefix, SLICE_FMT(node));
}

void key_holder_node(struct buf *b, const char *prefix, struct slice holder)
{
    add_account(b, prefix, holder);
    buf_add_str(b, "node");
}

void key_plan(struct buf *b, const char *prefix, struct slice holder)
{
    add_account(b, prefix, holder);
    buf_add_str(b, "plan");
}

void key_limits(struct buf *b, const char *prefix, struct slice holder)
{
    add_account(b, prefix, holder);
    buf_add_str(b, "limits");
}

void key_periods(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:periods", prefix);
}

void key_adjust(struct buf *b, const char *prefix, struct slice holder)
{
    add_account(b, prefix, holder);
    buf_add_str(b, "adjust");
}

void key_holder_changed(struct buf *b, const char *prefix, struct slice holder)
{
    add_account(b, prefix, holder);
    buf_add_str(b, "changed");
}

void key_changed(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:changed", prefix);
}

void key_node_changes(struct buf *b, const char *prefix, struct slice node)
{
    buf_addf(b, "%s:{@%.*s}:changes", prefix, SLICE_FMT(node));
}

void key_window(struct buf *b, const char *prefix, struct slice holder, const char *metric,
                struct slice per, struct slice subject)
{
    add_account(b, prefix, holder);
    buf_add_str(b, "window:");
    buf_add_str(b, metric);
    buf_add_char(b, ':');
    buf_add(b, per);
    if (subject.len > 0) {
        buf_add_char(b, ':');
        buf_add(b, subject);
    }
}

void key_window_told(struct buf *b, const char *prefix, struct slice holder, const char *metric,
                     const char *month)
{
    key_window(b, prefix, holder, metric, SLICE("month"), SLICE_NONE);
    buf_addf(b, ":told:%s", month);
}

void key_telling(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:telling", prefix);
}

void key_account_violations(struct buf *b, const char *prefix, struct slice holder)
{
    add_account(b, prefix, holder);
    buf_add_str(b, "violations");
}

void key_violations(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:violations", prefix);
}

void key_violations_restored(struct buf *b, const char *prefix, struct slice node)
{
    buf_addf(b, "%s:restored:{%s:violations}:%.*s", prefix, prefix, SLICE_FMT(node));
}

void key_held(struct buf *b, const char *prefix, struct slice account)
{
    add_account(b, prefix, account);
    buf_add_str(b, "held");
}

void key_node_release(struct buf *b, const char *prefix, struct slice node)
{
    buf_addf(b, "%s:{@%.*s}:release", prefix, SLICE_FMT(node));
}

void key_refusals(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:refusals", prefix);
}

void key_anomalies(struct buf *b, const char *prefix)
{
    buf_addf(b, "%s:anomalies", prefix);
}

void key_written(struct buf *b, const char *prefix, struct slice stream)
{
    buf_addf(b, "%s:written:{%.*s}", prefix, SLICE_FMT(stream));
}

void key_popauth(struct buf *b, const char *prefix, struct slice ip)
{
    buf_addf(b, "%s:popauth:{", prefix);
    buf_add(b, ip);
    buf_add_str(b, "}");
}

void key_web_session(struct buf *b, const char *prefix, struct slice digest)
{
    buf_addf(b, "%s:web:session:{", prefix);
    buf_add(b, digest);
    buf_add_str(b, "}");
}

void key_web_sessions(struct buf *b, const char *prefix, struct slice name)
{
    buf_addf(b, "%s:web:sessions:{", prefix);
    buf_add(b, name);
    buf_add_str(b, "}");
}

void key_web_link(struct buf *b, const char *prefix, struct slice signature)
{
    buf_addf(b, "%s:web:link:{", prefix);
    buf_add(b, signature);
    buf_add_str(b, "}");
}
