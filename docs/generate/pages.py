"""Writes the pages of the site that are no files in `docs/`. mkdocs-gen-files runs this at the start of a build."""

from __future__ import annotations

import sys
from pathlib import Path

import mkdocs_gen_files

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))  # mkdocs-gen-files runs this file on its own

from generate.links import OUTSIDE, as_site_page  # noqa: E402
from generate.reference import SCHEMA, reference_pages  # noqa: E402

for name, text in reference_pages().items():
    with mkdocs_gen_files.open(f"reference/{name}", "w") as file:
        file.write(text)
with mkdocs_gen_files.open("reference/report-1.schema.json", "w") as file:
    file.write(SCHEMA.read_text(encoding="utf-8"))
for source, page in OUTSIDE.items():
    if page.endswith(".md"):
        with mkdocs_gen_files.open(page, "w") as file:
            file.write(as_site_page(source))
    else:
        with mkdocs_gen_files.open(page, "wb") as file:
            file.write((ROOT / source).read_bytes())
