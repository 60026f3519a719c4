"""Nothing is lost: killed runs, damaged files, full disks, bad inputs, long runs."""
