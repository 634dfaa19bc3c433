#include "lib/sys/settings_plans.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

struct settings_plans_load {
    struct settings *s;
    settings_plans_fault *fault;
    void *context;
};

static void fault(struct settings_plans_load *l, const config_setting_t *at, const struct err *err)
{
    l->fault(l->context, at, err->text);
}

static bool is_called(const config_setting_t *setting, const char *name)
{
    return strcmp(config_setting_name(setting), name) == 0;
}

/* --- one limit ------------------------------------------------------------------------------ */

/* A text or a whole number, as text. */
static int text_of(const config_setting_t *from, struct arena *arena, struct slice *text,
                   struct err *err)
{
    char number[24];
    const char *given = config_setting_get_string(from);

    if (config_setting_type(from) == CONFIG_TYPE_INT ||
        config_setting_type(from) == CONFIG_TYPE_INT64) {
        (void)snprintf(number, sizeof number, "%lld", config_setting_get_int64(from));
        given = number;
    } else if (config_setting_type(from) != CONFIG_TYPE_STRING) {
        return err_set(err, EX_CONFIG, "%s: the value is of the wrong type: write a text in quotes",
                       config_setting_name(from));
    }
    *text = arena_copy(arena, slice_str(given));
    return text->ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int set_soft(struct limit *limit, struct slice text, struct err *err)
{
    uint64_t percent;

    if (!slice_number(text, &percent) || percent > 99)
        return err_set(err, EX_CONFIG, "soft: %.*s is out of range: use 1 to 99 (percent), or 0",
                       SLICE_FMT(text));
    limit->soft_percent = (unsigned)percent;
    return 0;
}

static int set_forwards(const config_setting_t *from, struct limit *limit, struct err *err)
{
    if (config_setting_type(from) != CONFIG_TYPE_BOOL)
        return err_set(err, EX_CONFIG, "forwards: write true or false, without quotes");
    limit->forwards = config_setting_get_bool(from) != 0;
    return 0;
}

/* What a limit is made of; `max` is read last, since it depends on the metric. */
struct limit_text {
    struct slice scope, metric, max, per, action;
};

static int limit_member(const config_setting_t *from, struct arena *arena, struct limit_text *texts,
                        struct limit *limit, struct err *err)
{
    const struct {
        const char *name;
        struct slice *text;
    } known[] = {{"scope", &texts->scope},
                 {"metric", &texts->metric},
                 {"max", &texts->max},
                 {"per", &texts->per},
                 {"action", &texts->action}};
    struct slice text;

    if (is_called(from, "forwards"))
        return set_forwards(from, limit, err);
    if (is_called(from, "soft"))
        return text_of(from, arena, &text, err) != 0 ? -1 : set_soft(limit, text, err);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is_called(from, known[i].name))
            return text_of(from, arena, known[i].text, err);
    }
    return err_set(err, EX_CONFIG,
                   "unknown setting \"%s\" of a limit: use scope, metric, max, per, action, "
                   "soft and forwards",
                   config_setting_name(from));
}

static int limit_make(const struct limit_text *t, struct arena *arena, struct limit *limit,
                      struct err *err)
{
    if (t->scope.ptr == NULL || t->metric.ptr == NULL || t->max.ptr == NULL || t->per.ptr == NULL)
        return err_set(err, EX_CONFIG,
                       "a limit has scope, metric, max and per: add what is missing");
    if (!limit_scope_parse(t->scope, &limit->scope))
        return err_set(err, EX_CONFIG, "scope: \"%.*s\": use domain, user, server or client",
                       SLICE_FMT(t->scope));
    if (!limit_metric_parse(t->metric, &limit->metric))
        return err_set(err, EX_CONFIG,
                       "metric: \"%.*s\": use recipients, messages, bytes or bounces",
                       SLICE_FMT(t->metric));
    if (t->action.ptr != NULL && !limit_action_parse(t->action, &limit->action))
        return err_set(err, EX_CONFIG, "action: \"%.*s\": use log, defer, reject or hold",
                       SLICE_FMT(t->action));
    if (limit_parse_max(t->max, limit->metric, &limit->max, err) != 0)
        return err_prefix(err, "max");
    if (limit_parse_per(t->per, arena, &limit->window_ms, &limit->per, err) != 0)
        return err_prefix(err, "per");
    return 0;
}

static void limit_load(struct settings_plans_load *l, const config_setting_t *from,
                       struct limit *limit)
{
    struct limit_text texts = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct err err = {0};
    bool good = true;

    *limit = (struct limit){.action = ACTION_DEFER};
    if (!config_setting_is_group(from)) {
        (void)err_set(&err, EX_CONFIG, "a limit is a group: write { scope = ...; metric = ...; }");
        fault(l, from, &err);
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(from); i++) {
        const config_setting_t *member = config_setting_get_elem(from, i);

        if (limit_member(member, &l->s->arena, &texts, limit, &err) == 0)
            continue;
        fault(l, member, &err);
        good = false;
    }
    if (good && limit_make(&texts, &l->s->arena, limit, &err) != 0)
        fault(l, from, &err);
}

/* --- one plan ------------------------------------------------------------------------------- */

static void limits_load(struct settings_plans_load *l, const config_setting_t *from,
                        struct plan *plan)
{
    size_t count = (size_t)config_setting_length(from);
    struct err err = {0};

