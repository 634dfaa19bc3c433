/* tollgate doctor: is tollgated plugged into Postfix, once, and as the last milter? */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/doctor.h"
#include "cli/postconf.h"
#include "lib/sys/socket_name.h"

struct wiring {
    struct doctor *d;
    struct postconf conf;
    struct socket_name own; /* milter.socket */
    struct slice queue;     /* queue_directory */
    struct slice ours;      /* as main.cf should name it */
    struct slice action;    /* milter_default_action of tollgated in smtpd_milters */
    size_t good;            /* smtpd services where all is well */
};

static struct slice setting(const struct wiring *w, const char *name)
{
    return postconf_value(w->conf.main, name);
}

static struct slice joined(const struct wiring *w, struct slice a, const char *between,
                           struct slice b)
{
    struct slice text;
    struct buf buf;

    buf_init(&buf, PATH_MAX);
    buf_add(&buf, a);
    buf_add_str(&buf, between);
    buf_add(&buf, b);
    text = arena_copy(&w->d->arena, buf_slice(&buf));
    buf_fini(&buf);
    return text.ptr != NULL ? text : SLICE("");
}

/* --- is a milter of main.cf ours? ------------------------------------------------------------ */

static bool same_file(const char *a, const char *b)
{
    char real_a[PATH_MAX], real_b[PATH_MAX];

    if (strcmp(a, b) == 0)
        return true;
    return realpath(a, real_a) != NULL && realpath(b, real_b) != NULL &&
           strcmp(real_a, real_b) == 0;
}

/* Relative paths begin in the queue, with or without a chroot; in a chroot absolute ones do too. */
static bool is_our_path(const struct wiring *w, struct slice path, bool chrooted)
{
    struct slice absolute = path;

    if (path.len == 0)
        return false;
    if (path.ptr[0] != '/')
        absolute = joined(w, w->queue, "/", path);
    else if (chrooted)
        absolute = joined(w, w->queue, "", path);
    else
        absolute = arena_copy(&w->d->arena, path);
    return absolute.ptr != NULL && same_file(absolute.ptr, w->own.path);
}

static bool is_here(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "::1") == 0;
}

