#ifndef TG_STORE_LEDGER_H
#define TG_STORE_LEDGER_H

#include "lib/store/accountant.h"

#endif
