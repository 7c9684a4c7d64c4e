"""Where in `threefold.yaml` something stands, for refusals that come when the tables are known."""

from __future__ import annotations

from pathlib import Path

import yaml

from threefold.design.nodes import line_of
from threefold.design.words import plain_key


def place(file: Path, *keys: str, item: str = "") -> str:
    """ "threefold.yaml:12": the line of a key, or of one item below it; of the nearest block where it is not there.

    Args:
        file: the canvas.
        keys: the way down, as in ("predict", "leave out").
        item: a value that stands somewhere below the last key.
    """
    try:
        node = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return file.name  # it was edited since it was read
    line = 1
    for key in keys:
        pair = _below(node, key)
        if pair is None:
            return f"{file.name}:{line}"
        line, node = line_of(pair[0]), pair[1]
    return f"{file.name}:{_line_of_item(node, item) or line}"


def _below(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((pair for pair in pairs if plain_key(str(pair[0].value)) == plain_key(key)), None)


def _line_of_item(node: yaml.Node | None, item: str) -> int | None:
    if isinstance(node, yaml.ScalarNode):
        return line_of(node) if item and node.value == item else None
    if isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    else:
        inner = list(node.value) if isinstance(node, yaml.SequenceNode) else []
    return next((line for one in inner if (line := _line_of_item(one, item)) is not None), None)
