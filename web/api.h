#ifndef TG_WEB_API_H
#define TG_WEB_API_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* What programs ask. */

/* /api/v1/reports/NAME: the report as JSON, the same as `tollgate report --format json`. */
int api_report(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* /healthz: the process answers. */
int api_health(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* /readyz: and the store too, with the schema that it should have. EX_UNAVAILABLE. */
int api_ready(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