    if (!config_setting_is_list(from) && count > 0) {
        (void)err_set(&err, EX_CONFIG, "limits: write a list, limits = ( { ... }, { ... } );");
        fault(l, from, &err);
        return;
    }
    plan->limits = arena_array(&l->s->arena, count + 1, sizeof *plan->limits);
    if (plan->limits == NULL)
        return;
    plan->count = count;
    for (unsigned i = 0; i < count; i++)
        limit_load(l, config_setting_get_elem(from, i), &plan->limits[i]);
}

static bool name_is_taken(const struct settings *s, const struct plan *plan)
{
    for (size_t i = 0; i < s->plan_count; i++) {
        if (&s->plans[i] != plan && slice_equal(s->plans[i].name, plan->name))
            return true;
    }
    return false;
}

static bool name_is_good(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] <= ' ' || (unsigned char)name.ptr[i] >= 0x7f)
            return false;
    }
    return name.len > 0 && name.len <= 64;
}

static void plan_load(struct settings_plans_load *l, const config_setting_t *from,
                      struct plan *plan)
{
    struct err err = {0};

    if (!config_setting_is_group(from)) {
        (void)err_set(&err, EX_CONFIG,
                      "a plan is a group: write { name = \"...\"; limits = ( ); }");
        fault(l, from, &err);
        return;
    }
    for (unsigned i = 0; i < (unsigned)config_setting_length(from); i++) {
        const config_setting_t *member = config_setting_get_elem(from, i);

        if (is_called(member, "limits")) {
            limits_load(l, member, plan);
        } else if (!is_called(member, "name")) {
            (void)err_set(&err, EX_CONFIG, "unknown setting \"%s\" of a plan: use name and limits",
                          config_setting_name(member));
            fault(l, member, &err);
        } else if (text_of(member, &l->s->arena, &plan->name, &err) != 0) {
            fault(l, member, &err);
        }
    }
    if (!name_is_good(plan->name))
        (void)err_set(&err, EX_CONFIG,
                      "the name of a plan has up to 64 characters, without blanks");
    else if (name_is_taken(l->s, plan))
        (void)err_set(&err, EX_CONFIG, "plan \"%.*s\" is defined twice: rename one",
                      SLICE_FMT(plan->name));
    else
        return;
    fault(l, from, &err);
}

void settings_plans_load(const config_setting_t *from, struct settings *s,
                         settings_plans_fault *report, void *context)
{
    struct settings_plans_load l = {s, report, context};
    size_t count = (size_t)config_setting_length(from);
    struct err err = {0};

    if (!config_setting_is_list(from)) {
        (void)err_set(&err, EX_CONFIG,
                      "the value is of the wrong type: write a list, plans = ( { ... } );");
        fault(&l, from, &err);
        return;
    }
    s->plans = arena_array(&s->arena, count + 1, sizeof *s->plans);
    s->plan_count = s->plans == NULL ? 0 : count;
    for (unsigned i = 0; i < s->plan_count; i++)
        plan_load(&l, config_setting_get_elem(from, i), &s->plans[i]);
}

static void standard_fault(void *context, const config_setting_t *at, const char *text)
{
    (void)at;
    (void)err_set(context, EX_SOFTWARE, "%s", text);
}

int settings_plans_standard(struct settings *s, struct slice text, struct err *err)
{
    struct err own = {0};
    config_t config;
    struct buf b;

    config_init(&config);
    buf_init(&b, 65536);
    buf_addf(&b, "plans = %.*s;", SLICE_FMT(text));
    if (config_read_string(&config, buf_slice(&b).ptr) != CONFIG_TRUE)
        (void)err_set(&own, EX_SOFTWARE, "%s", config_error_text(&config));
    else
        settings_plans_load(config_lookup(&config, "plans"), s, standard_fault, &own);
    buf_fini(&b);
    config_destroy(&config);
    return own.text[0] == '\0' ? 0 : err_set(err, own.code, "%s", own.text);
}

/* --- printing ------------------------------------------------------------------------------- */

static void limit_print(const struct limit *l, struct buf *b)
{
    buf_addf(b, "{ scope = \"%s\"; metric = \"%s\"; max = \"", limit_scope_name(l->scope),
             limit_metric_name(l->metric));
    if (l->max == LIMIT_UNLIMITED)
        buf_add_str(b, "unlimited");
    else
        buf_addf(b, "%" PRIu64, l->max);
    buf_addf(b, "\"; per = \"%.*s\"; action = \"%s\";", SLICE_FMT(l->per),
             limit_action_name(l->action));
    if (l->soft_percent > 0)
        buf_addf(b, " soft = %u;", l->soft_percent);
    if (l->forwards)
        buf_add_str(b, " forwards = true;");
    buf_add_str(b, " }");
}

void settings_plans_print(const struct settings *s, struct buf *b)
{
    buf_add_char(b, '(');
    for (size_t i = 0; i < s->plan_count; i++) {
        const struct plan *p = &s->plans[i];

        buf_addf(b, "%s\n    { name = \"%.*s\"; limits = (", i == 0 ? "" : ",", SLICE_FMT(p->name));
        for (size_t n = 0; n < p->count; n++) {
            buf_add_str(b, n == 0 ? "\n        " : ",\n        ");
            limit_print(&p->limits[n], b);
        }
        buf_add_str(b, " ); }");
    }
    buf_add_str(b, " )");
}
