"""What is not read is counted by reason, in bounded memory, and said in one line."""

from __future__ import annotations

from padkit.data.unread import MOST, Unread, total, unread_line


def test_the_count_is_bounded_and_complete():
    unread = Unread()
    for number in range(10 * MOST):
        unread.note(f"with suffix .{number}", number)
    assert len(unread.entries()) == MOST + 1
    assert total(unread.entries()) == 10 * MOST
    line = unread_line(unread.entries())
    assert line.startswith("1000 files, folders or rows: 900 other reasons (the first: 100); 1 with")
    assert line.endswith("; 98 other reasons")


def test_one_fault_makes_a_reason_a_fault():
    unread = Unread()
    for name in "abc":
        unread.note("odd", name, fault=name == "b")
    assert unread.entries() == [{"reason": "odd", "count": 3, "example": "a", "fault": True}]
    assert Unread().entries() == []
