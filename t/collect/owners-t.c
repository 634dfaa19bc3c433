/* Logins and addresses are charged as tollgated charges them. */
#include "t/tap.h"

#include "collect/owners.h"

static int asked;
static bool is_away;

static int resolve(void *context, struct answers *a, struct err *err)
{
    (void)context;
    asked++;
    if (is_away)
        return err_set(err, 75, "away");
    for (size_t i = 0; i < a->open_count; i++) {
        struct answer answer = {.found = slice_equal(a->open[i].key, SLICE("asked.example"))};

        (void)answers_put(a, a->open[i].kind, a->open[i].key, &answer);
    }
    return 0;
}

static void is_payer(const struct payer *p, const char *domain, const char *user, const char *what)
{
    IS_SLICE(p->domain, slice_str(domain), what);
    IS_SLICE(p->user, slice_str(user), what);
}

int main(void)
{
    struct hosted *h = hosted_new((size_t)1 << 20);
    struct owners o;
    struct payer p;
    struct err err;
    int rc = hosted_add_domain(h, SLICE("a.example"), SLICE_NONE, &err) |
             hosted_add_domain(h, SLICE("alias.example"), SLICE("a.example"), &err) |
             hosted_add_login(h, SLICE("joe"), SLICE("joe@a.example"), &err) |
             hosted_set_delimiters(h, SLICE("+"), SLICE("+"), &err) |
             hosted_add_network(h, &h->host, SLICE("127.0.0.0/8"), &err);

    h->users = true;
    IS_INT(rc, 0, "the hosted set");
    owners_init(&o, h);
    OK(owners_login(&o, SLICE("joe"), &p), "a login that is no address");
    is_payer(&p, "a.example", "joe@a.example", "a mapped login");
    OK(owners_address(&o, SLICE("<Ann+x@ALIAS.example>"), &p), "an alias domain");
    is_payer(&p, "a.example", "ann@alias.example", "charged to its owner");
    OK(owners_address(&o, SLICE("SRS0=x=y=b.example=u@a.example"), &p), "an SRS form");
    is_payer(&p, "a.example", "_srs", "one user for all");
    OK(!owners_address(&o, SLICE("x@b.example"), &p), "a domain that is not hosted");
    is_payer(&p, "", "", "nobody");
    OK(!owners_address(&o, SLICE("<>"), &p) && !owners_address(&o, SLICE("x@@"), &p) &&
           !owners_login(&o, SLICE("stranger"), &p),
       "no address, no login of ours");
    OK(owners_is_host(&o, SLICE("127.0.0.1")) && !owners_is_customer(&o, SLICE("127.0.0.1")) &&
           !owners_is_host(&o, SLICE("unknown")),
       "networks");
    h->domains_asked = true;
    o.resolve = resolve;
    OK(owners_address(&o, SLICE("x@asked.example"), &p) && asked == 1, "a source that is asked");
    is_payer(&p, "asked.example", "x@asked.example", "is charged");
    is_away = true;
    owners_reset(&o);
    OK(!owners_address(&o, SLICE("x@asked.example"), &p) && o.failed, "a source that is away");
    owners_fini(&o);
    hosted_free(h);
    return tap_done();
}
