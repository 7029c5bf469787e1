/* Scope guards, ownership hand-over and the attributes used all over the tree. */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

/* Evaluates to the pointer (or handle struct) and leaves NULL behind: hands over. */
#define steal(p)                             \
	({                                   \
		__typeof__(p) _stolen = (p); \
		(p) = NULL;                  \
		_stolen;                     \
	})

/* The same for a file descriptor. */
#define steal_fd(fd)                \
	({                          \
		int _stolen = (fd); \
		(fd) = -1;          \
		_stolen;            \
	})

/* Defines FUNCp(TYPE *), a guard that ends a TYPE (a pointer type) with FUNC if not NULL. */
#define DEFINE_CLEANUP(type, func)                   \
	_unused_ static inline void func##p(type *p) \
	{                                            \
		if (*p)                              \
			func(*p);                    \
	}                                            \
	struct cleanup_defined

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of TYPE whose MEMBER lies at P. */
#define container_of(p, type, member)                                       \
	({                                                                  \
		__typeof__(((type *)0)->member) *_member = (p);             \
		(type *)(void *)((char *)_member - offsetof(type, member)); \
	})

_unused_ static inline void freep(void *p)
{
	free(*(void **)p);
}

_unused_ static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

_unused_ static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}
