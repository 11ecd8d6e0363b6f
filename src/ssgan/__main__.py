"""`python -m ssgan`: how a study starts its commands, too."""

import sys

from ssgan.cli.main import main
from ssgan.training.signals import end_with_parent

end_with_parent()
sys.exit(main())
