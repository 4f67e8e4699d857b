"""Who litesmith is to a server, and whom it trusts: tokens and certificates."""

import subprocess
import time
from collections.abc import Mapping

import kfp_server_api
from kfp.client.token_credentials_base import TokenCredentialsBase

from components.common.errors import UserError
from pipeline.target import CommandAuth, KubeflowTarget, TokenAuth

_TOKEN_USE_S = 600


class CommandCredentials(TokenCredentialsBase):  # type: ignore[misc]
    """Tokens printed by a command, which live an hour or so: each is used for ten minutes."""

    def __init__(self, auth: CommandAuth) -> None:
        self._command = auth.command
        self._token = ""
        self._expires = 0.0

    def refresh_api_key_hook(self, config: kfp_server_api.Configuration) -> None:
        """Puts a token into the client's configuration; called before every request."""
        if time.monotonic() >= self._expires:
            self._token = self._print_token()
            self._expires = time.monotonic() + _TOKEN_USE_S
        config.api_key["authorization"] = self._token

    def _print_token(self) -> str:
        shown = " ".join(self._command)
        try:
            done = subprocess.run(
                self._command, capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"auth.command: {shown} did not run ({error})") from error
        if done.returncode or not done.stdout.strip():
            said = done.stderr.strip() or "it printed nothing"
            raise UserError(f"auth.command: {shown} gave no token: {said}")
        return done.stdout.strip()


def read_token(auth: TokenAuth, environment: Mapping[str, str]) -> str:
    token = environment.get(auth.variable, "").strip()
    if not token:
        raise UserError(
            f"{auth.variable}: is not set, and the target takes the token for KFP from it; for "
            f"one, export {auth.variable}=$(kubectl create token SERVICE_ACCOUNT "
            "--audience=pipelines.kubeflow.org)"
        )
    return token


def find_certificates(target: KubeflowTarget) -> str | None:
    """Returns the target's certificates, once they are seen to be some."""
    if target.ca_file is None:
        return None
    try:
        with open(target.ca_file, encoding="ascii") as file:
            own = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"ca_file: {target.ca_file} can't be read as PEM ({error})") from error
    if "BEGIN CERTIFICATE" not in own:
        raise UserError(f"ca_file: {target.ca_file} holds no certificate in PEM form")
    return target.ca_file
