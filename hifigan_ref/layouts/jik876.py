"""``do_*`` files of HiFi-GAN's own training code, and of projects that kept its names."""

from hifigan_ref.layout import Layout

LAYOUT = Layout("jik876", "jik876/hifi-gan", "do_*", {"mpd": "mpd", "msd": "msd"})
