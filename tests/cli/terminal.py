"""A terminal for a program: `terminal.py KEYS PROGRAM...`. Types each of KEYS, a JSON list of [what has to be shown first, what is typed], and
prints what the program has shown. Ends with the program's exit code."""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

SECONDS = 60

keys = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[2], sys.argv[2:])

shown = b""
seen = 0
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    if keys and keys[0][0].encode() in shown[seen:]:
        seen = len(shown)
        os.write(terminal, keys.pop(0)[1].encode())
    ready, _, _ = select.select([terminal], [], [], 0.1)
    if not ready:
        continue
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    shown += more

sys.stdout.buffer.write(shown)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
