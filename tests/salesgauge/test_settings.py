"""The company directory: what is on, where values come from, and that secrets stay secret."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "process.yml").write_text("company: {}\n")
    (tmp_path / ".dlt").mkdir()
    (tmp_path / "sources").mkdir()
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, encoding="utf-8")


def test_a_directory_without_process_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="salesgauge init"):
        Company.open(tmp_path)


def test_sources_are_on_when_configured(root: Path) -> None:
    write(root, ".dlt/config.toml", '[sources.typeform]\nbase_url = "http://x"\n[sources.hubspot]\n')
    write(root, "sources/legacy.yml", "files: []\n")
    write(root, "sources/hubspot.yml", "fields: {}\n")
    assert Company.open(root, {}).configured_sources() == ["hubspot", "typeform", "legacy"]


def test_an_unknown_source_is_refused(root: Path) -> None:
    write(root, ".dlt/config.toml", "[sources.hubspto]\n")
    with pytest.raises(ConfigurationError, match="hubspto"):
        Company.open(root, {}).configured_sources()


def test_a_file_source_can_not_take_the_name_of_an_api(root: Path) -> None:
    write(root, "sources/ga4.yml", "files: []\n")
    with pytest.raises(ConfigurationError, match=r"sources/ga4\.yml"):
        Company.open(root, {}).configured_sources()


def test_the_environment_wins_over_files(root: Path) -> None:
    write(root, ".dlt/config.toml", '[sources.hubspot]\nbase_url = "http://file"\n[salesgauge]\nkeep_versions = 3\n')
    environ = {"SOURCES__HUBSPOT__BASE_URL": "http://env", "SALESGAUGE__KEEP_VERSIONS": "7"}
    company = Company.open(root, environ)
    assert company.source("hubspot").get("base_url") == "http://env"
    assert company.setting("keep_versions") == "7"
    assert Company.open(root, {}).setting("keep_versions") == 3


def test_a_missing_secret_says_where_to_put_it(root: Path) -> None:
    source = Company.open(root, {}).source("hubspot")
    with pytest.raises(ConfigurationError, match=r"secrets\.toml.*'access_token'.*SOURCES__HUBSPOT__ACCESS_TOKEN"):
        source.secret("access_token")


def test_a_broken_secrets_file_does_not_show_what_it_holds(root: Path) -> None:
    write(root, ".dlt/secrets.toml", '[sources.hubspot]\naccess_token = "pat-canary-123\n')
    with pytest.raises(ConfigurationError) as caught:
        Company.open(root, {})
    assert "secrets.toml" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_as_of_is_utc(root: Path) -> None:
    write(root, ".dlt/config.toml", '[salesgauge]\nas_of = "2026-07-01T00:00:00-05:00"\n')
    assert Company.open(root, {}).as_of == datetime(2026, 7, 1, 5)
    write(root, ".dlt/config.toml", '[salesgauge]\nas_of = "soon"\n')
    with pytest.raises(ConfigurationError, match="soon"):
        _ = Company.open(root, {}).as_of


def test_data_may_lie_elsewhere(root: Path, tmp_path: Path) -> None:
    assert Company.open(root, {}).data_dir == root / "data"
    assert Company.open(root, {"SALESGAUGE_DATA": str(tmp_path)}).data_dir == tmp_path


def test_a_described_source_may_have_settings(root: Path) -> None:
    write(root, ".dlt/config.toml", '[sources.exports]\nregion = "eu-central-1"\n')
    with pytest.raises(ConfigurationError, match=r"\[sources\.exports\] names no source"):
        Company.open(root, {}).configured_sources()
    write(root, "sources/exports.yml", "questions: {}\n")
    with pytest.raises(ConfigurationError, match=r"\[sources\.exports\] names no source"):
        Company.open(root, {}).configured_sources()
    write(root, "sources/exports.yml", "location: s3://bucket/x\nfiles: []\n")
    assert Company.open(root, {}).configured_sources() == ["exports"]
    assert Company.open(root, {}).source("exports").get("region") == "eu-central-1"


def test_whether_a_run_prints_its_report(root: Path) -> None:
    assert Company.open(root, {}).wants_pdf
    assert not Company.open(root, {"SALESGAUGE__REPORT_PDF": "False"}).wants_pdf
    (root / ".dlt" / "config.toml").write_text("[salesgauge]\nreport_pdf = false")
    assert not Company.open(root, {}).wants_pdf
    with pytest.raises(ConfigurationError, match="report_pdf = 'no' must be true or false"):
        Company.open(root, {"SALESGAUGE__REPORT_PDF": "no"}).wants_pdf  # noqa: B018


def test_owners_and_when_data_are_stale(root: Path) -> None:
    config = root / ".dlt" / "config.toml"
    assert (Company.open(root, {}).owners, Company.open(root, {}).stale_after("hubspot")) == ([], timedelta(hours=26))
    config.write_text(
        '[salesgauge]\nowners = ["ann@example.com", "team:sales_ops"]\nstale_after_hours = 3\n[sources.hubspot]\nstale_after_hours = 0.5\n'
    )
    company = Company.open(root, {})
    assert company.owners == ["ann@example.com", "team:sales_ops"]
    hours = [company.stale_after(source) / timedelta(hours=1) for source in (None, "typeform", "hubspot")]
    assert hours == [3, 3, 0.5]
    company.check_settings()
    for wrong in ('owners = ["Ann"]', "owners = 7"):
        config.write_text(f"[salesgauge]\n{wrong}\n")
        with pytest.raises(ConfigurationError, match="Write a list of addresses and teams"):
            Company.open(root, {}).check_settings()
    for wrong in ('"soon"', "0.01", "-1", "1e9"):
        config.write_text(f"[sources.hubspot]\nstale_after_hours = {wrong}\n")
        with pytest.raises(
            ConfigurationError, match=r"\[sources.hubspot\] stale_after_hours = .* must be a number of hours"
        ):
            Company.open(root, {}).check_settings()
