"""A small provider of OpenID Connect, reached over a socket; it lies where a test says so."""

import base64
import hashlib
import json
import secrets
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "medloop"
SECRET = "the-client's: secret"  # noqa: S105 - of this test


class Provider:
    """Who is there, and what it says of them; `claims` and `key` can be changed by a test.

    Who is asked to sign in anew does so at once: `auth_time` is now.
    """

    def __init__(self, clock):
        self.clock = clock
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.published = [self.key]
        self.claims = {"sub": "42", "preferred_username": "li", "roles": ["radiology"]}
        self.header = {"alg": "RS256", "kid": "1"}
        self.issuer = ""
        self.codes = {}

    def authorize(self, url: str) -> str:
        """Sign in as a person would, and return where the browser is sent then."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{self._answered(asked)}"

    def lead_back(self, path: str) -> str:
        """Sign a browser in, and return the whole address where it is sent then."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        return f"{asked['redirect_uri']}?{self._answered(asked)}"

    def _answered(self, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return urlencode({"code": code, "state": asked["state"]})

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict]:
        """Exchange a code, once, for whoever knows the secret and the verifier."""
        kind, _, sent = authorization.partition(" ")
        name, _, secret = base64.b64decode(sent).decode().partition(":")
        asked = self.codes.pop(form.get("code"), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_known = kind == "Basic" and (unquote(name), unquote(secret)) == (CLIENT, SECRET)
        if not is_known or asked is None or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        if "max_age" in asked:  # OpenID Connect Core 3.1.2.1: auth_time must then be told
            claims["auth_time"] = now
        signed = jwt.encode(self.header, claims | self.claims, self.key)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": signed}

    def get(self, path: str) -> dict | None:
        """Answer what anybody may ask."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        if path == "/keys":
            return {"keys": [key.as_dict(private=False) for key in self.published]}
        return None


@contextmanager
def running(clock):
    """Let a provider listen on a free port of this machine."""
    provider = Provider(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/authorize?"):
                self.send_response(302)
                self.send_header("Location", provider.lead_back(self.path))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = provider.get(self.path)
            self.answer(404 if found is None else 200, found or {})

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode())
            flat = {name: values[0] for name, values in form.items()}
            self.answer(*provider.token(flat, self.headers.get("Authorization", "")))

        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
