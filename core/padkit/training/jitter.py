"""Which jitter a run's options ask for, and whether its crops are stored with the room for it."""

from __future__ import annotations

from padkit.data.jitter import Jitter
from padkit.errors import SettingsError


def jitter_within(room: float, *, scale: float | None, shift: float | None) -> Jitter | None:
    """Return the jitter of a run whose crops are stored with `room`, or None if crops are never moved.

    Args:
        room: Share of the crop's side stored beyond it on each side.
        scale: See `Jitter`; None takes the room: with 0.1 a tenth.
        shift: See `Jitter`; None takes half of it. So the farthest crop just lies within the room.

    Raises:
        SettingsError: The jitter needs more room than there is.
    """
    asked = Jitter(scale=room if scale is None else scale, shift=room / 2 if shift is None else shift)
    if asked.room > room + 1e-9:
        raise SettingsError(
            f"--jitter_scale {asked.scale:g} and --jitter_shift {asked.shift:g} need room {asked.room:g} around the "
            f"stored crops, and there is {room:g}; lower them, or store more (--data.room, padkit prepare --room)."
        )
    return asked if asked.room else None
