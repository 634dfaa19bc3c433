#ifndef TG_T_MILTER_DISPATCH_FIXTURE_H
#define TG_T_MILTER_DISPATCH_FIXTURE_H

#include "milter/dispatch.h"
#include "milter/maintenance.h"
#include "t/sys/journal_fixture.h"

/* What a dispatch is made of in a test, and a message through it. What cannot fail in a test that
 * makes sense aborts. */

static inline void dispatch_fixture_write(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

/* example.com is hosted; `more` stands in the configuration, behind its domains. */
static inline struct snapshot *dispatch_fixture_snapshot(const char *more)
{
    char conf[128], domains[128], text[2048];
    struct err err = {0};
    struct snapshot_settings *shared;
    struct snapshot *snapshot;

    (void)snprintf(conf, sizeof conf, "%s/tollgate.conf", fixture_top);
    (void)snprintf(domains, sizeof domains, "%s/domains", fixture_top);
    (void)snprintf(text, sizeof text,
                   "state_dir = \"%s\"; hosted: { domains = [\"file:%s\"%s]; };%s\n", fixture_top,
                   domains, more[0] == ',' ? more : "", more[0] == ',' ? "" : more);
    dispatch_fixture_write(domains, "example.com\n");
    dispatch_fixture_write(conf, text);
    shared = snapshot_settings_new(settings_load(conf, stderr, &err), &err);
    snapshot = maintenance_snapshot_load(shared, NULL, &err);
    if (snapshot == NULL) {
        (void)printf("# %s\n", err.text);
        abort();
    }
    (void)unlink(conf);
    (void)unlink(domains);
    return snapshot;
}

/* What a dispatch keeps for the threads of libmilter, which may call in until the process ends. */
static inline void dispatch_fixture_free(struct dispatch *g)
{
    struct snapshot *s = dispatch_snapshot(g);

    snapshot_drop(s);
    snapshot_drop(s);
    name_quota_fini(&g->names);
    meter_fini(&g->meter);
}

/* From outside, on a new session. The client has no address: whether it checked its mailbox is not
 * asked. */
static inline struct session_action dispatch_fixture_message(struct dispatch_connection *c,
                                                             const char *to)
{
    struct session_client client = {.host = SLICE("mx.test"), .family = FAMILY_UNIX};
    struct session_macros macros = {.queue_id = SLICE("Q1")};
    struct session_action a = dispatch_connect(c, &client, &macros);

    if (a.what == SESSION_CONTINUE)
        a = dispatch_mail(c, SLICE("<x@far.test>"), &macros);
    if (a.what == SESSION_CONTINUE)
        a = dispatch_rcpt(c, slice_str(to), &macros);
    dispatch_body(c, 100);
    return a.what == SESSION_CONTINUE ? dispatch_end(c, &macros) : a;
}

#endif
