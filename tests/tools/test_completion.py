"""The bash completion, as bash runs it."""

import os
import subprocess

import pytest

from test_help import VERBS, run

COMPLETION = os.environ.get('SITEFS_COMPLETION', '')
SCRIPT = '''
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sitefs
printf '%s\\n' "${COMPREPLY[@]}"
'''


def complete(*words, cwd=None):
    done = subprocess.run(['bash', '--norc', '-c', SCRIPT, 'bash', COMPLETION, *words], text=True, capture_output=True,
                          cwd=cwd, check=True)
    assert done.stderr == ''
    return [word for word in done.stdout.split('\n') if word]


def test_verbs():
    assert sorted(complete('sitefs', '')) == sorted(VERBS)
    assert complete('sitefs', 'umo') == ['umount']
    assert complete('sitefs', '--json', '--state', 'x', 'umo') == ['umount']


@pytest.mark.parametrize('verb', VERBS)
def test_every_option_of_a_verb(verb):
    text = run(verb, '--help')[1]
    told = {word.rstrip(',') for line in text.split('\n') if line.startswith('  -') for word in line.split()
            if word.startswith('-')}
    assert told | {'--help'} == set(complete('sitefs', verb, '-'))


def test_values(tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'file').touch()
    assert complete('sitefs', '--config', 'f', cwd=tmp_path) == ['folder']
    assert sorted(complete('sitefs', 'info', 'f', cwd=tmp_path)) == ['file', 'folder']
    assert complete('sitefs', 'ls', '--frames', '', cwd=tmp_path) == []
