"""The documentation site: `make docs` builds it offline from these pages; a broken link or page is an error."""

from ctl import __version__

project = "ctl"
author = "the authors of ctl"
copyright = author  # noqa: A001 - Sphinx's own name
release = version = __version__

extensions = ["myst_nb"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the outputs are the committed ones, which a test makes anew
suppress_warnings = ["myst.xref_missing"]  # links out of docs/ lead to files of the repository
exclude_patterns = ["schemas"]
html_theme = "furo"
html_title = "ctl: cutover control"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["schemas"]
