"""When running jobs are polled."""
