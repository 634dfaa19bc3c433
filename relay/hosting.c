#include "relay/hosting.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/hosted.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"

#define LEVELS_MAX     10
#define TARGETS_MAX    10000
#define QUESTION_BYTES ((size_t)1 << 20)

struct hosting_view {
    _Atomic unsigned references;
    struct hosted *hosted;
    struct resolver *resolver;
};

struct hosting {
    struct mutex lock; /* guards `current` */
    struct hosting_view *current;
    const struct settings *settings;
    struct source_watch *watch;
};

void hosting_give_back(struct hosting_view *v)
{
    if (v == NULL || atomic_fetch_sub(&v->references, 1) != 1)
        return;
    hosted_free(v->hosted);
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
    v->hosted = source_load(s, NULL, err);
    v->resolver = v->hosted == NULL ? NULL : resolver_new(s, err);
    if (v->resolver != NULL)
        return v;
    if (v->hosted != NULL)
        hosted_free(v->hosted);
    free(v);
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

void hosting_free(struct hosting *hosting)
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

    mutex_lock(&hosting->lock);
    v = hosting->current;
    atomic_fetch_add(&v->references, 1);
    mutex_unlock(&hosting->lock);
    return v;
}

static void replace(struct hosting *hosting, struct hosting_view *v)
{
    struct hosting_view *before;

    if (hosting->current != NULL)
        resolver_inherit(v->resolver, hosting->current->resolver);
    mutex_lock(&hosting->lock);
    before = hosting->current;
    hosting->current = v;
    mutex_unlock(&hosting->lock);
    hosting_give_back(before);
}

int hosting_reload(struct hosting *hosting, const struct settings *s, struct err *err)
{
    struct source_watch *watch = source_watch_new(s, err);
    struct hosting_view *v = watch == NULL ? NULL : view_new(s, err);

    if (v == NULL) {
        if (watch != NULL)
            source_watch_free(watch);
        return -1;
    }
    if (hosting->watch != NULL)
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

    if (!source_watch_changed(hosting->watch))
        return;
    v = view_new(hosting->settings, &err);
    if (v == NULL) {
        log_event(LOG_WARNING, "sources could not be read again", LOG_ERROR("error", &err));
        return;
    }
    replace(hosting, v);
    log_plain(LOG_INFO, "sources read again");
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

enum hosting_answer hosting_hosts(struct hosting_view *v, struct slice domain)
{
    struct slice charged;
    struct hosting_asking a;
    enum hosted_result l;

    asking_init(&a, v);
    l = hosted_domain(v->hosted, &a.answers, domain, &charged);
    if (l == HOSTED_ASK && asking_answer(&a))
        l = hosted_domain(v->hosted, &a.answers, domain, &charged);
    asking_fini(&a);
    return to_answer(l);
}

enum hosting_answer hosting_popauth(struct hosting_view *v, struct slice ip, struct arena *arena,
                                    struct slice *login)
{
    enum hosting_answer result = HOSTING_NO;
    const struct answer *answer;
    struct hosting_asking a;

    if (!v->hosted->popauth_asked)
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

bool hosting_is_inside(const struct hosting_view *v, const struct ip *ip)
{
    return networks_contain(&v->hosted->host, ip) || networks_contain(&v->hosted->customers, ip);
}

/* --- forwarders ------------------------------------------------------------------------------ */

struct hosting_expansion {
    struct hosting_asking *asking;
    struct arena *arena;
    struct strmap seen;
    size_t count;
    int (*add)(void *user, struct slice target);
    void *user;
};

static enum hosted_result targets_of(struct hosting_expansion *x, const struct address *address,
                                     struct forward_targets *targets)
{
    const struct hosted *w = x->asking->view->hosted;
    enum hosted_result l = hosted_forward(w, &x->asking->answers, address, targets);

    if (l == HOSTED_ASK && asking_answer(x->asking))
        l = hosted_forward(w, &x->asking->answers, address, targets);
    return l;
}

static int finish(struct hosting_expansion *x, struct slice address)
{
    return ++x->count > TARGETS_MAX ? -1 : x->add(x->user, address);
}

static int expand(struct hosting_expansion *x, struct slice text, unsigned level);

static struct slice join(struct hosting_expansion *x, struct slice local, const char *at,
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
static struct slice target_address(struct hosting_expansion *x, struct slice from,
                                   struct slice target)
{
    struct slice ours = x->asking->view->hosted->default_domain;
    ptrdiff_t at = slice_find_last(from, '@');
    struct address address;

    if (hosted_target_is_domain(target))
        return join(x, at < 0 ? from : slice_to(from, (size_t)at), "", target);
    if (address_parse(target, x->arena, &address, NULL) != 0 || address.domain.len > 0 || at < 0)
        return target;
    return join(x, target, "@", ours.len > 0 ? ours : slice_from(from, (size_t)at + 1));
}

static int expand_targets(struct hosting_expansion *x, struct slice text,
                          const struct forward_targets *targets, unsigned level)
{
    size_t good = 0;

    for (size_t i = 0; i < targets->count; i++) {
        if (!hosted_target_is_address(targets->list[i])) { /* a command, a file */
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
static int expand_once(struct hosting_expansion *x, const struct address *address,
                       struct slice text, unsigned level)
{
    struct forward_targets targets = {.count = 0};
    enum hosted_result l = targets_of(x, address, &targets);

    if (l == HOSTED_ASK)
        return -1;
    return l == HOSTED_NO ? finish(x, text) : expand_targets(x, text, &targets, level);
}

/* An address that lists itself, or comes back in a loop, gets its copy into its mailbox; one that
 * is met twice on different ways is expanded once. */
static int expand(struct hosting_expansion *x, struct slice text, unsigned level)
{
    struct address address;
    struct slice key;
    enum hosting_answer hosted;
    void **seen;
    bool added;
    int result;

    if (level > LEVELS_MAX || address_parse(text, x->arena, &address, NULL) != 0)
        return finish(x, text);
    hosted = hosting_hosts(x->asking->view, address.domain);
    if (hosted != HOSTING_YES)
        return hosted == HOSTING_UNKNOWN ? -1 : finish(x, text);
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

int hosting_expand(struct hosting_view *v, struct slice address, struct arena *arena,
                   int (*add)(void *user, struct slice target), void *user)
{
    struct hosting_asking asking;
    struct hosting_expansion x = {.asking = &asking, .arena = arena, .add = add, .user = user};
    int result;

    asking_init(&asking, v);
    strmap_init(&x.seen);
    result = expand(&x, address, 0);
    strmap_fini(&x.seen);
    asking_fini(&asking);
    return result;
}
