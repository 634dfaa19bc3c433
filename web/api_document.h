#ifndef TG_WEB_API_DOCUMENT_H
#define TG_WEB_API_DOCUMENT_H

#include "lib/core/contract.h"

/*
 * The OpenAPI 3.1 description of /api/v1: made of the table of operations here, the parameters that
 * the handlers themselves take, and the schemas of the answers. To add an operation: its line in
 * api_document.c, a schema in api_schema.c, and the route; t/web/api.t fails until they agree.
 *
 * Owner: the caller (json_decref).  Pure.
 */

struct json_t; /* of jansson */

/* NULL: out of memory. */
struct json_t *api_document_make(void) TG_MUST_USE;

#endif
