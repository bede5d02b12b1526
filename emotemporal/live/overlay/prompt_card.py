"""The prompt on the picture: what to show, what comes next, how long it lasts."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from emotemporal.live.overlay import canvas
from emotemporal.live.overlay.canvas import Area
from emotemporal.live.overlay.palette import COLOURS, FAINT_INK, INK, TRACK
from emotemporal.live.prompts import Prompt, instruction


def draw_prompt(
    image: UInt8[np.ndarray, "h w 3"], prompt: Prompt, time_s: float, num_prompts: int
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the picture as a mirror shows it, with the prompt at its head."""
    picture = np.ascontiguousarray(image[:, ::-1])
    height, width = picture.shape[:2]
    large = max(16, round(0.075 * min(height, width)))
    small = max(12, large // 2)
    task, note, share = instruction(prompt, time_s)
    count = f"{prompt.number} of {num_prompts}    space: once more    q: stop, go on another time"
    pad = large // 2
    # Most cameras sit above the screen: whoever reads up there looks into it.
    area = Area(pad, pad, width - 2 * pad, round(3.1 * large))
    canvas.put_plate(picture, area, pad)
    x, y = area.x + pad, area.y + pad // 2
    canvas.put_text(picture, task, x, y, large, INK)
    right = area.right - pad - canvas.text_width(note, large)
    if right > x + canvas.text_width(task, large) + pad:  # where there is room for both
        canvas.put_text(picture, note, right, y, large, FAINT_INK)
    bar = Area(x, y + round(1.5 * large), area.width - 2 * pad, max(4, large // 5))
    canvas.put_bar(picture, bar, TRACK)
    filled = Area(bar.x, bar.y, max(bar.height, round(bar.width * share)), bar.height)
    canvas.put_bar(picture, filled, COLOURS[prompt.emotion])
    canvas.put_text(picture, count, x, bar.bottom + pad // 3, small, FAINT_INK)
    return picture
