"""Cue sheets, as CD writing programs and players read them."""

from __future__ import annotations

from refmaster.release.disc import PAUSE_SECTORS, Disc, msf_text


def cue_text(disc: Disc, file: str, *, file_begins: int = PAUSE_SECTORS) -> str:
    """Return the cue sheet of a disc whose program is one file.

    Parameters
    ----------
    disc : Disc
        What to describe.
    file : str
        Name of the WAV file, beside the cue sheet.
    file_begins : int
        The sector of the disc at which the file begins: what lies before is the pause that writers add.
    """
    lines = []
    if disc.ean:
        lines.append(f"CATALOG {disc.ean}")
    lines += _texts(disc.title, disc.performer, "")
    lines.append(f"FILE {_quoted(file)} WAVE")
    for number, track in enumerate(disc.tracks, start=1):
        lines.append(f"  TRACK {number:02d} AUDIO")
        lines += _texts(track.title, track.performer, "    ")
        if track.isrc:
            lines.append(f"    ISRC {track.isrc}")
        flags = [*(["DCP"] if track.copy_permitted else []), *(["PRE"] if track.pre_emphasis else [])]
        if flags:
            lines.append(f"    FLAGS {' '.join(flags)}")
        lines += [
            f"    INDEX {index:02d} {msf_text(sector - file_begins)}"
            for index, sector in track.numbered_indexes()
            if sector >= file_begins
        ]
    return "".join(f"{line}\n" for line in lines)


def _texts(title: str, performer: str, indent: str) -> list[str]:
    named = {"TITLE": title, "PERFORMER": performer}
    return [f"{indent}{key} {_quoted(text)}" for key, text in named.items() if text]


def _quoted(text: str) -> str:
    """Return a text in quotes; a cue sheet cannot hold quotes within them."""
    return '"' + text.replace('"', "'") + '"'
