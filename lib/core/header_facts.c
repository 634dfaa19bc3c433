#include "lib/core/header_facts.h"

static const struct slice address_fields[HEADER_ADDRESSES] = {
    [HEADER_DELIVERED_TO] = {"Delivered-To", 12},
    [HEADER_ORIGINAL_TO] = {"X-Original-To", 13},
    [HEADER_RESENT_FROM] = {"Resent-From", 11},
    [HEADER_FROM] = {"From", 4},
};

/* Strongest last, so that the index serves as strength. */
static const struct slice rank_fields[] = {
    {"", 0}, {"X-MSMail-Priority", 17}, {"Priority", 8}, {"Importance", 10}, {"X-Priority", 10},
};
#define RANK_FIELDS (sizeof rank_fields / sizeof rank_fields[0])

static int address_take(struct header_facts *h, enum header_address which, struct arena *arena,
                        struct slice value)
{
    if (h->has[which])
        return 0;
    h->has[which] = true;
    return address_parse_header(value, arena, &h->address[which]);
}

static struct slice first_word(struct slice value)
{
    struct slice word = SLICE_NONE;

    (void)slice_word(&value, " \t\r\n(;,", &word);
    return word;
}

static bool word_is(struct slice word, const char *text)
{
    return slice_equal_nocase(word, slice_str(text));
}

/* X-Priority: 1 (Highest) to 5 (Lowest). */
static bool rank_number(struct slice word, enum priority *rank)
{
    uint64_t n;

    if (!slice_number(word, &n) || n < 1 || n > 5)
        return false;
    *rank = n < 3 ? PRIORITY_HIGH : n == 3 ? PRIORITY_NORMAL : PRIORITY_LOW;
    return true;
}

static bool rank_word(struct slice word, enum priority *rank)
{
    if (word_is(word, "high") || word_is(word, "urgent"))
        *rank = PRIORITY_HIGH;
    else if (word_is(word, "normal"))
        *rank = PRIORITY_NORMAL;
    else if (word_is(word, "low") || word_is(word, "non-urgent"))
        *rank = PRIORITY_LOW;
    else
        return false;
    return true;
}

static void rank_take(struct header_facts *h, uint8_t source, struct slice value)
{
    enum priority rank;
    bool known = source == RANK_FIELDS - 1 ? rank_number(first_word(value), &rank)
                                           : rank_word(first_word(value), &rank);

    if (!known || source <= h->rank_source)
        return;
    h->rank = rank;
    h->rank_source = source;
}

static bool is_bulk(struct slice name, struct slice value)
{
    struct slice word;

    if (word_is(name, "List-Id"))
        return true;
    if (!word_is(name, "Precedence"))
        return false;
    word = first_word(value);
    return word_is(word, "bulk") || word_is(word, "list") || word_is(word, "junk");
}

/* The configured value, and nothing or the end of a word behind it: `Yes` takes `Yes, score=7.1`,
 * not `Yesterday`. */
static bool is_spam(const struct hosted *w, struct slice name, struct slice value)
{
    char after;

    if (w->spam_header.len == 0 || !slice_equal_nocase(name, w->spam_header))
        return false;
    value = slice_trim(value);
    if (!slice_starts_nocase(value, w->spam_value))
        return false;
    if (w->spam_value.len == 0 || value.len == w->spam_value.len)
        return true;
    after = slice_ascii_lower(value.ptr[w->spam_value.len]);
    return !((after >= 'a' && after <= 'z') || (after >= '0' && after <= '9'));
}

int header_facts_add(struct header_facts *h, const struct hosted *w, struct arena *arena,
                     struct slice name, struct slice value)
{
    name = slice_trim(name);
    h->bulk = h->bulk || is_bulk(name, value);
    h->spam = h->spam || is_spam(w, name, value);
    for (uint8_t i = 1; i < RANK_FIELDS; i++) {
        if (slice_equal_nocase(name, rank_fields[i]))
            rank_take(h, i, value);
    }
    for (int i = 0; i < HEADER_ADDRESSES; i++) {
        if (slice_equal_nocase(name, address_fields[i]))
            return address_take(h, (enum header_address)i, arena, value);
    }
    return 0;
}

enum priority header_facts_priority(const struct header_facts *h)
{
    return h->bulk ? PRIORITY_BULK : h->rank;
}

const char *header_facts_priority_name(enum priority p)
{
    static const char *const names[] = {"normal", "high", "low", "bulk"};

    return names[p];
}
