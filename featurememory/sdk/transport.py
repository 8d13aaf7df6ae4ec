"""Delivers operations in batches from a background thread; the server counts each of them once, by its id."""

from __future__ import annotations

import zlib
from collections import deque
from json import JSONDecodeError, dumps, loads
from threading import Lock, Thread
from typing import Any, NamedTuple

from featurememory import __version__
from featurememory.sdk.buffer import Buffer
from featurememory.sdk.encoding import Finished, encode
from featurememory.sdk.host_log import warn
from featurememory.sdk.http import HttpConnection, Response, ServerAddress
from featurememory.sdk.identity import instance_name, random_share
from featurememory.sdk.options import Options

_PATH = "/api/v1/operations"
_GZIP_ABOVE = 4_096
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
_LONGEST_RETRY_AFTER_S = 300.0
_REFUSED_WAIT_S = 30.0


class Stats(NamedTuple):
    """What became of the operations recorded in this process.

    `buffered` wait or are on their way; `sent` were answered: `accepted`, `duplicates` or `rejected`;
    `dropped` never left, because the buffer was full or closed. `connected` tells how the last request ended,
    `last_error` what went wrong last.
    """

    buffered: int
    sent: int
    accepted: int
    duplicates: int
    rejected: int
    dropped: int
    last_error: str
    connected: bool


class Transport:
    """One sender thread, started by the first operation."""

    def __init__(self, address: ServerAddress, api_key: str, options: Options) -> None:
        self._api_key = api_key
        self._interval_s = options.flush_interval_s
        self._connection = HttpConnection(address, options.request_timeout_s)
        self.buffer = Buffer(options.buffer_size, options.batch_size)
        self._begin()

    def _begin(self) -> None:
        self.instance = instance_name()
        self._starting = Lock()
        self._thread: Thread | None = None
        self._accepted = self._duplicates = self._rejected = 0
        self._failures_in_a_row = 0
        self._last_error = ""
        self._connected = False

    def after_fork(self) -> None:
        """In the child: nothing of the parent's is sent again, and its connection is left alone."""
        self._connection.abandon()
        self.buffer.after_fork()
        self._begin()

    def record(self, finished: Finished) -> None:
        """Hands an operation over; never raises, never waits."""
        self.buffer.put(finished)
        if self._thread is None:
            self._start()

    def flush(self, timeout_s: float) -> bool:
        """True when the server has answered for everything recorded so far, and nothing had to be dropped."""
        return self.buffer.wait_until_settled(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Delivers what is left, as far as the time allows; True when all was."""
        delivered = self.buffer.wait_until_settled(timeout_s)
        self.buffer.close()
        return delivered

    def stats(self) -> Stats:
        return Stats(
            buffered=len(self.buffer),
            sent=self._accepted + self._duplicates + self._rejected,
            accepted=self._accepted,
            duplicates=self._duplicates,
            rejected=self._rejected,
            dropped=self.buffer.dropped,
            last_error=self._last_error,
            connected=self._connected,
        )

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = Thread(target=self._run, name="featurememory-sender", daemon=True)
                thread.start()
                self._thread = thread
        except (
            RuntimeError
        ) as error:  # no more threads, or the interpreter ends: the next operation tries again
            self._last_error = str(error)
        finally:
            self._starting.release()

    def _run(self) -> None:
        while batch := self.buffer.take(self._interval_s):
            self._deliver(batch)
        self._connection.close()

    def _deliver(self, batch: list[Finished]) -> None:
        texts = []
        for finished in batch:
            try:
                texts.append(encode(finished, self.instance))
            except Exception as error:  # an operation of a kind we did not think of must not stop the others
                self._note(f"an operation could not be encoded: {error!r}")
        self.buffer.settle(len(batch) - len(texts), dropped=len(batch) - len(texts))
        parts = deque([texts] if texts else [])
        while parts:
            try:
                progress = self._send(parts)
            except Exception as error:  # whatever it is, the thread lives on and tries again
                progress = False
                self._back_off(f"sending failed: {error!r}")
            if progress:
                self._failures_in_a_row = 0
            elif self.buffer.closing:
                self.buffer.settle(sum(map(len, parts)), dropped=sum(map(len, parts)))
                return

    def _send(self, parts: deque[list[str]]) -> bool:
        """Sends the first part and takes it off, halves it where it is too much, or waits; True for
        progress."""
        texts = parts[0]
        try:
            response = self._post(texts)
        except OSError as error:
            self._connected = False
            self._back_off(f"the server cannot be reached: {error}")
            return False
        self._connected = True
        answer = _json_object(response.body)
        if response.status in (200, 422) and _is_account(answer):
            parts.popleft()
            self._take_answer(answer, len(texts))
            return True
        if response.status in (400, 413, 422):
            parts.popleft()
            if len(texts) == 1:
                self._reject(1, _reason(response))
                self.buffer.settle(1)
            else:
                middle = len(texts) // 2
                parts.extendleft([texts[middle:], texts[:middle]])
            return True
        self._connected = False
        if response.status == 200:
            self._back_off(f"the answer is not to be understood: {response.body[:100]!r}")
        elif response.status in (401, 403, 404, 405) or 300 <= response.status < 400:
            self._note(f"the server refuses: {_reason(response)}; operations wait, check url and API key")
            self.buffer.pause(_REFUSED_WAIT_S * (0.5 + random_share()), unless_flushed=True)
        else:
            self._back_off(f"the server is not ready: {_reason(response)}", _retry_after_s(response))
        return False

    def _post(self, texts: list[str]) -> Response:
        source = {
            "instance": self.instance,
            "sdk": f"python/{__version__}",
            "dropped": self.buffer.dropped,
        }
        body = f'{{"operations":[{",".join(texts)}],"source":{dumps(source)}}}'.encode("utf-8", "replace")
        headers = {"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json"}
        if len(body) > _GZIP_ABOVE:
            packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        return self._connection.request("POST", _PATH, headers, body)

    def _take_answer(self, answer: dict[str, Any], count: int) -> None:
        rejected, duplicates = answer["rejected"], answer.get("duplicates", 0)
        self._duplicates += duplicates
        self._accepted += count - len(rejected) - duplicates
        if rejected:
            self._reject(len(rejected), dumps(rejected[0])[:500])
        self.buffer.settle(count)

    def _reject(self, count: int, why: str) -> None:
        self._rejected += count
        self._note(f"the server refused {count} operations for good: {why}")

    def _back_off(self, what: str, at_least_s: float = 0.0) -> None:
        """Exponential, with full jitter, so that a fleet does not come back all at once."""
        ceiling = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self._failures_in_a_row, 20))
        self._failures_in_a_row += 1
        self._note(what)
        self.buffer.pause(at_least_s + ceiling * random_share(), unless_flushed=at_least_s == 0)

    def _note(self, what: str) -> None:
        self._last_error = what
        warn("Feature Memory", what)


def _is_account(answer: dict[str, Any]) -> bool:
    """Whether the answer says what became of each operation."""
    return isinstance(answer.get("rejected"), list) and isinstance(answer.get("duplicates", 0), int)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = loads(body)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _reason(response: Response) -> str:
    problem = _json_object(response.body)
    words = [str(problem[name]) for name in ("title", "detail") if problem.get(name)]
    return f"{response.status} {': '.join(words)}".strip()[:500]


def _retry_after_s(response: Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), _LONGEST_RETRY_AFTER_S) if text.isdigit() else 0.0
