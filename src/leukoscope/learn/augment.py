"""Per-image changes of a batch, on its device: what a microscope and a stain may do to a field."""

import torch
import torch.nn.functional as F
from torch import Tensor

from leukoscope.data.perturbations import CORNER
from leukoscope.settings import TrainingSettings


def parameters(count: int, settings: TrainingSettings, generator: torch.Generator) -> Tensor:
    """Random changes of `count` images as a count×10 table: scale, angle, mirror, shift x and y,
    optical density of red, green and blue, brightness, and
    whether the scale-bar corner is painted over.

    Drawn on the CPU for the whole batch, so that every process and device sees the same ones.
    """
    uniform = 2 * torch.rand(count, 9, generator=generator) - 1
    scale = 1 + settings.scale * uniform[:, 0:1]
    quarter = torch.randint(0, 4, (count, 1), generator=generator) * (torch.pi / 2)
    mirror = torch.randint(0, 2, (count, 1), generator=generator) * 2 - 1
    if not settings.flips:
        quarter, mirror = torch.zeros_like(quarter), torch.ones_like(mirror)
    shift = 2 * settings.shift * uniform[:, 1:3]  # the sampling grid spans −1 to 1
    brightness = 1 + settings.brightness * uniform[:, 3:4]
    density = 1 + settings.stain * uniform[:, 4:7]
    erased = (uniform[:, 8:9] < 0).float() * settings.erase_corner  # half of the images
    return torch.cat((scale, quarter, mirror, shift, density, brightness, erased), dim=1)


def augment(pixels: Tensor, changes: Tensor) -> Tensor:
    """Changed copies, N×H×W×3 in 0–255 floating-point, of N×H×W×3 pixels within 0–255.

    `changes` may be on the CPU, where looking into them does not wait for a GPU.

    Stain is changed in optical density, where it is proportional to the amount of dye
    (Beer–Lambert; Ruifrok and Johnston 2001); what a shift uncovers is filled by reflection.
    """
    erases = bool(changes[:, 9].any())
    changes = changes.to(pixels.device)
    scale, angle, mirror, dx, dy = changes[:, :5].unbind(dim=1)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    affine = torch.stack((cos * mirror, -sin, dx, sin * mirror, cos, dy), dim=1).view(-1, 2, 3)
    density, brightness = changes[:, None, None, 5:8], changes[:, None, None, 8:9]
    if erases:
        pixels = torch.where(changes[:, None, None, 9:] > 0, erase_corner(pixels), pixels)
    light = (((pixels.float() + 1) / 256).pow(density) * 256 - 1) * brightness
    images = light.permute(0, 3, 1, 2)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return moved.clamp_(0, 255).permute(0, 2, 3, 1)


def resize(pixels: Tensor, size: int) -> Tensor:
    """N×size×size×3 of N×H×W×3 uint8 pixels, without aliasing."""
    if pixels.shape[1] == size:
        return pixels
    images = pixels.permute(0, 3, 1, 2)
    if pixels.is_cuda:  # torch resizes uint8 on the CPU only
        images = images.float()
    resized = F.interpolate(images, (size, size), mode="bilinear", antialias=True)
    return resized.permute(0, 2, 3, 1)


def erase_corner(pixels: Tensor) -> Tensor:
    """A copy of N×H×W×3 pixels whose bottom-right corner has the image's median colour."""
    height, width = (int(share * pixels.shape[1]) for share in CORNER)
    erased = pixels.clone()
    medians = pixels.flatten(1, 2).median(dim=1).values
    erased[:, -height:, -width:] = medians[:, None, None]
    return erased
