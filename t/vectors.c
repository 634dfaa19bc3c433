#include "t/vectors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_BYTES ((size_t)64 << 20)

static void die(const char *what, const char *detail)
{
    printf("Bail out! t/data: %s: %s\n", what, detail);
    exit(1);
}

static void check(bool good, const char *what)
{
    if (!good)
        die(what, "failed");
}

static struct slice copy(struct vectors *v, const char *text)
{
    return arena_copy(&v->arena, slice_str(text == NULL ? "" : text));
}

static FILE *data_open(const char *name)
{
    const char *source = getenv("TG_SOURCE");
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/t/data/%s", source == NULL ? "." : source, name);
    f = fopen(path, "r");
    if (f == NULL)
        die(path, "cannot be read (is TG_SOURCE set?)");
    return f;
}

/* --- world.json --- */

static void networks_fill(struct hosted *w, struct networks *set, const json_t *list)
{
    struct err err;
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (hosted_add_network(w, set, slice_str(json_string_value(item)), &err) != 0)
            die("world.json", err.text);
    }
}

static void forwards_fill(struct hosted *w, json_t *forwards)
{
    struct err err;
    const char *key;
    json_t *targets, *target;
    size_t i;

    json_object_foreach(forwards, key, targets)
    {
        json_array_foreach(targets, i, target)
        {
            if (hosted_add_forward(w, slice_str(key), slice_str(json_string_value(target)), &err) !=
                0)
                die("world.json", err.text);
        }
    }
}

static void hosted_fill(struct vectors *v, json_t *hosted)
{
    struct err err;
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(hosted, "hosted"), key, value)
    {
        if (hosted_add_domain(v->hosted, slice_str(key), slice_str(json_string_value(value)),
                              &err) != 0)
            die("world.json", err.text);
    }
    json_object_foreach(json_object_get(hosted, "logins"), key, value)
    {
        if (hosted_add_login(v->hosted, slice_str(key), slice_str(json_string_value(value)),
                             &err) != 0)
            die("world.json", err.text);
    }
    forwards_fill(v->hosted, json_object_get(hosted, "forwards"));
    networks_fill(v->hosted, &v->hosted->host, json_object_get(hosted, "host"));
    networks_fill(v->hosted, &v->hosted->customers, json_object_get(hosted, "customers"));
    check(hosted_set_spam_header(v->hosted, SLICE("X-Spam-Flag: YES"), &err) == 0, "spam header");
    v->hosted->popauth_asked = true;
    value = json_object_get(hosted, "popauth");
    v->popauth = arena_array(&v->arena, json_object_size(value), sizeof *v->popauth);
    json_object_foreach(value, key, hosted) v->popauth[v->popauth_count++] =
        (struct vector_popauth){copy(v, key), copy(v, json_string_value(hosted))};
}

static void source_load(struct vectors *v)
{
    FILE *f = data_open("world.json");
    json_error_t error;
    json_t *hosted = json_loadf(f, 0, &error);

    (void)fclose(f);
    if (hosted == NULL)
        die("world.json", error.text);
    v->hosted = hosted_new(CAP_BYTES);
    check(v->hosted != NULL, "memory");
    hosted_fill(v, hosted);
    json_decref(hosted);
}

