"""One typed Settings: defaults, then config.toml, then the environment, then flags."""

from eternal_tui.config.base_url import OFFICIAL_HOST, check_base_url, is_loopback
from eternal_tui.config.loader import config_path, default_config_path, default_data_dir, home_folder, load_settings
from eternal_tui.config.settings import Notify, Settings, SettingsError

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
