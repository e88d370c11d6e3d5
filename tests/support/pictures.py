"""Pictures for a browser, and what Pillow makes of them."""

import base64
import io

from bnext_keras.preprocessing import default_crop

import numpy as np
from PIL import Image

#: A page's answer as JSON; its argument is a picture's file as base64.
_ASK = """classify(new Blob([Uint8Array.from(atob("%s"), (c) => c.charCodeAt(0))])).then(
  ({outputs, pixels, width, height, best}) => ({outputs: [...outputs], pixels: [...pixels], width, height, best}))"""


def noise(width, height):
    """Pixels that have nothing to do with each other: whatever is computed wrong shows."""
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8))


def packed(image, kind="PNG", **options):
    """An image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def fitted(image, height, width):
    """Resized and cut out as `centre_crop` does it, first the rows, then the columns, in every version of Pillow."""
    scale = max(height / image.height, width / image.width) / default_crop((height, width))
    across, down = max(width, round(image.width * scale)), max(height, round(image.height * scale))
    bicubic = Image.Resampling.BICUBIC
    resized = image.resize((across, image.height), bicubic).resize((across, down), bicubic)
    left, top = (across - width) // 2, (down - height) // 2
    return np.asarray(resized.crop((left, top, left + width, top + height)))


def seen(tab, content):
    """What a page of `bnext-export web` finds: the network's numbers, the pixels that it saw, and the best answers."""
    found = tab.evaluate(_ASK % base64.b64encode(content).decode())
    pixels = np.array(found["pixels"], np.uint8).reshape(found["height"], found["width"], 4)
    return np.array(found["outputs"], np.float32), pixels[..., :3], found["best"]
