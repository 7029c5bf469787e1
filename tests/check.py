#!/usr/bin/env python3
"""
All checks in all configurations, for tools/check: builds each configuration, runs its meson suites, and sums up
what passed: gates, unit and contract cases, fuzz corpora, mount stories. One line a step, the log's tail where one
fails, and `N passed, N failed` as the last line. Exit 1 where anything failed.

With SITEFS_REQUIRE=1 in the environment (CI) what is skipped because something is missing counts as failed; only the
fixtures of a real studio, which lie outside the project, may be missing. Cases that a kind of store or remote has no
use for ("left out") are not counted.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get('SITEFS_BUILD', 'build'))
IS_STRICT = os.environ.get('SITEFS_REQUIRE', '') not in ('', '0')
JOBS = os.cpu_count() or 2
TAIL = 60  # lines of a failed step's log
ALL = ('style', 'docs', 'unit', 'contract', 'fuzz', 'tools', 'mount')

# Name -> compiler, meson options, suites, and what it is there for.
CONFIGURATIONS = {
    'gcc': ('gcc', [], (*ALL, 'gdrive', 'large'), 'gcc, warnings are errors, every suite'),
    'clang': ('clang-19', [], ('unit', 'fuzz'), 'clang with -Wthread-safety, and clang-tidy'),
    'asan': ('gcc', ['-Db_sanitize=address,undefined'], ALL[2:], 'every suite under ASan, LSan and UBSan'),
    'tsan': ('gcc', ['-Db_sanitize=thread'], ('unit', 'contract', 'mount'), 'what has threads, under TSan'),
}
LEFT_OUT = {'tsan': ['--no-suite', 'orderly']}  # of its suites


# What suites hear of a sanitised build: everything takes longer, so large files are smaller and deadlines later.
SANITISED = {'SITEFS_SANITISED': '1', 'SITEFS_LARGE': str(256 << 20), 'SITEFS_DEADLINE': '180',
             'SITEFS_STORY_DEADLINE': '600'}


class Sum:
    """What passed, failed and was skipped."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        text = f'{self.passed} passed, {self.failed} failed'
        return f'{text}, {self.skipped} skipped' if self.skipped else text


def say(configuration, step, result, seconds):
    print(f'{configuration:6} {step:34} {result:40} {seconds:7.1f} s', flush=True)


