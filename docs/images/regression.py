"""Makes regression.svg: the README's sixty seconds, run for real in a fresh repository, as the terminal shows them.

Run it from the top of a clone where JarvisPerf is installed: ``python docs/images/regression.py``
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parent
COLUMNS = 118
# rich's own template loads its font from elsewhere; a picture in a repository must be self-contained.
TEMPLATE = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
    font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace;
    font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def git(folder: Path, *words: str) -> None:
    """Run git as an author of the example."""
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607


def example(folder: Path) -> list[str]:
    """Create the README's repository, with the change in its working tree, and return its pytest arguments."""
    readme = (IMAGES.parents[1] / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Sixty seconds of use")[2].partition("\n## ")[0]
    before, benchmarks, after = re.findall(r"```python[^\n]*\n(.*?)```", section, flags=re.DOTALL)
    git(folder, "init", "-q", "-b", "main")
    (folder / "benchmarks").mkdir()
    (folder / "basket.py").write_text(before, encoding="utf-8")
    (folder / "benchmarks" / "test_basket.py").write_text(benchmarks, encoding="utf-8")
    (folder / ".gitignore").write_text("__pycache__/\nreports/\n", encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Basket")
    git(folder, "checkout", "-qb", "faster-basket")
    (folder / "basket.py").write_text(after, encoding="utf-8")
    (command,) = re.findall(r"^    python -m pytest (.*)$", section, flags=re.MULTILINE)
    return command.split()


def main() -> None:
    """Run the example and write the picture."""
    with tempfile.TemporaryDirectory() as name:
        words = [*example(Path(name)), "-q", "--no-header"]
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "pytest", *words, "--color=yes"],
            cwd=name,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "COLUMNS": str(COLUMNS)},
            check=False,
        )
        shown = done.stdout.replace(f"{name}/", "")
    if done.returncode != 1:
        sys.exit(f"the regression was not found:\n{shown}{done.stderr}")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ python -m pytest {' '.join(words)}", style="bold"))
    console.print(Text.from_ansi(shown.replace("\n\n\n", "\n\n")))
    picture = console.export_svg(title="faster-basket", code_format=TEMPLATE, unique_id="regression")
    (IMAGES / "regression.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
