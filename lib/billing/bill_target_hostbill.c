/* HostBill adds whatever it is told and knows no key for what it has: the id of an item stands in
 * the comment of its usage, and is looked for before anything is added. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/billing/bill_http.h"
#include "lib/billing/bill_target_work.h"

#define FIELD_BYTES  1024
#define ANSWER_BYTES ((size_t)1 << 20)
#define FIELDS       8

struct bill_form {
    struct buf texts[FIELDS];
    struct slice fields[FIELDS];
    size_t count;
};

static void form_add(struct bill_form *f, const char *name, struct slice value)
{
    struct buf *text = &f->texts[f->count];

    TG_ASSERT(f->count < FIELDS);
    buf_init(text, FIELD_BYTES);
    buf_addf(text, "%s=%.*s", name, SLICE_FMT(value));
    f->fields[f->count++] = buf_slice(text);
}

static void form_fini(struct bill_form *f)
{
    for (size_t i = 0; i < f->count; i++)
        buf_fini(&f->texts[i]);
}

static json_t *parse(const struct bill_target *t, struct slice answer, struct err *err)
{
    json_t *json = json_loadb(answer.len > 0 ? answer.ptr : "", answer.len, 0, NULL);
    const json_t *error = json_object_get(json, "error");

    if (json_is_true(json_object_get(json, "success")))
        return json;
    if (json_is_array(error))
        error = json_array_get(error, 0);
    (void)err_set(err, json != NULL ? EX_DATAERR : EX_UNAVAILABLE, "%s: %s", t->where,
                  json_string_value(error) != NULL ? json_string_value(error)
                                                   : "no answer of HostBill");
    json_decref(json);
    return NULL;
}

/* One call; NULL with *err. */
static json_t *call(const struct bill_target *t, const struct bill_form *f, struct err *err)
{
    struct bill_http http = {.url = t->where, .fields = f->fields, .field_count = f->count};
    json_t *json = NULL;
    struct buf answer;
    int status;

    buf_init(&answer, ANSWER_BYTES);
    status = bill_http_post(&http, &answer, err);
    if (status == 200)
        json = parse(t, buf_slice(&answer), err);
    else if (status > 0)
        (void)err_set(err, status >= 500 ? EX_UNAVAILABLE : EX_DATAERR, "%s: HTTP status %d",
                      t->where, status);
    buf_fini(&answer);
    return json;
}

static int form_init(struct bill_form *f, const struct bill_target *t, const char *name,
                     const struct bill_item *item, struct err *err)
{
    struct slice key = t->secret, id, account = bill_target_id(t, item->account, err);

    f->count = 0;
    if (account.ptr == NULL)
        return -1;
    if (!slice_word(&key, " \t", &id) || slice_trim(key).len == 0)
        return err_set(err, EX_CONFIG,
                       "billing.secrets_file: write a line such as: hostbill API-ID API-KEY");
    form_add(f, "api_id", id);
    form_add(f, "api_key", slice_trim(key));
    form_add(f, "call", slice_str(name));
    form_add(f, "account_id", account);
    return 0;
}

int bill_target_hostbill_add(const struct bill_target *t, const struct bill_item *item,
                             struct err *err)
{
    struct bill_form f;
    json_t *json;

    if (item->amount < 0)
        return err_set(err, EX_DATAERR,
                       "%.*s is a credit, which HostBill cannot add: enter it there",
                       SLICE_FMT(item->id));
    if (form_init(&f, t, "meteredAddUsage", item, err) != 0)
        return -1;
    form_add(&f, "variable", slice_str(item->field));
    form_add(&f, "qty", item->value);
    form_add(&f, "output", item->id);
    json = call(t, &f, err);
    form_fini(&f);
    json_decref(json);
    return json != NULL ? 0 : -1;
}

static bool has_output(const json_t *variables, struct slice id)
{
    const char *name;
    const json_t *variable, *value;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)variables, name, variable)
    {
        json_array_foreach(json_object_get(variable, "values"), i, value)
        {
            const char *output = json_string_value(json_object_get(value, "output"));

            if (output != NULL && slice_equal(slice_trim(slice_str(output)), id))
                return true;
        }
    }
    return false;
}

int bill_target_hostbill_ask(const struct bill_target *t, const struct bill_item *item, bool *has,
                             struct err *err)
{
    struct bill_form f;
    json_t *json;

    if (form_init(&f, t, "meteredGetUsage", item, err) != 0)
        return -1;
    json = call(t, &f, err);
    form_fini(&f);
    *has = json != NULL && has_output(json_object_get(json, "variables"), item->id);
    json_decref(json);
    return json != NULL ? 0 : -1;
}
