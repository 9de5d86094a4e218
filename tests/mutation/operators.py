"""Small changes of a Python source: what a mutation score is counted over.

The operators are the usual ones (Offutt, Lee, Rothermel, Untch and Zapf, "An experimental determination of sufficient
mutant operators", 1996), for Python: comparisons, boundaries, arithmetic, booleans, constants, results and statements.
Annotations, docstrings, imports and patterns aren't changed, since no run would notice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

_NEGATED = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BOUNDARIES = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
_EXTREMES = {"min": "max", "max": "min"}


class Mutant(NamedTuple):
    """One change of a source.

    Attributes:
        operator: the kind of change.
        line: where, counted from 1.
        before: the text that is replaced.
        after: the text in its place.
        at: the first byte of it in the source.
        stands_in: the line's text, without its indentation.
    """

    operator: str
    line: int
    before: str
    after: str
    at: int
    stands_in: str

    def applied(self, source: str) -> str:
        """Return the changed source."""
        text = source.encode()
        end = self.at + len(self.before.encode())
        return (text[: self.at] + self.after.encode() + text[end:]).decode()

    @property
    def change(self) -> str:
        """The change, on one line."""
        return f"{' '.join(self.before.split())} → {' '.join(self.after.split())}"


def mutants(source: str) -> list[Mutant]:
    """Return all changes of a source, in the order of their places."""
    found = _Finder(source)
    found.visit(ast.parse(source))
    return sorted(found.mutants, key=lambda mutant: (mutant.at, mutant.operator, mutant.after))


class _Finder(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self.mutants: list[Mutant] = []
        self._text = source.encode()
        self._lines = [0]
        for line in self._text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._returns_bool = False

    def _add(self, operator: str, node: ast.stmt | ast.expr, after: str | ast.expr) -> None:
        if node.end_lineno is None or node.end_col_offset is None:
            return
        at = self._lines[node.lineno - 1] + node.col_offset
        end = self._lines[node.end_lineno - 1] + node.end_col_offset
        written = after if isinstance(after, str) else f"({ast.unparse(after)})"
        line = self._text[self._lines[node.lineno - 1] : self._lines[node.lineno]].decode().strip()
        self.mutants.append(Mutant(operator, node.lineno, self._text[at:end].decode(), written, at, line))

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            for name, table in (("comparison", _NEGATED), ("boundary", _BOUNDARIES)):
                other = table.get(type(operator))
                if other is not None:
                    operators = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                    self._add(name, node, ast.Compare(node.left, operators, node.comparators))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = _ARITHMETIC.get(type(node.op))
        if other is not None and not isinstance(node.left, ast.JoinedStr):
            self._add("arithmetic", node, ast.BinOp(node.left, other(), node.right))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._add("boolean", node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add("boolean", node, node.operand)
        if isinstance(node.op, ast.USub):
            self._add("arithmetic", node, node.operand)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._add("boolean", node, str(not node.value))
        elif isinstance(node.value, int | float):
            self._add("constant", node, f"({ast.unparse(node)} + 1)")

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _EXTREMES:
            self._add("boundary", node.func, _EXTREMES[node.func.id])
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        nothing = isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool | None)
        if node.value is not None and not nothing:
            other = f"return not ({ast.unparse(node.value)})" if self._returns_bool else "return None"
            self._add("result", node, other)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self._add("statement", node, "pass")
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        # A name that isn't bound fails by itself: what is kept somewhere is removed.
        if any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._add("statement", node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add("statement", node, "pass")
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add("statement", node, "pass")

    def visit_Delete(self, node: ast.Delete) -> None:
        self._add("statement", node, "pass")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer, self._returns_bool = self._returns_bool, isinstance(node.returns, ast.Name) and node.returns.id == "bool"
        for default in self._defaults(node.args):
            self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self._returns_bool = outer

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:  # decorators say how a class is made
            self.visit(statement)

    def visit_match_case(self, node: ast.match_case) -> None:
        if node.guard is not None:
            self.visit(node.guard)
        for statement in node.body:
            self.visit(statement)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave texts as they are."""

    @staticmethod
    def _defaults(arguments: ast.arguments) -> Iterator[ast.expr]:
        yield from arguments.defaults
        yield from (default for default in arguments.kw_defaults if default is not None)
