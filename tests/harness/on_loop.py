"""A store whose decisions an event loop waits for, behind the blocking face that the tests speak to."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tidegate.messages import Answer, Question
from tidegate.steps import Steps, run_on_loop


class OnLoop:
    """Drives a store's steps on an event loop of its own, on a thread; what isn't a step blocks as ever.

    Args:
        store: the store; closed with this.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="on-loop", daemon=True)
        self._thread.start()
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def admit(self, question: Question) -> Answer:
        return self._driven(self.store.admitting(question))

    def probe(self, patience_s: float | None = None) -> None:
        del patience_s
        self._driven(self.store.probing())

    def close(self) -> None:
        """Close the store's connections; the loop ends once they are closed, and begins anew when it is used again."""
        self.store.close()
        self._stop()

    def _driven(self, steps: Steps[Any]) -> Any:
        if self._closed:
            self._loop, self._closed = asyncio.new_event_loop(), False
            self._thread = threading.Thread(target=self._loop.run_forever, name="on-loop", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(run_on_loop(steps, _on_a_thread), self._loop).result()

    def _stop(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _on_a_thread(call: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call)
