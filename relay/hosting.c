#include "relay/hosting.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/forwarders.h"
#include "lib/core/hosted_guard.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"

#define TARGETS_MAX    10000
#define QUESTION_BYTES ((size_t)1 << 20)

#define GONE_MS        60000 /* so long mail for a domain that went is not refused for good */

/* A hosted set, shared by the view made of it and the next one. */
struct hosting_set {
    _Atomic unsigned references;
    struct hosted *hosted;
};

struct hosting_view {
    _Atomic unsigned references;
    struct hosting_set *set, *before; /* before: of the view that this one replaced; NULL: none */
    int64_t made_ms;                  /* of clock_monotonic_ms */
    struct resolver *resolver;
    uint64_t min_free_bytes;
};

MUTEX_NAME(hosting_lock)

struct hosting {
    struct mutex lock;
    struct hosting_view *current MUTEX_GUARDS(hosting_lock);
    const struct settings *settings; /* of the thread that reloads, as `watch` */
    struct source_watch *watch;
    struct hosted_guard guard;
};

static struct hosting_set *set_new(const struct settings *s, struct err *err)
{
    struct hosting_set *set = calloc(1, sizeof *set);

    if (set == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    atomic_init(&set->references, 1);
    set->hosted = source_load(s, NULL, err);
    if (set->hosted != NULL)
        return set;
    free(set);
    return NULL;
}

static void set_drop(struct hosting_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1)
        return;
    hosted_free(set->hosted);
    free(set);
}

void hosting_give_back(struct hosting_view *v)
{
    if (v == NULL || atomic_fetch_sub(&v->references, 1) != 1)
        return;
    set_drop(v->set);
    set_drop(v->before);
    resolver_free(v->resolver);
    free(v);
}

static struct hosting_view *view_new(const struct settings *s, struct err *err)
{
    struct hosting_view *v = calloc(1, sizeof *v);

    if (v == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    atomic_init(&v->references, 1);
    v->min_free_bytes = (uint64_t)s->ledger.min_free_bytes;
    v->made_ms = clock_monotonic_ms();
    v->set = set_new(s, err);
    v->resolver = v->set == NULL ? NULL : resolver_new(s, err);
    if (v->resolver != NULL)
        return v;
    hosting_give_back(v);
    return NULL;
}

struct hosting *hosting_new(const struct settings *s, struct err *err)
{
    struct hosting *hosting = calloc(1, sizeof *hosting);

    if (hosting == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&hosting->lock);
    if (hosting_reload(hosting, s, err) == 0)
        return hosting;
    hosting_free(hosting);
    return NULL;
}

/* No other thread has it any more. */
void hosting_free(struct hosting *hosting) TG_NO_THREAD_SAFETY
{
    if (hosting == NULL)
        return;
    hosting_give_back(hosting->current);
    if (hosting->watch != NULL)
        source_watch_free(hosting->watch);
    mutex_fini(&hosting->lock);
    free(hosting);
}

struct hosting_view *hosting_take(struct hosting *hosting)
{
    struct hosting_view *v;

    hosting_lock_take(&hosting->lock);
    v = hosting->current;
    if (v != NULL)
        atomic_fetch_add(&v->references, 1);
    hosting_lock_give(&hosting->lock);
    return v;
}

static void replace(struct hosting *hosting, struct hosting_view *v)
{
    struct hosting_view *before;

    hosting_lock_take(&hosting->lock);
    before = hosting->current;
    hosting->current = v;
    hosting_lock_give(&hosting->lock);
    hosting_give_back(before);
}

/* What is loaded now goes on from the view before; NULL with *err: that one stays. */
static struct hosting_view *view_next(struct hosting *hosting, const struct settings *s,
                                      struct source_watch *watch, bool is_asked_for,
                                      struct err *err)
{
    struct hosting_view *before = hosting_take(hosting), *v = view_new(s, err);
    const struct hosted *old = before != NULL ? before->set->hosted : NULL;

