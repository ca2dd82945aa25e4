"""Programs that try to get out. Each ends with `answer = OUT` where it has what it wanted.

`SECRET` stands for a file that holds `OUT` and may not be read, `SECRET_CODE` for one that says so
in Python, `FRESH` for a path that may not come to be, `HOST` for the process that runs the sandbox.
Those in `TELLING` succeed in a plain interpreter, which shows that they are attacks; those in
`GREEDY` succeed by using up the machine, and are judged by how they end.
"""

from __future__ import annotations

TELLING = {
    "read a file": "answer = open(SECRET).read()",
    "read by pathlib": "from pathlib import Path\nanswer = Path(SECRET).read_text()",
    "read by a descriptor": (
        "import os\nanswer = os.read(os.open(SECRET, os.O_RDONLY), 99).decode()"
    ),
    "read by io": "import io\nanswer = io.FileIO(SECRET).read().decode()",
    "read by linecache": "import linecache\nanswer = linecache.getline(SECRET, 1)",
    "read by mmap": (
        "import mmap\nf = open(SECRET, 'rb')\n"
        "answer = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:].decode()"
    ),
    "run it as code": "import runpy\nanswer = runpy.run_path(SECRET_CODE)['answer']",
    "import it": (
        "import importlib.util as u\ns = u.spec_from_file_location('m', SECRET_CODE)\n"
        "m = u.module_from_spec(s)\ns.loader.exec_module(m)\nanswer = m.answer"
    ),
    "a relative path": (
        "import os\nup = '../' * 40\nanswer = open(up + SECRET.lstrip('/')).read()"
    ),
    "through /proc": "answer = open('/proc/self/root' + SECRET).read()",
    "list a folder": "import os\nanswer = OUT if os.listdir('/') else ''",
    "walk a tree": "import os\nanswer = OUT if next(os.walk('/'))[1] else ''",
    "a symlink": "import os\nos.symlink(SECRET, FRESH)\nanswer = open(FRESH).read()",
    "a hard link": "import os\nos.link(SECRET, FRESH)\nanswer = OUT",
    "write a file": "open(FRESH, 'w').write('x')\nanswer = OUT",
    "make a folder": "import os\nos.mkdir(FRESH)\nanswer = OUT",
    "a fifo": "import os\nos.mkfifo(FRESH)\nanswer = OUT",
    "a temporary file": "import tempfile\ntempfile.TemporaryFile().write(b'x')\nanswer = OUT",
    "change rights": "import os\nos.chmod(SECRET, 0o600)\nanswer = OUT",
    "change times": "import os\nos.utime(SECRET)\nanswer = OUT",
    "a file in memory": "import os\nos.memfd_create('x')\nanswer = OUT",
    "the environment": "import os\nanswer = os.environ['STEPLADDER_TEST_TOKEN']",
    "the environment in /proc": (
        "answer = OUT if OUT in open('/proc/self/environ').read() else ''"
    ),
    "the parent's environment": (
        "import os\nanswer = OUT if OUT in open(f'/proc/{HOST}/environ').read() else ''"
    ),
    "the parent's command line": (
        "import os\nanswer = OUT if open(f'/proc/{HOST}/cmdline').read() else ''"
    ),
    "its own memory": "answer = OUT if open('/proc/self/maps').read() else ''",
    "a socket": "import socket\nsocket.socket()\nanswer = OUT",
    "a unix socket": "import socket\nsocket.socket(socket.AF_UNIX)\nanswer = OUT",
    "a pair of sockets": "import socket\nsocket.socketpair()\nanswer = OUT",
    "a netlink socket": "import socket\nsocket.socket(socket.AF_NETLINK)\nanswer = OUT",
    "a fork": "import os\npid = os.fork()\nif not pid:\n    os._exit(0)\nanswer = OUT",
    "a thread": "import threading\nthreading.Thread(target=print).start()\nanswer = OUT",
    "a pool": (
        "import multiprocessing as m\nwith m.Pool(1) as p:\n    p.map(abs, [1])\nanswer = OUT"
    ),
    "a shell": "import os\nanswer = OUT if os.system('true') == 0 else ''",
    "a subprocess": "import subprocess\nsubprocess.run(['/bin/true'])\nanswer = OUT",
    "posix_spawn": (
        "import os\nos.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)\nanswer = OUT"
    ),
    "ctypes, open": (
        "import ctypes\nf = ctypes.CDLL(None).open(SECRET.encode(), 0)\n"
        "answer = OUT if f >= 0 else ''"
    ),
    "ctypes, a raw system call": (
        "import ctypes\nanswer = OUT if ctypes.CDLL(None).syscall(41, 2, 1, 0) >= 0 else ''"
    ),
    "ctypes, another library": "import ctypes\nctypes.CDLL('libresolv.so.2')\nanswer = OUT",
    "subclasses": (
        "wanted = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen' or "
        "c.__name__ == '_wrap_close']\n"
        "answer = OUT if wanted[0].__init__.__globals__['system']('true') == 0 else ''"
    ),
    "globals of a function": (
        "import os\nanswer = OUT if os.walk.__globals__['sys'].modules['os'].listdir('/') else ''"
    ),
    "the loader": "answer = __loader__.get_data(SECRET).decode()",
    "evaluated": "answer = eval('open(SECRET).read()')",
    "executed": "exec('answer = open(SECRET).read()')",
    "imported by name": "answer = OUT if __import__('os').listdir('/') else ''",
    "a signal to the parent": "import os\nos.kill(int(HOST), 0)\nanswer = OUT",
    "a signal to everyone's group": "import os\nos.killpg(os.getpgid(int(HOST)), 0)\nanswer = OUT",
    "tracing the parent": (
        "import ctypes, os\nc = ctypes.CDLL(None)\n"
        "answer = OUT if c.ptrace(0x4206, int(HOST), 0, 0) == 0 and not c.ptrace("
        "17, int(HOST), 0, 0) else ''"
    ),
    "its limits": (
        "import resource\nresource.prlimit(0, resource.RLIMIT_NOFILE, (64, 64))\nanswer = OUT"
    ),
    "priorities": "import os\nos.nice(1)\nanswer = OUT",
    "a timer": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 999)\nanswer = OUT",
    "unpickled": (
        "import pickle\nclass A:\n    def __reduce__(self):\n        return open, (SECRET,)\n"
        "answer = pickle.loads(pickle.dumps(A())).read()"
    ),
    "unpickled as text": (
        "import pickle\nanswer = OUT if pickle.loads(b\"cos\\nlistdir\\n(S'/'\\ntR.\") else ''"
    ),
    "formatting": (
        "import os\nclass A:\n    pass\nA.__init__ = lambda self: None\n"
        "shown = '{0.__init__.__globals__}'.format(A())\n"
        "answer = open(SECRET).read() if shown else ''"
    ),
    "atexit": "import atexit\natexit.register(lambda: open(FRESH, 'w'))\nanswer = 1",
    "__del__": (
        "class A:\n    def __del__(self):\n        __import__('os').mkdir(FRESH)\n"
        "a = A()\nanswer = 1"
    ),
}

