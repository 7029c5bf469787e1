"""
A stand-in server of Google Drive (API v3) for tests: Python standard library only, loopback only. README.md tells how
to start it, set faults and read its log. What it knows of the real service, and from where, is in the study of the
API; it is trusted only as far as Google's own clients and rclone pass against it (clients/).
"""
