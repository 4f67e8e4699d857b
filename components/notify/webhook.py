"""Posts to a webhook, whose address is a secret: no message here ever holds it."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

_ATTEMPTS = 3
_TIMEOUT_S = 10.0


class WebhookError(Exception):
    """The webhook was not reached or did not accept; the message holds no address."""


def post_json(address: str, body: Mapping[str, Any], *, pause_s: float = 2.0) -> None:
    """Posts JSON, up to three times.

    Args:
      address: http:// or https://.
      body: what to post.
      pause_s: before the second attempt; twice as long before the third.

    Raises:
      WebhookError: no attempt was accepted, or another one could not help.
    """
    if not address.startswith(("https://", "http://")):
        raise WebhookError("the address must begin with https:// or http://")
    data = json.dumps(body).encode()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _post(address, data)
            return
        except urllib.error.HTTPError as error:
            problem, passing = f"it answered {error.code}", error.code >= 500 or error.code == 429
            error.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The type alone: the text of some of these repeats the address.
            problem, passing = type(error).__name__, isinstance(error, OSError)
        if not passing or attempt == _ATTEMPTS:
            raise WebhookError(f"{problem}, attempt {attempt}") from None
        time.sleep(pause_s * attempt)


def _post(address: str, data: bytes) -> None:
    request = urllib.request.Request(
        address, data=data, headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
        pass
