/* The words of a file's state. */
#include "sync/file_state.h"

const char *file_state_name(enum file_state state)
{
	switch (state) {
	case FILE_LOCAL:
		return "local";
	case FILE_REMOTE:
		return "remote";
	case FILE_PARTIAL:
		return "partial";
	case FILE_DOWNLOADING:
		return "downloading";
	case FILE_UPLOADING:
		return "uploading";
	case FILE_QUEUED:
		return "queued";
	case FILE_FAILED:
		return "failed";
	case FILE_PAUSED:
		return "paused";
	case FILE_AWAITED:
		return "awaited";
	case FILE_MODIFIED:
		return "modified";
	case FILE_HIDDEN:
		return "hidden";
	case FILE_N_STATES:
		break;
	}
	return "unknown";
}
