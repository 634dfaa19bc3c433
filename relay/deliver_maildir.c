#include "relay/deliver_maildir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/files.h"

#define COPY_BYTES 65536
#define PATH_BYTES 2048
#define NAME_BYTES 200 /* leaves room for the file system's 255 */

bool deliver_maildir_user(struct slice local, char *name, size_t room)
{
    ptrdiff_t plus = slice_find(slice_from(local, 1), '+'); /* not a leading one */
    size_t len = 0;

    if (plus >= 0)
        local = slice_to(local, (size_t)plus + 1);
    for (size_t i = 0; i < local.len; i++) {
        unsigned char c = (unsigned char)local.ptr[i];
        bool plain = c > ' ' && c != '/' && c != '%' && c != 0x7f && (c != '.' || i > 0);

        if (len + 4 > room)
            return false;
        if (plain)
            name[len++] = slice_ascii_lower((char)c);
        else
            len += (size_t)snprintf(name + len, 4, "%%%02X", (unsigned)c);
    }
    if (len == 0)
        return false;
    name[len] = '\0';
    return true;
}

static bool takes(const struct address *address, char user[NAME_BYTES])
{
    return deliver_maildir_user(address->local, user, NAME_BYTES) && address->domain.len > 0 &&
           address->domain.ptr[0] != '.' && slice_find(address->domain, '/') < 0;
}

bool deliver_maildir_takes(const struct address *address)
{
    char user[NAME_BYTES];

    return takes(address, user);
}

static int fail(struct err *err, const char *what, const char *path)
{
    return err_set(err, EX_IOERR, "%s %s: %s", what, path, strerror(errno));
}

/* Each part of the path, and then tmp, new and cur in it. */
static int make_maildir(char *path, size_t root_len, struct err *err)
{
    static const char *const parts[] = {"", "/tmp", "/new", "/cur"};
    char sub[PATH_BYTES];

    for (char *slash = strchr(path + root_len + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return fail(err, "cannot make", path);
        *slash = '/';
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (snprintf(sub, sizeof sub, "%s%s", path, parts[i]) >= (int)sizeof sub)
            return err_set(err, EX_NOUSER, "the path of the Maildir is too long");
        if (mkdir(sub, 0700) != 0 && errno != EEXIST)
            return fail(err, "cannot make", sub);
    }
    return 0;
}

static bool add_block(FILE *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\r' && putc_unlocked(text.ptr[i], out) == EOF)
            return false;
    }
    return true;
}

/* The text has no CR but before LF: the reception has seen to that. */
static bool write_text(const struct queue_file *f, FILE *out)
{
    char *block = malloc(COPY_BYTES);
    ssize_t n = block == NULL ? -1 : 1;

    for (uint64_t at = 0; n > 0; at += (uint64_t)n) {
        n = queue_read(f, at, block, COPY_BYTES);
        if (n > 0 && !add_block(out, (struct slice){block, (size_t)n}))
            n = -1;
    }
    free(block);
    return n == 0;
}

static int write_mail(const struct queue_file *f, size_t recipient, const char *path,
                      struct err *err)
{
    FILE *out = fopen(path, "wxe");
    bool good;

    if (out == NULL && errno == EEXIST) { /* of an earlier try */
        (void)unlink(path);
        out = fopen(path, "wxe");
    }
    if (out == NULL)
        return fail(err, "cannot create", path);
    good = fprintf(out, "Return-Path: <%.*s>\nDelivered-To: %.*s\n", SLICE_FMT(f->envelope.sender),
                   SLICE_FMT(f->envelope.recipients[recipient].address)) > 0 &&
           write_text(f, out) && fflush(out) == 0 && fsync(fileno(out)) == 0;
    if (fclose(out) == 0 && good)
        return 0;
    (void)fail(err, "cannot write", path);
    (void)unlink(path);
    return -1;
}

int deliver_maildir(const struct queue_file *f, size_t recipient, const struct address *address,
                    const char *root, const char *hostname, struct err *err)
{
    char user[NAME_BYTES], dir[PATH_BYTES], name[NAME_BYTES + 64], tmp[PATH_BYTES * 2],
        new_[PATH_BYTES * 2];

    if (!takes(address, user))
        return err_set(err, EX_NOUSER, "no Maildir can have that name");
    if (snprintf(dir, sizeof dir, "%s/%.*s/%s", root, SLICE_FMT(address->domain), user) >=
        (int)sizeof dir)
        return err_set(err, EX_NOUSER, "the path of the Maildir is too long");
    (void)snprintf(name, sizeof name, "%lld.Q%.*sR%zu.%s",
                   (long long)(f->envelope.created_ms / 1000), SLICE_FMT(f->envelope.id), recipient,
                   hostname);
    (void)snprintf(tmp, sizeof tmp, "%s/tmp/%s", dir, name);
    (void)snprintf(new_, sizeof new_, "%s/new/%s", dir, name);
    if (make_maildir(dir, strlen(root), err) != 0 || write_mail(f, recipient, tmp, err) != 0)
        return -1;
    if (rename(tmp, new_) != 0) /* the same message again replaces itself */
        return fail(err, "cannot rename to", new_);
    (void)snprintf(tmp, sizeof tmp, "%s/new", dir);
    return file_sync_dir(tmp) ? 0 : fail(err, "cannot sync", tmp);
}
