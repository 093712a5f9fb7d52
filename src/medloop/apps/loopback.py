"""Which names and addresses mean this machine and nothing beyond."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine and nothing beyond."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
