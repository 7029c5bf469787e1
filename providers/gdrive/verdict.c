/* What an answer of Drive means to the port. */
#include "providers/gdrive/verdict.h"

#include "sync/provider.h"

/* Decided by the reason first, since one status has many. */
static const struct {
	const char *reason;
	enum verdict verdict;
} reasons[] = {
	{ "rateLimitExceeded", VERDICT_RATE },
	{ "userRateLimitExceeded", VERDICT_RATE },
	{ "sharingRateLimitExceeded", VERDICT_RATE },
	{ "backendError", VERDICT_SERVER },
	{ "internalError", VERDICT_SERVER },
	{ "authError", VERDICT_LOGIN },
	{ "notFound", VERDICT_GONE },
	{ "fileIdInUse", VERDICT_TAKEN },
	{ "dailyLimitExceeded", VERDICT_FULL },
	{ "quotaExceeded", VERDICT_FULL },
	{ "storageQuotaExceeded", VERDICT_FULL },
	{ "teamDriveFileLimitExceeded", VERDICT_FULL },
	{ "activeItemCreationLimitExceeded", VERDICT_FULL },
	{ "numChildrenInNonRootLimitExceeded", VERDICT_REFUSED },
	{ "teamDriveHierarchyTooDeep", VERDICT_REFUSED },
	{ "myDriveHierarchyDepthLimitExceeded", VERDICT_REFUSED },
	{ "downloadQuotaExceeded", VERDICT_HELD },
	{ "cannotDownloadAbusiveFile", VERDICT_REFUSED },
	{ "fileNotDownloadable", VERDICT_REFUSED },
	{ "cannotDownloadFile", VERDICT_REFUSED },
	{ "requestedRangeNotSatisfiable", VERDICT_RANGE },
};

enum verdict verdict_of(int status, const struct wire_error *error)
{
	if ((status >= 200 && status < 300) || status == 308)
		return VERDICT_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (wire_error_is(error, reasons[i].reason))
			return reasons[i].verdict;
	}
	switch (status) {
	case 401:
		return VERDICT_LOGIN;
	case 403:
		return VERDICT_DENIED;
	case 404:
	case 410:
		return VERDICT_GONE;
	case 409:
		return VERDICT_TAKEN;
	case 416:
		return VERDICT_RANGE;
	case 429:
		return VERDICT_RATE;
	default:
		return status >= 500 || status == 408 ? VERDICT_SERVER : VERDICT_REFUSED;
	}
}

int verdict_outcome(enum verdict verdict, bool is_writing)
{
	switch (verdict) {
	case VERDICT_NONE:
		return 0;
	case VERDICT_LOGIN:
		return PROVIDER_UNAUTHORIZED;
	case VERDICT_RATE:
	case VERDICT_SERVER:
	case VERDICT_HELD:
		return PROVIDER_BUSY;
	case VERDICT_GONE:
		return PROVIDER_GONE;
	case VERDICT_TAKEN:
		return PROVIDER_EXISTS;
	case VERDICT_FULL:
		return PROVIDER_FULL;
	case VERDICT_DENIED:
		return is_writing ? PROVIDER_DENIED : PROVIDER_REFUSED;
	case VERDICT_RANGE:
		return PROVIDER_TORN;
	case VERDICT_REFUSED:
		return PROVIDER_REFUSED;
	}
	return PROVIDER_REFUSED;
}
