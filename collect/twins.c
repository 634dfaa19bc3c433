#include "collect/twins.h"

#include "lib/core/hash.h"

static uint64_t number_add(uint64_t sum, int64_t number)
{
    return hash_add(sum, (struct slice){(const char *)&number, sizeof number});
}

static uint64_t hash_of(const struct log_line *line)
{
    uint64_t sum = hash_add(HASH_BEGIN, line->host);

    sum = hash_add(number_add(sum, line->pid), line->tag);
    sum = hash_add(number_add(sum, line->time_ms / 1000), line->text);
    return sum != 0 ? sum : 1;
}

bool twins_find(struct twins *t, const struct log_line *line, unsigned *source)
{
    uint64_t hash = hash_of(line);
    struct twins_seen *place = &t->seen[hash % TWINS_PLACES];

    if (place->hash == hash && place->source != line->source) {
        *source = place->source;
        return true;
    }
    *place = (struct twins_seen){hash, line->source};
    return false;
}
