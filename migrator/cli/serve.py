"""`serve`: pages to watch the migration by."""

from pathlib import Path

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, say
from migrator.inputs.settings.account_names import at_account, at_state
from migrator.inputs.settings.settings import Settings
from migrator.pages.server import serve as serve_pages
from migrator.pages.server import serve_accounts

__all__ = ["serve"]


@click.command(
    "serve", epilog="Exit codes: 0 ended by Ctrl-C or SIGTERM, 1 store of another schema, 2 no store, address or token."
)
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:8787", show_default=True, help="Port 0 takes any free one."
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Ask for the token on its first line; needed off loopback. Nobody else may read the file.",
)
@global_options
@click.pass_obj
def serve(shared: Globals, /, *, listen: str, token_file: Path | None) -> int:
    """Show the migration in a browser, read-only.

    Pages tell where every SIM stands, what runs now, and what needs a person. Also /metrics for Prometheus and
    /healthz. The store is only read, and may be at work; no carrier is asked.

    In PostgreSQL without --account: a page over all registered accounts, and the pages of each below it.
    """
    return finish("serve", shared, lambda: _serve(shared, listen, token_file))


def _serve(shared: Globals, listen: str, token_file: Path | None) -> Outcome:
    chosen = wiring.settings(shared.config)
    if not wiring.is_of_accounts(chosen):
        serve_pages(chosen.state, chosen, listen, token_file, say)
        return Outcome({}, ())

    def settings_of(account: str) -> Settings:
        with at_account(account), at_state(chosen.state):
            return wiring.settings(shared.config)

    serve_accounts(chosen.state, settings_of, listen, token_file, say)
    return Outcome({}, ())
