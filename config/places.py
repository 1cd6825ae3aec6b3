"""Where things are: the settings in force, the brand file, and which store a command means."""

from dataclasses import dataclass
from pathlib import Path

from casework.errors import HeardError
from config.brand import Brand, load_brand
from config.recorded import DEMO
from config.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Place:
    """The settings, and the folder of one store: the brand's own, or the demo's."""

    settings: Settings
    folder: Path

    @property
    def redis_url(self) -> str | None:
        """The address of a store of your own, if one is set."""
        url = self.settings.redis_url
        return url.get_secret_value() if url else None


def here(*, demo: bool = False, brand: Brand | None = None) -> Place:
    """The place that a command works in."""
    settings = load_settings(brand)
    return Place(settings, settings.home / "demo" if demo else settings.home)


def quick_demo(place: Place) -> Path:
    """The folder of the demo day that nobody was at the desk on: ``heard demo --fast``."""
    return place.folder.with_name("demo-fast")


def brand_file(given: Path | None) -> Path:
    """The brand file: the one given, or HEARD_CONFIG, or brand.yaml in HEARD_HOME."""
    settings = load_settings()
    return given or settings.config or settings.home / "brand.yaml"


def own_brand(given: Path | None = None) -> Brand:
    """The brand of this place.

    Raises:
        HeardError: there is none yet, or it is wrong.
    """
    path = brand_file(given)
    if not path.exists():
        raise HeardError(f"there is no {path} yet: heard init writes one, heard demo needs none")
    return load_brand(path)


def demo_brand() -> Brand:
    """Aurora Air."""
    return load_brand(DEMO / "brand.yaml")
