"""A request that is not answered with a result. Imports no torch."""

from __future__ import annotations

from padkit.errors import PadkitError


class RefusalError(PadkitError):
    """Becomes an answer `{"error": {"code", "detail"}}`.

    Args:
        status: Of HTTP.
        code: One word for programs.
        detail: One line for people.
        close: Whether the connection is closed, so that a body that was not read need not be.
    """

    def __init__(self, status: int, code: str, detail: str, *, close: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.close = close

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (self.status, self.code, str(self), self.close)


def _rebuilt(status: int, code: str, detail: str, close: bool) -> RefusalError:
    return RefusalError(status, code, detail, close=close)
