"""Programs that print JSON: once and done, or a line for each line they read."""
import json
import os
import select
import signal
import subprocess
import tempfile


class Failed(Exception):
    """Of one measurement; the others go on."""


class TooLong(Failed):
    def __init__(self, limit):
        super().__init__(f"not done in {limit:g} s")


def end(process):
    """With its children: a compiler has some."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def once(command, limit=1800):
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, messages = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise TooLong(limit) from None
    finally:
        end(process)
    if process.returncode:
        raise Failed((messages.strip().splitlines() or [f"exit code {process.returncode}"])[-1])
    return json.loads(out)


class Server:
    """Started and warm when the constructor returns; then it waits, using no processor, to be asked to measure."""

    def __init__(self, command, limit):
        self.messages = tempfile.TemporaryFile()       # a pipe that nobody reads would fill
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.messages,
                                        start_new_session=True)
        self.fixed = self.answer(limit)

    def answer(self, limit):
        """The next line, which programs write whole."""
        try:
            ready, _, _ = select.select([self.process.stdout], [], [], limit)
        except BaseException:
            self.close()
            raise
        line = self.process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        self.close()
        if not ready:
            raise TooLong(limit)
        self.messages.seek(0)
        messages = self.messages.read().decode(errors="replace").strip().splitlines()
        raise Failed(messages[-1] if messages else "ended without a word")

    def measure(self, limit=1800):
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass        # it ended: the answer says how
        return self.answer(limit)

    def close(self):
        end(self.process)
