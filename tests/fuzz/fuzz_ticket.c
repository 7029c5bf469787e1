/* Fuzz target: tickets of uploads to Drive. What is taken is written again as it was. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "providers/gdrive/ticket.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size + 1), *again = NULL;
	struct ticket ticket, second;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (ticket_parse(text, &ticket) < 0)
		return 0;
	assert(ticket.id && ticket.size >= 0);
	again = ticket_format(&ticket);
	assert(again && ticket_parse(again, &second) == 0);
	assert(strcmp(second.id, ticket.id) == 0);
	assert(memcmp(second.state, ticket.state, sizeof(ticket.state)) == 0);
	ticket_done(&ticket);
	ticket_done(&second);
	return 0;
}
