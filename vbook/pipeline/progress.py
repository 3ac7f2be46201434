"""What ``vbook run`` shows while it works: a live line per running chapter on a terminal, plain lines elsewhere."""

import sys
import time


class Progress:
    """Follows chapters through their cells; ``headings`` maps a chapter to the heading that each of its cells stands under."""

    def __init__(self, headings: dict[str, list[str]], stream=None):
        self.headings = headings
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.width = max(map(len, headings), default=0)
        self.bars: dict[str, object] = {}
        self.quarters: dict[str, int] = {}
        self.drawn: dict[str, float] = {}

    def at(self, name: str, cell: int | None) -> None:
        """Chapter ``name`` runs cell ``cell`` (None: its kernel is starting)."""
        if self.live:
            self._draw(name, cell or 0)
        elif cell is not None and (quarter := 4 * cell // len(self.headings[name])) > self.quarters.get(name, 0):
            self.quarters[name] = quarter
            self.say(f"{name}: {25 * quarter} %")

    def done(self, name: str, text: str) -> None:
        """Chapter ``name`` ended; ``text`` says how."""
        if name in self.bars:
            self.bars.pop(name).close()
        self.say(f"{name}: {text}")

    def say(self, text: str) -> None:
        """One line that stays, above the live ones."""
        if self.bars:
            from tqdm import tqdm

            tqdm.write(text, file=self.stream)
        else:
            print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Take the live lines away, whatever happened."""
        while self.bars:
            self.bars.popitem()[1].close()

    def _draw(self, name: str, cell: int) -> None:
        from tqdm import tqdm

        if name not in self.bars:
            form = "{desc} {bar:16} {n_fmt}/{total_fmt} cells  {elapsed}  {unit}"
            taken = {bar.pos for bar in self.bars.values()}
            self.bars[name] = tqdm(
                desc=name.ljust(self.width),
                total=len(self.headings[name]),
                file=self.stream,
                leave=False,
                dynamic_ncols=True,
                position=next(k for k in range(len(taken) + 1) if -k not in taken),
                bar_format=form,
            )
        bar = self.bars[name]
        if cell != bar.n or time.monotonic() - self.drawn.get(name, 0.0) > 1:
            self.drawn[name] = time.monotonic()
            bar.n = cell
            bar.unit = self.headings[name][cell]  # not a postfix, which tqdm puts behind a comma
            bar.refresh()
