"""Write the files that are generated from declarations in the library: `make generate`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from captions import caption_files
from claims_figure import claims_figure
from claims_page import claims_page
from files_page import files_page
from schema_file import schema_yaml
from settings_page import configuration_page
from settings_yaml import config_yaml

ROOT = Path(__file__).parents[1]
# each generated file, with the function that makes its text
FILES: dict[str, Callable[[], str]] = {
    "config.yaml": config_yaml,
    "workflow/schemas/config.schema.yaml": schema_yaml,
    "docs/reference/configuration.md": configuration_page,
    "docs/reference/files.md": files_page,
    "docs/reference/claims.md": claims_page,
    "docs/claims.svg": claims_figure,
    **{path: partial(str, text) for path, text in caption_files().items()},
}


def main() -> None:
    """Write each generated file that is not up to date, and print its name."""
    for name, make_text in FILES.items():
        path, text = ROOT / name, make_text()
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(name)


if __name__ == "__main__":
    main()
