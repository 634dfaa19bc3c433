#include "relay/site.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/world.h"
#include "lib/sources/source.h"
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

static int expand(struct expansion *x, struct slice text, unsigned level);

static struct slice join(struct expansion *x, struct slice local, const char *at,
                         struct slice domain)
{
    struct slice parts;
    struct buf b;

    buf_init(&b, ADDRESS_TEXT_ROOM);
    buf_add(&b, local);
    buf_add_str(&b, at);
    buf_add(&b, domain);
    parts = b.failed ? SLICE_NONE : arena_copy(x->arena, buf_slice(&b));
    buf_fini(&b);
    return parts;
}

/* `@example.org` is the same user there; a target without a domain is a user of the default domain,
 * else of the forwarder's own. */
static struct slice target_address(struct expansion *x, struct slice from, struct slice target)
{
    struct slice ours = x->asking->view->world->default_domain;
    ptrdiff_t at = slice_find_last(from, '@');
    struct address address;

    if (world_target_is_domain(target))
        return join(x, at < 0 ? from : slice_to(from, (size_t)at), "", target);
    if (address_parse(target, x->arena, &address, NULL) != 0 || address.domain.len > 0 || at < 0)
        return target;
    return join(x, target, "@", ours.len > 0 ? ours : slice_from(from, (size_t)at + 1));
}

static int expand_targets(struct expansion *x, struct slice text,
                          const struct forward_targets *targets, unsigned level)
{
    size_t good = 0;

    for (size_t i = 0; i < targets->count; i++) {
        if (!world_target_is_address(targets->list[i])) { /* a command, a file */
            log_event(LOG_WARNING, "a forwarder's target is no address", LOG_TEXT("from", text),
                      LOG_TEXT("target", targets->list[i]));
            continue;
        }
        good++;
        if (expand(x, target_address(x, text, targets->list[i]), level + 1) != 0)
            return -1;
    }
    return good > 0 ? 0 : finish(x, text); /* rather in its own mailbox than nowhere */
}

/* While an address is being expanded its entry in `seen` points here: who meets it then has come
 * back to it. */
static char under_way;

/* Its targets, or itself where it is no forwarder. */
static int expand_once(struct expansion *x, const struct address *address, struct slice text,
                       unsigned level)
{
    struct forward_targets targets = {.count = 0};
    enum lookup l = targets_of(x, address, &targets);

    if (l == LOOKUP_ASK)
        return -1;
    return l == LOOKUP_NO ? finish(x, text) : expand_targets(x, text, &targets, level);
}

/* An address that lists itself, or comes back in a loop, gets its copy into its mailbox; one that
 * is met twice on different ways is expanded once. */
static int expand(struct expansion *x, struct slice text, unsigned level)
{
    struct address address;
    struct slice key;
    enum site_answer hosted;
    void **seen;
    bool added;
    int result;

    if (level > LEVELS_MAX || address_parse(text, x->arena, &address, NULL) != 0)
        return finish(x, text);
    hosted = site_hosts(x->asking->view, address.domain);
    if (hosted != SITE_YES)
        return hosted == SITE_UNKNOWN ? -1 : finish(x, text);
    key = address_text(&address, x->arena);
    seen = strmap_add(&x->seen, key, &added);
    if (seen == NULL)
        return -1;
    if (!added)
        return *seen == &under_way ? finish(x, text) : 0;
    *seen = &under_way;
    result = expand_once(x, &address, text, level);
    *strmap_find(&x->seen, key) = NULL; /* the table may have grown */
    return result;
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
