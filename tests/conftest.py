"""What holds for all tests."""

import os

os.umask(0o022)  # wherever they run: settings and policies that others may write are refused
