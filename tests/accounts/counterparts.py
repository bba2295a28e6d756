"""What others say of accounts, for the tests beside: a request is a line of JSON, and so is its answer.

pyotp reads the address of an authenticator and shows codes. soft-webauthn is an authenticator, py_webauthn a server that verifies.
Django, bcrypt and argon2-cffi hash passwords.
"""

import json
import sys

import argon2
import bcrypt
import pyotp
import webauthn
from django.conf import settings
from django.contrib.auth import hashers
from fido2 import cbor
from fido2.utils import sha256
from soft_webauthn import SoftWebauthnDevice
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    parse_authentication_options_json,
    parse_registration_options_json,
)

settings.configure()

# The byte of the flags in what an authenticator says, and the bit for somebody who was checked (WebAuthn §6.1).
FLAGS = 32
VERIFIED = 0x04


def verified(data):
    return data[:FLAGS] + bytes([data[FLAGS] | VERIFIED]) + data[FLAGS + 1 :]


class CheckedDevice(SoftWebauthnDevice):
    """soft-webauthn says that somebody is there. This one has checked who, and can attest itself."""

    def signed(self, data, client):
        return self.private_key.sign(data + sha256(client), ec.ECDSA(hashes.SHA256()))

    def create(self, options, origin, attests=False):
        credential = super().create(options, origin)
        response = credential["response"]
        attestation = cbor.decode(response["attestationObject"])
        data = verified(attestation["authData"])
        statement = {"alg": -7, "sig": self.signed(data, response["clientDataJSON"])} if attests else {}
        attestation = {"fmt": "packed" if attests else "none", "attStmt": statement, "authData": data}
        response["attestationObject"] = cbor.encode(attestation)
        return credential

    def get(self, options, origin):
        credential = super().get(options, origin)
        response = credential["response"]
        data = verified(response["authenticatorData"])
        response["authenticatorData"] = data
        response["signature"] = self.signed(data, response["clientDataJSON"])
        return credential


DEVICES = {}


def for_python(options):
    """Options as soft-webauthn takes them: with bytes."""
    options = dict(options, challenge=base64url_to_bytes(options["challenge"]))
    if "user" in options:
        options["user"] = dict(options["user"], id=base64url_to_bytes(options["user"]["id"]))
    return {"publicKey": options}


def as_json(credential):
    """A credential as `toJSON` of a browser gives it."""
    response = {name: bytes_to_base64url(value) for name, value in credential["response"].items()}
    raw = bytes_to_base64url(credential["rawId"])
    return {"id": raw, "rawId": raw, "type": credential["type"], "response": response, "clientExtensionResults": {}}


def create(device, options, origin, checked=True, attests=False):
    DEVICES[device] = CheckedDevice() if checked else SoftWebauthnDevice()
    more = {"attests": attests} if checked else {}
    return as_json(DEVICES[device].create(for_python(options), origin, **more))


def get(device, options, origin, count=None):
    if count is not None:
        DEVICES[device].sign_count = count
    return as_json(DEVICES[device].get(for_python(options), origin))


def read_options(creation, request):
    made = parse_registration_options_json(creation)
    asked = parse_authentication_options_json(request)
    return {
        "rp": made.rp.id,
        "user": bytes_to_base64url(made.user.id),
        "algorithms": [int(one.alg) for one in made.pub_key_cred_params],
        "verification": [made.authenticator_selection.user_verification, asked.user_verification],
        "attestation": made.attestation,
        "asked": asked.rp_id,
    }


def verify(options, credential, origin, request, proof):
    """What py_webauthn says of a passkey and of a proof by it."""
    made = webauthn.verify_registration_response(
        credential=credential,
        expected_challenge=base64url_to_bytes(options["challenge"]),
        expected_rp_id=options["rp"]["id"],
        expected_origin=origin,
        require_user_verification=True,
    )
    proven = webauthn.verify_authentication_response(
        credential=proof,
        expected_challenge=base64url_to_bytes(request["challenge"]),
        expected_rp_id=request["rpId"],
        expected_origin=origin,
        credential_public_key=made.credential_public_key,
        credential_current_sign_count=made.sign_count,
        require_user_verification=True,
    )
    return {"format": made.fmt, "id": bytes_to_base64url(made.credential_id), "counts": [made.sign_count, proven.new_sign_count]}


def authenticator(uri):
    totp = pyotp.parse_uri(uri)
    return {
        "secret": totp.secret,
        "issuer": totp.issuer,
        "name": totp.name,
        "digits": totp.digits,
        "interval": totp.interval,
        "again": totp.provisioning_uri(),
    }


def code(uri, time):
    return pyotp.parse_uri(uri).at(time)


# Each as the tool makes it, at the cost that the tool has of itself.
HASHES = {
    "bcrypt": lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode(),
    "argon2-cffi": lambda password: argon2.PasswordHasher().hash(password),
    "Django: PBKDF2": lambda password: hashers.make_password(password, hasher="pbkdf2_sha256"),
    "Django: bcrypt": lambda password: hashers.make_password(password, hasher="bcrypt_sha256"),
    "Django: scrypt": lambda password: hashers.make_password(password, hasher="scrypt"),
    # Its own 100 MiB are more than the gate reads.
    "Django: argon2": lambda password: hashed_by_argon2(password, memory_cost=65536),
    "Django: argon2 of 100 MiB": lambda password: hashed_by_argon2(password),
}


def hashed_by_argon2(password, **costs):
    hasher = hashers.Argon2PasswordHasher()
    for name, value in costs.items():
        setattr(hasher, name, value)
    return hasher.encode(password, hasher.salt())


def hashed(password):
    return {name: make(password) for name, make in HASHES.items()}


ANSWERS = {f.__name__: f for f in (create, get, read_options, verify, authenticator, code, hashed)}

for line in sys.stdin:
    given = json.loads(line)
    try:
        answer = {"answer": ANSWERS[given.pop("ask")](**given)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
