"""Ask a node on this machine whether it is alive: exit 0 if so. For the container image."""
# ruff: noqa: INP001 (a script, not a package)

import ssl
import sys
import urllib.error
import urllib.request

PORT = sys.argv[1] if len(sys.argv) > 1 else "8080"


def main() -> int:
    """Ask with TLS, then without; the certificate is of a name, and this is loopback."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for scheme in ("https", "http"):
        url = f"{scheme}://127.0.0.1:{PORT}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310
                return 0 if answer.status == 200 else 1
        except (urllib.error.URLError, OSError):
            continue
    return 1


if __name__ == "__main__":
    sys.exit(main())
