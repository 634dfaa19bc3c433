/* What the header says: addresses, priority, bulk, spam. */
#include "t/tap.h"

#include <stdlib.h>

#include "lib/core/header_facts.h"

static struct hosted *w;
static struct arena arena;

/* Fields as "Name: value", ended by NULL. */
static struct header_facts facts_of(const char *const *fields)
{
    struct header_facts h = {.bulk = false};

    for (; *fields != NULL; fields++) {
        struct slice value = slice_str(*fields), name;

        (void)slice_cut(&value, ':', &name);
        if (header_facts_add(&h, w, &arena, name, value) != 0)
            OK(false, "out of memory");
    }
    return h;
}

static const struct priority_case {
    const char *fields[4];
    enum priority want;
} priorities[] = {
    {{NULL}, PRIORITY_NORMAL},
    {{"X-Priority: 1"}, PRIORITY_HIGH},
    {{"X-Priority: 2 (High)"}, PRIORITY_HIGH},
    {{"X-Priority: 3"}, PRIORITY_NORMAL},
    {{"X-Priority:4"}, PRIORITY_LOW},
    {{"x-priority:\n\t5 (Lowest)"}, PRIORITY_LOW},
    {{"X-Priority: 0"}, PRIORITY_NORMAL},
    {{"X-Priority: 6"}, PRIORITY_NORMAL},
    {{"X-Priority: high"}, PRIORITY_NORMAL},
    {{"X-Priority: 1(Highest)"}, PRIORITY_HIGH},
    {{"Importance: High"}, PRIORITY_HIGH},
    {{"Importance: low"}, PRIORITY_LOW},
    {{"Importance: normal"}, PRIORITY_NORMAL},
    {{"Priority: urgent"}, PRIORITY_HIGH},
    {{"Priority: non-urgent"}, PRIORITY_LOW},
    {{"Priority: normal"}, PRIORITY_NORMAL},
    {{"X-MSMail-Priority: High"}, PRIORITY_HIGH},
    {{"X-MSMail-Priority: Low"}, PRIORITY_LOW},
    {{"Precedence: bulk"}, PRIORITY_BULK},
    {{"Precedence: LIST"}, PRIORITY_BULK},
    {{"Precedence: junk"}, PRIORITY_BULK},
    {{"Precedence: first-class"}, PRIORITY_NORMAL},
    {{"Precedence: bulky"}, PRIORITY_NORMAL},
    {{"List-Id: <l.example.com>"}, PRIORITY_BULK},
    {{"List-Id:"}, PRIORITY_BULK},
    /* the stronger field wins, wherever it stands; of the same, the topmost; what is not understood
       does not count */
    {{"Importance: low", "X-Priority: 1"}, PRIORITY_HIGH},
    {{"X-Priority: 1", "Importance: low"}, PRIORITY_HIGH},
    {{"X-Priority: 3", "Importance: low"}, PRIORITY_NORMAL},
    {{"Priority: urgent", "Importance: low"}, PRIORITY_LOW},
    {{"X-MSMail-Priority: High", "Priority: non-urgent"}, PRIORITY_LOW},
    {{"X-Priority: 5", "X-Priority: 1"}, PRIORITY_LOW},
    {{"X-Priority: none", "X-Priority: 1"}, PRIORITY_HIGH},
    {{"X-Priority: none", "Importance: low"}, PRIORITY_LOW},
    {{"X-Priority: 1", "Precedence: bulk"}, PRIORITY_BULK},
    {{"List-Id: x", "X-Priority: 1"}, PRIORITY_BULK},
};

static void test_priority(const struct priority_case *c)
{
    struct header_facts h = facts_of(c->fields);

    IS_STR(header_facts_priority_name(header_facts_priority(&h)),
           header_facts_priority_name(c->want),
           c->fields[0] == NULL ? "no header at all" : c->fields[0]);
}

static const struct spam_case {
    const char *setting, *field;
    bool spam;
} spams[] = {
    {"X-Spam-Flag: YES", "X-Spam-Flag: YES", true},
    {"X-Spam-Flag: YES", "x-spam-flag:yes", true},
    {"X-Spam-Flag: YES", "X-Spam-Flag: NO", false},
    {"X-Spam-Flag: YES", "X-Spam-Flag:", false},
    {"X-Spam-Flag: YES", "X-Spam-Status: YES", false},
    {"X-Spam-Status: Yes", "X-Spam-Status: Yes, score=7.1", true},
    {"X-Spam-Status: Yes", "X-Spam-Status: Yesterday", false},
    {"X-Spam", "X-Spam: anything", true},
    {"", "X-Spam-Flag: YES", false},
    {"", ": YES", false},
};

static void test_spam(const struct spam_case *c)
{
    const char *fields[] = {c->field, NULL};
    struct header_facts h;

    OK(hosted_set_spam_header(w, slice_str(c->setting), NULL) == 0, c->setting);
    h = facts_of(fields);
    OK(h.spam == c->spam, c->field);
}

static void test_addresses(void)
{
    static const char *const fields[] = {
        "Delivered-To: First@example.com",   "From: Cron <root@example.org>",
        "Delivered-To: second@example.com",  "X-Original-To: no address here",
        "X-Original-To: late@example.com",   "From: x@example.com",
        "resent-from:Bob <bob@example.net>", NULL};
    struct header_facts h = facts_of(fields);

    IS_SLICE(h.address[HEADER_DELIVERED_TO].local, SLICE("First"), "the topmost Delivered-To");
    IS_SLICE(h.address[HEADER_FROM].local, SLICE("root"), "the topmost From");
    OK(h.has[HEADER_ORIGINAL_TO] && address_is_null(&h.address[HEADER_ORIGINAL_TO]),
       "the topmost has no address");
    IS_SLICE(h.address[HEADER_RESENT_FROM].domain, SLICE("example.net"),
             "Resent-From, name folded");
}

static void test_bounds(void)
{
    static char value[1 << 20];
    struct header_facts h = {.bulk = false};
    struct arena small;
    size_t used = arena.used_bytes;
    bool good = true;

    memset(value, 'x', sizeof value);
    for (int i = 0; i < 100000; i++)
        good = good &&
               header_facts_add(&h, w, &arena, SLICE("Delivered-To"), SLICE(" a@example.com")) == 0;
    good = good &&
           header_facts_add(&h, w, &arena, SLICE("From"), (struct slice){value, sizeof value}) == 0;
    OK(good && arena.used_bytes - used < 1000,
       "100,000 fields and a megabyte of one take no memory to speak of");
    arena_init(&small, 16);
    h = (struct header_facts){.bulk = false};
    OK(header_facts_add(&h, w, &small, SLICE("From"), SLICE(" somebody@somewhere.example")) == -1,
       "no room is an error");
    OK(header_facts_add(&h, w, &small, SLICE("Subject"), SLICE(" anything")) == 0,
       "other fields need none");
    arena_fini(&small);
}

int main(void)
{
    w = hosted_new(1 << 20);
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof priorities / sizeof priorities[0]; i++)
        test_priority(&priorities[i]);
    for (size_t i = 0; i < sizeof spams / sizeof spams[0]; i++)
        test_spam(&spams[i]);
    test_addresses();
    test_bounds();
    arena_fini(&arena);
    hosted_free(w);
    return tap_done();
}
