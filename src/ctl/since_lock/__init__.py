"""What has happened since the lock: how far the data reach, whether they are worse, which past bars read otherwise.

Pure: values in, reasons out. The gatekeeper decides on them.
"""
