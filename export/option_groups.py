"""Records of options: a command takes them whole, Typer sees each of their fields."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

Command = Callable[..., None]


def grouped(command: Command) -> Command:
    """A command whose parameters of dataclass types stand for their fields, as options.

    Args:
        command: as it is written; called with each record, made of what was typed.

    Returns:
        The same for Typer: the fields stand in the signature where the records stood.
    """
    parameters = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {
        each.name: each.annotation for each in parameters if is_dataclass(each.annotation)
    }

    def call(**given: object) -> None:
        for name, group in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in fields(group)})
        command(**given)

    flat = [option for each in parameters for option in _options(each)]
    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__annotations__ = {each.name: each.annotation for each in flat}
    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return call


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """A parameter itself, or one for each field of its record; each is passed by its name."""
    if not is_dataclass(parameter.annotation):
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    for field in fields(parameter.annotation):
        assert field.default is not MISSING, "what a command can be called without is an option"
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=field.type,
        )
