#include "collect/rules.h"

#include <stdlib.h>
#include <sysexits.h>

static struct slice *list_add(const struct string_list *from, struct slice *at,
                              struct machine_list *out)
{
    *out = (struct machine_list){at, from->count};
    for (size_t i = 0; i < from->count; i++)
        *at++ = slice_str(from->items[i]);
    return at;
}

static int networks_add(struct rules *r, const struct string_list *from, struct err *err)
{
    for (size_t i = 0; i < from->count; i++) {
        if (network_parse(slice_str(from->items[i]), &r->networks[i], err) < 0)
            return -1;
    }
    r->machine.ignore_clients = (struct networks){r->networks, from->count};
    return 0;
}

static struct activity_rules activity_rules(const struct settings *s)
{
    return (struct activity_rules){
        .factor = (uint64_t)s->collect.anomaly_factor,
        .least = {[ACTIVITY_CONNECTIONS] = (uint64_t)s->collect.anomaly_connections,
                  [ACTIVITY_RECIPIENTS] = (uint64_t)s->collect.anomaly_recipients,
                  [ACTIVITY_CLIENTS] = (uint64_t)s->collect.anomaly_clients},
        .learn_ms = s->collect.anomaly_learn_ms};
}

int rules_init(struct rules *r, const struct settings *s, struct err *err)
{
    size_t texts =
        s->collect.names.count + s->collect.internal.count + s->collect.internal_relays.count;
    struct slice *at;

    *r = (struct rules){.machine.activity = activity_rules(s),
                        .machine.spam_service = s->collect.spam_service,
                        .machine.dovecot_proxy = s->collect.dovecot_proxy};
    r->texts = at = calloc(texts + 1, sizeof *r->texts);
    r->networks = calloc(s->collect.ignore_clients.count + 1, sizeof *r->networks);
    if (r->texts == NULL || r->networks == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    at = list_add(&s->collect.names, at, &r->names);
    at = list_add(&s->collect.internal, at, &r->machine.internal);
    (void)list_add(&s->collect.internal_relays, at, &r->machine.internal_relays);
    return networks_add(r, &s->collect.ignore_clients, err);
}

void rules_fini(struct rules *r)
{
    free(r->texts);
    free(r->networks);
    *r = (struct rules){.texts = NULL};
}
