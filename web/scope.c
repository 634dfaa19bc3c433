#include "web/scope.h"

#include <sysexits.h>

#include "lib/core/address.h"
#include "lib/core/classify.h"
#include "web/exchange.h"

int scope_nothing(struct err *err)
{
    return err_set(err, EX_NOUSER,
                   "There is nothing here: check the address, the domain and the "
                   "user that it names.");
}

/* --- what is asked for ----------------------------------------------------------------------- */

static int parse_domain(struct exchange *x, struct slice text, struct slice *out, struct err *err)
{
    *out = text;
    if (text.len == 0 || slice_equal(text, SLICE(ACCOUNT_UNATTRIBUTED)))
        return 0;
    if (domain_canonical(text, &x->arena, out, err) == 0)
        return 0;
    err->code = EX_USAGE;
    return err_prefix(err, "domain");
}

/* The user's name in the counters, and the domain that it is charged to where none is named. */
static int parse_user(struct exchange *x, struct slice text, struct scope *out, struct err *err)
{
    struct address a;

    if (text.len == 0)
        return 0;
    if (address_parse(text, &x->arena, &a, err) != 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "user");
    }
    if (a.local.len == 0 || (a.domain.len == 0 && text.ptr[0] != '_'))
        return err_set(err, EX_USAGE, "user: write the whole address, such as alice@example.com");
    /* `_other` and `_srs` stand for themselves. */
    out->user = a.domain.len > 0 ? address_user_by(&a, x->held->delimiters, &x->arena) : text;
    if (out->account.len == 0)
        out->account = a.domain;
    if (out->account.len == 0)
        return err_set(err, EX_USAGE, "user: add domain=, the domain that it is charged to");
    return 0;
}

/* --- what may be seen ------------------------------------------------------------------------ */

/* A domain that has no traffic yet. */
static bool is_hosted(struct exchange *x, struct slice domain)
{
    struct err err = {0};
    struct slice charged;
    struct setup setup;
    bool hosted = false;

    return exchange_setup(x, &setup, &err) == 0 &&
           setup_domain(&setup, domain, &x->arena, &hosted, &charged, &err) == 0 && hosted;
}

static int as_admin(struct exchange *x, struct scope *out, struct err *err)
{
    bool known = true;

    out->sees_nodes = true;
    if (out->account.len > 0 && (exchange_store(x, err) != 0 ||
                                 read_is_account(&x->reader, out->account, &known, err) != 0))
        return -1;
    return known || is_hosted(x, out->account) ? 0 : scope_nothing(err);
}

static int as_domain(struct exchange *x, struct scope *out, struct err *err)
{
    struct slice rest = x->who.domains, first = SLICE_NONE;

    if (out->account.len == 0) {
        (void)slice_cut(&rest, ',', &first);
        out->account = first;
    }
    return identity_has_domain(&x->who, out->account) ? 0 : scope_nothing(err);
}

static int as_user(struct exchange *x, struct scope *out, struct err *err)
{
    if ((out->account.len > 0 && !slice_equal(out->account, x->who.account)) ||
        (out->user.len > 0 && !slice_equal(out->user, x->who.user)))
        return scope_nothing(err);
    out->account = x->who.account;
    out->user = x->who.user;
    return 0;
}

static int narrow(struct exchange *x, struct scope *out, struct err *err)
{
    switch (x->who.role) {
    case WEB_ROLE_ADMIN:
        return as_admin(x, out, err);
    case WEB_ROLE_DOMAIN:
        return as_domain(x, out, err);
    case WEB_ROLE_USER:
        return as_user(x, out, err);
    case WEB_ROLE_NONE:
        break;
    }
    return scope_nothing(err);
}

int scope_choose(struct exchange *x, struct slice domain, struct slice user, struct scope *out,
                 struct err *err)
{
    *out = (struct scope){.level = SCOPE_SERVER};
    if (parse_domain(x, domain, &out->account, err) != 0 || parse_user(x, user, out, err) != 0 ||
        narrow(x, out, err) != 0)
        return -1;
    if (out->user.len > 0)
        out->level = SCOPE_USER;
    else if (out->account.len > 0)
        out->level = SCOPE_DOMAIN;
    return 0;
}

int scope_customer(struct exchange *x, struct slice name, struct scope *out, struct err *err)
{
    struct setup setup;

    *out = (struct scope){.level = SCOPE_CUSTOMER, .account = name, .sees_nodes = true};
    if (x->who.role != WEB_ROLE_ADMIN)
        return scope_nothing(err);
    if (exchange_setup(x, &setup, err) != 0)
        return -1;
    return strmap_find(&setup.hosted->customer_names, name) != NULL ? 0 : scope_nothing(err);
}

/* --- whole accounts -------------------------------------------------------------------------- */

static int add_account(struct exchange *x, struct slice account, struct name_list *out,
                       struct err *err)
{
    out->items = arena_grow(&x->arena, out->items, out->count, &out->room, sizeof *out->items);
    if (out->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    out->items[out->count++] = account;
    return 0;
}

static int own_accounts(struct exchange *x, struct name_list *out, struct err *err)
{
    struct slice rest = x->who.domains, domain;

    while (slice_cut(&rest, ',', &domain)) {
        if (domain.len > 0 && add_account(x, domain, out, err) != 0)
            return -1;
    }
    return out->count > 0 ? 0 : scope_nothing(err);
}

int scope_accounts(struct exchange *x, struct slice domain, struct scope_accounts *out,
                   struct err *err)
{
    struct scope scope;

    *out = (struct scope_accounts){.is_all = false};
    if (domain.len == 0 && x->who.role == WEB_ROLE_DOMAIN)
        return own_accounts(x, &out->list, err);
    if (scope_choose(x, domain, SLICE_NONE, &scope, err) != 0)
        return -1;
    if (scope.level == SCOPE_USER)
        return scope_nothing(err);
    out->is_all = scope.level == SCOPE_SERVER;
    return out->is_all ? 0 : add_account(x, scope.account, &out->list, err);
}

int scope_signed(struct exchange *x, struct slice domain, struct scope *out, struct err *err)
{
    struct err unknown = {0};
    bool known = false;

    *out = (struct scope){.level = SCOPE_DOMAIN};
    if (domain_canonical(domain, &x->arena, &out->account, &unknown) != 0)
        return scope_nothing(err);
    if (exchange_store(x, err) != 0 || read_is_account(&x->reader, out->account, &known, err) != 0)
        return -1;
    return known ? 0 : scope_nothing(err);
}
