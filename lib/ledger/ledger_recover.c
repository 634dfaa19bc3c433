#include "lib/ledger/ledger_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PLACE_PATH 512

struct ledger_place {
    char ledger[PLACE_PATH], id[PLACE_PATH];
    char named[16]; /* what ledger.id says; "": it is not there */
};

static int id_read(struct ledger_place *p, struct err *err)
{
    int fd = open(p->id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    p->named[0] = '\0';
    if (fd < 0)
        return errno == ENOENT ? 0 : err_set(err, EX_NOINPUT, "%s: %s", p->id, strerror(errno));
    n = read(fd, p->named, sizeof p->named - 1);
    (void)close(fd);
    if (n < 0)
        return err_set(err, EX_NOINPUT, "%s: %s", p->id, strerror(errno));
    p->named[n] = '\0';
    p->named[strcspn(p->named, "\n")] = '\0';
    return 0;
}

static int id_write(const struct ledger_place *p, const char *id, struct err *err)
{
    int fd = open(p->id, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    char line[16];
    int len = snprintf(line, sizeof line, "%s\n", id);
    bool good = fd >= 0 && write(fd, line, (size_t)len) == len && fsync(fd) == 0;

    if (!good)
        (void)err_set(err, EX_CANTCREAT, "%s: %s", p->id, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return good ? 0 : -1;
}

static int check_there(const struct ledger_place *p, const char *state_dir, struct err *err)
{
    char journal[PLACE_PATH];

    if (p->named[0] == '\0' || access(p->ledger, F_OK) == 0)
        return 0;
    (void)snprintf(journal, sizeof journal, "%s/journal", state_dir);
    if (access(journal, F_OK) != 0)
        return err_set(
            err, EX_DATAERR,
            "%s is gone, and ledger %s has counted here: restore it from a backup; or, to "
            "begin a new one that counts from now on, remove %s",
            p->ledger, p->named, p->id);
    return err_set(err, EX_DATAERR,
                   "%s is gone, and ledger %s has counted here: restore it from a backup; or run "
                   "tollgated --repair, which makes it again of Redis and the journal; or, to "
                   "begin a new one that counts from now on, remove %s and move %s away",
                   p->ledger, p->named, p->id, journal);
}

static int check_same(const struct ledger_place *p, const struct ledger *l, struct err *err)
{
    if (p->named[0] == '\0')
        return id_write(p, ledger_id(l), err);
    if (strcmp(p->named, ledger_id(l)) == 0)
        return 0;
    return err_set(err, EX_DATAERR,
                   "%s is ledger %s, and %s has counted here (%s): bring back the one that belongs "
                   "here",
                   p->ledger, ledger_id(l), p->named, p->id);
}

struct ledger *ledger_place_open(const char *state_dir, const char *name, const char *node,
                                 struct err *err)
{
    struct ledger_place p;
    struct ledger *l;

    if (snprintf(p.ledger, sizeof p.ledger, "%s/%s.db", state_dir, name) >= PLACE_PATH ||
        snprintf(p.id, sizeof p.id, "%s/%s.id", state_dir, name) >= PLACE_PATH) {
        (void)err_set(err, EX_CONFIG, "state_dir is too long");
        return NULL;
    }
    if (id_read(&p, err) < 0 || check_there(&p, state_dir, err) < 0)
        return NULL;
    l = ledger_open(p.ledger, node, err);
    if (l != NULL && check_same(&p, l, err) < 0) {
        ledger_close(l);
        return NULL;
    }
    return l;
}
