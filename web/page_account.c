#include "web/page_account.h"

#include "web/login_session.h"
#include "web/page.h"
#include "web/theme.h"

static const char *const no_parameters[] = {NULL};

static void add_fact(struct html *h, const char *name, struct slice value)
{
    html_open(h, "div");
    html_element(h, "dt", slice_str(name));
    html_element(h, "dd", value);
    html_close(h, "div");
}

static struct slice sees(const struct web_identity *who)
{
    if (who->role == WEB_ROLE_ADMIN)
        return SLICE("all domains and nodes");
    return who->role == WEB_ROLE_DOMAIN ? who->domains : who->user;
}

static void add_facts(struct exchange *x, struct html *h)
{
    static const char *const ways[] = {"not signed in", "a token", "the proxy in front",
                                       "a password"};

    html_open(h, "dl");
    html_attr(h, "class", SLICE("definitions"));
    add_fact(h, "Name", x->who.name);
    add_fact(h, "Role", slice_str(web_users_role_name(x->who.role)));
    add_fact(h, "Sees", sees(&x->who));
    add_fact(h, "Signed in by", slice_str(ways[x->who.via]));
    html_close(h, "dl");
}

static void add_sessions(struct exchange *x, struct html *h, const struct login_session_list *list)
{
    static const struct page_head heads[] = {
        {"from", false, false}, {"since", false, false}, {"session", false, false}};

    html_element(h, "h2", SLICE("Sessions"));
    page_table_open(h, "sessions", "Each ends after an hour without a request, and after 12 hours",
                    heads, 3);
    for (size_t i = 0; i < list->count; i++) {
        const struct login_session *s = &list->items[i];
        bool mine = slice_equal(slice_str(s->digest), slice_str(x->who.digest));

        html_open(h, "tr");
        page_cell_name(h, SLICE_NONE, s->client);
        page_cell_time(h, &heads[1], s->since_s);
        page_cell(h, &heads[2], mine ? SLICE("this one") : SLICE("another"));
        html_close(h, "tr");
    }
    page_table_close(h);
    if (list->count > 1) {
        page_form_open(x, h, "/account/end", "end");
        page_button(h, "plain", "End the other sessions");
        html_close(h, "form");
    }
}

/* The account that serves pages cannot write web.users_file, and is not to. */
static int add_password(struct exchange *x, struct html *h, struct err *err)
{
    struct web_user user;
    struct slice file;

    if (x->who.via != VIA_SESSION)
        return 0;
    if (identity_file(x, &file, err) != 0)
        return -1;
    html_element(h, "h2", SLICE("Password"));
    html_open(h, "p");
    if (web_users_find(file, x->who.name, &user)) {
        html_text(h, SLICE("The server's administrator gives a new one, on the server: "));
        html_open(h, "code");
        html_text(h, SLICE("tollgate web passwd "));
        html_text(h, x->who.name);
        html_close(h, "code");
        html_text(h, SLICE(". It ends all sessions of this name."));
    } else {
        html_text(h, SLICE("It is that of the mailbox, or the one of whoever led here: change it "
                           "there."));
    }
    html_close(h, "p");
    html_newline(h);
    return 0;
}

static int list_sessions(struct exchange *x, struct login_session_list *list, struct err *err)
{
    list->count = 0;
    if (x->who.via != VIA_SESSION)
        return 0;
    if (exchange_store(x, err) != 0)
        return -1;
    return login_session_of(&x->reader, x->who.name, x->now_ms / 1000, &x->arena, list, err);
}

int page_account(struct exchange *x, struct err *err)
{
    struct login_session_list list;
    struct html h;

    if (http_query_allow(&x->query, no_parameters, err) != 0 || list_sessions(x, &list, err) != 0)
        return -1;
    page_begin(x, &h, "Account");
    add_facts(x, &h);
    html_element(&h, "h2", SLICE("Theme"));
    theme_choice(x, &h);
    if (x->who.via == VIA_SESSION)
        add_sessions(x, &h, &list);
    if (add_password(x, &h, err) != 0)
        return -1;
    page_end(x, &h);
    return 0;
}

int page_account_end(struct exchange *x, struct err *err)
{
    struct login_session_list list;

    if (list_sessions(x, &list, err) != 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        struct slice digest = slice_str(list.items[i].digest);

        if (!slice_equal(digest, slice_str(x->who.digest)) &&
            login_session_end(&x->reader, x->who.name, digest, err) != 0)
            return -1;
    }
    http_response_redirect(&x->response, SLICE("/account"));
    return 0;
}
