#include "lib/sys/violation.h"

#include <inttypes.h>
#include <sysexits.h>

const char *violation_event(const struct violation *v)
{
    return v->soft ? "soft limit" : v->peak ? "peak" : "violation";
}

struct slice violation_subject(const struct violation *v)
{
    return v->scope == LIMIT_USER ? v->user : SLICE_NONE;
}

int violation_copy(const struct violation *v, struct arena *arena, struct violation *out,
                   struct err *err)
{
    struct slice *texts[] = {&out->domain, &out->user,     &out->login, &out->per,
                             &out->client, &out->queue_id, &out->sender};

    *out = *v;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = arena_copy(arena, *texts[i]);
        if (texts[i]->ptr == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    return 0;
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
    if (v->login.len > 0)
        fields[n++] = LOG_TEXT("login", v->login);
    return n;
}
