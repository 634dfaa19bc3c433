#include "relay/queue.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "relay/queue_draft.h"
#include "t/tap.h"

static char dir[64];
static char put_id[QUEUE_ID_BYTES]; /* of the last message put */

static void put(struct queue *q, const char *id, bool held)
{
    struct envelope e = {.id = slice_str(id),
                         .created_ms = 1700000000123,
                         .sender = SLICE("a@x.test"),
                         .client = SLICE("192.0.2.1"),
                         .login = SLICE("joe\nsender evil"),
                         .smtputf8 = true};
    struct queue_draft draft = QUEUE_DRAFT_NONE;
    struct arena arena;
    struct message m;
    struct err err = {.code = 0};

    arena_init(&arena, 1 << 20);
    (void)envelope_add_recipient(&e, &arena, SLICE("b@y.test"), SLICE_NONE);
    (void)envelope_add_recipient(&e, &arena, SLICE("\"c d\"@z.test"), SLICE("fwd@x.test"));
    message_init(&m, dir);
    message_add(&m, SLICE("Subject: x\r\n\r\nbody\r\n"));
    message_end(&m);
    IS_INT(queue_draft_write(q, &draft, &e, SLICE("Received: r\r\n"), &m, &err), 0, "written");
    IS_INT(queue_draft_commit(q, &draft, held, &err), 0, "queued");
    memcpy(put_id, draft.id, sizeof put_id);
    message_fini(&m);
    arena_fini(&arena);
}

static void test_put_and_load(struct queue *q)
{
    struct queue_file f;
    struct err err = {.code = 0};
    char text[100];
    ssize_t n;

    put(q, "AAA1", false);
    IS_INT(queue_load(q, SLICE("AAA1"), &f, &err), 0, "loaded");
    IS_SLICE(f.envelope.sender, SLICE("a@x.test"), "sender");
    IS_SLICE(f.envelope.login, SLICE("joe sender evil"), "no value can become a line");
    IS_INT(f.envelope.recipient_count, 2, "recipients");
    IS_SLICE(f.envelope.recipients[1].address, SLICE("\"c d\"@z.test"), "a quoted one");
    IS_SLICE(f.envelope.recipients[1].original, SLICE("fwd@x.test"), "and where it came from");
    OK(f.envelope.smtputf8 && !f.envelope.eightbit, "flags");
    IS_INT(f.envelope.created_ms, 1700000000123, "time");
    n = queue_read(&f, 0, text, sizeof text);
    IS_SLICE(((struct slice){text, n < 0 ? 0 : (size_t)n}),
             SLICE("Received: r\r\nSubject: x\r\n\r\nbody\r\n"), "text");
    IS_INT(queue_read(&f, f.envelope.text_bytes, text, sizeof text), 0, "and no byte more");
    queue_unload(&f);
    IS_INT(queue_load(q, SLICE("AAA2"), &f, &err), -1, "no such message");
    IS_INT(err.code, EX_NOINPUT, "and it is said so");
    IS_INT(queue_load(q, SLICE("../lock"), &f, &err), -1, "no path can be named");
}

static void note(struct queue_file *f, char kind, size_t i, const char *text)
{
    struct err err = {.code = 0};
    struct buf b;

    buf_init(&b, 10000);
    envelope_journal_recipient(&b, kind, i, 1700000001000, slice_str(text));
    if (kind == 'T')
        envelope_journal_retry(&b, 1700000002000, 3);
    IS_INT(queue_note(f, buf_slice(&b), &err), 0, "noted");
    buf_fini(&b);
}

