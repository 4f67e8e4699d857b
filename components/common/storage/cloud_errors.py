"""What Google's errors mean to the person who runs litesmith, and what to do about them."""

import contextlib
from collections.abc import Iterator

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from requests import RequestException  # type: ignore[import-untyped]

from components.common.errors import UserError
from components.common.storage.storage import StorageError

_UNAVAILABLE = (api.GoogleAPIError, auth.GoogleAuthError, RequestException)


@contextlib.contextmanager
def explained(root: str, *, patience_s: float, writing: bool) -> Iterator[None]:
    """Turns Google's errors into what the person who runs litesmith can act on.

    Args:
      root: `gs://bucket` or `gs://bucket/prefix`, which is worked in.
      patience_s: how long one request was retried.
      writing: whether it takes the right to write.

    Raises:
      UserError: there are no credentials, no right or no bucket.
      StorageError: the bucket gave no good answer.
    """
    bucket = "/".join(root.split("/")[:3])
    try:
        yield
    except (auth.DefaultCredentialsError, auth.RefreshError, api.Unauthorized) as error:
        raise UserError(
            f"{bucket}: no valid Google credentials ({error}); run `gcloud auth "
            "application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file"
        ) from error
    except api.Forbidden as error:
        role = "roles/storage.objectUser" if writing else "roles/storage.objectViewer"
        raise UserError(
            f"{bucket}: no permission; grant {role} on the bucket to the account that runs "
            f"this ({error.message})"
        ) from error
    except api.NotFound as error:
        raise UserError(
            f"{bucket}: there is no such bucket; create it (`gcloud storage buckets create "
            f"{bucket}`) or correct the address {root}"
        ) from error
    except _UNAVAILABLE as error:
        raise StorageError(
            f"{root}: the bucket gave no good answer, with retries for up to "
            f"{patience_s:g} s ({error}); run again, finished work is kept"
        ) from error
