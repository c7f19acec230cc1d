"""``hifi-export cache list`` and ``cache clear``."""

import typer

app = typer.Typer(
    help="Exported files, engines and timings of layers that are kept.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def cache_list() -> None:
    """Show what is kept."""
    from export import store
    from export.as_text import cache_lines

    typer.echo("\n".join(cache_lines(store.folder(), store.entries())))


@app.command("clear")
def cache_clear() -> None:
    """Remove what is kept, except what another process holds."""
    from export import store

    entries = store.entries()
    removed = [entry for entry in entries if store.remove(entry)]
    freed = sum(entry.bytes for entry in removed) / 1e6
    typer.echo(f"{len(removed)} of {len(entries)} entries removed, {freed:.0f} MB freed")
