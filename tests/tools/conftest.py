"""What tests of single verbs share: the program in a home of its own, where nothing of the machine is found."""

import json
import os
import subprocess

import pytest

SITEFS = os.environ.get('SITEFS_BIN', 'sitefs')


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f'exit {self.code}\n{self.out}{self.err}'


class Home:
    """A fresh user: configuration, state and runtime folders below one temporary folder."""

    def __init__(self, path):
        self.path = path
        self.env = {
            'HOME': str(path),
            'PATH': os.environ.get('PATH', ''),
            'XDG_CONFIG_HOME': str(path / 'config'),
            'XDG_STATE_HOME': str(path / 'state'),
            'XDG_DATA_HOME': str(path / 'data'),
            'XDG_RUNTIME_DIR': str(path / 'run'),
            # what sanitised builds listen to
            **{key: value for key, value in os.environ.items() if key.endswith('SAN_OPTIONS')},
        }
        (path / 'run').mkdir(mode=0o700)

    def sitefs(self, *args, env=None, **kwargs):
        kwargs.setdefault('cwd', self.path)
        kwargs.setdefault('timeout', 60)
        return Result(subprocess.run([SITEFS, *map(str, args)], env={**self.env, **(env or {})}, text=True,
                                     capture_output=True, stdin=subprocess.DEVNULL, **kwargs))

    def ok(self, *args, **kwargs):
        result = self.sitefs(*args, **kwargs)
        assert result.code == 0, result
        return result


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)
