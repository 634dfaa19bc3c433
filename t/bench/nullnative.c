/*
 * nullnative SOCKET [quiet]
 *
 * The native engine with a dispatch that counts header and body bytes and does nothing else: what
 * the engine alone costs, as nullmilter is for libmilter. Linked with the engine's objects; the
 * functions below stand for milter/dispatch.c. It answers MAIL, RCPT and the end of message; quiet:
 * only the last, as tollgated does where there is nothing to refuse.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "milter/action.h"
#include "milter/engine.h"
#include "milter/errands.h"

struct dispatch_connection {
    size_t bytes, lead;
};

static struct dispatch nothing;
static bool is_quiet;

struct dispatch_connection *dispatch_enter(struct dispatch *g)
{
    (void)g;
    return calloc(1, sizeof(struct dispatch_connection));
}

struct errands *dispatch_errands_new(struct dispatch *g, struct err *err)
{
    (void)g;
    return errands_new(err);
}

void dispatch_wait_with(struct dispatch_connection *c, const struct dispatch_waiter *waiter)
{
    (void)c, (void)waiter;
}

struct dispatch_quiet dispatch_quiet(struct dispatch *g)
{
    (void)g;
    return (struct dispatch_quiet){.mail = is_quiet, .rcpt = is_quiet};
}

void dispatch_unheard(struct dispatch_connection *c, struct dispatch_quiet which)
{
    (void)c, (void)which;
}

void dispatch_lead(struct dispatch_connection *c, bool kept)
{
    c->lead = kept ? 0 : 1;
}

struct session_action dispatch_connect(struct dispatch_connection *c,
                                       const struct session_client *client,
                                       const struct session_macros *macros)
{
    (void)c, (void)client, (void)macros;
    return action_continue();
}

struct session_action dispatch_helo(struct dispatch_connection *c)
{
    (void)c;
    return action_continue();
}

struct session_action dispatch_mail(struct dispatch_connection *c, struct slice path,
                                    const struct session_macros *macros)
{
    (void)path, (void)macros;
    c->bytes = 0;
    return action_continue();
}

struct session_action dispatch_rcpt(struct dispatch_connection *c, struct slice path,
                                    const struct session_macros *macros)
{
    (void)c, (void)path, (void)macros;
    return action_continue();
}

void dispatch_header(struct dispatch_connection *c, struct slice name, struct slice value)
{
    c->bytes += name.len + 1 + c->lead + value.len + 2;
}

void dispatch_body(struct dispatch_connection *c, size_t bytes)
{
    c->bytes += bytes;
}

struct session_action dispatch_end(struct dispatch_connection *c,
                                   const struct session_macros *macros)
{
    (void)c, (void)macros;
    return action_continue();
}

void dispatch_abort(struct dispatch_connection *c)
{
    (void)c;
}

void dispatch_leave(struct dispatch_connection *c)
{
    free(c);
}

void dispatch_hand_over(struct dispatch_connection *c, int64_t now_ms)
{
    (void)c, (void)now_ms;
}

void dispatch_save(const struct dispatch_connection *c, struct buf *out)
{
    (void)c, (void)out;
}

bool dispatch_restore(struct dispatch_connection *c, struct slice *in)
{
    (void)c, (void)in;
    return false;
}

bool dispatch_close(struct dispatch *g, int64_t wait_ms)
{
    (void)g, (void)wait_ms;
    return true;
}

int main(int argc, char **argv)
{
    static char group[] = "", engine[] = "native";
    struct settings settings = {.milter = {.mode = 0666, .timeout_ms = INT64_C(7200000)}};
    struct err err;

    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: nullnative SOCKET [quiet]\n");
        return EX_USAGE;
    }
    is_quiet = argc > 2;
    settings.milter.socket = argv[1];
    settings.milter.group = group;
    settings.milter.engine = engine;
    if (engine_native.open(&settings, -1, &err) != 0 ||
        engine_native.run(&nothing, &settings, &err) != 0) {
        (void)fprintf(stderr, "nullnative: %s\n", err.text);
        return EX_OSERR;
    }
    return EX_OK;
}