/* --- classify.jsonl --- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void recipients_fill(struct vectors *v, struct vector *x, const json_t *to)
{
    size_t i;
    json_t *item;

    x->to = arena_array(&v->arena, json_array_size(to), sizeof *x->to);
    json_array_foreach(to, i, item) x->to[x->to_count++] = copy(v, json_string_value(item));
}

static void headers_fill(struct vectors *v, struct vector *x, const json_t *headers)
{
    size_t i;
    json_t *item;

    x->headers = arena_array(&v->arena, json_array_size(headers), sizeof *x->headers);
    json_array_foreach(headers, i, item)
    {
        struct slice value = copy(v, json_string_value(item)), name;

        check(slice_cut(&value, ':', &name) && value.ptr != NULL, "a header without a colon");
        x->headers[x->header_count++] = (struct vector_header){name, value};
    }
}

static void expect_fill(struct vectors *v, struct vector *x, json_t *expect)
{
    const char *account, *name;
    json_t *counters, *amount;

    x->expect = arena_array(&v->arena, json_object_size(expect), sizeof *x->expect);
    json_object_foreach(expect, account, counters)
    {
        struct vector_account *a = &x->expect[x->expect_count++];

        a->account = copy(v, account);
        json_object_foreach(counters, name, amount)
        {
            int counter = counter_find(slice_str(name));

            check(counter >= 0, name);
            a->want.value[counter] = (uint64_t)json_integer_value(amount);
        }
    }
}

static void vector_fill(struct vectors *v, struct vector *x, const json_t *line)
{
    const char *client = text_of(line, "client");

    x->name = copy(v, text_of(line, "name"));
    x->smtp = client != NULL;
    x->client = copy(v, client);
    x->auth = copy(v, text_of(line, "auth"));
    x->from = copy(v, text_of(line, "from"));
    x->bytes = (uint64_t)json_integer_value(json_object_get(line, "bytes"));
    recipients_fill(v, x, json_object_get(line, "to"));
    headers_fill(v, x, json_object_get(line, "headers"));
    expect_fill(v, x, json_object_get(line, "expect"));
}

static void cases_load(struct vectors *v)
{
    FILE *f = data_open("classify.jsonl");
    json_error_t error;
    char *line = NULL;
    size_t size = 0, room = 0;

    while (getline(&line, &size, f) > 0) {
        json_t *object = json_loads(line, 0, &error);

        if (object == NULL)
            die("classify.jsonl", error.text);
        v->list = arena_grow(&v->arena, v->list, v->count, &room, sizeof *v->list);
        check(v->list != NULL, "memory");
        vector_fill(v, &v->list[v->count++], object);
        json_decref(object);
    }
    free(line);
    (void)fclose(f);
}

/* --- for the tests --- */

void vectors_load(struct vectors *v)
{
    *v = (struct vectors){.hosted = NULL};
    arena_init(&v->arena, CAP_BYTES);
    source_load(v);
    cases_load(v);
}

void vectors_fini(struct vectors *v)
{
    hosted_free(v->hosted);
    arena_fini(&v->arena);
}

static struct answer answer_find(const struct vectors *v, const struct question *q)
{
    for (size_t i = 0; q->kind == QUESTION_POPAUTH && i < v->popauth_count; i++) {
        if (slice_equal(v->popauth[i].ip, q->key))
            return (struct answer){.found = true, .login = v->popauth[i].login};
    }
    return (struct answer){.found = false};
}

void vectors_answer(const struct vectors *v, struct answers *answers)
{
    for (size_t i = 0; i < answers->open_count; i++) {
        struct answer answer = answer_find(v, &answers->open[i]);

        check(answers_put(answers, answers->open[i].kind, answers->open[i].key, &answer) == 0,
              "answer");
    }
    answers_none_open(answers);
}

void vector_facts(const struct vectors *v, const struct vector *x, struct arena *arena,
                  struct facts *out)
{
    struct err err;

    *out =
        (struct facts){.smtp = x->smtp, .client_ip = x->client, .auth = x->auth, .bytes = x->bytes};
    if (address_parse(x->from, arena, &out->sender, &err) != 0)
        die("sender", err.text);
    out->recipients = arena_array(arena, x->to_count, sizeof *out->recipients);
    check(out->recipients != NULL, "memory");
    for (; out->recipient_count < x->to_count; out->recipient_count++) {
        if (address_parse(x->to[out->recipient_count], arena,
                          &out->recipients[out->recipient_count], &err) != 0)
            die("recipient", err.text);
    }
    for (size_t i = 0; i < x->header_count; i++)
        check(header_facts_add(&out->headers, v->hosted, arena, x->headers[i].name,
                               x->headers[i].value) == 0,
              "header");
}