static void test_journal(struct queue *q)
{
    struct queue_file f;
    struct err err = {.code = 0};
    char path[200];
    int fd;

    IS_INT(queue_load(q, SLICE("AAA1"), &f, &err), 0, "loaded");
    note(&f, 'D', 0, "250 ok");
    note(&f, 'T', 1, "450 later\nD 1 1 forged");
    queue_unload(&f);
    (void)snprintf(path, sizeof path, "%s/mail/AAA1", dir);
    fd = open(path, O_WRONLY | O_APPEND);
    (void)!write(fd, "D 1 170000", 10); /* torn by a crash */
    (void)close(fd);
    IS_INT(queue_load(q, SLICE("AAA1"), &f, &err), 0, "loaded again");
    OK(f.envelope.recipients[0].state == RECIPIENT_DONE, "the first is done");
    OK(f.envelope.recipients[1].state == RECIPIENT_PENDING, "the second is not");
    IS_SLICE(f.envelope.recipients[1].text, SLICE("450 later D 1 1 forged"), "and has its reply");
    OK(f.envelope.next_ms == 1700000002000 && f.envelope.tries == 3, "the next try");
    note(&f, 'F', 1, "550 no");
    queue_unload(&f);
    IS_INT(queue_load(q, SLICE("AAA1"), &f, &err), 0, "loaded once more");
    OK(f.envelope.recipients[1].state == RECIPIENT_FAILED, "a torn line is written over");
    queue_unload(&f);
}

static void test_damage(struct queue *q)
{
    static const char *const bad[] = {
        "",
        "tollgate-queue 2\nid X\n\n",
        "tollgate-queue 1\nid X\nrecipient a@b\n",
        "tollgate-queue 1\nid X\n\n",
        "tollgate-queue 1\nid X\nrecipient a@b\nnonsense 1\n\n",
        "tollgate-queue 1\nid X\noriginal a@b\n\n",
        "tollgate-queue 1\nid X\nbytes -1\nrecipient a@b\n\n",
        "tollgate-queue 1\nid X\nbytes 100\nrecipient a@b\n\nshort",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct queue_file f;
        struct err err = {.code = 0};
        char path[200];
        FILE *out;

        (void)snprintf(path, sizeof path, "%s/mail/BAD", dir);
        out = fopen(path, "w");
        (void)fputs(bad[i], out);
        (void)fclose(out);
        IS_INT(queue_load(q, SLICE("BAD"), &f, &err), -1, "damaged");
        OK(err.code == EX_DATAERR && strstr(err.text, "BAD") != NULL, "the error names it");
        (void)unlink(path);
    }
}

struct listing {
    struct buf b;
};

static int list_one(void *user, struct slice id, bool held)
{
    struct listing *l = user;

    buf_addf(&l->b, "%.*s%s ", SLICE_FMT(id), held ? "!" : "");
    return 0;
}

static void is_listing(struct queue *q, const char *want, const char *what)
{
    struct listing l;
    struct err err = {.code = 0};

    buf_init(&l.b, 10000);
    IS_INT(queue_each(q, list_one, &l, &err), 0, "listed");
    IS_SLICE(buf_slice(&l.b), slice_str(want), what);
    buf_fini(&l.b);
}

static void test_hold(struct queue *q)
{
    struct queue_file f;
    struct err err = {.code = 0};

    put(q, "AAA3", true);
    put(q, "AAA2", false);
    is_listing(q, "AAA1 AAA2 AAA3! ", "in the order of ids, held ones last");
    IS_INT(queue_hold(q, SLICE("AAA1"), true, &err), 0, "hold");
    IS_INT(queue_hold(q, SLICE("AAA3"), false, &err), 0, "release");
    is_listing(q, "AAA2 AAA3 AAA1! ", "held and released");
    OK(queue_load(q, SLICE("AAA1"), &f, &err) == 0 && f.is_held, "a held one can be read");
    queue_unload(&f);
    IS_INT(queue_hold(q, SLICE("AAA9"), true, &err), -1, "not there");
    IS_INT(queue_hold(q, SLICE("../x"), true, &err), -1, "no path");
    IS_INT(queue_remove(q, SLICE("AAA1"), &err), 0, "removed from hold");
    IS_INT(queue_remove(q, SLICE("AAA2"), &err), 0, "removed");
    IS_INT(queue_remove(q, SLICE("AAA2"), &err), -1, "only once");
    IS_INT(queue_remove(q, SLICE("../lock"), &err), -1, "no path");
    is_listing(q, "AAA3 ", "what is left");
}

