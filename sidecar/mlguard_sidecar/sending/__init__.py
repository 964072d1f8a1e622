"""Sending of files to a sidecar: each line once, over restarts of either side."""

from mlguard_sidecar.sending.event_socket import SocketTransport, find_socket
from mlguard_sidecar.sending.http_events import HttpTransport
from mlguard_sidecar.sending.json_lines import read_json_lines, read_standard_input
from mlguard_sidecar.sending.lines import LineStream, SendError
from mlguard_sidecar.sending.patience import Patience
from mlguard_sidecar.sending.places import S3, check_form, stored_files
from mlguard_sidecar.sending.sagemaker import CaptureReader
from mlguard_sidecar.sending.send import Transport, send_stream
from mlguard_sidecar.sending.summary import Summary
from mlguard_sidecar.sending.tables import Fields, read_rows

__all__ = [
    "S3",
    "CaptureReader",
    "Fields",
    "HttpTransport",
    "LineStream",
    "Patience",
    "SendError",
    "SocketTransport",
    "Summary",
    "Transport",
    "check_form",
    "find_socket",
    "read_json_lines",
    "read_rows",
    "read_standard_input",
    "send_stream",
    "stored_files",
]
