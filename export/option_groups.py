"""Records of options: a command takes them whole, Typer sees each of their fields."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import field, fields, is_dataclass
from typing import Annotated, Any

import typer

Command = Callable[..., None]


def option(default: Any, help: str, *names: str, **more: Any) -> Any:  # noqa: A002 - as Typer's
    """A field that is an option, called ``--like-the-field`` where no names are given.

    Args:
        default: where nothing is typed.
        help: one sentence.
        names: with their dashes.
        more: for ``typer.Option``.
    """
    return field(default=default, metadata={"names": names, "option": {"help": help, **more}})


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

    flat = [each for parameter in parameters for each in _options(parameter)]
    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__annotations__ = {each.name: each.annotation for each in flat}
    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return call


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """A parameter itself, or one for each field of its record; each is passed by its name."""
    if not is_dataclass(parameter.annotation):
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    for each in fields(parameter.annotation):
        told: Any = each.type
        if each.metadata:
            names = each.metadata["names"] or ("--" + each.name.replace("_", "-"),)
            told = Annotated[told, typer.Option(*names, **each.metadata["option"])]
        kind = inspect.Parameter.KEYWORD_ONLY
        yield inspect.Parameter(each.name, kind, default=each.default, annotation=told)
