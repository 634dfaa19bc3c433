#include "collect/story_socket.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/buf.h"
#include "lib/core/mail_trace.h"
#include "lib/ledger/collect_file.h"
#include "lib/sys/json.h"

#define SILENCE_MS  2000
#define TRACE_BYTES ((size_t)64 << 10)

static json_t *digits_of(struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    json_t *text;
    struct buf b;

    buf_init(&b, TRACE_BYTES);
    for (size_t i = 0; i < bytes.len; i++) {
        buf_add_char(&b, digits[(unsigned char)bytes.ptr[i] >> 4]);
        buf_add_char(&b, digits[(unsigned char)bytes.ptr[i] & 15]);
    }
    text = b.failed ? json_null() : json_text(buf_slice(&b));
    buf_fini(&b);
    return text;
}

static int take(void *context, const struct collect_file_story *story, struct err *err)
{
    json_t *list = context;
    int rc;

    if (json_array_size(list) == STORY_SOCKET_STORIES)
        return 0;
    rc = json_array_append_new(list, json_pack("{s:o, s:o}", "instance", json_text(story->instance),
                                               "trace", digits_of(story->trace)));
    return rc == 0 ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static json_t *story(const struct story_socket *s, const char *id)
{
    json_t *list = json_array();
    struct collect_file_query q = {
        .queue_id = slice_str(id), .to_ms = INT64_MAX, .take = take, .context = list};
    struct err err = {0};
    struct collect_file *c = collect_file_open(s->state_dir, &err);
    int rc = c != NULL ? collect_file_traces(c, &q, &err) : -1;

    collect_file_close(c);
    if (rc == 0)
        return json_pack("{s:o}", "stories", list);
    json_decref(list);
    return line_socket_error(err.text);
}

static json_t *answer(void *context, const json_t *request)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    const char *id = json_string_value(json_object_get(request, "id"));

    if (cmd == NULL || strcmp(cmd, "story") != 0)
        return line_socket_error("unknown command: give story");
    return mail_trace_is_id(slice_str(id)) ? story(context, id)
                                           : line_socket_error("id: give a queue id");
}

int story_socket_start(struct story_socket *s, const char *state_dir, const char *dir,
                       struct err *err)
{
    s->state_dir = state_dir;
    s->socket = (struct line_socket){
        .name = "story", .mode = 0660, .silence_ms = SILENCE_MS, .answer = answer, .context = s};
    return line_socket_start(&s->socket, dir, err);
}

void story_socket_stop(struct story_socket *s)
{
    line_socket_stop(&s->socket);
}
