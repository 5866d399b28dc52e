"""Where the script is: its frames as sites of its source."""

from __future__ import annotations

from types import CodeType, FrameType

from microgpt_tui.debuggee.record.kinds import Scope
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import SiteKind


class Places:
    """Finds the sites of running frames; ``files`` are the instrumented files' paths."""

    def __init__(self, records: list[SiteRecord | None], files: dict[str, int]) -> None:
        self.records = records
        self.files = files

    def stack_of(self, frame: FrameType | None) -> list[Scope]:
        """The scopes around a frame: the frames of the script from the outermost in, each with its statement."""
        frames: list[FrameType] = []
        while frame is not None:
            if frame.f_code.co_filename in self.files:
                frames.append(frame)
            frame = frame.f_back
        stack: list[Scope] = []
        for found in reversed(frames):
            file = self.files[found.f_code.co_filename]
            function = self._function(file, found)
            if function < 0:
                continue
            record = self.records[function]
            assert record is not None
            stack.append(Scope(function, record.kind))
            statement = self._statement(function, found.f_lineno)
            if statement >= 0:
                stack.append(Scope(statement, SiteKind.STATEMENT))
        if not stack:
            first = next(i for i, r in enumerate(self.records) if r is not None)
            stack.append(Scope(first, SiteKind.MODULE))
        return stack

    def statement_at(self, frame: FrameType | None) -> int:
        """The site of the innermost statement that runs, or -1; lines of the class's methods are no statements."""
        seen: set[CodeType] = set()
        while frame is not None:
            code = frame.f_code
            if code.co_filename in self.files and code not in seen:
                seen.add(code)  # a recursion is looked at once
                function = self._function(self.files[code.co_filename], frame)
                found = self._statement(function, frame.f_lineno) if function >= 0 else -1
                if found >= 0:
                    return found
            frame = frame.f_back
        return -1

    def _function(self, file: int, frame: FrameType) -> int:
        code = frame.f_code
        for number, record in enumerate(self.records):
            if record is None or record.file != file:
                continue
            if code.co_name == "<module>" and record.kind is SiteKind.MODULE:
                return number
            if (
                record.kind is SiteKind.CALL
                and record.name == code.co_name
                and (
                    record.line == code.co_firstlineno or code.co_firstlineno <= record.line <= code.co_firstlineno + 8
                )
            ):
                return number
        return -1

    def _statement(self, function: int, line: int) -> int:
        best, best_line = -1, 0
        for number, record in enumerate(self.records):
            if record is None or record.kind is not SiteKind.STATEMENT or record.function != function:
                continue
            if record.line <= line <= record.end_line and record.line >= best_line:
                best, best_line = number, record.line
        return best
