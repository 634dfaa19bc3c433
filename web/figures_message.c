#include "web/figures_message.h"

#include <jansson.h>
#include <sysexits.h>

#include "lib/core/mail_trace.h"
#include "lib/sys/json.h"
#include "lib/sys/line_ask.h"
#include "web/exchange.h"
#include "web/figures.h"

#define CONNECT_MS   500
#define ANSWER_MS    3000
#define ANSWER_BYTES ((size_t)512 << 10)
#define PATH_BYTES   4096

struct message_search {
    struct exchange *x;
    const struct scope *scope;
    struct figures_message *out;
};

static int take_violation(void *context, const struct violation_entry *entry, struct err *err)
{
    struct message_search *s = context;
    struct figures_message *f = s->out;

    if (!slice_equal(entry->v.queue_id, f->id) ||
        (s->scope->level == SCOPE_USER && !slice_equal(entry->v.user, s->scope->user)))
        return 0;
    if (violation_copy(&entry->v, &s->x->arena, &f->violations[f->violation_count], err) != 0)
        return -1;
    return ++f->violation_count == FIGURES_MESSAGE_VIOLATIONS;
}

static int add_held(struct exchange *x, const struct held_entry *e, struct held_entries *out,
                    struct err *err)
{
    out->items = arena_grow(&x->arena, out->items, out->count, &out->room, sizeof *out->items);
    if (out->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    out->items[out->count++] = *e;
    return 0;
}

static int find_held(struct message_search *s, struct err *err)
{
    struct held_entries all;

    if (s->scope->level == SCOPE_USER)
        return 0; /* what is held does not say whose it is */
    if (figures_held(s->x, s->scope, &all, err) != 0)
        return -1;
    for (size_t i = 0; i < all.count; i++) {
        if (slice_equal(all.items[i].queue_id, s->out->id) &&
            add_held(s->x, &all.items[i], &s->out->held, err) != 0)
            return -1;
    }
    return 0;
}

static int search(struct exchange *x, struct slice domain, struct figures_message *out,
                  struct err *err)
{
    struct message_search s = {.x = x, .out = out};
    struct scope scope;

    s.scope = &scope;
    if (scope_choose(x, domain, SLICE_NONE, &scope, err) != 0 || exchange_store(x, err) != 0)
        return -1;
    if (out->violation_count < FIGURES_MESSAGE_VIOLATIONS &&
        read_violations_backward(&x->reader, scope.account, SIZE_MAX, take_violation, &s, err) < 0)
        return -1;
    return find_held(&s, err);
}

/* --- the node -------------------------------------------------------------------------------- */

static json_t *ask(struct exchange *x, const char *name, const char *cmd, struct slice id,
                   struct err *err)
{
    struct line_ask a = {
        .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS, .answer_bytes = ANSWER_BYTES};
    struct buf path;
    json_t *answer;

    buf_init(&path, PATH_BYTES);
    buf_addf(&path, "%s/%s.sock", x->settings->state_dir, name);
    a.path = path.data;
    answer = line_ask(&a, json_pack("{s:s, s:o}", "cmd", cmd, "id", json_text(id)), NULL, err);
    buf_fini(&path);
    return answer;
}

static bool is_his(const struct web_identity *who, const struct figures_counted *c)
{
    if (who->role == WEB_ROLE_DOMAIN)
        return identity_has_domain(who, c->account);
    return who->role == WEB_ROLE_ADMIN ||
           (slice_equal(c->account, who->account) && slice_equal(c->user, who->user));
}

static struct slice text_of(struct exchange *x, const json_t *o, const char *name)
{
    return arena_copy(&x->arena, slice_str(json_string_value(json_object_get(o, name))));
}

static uint64_t number_of(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));

    return n > 0 ? (uint64_t)n : 0;
}

static int take_counted(struct exchange *x, const json_t *list, struct figures_message *out,
                        struct err *err)
{
    size_t count = json_array_size(list);

