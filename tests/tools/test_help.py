"""The manners of --help and of usage errors, for every verb that `sitefs --help` lists."""

import re
import subprocess

import pytest

from conftest import SITEFS


def run(*args):
    done = subprocess.run([SITEFS, *args], text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode, done.stdout, done.stderr


def verbs():
    listing = run('--help')[1].partition('Verbs')[2].partition('\n\n')[0]
    return re.findall(r'^  ([a-z][a-z-]*)', listing, re.MULTILINE)


VERBS = verbs()


def check_help(code, out, err):
    assert code == 0
    assert err == ''
    assert out.startswith('Usage: sitefs ')
    assert out.endswith('\n') and not out.endswith('\n\n')
    for line in out.split('\n'):
        assert len(line) <= 80, line
        assert line == line.rstrip(), repr(line)
        assert '\t' not in line


def test_verbs_are_listed():
    assert 'version' in VERBS
    assert len(VERBS) == len(set(VERBS))


@pytest.mark.parametrize('option', ['--help', '-h'])
def test_help(option):
    check_help(*run(option))


@pytest.mark.parametrize('verb', VERBS)
def test_help_of_a_verb(verb):
    check_help(*run(verb, '--help'))
    assert run(verb, '--help') == run(verb, '-h') == run('--json', verb, 'x', '--help')
    assert run(verb, '--help')[1].startswith(f'Usage: sitefs {verb}')


def check_usage_error(code, out, err):
    assert code == 2
    assert out == ''
    assert err.startswith('sitefs') and err.endswith('\n') and err.count('\n') == 1


@pytest.mark.parametrize('verb', VERBS)
def test_wrong_option_of_a_verb(verb):
    code, out, err = run(verb, '--no-such-option')
    check_usage_error(code, out, err)
    assert f'sitefs {verb} --help' in err and '--no-such-option' in err
    check_usage_error(*run(verb, '-Z'))


@pytest.mark.parametrize('args', [(), ('--no-such-option',), ('no-such-verb',), ('--config',), ('-v',)])
def test_no_verb(args):
    check_usage_error(*run(*args))


def test_version():
    assert re.fullmatch(r'sitefs \d+\.\d+\.\d+\n', run('version')[1])
    assert run('--version') == run('version')