GREEDY = {
    "an endless loop": "while True:\n    pass",
    "an endless loop that catches": (
        "while True:\n    try:\n        while True:\n            pass\n"
        "    except BaseException:\n        pass"
    ),
    "a loop in C": "sum(range(10 ** 12))",
    "a fork bomb": "import os\nwhile True:\n    os.fork()",
    "a thread bomb": (
        "import threading, time\nwhile True:\n"
        "    threading.Thread(target=time.sleep, args=(9,)).start()"
    ),
    "a list": "a = [0] * 10 ** 10",
    "a growing list": "a = []\nwhile True:\n    a.append('x' * 10 ** 6)",
    "a long text": "a = 'x' * 10 ** 11",
    "doubling": "a = 'x'\nwhile True:\n    a += a",
    "a padded format": "a = '%1000000000000d' % 1",
    "a huge power": "a = 9 ** 9 ** 9",
    "huge digits": "answer = 10 ** 5000",
    "a shift": "a = 1 << 10 ** 13",
    "a factorial": "import math\nmath.factorial(10 ** 9)",
    "deep recursion": "def f(n):\n    return f(n + 1)\nf(0)",
    "deep recursion, limit lifted": (
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(n):\n    return f(n + 1)\nf(0)"
    ),
    "a deep value": "answer = []\nfor i in range(300_000):\n    answer = [answer, 1]",
    "a value within itself": "answer = []\nanswer.append(answer)",
    "deep source": "answer = " + "-" * 14_000 + "1",
    "deep brackets": "answer = " + "(" * 7_000 + "1" + ")" * 7_000,
    "a flood of output": "while True:\n    print('x' * 100)",
    "a flood in one print": "print('x' * 10 ** 7)",
    "a flood by descriptor": "import os\nwhile True:\n    os.write(1, b'x' * 65536)",
    "a flood of errors": "import sys\nwhile True:\n    print('x' * 100, file=sys.stderr)",
    "a full disk": "f = open(FRESH, 'wb')\nwhile True:\n    f.write(b'x' * 10 ** 6)",
    "an expression that backtracks": (
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')\nwhile True:\n    pass"
    ),
    "sleep": "import time\ntime.sleep(10 ** 6)\nwhile True:\n    pass",
    "its own end": "import os\nos._exit(0)",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "an abort": "import os\nos.abort()",
    "stopping itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "a handler for every signal": (
        "import signal\nfor n in range(1, 32):\n    try:\n"
        "        signal.signal(n, lambda *a: None)\n    except (OSError, ValueError):\n"
        "        pass\nwhile True:\n    pass"
    ),
    "a forged reply": 'import os\nos.write(1, b\'{"answer": {"a": []}}\')\nos._exit(0)',
    "a forged refusal": "import os\nos.write(1, b'{\"unconfined\": 1}')\nos._exit(0)",
    "half a reply": "import os\nos.write(1, b'[[[')\nos._exit(0)",
}
