#include "web/panel_link.h"

#include <stdio.h>
#include <sysexits.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"
#include "lib/sys/log.h"
#include "lib/sys/signed_link.h"
#include "web/scope.h"
#include "web/sign_in.h"

#define TEXT_BYTES ((size_t)2048)
#define USED_S     "120" /* longer than any link holds */

static int refuse(struct exchange *x, struct slice name, struct err *err)
{
    log_event(LOG_WARNING, "sign-in failed", LOG_TEXT("client", exchange_client(x)),
              LOG_TEXT("user", name), LOG_STR("by", "link"));
    return err_set(err, EX_USAGE,
                   "the link is not valid, or not any more: open the page from the control panel "
                   "again");
}

/* *first: nobody has used the link yet, and nobody else will. */
static int use(struct exchange *x, const char *signature, bool *first, struct err *err)
{
    struct buf key;
    redisReply *reply;
    int result;

    buf_init(&key, TEXT_BYTES);
    key_web_link(&key, x->reader.prefix, slice_str(signature));
    store_pipe_add(x->store, 6,
                   (const struct slice[]){SLICE("SET"), buf_slice(&key), SLICE("1"), SLICE("NX"),
                                          SLICE("EX"), SLICE(USED_S)});
    result = read_trip(&x->reader, &reply, err);
    if (result == 0) {
        *first = reply->type == REDIS_REPLY_STATUS;
        if (!*first && reply->type != REDIS_REPLY_NIL)
            result = read_expect(&x->reader, reply, REDIS_REPLY_STATUS, buf_slice(&key), err);
        freeReplyObject(reply);
    }
    buf_fini(&key);
    return result;
}

/* Signed, and of now. */
static int check(struct exchange *x, struct slice name, char right[SECRET_TEXT], bool *good,
                 struct err *err)
{
    struct slice until = http_query_get(&x->query, "until");
    const struct slice lines[] = {name, until};
    int64_t now_s = x->now_ms / 1000;
    uint64_t end;

    *good = false;
    if (signed_link_sign(x->settings->web.link_key_file, lines, sizeof lines / sizeof lines[0],
                         right, err) != 0)
        return -1;
    *good = secret_equal(http_query_get(&x->query, "sig"), slice_str(right)) &&
            slice_number(until, &end) && end < INT64_MAX && (int64_t)end >= now_s &&
            (int64_t)end <= now_s + PANEL_LINK_MAX_S;
    return 0;
}

int panel_link(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"u", "until", "sig", NULL};
    struct slice name = http_query_get(&x->query, "u"), file;
    char right[SECRET_TEXT];
    struct web_identity who;
    bool good, first = false;

    if (x->settings->web.link_key_file[0] == '\0' || x->request.method != HTTP_GET)
        return scope_nothing(err);
    if (http_query_allow(&x->query, parameters, err) != 0 ||
        check(x, name, right, &good, err) != 0 || identity_file(x, &file, err) != 0)
        return -1;
    if (!good || !exchange_is_safe(x) || !web_users_is_name(name) ||
        !identity_of(x, file, name, true, &who))
        return refuse(x, name, err);
    if (exchange_store(x, err) != 0 || use(x, right, &first, err) != 0)
        return -1;
    if (!first)
        return refuse(x, name, err);
    if (sign_in_elsewhere(x, name, err) != SIGN_IN_GOOD)
        return -1;
    http_response_redirect(&x->response, SLICE("/"));
    return 0;
}
