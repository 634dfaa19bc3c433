#ifndef TG_WEB_API_SCHEMA_H
#define TG_WEB_API_SCHEMA_H

#include "lib/core/contract.h"

/*
 * What the answers of /api/v1 look like, as JSON Schema (2020-12) for the OpenAPI file: those of
 * reports and totals follow from the tables of reports and counters, t/web/api.t holds the others
 * to what is answered.  Owner: the caller (json_decref).  Pure.
 */

struct json_t; /* of jansson */

/* All schemas by name: "Report.smtp" ..., "Reports", "Totals", "Domains", "Violations", "Nodes",
 * "Problem". */
struct json_t *api_schema_all(void) TG_MUST_USE;
/* {"$ref": ...} to one; of "Report" a choice of all reports. */
struct json_t *api_schema_ref(const char *name) TG_MUST_USE TG_NONNULL(1);

#endif
