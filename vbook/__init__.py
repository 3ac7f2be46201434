"""vbook: the shared package of the interactive book *Variational Inference and Deep Learning*.

    data -> model p(x,z), q(z|x) -> bound -> fit -> evaluate -> record -> page

Import what a chapter names from its own module, for example ``from vbook.bounds import elbo``.
"""

from vbook import loaded as loaded  # first of all: what is edited from now on is not what runs

__version__ = "0.1.0"
