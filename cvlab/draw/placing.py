"""A hook into a figure's drawing: words are placed when their sizes and the room around them are known."""

from matplotlib.artist import Artist

__all__ = ["BeforeDrawing"]


class BeforeDrawing(Artist):
    """Draws nothing; calls a function with the renderer each time, before what lies above it is drawn.

    Args:
        place: called with Matplotlib's renderer.
        zorder: below that of the artists that `place` moves.
    """

    def __init__(self, place, zorder: float):
        super().__init__()
        self._place = place
        self.set_zorder(zorder)
        self.set_in_layout(False)

    def draw(self, renderer) -> None:
        self._place(renderer)
