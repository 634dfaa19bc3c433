#include "lib/sys/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define ROOM_BYTES 65536
#define GROUPS_MAX 1024

int privileges_find(const char *name, struct privileges_account *out, struct err *err)
{
    struct passwd p, *found = NULL;
    char room[ROOM_BYTES];
    int failed;

    *out = (struct privileges_account){.name = "", .uid = geteuid(), .gid = getegid()};
    if (name[0] == '\0' || geteuid() != 0)
        return 0;
    failed = getpwnam_r(name, &p, room, sizeof room, &found);
    if (failed != 0)
        return err_set(err, EX_OSERR, "user: cannot look up the account \"%s\": %s", name,
                       strerror(failed));
    if (found == NULL)
        return err_set(
            err, EX_CONFIG,
            "user: unknown account \"%s\": make it (useradd --system %s), or set another", name,
            name);
    *out = (struct privileges_account){.name = name, .uid = p.pw_uid, .gid = p.pw_gid};
    return 0;
}

int privileges_group_find(const char *setting, const char *name, gid_t *gid, struct err *err)
{
    struct group g, *found = NULL;
    char room[ROOM_BYTES];
    int failed = getgrnam_r(name, &g, room, sizeof room, &found);

    if (failed != 0)
        return err_set(err, EX_OSERR, "%s: cannot look up the group \"%s\": %s", setting, name,
                       strerror(failed));
    if (found == NULL)
        return err_set(err, EX_CONFIG,
                       "%s: unknown group \"%s\": make it (groupadd --system %s), or set another",
                       setting, name, name);
    *gid = g.gr_gid;
    return 0;
}

static bool is_member(gid_t gid)
{
    gid_t list[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, list);

    for (int i = 0; i < count; i++) {
        if (list[i] == gid)
            return true;
    }
    return getegid() == gid;
}

int privileges_group_check(const char *setting, const char *group, bool root, struct err *err)
{
    gid_t gid;

    if (group[0] == '\0')
        return 0;
    if (privileges_group_find(setting, group, &gid, err) != 0)
        return -1;
    if ((root && geteuid() == 0) || is_member(gid))
        return 0;
    return err_set(err, EX_CONFIG,
                   "%s: the account of tollgated is not in the group \"%s\": add it (usermod -a -G "
                   "%s)%s",
                   setting, group, group, root ? ", or start as root" : "");
}

/* Adds one to the groups that initgroups has set. */
static int group_add(gid_t gid)
{
    gid_t list[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX - 1, list);

    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        if (list[i] == gid)
            return 0;
    }
    list[count] = gid;
    return setgroups((size_t)count + 1, list);
}

static int groups_set(const struct privileges_account *a, const char *group, struct err *err)
{
    gid_t extra = a->gid;

    if (group[0] != '\0' && privileges_group_find("milter.group", group, &extra, err) != 0)
        return -1;
    if (initgroups(a->name, a->gid) == 0 && group_add(extra) == 0)
        return 0;
    return err_set(err, EX_OSERR, "cannot set the groups of %s: %s", a->name, strerror(errno));
}

int privileges_become(const struct privileges_account *a, const char *group, struct err *err)
{
    if (a->name[0] == '\0')
        return 0;
    if (groups_set(a, group, err) != 0)
        return -1;
    if (setresgid(a->gid, a->gid, a->gid) != 0 || setresuid(a->uid, a->uid, a->uid) != 0)
        return err_set(err, EX_OSERR, "cannot become %s: %s", a->name, strerror(errno));
    /* An account with uid 0 would keep the privileges that this drops. */
    if (geteuid() == 0 || setuid(0) == 0)
        return err_set(
            err, EX_CONFIG,
            "user: the account \"%s\" is root: set one without privileges, or \"\" to stay "
            "root on purpose",
            a->name);
    return 0;
}

int privileges_files_as(const struct privileges_account *a, const char *group, struct err *err)
{
    if (a->name[0] == '\0')
        return 0;
    if (groups_set(a, group, err) != 0)
        return -1;
    (void)setfsgid(a->gid);
    (void)setfsuid(a->uid);
    if ((uid_t)setfsuid(a->uid) == a->uid) /* it returns the one before, and no error */
        return 0;
    return err_set(err, EX_OSERR, "cannot work with the rights of %s", a->name);
}

void privileges_files_root(const struct privileges_account *a)
{
    if (a->name[0] == '\0')
        return;
    (void)setfsuid(0);
    (void)setfsgid(0);
}

/* --- in a child ------------------------------------------------------------------------------ */

/* What the child reports; small enough to be written in one piece (pipe(7)). */
struct privileges_outcome {
    int result;
    struct err err;
};

static void child_run(const struct privileges_account *a,
                      int (*work)(void *context, struct err *err), void *context, int out)
{
    struct privileges_outcome o = {.result = -1};

    if (privileges_become(a, "", &o.err) == 0)
        o.result = work(context, &o.err);
    _exit(write(out, &o, sizeof o) == (ssize_t)sizeof o ? 0 : EX_OSERR);
}

static int child_failed(struct err *err, const char *name)
{
    return err_set(err, EX_OSERR, "cannot try it as %s: %s", name, strerror(errno));
}

int privileges_try(const struct privileges_account *a, int (*work)(void *context, struct err *err),
                   void *context, struct err *err)
{
    struct privileges_outcome o;
    int ends[2];
    ssize_t got;
    pid_t child;

    if (a->name[0] == '\0')
        return work(context, err);
    (void)fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return child_failed(err, a->name);
    child = fork();
    if (child == 0)
        child_run(a, work, context, ends[1]);
    (void)close(ends[1]);
    got = child < 0 ? -1 : read(ends[0], &o, sizeof o);
    (void)close(ends[0]);
    if (child < 0)
        return child_failed(err, a->name);
    (void)waitpid(child, NULL, 0);
    if (got != (ssize_t)sizeof o)
        return err_set(err, EX_SOFTWARE, "the check as %s ended early", a->name);
    *err = o.err;
    return o.result;
}
