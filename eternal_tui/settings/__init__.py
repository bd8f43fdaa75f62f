"""One typed Settings: defaults, then config.toml, then the environment, then flags."""

from eternal_tui.settings.address import OFFICIAL_HOST, check_base_url, is_loopback
from eternal_tui.settings.loading import config_path, default_config_path, default_data_dir, home_folder, load_settings
from eternal_tui.settings.model import Notify, Settings, SettingsError

__all__ = [
    "OFFICIAL_HOST",
    "Notify",
    "Settings",
    "SettingsError",
    "check_base_url",
    "config_path",
    "default_config_path",
    "default_data_dir",
    "home_folder",
    "is_loopback",
    "load_settings",
]
