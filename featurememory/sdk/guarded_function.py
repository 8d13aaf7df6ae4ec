"""Functions of all kinds, guarded: plain, coroutine, generator and asynchronous generator functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from functools import partial, wraps
from types import CodeType
from typing import Any, Final

from featurememory.errors import CircuitBreakerError
from featurememory.sdk.operation import GuardedOperation

# The flags of a code object, as the module `inspect` names them; it would cost every host 1 MB.
_CO_GENERATOR: Final = 0x20
_CO_COROUTINE: Final = 0x80
_CO_ASYNC_GENERATOR: Final = 0x200

Begin = Callable[[], GuardedOperation]
Fallback = Callable[..., Any]


def guarded_function(
    function: Callable[..., Any], begin: Begin, fallback: Fallback | None
) -> Callable[..., Any]:
    """`function` with each call guarded; `fallback` gets the call's arguments where a breaker refused it."""
    flags = _code_flags(function)
    if flags & _CO_COROUTINE:
        return _guarded_coroutine(function, begin, fallback)
    if flags & _CO_ASYNC_GENERATOR:
        return _guarded_async_generator(function, begin, fallback)
    if flags & _CO_GENERATOR:
        return _guarded_generator(function, begin, fallback)
    return _guarded_plain(function, begin, fallback)


def is_coroutine_function(function: object) -> bool:
    return bool(_code_flags(function) & _CO_COROUTINE)


def is_awaitable(value: object) -> bool:
    return hasattr(type(value), "__await__")


def call_guarded(function: Callable[[], Any], begin: Begin) -> Any:
    """The result of `function`. Where that is an awaitable, so is what comes back, and the operation ends
    with it."""
    operation = begin().__enter__()
    try:
        result = function()
    except BaseException as error:
        operation.__exit__(type(error), error, error.__traceback__)
        raise
    if is_awaitable(result):
        return _BegunCall(result, operation)
    operation.judge(result)
    operation.__exit__(None, None, None)
    return result


async def await_guarded(awaitable: Awaitable[Any], begin: Begin) -> Any:
    """The result of `awaitable`; a coroutine that may not run is closed, as nobody will await it."""
    try:
        operation = await begin().__aenter__()
    except BaseException:
        if isinstance(awaitable, Coroutine):
            awaitable.close()
        raise
    return await _finish_awaiting(awaitable, operation)


class _BegunCall(Coroutine[Any, Any, Any]):
    """What a call gave to be awaited. The operation ends with it, and also where it never begins: its task may be
    cancelled before the first step, or nobody awaits it."""

    __slots__ = ("_awaitable", "_operation", "_result")

    def __init__(self, awaitable: Awaitable[Any], operation: GuardedOperation) -> None:
        self._awaitable = awaitable
        self._operation: GuardedOperation | None = operation
        self._result = _finish_awaiting(awaitable, operation)

    def send(self, value: Any) -> Any:
        self._operation = None
        return self._result.send(value)

    def throw(self, *error: Any) -> Any:
        self._cancel_unbegun()
        return self._result.throw(*error)

    def close(self) -> None:
        self._cancel_unbegun()
        self._result.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        self._operation = None
        return self._result.__await__()

    def __del__(self) -> None:
        self._end_unbegun()

    def _cancel_unbegun(self) -> None:
        if self._operation is not None and isinstance(self._awaitable, Coroutine):
            self._awaitable.close()
        self._end_unbegun()

    def _end_unbegun(self) -> None:
        operation, self._operation = self._operation, None
        if operation is not None:
            operation.__exit__(GeneratorExit, GeneratorExit(), None)


async def _finish_awaiting(awaitable: Awaitable[Any], operation: GuardedOperation) -> Any:
    try:
        result = await awaitable
    except BaseException as error:
        operation.__exit__(type(error), error, error.__traceback__)
        raise
    operation.judge(result)
    operation.__exit__(None, None, None)
    return result


def _guarded_plain(
    function: Callable[..., Any], begin: Begin, fallback: Fallback | None
) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return call_guarded(lambda: function(*args, **kwargs), begin)
        except CircuitBreakerError:
            if fallback is None:
                raise
        return fallback(*args, **kwargs)

    return guarded


def _guarded_coroutine(
    function: Callable[..., Any], begin: Begin, fallback: Fallback | None
) -> Callable[..., Any]:
    @wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            async with begin() as operation:
                result = await function(*args, **kwargs)
                operation.judge(result)
                return result
        except CircuitBreakerError:
            if fallback is None:
                raise
        result = fallback(*args, **kwargs)
        return await result if is_awaitable(result) else result

    return guarded


def _guarded_generator(
    function: Callable[..., Any], begin: Begin, fallback: Fallback | None
) -> Callable[..., Any]:
    """The operation lasts from the first item asked for to the last; a consumer that stops early cancels
    it."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        try:
            operation = begin().__enter__()
        except CircuitBreakerError:
            if fallback is None:
                raise
            return (yield from fallback(*args, **kwargs))
        try:
            result = yield from function(*args, **kwargs)
        except BaseException as error:
            operation.__exit__(type(error), error, error.__traceback__)
            raise
        operation.__exit__(None, None, None)
        return result

    return guarded


def _guarded_async_generator(
    function: Callable[..., Any], begin: Begin, fallback: Fallback | None
) -> Callable[..., Any]:
    """As with generators; what is sent or thrown in reaches the consumer's loop, not the function."""

    @wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        try:
            operation = await begin().__aenter__()
        except CircuitBreakerError:
            if fallback is None:
                raise
            async for item in fallback(*args, **kwargs):
                yield item
            return
        items = None
        try:
            items = function(*args, **kwargs)
            async for item in items:
                yield item
        except BaseException as error:
            operation.__exit__(type(error), error, error.__traceback__)
            raise
        else:
            operation.__exit__(None, None, None)
        finally:
            if items is not None:
                await items.aclose()

    return guarded


def _code_flags(function: object) -> int:
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):  # there are objects that answer to every name
        code = getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004 - its code is wanted
    return code.co_flags if isinstance(code, CodeType) else 0
