/* Prints the OpenAPI file of /api/v1, which is installed. */
#include <jansson.h>
#include <stdio.h>

#include "web/api_document.h"

int main(void)
{
    json_t *document = api_document_make();
    int result =
        document != NULL ? json_dumpf(document, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : -1;

    json_decref(document);
    return result == 0 && putchar('\n') != EOF && fclose(stdout) == 0 ? 0 : 1;
}