static void test_lock(void)
{
    struct queue other;
    struct err err = {.code = 0};
    char path[200];
    struct stat st;

    IS_INT(queue_open(&other, dir, 0, &err), -1, "a second one cannot have the queue");
    IS_INT(err.code, EX_TEMPFAIL, "and it is said so");
    (void)snprintf(path, sizeof path, "%s/mail", dir);
    OK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700, "nobody else can read it");
}

static void test_ids(const struct queue *q)
{
    char last[QUEUE_ID_BYTES] = "", id[QUEUE_ID_BYTES];
    int bad = 0;

    for (int i = 0; i < 100000; i++) {
        queue_new_id(q, id);
        bad += strcmp(id, last) <= 0 || !queue_id_is_valid(slice_str(id));
        memcpy(last, id, sizeof last);
    }
    IS_INT(bad, 0, "ids go up, and are valid");
    OK(!queue_id_is_valid(SLICE("")) && !queue_id_is_valid(SLICE("a/b")) &&
           !queue_id_is_valid(SLICE("..")) &&
           !queue_id_is_valid(SLICE("0123456789012345678901234567890123456789")),
       "what is no id");
}

/* A clock that was set back, or a file that was put there by hand. */
static void test_taken_id(struct queue *q)
{
    struct queue_file f;
    struct err err = {.code = 0};

    put(q, "BBB1", false);
    put(q, "BBB1", false);
    OK(strcmp(put_id, "BBB1") != 0, "an id that is taken is not used again");
    for (int i = 0; i < 2; i++) {
        const char *id = i == 0 ? "BBB1" : put_id;

        IS_INT(queue_load(q, slice_str(id), &f, &err), 0, "both messages are there");
        IS_SLICE(f.envelope.id, slice_str(id), "under their ids");
        queue_unload(&f);
    }
    IS_INT(queue_remove(q, slice_str(put_id), &err), 0, "removed");
    put(q, "BBB2", true);
    put(q, "BBB2", false);
    IS_INT(queue_hold(q, SLICE("BBB2"), false, &err), -1, "none replaces another when released");
    IS_INT(queue_remove(q, SLICE("BBB2"), &err), 0, "the queued one");
    IS_INT(queue_hold(q, SLICE("BBB2"), false, &err), 0, "and then it is released");
    IS_INT(queue_remove(q, SLICE("BBB2"), &err), 0, "the held one");
    IS_INT(queue_remove(q, SLICE("BBB1"), &err), 0, "the first");
}

static void write_draft(struct queue *q, struct queue_draft *d, const char *text)
{
    struct envelope e = {.id = SLICE("CCC1"), .created_ms = 1};
    struct arena arena;
    struct message m;
    struct err err = {.code = 0};

    arena_init(&arena, 65536);
    (void)envelope_add_recipient(&e, &arena, SLICE("b@y.test"), SLICE_NONE);
    message_init(&m, dir);
    message_add(&m, slice_str(text));
    message_end(&m);
    IS_INT(queue_draft_write(q, d, &e, SLICE_NONE, &m, &err), 0, "written");
    message_fini(&m);
    arena_fini(&arena);
}

