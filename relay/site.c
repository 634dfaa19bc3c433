#include "relay/site.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/world.h"
#include "lib/store/source.h"
#include "lib/sys/log.h"

#define LEVELS_MAX     10
#define TARGETS_MAX    10000
#define QUESTION_BYTES ((size_t)1 << 20)

struct site_view {
    _Atomic unsigned references;
    struct world *world;
    struct resolver *resolver;
};

struct site {
    pthread_mutex_t lock; /* guards `current` */
    struct site_view *current;
    const struct settings *settings;
    struct source_watch *watch;
};

void site_give_back(struct site_view *v)
{
    if (v == NULL || atomic_fetch_sub(&v->references, 1) != 1)
        return;
    world_free(v->world);
    resolver_free(v->resolver);
    free(v);
}

static struct site_view *view_new(const struct settings *s, struct err *err)
{
    struct site_view *v = calloc(1, sizeof *v);

    if (v == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    atomic_init(&v->references, 1);
    v->world = world_load(s, NULL, err);
    v->resolver = v->world == NULL ? NULL : resolver_new(s, err);
    if (v->resolver != NULL)
        return v;
    if (v->world != NULL)
        world_free(v->world);
    free(v);
    return NULL;
}

struct site *site_new(const struct settings *s, struct err *err)
{
    struct site *site = calloc(1, sizeof *site);

    if (site == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    (void)pthread_mutex_init(&site->lock, NULL);
    if (site_reload(site, s, err) == 0)
        return site;
    site_free(site);
    return NULL;
}

void site_free(struct site *site)
{
    if (site == NULL)
        return;
    site_give_back(site->current);
    if (site->watch != NULL)
        source_watch_free(site->watch);
    (void)pthread_mutex_destroy(&site->lock);
    free(site);
}

struct site_view *site_take(struct site *site)
{
    struct site_view *v;

    (void)pthread_mutex_lock(&site->lock);
    v = site->current;
    atomic_fetch_add(&v->references, 1);
    (void)pthread_mutex_unlock(&site->lock);
    return v;
}

static void replace(struct site *site, struct site_view *v)
{
    struct site_view *before;

    if (site->current != NULL)
        resolver_inherit(v->resolver, site->current->resolver);
    (void)pthread_mutex_lock(&site->lock);
    before = site->current;
    site->current = v;
    (void)pthread_mutex_unlock(&site->lock);
    site_give_back(before);
}

int site_reload(struct site *site, const struct settings *s, struct err *err)
{
    struct source_watch *watch = source_watch_new(s, err);
    struct site_view *v = watch == NULL ? NULL : view_new(s, err);

    if (v == NULL) {
        if (watch != NULL)
            source_watch_free(watch);
        return -1;
    }
    if (site->watch != NULL)
        source_watch_free(site->watch);
    site->watch = watch;
    site->settings = s;
    replace(site, v);
    return 0;
}

void site_refresh(struct site *site)
{
    struct err err = {.code = 0};
    struct site_view *v;

    if (!source_watch_changed(site->watch))
        return;
    v = view_new(site->settings, &err);
    if (v == NULL) {
        log_event(LOG_WARNING, "sources could not be read again", LOG_ERROR("error", &err));
        return;
    }
    replace(site, v);
    log_plain(LOG_INFO, "sources read again");
}

/* --- questions ------------------------------------------------------------------------------- */

struct asking {
    struct site_view *view;
    struct arena arena;
    struct answers answers;
};

static void asking_init(struct asking *a, struct site_view *v)
{
    a->view = v;
    arena_init(&a->arena, QUESTION_BYTES);
    answers_init(&a->answers, &a->arena);
}

static void asking_fini(struct asking *a)
{
    answers_fini(&a->answers);
    arena_fini(&a->arena);
}

/* After LOOKUP_ASK: false where no answer can be had. */
static bool asking_answer(struct asking *a)
{
    struct err err = {.code = 0};

    if (resolver_answer(a->view->resolver, &a->answers, &err) == 0)
        return true;
    log_event(LOG_WARNING, "no answer from a source", LOG_ERROR("error", &err));
    return false;
}

static enum site_answer to_answer(enum lookup l)
{
    return l == LOOKUP_YES ? SITE_YES : l == LOOKUP_NO ? SITE_NO : SITE_UNKNOWN;
}

enum site_answer site_hosts(struct site_view *v, struct slice domain)
{
    struct slice charged;
    struct asking a;
    enum lookup l;

    asking_init(&a, v);
    l = world_domain(v->world, &a.answers, domain, &charged);
    if (l == LOOKUP_ASK && asking_answer(&a))
        l = world_domain(v->world, &a.answers, domain, &charged);
    asking_fini(&a);
    return to_answer(l);
}

enum site_answer site_popauth(struct site_view *v, struct slice ip, struct arena *arena,
                              struct slice *login)
{
    enum site_answer result = SITE_NO;
    const struct answer *answer;
    struct asking a;

    if (!v->world->popauth_asked)
        return SITE_NO;
    asking_init(&a, v);
    answer = answers_get(&a.answers, QUESTION_POPAUTH, ip);
    if (answer == NULL && asking_answer(&a))
        answer = answers_get(&a.answers, QUESTION_POPAUTH, ip);
    if (answer != NULL && answer->found) {
        *login = arena_copy(arena, answer->login);
        result = SITE_YES;
    }
    asking_fini(&a);
    return result;
}

bool site_is_inside(const struct site_view *v, const struct ip *ip)
{
    return networks_contain(&v->world->host, ip) || networks_contain(&v->world->customers, ip);
}

/* --- forwarders ------------------------------------------------------------------------------ */

struct expansion {
    struct asking *asking;
    struct arena *arena;
    struct strmap seen;
    size_t count;
    int (*add)(void *user, struct slice target);
    void *user;
};

static enum lookup targets_of(struct expansion *x, const struct address *address,
                              struct forward_targets *targets)
{
    const struct world *w = x->asking->view->world;
    enum lookup l = world_forward(w, &x->asking->answers, address, targets);

    if (l == LOOKUP_ASK && asking_answer(x->asking))
        l = world_forward(w, &x->asking->answers, address, targets);
    return l;
}

static int finish(struct expansion *x, struct slice address)
{
    return ++x->count > TARGETS_MAX ? -1 : x->add(x->user, address);
}

static int expand(struct expansion *x, struct slice text, unsigned level)
{
    struct forward_targets targets = {.count = 0};
    struct address address;
    enum lookup l;
    bool added;

    if (level > LEVELS_MAX || address_parse(text, x->arena, &address, NULL) != 0)
        return finish(x, text);
    if (strmap_add(&x->seen, address_text(&address, x->arena), &added) == NULL)
        return -1;
    if (!added) /* an address that lists itself gets its copy; any other way round is a loop */
        return finish(x, text);
    l = targets_of(x, &address, &targets);
    if (l == LOOKUP_ASK)
        return -1;
    if (l == LOOKUP_NO)
        return finish(x, text);
    for (size_t i = 0; i < targets.count; i++) {
        if (expand(x, targets.list[i], level + 1) != 0)
            return -1;
    }
    return 0;
}

int site_expand(struct site_view *v, struct slice address, struct arena *arena,
                int (*add)(void *user, struct slice target), void *user)
{
    struct asking asking;
    struct expansion x = {.asking = &asking, .arena = arena, .add = add, .user = user};
    int result;

    asking_init(&asking, v);
    strmap_init(&x.seen);
    result = expand(&x, address, 0);
    strmap_fini(&x.seen);
    asking_fini(&asking);
    return result;
}