    if (v != NULL &&
        (source_watch_still(watch, err) != 0 ||
         hosted_guard_check(&hosting->guard, old, v->set->hosted, is_asked_for, err) != 0)) {
        hosting_give_back(v);
        v = NULL;
    }
    if (v != NULL && before != NULL) {
        resolver_inherit(v->resolver, before->resolver);
        v->before = before->set;
        atomic_fetch_add(&v->before->references, 1);
    }
    hosting_give_back(before);
    return v;
}

int hosting_reload(struct hosting *hosting, const struct settings *s, struct err *err)
{
    struct source_watch *watch;
    struct hosting_view *v;

    if (hosting->watch != NULL && source_watch_look(hosting->watch) == SOURCES_WRITTEN)
        return err_set(err, EX_TEMPFAIL, "a source is being written");
    watch = source_watch_new(s, hosting->watch, err);
    v = watch == NULL ? NULL : view_next(hosting, s, watch, true, err);
    if (v == NULL) {
        source_watch_free(watch);
        return -1;
    }
    source_watch_free(hosting->watch);
    hosting->watch = watch;
    hosting->settings = s;
    replace(hosting, v);
    return 0;
}

void hosting_refresh(struct hosting *hosting)
{
    struct err err = {.code = 0};
    struct hosting_view *v;

    if (source_watch_look(hosting->watch) != SOURCES_CHANGED)
        return;
    v = view_next(hosting, hosting->settings, hosting->watch, false, &err);
    if (v == NULL) {
        log_event(LOG_WARNING, "sources not reloaded; the old ones stay in force",
                  LOG_ERROR("error", &err));
        return;
    }
    replace(hosting, v);
    log_plain(LOG_INFO, "sources reloaded");
}

/* --- questions ------------------------------------------------------------------------------- */

struct hosting_asking {
    struct hosting_view *view;
    struct arena arena;
    struct answers answers;
};

static void asking_init(struct hosting_asking *a, struct hosting_view *v)
{
    a->view = v;
    arena_init(&a->arena, QUESTION_BYTES);
    answers_init(&a->answers, &a->arena);
}

static void asking_fini(struct hosting_asking *a)
{
    answers_fini(&a->answers);
    arena_fini(&a->arena);
}

/* After HOSTED_ASK: false where no answer can be had. */
static bool asking_answer(struct hosting_asking *a)
{
    struct err err = {.code = 0};

    if (resolver_answer(a->view->resolver, &a->answers, &err) == 0)
        return true;
    log_event(LOG_WARNING, "no answer from a source", LOG_ERROR("error", &err));
    return false;
}

static enum hosting_answer to_answer(enum hosted_result l)
{
    return l == HOSTED_YES ? HOSTING_YES : l == HOSTED_NO ? HOSTING_NO : HOSTING_UNKNOWN;
}

/* A moment ago: who wrote the source may not have meant it. */
static bool was_hosted(const struct hosting_view *v, struct slice domain)
{
    struct slice charged;

    return v->before != NULL && clock_monotonic_ms() - v->made_ms < GONE_MS &&
           hosted_domain(v->before->hosted, NULL, domain, &charged) == HOSTED_YES;
}

enum hosting_answer hosting_hosts(struct hosting_view *v, struct slice domain)
{
    struct slice charged;
    struct hosting_asking a;
    enum hosted_result l;

    asking_init(&a, v);
    l = hosted_domain(v->set->hosted, &a.answers, domain, &charged);
    if (l == HOSTED_ASK && asking_answer(&a))
        l = hosted_domain(v->set->hosted, &a.answers, domain, &charged);
    asking_fini(&a);
    if (l == HOSTED_NO && was_hosted(v, domain))
        return HOSTING_UNKNOWN;
    return to_answer(l);
}

enum hosting_answer hosting_popauth(struct hosting_view *v, struct slice ip, struct arena *arena,
                                    struct slice *login)
{
    enum hosting_answer result = HOSTING_NO;
    const struct answer *answer;
    struct hosting_asking a;

    if (!v->set->hosted->popauth_asked)
        return HOSTING_NO;
    asking_init(&a, v);
    answer = answers_get(&a.answers, QUESTION_POPAUTH, ip);
    if (answer == NULL && asking_answer(&a))
        answer = answers_get(&a.answers, QUESTION_POPAUTH, ip);
    if (answer != NULL && answer->found) {
        *login = arena_copy(arena, answer->login);
        result = HOSTING_YES;
    }
    asking_fini(&a);
    return result;
}

struct slice hosting_default_domain(const struct hosting_view *v)
{
    return v->set->hosted->default_domain;
}

uint64_t hosting_min_free_bytes(const struct hosting_view *v)
{
    return v->min_free_bytes;
}

bool hosting_is_inside(const struct hosting_view *v, const struct ip *ip)
{
    return networks_contain(&v->set->hosted->host, ip) ||
           networks_contain(&v->set->hosted->customers, ip);
}

/* --- forwarders ------------------------------------------------------------------------------ */

struct hosting_targets {
    struct arena *arena;
    size_t count;
    int (*add)(void *user, struct slice target);
    void *user;
};

static bool visit(void *user, const struct forwarders_place *place)
{
    struct hosting_targets *t = user;
    struct slice text;

    if (place->kind == FORWARDERS_NO_ADDRESS) {
        log_event(LOG_WARNING, "target of a forwarder ignored: not a mail address",
                  LOG_TEXT("from", place->from), LOG_TEXT("target", place->text));
        return true;
    }
    /* What a source answered is gone afterwards. */
    text = arena_copy(t->arena, place->text);
    return text.ptr != NULL && ++t->count <= TARGETS_MAX && t->add(t->user, text) == 0;
}

static enum hosted_result expand(struct hosting_asking *a, const struct address *address,
                                 struct slice text, struct hosting_targets *t)
{
    const struct hosted *w = a->view->set->hosted;
    enum hosted_result found;

    do
        found = forwarders_expand(w, &a->answers, address, text, &a->arena, visit, t);
    while (found == HOSTED_ASK && asking_answer(a));
    return found;
}

int hosting_expand(struct hosting_view *v, struct slice address, struct arena *arena,
                   int (*add)(void *user, struct slice target), void *user)
{
    struct hosting_targets t = {.arena = arena, .add = add, .user = user};
    enum hosted_result found = HOSTED_NO;
    enum hosting_answer hosted = HOSTING_NO;
    struct hosting_asking asking;
    struct address parsed;

    if (address_parse(address, arena, &parsed, NULL) == 0)
        hosted = hosting_hosts(v, parsed.domain);
    if (hosted == HOSTING_YES) {
        asking_init(&asking, v);
        found = expand(&asking, &parsed, address, &t);
        asking_fini(&asking);
    }
    if (hosted == HOSTING_UNKNOWN || found == HOSTED_ASK || found == HOSTED_FAILED)
        return -1;
    return found == HOSTED_YES ? 0 : add(user, address);
}
