"""workflow/schemas/config.schema.yaml: the JSON schema of a configuration, for editors and other programs."""

import yaml

from kalemia.core.config_validation import config_schema
from settings_text import GENERATED, WIDTH


class _Dumper(yaml.SafeDumper):
    """Without anchors and aliases, which are harder to read than what they repeat."""

    def ignore_aliases(self, data) -> bool:
        return True


def schema_yaml() -> str:
    """The text of the file."""
    return f"# {GENERATED}\n" + yaml.dump(config_schema(), Dumper=_Dumper, sort_keys=False, width=WIDTH)
