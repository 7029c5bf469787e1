/*
 * The guardian of a mount that lies over the root itself: a process that outlives the daemon and, should that die without
 * having unmounted, takes the dead mount away. What lies below is the root as it is, so whoever works there goes on with
 * what is on the disk. Elsewhere a dead mount stays until it is mounted again: below it is a bare folder, and nobody
 * should publish into that.
 *
 *     daemon ── a pipe that nobody writes to ──► guardian: its end is the daemon's
 */
#pragma once

/* Forks: before any thread, and before the mount. MOUNTPOINT is absolute, without symlinks. The descriptor that the daemon
 * keeps for as long as it lives, or a negative errno. */
int guardian_start(const char *mountpoint);