    out->counted_unknown = !json_is_array(list);
    out->counted = arena_array(&x->arena, count + 1, sizeof *out->counted);
    if (out->counted == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const json_t *o = json_array_get(list, i);
        struct figures_counted c = {.number = number_of(o, "number"),
                                    .time_s = (int64_t)number_of(o, "time"),
                                    .size = number_of(o, "size"),
                                    .was_held = json_is_true(json_object_get(o, "was_held")),
                                    .class_name = text_of(x, o, "class"),
                                    .account = text_of(x, o, "account"),
                                    .user = text_of(x, o, "user"),
                                    .recipients = number_of(o, "recipients"),
                                    .bytes = number_of(o, "bytes")};

        if (is_his(&x->who, &c))
            out->counted[out->counted_count++] = c;
    }
    return 0;
}

/* That it does not answer is no error: the page says so. */
static int ask_node(struct exchange *x, struct figures_message *out, struct err *err)
{
    struct err why = {0};
    json_t *answer = ask(x, "questions", "why", out->id, &why);
    int result;

    if (answer == NULL) {
        out->unasked = arena_copy(&x->arena, slice_str(why.text));
        return out->unasked.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
    }
    out->node = text_of(x, answer, "node");
    out->has_more = json_is_true(json_object_get(answer, "more"));
    out->in_doubt =
        x->who.role == WEB_ROLE_ADMIN && json_is_true(json_object_get(answer, "in_doubt"));
    result = take_counted(x, json_object_get(answer, "counted"), out, err);
    json_decref(answer);
    return result;
}

/* --- the collector --------------------------------------------------------------------------- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of hexadecimal digits; ptr NULL where they are none, or memory is out. */
static struct slice bytes_of(struct exchange *x, struct slice text)
{
    char *bytes = arena_alloc(&x->arena, text.len / 2 + 1);

    for (size_t i = 0; bytes != NULL && i < text.len / 2; i++) {
        int high = digit(text.ptr[2 * i]), low = digit(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return SLICE_NONE;
        bytes[i] = (char)(high << 4 | low);
    }
    return (struct slice){bytes, text.len / 2};
}

static int take_told(struct exchange *x, const json_t *list, struct figures_message *out,
                     struct err *err)
{
    size_t count = json_array_size(list);

    out->told = arena_array(&x->arena, count + 1, sizeof *out->told);
    if (out->told == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const json_t *o = json_array_get(list, i);
        struct figures_told told = {.instance = text_of(x, o, "instance"),
                                    .trace = bytes_of(x, text_of(x, o, "trace"))};

        if (told.trace.ptr != NULL)
            out->told[out->told_count++] = told;
    }
    return 0;
}

/* A log names all recipients of a message, whosever they are: it is an admin's to read. */
static int ask_collector(struct exchange *x, struct figures_message *out, struct err *err)
{
    struct err why = {0};
    json_t *answer;
    int result;

    if (x->who.role != WEB_ROLE_ADMIN)
        return 0;
    answer = ask(x, "collect/story", "story", out->id, &why);
    if (answer == NULL) {
        out->untold = arena_copy(&x->arena, slice_str(why.text));
        return out->untold.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
    }
    result = take_told(x, json_object_get(answer, "stories"), out, err);
    json_decref(answer);
    return result;
}

/* --------------------------------------------------------------------------------------------- */

static int search_all(struct exchange *x, struct figures_message *out, struct err *err)
{
    struct slice rest = x->who.domains, domain;

    if (x->who.role != WEB_ROLE_DOMAIN)
        return search(x, SLICE_NONE, out, err);
    while (slice_cut(&rest, ',', &domain)) {
        if (search(x, domain, out, err) != 0)
            return -1;
    }
    return 0;
}

int figures_message(struct exchange *x, struct slice id, struct figures_message *out,
                    struct err *err)
{
    *out = (struct figures_message){.id = id};
    if (!mail_trace_is_id(id))
        return scope_nothing(err);
    out->violations = arena_array(&x->arena, FIGURES_MESSAGE_VIOLATIONS, sizeof *out->violations);
    if (out->violations == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (search_all(x, out, err) != 0)
        return -1;
    exchange_store_give(x, true); /* others can have it while the node is asked */
    return ask_node(x, out, err) != 0 || ask_collector(x, out, err) != 0 ? -1 : 0;
}

bool figures_message_is_known(const struct figures_message *f)
{
    return f->violation_count > 0 || f->held.count > 0 || f->counted_count > 0 ||
           f->told_count > 0 || f->in_doubt;
}
