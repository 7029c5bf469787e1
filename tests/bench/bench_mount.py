#!/usr/bin/env python3
"""
The mount beside the bare disk: each piece of work is done on every side in turn, in rounds, and the median of the
rounds' ratios is printed (1.00: as fast as the disk, 0.50: takes twice as long). Sides:

    disk      the folder itself
    sitefs    a mount as it comes; the heading says whether local files are read by the kernel itself
    daemon    a mount with -o nopassthrough: every read and write goes through the daemon
    rclone    `rclone mount` of the folder, where it is installed
    floor     the least that any mount costs here: a daemon that only answers (bench_mount_floor), as root. It lists
              nothing and writes nothing, so only frames and lstat have such a column

    bench_mount.py [--quick] [--rounds N] [--only WORD] [--sides disk,sitefs] [--below FOLDER] --build BUILD
    bench_mount.py --inodes N --build BUILD        memory and descriptors with N looked-up files, and after forget

All sides show hard links to the same files, so the disk's pages are as warm for one as for the other. Root can drop
caches, which the cold rows need. Pinned: reader and daemon on one processor, which is what they get on a busy machine.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'mount'))
from harness import mounts, wait_until  # noqa: E402

FULL = {'large': 2 << 30, 'random': 200_000, 'small': 5000, 'frames': 500, 'list': 20_000, 'tree': 100_000}
QUICK = {'large': 256 << 20, 'random': 40_000, 'small': 1000, 'frames': 50, 'list': 4000, 'tree': 10_000}
OF_FLOOR = ('frames of 100 KiB, pinned', 'frames of 100 KiB', 'frames of 4 MiB', 'open and close', 'lstat')
SMALL, FRAME = 100 << 10, 4 << 20
DEADLINE = 60


class Side:
    """A folder that shows the data, and the process behind it."""

    def __init__(self, name, path, process=None, about=''):
        self.name, self.path, self.process, self.about = name, path, process, about

    def pin(self, processors):
        if not self.process:
            return
        for task in os.listdir(f'/proc/{self.process.pid}/task'):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task), processors)


class Bench:
    def __init__(self, args):
        self.args = args
        self.sizes = QUICK if args.quick else FULL
        self.build = pathlib.Path(args.build).absolute()
        self.io = self.build / 'tests/bench/bench_mount_io'
        self.sitefs = self.build / 'tools/sitefs'
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='bench-mount-', dir=args.below))
        self.is_root = os.geteuid() == 0
        self.sides = []

    # ---- sides ----

    def make_data(self):
        """Once; the other sides get hard links."""
        data, sizes = self.dir / 'data', self.sizes
        block = os.urandom(1 << 20)
        for folder in ('small', 'frames', 'list', 'work'):
            (data / folder).mkdir(parents=True)
        with open(data / 'large', 'wb') as file:
            for _ in range(sizes['large'] >> 20):
                file.write(block)
        for i in range(sizes['small']):
            (data / f'small/f{i:06}').write_bytes(block[:SMALL])
        for i in range(sizes['frames']):
            (data / f'frames/f{i:06}').write_bytes(block * (FRAME >> 20))
        for i in range(sizes['list']):
            (data / f'list/f{i:06}').touch()
        for i in range(sizes['tree'] // 100):
            folder = data / f'tree/{i // 100:02}/{i:06}'
            folder.mkdir(parents=True)
            for j in range(100):
                (folder / f'f{j:06}').touch()
        return data

    def make_root(self, name, data):
        root = self.dir / name / 'root'
        root.parent.mkdir()
        subprocess.run(['cp', '-al', data, root], check=True)
        return root

    def start(self, name, root, *options):
        """A mount without remote and background work, over ROOT."""
        top = self.dir / name
        mnt, runtime = top / 'mnt', pathlib.Path(tempfile.mkdtemp(prefix='bm-'))
        mnt.mkdir()
        env = {**os.environ, 'XDG_RUNTIME_DIR': str(runtime), 'HOME': str(top), 'SITEFS_CONFIG': str(top / 'presets'),
               'SITEFS_STATE': str(top / 'state')}
        subprocess.run([self.sitefs, 'init', top / 'presets', '--active', 'local_0', '--root', f'work={root}',
                        '--store', f'sqlite:{top}/store.sqlite'], env=env, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([self.sitefs, 'import', '--project', 'demo', os.devnull], env=env, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        extra = ['-o', ','.join(options)] if options else []
        with open(top / 'log', 'wb') as log:
            process = subprocess.Popen([self.sitefs, 'mount', mnt, '-f', '--no-sync', *extra], env=env, stdout=log,
                                       stderr=log)
        wait_until(lambda: str(mnt) in mounts() or process.poll() is not None, f'{name} is mounted')
        if process.poll() is not None:
            sys.exit((top / 'log').read_text())
        os.listdir(mnt)
        about = subprocess.run([self.sitefs, 'status'], env=env, text=True, capture_output=True, check=False).stdout
        said = [line for line in about.splitlines() if line.startswith('local ')]
        shutil.rmtree(runtime, ignore_errors=True)
        return Side(name, mnt, process, said[0] if said else '')

    def start_rclone(self, root):
        mnt = self.dir / 'rclone/mnt'
        mnt.mkdir()
        with open(self.dir / 'rclone/log', 'wb') as log:
            process = subprocess.Popen(['rclone', 'mount', root, mnt, '--vfs-cache-mode', 'writes', '--cache-dir',
                                        self.dir / 'rclone/cache', '--config', os.devnull], stdout=log, stderr=log)
        wait_until(lambda: str(mnt) in mounts() or process.poll() is not None, 'rclone is mounted')
        return Side('rclone', mnt, process)

    def start_floor(self, root):
        mnt = self.dir / 'floor/mnt'
        mnt.mkdir()
        process = subprocess.Popen([self.build / 'tests/bench/bench_mount_floor', root, mnt])
        wait_until(lambda: str(mnt) in mounts() or process.poll() is not None, 'the floor is mounted')
        return Side('floor', mnt, process)

    def start_all(self):
        data = self.make_data()
        wanted = self.args.sides.split(',')
        for name in wanted:
            if (name == 'rclone' and not shutil.which('rclone')) or (name == 'floor' and not self.is_root):
                continue
            root = self.make_root(name, data)
            if name == 'disk':
                self.sides.append(Side(name, root))
            elif name == 'rclone':
                self.sides.append(self.start_rclone(root))
            elif name == 'floor':
                self.sides.append(self.start_floor(root))
            else:
                self.sides.append(self.start(name, root, *(['nopassthrough'] if name == 'daemon' else [])))

    def end(self):
        for side in self.sides:
            if side.name == 'floor':
                subprocess.run(['umount', side.path], check=False)
            elif side.process:
                side.process.send_signal(signal.SIGTERM)
        for side in self.sides:
            if side.process:
                side.process.wait(DEADLINE)
        if not any(str(side.path) in mounts() for side in self.sides if side.process):
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- work ----

    def drop(self, what=3):
        os.sync()
        pathlib.Path('/proc/sys/vm/drop_caches').write_text(str(what))

    def work(self, side, *args, processors=None):
        done = subprocess.run([self.io, args[0], side.path / args[1], *map(str, args[2:])], check=True,
                              stdout=subprocess.PIPE, text=True,
                              preexec_fn=(lambda: os.sched_setaffinity(0, processors)) if processors else None)
        return float(done.stdout)

    def command(self, *args, cwd=None):
        started = time.perf_counter()
        subprocess.run(args, check=True, stdout=subprocess.DEVNULL, cwd=cwd)
        return time.perf_counter() - started

    def pinned(self, side, *args):
        one, everyone = {0}, set(range(os.cpu_count()))
        side.pin(one)
        try:
            return self.work(side, *args, processors=one)
        finally:
            side.pin(everyone)

    def write(self, side):
        took = self.work(side, 'write', 'work/written', self.sizes['large'])
        os.unlink(side.path / 'work/written')
        return took

    def untar(self, side):
        return self.command('tar', '-xf', self.dir / 'tree.tar', '-C', side.path / 'work')

    def remove(self, side):
        return self.command('rm', '-rf', side.path / 'work/tree')

    def rows(self):
        """(words, unit amount, unit, work of one side, is cold)"""
        sizes = self.sizes
        large, small, frames = sizes['large'], sizes['small'], sizes['frames']
        yield 'read, cold', large >> 20, 'MiB', lambda s: self.work(s, 'read', 'large'), True
        yield 'read, warm', large >> 20, 'MiB', lambda s: self.work(s, 'read', 'large'), False
        yield 'write and fsync', large >> 20, 'MiB', self.write, False
        yield 'random 4 KiB, 4 threads', sizes['random'], 'calls', \
            lambda s: self.work(s, 'random', 'large', sizes['random']), False
        yield 'frames of 100 KiB, pinned', small, 'files', lambda s: self.pinned(s, 'frames', 'small', small), False
        yield 'frames of 100 KiB', small, 'files', lambda s: self.work(s, 'frames', 'small', small), False
        yield 'frames of 4 MiB', frames, 'files', lambda s: self.work(s, 'frames', 'frames', frames), False
        yield 'open and close', small, 'files', lambda s: self.work(s, 'opens', 'small', small), False
        yield 'lstat', sizes['list'], 'files', lambda s: self.work(s, 'stats', 'list', sizes['list']), False
        yield 'ls -l, cold', sizes['list'], 'names', lambda s: self.command('ls', '-l', s.path / 'list'), True
        yield 'ls -l', sizes['list'], 'names', lambda s: self.command('ls', '-l', s.path / 'list'), False
        yield 'find -size, cold', sizes['tree'], 'names', lambda s: self.find(s), True
        yield 'find -size', sizes['tree'], 'names', lambda s: self.find(s), False
        yield 'untar', sizes['tree'] // 10, 'files', self.untar, False
        yield 'rm -rf', sizes['tree'] // 10, 'files', self.remove, False

    def find(self, side):
        return self.command('find', side.path / 'tree', '-size', '+1')

    def run_row(self, words, amount, unit, work, is_cold):
        sides = [side for side in self.sides if side.name != 'floor' or words in OF_FLOOR]
        took = {side.name: [] for side in sides}
        for side in sides if not is_cold and words != 'rm -rf' else ():
            work(side)
            if words == 'untar':
                self.remove(side)
        if words == 'rm -rf':
            for side in sides:
                self.untar(side)
        for _ in range(self.args.rounds):
            for side in sides:
                if is_cold:
                    self.drop()
                took[side.name].append(work(side))
                if words == 'untar':
                    self.remove(side)
                if words == 'rm -rf':
                    self.untar(side)
        if words == 'rm -rf':
            for side in sides:
                self.remove(side)
        disk = took[self.sides[0].name]
        cells = [f'{amount / statistics.median(disk):12,.0f} {unit}/s']
        for side in self.sides[1:]:
            ratios = [a / b for a, b in zip(disk, took.get(side.name, []))]
            cells.append(f'{statistics.median(ratios):8.2f}' if ratios else f'{"":8}')
        print(f'{words:26}', *cells, flush=True)

    def run(self):
        self.start_all()
        subprocess.run(['tar', '-cf', self.dir / 'tree.tar', '-C', self.dir / 'data',
                        *(f'tree/{i:02}' for i in range(max(1, self.sizes['tree'] // 100_000)))], check=True)
        for side in self.sides:
            if side.about:
                print(f'{side.name}: {side.about}')
        print(f'{"":26} {self.sides[0].name:>18}', *(f'{side.name:>8}' for side in self.sides[1:]))
        for words, amount, unit, work, is_cold in self.rows():
            if self.args.only and self.args.only not in words:
                continue
            if is_cold and not self.is_root:
                continue
            self.run_row(words, amount, unit, work, is_cold)

    # ---- a million inodes ----

    def state(self, side):
        """Resident memory of the daemon in MiB, its descriptors."""
        text = pathlib.Path(f'/proc/{side.process.pid}/status').read_text()
        resident = next(int(line.split()[1]) for line in text.splitlines() if line.startswith('VmRSS'))
        return resident / 1024, len(os.listdir(f'/proc/{side.process.pid}/fd'))

    def worked(self, task):
        """Ticks of one thread; of the one that hears what others do on this disk none."""
        if (task / 'comm').read_text() == 'watch\n':
            return 0
        fields = (task / 'stat').read_text().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def wait_quiet(self, side):
        """FORGET has no answer: until the daemon does nothing any more."""
        seen = []

        def is_quiet():
            seen.append(sum(self.worked(task) for task in pathlib.Path(f'/proc/{side.process.pid}/task').iterdir()))
            return len(seen) > 8 and seen[-8] == seen[-1]

        wait_until(is_quiet, 'the daemon is quiet')

    def run_inodes(self, n):
        root = self.dir / 'sitefs/root'
        for i in range(n // 1000):
            folder = root / f'many/{i:06}'
            folder.mkdir(parents=True)
            for j in range(1000):
                os.close(os.open(folder / f'f{j:06}', os.O_CREAT | os.O_WRONLY))
        side = self.start('sitefs', root)
        self.sides.append(side)
        print(f'{"":24} {"MiB":>9} {"descriptors":>12}')
        for round_ in range(3):
            print('{:24} {:9.1f} {:12}'.format('at first' if not round_ else 'forgotten', *self.state(side)))
            for i in range(n // 1000):
                self.work(side, 'stats', f'many/{i:06}', 1000)
            print('{:24} {:9.1f} {:12}'.format(f'{n} looked up', *self.state(side)))
            for i in range(0, n // 1000, 10):
                self.work(side, 'opens', f'many/{i:06}', 1000)
            print('{:24} {:9.1f} {:12}'.format('a tenth of them opened', *self.state(side)))
            if not self.is_root:
                return
            self.drop(2)
            self.wait_quiet(side)
        print('{:24} {:9.1f} {:12}'.format('forgotten', *self.state(side)))


def main():
    parser = argparse.ArgumentParser(description='The mount beside the bare disk, as ratios.')
    parser.add_argument('--build', required=True, help='build folder, with tests/bench/bench_mount_io')
    parser.add_argument('--quick', action='store_true', help='an eighth of the size')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--only', help='rows with this word')
    parser.add_argument('--sides', default='disk,sitefs,daemon,rclone,floor')
    parser.add_argument('--below', help='folder on the disk to be measured')
    parser.add_argument('--inodes', type=int, help='instead: memory with this many')
    bench = Bench(parser.parse_args())
    try:
        if bench.args.inodes:
            bench.run_inodes(bench.args.inodes)
        else:
            bench.run()
    finally:
        bench.end()


if __name__ == '__main__':
    main()
