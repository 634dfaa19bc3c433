/* tollgate doctor: copies that Postfix adds after the milters have seen the message. */
#include "cli/doctor.h"
#include "cli/postconf.h"

static bool is_set_by_service(const struct postconf *conf, const char *name)
{
    struct slice rest = conf->overrides, key, value;

    while (postconf_next(&rest, name, &key, &value))
        if (value.len > 0)
            return true;
    return false;
}

static bool has_source(const struct string_list *list, struct slice dir)
{
    struct slice prefix = SLICE("postfix:"), name;

    for (size_t i = 0; i < list->count; i++) {
        name = slice_str(list->items[i]);
        if (slice_starts_nocase(name, prefix) && slice_equal(slice_from(name, prefix.len), dir))
            return true;
    }
    return false;
}

static void check_map(struct doctor *d, const struct postconf *conf, const char *name)
{
    const struct settings *s = d->cli->settings;
    const char *dir = d->postfix_dir != NULL ? d->postfix_dir : "/etc/postfix";

    if (is_set_by_service(conf, name)) {
        doctor_say(d, DOCTOR_WARN, "postfix",
                   "%s is set for a service in master.cf: only that of main.cf is counted", name);
        doctor_fix(d, "set %s in main.cf alone", name);
    } else if (postconf_value(conf->main, name).len == 0) {
        return;
    } else if (has_source(&s->hosted.domains, slice_str(dir)) ||
               has_source(&s->hosted.forwards, slice_str(dir))) {
        doctor_say(d, DOCTOR_OK, "postfix", "copies by %s are counted", name);
    } else {
        doctor_say(d, DOCTOR_WARN, "postfix",
                   "%s adds recipients that no milter is told: copies to other servers are not "
                   "counted",
                   name);
        doctor_fix(d, "add \"postfix:%s\" to hosted.forwards", dir);
    }
}

void doctor_copies(struct doctor *d, const struct postconf *conf)
{
    check_map(d, conf, "recipient_bcc_maps");
    check_map(d, conf, "sender_bcc_maps");
    if (postconf_value(conf->main, "always_bcc").len == 0 && !is_set_by_service(conf, "always_bcc"))
        return;
    doctor_say(
        d, DOCTOR_WARN, "postfix",
        "always_bcc adds a recipient that no milter is told: if it is on another server, its "
        "copies are not counted");
    doctor_fix(d, "use recipient_bcc_maps and sender_bcc_maps, whose copies are charged to the "
                  "domains that have them, or an address on this server");
}
