/* What the files of following the remote share. */
#pragma once

#include "sync/engine_private.h"
#include "sync/survey.h"

struct suspect {
	int root;
	char *rel;
	int64_t due_ms; /* monotonic */
	int n_doubts;   /* looks that the store did not confirm, in a row */
	/* what the feed says of it */
	enum provider_fate fate;
	char *by;
	int64_t when_ms;
};

struct change {
	char *id, *path;
	int root; /* -1: not known */
	bool is_folder, has_object;
	struct provider_object object;
	struct provider_trace trace;
};

struct found {
	int root;
	char *rel, *project, *key;
	struct index_object object;
	bool is_learnt;
	struct truth
		signature; /* then: the files of which the record is, as they were when the remote was asked */
	bool is_news, has_twins;
};

/* What a job is to do, and what came of it. */
struct errand {
	struct engine *engine;
	struct provider_call *call;
	char *token;              /* to ask after; NULL: none yet */
	bool is_ask;              /* of the feed */
	int root;                 /* of the folder */
	char *folder;             /* to compare; NULL: the suspects */
	bool is_part_of_all;      /* of comparing everything */
	struct suspect *suspects; /* to look at */
	size_t n_suspects;
	struct change *changes;
	size_t n_changes, cap_changes;
	char *next_token;
	struct found *found;
	size_t n_found, cap_found;
};

/* ---- news.c ---- */
/* To be looked at after DELAY_MS. NULL on -ENOMEM. */
struct suspect *news_add(struct engine *engine, int root, const char *rel,
			 int64_t delay_ms);
/* Mail: a job has ended, its errand is the mail's data. */
void news_handle(struct engine *engine, struct mail *mail);

/* ---- news_heed.c ---- */
/* Suspects what CHANGE concerns: files, folders to be compared. */
int news_heed(struct engine *engine, const struct change *change);

/* ---- news_job.c ---- */
/* Takes ERRAND, and hands it to a worker. */
void news_start(struct engine *engine, struct errand *errand);
void news_errand_free(void *data);
/* survey_fn: keeps what is news or teaches a truth record. */
int news_take_finding(void *context, const struct survey_finding *finding);
/* A copy of TEXT (NULL of NULL); without memory *r becomes -ENOMEM. */
char *news_copy(const char *text, int *r);

/* ---- news_found.c ---- */
/* Believes what was found, where the store says so too. */
void news_found(struct engine *engine, const struct errand *errand);
