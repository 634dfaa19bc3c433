/* tollgate doctor: hosted domains, forwarders and logins; does Postfix take mail for domains that
 * are not hosted? */
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/doctor.h"
#include "lib/core/format.h"
#include "lib/sources/source.h"
#include "lib/sys/privileges.h"

#define WARNINGS_SHOWN 5
#define MISSING_SHOWN  5

static void show_warnings(struct doctor *d, char *text)
{
    struct slice rest = slice_str(text), line;
    size_t count = 0;

    while (slice_cut(&rest, '\n', &line)) {
        if (line.len > 0 && count++ < WARNINGS_SHOWN)
            doctor_say(d, DOCTOR_WARN, "hosted", "%.*s", SLICE_FMT(line));
    }
    if (count > 0)
        doctor_fix(d, "correct the %s (%zu in all): such entries are ignored",
                   count == 1 ? "line" : "lines", count);
}

static void add_count(struct buf *b, const char *what, size_t count, bool asked)
{
    format_count(b, count);
    buf_addf(b, " %s%s%s", what, count == 1 ? "" : "s", asked ? " (and others by asking)" : "");
}

static void add_copies(struct buf *b, const struct hosted *w)
{
    size_t count = w->copies[HOSTED_COPY_RECIPIENT].count + w->copies[HOSTED_COPY_SENDER].count;
    bool asked = w->copies_asked[HOSTED_COPY_RECIPIENT] || w->copies_asked[HOSTED_COPY_SENDER];

    if (count == 0 && !asked)
        return;
    buf_add_str(b, ", ");
    format_count(b, count);
    buf_addf(b, " %s%s", count == 1 ? "copy" : "copies", asked ? " (and others by asking)" : "");
}

static void say_counts(struct doctor *d, const struct hosted *w)
{
    struct buf b;

    if (w->domains.count == 0 && !w->domains_asked) {
        doctor_say(d, DOCTOR_FAIL, "hosted",
                   "no domain is hosted: all mail would count for nobody");
        doctor_fix(d, "name the domains of this server in the sources of hosted.domains");
        return;
    }
    buf_init(&b, 512);
    add_count(&b, "domain", w->domains.count, w->domains_asked);
    buf_add_str(&b, ", ");
    add_count(&b, "forwarder", w->forwards.count, w->forwards_asked);
    buf_add_str(&b, ", ");
    add_count(&b, "login", w->logins.count, w->logins_asked);
    add_copies(&b, w);
    doctor_say(d, DOCTOR_OK, "hosted", "%.*s", SLICE_FMT(buf_slice(&b)));
    buf_fini(&b);
}

/* The domains that Postfix takes for its own, listed by the very source that could be used for
 * them. */
static struct hosted *postfix_world(struct doctor *d, struct err *err)
{
    struct settings s = *d->cli->settings;
    const char *domains[1] = {"postfix:/etc/postfix"};
    struct buf name;
    struct hosted *w;

    buf_init(&name, 4096);
    if (d->postfix_dir != NULL) {
        buf_addf(&name, "postfix:%s", d->postfix_dir);
        domains[0] = name.data;
    }
    s.hosted.domains.items = domains;
    s.hosted.domains.count = 1;
    s.hosted.forwards.count = 0;
    s.hosted.logins.count = 0;
    w = source_load(&s, NULL, err);
    buf_fini(&name);
    return w;
}

static size_t find_missing(const struct hosted *postfix, const struct hosted *w, struct buf *names)
{
    size_t at = 0, missing = 0;
    struct slice name, charged;
    void *value;

    while (strmap_next(&postfix->domains, &at, &name, &value)) {
        if (hosted_domain(w, NULL, name, &charged) != HOSTED_NO)
            continue;
        if (missing++ < MISSING_SHOWN) {
            buf_add_str(names, missing > 1 ? " " : "");
            buf_add(names, name);
        }
    }
    return missing;
}

/* That there is no Postfix has been said. */
static void say_unread(struct doctor *d, const struct err *why)
{
    if (strstr(why->text, "needs Postfix on this machine") != NULL)
        return;
    doctor_say(d, DOCTOR_UNKNOWN, "hosted", "whether Postfix takes mail for other domains: %s",
               why->text);
    doctor_fix(d, "correct main.cf, or let this account read the tables");
}

static void compare(struct doctor *d, const struct hosted *w)
{
    struct err err = {0};
    struct hosted *postfix = postfix_world(d, &err);
    struct buf names;
    size_t missing;

    if (postfix == NULL) {
        say_unread(d, &err);
        return;
    }
    buf_init(&names, 8192);
    missing = find_missing(postfix, w, &names);
    if (missing == 0) {
        doctor_say(d, DOCTOR_OK, "hosted", "Postfix takes mail for %zu domains, all are hosted",
                   postfix->domains.count);
    } else {
        doctor_say(d, DOCTOR_WARN, "hosted",
                   "Postfix takes mail for %zu domain%s that %s not hosted: %.*s%s", missing,
                   missing == 1 ? "" : "s", missing == 1 ? "is" : "are",
                   SLICE_FMT(buf_slice(&names)), missing > MISSING_SHOWN ? " ..." : "");
        doctor_fix(d, "add them to a source of hosted.domains, or use \"postfix:%s\" there",
                   d->postfix_dir != NULL ? d->postfix_dir : "/etc/postfix");
    }
    buf_fini(&names);
    hosted_free(postfix);
}

static int load_sources(void *context, struct err *err)
{
    struct hosted *w = source_load(context, NULL, err);

    hosted_free(w);
    return w != NULL ? 0 : -1;
}

/* Root may read more than the account that tollgated runs as. */
static void check_readable(struct doctor *d)
{
    struct settings *s = d->cli->settings;
    struct privileges_account account;
    struct err err = {0};

    if (privileges_find(s->user, &account, &err) != 0 || account.name[0] == '\0' ||
        privileges_try(&account, load_sources, s, &err) == 0)
        return;
    doctor_say(d, DOCTOR_FAIL, "hosted", "as %s: %s", account.name, err.text);
    doctor_fix(d, "tollgated reads its sources as %s (the setting user): let it read them",
               account.name);
}

/* What tollgated does not take over from the sources; where it does not run, others say so. */
static void check_in_force(struct doctor *d)
{
    struct err err = {0};
    json_t *answer =
        control_ask(d->cli->settings->state_dir, json_pack("{s:s}", "cmd", "sources"), NULL, &err);
    const char *why = json_string_value(json_object_get(answer, "kept_why"));

    if (why != NULL && why[0] != '\0') {
        doctor_say(d, DOCTOR_FAIL, "hosted", "tollgated does not use what its sources say now: %s",
                   why);
        doctor_fix(d,
                   "correct the source; tollgated reads it again when it changes, and on reload");
    }
    json_decref(answer);
}

void doctor_hosted(struct doctor *d)
{
    struct err err = {0};
    char *warnings = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&warnings, &size);
    struct hosted *w = source_load(d->cli->settings, out, &err);

    if (out != NULL)
        (void)fclose(out);
    if (w == NULL) {
        doctor_say(d, DOCTOR_FAIL, "hosted", "%s", err.text);
        doctor_fix(d,
                   "tollgated does not start without its sources: correct `hosted' in %s, or "
                   "bring the source back",
                   d->cli->config);
    } else {
        say_counts(d, w);
        check_readable(d);
        show_warnings(d, warnings);
        if (!w->domains_asked)
            compare(d, w);
        hosted_free(w);
    }
    check_in_force(d);
    free(warnings);
}
