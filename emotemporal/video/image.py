"""Still images: read strictly (half an image is an error, not a grey half); written whole."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from emotemporal.storage import write_atomically

MAX_PIXELS = 64_000_000  # a 9000 x 7000 scan still opens; a decompression bomb does not
# Not all that Pillow knows: an EPS under the name of a JPEG would be run by Ghostscript.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")


class ImageError(ValueError):
    """A file is not an image that can be read whole."""


def read_image(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Read an image as RGB; grey is repeated, transparency laid on black, EXIF rotation applied.

    Raises:
        FileNotFoundError: There is no such file.
        ImageError: Not an image, truncated, corrupt, of 32 bits a pixel or larger than
            `MAX_PIXELS`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such image")
    return _read(path, str(path), MAX_PIXELS, _FORMATS)


def decode_jpeg(data: bytes, name: str, max_pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    """Read a JPEG from memory as RGB, as strictly as `read_image`; nothing but a JPEG is tried.

    Args:
        data: The file's content, from whomever.
        name: What to call it in an error.
        max_pixels: More are refused by the header, before anything is decoded.

    Raises:
        ImageError: Not a JPEG, truncated, corrupt or too large.
    """
    return _read(io.BytesIO(data), name, max_pixels, ("JPEG",))


def write_image(path: Path, image: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write an RGB image as `.png` or `.jpg`, whole or not at all.

    Raises:
        ValueError: The name ends otherwise.
        OSError: It could not be written; what was under the name before is still there.
    """
    if path.suffix.lower() not in {".png", ".jpg"}:
        raise ValueError(f"{path}: cannot write a picture of this name; end it in .png or .jpg")
    _, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    write_atomically(path, encoded.tobytes())


def _read(
    source: Path | io.BytesIO, name: str, max_pixels: int, formats: tuple[str, ...]
) -> UInt8[np.ndarray, "h w 3"]:
    try:
        with warnings.catch_warnings():
            # Pillow only warns between one and two times its own limit; ours is checked below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source, formats=formats) as image:
                return _load(image, name, max_pixels)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: refused, {error}") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not {' or '.join(formats)}, and so no image here") from error
    # Pillow's decoders report a corrupt file in any of these ways.
    except (OSError, SyntaxError, ValueError, IndexError, EOFError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(
            f"{name}: corrupt or truncated ({error}); fetch it again or take it off the list"
        ) from error


def _load(image: Image.Image, name: str, max_pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    if image.width * image.height > max_pixels:
        raise ImageError(
            f"{name}: {image.width} x {image.height} pixels; at most {max_pixels} are read"
        )
    image.load()
    is_deep_png = image.mode == "I" and image.format == "PNG"  # as older Pillows open 16 bits
    if image.mode in {"I", "F"} and not is_deep_png:
        raise ImageError(
            f"{name}: 32 bits a pixel, which do not say what is white; save it with 8 or 16"
        )
    upright = ImageOps.exif_transpose(image)
    return np.array(_to_rgb(upright), dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow would clip, not scale, sixteen bits to eight.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")
