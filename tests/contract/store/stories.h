/* Stories of the store's contract, for main.c to run. Include after cmocka.h. */
#pragma once

#include <stddef.h>

/* Those that every store has to pass. */
extern const struct CMUnitTest store_stories[];
extern const size_t n_store_stories;
extern const struct CMUnitTest edit_stories[];
extern const size_t n_edit_stories;
extern const struct CMUnitTest search_stories[];
extern const size_t n_search_stories;
extern const struct CMUnitTest truth_stories[];
extern const size_t n_truth_stories;
extern const struct CMUnitTest holding_stories[];
extern const size_t n_holding_stories;
/* Those of the embedded store: its file, its locks, its neighbours. */
extern const struct CMUnitTest sqlite_stories[];
extern const size_t n_sqlite_stories;
extern const struct CMUnitTest mongo_stories[];
extern const size_t n_mongo_stories;