static void test_draft(struct queue *q)
{
    struct queue_draft d = QUEUE_DRAFT_NONE;
    struct queue_file f;
    struct err err = {.code = 0};
    char text[100];
    ssize_t n;

    write_draft(q, &d, "Subject: x\r\n\r\nwhat a milter has not changed yet\r\n");
    is_listing(q, "AAA3 ", "a draft is not in the queue");
    write_draft(q, &d, "Subject: x\r\n\r\nchanged\r\n");
    IS_INT(queue_draft_commit(q, &d, false, &err), 0, "queued");
    IS_INT(queue_load(q, SLICE("CCC1"), &f, &err), 0, "loaded");
    n = queue_read(&f, 0, text, sizeof text);
    IS_SLICE(((struct slice){text, n < 0 ? 0 : (size_t)n}), SLICE("Subject: x\r\n\r\nchanged\r\n"),
             "what was written last");
    IS_INT(queue_reserve(&f, 10000, &err), 0, "room for outcomes");
    note(&f, 'F', 0, "550 no");
    queue_unload(&f);
    IS_INT(queue_load(q, SLICE("CCC1"), &f, &err), 0, "loaded again");
    OK(f.envelope.recipients[0].state == RECIPIENT_FAILED, "what was noted in it");
    note(&f, 'B', 0, "bounce");
    queue_unload(&f);
    IS_INT(queue_load(q, SLICE("CCC1"), &f, &err), 0, "and once more");
    OK(f.envelope.recipients[0].state == RECIPIENT_BOUNCED, "and behind it");
    queue_unload(&f);
    IS_INT(queue_remove(q, SLICE("CCC1"), &err), 0, "removed");
    write_draft(q, &d, "Subject: x\r\n\r\n");
    queue_draft_discard(q, &d);
    OK(d.fd < 0 && queue_load(q, SLICE("CCC1"), &f, &err) != 0, "discarded");
}

static void test_addresses(void)
{
    struct arena arena;
    struct envelope e = {.id = SLICE_NONE};

    IS_SLICE(envelope_path_plain(SLICE("<a@b>")), SLICE("a@b"), "brackets");
    IS_SLICE(envelope_path_plain(SLICE("<@x,@y:a@b>")), SLICE("a@b"), "route");
    IS_SLICE(envelope_path_plain(SLICE("a@b")), SLICE("a@b"), "bare");
    IS_SLICE(envelope_path_plain(SLICE("<>")), SLICE(""), "null");
    arena_init(&arena, 1 << 20);
    (void)envelope_add_recipient(&e, &arena, SLICE("Joe@X.test"), SLICE_NONE);
    (void)envelope_add_recipient(&e, &arena, SLICE("Joe@x.TEST"), SLICE_NONE);
    (void)envelope_add_recipient(&e, &arena, SLICE("joe@x.test"), SLICE_NONE);
    IS_INT(e.recipient_count, 2, "once each: the domain in any case, the local part to the letter");
    OK(envelope_delete_recipient(&e, SLICE("Joe@x.test")), "deleted");
    OK(!envelope_delete_recipient(&e, SLICE("Joe@x.test")), "once");
    IS_SLICE(e.recipients[0].address, SLICE("joe@x.test"), "the other stays");
    arena_fini(&arena);
}

int main(void)
{
    struct queue q;
    struct err err = {.code = 0};
    char command[100], tmp[100];

    (void)snprintf(dir, sizeof dir, "/tmp/tg-queue-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    IS_INT(queue_open(&q, dir, 0, &err), 0, "opened");
    test_put_and_load(&q);
    test_journal(&q);
    test_damage(&q);
    test_hold(&q);
    test_lock();
    test_ids(&q);
    test_taken_id(&q);
    test_draft(&q);
    test_addresses();
    queue_close(&q);
    (void)snprintf(tmp, sizeof tmp, "%s/tmp/left", dir);
    (void)close(open(tmp, O_WRONLY | O_CREAT, 0600));
    IS_INT(queue_open(&q, dir, 0, &err), 0, "opened again");
    OK(access(tmp, F_OK) != 0, "what a crash left unfinished is gone");
    is_listing(&q, "AAA3 ", "what was queued is there");
    queue_close(&q);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    (void)!system(command);
    return tap_done();
}
