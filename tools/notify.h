/* The service manager's side channel, sd_notify(3) without libsystemd: datagrams to $NOTIFY_SOCKET. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "READY=1", "STOPPING=1", "STATUS=...", "WATCHDOG=1". Nothing where nobody listens. */
void notify_send(const char *state);
/* How often the service manager wants to hear WATCHDOG=1, half of it; -1: not at all. */
int64_t notify_watchdog_ms(void);
/* stderr goes to the journal: log lines should carry their level. */
bool notify_is_journal(void);
