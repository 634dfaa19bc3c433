#include "lib/sys/violation.h"

#include <inttypes.h>

const char *violation_event(const struct violation *v)
{
    return v->soft ? "soft limit" : "violation";
}

size_t violation_fields(const struct violation *v, struct buf *text, struct log_field *fields)
{
    size_t n = 0;

    buf_reset(text);
    buf_addf(text, "%" PRIu64 "/%.*s", v->max, SLICE_FMT(v->per));
    fields[n++] = LOG_TEXT("domain", v->domain);
    if (v->user.len > 0)
        fields[n++] = LOG_TEXT("user", v->user);
    fields[n++] = LOG_STR("scope", limit_scope_name(v->scope));
    fields[n++] = LOG_STR("metric", limit_metric_name(v->metric));
    fields[n++] = LOG_TEXT("limit", buf_slice(text));
    fields[n++] = LOG_NUM("used", v->used);
    fields[n++] = LOG_NUM("wanted", v->wanted);
    fields[n++] = LOG_STR("action", limit_action_name(v->action));
    if (!v->soft)
        fields[n++] = LOG_NUM("retry_after", v->retry_after_s);
    if (v->observed)
        fields[n++] = LOG_STR("observed", "yes");
    fields[n++] = LOG_TEXT("qid", v->queue_id);
    fields[n++] = LOG_TEXT("client", v->client);
    fields[n++] = LOG_TEXT("from", v->sender);
    return n;
}
