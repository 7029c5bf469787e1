/*
 * Prints the completion for bash, made from the table of verbs at build time, so that neither can lag behind the
 * other. Only words and local paths are completed: nothing asks a daemon, the store or the network.
 */
#include <stdio.h>
#include <string.h>

#include "tools/help.h"
#include "tools/verbs.h"

/* What a value is, by what --help calls it. */
static const char *values_of(const char *value)
{
	if (!strcmp(value, "DIR") || !strcmp(value, "FOLDER"))
		return "compgen -d";
	if (!strcmp(value, "FILE") || !strcmp(value, "PATH"))
		return "compgen -f";
	return ":";
}

static void print_words(const struct cli_option *options)
{
	for (; options && options->name; options++) {
		printf(" --%s", options->name);
		if (options->letter)
			printf(" -%c", options->letter);
	}
}

/* "verb:--option) how to complete its value". VERB "*": any. */
static void print_values(const char *verb, const struct cli_option *options)
{
	for (; options && options->name; options++) {
		if (!options->value)
			continue;
		printf("\t%s:--%s", verb, options->name);
		if (options->letter)
			printf("|%s:-%c", verb, options->letter);
		printf(")\n\t\tCOMPREPLY=($(%s -- \"$word\"))\n\t\treturn\n\t\t;;\n",
		       values_of(options->value));
	}
}

int main(void)
{
	printf("# bash completion for sitefs; generated from its table of verbs.\n"
	       "_sitefs()\n{\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal verb='' options='' i\n"
	       "\tCOMPREPLY=()\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n"
	       "\t\t--config|--state|--store) ((i++)) ;;\n"
	       "\t\t-*) ;;\n"
	       "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
	       "\t\tesac\n"
	       "\tdone\n"
	       "\tcase $verb in\n"
	       "\t'') options='");
	for (size_t i = 0; verbs[i]; i++)
		printf("%s%s", i ? " " : "", verbs[i]->name);
	printf("' ;;\n");
	for (size_t i = 0; verbs[i]; i++) {
		if (!verbs[i]->options)
			continue;
		printf("\t%s) options='", verbs[i]->name);
		print_words(verbs[i]->options);
		printf("' ;;\n");
	}
	printf("\tesac\n\tcase $verb:$before in\n");
	for (size_t i = 0; verbs[i]; i++)
		print_values(verbs[i]->name, verbs[i]->options);
	print_values("*", cli_global_options);
	printf("\tesac\n"
	       "\tif [[ $word == -* ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$options --help");
	print_words(cli_global_options);
	printf("\" -- \"$word\"))\n"
	       "\telif [[ -z $verb ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
	       "\telif [[ $verb == config ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W 'check show explain' -- \"$word\"))\n"
	       "\telse\n"
	       "\t\tlocal IFS=$'\\n'\n"
	       "\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n"
	       "\tfi\n"
	       "}\n"
	       "complete -o filenames -F _sitefs sitefs\n");
	return 0;
}
