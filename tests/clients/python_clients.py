"""What Authlib and requests-oauthlib do with the gate. The gate, its clients and a session come as JSON on standard input."""

import json
import os
import sys
import time

# oauthlib and requests-oauthlib want https, but for tests.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.integrations.requests_client import OAuth2Session as Authlib
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import import_key
from oauthlib.oauth2 import BackendApplicationClient, InvalidGrantError, InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as RequestsOauthlib

given = json.load(sys.stdin)
origin, issuer = given["origin"], given["issuer"]
API = f"{origin}/v1/posts"


def metadata():
    """RFC 8414, checked by Authlib."""
    found = requests.get(get_well_known_url(issuer, external=True), timeout=30).json()
    server = AuthorizationServerMetadata(found)
    # The rest of it wants https, and a server that people log in at.
    for name in ["grant_types_supported", "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
                 "revocation_endpoint_auth_methods_supported", "introspection_endpoint_auth_methods_supported",
                 "introspection_endpoint_auth_signing_alg_values_supported"]:
        getattr(server, f"validate_{name}")()
    assert server["issuer"] == issuer
    return server


def machine(server, session, prove=lambda: None):
    """A token of a machine, checked, used, asked about and revoked by Authlib; `prove` comes before each request as a client."""
    prove()
    token = session.fetch_token(server["token_endpoint"], grant_type="client_credentials", scope="read:posts")
    assert token["scope"] == "read:posts", token
    assert not token.is_expired()
    subject = f"client|{session.client_id}"
    assert session.get(API).json()["subject"] == subject
    # A secret has no public key (HS256), and Authlib checks no EdDSA unless told to.
    if given["algorithm"] not in ["HS256", "EdDSA"]:
        is_valid(server, token["access_token"], subject)

    def ask():
        prove()
        return session.introspect_token(server["introspection_endpoint"], token=token["access_token"]).json()

    told = ask()
    assert told["active"] and told["sub"] == subject, told
    prove()
    assert session.revoke_token(server["revocation_endpoint"], token=token["access_token"]).status_code == 200
    assert ask() == {"active": False}


def is_valid(server, access, subject):
    """As a service checks it that has never heard of edgegate (RFC 9068)."""
    class Validator(JWTBearerTokenValidator):
        def get_jwks(self):
            return requests.get(server["jwks_uri"], timeout=30).json()

    validator = Validator(issuer, given["audience"])
    claims = validator.authenticate_token(access)
    validator.validate_token(claims, ["read:posts"], None)
    assert claims["sub"] == subject
    other = Validator(issuer, "https://other.example")
    try:
        other.validate_token(other.authenticate_token(access), [], None)
    except InvalidTokenError:
        return
    raise AssertionError("a token for another service was taken")


def by_key(server, alg):
    """private_key_jwt."""
    key = import_key(given["keys"][alg])
    session = Authlib("signer", key, token_endpoint_auth_method="private_key_jwt", revocation_endpoint_auth_method="private_key_jwt")

    def prove():
        # Authlib's assertions hold for an hour by themselves, the gate takes five minutes. It writes the `jti` into these claims, so they are made anew.
        claims = {"exp": int(time.time()) + 60}
        method = PrivateKeyJWT(server["token_endpoint"], claims=claims, headers={"kid": alg}, alg=alg)
        session.register_client_auth_method(method)

    return session, prove


def authlib_session(server):
    """Authlib renews by itself what has expired."""
    kept = []
    session = Authlib(
        "app", given["secrets"]["app"], token_endpoint_auth_method="client_secret_post", token_endpoint=server["token_endpoint"],
        token={**given["sessions"][0], "expires_at": 1}, update_token=lambda token, refresh_token: kept.append((token, refresh_token)),
    )
    assert session.get(API).json()["subject"] == given["subject"]
    [(token, before)] = kept
    assert before == given["sessions"][0]["refresh_token"] != token["refresh_token"]


def requests_oauthlib_machine():
    def session(scope):
        session = RequestsOauthlib(client=BackendApplicationClient(client_id="batch", scope=[scope]))
        session.fetch_token(f"{origin}/auth/token", auth=HTTPBasicAuth("batch", given["secrets"]["batch"]))
        return session

    assert session("read:posts").get(API).json()["subject"] == "client|batch"
    try:
        session("admin")
    except InvalidScopeError:
        return
    raise AssertionError("a scope that the client does not have was given")


def requests_oauthlib_session():
    """requests-oauthlib renews what has expired, and hands it on to be kept."""
    kept = []
    session = RequestsOauthlib(
        "app", token={**given["sessions"][1], "expires_in": -1}, auto_refresh_url=f"{origin}/auth/token",
        auto_refresh_kwargs={"client_id": "app", "client_secret": given["secrets"]["app"]}, token_updater=kept.append,
    )
    assert session.get(API).json()["subject"] == given["subject"]
    [token] = kept
    assert token["refresh_token"] != given["sessions"][1]["refresh_token"]
    ended = requests.post(f"{origin}/auth/revoke", auth=None, timeout=30, data={
        "token": token["refresh_token"], "client_id": "app", "client_secret": given["secrets"]["app"],
    })
    assert ended.status_code == 200, ended.text
    try:
        session.refresh_token(f"{origin}/auth/token")
    except InvalidGrantError:
        return
    raise AssertionError("a session that has ended was renewed")


server = metadata()
for method in ["client_secret_basic", "client_secret_post"]:
    machine(server, Authlib("batch", given["secrets"]["batch"], token_endpoint_auth_method=method))
for alg in given["assertions"]:
    machine(server, *by_key(server, alg))
authlib_session(server)
requests_oauthlib_machine()
requests_oauthlib_session()
