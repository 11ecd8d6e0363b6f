"""`python -m ssgan`."""

import sys

from ssgan.cli.main import main

sys.exit(main())
