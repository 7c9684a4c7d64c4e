"""Whether a statement at the top of a module acts when the module is loaded, or only binds names.

A statement that acts may change what other code of the module sees (`TABLE.update(...)`, a loop that fills a list, a
decorator that enters a function in a registry), so it counts for whoever loads the module. What cannot be told from
the text counts as acting: a step that runs once too often costs time, a stale result costs trust.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

# Decorators that only wrap what they are given. Any other may enter the function in a registry, so that a module
# which is merely loaded changes what happens.
PURE_DECORATORS = frozenset(
    (
        *("staticmethod", "classmethod", "property", "setter", "getter", "deleter", "cached_property"),
        *("dataclass", "total_ordering", "runtime_checkable", "unique", "final", "override", "overload"),
        *("cache", "lru_cache", "wraps", "singledispatch", "contextmanager", "asynccontextmanager"),
        *("abstractmethod", "no_type_check", "deprecated", "view"),
    )
)

# Functions that make a value of their arguments and leave these as they are.
PURE_BUILTINS = frozenset(
    (
        *("abs", "bool", "bytes", "complex", "dict", "divmod", "enumerate", "float", "format", "frozenset", "hash"),
        *("hasattr", "int", "isinstance", "issubclass", "len", "list", "max", "min", "object", "open", "ord", "pow"),
        *(
            "range",
            "repr",
            "reversed",
            "round",
            "set",
            "slice",
            "sorted",
            "str",
            "sum",
            "super",
            "tuple",
            "type",
            "zip",
        ),
    )
)
PURE_MODULES = frozenset(
    (
        *("re", "datetime", "zoneinfo", "pathlib", "decimal", "fractions", "math", "cmath", "statistics", "string"),
        *("typing", "typing_extensions", "collections", "dataclasses", "enum", "os.path", "numbers"),
    )
)
PURE_CALLS = frozenset(
    (
        *("functools.partial", "os.getenv", "os.environ.get", "logging.getLogger", "json.load", "json.loads"),
        *("operator.itemgetter", "operator.attrgetter", "operator.methodcaller", "numpy.random.default_rng"),
        *("tomllib.load", "tomllib.loads", "yaml.safe_load", "itertools.chain", "itertools.product", "types.MappingProxyType"),
        *(f"numpy.{name}" for name in ("array", "asarray", "arange", "linspace", "zeros", "ones", "full", "eye")),
        *(f"numpy.{name}" for name in ("log", "exp", "sqrt", "float32", "float64", "int32", "int64", "dtype")),
        *(f"polars.{name}" for name in ("col", "lit", "when", "all", "exclude", "struct", "concat_str", "coalesce")),
        *(f"polars.{name}" for name in ("DataFrame", "Series", "Schema", "Enum", "List", "Datetime", "Duration")),
        *(f"polars.{name}" for name in ("date", "datetime", "duration", "read_csv", "read_parquet", "element")),
        *(f"pandas.{name}" for name in ("DataFrame", "Series", "Timestamp", "Timedelta", "read_csv", "read_parquet")),
    )
)  # fmt: skip

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CALM_LEAVES = (ast.Constant, ast.Name, ast.Lambda, ast.Slice, ast.JoinedStr)
_FRESH = (ast.Constant, ast.JoinedStr, ast.BinOp)
_MAKERS = frozenset(
    ("format", "open", "repr", "str")
)  # of the pure builtins: others may give back what they were given


def imported_names(body: Iterable[ast.stmt]) -> dict[str, str]:
    """The names that the imports of a module bind -> what they stand for, as in "numpy" or "pathlib.Path"."""
    names: dict[str, str] = {}
    for node in (one for statement in body for one in ast.walk(statement)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def acts(node: ast.stmt, imports: Mapping[str, str]) -> bool:
    """Whether a statement may do more than bind names.

    Args:
        imports: what `imported_names` says of the module.

    >>> [acts(ast.parse(text).body[0], {}) for text in ("LIMIT = 3", "FIRST, TABLE['x'] = 1, 2")]
    [False, True]
    """
    return not _Reading(imports).calm(node)


def enrols(node: ast.stmt) -> bool:
    """Whether a class does something whenever a class that derives from it is made, as to enter it in a registry."""
    if not isinstance(node, ast.ClassDef):
        return False
    hooks = any(isinstance(one, _FUNCTIONS) and one.name == "__init_subclass__" for one in node.body)
    return (
        hooks
        or any(one.arg == "metaclass" for one in node.keywords)
        or any(_last_name(one) == "type" for one in node.bases)
    )


class _Reading:
    def __init__(self, imports: Mapping[str, str]) -> None:
        self.imports = imports

    # ---------------------------------------------------------------------------------------------- statements

    def calm(self, node: ast.stmt) -> bool:
        """Whether a statement only binds names."""
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass | ast.Global) or _is_main_guard(node):
            return True
        if isinstance(node, _FUNCTIONS):
            return self._decorated(node.decorator_list) and self._defaults(node.args)
        if isinstance(node, ast.ClassDef):
            return self._decorated(node.decorator_list) and not node.keywords and self._all(node.body)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return self._assigns(node)
        if isinstance(node, ast.AugAssign):
            # `x += [1]` changes the object itself, which may have other names; a number or a text is replaced.
            return isinstance(node.target, ast.Name) and isinstance(node.value, ast.Constant)
        return self._block(node)

    def _all(self, body: Iterable[ast.stmt]) -> bool:
        return all(_is_text(one) or self.calm(one) for one in body)

    def _decorated(self, decorators: Iterable[ast.expr]) -> bool:
        return all(_last_name(one) in PURE_DECORATORS for one in decorators)

    def _defaults(self, arguments: ast.arguments) -> bool:
        return all(self.value(one) for one in (*arguments.defaults, *arguments.kw_defaults) if one is not None)

    def _assigns(self, node: ast.Assign | ast.AnnAssign) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return all(_names_only(one) for one in targets) and (node.value is None or self.value(node.value))

    def _block(self, node: ast.stmt) -> bool:
        """If, try, with, for, while, match: calm where everything in them is."""
        if isinstance(node, ast.If):
            return self.value(node.test) and self._all(node.body) and self._all(node.orelse)
        if isinstance(node, ast.Try):
            handled = [statement for handler in node.handlers for statement in handler.body]
            return self._all([*node.body, *handled, *node.orelse, *node.finalbody])
        if isinstance(node, ast.With):
            entered = all(self.value(one.context_expr) for one in node.items)
            return entered and all(_names_only(one.optional_vars) for one in node.items) and self._all(node.body)
        if isinstance(node, ast.For):
            return _names_only(node.target) and self.value(node.iter) and self._all([*node.body, *node.orelse])
        return False

    # --------------------------------------------------------------------------------------------- expressions

    def value(self, node: ast.expr) -> bool:
        """Whether working out an expression changes nothing that others see."""
        if isinstance(node, _CALM_LEAVES):
            return True
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            return False
        return all(self._part(one) for one in ast.iter_child_nodes(node))

    def _part(self, node: ast.AST) -> bool:
        if isinstance(node, ast.comprehension):
            return _names_only(node.target) and self.value(node.iter) and all(self.value(one) for one in node.ifs)
        return self.value(node) if isinstance(node, ast.expr) else True

    def _call(self, node: ast.Call) -> bool:
        if not (self._is_pure(node.func) or self._is_of_its_own(node.func)):
            return False
        if any(one.arg == "key" and not isinstance(one.value, ast.Lambda) for one in node.keywords):
            return False  # `sorted(x, key=f)` calls f, whatever that does
        return all(self._is_harmless(one) for one in (*node.args, *(one.value for one in node.keywords)))

    def _is_pure(self, function: ast.expr) -> bool:
        name = self._full_name(function)
        return name in PURE_BUILTINS or name in PURE_CALLS or name.rpartition(".")[0] in PURE_MODULES or (
            name.rpartition(".")[0].rpartition(".")[0] in PURE_MODULES  # datetime.datetime.strptime, pathlib.Path.cwd
        )  # fmt: skip

    def _full_name(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            before = self._full_name(node.value)
            return f"{before}.{node.attr}" if before else ""
        return self.imports.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def _is_of_its_own(self, function: ast.expr) -> bool:
        """Whether it is a method of something this very expression made, which nobody else holds."""
        if not isinstance(function, ast.Attribute):
            return False
        holder = function.value
        while isinstance(holder, ast.Attribute | ast.Subscript):
            holder = holder.value
        if isinstance(holder, ast.Call):
            name = self._full_name(holder.func)
            return (name not in PURE_BUILTINS or name in _MAKERS) and self.value(function.value)
        return isinstance(holder, _FRESH) and self.value(function.value)

    def _is_harmless(self, argument: ast.expr) -> bool:
        """Whether an argument can be handed over: not a method of something shared, which would be called."""
        inner = argument.value if isinstance(argument, ast.Starred) else argument
        if isinstance(inner, ast.Lambda):
            return self.value(inner.body)
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            return inner.value.id in self.imports or inner.attr.startswith("__")
        return self.value(inner)


def _names_only(target: ast.expr | None) -> bool:
    """Whether a target is made of plain names: an attribute or an index changes an object that others share."""
    if target is None or isinstance(target, ast.Name):
        return True
    if isinstance(target, ast.Starred):
        return _names_only(target.value)
    return isinstance(target, ast.Tuple | ast.List) and all(_names_only(one) for one in target.elts)


def _is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, or a bare `...`."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).replace('"', "'") == "__name__ == '__main__'"


def _last_name(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""
