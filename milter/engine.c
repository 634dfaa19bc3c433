#include "milter/engine.h"

#include <string.h>

const struct engine *engine_find(const struct settings *settings)
{
    return strcmp(settings->milter.engine, engine_native.name) == 0 ? &engine_native
                                                                    : &engine_libmilter;
}
