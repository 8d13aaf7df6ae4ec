"""Where messages may go: not into the private network of the server, unless the installation allows it.

A name is resolved once, every address it has is checked, and the connection is made to an address that was checked:
a name that answers differently the second time leads nowhere else.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from featurememory.errors import ConfigurationError

Address = IPv4Address | IPv6Address
_NAT64: Final = ip_network("64:ff9b::/96")
WITHIN_S: Final = 5.0
VARIABLE: Final = "FEATUREMEMORY_PRIVATE_TARGETS"


class TargetRefused(ConfigurationError):
    """The target is private, or its name leads nowhere."""

    code = "target_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """A host and the addresses that it may be reached at."""

    host: str
    port: int
    addresses: tuple[Address, ...]


def resolve(host: str, port: int, allowed: Sequence[str], field: str = "url") -> Target:
    """Every address of the host, all of them checked; TargetRefused names the one that may not be."""
    addresses = _looked_up(host, port, field)
    for address in addresses:
        if not may_be_reached(host, address, allowed):
            raise TargetRefused(
                f"{field}: {host!r} leads to the private address {address}. If that is meant, name the host or its "
                f"network in {VARIABLE}.",
                field=field,
            )
    return Target(host, port, addresses)


def _looked_up(host: str, port: int, field: str) -> tuple[Address, ...]:
    """Name servers that do not answer are waited for as long as WITHIN_S: the system would for half a minute."""
    found: list[Address] = []
    failures: list[Exception] = []

    def look() -> None:
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend([ip_address(str(each[4][0]).partition("%")[0]) for each in known])
        except (OSError, UnicodeError, ValueError) as failure:
            failures.append(failure)

    looking = threading.Thread(target=look, name="look up", daemon=True)
    looking.start()
    looking.join(WITHIN_S)
    if not found:
        why = failures[0] if failures else "no name server answers"
        raise TargetRefused(f"{field}: the host {host!r} has no address ({why}).", field=field)
    return tuple(dict.fromkeys(found))


def may_be_reached(host: str, address: Address, allowed: Sequence[str]) -> bool:
    """Whether the address is public, or allowed by the host's name, its own, or its network."""
    plain = _embedded(address)
    if is_public(plain):
        return True
    names = {host.lower().strip("[]"), str(plain), str(address)}
    return any(each in names or ("/" in each and plain in ip_network(each)) for each in allowed)


def is_public(address: Address) -> bool:
    plain = _embedded(address)
    return plain.is_global and not (plain.is_multicast or plain.is_reserved or plain.is_unspecified)


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def connect(target: Target, timeout_s: float) -> socket.socket:
    """To the first of the checked addresses that answers; all of them together have so long."""
    until = time.monotonic() + timeout_s
    failure: OSError = OSError(f"{target.host} has no address")
    for address in target.addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((str(address), target.port), left)
        except OSError as refused:
            failure = refused
    raise failure


@contextmanager
def cut_off(connection: socket.socket | None, after_s: float) -> Iterator[None]:
    """Ends a conversation that takes longer as a whole, with TimeoutError: time limits of sockets begin anew with each
    byte."""
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with suppress(OSError):
            if connection is not None:
                connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(after_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as failure:
        if is_cut.is_set():
            raise TimeoutError("it took too long") from failure
        raise
    finally:
        timer.cancel()
    if is_cut.is_set():
        raise TimeoutError("it took too long")