static bool is_any(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool is_our_port(const struct wiring *w, struct slice where)
{
    struct socket_name name;

    if (socket_name_parse(where, &w->d->arena, &name, NULL) != 0 || name.family == SOCKET_UNIX)
        return false;
    return name.port == w->own.port &&
           (strcmp(name.host, w->own.host) == 0 || is_any(w->own.host) ||
            (is_here(name.host) && is_here(w->own.host)));
}

static bool is_ours(const struct wiring *w, struct slice where, bool chrooted)
{
    if (w->own.family != SOCKET_UNIX)
        return is_our_port(w, where);
    if (slice_starts_nocase(where, SLICE("unix:")))
        return is_our_path(w, slice_from(where, 5), chrooted);
    return slice_starts_nocase(where, SLICE("local:")) &&
           is_our_path(w, slice_from(where, 6), chrooted);
}

/* --- one list of milters --------------------------------------------------------------------- */

enum doctor_place { PLACE_LAST, PLACE_NOT_LAST, PLACE_OUTSIDE_CHROOT, PLACE_MISSING };

struct doctor_found {
    enum doctor_place place;
    struct slice action; /* default action of tollgated */
    struct slice after;  /* who comes behind */
};

static struct doctor_found find_ours(const struct wiring *w, struct slice list, bool chrooted)
{
    struct doctor_found found = {.place = PLACE_MISSING};
    struct postconf_milter milter;

    while (postconf_milter_next(&list, &milter)) {
        if (is_ours(w, milter.where, chrooted)) {
            found.place = PLACE_LAST;
            found.action = milter.default_action;
        } else if (found.place == PLACE_LAST) {
            found.place = PLACE_NOT_LAST;
            found.after = milter.where;
        } else if (found.place == PLACE_MISSING && chrooted && is_ours(w, milter.where, false)) {
            found.place = PLACE_OUTSIDE_CHROOT;
        }
    }
    return found;
}

/* Only what lies in the queue has a name within a chroot. */
static bool is_in_queue(const struct wiring *w)
{
    return w->own.family != SOCKET_UNIX ||
           slice_starts_nocase(slice_str(w->own.path), joined(w, w->queue, "/", SLICE_NONE));
}

static void fix_missing(const struct wiring *w, const char *list, bool chrooted)
{
    if (chrooted && !is_in_queue(w))
        doctor_fix(w->d,
                   "it runs in a chroot: have the socket in it (milter.socket = "
                   "\"unix:%.*s/tollgate/milter.sock\"), and add as the last: %s = ..., "
                   "unix:tollgate/milter.sock",
                   SLICE_FMT(w->queue), list);
    else
        doctor_fix(w->d,
                   "add as the last: %s = ..., %.*s (all others before it); then postfix reload",
                   list, SLICE_FMT(w->ours));
}

static void say_bad_place(const struct wiring *w, const struct doctor_found *f, const char *list,
                          struct slice service, bool chrooted)
{
    struct doctor *d = w->d;

    if (f->place == PLACE_MISSING) {
        doctor_say(d, DOCTOR_FAIL, "postfix", "%s of %.*s does not name tollgated", list,
                   SLICE_FMT(service));
        fix_missing(w, list, chrooted);
    } else if (f->place == PLACE_OUTSIDE_CHROOT) {
        doctor_say(d, DOCTOR_FAIL, "postfix",
                   "%s of %.*s: it runs in a chroot, where %s is another file", list,
                   SLICE_FMT(service), w->own.path);
        doctor_fix(d,
                   "have the socket in it: milter.socket = \"unix:%.*s/tollgate/milter.sock\", and "
                   "name it from there: unix:tollgate/milter.sock",
                   SLICE_FMT(w->queue));
    } else {
        doctor_say(d, DOCTOR_WARN, "postfix",
                   "%s of %.*s: %.*s comes after tollgated, and may refuse what has been counted",
                   list, SLICE_FMT(service), SLICE_FMT(f->after));
        doctor_fix(d, "put %.*s behind all others in %s", SLICE_FMT(w->ours), list);
    }
}

/* --- the services of master.cf --------------------------------------------------------------- */

/* The value of a parameter for one service: by -o, else of main.cf. */
static struct slice service_setting(const struct wiring *w, struct slice service, const char *name)
{
    struct slice rest = w->conf.overrides, key, value;
    struct slice wanted = joined(w, service, "/", slice_str(name));

    while (postconf_next(&rest, name, &key, &value)) {
        if (slice_equal(key, wanted))
            return value;
    }
    return setting(w, name);
}

static bool has_word(struct slice list, struct slice wanted)
{
    struct slice word;

    while (slice_word(&list, ", \t", &word)) {
        if (slice_equal(word, wanted))
            return true;
    }
    return false;
}

static bool is_chrooted(const struct wiring *w, struct slice service)
{
    struct slice rest = w->conf.services, name, value;
    struct slice wanted = joined(w, service, "/", SLICE("chroot"));

    while (postconf_next(&rest, "chroot", &name, &value)) {
        if (slice_equal(name, wanted))
            return slice_equal(value, SLICE("y"));
    }
    return false;
}

/* Steps through the services that run smtpd: "smtp/inet", "submission/inet" ... */
static bool next_smtpd(struct slice *rest, struct slice *service)
{
    struct slice name, value, program;

    while (postconf_next(rest, "command", &name, &value)) {
        if (!slice_word(&value, " \t", &program) || !slice_equal(program, SLICE("smtpd")))
            continue;
        *service = slice_to(name, name.len - strlen("/command"));
        return true;
    }
    return false;
}

static bool any_service_has(const struct wiring *w, const char *name)
{
    struct slice rest = w->conf.overrides, key, value;

    while (postconf_next(&rest, name, &key, &value)) {
        if (value.len > 0)
            return true;
    }
    return setting(w, name).len > 0;
}

/* The milter protocol carries no XFORWARD: only XCLIENT changes the client that a milter is told.
 */
static void check_proxy(const struct wiring *w, struct slice service, struct slice filter)
{
    if (any_service_has(w, "smtpd_authorized_xclient_hosts"))
        return;
    doctor_say(w->d, DOCTOR_WARN, "postfix",
               "%.*s passes its mail to smtpd_proxy_filter %.*s: in the smtpd behind it the client "
               "is the filter, and the login is unknown, so that incoming mail counts as local",
               SLICE_FMT(service), SLICE_FMT(filter));
    doctor_fix(w->d, "use a filter that passes client and login on with XCLIENT "
                     "(smtpd_authorized_xclient_hosts behind it), or content_filter, or a milter; "
                     "or set networks.host = [], so that what comes from the filter counts as mail "
                     "from outside");
}

static void check_map(const struct wiring *w, struct slice service)
{
    struct slice map = service_setting(w, service, "smtpd_milter_maps");

    if (map.len == 0)
        return;
    doctor_say(w->d, DOCTOR_WARN, "postfix",
               "smtpd_milter_maps of %.*s is %.*s: mail of the clients listed there may bypass "
               "tollgated",
               SLICE_FMT(service), SLICE_FMT(map));
    doctor_fix(w->d, "have each entry name %.*s as its last milter, and none say DISABLE",
               SLICE_FMT(w->ours));
}

/* An smtpd with no_milters takes mail back from a filter, if there is one. */
static void check_service_without(const struct wiring *w, struct slice service)
{
    if (any_service_has(w, "content_filter") || any_service_has(w, "smtpd_proxy_filter") ||
        has_word(setting(w, "receive_override_options"), SLICE("no_milters")))
        return;
    doctor_say(w->d, DOCTOR_WARN, "postfix",
               "receive_override_options of %.*s has no_milters, and there is no content filter: "
               "mail through it is not counted",
               SLICE_FMT(service));
    doctor_fix(w->d, "remove no_milters there");
}

static void check_service(struct wiring *w, struct slice service)
{
    struct slice filter = service_setting(w, service, "smtpd_proxy_filter");
    struct doctor_found f;

    if (has_word(service_setting(w, service, "receive_override_options"), SLICE("no_milters"))) {
        check_service_without(w, service);
        return;
    }
    if (filter.len > 0) {
        check_proxy(w, service, filter);
        return;
    }
    check_map(w, service);
    f = find_ours(w, service_setting(w, service, "smtpd_milters"), is_chrooted(w, service));
    if (f.place != PLACE_LAST) {
        say_bad_place(w, &f, "smtpd_milters", service, is_chrooted(w, service));
        return;
    }
    w->good++;
    w->action = f.action.len > 0 ? f.action : w->action;
}

static void check_services(struct wiring *w)
{
    struct slice rest = w->conf.services, service;
    size_t count = 0;

    if (has_word(setting(w, "receive_override_options"), SLICE("no_milters"))) {
        doctor_say(w->d, DOCTOR_FAIL, "postfix",
                   "receive_override_options of main.cf has no_milters: no milter is asked at all");
        doctor_fix(w->d, "give no_milters by -o in master.cf, to the smtpd alone that takes mail "
                         "back from a content filter");
    }
    while (next_smtpd(&rest, &service)) {
        count++;
        check_service(w, service);
    }
    if (w->good > 0)
        doctor_say(w->d, DOCTOR_OK, "postfix",
                   "tollgated is the last of smtpd_milters in %zu of %zu smtpd services", w->good,
                   count);
}

static void check_non_smtpd(struct wiring *w)
{
    struct slice service = SLICE("cleanup/unix");
    struct slice pickup = service_setting(w, SLICE("pickup/unix"), "receive_override_options");
    struct doctor_found f =
        find_ours(w, service_setting(w, service, "non_smtpd_milters"), is_chrooted(w, service));

    if (has_word(pickup, SLICE("no_milters")))
        check_service_without(w, SLICE("pickup/unix"));
    else if (f.place != PLACE_LAST)
        say_bad_place(w, &f, "non_smtpd_milters", service, is_chrooted(w, service));
    else
        doctor_say(w->d, DOCTOR_OK, "postfix", "tollgated is the last of non_smtpd_milters");
}

/* A message that passes a content filter comes back through an smtpd, and would be counted again.
 */
static void check_double(const struct wiring *w)
{
    struct slice rest = w->conf.overrides, name, value, filter = setting(w, "content_filter");
    bool guarded = false;

    while (postconf_next(&rest, "content_filter", &name, &value))
        filter = value.len > 0 ? value : filter;
    if (filter.len == 0)
        return;
    rest = w->conf.overrides;
    while (postconf_next(&rest, "receive_override_options", &name, &value))
        guarded = guarded || has_word(value, SLICE("no_milters"));
    if (guarded) {
        doctor_say(w->d, DOCTOR_OK, "postfix", "mail back from content_filter passes no milters");
        return;
    }
    doctor_say(w->d, DOCTOR_WARN, "postfix",
               "content_filter is %.*s, and no service of master.cf has no_milters: mail that "
               "comes back from it is counted twice",
               SLICE_FMT(filter));
    doctor_fix(w->d, "give the smtpd that takes it back -o receive_override_options=no_milters");
}

/* --- single settings ------------------------------------------------------------------------- */

static void check_action(const struct wiring *w)
{
    struct slice action = w->action.len > 0 ? w->action : setting(w, "milter_default_action");

    if (w->good == 0)
        return;
    if (slice_equal(action, SLICE("tempfail"))) {
        doctor_say(w->d, DOCTOR_OK, "postfix", "milter_default_action is tempfail");
        return;
    }
    doctor_say(w->d, DOCTOR_WARN, "postfix",
               slice_equal(action, SLICE("accept"))
                   ? "milter_default_action is %.*s: while tollgated is away, mail goes uncounted"
                   : "milter_default_action is %.*s: while tollgated is away, mail is refused or "
                     "held",
               SLICE_FMT(action));
    doctor_fix(w->d, "milter_default_action = tempfail, unless that is what you want");
}

static void check_queue_ids(const struct wiring *w)
{
    if (slice_equal(setting(w, "enable_long_queue_ids"), SLICE("yes"))) {
        doctor_say(w->d, DOCTOR_OK, "postfix", "enable_long_queue_ids is yes");
        return;
    }
    doctor_say(w->d, DOCTOR_WARN, "postfix",
               "short queue ids come again: a message named in a log or a violation may be another "
               "one");
    doctor_fix(w->d, "enable_long_queue_ids = yes");
}

static void check_protocol(const struct wiring *w)
{
    struct slice protocol = setting(w, "milter_protocol");
    uint64_t version;

    if (!slice_number(protocol, &version) || version >= 6)
        return;
    doctor_say(w->d, DOCTOR_FAIL, "postfix",
               "milter_protocol is %.*s: bytes cannot be counted exactly before version 6",
               SLICE_FMT(protocol));
    doctor_fix(w->d, "milter_protocol = 6, which is Postfix's default");
}

static void check_bounces(const struct wiring *w)
{
    if (has_word(setting(w, "internal_mail_filter_classes"), SLICE("bounce")))
        return;
    doctor_say(w->d, DOCTOR_WARN, "postfix",
               "bounces that Postfix itself writes pass no milter, and are not counted");
    doctor_fix(w->d, "internal_mail_filter_classes = bounce");
}

/* --- all ------------------------------------------------------------------------------------- */

static struct slice own_name(const struct wiring *w)
{
    struct slice path, queue = joined(w, w->queue, "/", SLICE_NONE);
    struct buf b;

    buf_init(&b, PATH_MAX);
    if (w->own.family == SOCKET_UNIX) {
        path = slice_str(w->own.path);
        if (slice_starts_nocase(path, queue))
            path = slice_from(path, queue.len);
        buf_add_str(&b, "unix:");
        buf_add(&b, path);
    } else {
        buf_addf(&b, "inet:%s:%u", is_any(w->own.host) ? "127.0.0.1" : w->own.host,
                 (unsigned)w->own.port);
    }
    path = arena_copy(&w->d->arena, buf_slice(&b));
    buf_fini(&b);
    return path;
}

static void check_all(struct wiring *w)
{
    w->queue = setting(w, "queue_directory");
    w->ours = own_name(w);
    check_services(w);
    check_non_smtpd(w);
    check_double(w);
    doctor_copies(w->d, &w->conf);
    check_action(w);
    check_queue_ids(w);
    check_protocol(w);
    check_bounces(w);
}

void doctor_postfix(struct doctor *d)
{
    struct wiring w = {.d = d};
    struct err err = {0};

    if (postconf_read(d, &w.conf, &err) != 0) {
        doctor_say(d, DOCTOR_UNKNOWN, "postfix", "%s", err.text);
        doctor_fix(d, err.code == EX_UNAVAILABLE
                          ? "where the MTA is Sendmail, see to INPUT_MAIL_FILTER yourself; where "
                            "it is Postfix, have postconf in PATH"
                          : "correct what postconf says; --postfix names the folder of main.cf");
        return;
    }
    if (socket_name_parse(slice_str(d->cli->settings->milter.socket), &d->arena, &w.own, NULL) == 0)
        check_all(&w);
}
