/* The sitefs command. Everything is in tools/cli.c and one tools/verb_NAME.c per verb. */
#include <signal.h>
#include <stdio.h>

#include "tools/cli.h"

int main(int argc, char **argv)
{
	int code;

	/* a reader that left (| head) is no reason to die in the middle of something */
	signal(SIGPIPE, SIG_IGN);
	code = cli_main(argc, argv);
	if (fflush(stdout) != 0 && code == EXIT_DONE)
		code = EXIT_FAILED;
	return code;
}
