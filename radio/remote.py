"""Who is at the other end of a request that may have come through proxies. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(text: str) -> Network | None:
    """An address or a network such as 10.0.0.0/8; None if it is neither."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def client(peer: str, forwarded: str, proxies: Iterable[str]) -> str:
    """The address of whoever asks: the peer of the connection, or, as far as proxies are believed, whom they name.

    `forwarded` is X-Forwarded-For, to which each proxy adds the address of its own peer: read from its end up to the
    first that is no proxy of ours. What is before that anybody can have written.
    """
    known = [found for proxy in proxies if (found := network(proxy))]
    address = peer
    for named in reversed(forwarded.split(",")):
        own = network(address)
        if own is None or network(named) is None or not any(_within(own, proxy) for proxy in known):
            break
        address = named.strip()
    return address


def _within(own: Network, proxy: Network) -> bool:
    return own.version == proxy.version and own.network_address in proxy


def has_port(link: str) -> bool:
    """Whether the link is host:port and not a path."""
    return "/" not in link and link.rpartition(":")[2].isdecimal()
