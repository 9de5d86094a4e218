"""What a process prints, in the order in which it was printed."""

import os
import select
import threading
from contextlib import suppress

_CHUNK_BYTES = 65536


class LogPipe:
    """A pipe for stdout and stderr, emptied all the time so that the process never waits for it.

    The reading end closes by itself when the last process that holds the writing end is gone.
    """

    def __init__(self) -> None:
        self._read, self.write_end = os.pipe()
        os.set_blocking(self._read, False)
        self._lock = threading.Lock()
        self._text = bytearray()
        self._open = True
        threading.Thread(target=self._pump, name="function-logs", daemon=True).start()

    def close_write_end(self) -> None:
        """Leave the writing end to the process alone; call it once that is started."""
        os.close(self.write_end)

    def take(self) -> str:
        """Return what was printed up to now, and forget it.

        Whatever the process printed before it made a request of the Runtime API is in it once that has arrived.
        """
        with self._lock:
            self._drain()
            text, self._text = self._text, bytearray()
        return text.decode(errors="replace")

    def _pump(self) -> None:
        # Not select(): LocalStack may hold more than 1024 files.
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        while self._open:
            poll.poll()
            with self._lock:
                self._drain()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while self._open:
                chunk = os.read(self._read, _CHUNK_BYTES)
                if chunk:
                    self._text += chunk
                else:
                    self._open = False
                    os.close(self._read)
