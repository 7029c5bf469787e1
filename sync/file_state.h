/* The words of a file's state (INTERFACE "Commands"). */
#pragma once

enum file_state {
	FILE_LOCAL = 1,
	FILE_REMOTE,
	FILE_PARTIAL,
	FILE_DOWNLOADING,
	FILE_UPLOADING,
	FILE_QUEUED,
	FILE_FAILED,
	FILE_PAUSED,
	FILE_AWAITED,
	FILE_MODIFIED,
	FILE_HIDDEN,
	FILE_N_STATES,
};

const char *file_state_name(enum file_state state);
