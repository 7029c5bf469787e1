/* Folders that are being renamed. */
#include "fs/moves.h"

void moves_init(struct moves *moves)
{
	*moves = (struct moves){ 0 };
	mutex_init(&moves->lock);
	cond_init(&moves->ended);
}

void moves_done(struct moves *moves)
{
	cond_done(&moves->ended);
	mutex_done(&moves->lock);
}

uint64_t moves_mark(struct moves *moves)
{
	uint64_t mark;

	mutex_lock(&moves->lock);
	while (moves->n_ended != moves->n_begun)
		cond_wait(&moves->ended, &moves->lock);
	mark = moves->n_begun;
	mutex_unlock(&moves->lock);
	return mark;
}

bool moves_is_same(struct moves *moves, uint64_t mark)
{
	bool is_same;

	mutex_lock(&moves->lock);
	is_same = moves->n_begun == mark;
	mutex_unlock(&moves->lock);
	return is_same;
}

void moves_begin(struct moves *moves)
{
	mutex_lock(&moves->lock);
	moves->n_begun++;
	mutex_unlock(&moves->lock);
}

void moves_end(struct moves *moves)
{
	mutex_lock(&moves->lock);
	moves->n_ended++;
	cond_broadcast(&moves->ended);
	mutex_unlock(&moves->lock);
}
