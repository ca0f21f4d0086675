"""`beacon-bridge rows`: a table for people, JSON lines for scripts, of any file of reader XML output."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from bridge import cli
from bridge.show import rows as listing

DATA = Path(__file__).parent / "data"
FILES = sorted([*(DATA / "powershell-7.6").glob("*.xml"), *(DATA / "serializers").glob("*.xml")])


def clixml(folder: Path, *rows: str) -> Path:
    """Write what Export-Clixml would write of custom objects with these elements."""
    path = folder / "saved.xml"
    objects = "".join(f'<Obj RefId="{number}"><MS>{one}</MS></Obj>' for number, one in enumerate(rows))
    path.write_text(f"<Objs>{objects}</Objs>", encoding="utf-8")
    return path


def table(path: Path) -> list[str]:
    """Return the lines of a file's table."""
    out = io.StringIO()
    listing.show(path, out, json=False)
    return out.getvalue().splitlines()


def command(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a child process."""
    return subprocess.run(
        [sys.executable, "-m", "bridge", "rows", *arguments], capture_output=True, check=False
    )


# --- for scripts ---


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_json_prints_each_file_as_it_is_written_down(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is the rows, one JSON object a line; a refused file ends in one line with its error."""
    error = DATA / "rows" / f"{path.name}.error"
    code = cli.main(["rows", str(path), "--json"])
    out = capsys.readouterr().out
    expected = (DATA / "rows" / f"{path.name}.jsonl").read_text(encoding="ascii")
    assert out.startswith(expected)
    rest = out[len(expected) :].splitlines()
    if not error.exists():
        assert (code, rest) == (0, [])
        return
    assert (code, len(rest)) == (7, 1)
    assert json.loads(rest[0])["error"]["sentence"] == error.read_text(encoding="utf-8").strip()


def test_json_is_ascii_whatever_the_console_speaks(tmp_path: Path) -> None:
    """The bytes on standard output are ASCII and end each line in the system's way, in a real process."""
    done = command(str(DATA / "powershell-7.6" / "strings.clixml.xml"), "--json")
    assert done.returncode == 0
    assert done.stdout.isascii()
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["Emoji"] == "\U0001f600"
    assert json.loads(line)["LoneHigh"] == "\ud83d"


def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    """`beacon-bridge rows FILE | head` ends quietly when its reader has gone."""
    path = clixml(tmp_path, *('<S N="A">x</S>' for _ in range(20_000)))
    with subprocess.Popen(
        [sys.executable, "-m", "bridge", "rows", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline().strip() == b'{"A": "x"}'
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == 0


# --- for people ---


def test_the_table_has_a_line_a_row(tmp_path: Path) -> None:
    """Null is blank, empty is "", what the row lacks is -, and rows are numbered as errors number them."""
    path = clixml(
        tmp_path,
        '<S N="Name">Zoë</S><I32 N="Licences">2</I32><Nil N="Mail" /><B N="On">true</B>',
        '<S N="Name"></S><S N="Mail">a@b.example</S><B N="On">false</B>',
    )
    assert table(path) == [
        "    #  Name  Licences  Mail         On",
        "    1  Zoë   2                      true",
        '    2  ""    -         a@b.example  false',
        "2 rows",
    ]


def test_nothing_in_a_file_moves_the_cursor_or_colours_the_table(tmp_path: Path) -> None:
    """Control and direction characters are shown escaped; markup of any kind is shown as it is."""
    path = clixml(
        tmp_path,
        '<S N="A_x001B_[2J">x_x001B_[31m_x0007_</S><S N="B">\u202egnp.exe\u2066\u200f</S>'
        '<S N="C">[bold red]&lt;b&gt;&amp;amp;[/]</S><S N="D">a_x000D__x000A_b_x0085_</S>'
        '<S N="E">_xD83D_</S>',
    )
    lines = table(path)
    assert lines[0].split() == ["#", "A\\u001b[2J", "B", "C", "D", "E"]
    assert lines[1].split() == [
        "1",
        "x\\u001b[31m\\u0007",
        "\\u202egnp.exe\\u2066\\u200f",
        "[bold",
        "red]<b>&amp;[/]",
        "a\\u000d\\u000ab\\u0085",
        "\\ud83d",
    ]
    assert all(line.isprintable() for line in lines)


def test_wide_characters_keep_the_columns_in_line(tmp_path: Path) -> None:
    """A character that takes two cells of a terminal is counted as two."""
    lines = table(clixml(tmp_path, '<S N="A">漢字</S><S N="B">x</S>', '<S N="A">abcd</S><S N="B">y</S>'))
    assert lines[1:3] == ["    1  漢字  x", "    2  abcd  y"]


def test_a_long_cell_is_cut_and_says_so(tmp_path: Path) -> None:
    """A column is at most 40 wide; --json has the whole text."""
    path = clixml(
        tmp_path, f'<S N="A">{"x" * 41}</S><S N="B">y</S>', f'<S N="A">{"z" * 40}</S><S N="B">y</S>'
    )
    assert table(path)[1:3] == [f"    1  {'x' * 37}...  y", f"    2  {'z' * 40}  y"]


def test_a_property_that_comes_up_later_is_not_lost(tmp_path: Path) -> None:
    """Behind the first 50 rows a new property stands at the end of its row, and a wider value is whole."""
    rows = ['<S N="A">x</S>'] * 50 + ['<S N="A">wide</S><S N="Late">here</S>', '<S N="A">y</S>']
    lines = table(clixml(tmp_path, *rows))
    assert lines[0] == "    #  A"
    assert lines[51:] == ["   51  wide  Late=here", "   52  y", "52 rows"]


def test_a_file_without_rows_says_so() -> None:
    """Both serializers' empty files, and only the count."""
    for kind in ("clixml", "convertto"):
        assert table(DATA / "powershell-7.6" / f"no_rows.{kind}.xml") == ["0 rows"]


def test_rows_before_an_error_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that turns out to have lost rows shows the others, the error and the way out; exit code 7."""
    code = cli.main(["rows", str(DATA / "powershell-7.6" / "reused_object.clixml.xml")])
    captured = capsys.readouterr()
    assert code == 7
    assert captured.out.splitlines() == ["    #  A", "    1  1", "1 row"]
    assert "rows are lost" in captured.err
    assert "Next: Save the reader's output with" in captured.err


@pytest.mark.parametrize("name", ["nothing.xml", "some.txt"])
def test_a_file_that_is_none_is_an_error(tmp_path: Path, name: str) -> None:
    """A missing file and a file of another kind exit with 7 and name the file, in a real process."""
    (tmp_path / "some.txt").write_text("Id,Name\n", encoding="utf-8")
    done = command(str(tmp_path / name))
    assert done.returncode == 7
    assert name.encode() in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("as_json", [True, False])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, as_json: bool) -> None:
    """A table or JSON of five times the rows takes no more memory."""

    class Nowhere(io.StringIO):
        def write(self, text: str, /) -> int:
            return len(text)

    peaks = []
    for count in (4_000, 20_000):
        path = tmp_path / "saved.xml"
        rows = '<Object><Property Name="A" Type="System.String">user</Property></Object>' * count
        path.write_text(f"<Objects>{rows}</Objects>", encoding="utf-8")
        tracemalloc.start()
        listing.show(path, Nowhere(), json=as_json)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2
