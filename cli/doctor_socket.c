/* tollgate doctor: the milter socket exists, Postfix's user can connect, a milter answers. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "cli/doctor.h"
#include "cli/person.h"
#include "cli/postconf.h"
#include "lib/sys/milter_link.h"
#include "lib/sys/socket_name.h"

#define TIMEOUT_MS 5000

/* False: nobody can connect to it. */
static bool check_file(struct doctor *d, const char *path)
{
    struct stat s;

    if (stat(path, &s) != 0) {
        doctor_say(d, DOCTOR_FAIL, "socket", "%s: %s", path, strerror(errno));
        doctor_fix(d,
                   "start tollgated; if it is running, restart it: milter.socket in %s has changed "
                   "since it started",
                   d->cli->config);
        return false;
    }
    if (S_ISSOCK(s.st_mode))
        return true;
    doctor_say(d, DOCTOR_FAIL, "socket", "%s is not a socket", path);
    doctor_fix(d, "remove it and restart tollgated");
    return false;
}

static void check_reach(struct doctor *d, const char *path)
{
    const char *user = postconf_user(d);
    struct person person;
    struct err err = {0};

    if (user == NULL)
        return; /* no Postfix here */
    if (person_find(user, &person, &err) != 0) {
        doctor_say(d, DOCTOR_FAIL, "socket", "%s", err.text);
        doctor_fix(d, "correct mail_owner in Postfix's main.cf");
    } else if (person_access(&person, path, ACCESS_CONNECT, &err) != 0) {
        if (err.code != EX_NOPERM)
            return; /* nobody listens there, which the next check says */
        doctor_say(d, DOCTOR_FAIL, "socket", "%s", err.text);
        doctor_fix(d,
                   "set milter.mode = \"0660\" and milter.group = \"%s\", and give that group "
                   "access to the directories above it (chmod g+x)",
                   user);
    } else {
        doctor_say(d, DOCTOR_OK, "socket", "the user %s can connect to %s", user, path);
    }
}

static void check_answer(struct doctor *d, const char *where)
{
    struct milter_link link;
    struct err err = {0};

    if (milter_link_open(&link, where, TIMEOUT_MS, &err) == 0) {
        doctor_say(d, DOCTOR_OK, "socket", "a milter answers at %s", where);
    } else {
        doctor_say(d, DOCTOR_FAIL, "socket", "no milter answers at %s: %s", where, err.text);
        doctor_fix(d, "start tollgated; if it is running, see its log");
    }
    milter_link_close(&link);
}

void doctor_socket(struct doctor *d)
{
    const char *where = d->cli->settings->milter.socket;
    struct socket_name name;
    struct err err = {0};

    if (socket_name_parse(slice_str(where), &d->arena, &name, &err) != 0) {
        doctor_say(d, DOCTOR_FAIL, "socket", "%s", err.text);
        doctor_fix(d, "correct milter.socket in %s", d->cli->config);
        return;
    }
    if (name.family == SOCKET_UNIX) {
        if (!check_file(d, name.path))
            return;
        check_reach(d, name.path);
    }
    check_answer(d, where);
}
