#include "collect/mail_note.h"

#include <stdlib.h>

#include "collect/mail_codec.h"
#include "collect/mail_key.h"

/* Of more than that, the one untouched for longest goes; less than a second is lost by it. */
#define NOTES_MAX 100000

static void note_encode(const void *thing, struct buf *out)
{
    mail_codec_int(out, *(const int64_t *)thing);
}

static void *note_new(int64_t value)
{
    int64_t *n = malloc(sizeof *n);

    if (n != NULL)
        *n = value;
    return n;
}

static void *note_decode(struct slice bytes)
{
    int64_t value;

    return mail_codec_take_int(&bytes, &value) && bytes.len == 0 ? note_new(value) : NULL;
}

void mail_note_type(struct open_book *b)
{
    static const struct open_thing type = {note_encode, note_decode, free};

    open_type(b, OPEN_NOTE, &type);
}

bool mail_note_get(const struct machine *m, struct slice key, int64_t *value)
{
    const int64_t *n = open_find(m->open, OPEN_NOTE, key);

    if (n != NULL)
        *value = *n;
    return n != NULL;
}

void mail_note_set(struct machine *m, struct slice key, int64_t value, int64_t now_ms)
{
    struct open_entry *e = open_entry(m->open, OPEN_NOTE, key);
    int64_t *n;

    if (e != NULL) {
        *(int64_t *)e->thing = value;
        open_touch(m->open, e, now_ms);
        return;
    }
    n = note_new(value);
    if (n == NULL)
        return;
    TG_IGNORE(open_add(m->open, OPEN_NOTE, key, n, now_ms)); /* out of memory: not remembered */
    if (open_count(m->open, OPEN_NOTE) > NOTES_MAX)
        open_drop(m->open, open_oldest(m->open, OPEN_NOTE));
}

void mail_note_drop(struct machine *m, struct slice key)
{
    struct open_entry *e = open_entry(m->open, OPEN_NOTE, key);

    if (e != NULL)
        open_drop(m->open, e);
}

uint64_t mail_note_seconds(struct machine *m, struct slice domain, uint64_t ms, int64_t now_ms)
{
    struct mail_key k;
    struct slice key = mail_key_message(&k, SLICE("ms"), domain);
    int64_t left = 0;

    if (ms == 0)
        return 0;
    if (mail_note_get(m, key, &left))
        ms += (uint64_t)left;
    if (left != (int64_t)(ms % 1000))
        mail_note_set(m, key, (int64_t)(ms % 1000), now_ms);
    return ms / 1000;
}
