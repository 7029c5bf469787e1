"""The manual page knows every verb, every option and every key that the program knows, and no others."""

import pathlib
import re

import pytest

from test_help import VERBS, run

MANUAL = (pathlib.Path(__file__).parents[2] / 'tools/sitefs.1.scd').read_text(encoding='utf-8')


def section(name):
    return MANUAL.partition(f'\n# {name}\n')[2].partition('\n# ')[0]


def test_keys(home):
    home.ok('init', 'p')
    keys = {key for key in home.ok('config', 'show', '--json', '--config', 'p').json['keys']
            if not key.startswith('site.')}
    told = {key for line in section('CONFIGURATION').split('\n') if line.startswith('*')
            for key in re.findall(r'\*([^*]+)\*', line)}
    assert told == keys


def test_verbs():
    told = {verb for line in section('VERBS').split('\n') if line.startswith('*')
            for verb in re.findall(r'(?:^|; )\*([a-z-]+)\*', line)}
    assert told == set(VERBS)


@pytest.mark.parametrize('verb', VERBS)
def test_options(verb):
    text = run(verb, '--help')[1]
    for option in re.findall(r'^  (?:-\w, )?(--[a-z-]+)', text, re.MULTILINE):
        assert f'*{option}' in MANUAL or f'{option}*' in MANUAL, f'{verb} {option} is not in the manual'


def test_exit_codes():
    told = set(map(int, re.findall(r'\*(\d+)\*', section('EXIT STATUS'))))
    assert told == {*range(11), 130, 143}
