"""Delivers operations in batches from a background thread."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple

from featurememory.sdk.background import BackgroundThread
from featurememory.sdk.buffer import Buffer
from featurememory.sdk.encoding import Finished
from featurememory.sdk.http import HttpConnection, ServerAddress
from featurememory.sdk.identity import instance_name
from featurememory.sdk.options import Options
from featurememory.sdk.packing import pack
from featurememory.sdk.sender import Sender
from featurememory.sdk.spool import Spool

_LET_GO_S = 1.0


class Stats(NamedTuple):
    """What became of the operations recorded in this process.

    `buffered` wait or are on their way; `sent` were answered: `accepted`, `duplicates` or `rejected`; `dropped`
    never left, because the buffer was full or closed. `connected` tells how the last request ended, `last_error`
    what went wrong last. `breakers` are the fleet's while its word arrives, else `local`: they go by this process's
    own calls alone. `errors` that operations ended with, by kind, where there were any.
    """

    buffered: int
    sent: int
    accepted: int
    duplicates: int
    rejected: int
    dropped: int
    last_error: str
    connected: bool
    breakers: Literal["fleet", "local"] = "local"
    errors: Mapping[str, int] = {}


class Transport:
    """One sender thread, started by the first operation or by what an earlier process has left in the spool."""

    def __init__(
        self, address: ServerAddress, api_key: str, options: Options, breaker: Mapping[str, Any]
    ) -> None:
        """`breaker` is how this process's breakers are configured, for the server to know."""
        self._breaker = breaker
        self._api_key = api_key
        self._options = options
        self._connection = HttpConnection(address, options.request_timeout_s)
        self.buffer = Buffer(options.buffer_size, options.batch_size)
        self._spool = Spool(options.spool_path) if options.spool_path else None
        self._background = BackgroundThread("featurememory-sender")
        self._begin()
        if self._spool is not None:
            self._restore(self._spool)

    def _begin(self) -> None:
        self.instance = instance_name()
        self._sender = Sender(
            self.buffer,
            self._connection,
            self._api_key,
            {"instance": self.instance, "breaker": self._breaker},
            self._options.flush_interval_s,
            self._spool,
        )

    def after_fork(self) -> None:
        """In the child: nothing of the parent's is sent again; connection and spool file stay the parent's."""
        self._connection.abandon()
        self.buffer.after_fork()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        self._background.after_fork()
        self._begin()

    def record(self, finished: Finished) -> None:
        """Hands an operation over; never raises, never waits."""
        try:
            self.buffer.put(finished)
        except MemoryError:
            self.buffer.lose()
        if type(finished.permit) is str:  # a probe's result, for which the whole fleet waits
            self.buffer.hurry()
        if not self._background.running:
            self._start()

    def flush(self, timeout_s: float) -> bool:
        """True when the server has answered for everything recorded so far, and nothing had to be dropped."""
        self._start()
        return self.buffer.wait_until_settled(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Delivers what is left, as far as the time allows; True when all was. What was not stays in the spool,
        whose file is free for others then."""
        delivered = self.flush(timeout_s)
        self.close_soon()
        if self._spool is not None and self._background.alive:
            if not delivered:
                self._connection.end()  # what is under way is in the spool, too
            self._background.join(_LET_GO_S)
        return delivered

    def close_soon(self) -> None:
        """Takes in nothing more; what is left is delivered in the background, each batch tried once."""
        self.buffer.close()
        if self._spool is not None and not self._background.alive:
            self._spool.close()

    def stats(self) -> Stats:
        sender = self._sender
        return Stats(
            buffered=len(self.buffer),
            sent=sender.accepted + sender.duplicates + sender.rejected,
            accepted=sender.accepted,
            duplicates=sender.duplicates,
            rejected=sender.rejected,
            dropped=self.buffer.dropped,
            last_error=sender.last_error,
            connected=sender.connected,
        )

    def _start(self) -> None:
        if len(self.buffer) and (problem := self._background.start(self._run)):
            self._sender.last_error = f"nothing is sent: {problem}"

    def _run(self) -> None:
        """The thread holds the transport, not its sender alone: the end of the program waits for it, even if
        nobody else holds it any more."""
        self._sender.run()

    def _restore(self, spool: Spool) -> None:
        texts = spool.left_over()
        while batch := list(islice(texts, self._options.batch_size)):
            self.buffer.restore(pack(batch))
        if self.buffer.packed:
            self._start()
