#!/usr/bin/env python3
"""Writes pyjwt.json: tokens signed by PyJWT, with what verifies them.

    python3 -m venv venv && venv/bin/pip install 'pyjwt[crypto]==2.15.1'
    venv/bin/python tests/worker/peers/pyjwt.py > tests/worker/peers/pyjwt.json

The keys are made anew on each run. Private ones are thrown away; the HMAC secrets are in the file, and
serve nothing else.
"""

import json
import secrets
import sys

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

EXPIRES = 4102444800  # 2100-01-01


def public_forms(algorithm, private):
    public = private.public_key()
    jwk = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(public))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"jwk": {**jwk, "kid": f"pyjwt-{algorithm.lower()}"}, "pem": pem}


def signed(algorithm, key, public):
    issuer = f"https://pyjwt.test/{algorithm.lower()}"
    claims = {
        "iss": issuer,
        "sub": "pyjwt|zo\u00eb",
        "aud": ["https://api.example.com", "https://other.example.com"],
        "exp": EXPIRES,
        "iat": 1700000000,
        "nbf": 1700000000,
        "jti": f"pyjwt-{algorithm.lower()}",
        "scope": "read:posts write:posts",
    }
    headers = {"kid": f"pyjwt-{algorithm.lower()}"}
    return {
        "algorithm": algorithm,
        "issuer": issuer,
        "token": jwt.encode(claims, key, algorithm=algorithm, headers=headers),
        **public,
    }


def main():
    vectors = []
    for algorithm, length in [("HS256", 32), ("HS384", 48), ("HS512", 64)]:
        secret = secrets.token_urlsafe(length)
        vectors.append(signed(algorithm, secret, {"secret": secret}))
    for algorithm, private in [
        ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ]:
        vectors.append(signed(algorithm, private, public_forms(algorithm, private)))
    document = {
        "name": "tokens signed by PyJWT",
        "source": f"tests/worker/peers/pyjwt.py with PyJWT {jwt.__version__}",
        "vectors": vectors,
    }
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


main()
