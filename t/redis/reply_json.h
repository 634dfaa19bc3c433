#ifndef TG_T_REDIS_REPLY_JSON_H
#define TG_T_REDIS_REPLY_JSON_H

#include <hiredis/hiredis.h>
#include <jansson.h>

/* A reply of Redis for the tests in Python. */
static inline json_t *reply_json(const redisReply *r)
{
    json_t *list;

    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        return json_integer(r->integer);
    case REDIS_REPLY_NIL:
        return json_null();
    case REDIS_REPLY_ARRAY:
        list = json_array();
        for (size_t i = 0; i < r->elements; i++)
            (void)json_array_append_new(list, reply_json(r->element[i]));
        return list;
    default:
        return json_pack("s%", r->str, (size_t)r->len);
    }
}

#endif
