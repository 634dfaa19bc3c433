#include "milter/engine_handover.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LISTENER "milter"
#define NAME_SESSION  "session"
#define NAME_NOTES    "notes"

enum { NOTES_BYTES = 256 << 20, BARRIER_MS = 2000, SESSION_BYTES = 4 << 20 };

/* Of the notes, first in them: another form is not read. Those who wrote the old one answered every
 * MAIL and RCPT, and must not get a session in which that was agreed away. */
#define NOTES_FORM     UINT32_C(0x74676e32)
#define NOTES_FORM_OLD UINT32_C(0x74676e31)

/* --- giving
 * ------------------------------------------------------------------------------------------- */

void engine_handover_init(struct engine_handover *h)
{
    memset(h, 0, sizeof *h);
    mutex_init(&h->lock);
    buf_init(&h->notes, NOTES_BYTES);
}

static bool inode_of(int fd, uint64_t *inode)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return false;
    *inode = (uint64_t)st.st_ino;
    return true;
}

static bool note_session(struct buf *notes, const struct dispatch_connection *session)
{
    struct buf text;
    bool done;

    buf_init(&text, SESSION_BYTES);
    dispatch_save(session, &text);
    buf_add_text(notes, buf_slice(&text));
    done = !text.failed && !notes->failed;
    buf_fini(&text);
    return done;
}

static bool note(struct engine_handover *h, int fd, const struct milter_server *s,
                 const struct dispatch_connection *session, struct slice held)
    TG_REQUIRES(engine_handover_lock)
{
    size_t before = h->notes.len;
    uint64_t inode;

    if (!inode_of(fd, &inode))
        return false;
    if (before == 0)
        buf_add_u32(&h->notes, NOTES_FORM);
    buf_add_u32(&h->notes, (uint32_t)(inode >> 32));
    buf_add_u32(&h->notes, (uint32_t)inode);
    buf_add_text(&h->notes, held);
    if (note_session(&h->notes, session) && milter_server_save(s, &h->notes))
        return true;
    h->notes.len = before;
    h->notes.failed = false;
    return false;
}

static bool has_room(struct engine_handover *h) TG_REQUIRES(engine_handover_lock)
{
    size_t room = h->room < 64 ? 64 : h->room * 2;
    int *fds;

    if (h->count < h->room)
        return true;
    fds = realloc(h->fds, room * sizeof *fds);
    if (fds == NULL)
        return false;
    h->fds = fds;
    h->room = room;
    return true;
}

bool engine_handover_give(struct engine_handover *h, int fd, const struct milter_server *s,
                          const struct dispatch_connection *session, struct slice held)
{
    bool given;

    engine_handover_lock_take(&h->lock);
    given = has_room(h) && note(h, fd, s, session, held);
    if (given)
        h->fds[h->count++] = fd;
    engine_handover_lock_give(&h->lock);
    return given;
}

