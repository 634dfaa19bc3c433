/* privileges: from root to an account with its groups, and what is refused. */
#include "t/tap.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/privileges.h"

static void test_unknown(void)
{
    struct privileges_account a;
    struct err err = {0};
    int found = privileges_find("no-such-account", &a, &err);

    if (geteuid() == 0)
        OK(found == -1 && err.code == EX_CONFIG &&
               strstr(err.text,
                      "unknown account \"no-such-account\": make it (useradd --system ") != NULL,
           "an account that is missing is told, with the mend");
    else
        OK(found == 0 && a.name[0] == '\0', "who is not root stays what he is");
    OK(privileges_find("", &a, &err) == 0 && a.name[0] == '\0' && a.uid == geteuid(),
       "no name: ourselves");
    OK(privileges_become(&a, "no-such-group", &err) == 0 && geteuid() == a.uid,
       "which changes nothing");
}

static bool has_group(gid_t gid)
{
    gid_t list[256];
    int count = getgroups(256, list);

    for (int i = 0; i < count; i++) {
        if (list[i] == gid)
            return true;
    }
    return false;
}

/* Bits of what was wrong after the change; in a child. */
static int become_nobody(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    const struct group *daemons = getgrnam("daemon");
    uid_t uid = nobody->pw_uid;
    gid_t gid = nobody->pw_gid, extra = daemons->gr_gid;
    struct privileges_account a;
    struct err err = {0};
    int wrong = 0;

    (void)setgroups(1, (gid_t[]){12345});
    if (privileges_find("nobody", &a, &err) != 0 || privileges_become(&a, "daemon", &err) != 0)
        return 1;
    wrong |= getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid ? 2 : 0;
    wrong |= has_group(extra) && has_group(gid) ? 0 : 4;
    wrong |= has_group(12345) || has_group(0) ? 8 : 0;
    wrong |= setuid(0) == 0 || seteuid(0) == 0 ? 16 : 0;
    return wrong;
}

static int become_unknown_group(void)
{
    struct privileges_account a;
    struct err err = {0};

    if (privileges_find("nobody", &a, &err) != 0)
        return 1;
    return privileges_become(&a, "no-such-group", &err) == -1 && err.code == EX_CONFIG &&
                   strstr(err.text, "milter.group: unknown group \"no-such-group\": make it") !=
                       NULL
               ? 0
               : 2;
}

static int become_root(void)
{
    struct privileges_account a;
    struct err err = {0};

    if (privileges_find("root", &a, &err) != 0)
        return 1;
    return privileges_become(&a, "", &err) == -1 && strstr(err.text, "is root") != NULL ? 0 : 2;
}

static int in_child(int (*what)(void))
{
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(what());
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void)
{
    test_unknown();
    if (geteuid() == 0) {
        IS_INT(in_child(become_nobody), 0, "root becomes nobody, with one group more, for good");
        IS_INT(in_child(become_unknown_group), 0, "a group that is missing is told");
        IS_INT(in_child(become_root), 0, "an account that is root is refused");
    }
    return tap_done();
}
