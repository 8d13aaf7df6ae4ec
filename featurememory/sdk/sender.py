"""What the sender thread does: packs operations, posts the oldest batch, and heeds the answer."""

from __future__ import annotations

from contextlib import suppress
from json import JSONDecodeError, dumps, loads
from time import monotonic, sleep
from typing import Any

from featurememory import __version__
from featurememory.sdk.buffer import Buffer
from featurememory.sdk.encoding import Finished, encode
from featurememory.sdk.host_log import warn
from featurememory.sdk.http import HttpConnection, Response
from featurememory.sdk.identity import random_share
from featurememory.sdk.packing import gzipped, pack, unpack
from featurememory.sdk.spool import Spool

_PATH = "/api/v1/operations"
_GZIP_ABOVE = 4_096
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
_LONGEST_RETRY_AFTER_S = 300.0
_REFUSED_WAIT_S = 30.0


class Sender:
    """One thread's work. The server knows each operation by its id, so sending it again does no harm. `source` is
    what it is told of this process with each batch."""

    def __init__(
        self,
        buffer: Buffer,
        connection: HttpConnection,
        api_key: str,
        source: dict[str, Any],
        interval_s: float,
        spool: Spool | None,
    ) -> None:
        self._buffer = buffer
        self._connection = connection
        self._api_key = api_key
        self._source = {**source, "sdk": f"python/{__version__}"}
        self._interval_s = interval_s
        self._spool = spool
        self._failures_in_a_row = 0
        self._not_before = 0.0
        self._may_hurry = False
        self._flushes_seen = 0
        self.accepted = self.duplicates = self.rejected = 0
        self.last_error = ""
        self.connected = False

    def run(self) -> None:
        """Until the buffer is closed and all that can be done with what it holds is done."""
        while not self._buffer.done:
            try:
                self._turn()
            except BaseException as error:  # no memory, or a log handler of the host's that exits
                self._survive(error)
        self._connection.close()
        if self._spool is not None:
            self._spool.close()

    def _turn(self) -> None:
        buffer = self._buffer
        until = self._not_before if buffer.packed else None
        batch = buffer.take(self._interval_s, until, self._flushes_seen)
        if batch:
            self._pack(batch)
        if buffer.flushes > self._flushes_seen:
            self._flushes_seen = buffer.flushes
            self._not_before = 0.0 if self._may_hurry else self._not_before
        if buffer.closing or monotonic() >= self._not_before:
            self._send_first()

    def _survive(self, error: BaseException) -> None:
        """Without this thread all that is recorded would be lost. It goes on slowly, so that it cannot spin."""
        with suppress(BaseException):
            self._note("failure", f"sending failed: {error!r}")
        sleep(_FIRST_WAIT_S)

    def _pack(self, batch: list[Finished]) -> None:
        lost = len(batch)
        try:
            texts = self._encoded(batch)
            if texts:
                self._buffer.keep([pack(texts)])
                lost -= len(texts)
                self._keep_on_disk(texts)
        except Exception as error:
            self._note("failure", f"{lost} operations were lost: {error!r}")
        finally:
            self._buffer.settle(lost, dropped=lost)

    def _encoded(self, batch: list[Finished]) -> list[str]:
        texts = []
        for finished in batch:
            try:
                texts.append(encode(finished, self._source["instance"]))
            except Exception as error:  # a kind of operation we did not think of must not stop the others
                self._note("encoding", f"an operation could not be encoded: {error!r}")
        return texts

    def _keep_on_disk(self, texts: list[str]) -> None:
        if self._spool is not None:
            try:
                self._spool.append(texts)
            except OSError as error:
                self._note("spool", f"operations are not spooled: {error}")

    def _send_first(self) -> None:
        first = self._buffer.begin_first()
        if first is None:
            return
        try:
            settled = self._send(unpack(first))
        except OSError as error:
            settled = False
            self._back_off("unreachable", f"the server cannot be reached: {error}")
        except Exception as error:  # whatever it is, the thread lives on and tries again
            settled = False
            self._back_off("failure", f"sending failed: {error!r}")
        if settled:
            self._failures_in_a_row = 0
        elif self._buffer.closing:
            self._buffer.end_first(answered=first.size, dropped=first.size if self._spool is None else 0)
        else:
            self._buffer.retry_first()

    def _send(self, texts: list[str]) -> bool:
        """True when the batch is answered, or taken apart because it is too much; otherwise says how long to wait."""
        self.connected = False
        response = self._post(texts)
        answer = _json_object(response.body)
        self.connected = response.status in (200, 400, 413, 422)
        if response.status in (200, 422) and _is_account(answer):
            self._take_answer(answer, len(texts))
        elif response.status in (400, 413, 422) and len(texts) == 1:
            self._reject(1, _reason(response))
            self._answered(1)
        elif response.status in (400, 413, 422):
            middle = len(texts) // 2
            self._buffer.end_first([pack(texts[:middle]), pack(texts[middle:])])
        else:
            self._wait_after(response)
            return False
        return True

    def _post(self, texts: list[str]) -> Response:
        source = {**self._source, "dropped": self._buffer.dropped}
        body = f'{{"operations":[{",".join(texts)}],"source":{dumps(source)}}}'.encode()
        headers = {"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json"}
        if len(body) > _GZIP_ABOVE:
            body = gzipped(body)
            headers["Content-Encoding"] = "gzip"
        return self._connection.request("POST", _PATH, headers, body)

    def _take_answer(self, answer: dict[str, Any], count: int) -> None:
        rejected, duplicates = answer["rejected"], answer.get("duplicates", 0)
        self.duplicates += duplicates
        self.accepted += count - len(rejected) - duplicates
        if rejected:
            self._reject(len(rejected), dumps(rejected[0])[:500])
        self._answered(count)

    def _answered(self, count: int) -> None:
        if self._spool is not None and self._buffer.packed == 1:
            try:
                self._spool.clear()
            except OSError as error:
                self._note("spool", f"answered operations stay in the spool: {error}")
        self._buffer.end_first(answered=count)

    def _reject(self, count: int, why: str) -> None:
        self.rejected += count
        self._note("rejected", f"the server refused {count} operations for good: {why}")

    def _wait_after(self, response: Response) -> None:
        if response.status == 200:
            self.connected = False
            self._back_off("not understood", f"the answer is not to be understood: {response.body[:100]!r}")
        elif response.status in (401, 403, 404, 405) or 300 <= response.status < 400:
            self._wait(_REFUSED_WAIT_S * (0.5 + random_share()), may_hurry=True)
            self._note(
                "refused", f"the server refuses: {_reason(response)}; operations wait, check url and API key"
            )
        else:
            self._back_off(
                "not ready", f"the server is not ready: {_reason(response)}", _retry_after_s(response)
            )

    def _back_off(self, kind: str, what: str, at_least_s: float = 0.0) -> None:
        """Exponential, with full jitter, so that a fleet does not come back all at once."""
        ceiling = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self._failures_in_a_row, 20))
        self._failures_in_a_row += 1
        self._wait(at_least_s + ceiling * random_share(), may_hurry=at_least_s == 0)
        self._note(kind, what)

    def _wait(self, seconds: float, *, may_hurry: bool) -> None:
        """A flush may cut a wait short, unless the server asked for it."""
        self._not_before = monotonic() + seconds
        self._may_hurry = may_hurry

    def _note(self, kind: str, what: str) -> None:
        self.last_error = what
        warn(kind, what)


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