def tail(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = [line for line in file.read().rstrip().split('\n') if not re.match(r'\[\d+/\d+\] ', line)]
    first = next((i for i, line in enumerate(lines) if line.startswith('FAILED:')), len(lines) - TAIL)
    for line in lines[max(first, 0):][:TAIL]:
        print('    ' + line)
    print(f'    (all of it: {os.path.relpath(path, ROOT)})', flush=True)


def run_step(configuration, step, command, log, env=None):
    """Runs one command with its output in a log; a Sum of one."""
    started = time.monotonic()
    with open(log, 'w', encoding='utf-8') as file:
        try:
            code = subprocess.run(command, cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, check=False).returncode
        except FileNotFoundError as error:
            file.write(f'{error}\n')
            code = 127
    say(configuration, step, 'ok' if code == 0 else f'FAILED ({code})', time.monotonic() - started)
    if code != 0:
        tail(log)
    return Sum(passed=code == 0, failed=code != 0)


def build(name, compiler, options):
    folder = os.path.join(BUILD, name)
    if not os.path.exists(os.path.join(folder, 'build.ninja')):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        setup = run_step(name, 'set up', ['meson', 'setup', folder, ROOT, '-Dwerror=true', '-Db_colorout=never', *options],
                         os.path.join(BUILD, f'{name}-setup.log'), {**os.environ, 'CC': compiler})
        if setup.failed:
            return setup
    return run_step(name, 'build', ['ninja', '-C', folder, f'-j{JOBS}'],
                    os.path.join(BUILD, f'{name}-build.log'))


def count_cases(test):
    """Cases in one entry of meson's testlog.json: cmocka's and pytest's own counts, else one."""
    text = test.get('stdout', '') + '\n' + test.get('stderr', '')
    has_fixtures = not re.search('^(SKIP: no fixtures|SKIPPED .*fixtures missing)', text, re.MULTILINE)
    has_failed = test['result'] not in ('OK', 'SKIP', 'EXPECTEDFAIL')
    cases = Sum()
    for word, number in re.findall(r'^\[ +(PASSED|FAILED|SKIPPED) +\] (\d+) test\(s\)', text, re.MULTILINE):
        cases.add(Sum(**{word.lower(): int(number)}))
    pytest = re.findall(r'^(?:=+ )?((?:\d+ \w+, )*\d+ \w+) in [\d.]+s', text, re.MULTILINE)
    for number, word in re.findall(r'(\d+) (\w+)', pytest[-1] if pytest else ''):
        if word in ('passed', 'failed', 'skipped'):
            cases.add(Sum(**{word: int(number)}))
        elif word in ('error', 'errors'):
            cases.add(Sum(failed=int(number)))
    cases.skipped -= len(re.findall('^left out: ', text, re.MULTILINE))
    if test['result'] == 'SKIP':
        return Sum(failed=1) if IS_STRICT else Sum(skipped=1)
    if IS_STRICT and has_fixtures:
        cases.failed, cases.skipped = cases.failed + cases.skipped, 0
    if has_failed and not cases.failed:
        cases.failed = 1
    return cases if cases.passed or cases.failed or cases.skipped else Sum(passed=1)


def run_suites(name, suites):
    folder = os.path.join(BUILD, name)
    total = Sum()
    for suite in suites:
        started = time.monotonic()
        log = os.path.join(BUILD, f'{name}-{suite}.log')
        with open(log, 'w', encoding='utf-8') as file:
            code = subprocess.run([*prefix(name), 'meson', 'test', '-C', folder, '--no-rebuild', '--suite', suite,
                                   *LEFT_OUT.get(name, []), '--logbase', suite,
                                   '--num-processes', str(JOBS * (2 if suite in ('mount', 'large') else 1))],
                                  cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  env={**os.environ, 'SITEFS_DRIVE_CLIENTS': os.path.join(BUILD, 'drive-clients'),
                                       **(SANITISED if name in ('asan', 'tsan') else {})},
                                  check=False).returncode
        tests = read_tests(os.path.join(folder, 'meson-logs', f'{suite}.json'), started)
        counts = Sum()
        for test in tests:
            counts.add(count_cases(test))
        if not tests:
            # No test of that suite: a tool that it needs was not found when the build was set up.
            counts = Sum(failed=1) if code != 0 or IS_STRICT else Sum(skipped=1)
        say(name, suite, str(counts), time.monotonic() - started)
        for test in tests:
            if count_cases(test).failed:
                show_failure(name, suite, test)
        if not tests and code != 0:
            tail(log)
        total.add(counts)
    return total


def read_tests(path, since):
    """The entries of a test log written after monotonic time SINCE."""
    if not os.path.exists(path) or os.path.getmtime(path) < time.time() - (time.monotonic() - since) - 1:
        return []
    with open(path, encoding='utf-8') as file:
        return [json.loads(line) for line in file if line.strip()]


def show_failure(name, suite, test):
    log = os.path.join(BUILD, f'{name}-{suite}-{re.sub("[^A-Za-z0-9_]+", "-", test["name"])}.log')
    with open(log, 'w', encoding='utf-8') as file:
        file.write(f'{" ".join(test.get("command", []))}\n{test.get("stdout", "")}\n{test.get("stderr", "")}\n')
    print(f'    {test["name"]}: {test["result"]}, exit {test.get("returncode")}')
    tail(log)


# As Google, and our stand-in, makes them: tokens, upload sessions, keys.
SECRETS = re.compile(rb'ya29\.[\w.-]{40,}|upload_id=[\w-]{40,}|ABg5[\w-]{60,}|BEGIN (?:RSA )?PRIVATE KEY')


def find_secrets(name):
    """Law 10: nothing secret is in what the suites of a configuration have printed, passed or failed. (What daemons
    wrote is searched by the fixture that started them.)"""
    started = time.monotonic()
    logs = os.path.join(BUILD, name, 'meson-logs')
    found = []
    for path in [os.path.join(logs, each) for each in sorted(os.listdir(logs))]:
        with open(path, 'rb') as file:
            found += [f'{os.path.relpath(path, ROOT)}: a secret was printed' for _ in SECRETS.findall(file.read())]
    say(name, 'secrets in the output', 'none' if not found else f'FAILED: {len(found)}', time.monotonic() - started)
    print(''.join(f'    {line}\n' for line in sorted(set(found))), end='', flush=True)
    return Sum(passed=not found, failed=bool(found))


def prefix(name):
    """TSan of gcc 12 cannot place its shadow where the kernel randomises addresses by more than 28 bits."""
    if name != 'tsan' or not shutil.which('setarch'):
        return []
    works = subprocess.run(['setarch', '-R', 'true'], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return ['setarch', '-R'] if works else []


def tidy(name):
    """clang-tidy over our sources, by what meson wrote of how they are compiled."""
    started = time.monotonic()
    folder = os.path.join(BUILD, name)
    with open(os.path.join(folder, 'compile_commands.json'), encoding='utf-8') as file:
        sources = sorted({os.path.normpath(os.path.join(entry['directory'], entry['file']))
                          for entry in json.load(file)})
    sources = [source for source in sources
               if re.match('(fs|providers|sync|tools)/', os.path.relpath(source, ROOT))]

    def check(source):
        return subprocess.run(['clang-tidy-19', '--quiet', '-p', folder, source], capture_output=True, text=True,
                              cwd=ROOT, stdin=subprocess.DEVNULL, check=False)

    log = os.path.join(BUILD, f'{name}-tidy.log')
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool, open(log, 'w', encoding='utf-8') as file:
        failed, errors = 0, []
        for source, result in zip(sources, pool.map(check, sources)):
            if result.returncode != 0:
                failed += 1
                file.write(f'{result.stdout}\n{result.stderr}\n')
                errors += re.findall(r'^(?:\.\./)*(.* error: .*)$', result.stdout, re.MULTILINE)
    say(name, 'tidy', 'ok' if not failed else f'FAILED in {failed} of {len(sources)} files',
        time.monotonic() - started)
    if failed:
        print('\n'.join(f'    {error}' for error in sorted(set(errors))))
        print(f'    (all of it: {os.path.relpath(log, ROOT)})', flush=True)
    return Sum(passed=not failed, failed=bool(failed))


def get_drive_clients(name):
    """What suite gdrive runs; at home it does without, loudly. Their versions go to the output."""
    log = os.path.join(BUILD, 'drive-clients.log')
    result = run_step(name, 'clients of Google Drive', ['tools/get-drive-clients'], log)
    with open(log, encoding='utf-8') as file:
        print(''.join(f'    {line}' for line in file if line.startswith('drive clients: rclone')), end='', flush=True)
    return result if IS_STRICT or not result.failed else Sum(skipped=1)


def run_configuration(name, is_installing):
    compiler, options, suites, _ = CONFIGURATIONS[name]
    total = build(name, compiler, options)
    if not total.failed:
        if 'gdrive' in suites and is_installing:
            total.add(get_drive_clients(name))
        total.add(run_suites(name, suites))
        total.add(find_secrets(name))
        if name == 'clang':
            total.add(tidy(name))
    return total


def main():
    parser = argparse.ArgumentParser(
        prog='tools/check', description='Builds and tests everything; the last line is "N passed, N failed".',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='configurations:\n' + '\n'.join(f'  {name:6} {what[3]}' for name, what in CONFIGURATIONS.items()))
    parser.add_argument('--fast', action='store_true', help='the gcc configuration only')
    parser.add_argument('--only', action='append', choices=CONFIGURATIONS, metavar='NAME',
                        help='this configuration only; may be repeated')
    parser.add_argument('--no-install', action='store_true', help='do not look for missing packages')
    options = parser.parse_args()
    os.makedirs(BUILD, exist_ok=True)
    total = Sum()
    for name in options.only or (['gcc'] if options.fast else CONFIGURATIONS):
        total.add(run_configuration(name, not options.no_install))
    if total.skipped:
        print(f'{total.skipped} SKIPPED: what they need is missing (build/*.log tell; studio fixtures: SITEFS_FIXTURES)')
    print(f'{total.passed} passed, {total.failed} failed')
    return 1 if total.failed else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        sys.exit(130)