/* In memory, for another process. */
static int notes_file(struct slice notes)
{
    int fd = memfd_create("tollgated sessions", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    while (notes.len > 0) {
        ssize_t done = write(fd, notes.ptr, notes.len);

        if (done <= 0) {
            (void)close(fd);
            return -1;
        }
        notes = slice_from(notes, (size_t)done);
    }
    return fd;
}

static bool tell(const int *fds, size_t count, struct slice notes, int wait_ms)
{
    int file = notes_file(notes);
    bool told = file >= 0 && systemd_store(NAME_NOTES, &file, 1) &&
                systemd_store(NAME_SESSION, fds, count) && systemd_barrier(wait_ms);

    if (file >= 0)
        (void)close(file);
    return told;
}

/* The loops have ended: nobody gives any more. */
size_t engine_handover_send(struct engine_handover *h, int wait_ms)
{
    struct buf notes;
    size_t count;
    bool told;
    int *fds;

    engine_handover_lock_take(&h->lock);
    count = h->count;
    fds = h->fds;
    notes = h->notes;
    h->fds = NULL;
    h->count = h->room = 0;
    buf_init(&h->notes, NOTES_BYTES);
    engine_handover_lock_give(&h->lock);
    told = count > 0 && tell(fds, count, buf_slice(&notes), wait_ms);
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
    buf_fini(&notes);
    free(fds);
    return told ? count : 0;
}

void engine_handover_keep_listener(int fd)
{
    if (systemd_is_there())
        (void)!systemd_store(NAME_LISTENER, &fd, 1);
}

/* Once it is closed in both, the address is free. */
void engine_handover_drop_listener(void)
{
    systemd_store_remove(NAME_LISTENER);
    (void)!systemd_barrier(BARRIER_MS);
}

/* --- taking
 * ------------------------------------------------------------------------------------------- */

static void read_notes(struct engine_heritage *h)
{
    int at = 0, fd;
    struct stat st;
    char *room;

    buf_init(&h->notes, NOTES_BYTES);
    while ((fd = systemd_fds_next(&h->fds, NAME_NOTES, &at)) >= 0) {
        if (h->notes.len == 0 && fstat(fd, &st) == 0 && st.st_size > 0 &&
            (room = buf_space(&h->notes, (size_t)st.st_size)) != NULL &&
            pread(fd, room, (size_t)st.st_size, 0) == (ssize_t)st.st_size)
            h->notes.len = (size_t)st.st_size;
        (void)close(fd);
    }
}

void engine_heritage_open(struct engine_heritage *h, int *listener)
{
    int at = 0, fd;

    h->at = 0;
    *listener = -1;
    systemd_fds_take(&h->fds);
    while ((fd = systemd_fds_next(&h->fds, NAME_LISTENER, &at)) >= 0) {
        if (*listener < 0)
            *listener = fd;
        else
            (void)close(fd);
    }
    read_notes(h);
}

/* The note of that socket, into *s, *held and *session. */
static bool find_note(const struct engine_heritage *h, uint64_t inode, struct milter_server *s,
                      struct buf *held, struct slice *session)
{
    struct slice rest = buf_slice(&h->notes), bytes;
    uint32_t form, high, low;

    if (!slice_take_u32(&rest, &form) || (form != NOTES_FORM && form != NOTES_FORM_OLD))
        return false;
    while (slice_take_u32(&rest, &high) && slice_take_u32(&rest, &low) &&
           slice_take_text(&rest, &bytes) && slice_take_text(&rest, session)) {
        if (!milter_server_restore(s, &rest))
            return false;
        if (((uint64_t)high << 32 | low) == inode) {
            buf_add(held, bytes);
            return !held->failed;
        }
        milter_server_reset(s);
    }
    return false;
}

int engine_heritage_next(struct engine_heritage *h, struct milter_server *s, struct buf *held,
                         struct slice *session)
{
    uint64_t inode;
    int fd;

    while ((fd = systemd_fds_next(&h->fds, NAME_SESSION, &h->at)) >= 0) {
        if (inode_of(fd, &inode) && find_note(h, inode, s, held, session))
            return fd;
        milter_server_reset(s);
        buf_reset(held);
        (void)close(fd);
    }
    return -1;
}

void engine_heritage_close(struct engine_heritage *h)
{
    int fd;

    while ((fd = systemd_fds_next(&h->fds, NAME_SESSION, &h->at)) >= 0)
        (void)close(fd);
    if (h->fds.count > 0) {
        systemd_store_remove(NAME_SESSION);
        systemd_store_remove(NAME_NOTES);
    }
    buf_fini(&h->notes);
    systemd_fds_fini(&h->fds);
}

void engine_heritage_refuse(void)
{
    struct engine_heritage h;
    int listener;

    engine_heritage_open(&h, &listener);
    if (listener >= 0)
        (void)close(listener);
    engine_heritage_close(&h);
    if (listener >= 0)
        engine_handover_drop_listener();
}
