/* Apart from the handlers, for the description of the API. */
#include "web/api_change.h"

const char *const api_change_reason[] = {"reason", NULL};
const char *const api_change_limit[] = {"limit", NULL};
const char *const api_change_limit_reason[] = {"limit", "reason", NULL};
const char *const api_change_id[] = {"id", NULL};
const char *const api_change_domain[] = {"domain", NULL};
const char *const api_change_domain_reason[] = {"domain", "reason", NULL};
