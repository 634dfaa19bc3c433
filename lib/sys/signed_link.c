#include "lib/sys/signed_link.h"

#include <sysexits.h>

#include "lib/sys/files.h"

#define KEY_FILE_MAX ((size_t)4096)
#define TEXT_BYTES   ((size_t)4096)

static int read_key(const char *path, struct buf *key, struct err *err)
{
    if (file_read(path, key, err) != 0)
        return -1;
    if (slice_trim(buf_slice(key)).len < SIGNED_LINK_KEY)
        return err_set(err, EX_CONFIG, "web.link_key_file: %s: shorter than %d bytes", path,
                       SIGNED_LINK_KEY);
    return 0;
}

int signed_link_sign(const char *key_file, const struct slice *lines, size_t count,
                     char text[SECRET_TEXT], struct err *err)
{
    struct buf key, message;
    int result;

    buf_init(&key, KEY_FILE_MAX);
    buf_init(&message, TEXT_BYTES);
    for (size_t i = 0; i < count; i++) {
        buf_add_str(&message, i > 0 ? "\n" : "");
        buf_add(&message, lines[i]);
    }
    result = read_key(key_file, &key, err);
    if (result == 0 && message.failed)
        result = err_set(err, EX_USAGE, "the link is too long");
    if (result == 0)
        secret_sign(slice_trim(buf_slice(&key)), buf_slice(&message), text);
    if (key.data != NULL)
        secret_forget(key.data, key.len);
    buf_fini(&key);
    buf_fini(&message);
    return result;
}

int signed_link_card(const char *key_file, struct slice domain, struct slice until,
                     char text[SECRET_TEXT], struct err *err)
{
    const struct slice lines[] = {SLICE("card"), domain, until};

    return signed_link_sign(key_file, lines, sizeof lines / sizeof lines[0], text, err);
}
