"""One typed Settings: defaults, then config.toml, then the environment, then flags."""

from eternal_tui.config.base_url import OFFICIAL_HOST, validate_base_url
from eternal_tui.config.loader import default_config_path, default_data_dir, find_config_path, home_dir, load_settings
from eternal_tui.config.settings import HookSettings, NotifySettings, Settings, SettingsError

__all__ = [
    "OFFICIAL_HOST",
    "HookSettings",
    "NotifySettings",
    "Settings",
    "SettingsError",
    "default_config_path",
    "default_data_dir",
    "find_config_path",
    "home_dir",
    "load_settings",
    "validate_base_url",
]
