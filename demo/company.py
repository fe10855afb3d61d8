"""Writes the company directory of the demo: the files of ``company/``, settings that point to the loopback servers, GA4's export files.

Starting the servers is ``serve``, what a CRM's settings are is in ``crms``; running anything on the directory belongs to ``orchestration``.
"""

from __future__ import annotations

from pathlib import Path

from demo.crms import CRMS, crm
from demo.ga4 import write_events
from demo.log import CompanyLog
from demo.servers.typeform import server as typeform

TEMPLATE = Path(__file__).parent / "company"
SECRETS = """\
# Credentials of servers that exist on this machine only, while the demo runs.

{crm_secrets}
[sources.typeform]
access_token = "{typeform}"
"""


def write(
    root: Path, log: CompanyLog, *, crm_url: str, typeform_url: str, crm_name: str = "hubspot", with_late: bool = True
) -> None:
    """Make ``root`` the company directory of ``log``. Files that are the same already are not touched, nor is ``var/``.

    ``crm_name`` is the system that the company runs. ``with_late`` False leaves the late web events of the last three days out, as GA4's
    export has it before it rewrites them.
    """
    module = crm(crm_name)
    settings = {
        "as_of": f"{log.as_of.isoformat()}Z",
        "typeform_url": typeform_url,
        "crm_config": module.config(crm_url),
        "crm_name": crm_name,
    }
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        parts = [
            part.replace("dot_", ".", 1) if part.startswith("dot_") else part
            for part in source.relative_to(TEMPLATE).parts
        ]
        content = source.read_text(encoding="utf-8")
        if source.suffix == ".toml" or source.name == "typeform.yml":
            content = content.format(**settings)
        _write(root.joinpath(*parts), content)
    for path, content in module.files().items():
        _write(root / path, content)
    for other in CRMS:  # of a company that ran another CRM before
        if f"sources/{other}.yml" not in module.files():
            (root / "sources" / f"{other}.yml").unlink(missing_ok=True)
    _write(root / ".dlt" / "secrets.toml", SECRETS.format(crm_secrets=module.secrets(), typeform=typeform.TOKEN))
    write_events(root / "data" / "ga4", log, with_late=with_late)


def _write(path: Path, content: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
